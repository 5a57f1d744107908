"""A log → a recording: reads it, says what was understood, and writes if nothing is in doubt."""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from trio_mpu.errors import ImportRefused, UsageError
from trio_mpu.formats import PLAIN, Origin, row_csv
from trio_mpu.importing import output, summary
from trio_mpu.importing.checks import doubts_of, rest_of
from trio_mpu.importing.clocks import start_ns
from trio_mpu.importing.layout import SEPARATORS, layout_of, split
from trio_mpu.importing.log import FEW, Log, head_of, read_log
from trio_mpu.importing.plan import Plan, lacking, plan_of
from trio_mpu.importing.presets import PRESETS
from trio_mpu.importing.timeline import gaps_of, period_ns
from trio_mpu.record import Record
from trio_mpu.sample import NO_ATTITUDE, Flag, Sample
from trio_mpu.sensors.replay.numbers import shown
from trio_mpu.settings import ImportSettings

# Steps that are longer than GAP_PERIODS. If more of them are, the log has no period.
MAX_LONG_STEPS: Final = 0.1
MAX_COLUMNS_SHOWN: Final = 30


def run_import(settings: ImportSettings) -> None:
    """Import a log. Raises UsageError and ImportRefused; nothing is written then."""
    if not settings.log:
        raise UsageError("which log? Give its name, and --output FILE")
    path = Path(settings.log)
    options: Mapping[str, str] = asdict(settings)
    try:
        if missing := lacking(options):
            with _named(path):
                _show_columns(path)
            raise UsageError(
                f"what the columns mean is not guessed: give {', '.join(missing)}, or --preset"
            )
        plan = plan_of(options)
        if not settings.output:
            raise UsageError("where to write the recording? Give --output FILE")
        output.check(Path(settings.output), path, force=settings.force)
        with _named(path):
            log = read_log(path, plan)
        _import(path, plan, log, settings)
    except KeyboardInterrupt:
        raise ImportRefused("interrupted: nothing was written") from None


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say of which file a problem is."""
    try:
        yield
    except OSError as error:
        raise ImportRefused(f"can't read {path}: {error.strerror}") from error
    except ImportRefused as error:
        raise ImportRefused(f"{path}: {error}") from error


def _import(path: Path, plan: Plan, log: Log, settings: ImportSettings) -> None:
    """Say what was understood, and write it."""
    period = period_ns(log.timeline)
    gaps = gaps_of(log.timeline, period, by_time=not settings.irregular)
    offset_ns = _offset_ns(settings.start, log)
    rest = rest_of(log.timeline, period)
    for line in summary.lines_of(path.name, plan, log, period, gaps, rest, offset_ns):
        _say(line)
    doubts = doubts_of(plan, period, rest)
    for doubt in doubts:
        _say(f"  {doubt}")
    if doubts and not settings.accept_units:
        raise ImportRefused(f"{path}: {doubts[0]} (nothing was written: see --accept-units)")
    long_steps = len(gaps) - len(log.timeline.missed.keys() | log.timeline.breaks)
    if long_steps > FEW and long_steps > MAX_LONG_STEPS * len(log.timeline):
        raise ImportRefused(
            f"{path}: its times are irregular: {long_steps:,} of {len(log.timeline):,} steps are longer "
            "than 1.5 times the median (nothing was written: see --irregular)"
        )
    target = Path(settings.output)
    output.write(target, _rows(path.name, plan, log, gaps, offset_ns), force=settings.force)
    _say(f"written: {target}, {len(log.timeline):,} samples")


def _offset_ns(start: str, log: Log) -> int:
    """Return what makes a time since 1970 of a log's time."""
    if not start:
        return 0
    begin_ns = start_ns(start)
    if begin_ns is None or begin_ns < 0:
        raise UsageError(f"--start: {start!r} is no time such as 2026-11-30T09:05:00+01:00")
    return begin_ns - log.timeline.times_ns[0]


def _rows(
    name: str, plan: Plan, log: Log, gaps: Mapping[int, int], offset_ns: int
) -> Iterator[str]:
    """Yield the lines of the recording. Its numbers begin with 1 and have no holes: what is missing
    is in `lost`, as a sensor reports it."""
    absent = [
        word
        for word, quantity in (("gyroscope", plan.gyro), ("temperature", plan.temp))
        if not quantity.columns
    ]
    without = f" (no {', no '.join(absent)})" if absent else ""
    origin = Origin(0, f"import:{name}{without}")
    yield PLAIN.csv_header
    values = log.timeline.values
    for row, t_ns in enumerate(log.timeline.times_ns):
        flags = Flag.DEVICE_GAP if row in gaps else 0
        measured = values[row * 7 : row * 7 + 7]
        sample = Sample._make((t_ns, *measured, int(flags), gaps.get(row, 0), *NO_ATTITUDE))
        record = Record.of(row + 1, t_ns + offset_ns, sample)
        yield f"{row_csv(record, origin)}\n"


def _show_columns(path: Path) -> None:
    """Print the first line that has columns, and the presets that it fits."""
    head = [line for line in head_of(path) if line.text.strip()]
    if not head:
        raise ImportRefused("it is empty")
    # Names have blanks too: these separate only what nothing else does.
    separators = [each for each in SEPARATORS if len(split(head[0].text, each) or ()) > 1]
    separator = (*separators, " ")[0]
    _say(f"{path.name}: line {head[0].number}, separated by {SEPARATORS[separator]}:")
    for number, cell in enumerate((split(head[0].text, separator) or [])[:MAX_COLUMNS_SHOWN], 1):
        _say(f"  {number} {shown(cell)}")
    for name, preset in PRESETS.items():
        options = {"preset": name, "time": "", "accel": "", "gyro": "", "temp": ""}
        try:
            layout_of(head, plan_of(options))
        except ImportRefused:
            continue
        _say(f"  it has the columns of --preset {name} ({preset.writer})")


def _say(line: str) -> None:
    """Print a line, whatever characters the terminal has."""
    if sys.stdout is None:
        return
    encoding = sys.stdout.encoding or "utf-8"
    try:
        print(line.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except OSError as error:
        # What is still in the buffer would fail again at the exit.
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        raise ImportRefused(f"can't print what was understood: {error.strerror}") from error
