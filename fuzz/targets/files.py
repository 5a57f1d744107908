"""Files that people bring: recordings, other programs' logs, calibrations."""

import atexit
import itertools
import tomllib
from typing import Final

from fuzz.check import FileInMemory, check_message, ringed
from tests.helpers.recordings import parsed
from trio_mpu.calibration.files import load
from trio_mpu.calibration.model import Calibration
from trio_mpu.errors import CalibrationError, ImportRefused, UsageError
from trio_mpu.formats import Origin, row_csv, row_json
from trio_mpu.importing import summary
from trio_mpu.importing.checks import doubts_of, rest_of
from trio_mpu.importing.log import read_log
from trio_mpu.importing.plan import Plan, plan_of
from trio_mpu.importing.run import _rows
from trio_mpu.importing.timeline import gaps_of, period_ns
from trio_mpu.sample import Sample, checked
from trio_mpu.sensors.replay.options import EVERYTHING, Bounds
from trio_mpu.sensors.replay.recording import Recording
from trio_mpu.sensors.replay.rows import Outside, Row, Unreadable

MAX_ROWS: Final = 300  # of a recording; an input of 2 kB has no more
_ORIGIN: Final = Origin(0xC0FFEE, "fuzz")
_FILE: Final = FileInMemory()
atexit.register(_FILE.close)

_BY_NAME: Final = {
    "preset": "",
    "time": "ms:t",
    "accel": "g:ax,ay,az",
    "gyro": "none",
    "temp": "none",
}
# Which options a log is read with: the first byte of an input chooses.
PLANS: Final[tuple[Plan, ...]] = tuple(
    map(
        plan_of,
        (
            _BY_NAME,
            _BY_NAME | {"time": "iso:t", "gyro": "dps:gx,gy,gz", "temp": "f:temp"},
            _BY_NAME | {"time": "us:1", "accel": "lsb:16384:2,3,4", "gyro": "lsb:131:5,6,7"},
            _BY_NAME | {"time": "hms:t", "accel": "mss:ax,ay,az"},
            _BY_NAME | {"time": "rate:100", "accel": "mg:1,2,3"},
            _BY_NAME | {"time": "mdy:d,t"},
            *(
                dict.fromkeys(_BY_NAME, "") | {"preset": name}
                for name in ("phyphox", "witmotion-dated", "ros", "klipper", "euroc", "artemis-dmy")
            ),
        ),
    )
)


def calibration(data: bytes) -> None:
    """A file is refused in one line; or it is written as it was read, and its corrections are
    possible values."""
    try:
        found = load(_FILE.hold(data))
    except CalibrationError as error:
        check_message(error)
        return
    assert Calibration.parse(tomllib.loads(found.text("a note"))) == found
    checked(found.apply(Sample(1, 16.0, -16.0, 1.0, 2000.0, -2000.0, 0.0, 25.0)))
    assert found.id.isprintable()


def recording(data: bytes) -> None:
    """A file is refused in one line; or each row is a sample that the ring and every format can
    hold, and is given back by both formats of rows as it is."""
    path = _FILE.hold(data)
    for bounds in (EVERYTHING, Bounds(1_700_000_000 * 10**9, 1_700_000_100 * 10**9)):
        try:
            found = Recording(str(path), bounds)
        except UsageError as error:
            check_message(error)
            continue
        assert found.recorded.period_ns > 0
        assert str(found.recorded).isprintable()
        for row in itertools.islice(found.rows(), MAX_ROWS):
            match row:
                case Row():
                    _check_row(row)
                case Outside():
                    assert bounds != EVERYTHING
                case Unreadable():
                    check_message(row)


def _check_row(row: Row) -> None:
    record = ringed(row.sample, row.seq)
    checked(Sample(record.t_ns, *record[3:]))
    for text in (row_csv(record, _ORIGIN), row_json(record, _ORIGIN)):
        seq, sample = parsed(text)
        assert ringed(sample, seq) == record, text


def import_log(data: bytes) -> None:
    """A log is refused in one line; or each row is one of ours, with times that rise."""
    plan = PLANS[(data or b"\0")[0] % len(PLANS)]
    path = _FILE.hold(data[1:])
    try:
        log = read_log(path, plan)
        period = period_ns(log.timeline)
        assert period > 0
        rest = rest_of(log.timeline, period)
        gaps = gaps_of(log.timeline, period, by_time=True)
        lines = [*summary.lines_of("a log", plan, log, period, gaps, rest, 0)]
        lines += doubts_of(plan, period, rest)
    except ImportRefused as error:
        check_message(error)
        return
    assert all(lines)
    _, *rows = _rows("a log", plan, log, gaps, 1_700_000_000 * 10**9)
    samples = [parsed(row.removesuffix("\n")) for row in rows]
    assert [number for number, _ in samples] == [*range(1, len(samples) + 1)]
    times = [sample.t_ns for _, sample in samples]
    assert times == sorted(set(times))
