"""Playing a recording back, in virtual time."""

import itertools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.helpers.fake_devices import number, one_line, sample
from tests.helpers.recordings import (
    ORIGIN,
    PERIOD_NS,
    as_csv,
    as_events,
    as_json,
    as_ndjson,
    records,
)
from trio_mpu.errors import DeviceError, EndOfReplay, UsageError
from trio_mpu.formats import Origin, row_csv, row_json, sample_json
from trio_mpu.record import Record, values_of
from trio_mpu.sample import ATTITUDE_FLAGS, MAX_LOST, Flag, Gap, Sample
from trio_mpu.sensors.replay import recording
from trio_mpu.sensors.replay.device import MAX_ERRORS, MAX_PAUSE_S, Replay
from trio_mpu.sensors.replay.options import Options, parse_options
from trio_mpu.sensors.replay.rows import Line
from trio_mpu.sensors.replay.text import Text

Writer = Callable[[list[Record]], str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the recording is."""
    return tmp_path / "recording"


async def play(player: Replay) -> list[tuple[float, Sample | str]]:
    """All that it gives, each with the virtual time at which it came."""
    found: list[tuple[float, Sample | str]] = []
    while True:
        try:
            [taken] = await player.read()
            found.append((round(trio.current_time(), 6), taken))
        except EndOfReplay:
            return found
        except DeviceError as error:
            found.append((round(trio.current_time(), 6), one_line(error)))


def facts(samples: Sequence[Sample | str]) -> list[tuple[int, int]]:
    """Flags and losses; each sample has the flag REPLAYED, which is left out."""
    found = list[tuple[int, int]]()
    for taken in samples:
        assert isinstance(taken, Sample)
        assert taken.flags & Flag.REPLAYED
        found.append((taken.flags & ~Flag.REPLAYED, taken.lost))
    return found


async def samples_of(path: Path, text: str) -> list[Sample]:
    """The samples of a recording that has this text."""
    path.write_text(text)
    return [
        taken for _, taken in await play(Replay(Options(str(path)))) if isinstance(taken, Sample)
    ]


@pytest.mark.parametrize("written", [as_csv, as_ndjson])
async def test_a_recording_is_played_at_its_pace(
    path: Path, written: Writer, autojump_clock: MockClock
) -> None:
    """The same values in the same order, each as long after the one before as it was measured,
    the first immediately; so are their times, which are of now."""
    recorded = records(1, 2, 3, 5, 6)
    path.write_text(written(recorded))
    player = Replay(Options(str(path)))
    assert (player.source, player.period_ns, player.paced) == (f"replay:{path}", PERIOD_NS, True)
    before_ns = time.monotonic_ns()
    found = await play(player)
    assert [at for at, _ in found] == [0, 0.01, 0.02, 0.04, 0.05]
    begun = set[int]()
    for record, (_, taken) in zip(recorded, found, strict=True):
        assert isinstance(taken, Sample)
        assert taken[1:8] == pytest.approx(record[3:10], rel=6e-7)
        begun_ns = taken.t_ns - (record.t_ns - recorded[0].t_ns)
        assert before_ns <= begun_ns <= time.monotonic_ns()
        begun.add(begun_ns)
    assert len(begun) == 1
    with pytest.raises(EndOfReplay, match="played to its end"):
        await player.read()


@pytest.mark.parametrize("written", [as_csv, as_ndjson, as_json, as_events])
async def test_flags_and_gaps_are_reported_again(
    path: Path, written: Writer, autojump_clock: MockClock
) -> None:
    """What the producer noted in the recording comes again, and so do the numbers that the
    recording lacks; each sample is flagged as replayed."""
    recorded = records(7, 8, 9, 13, 14)
    recorded[0] = recorded[0]._replace(flags=Flag.SIMULATED | Flag.RESTART_GAP, lost=5)
    recorded[2] = recorded[2]._replace(flags=Flag.DEVICE_GAP, lost=2)
    recorded[4] = recorded[4]._replace(flags=Flag.SIMULATED)
    assert facts(await samples_of(path, written(recorded))) == [
        (Flag.SIMULATED | Flag.RESTART_GAP, 5),
        (0, 0),
        (Flag.DEVICE_GAP, 2),
        (Flag.DEVICE_GAP, 3),
        (Flag.SIMULATED, 0),
    ]


async def test_what_was_true_only_then_is_not_played(path: Path, autojump_clock: MockClock) -> None:
    """The step of a clock, and what was said of an attitude. All other flags are kept."""
    recorded = [record._replace(flags=sum(Flag)) for record in records(1)]
    [taken] = await samples_of(path, as_csv(recorded))
    assert taken.flags == sum(Flag) - Flag.CLOCK_STEP - ATTITUDE_FLAGS


EARLIER, LATER = records(11, 31)
LOST_TOO = LATER._replace(flags=Flag.DEVICE_GAP, lost=4)  # by the producer, right before it
LAPPED = Gap(11, 31, 19, "lapped")


@pytest.mark.parametrize(
    ("form", "later", "gap", "lost"),
    [
        # CSV has both in `lost`; where it has less, rows were taken out.
        ("csv", LATER, LAPPED, 19),
        ("csv", LOST_TOO, LAPPED, 23),
        ("csv", LOST_TOO, None, 19),
        # A row of JSON has them apart.
        ("ndjson", LATER, LAPPED, 19),
        ("ndjson", LOST_TOO, LAPPED, 23),
        ("ndjson", LOST_TOO, None, 23),
        ("ndjson", LATER, None, 19),
        # An event's gap has both.
        ("event", LATER, LAPPED, 19),
        ("event", LOST_TOO, LAPPED._replace(lost=23, reason="slow"), 23),
        ("event", LOST_TOO, None, 23),
        ("event", LATER, None, 19),
        ("event", LATER, Gap(99, 31, None, "restart"), 19),
    ],
)
async def test_what_is_missing_is_counted_once(
    path: Path,
    form: str,
    later: Record,
    gap: Gap | None,
    lost: int,
    autojump_clock: MockClock,
) -> None:
    """Whether the producer lost it, the answer missed it, or rows were taken out of the file."""
    if form == "csv":
        text = as_csv([EARLIER]) + row_csv(later, ORIGIN, gap) + "\n"
    elif form == "ndjson":
        text = as_ndjson([EARLIER]) + row_json(later, ORIGIN, gap) + "\n"
    else:
        objects = [(EARLIER, None), (later, gap)]
        text = "".join(
            sample_json(record, values_of(record), ORIGIN, gap=each) + "\n"
            for record, each in objects
        )
    found = facts(await samples_of(path, text))
    assert found == [(0, 0), (Flag.DEVICE_GAP, lost)]


async def test_an_impossible_jump_is_within_the_bounds_of_the_ring(
    path: Path, autojump_clock: MockClock
) -> None:
    """32 bits are what there is for a count."""
    recorded = records(1, 2)
    recorded[1] = recorded[1]._replace(seq=2**63)
    assert facts(await samples_of(path, as_csv(recorded)))[1] == (Flag.DEVICE_GAP, MAX_LOST)


async def test_a_long_pause_is_shortened(path: Path, autojump_clock: MockClock) -> None:
    """Nobody waits for an hour in which nothing was recorded; it has the flag of a gap."""
    path.write_text(as_csv(records(1, 2, 360_000, 360_001)))
    found = await play(Replay(Options(str(path))))
    assert [at for at, _ in found] == [0, 0.01, 5.01, 5.02]
    assert facts([taken for _, taken in found])[2] == (Flag.DEVICE_GAP, 359_997)
    assert MAX_PAUSE_S == 5


async def test_slow_recordings_have_no_long_pauses(path: Path, autojump_clock: MockClock) -> None:
    """What is usual in a recording is no gap in it."""
    recorded = [record._replace(t_ns=record.seq * 10**10) for record in records(1, 2, 3)]
    found = await samples_of(path, as_csv(recorded))
    assert facts(found) == [(0, 0)] * 3
    assert trio.current_time() == pytest.approx(20)


@pytest.mark.parametrize(
    ("speed", "seconds"), [("2", 0.02), ("0.01", 4.0), ("1000", 40e-6), ("3", 0.04 / 3)]
)
async def test_speed_divides_the_times(
    path: Path, speed: str, seconds: float, autojump_clock: MockClock
) -> None:
    """Without an error that adds up: to the nanosecond."""
    path.write_text(as_csv(records(1, 2, 3, 5)))
    player = Replay(parse_options(f"{path},speed={speed}"))
    assert player.period_ns == round(PERIOD_NS / Fraction(speed))
    found = await play(player)
    assert trio.current_time() == pytest.approx(seconds, abs=1e-7)
    samples = [taken for _, taken in found if isinstance(taken, Sample)]
    steps = [taken.t_ns - samples[0].t_ns for taken in samples]
    assert steps == [int(n * PERIOD_NS / Fraction(speed)) for n in (0, 1, 2, 4)]
    assert facts(samples) == [(0, 0), (0, 0), (0, 0), (Flag.DEVICE_GAP, 1)]


async def test_a_loop_begins_again_with_a_gap_of_unknown_size(
    path: Path, autojump_clock: MockClock
) -> None:
    """One period after the last sample, again and again."""
    path.write_text(as_csv(records(4, 5, 6)))
    player = Replay(parse_options(f"{path},loop"))
    assert player.source == f"replay:{path},loop"
    samples = [(await player.read())[0] for _ in range(7)]
    assert [number(taken.ax) for taken in samples] == [4, 5, 6, 4, 5, 6, 4]
    assert [flags for flags, _ in facts(samples)] == [0, 0, 0, Flag.DEVICE_GAP, 0, 0, 2]
    assert not any(taken.lost for taken in samples)
    steps = {later.t_ns - earlier.t_ns for earlier, later in itertools.pairwise(samples)}
    assert steps == {PERIOD_NS}


async def test_a_loop_ends_when_the_file_has_no_row_any_more(
    path: Path, autojump_clock: MockClock
) -> None:
    """It was emptied meanwhile: no endless search."""
    path.write_text(as_csv(records(4)))
    player = Replay(parse_options(f"{path},loop"))
    await player.read()
    path.write_text("")
    with pytest.raises(EndOfReplay):
        await player.read()


@pytest.mark.parametrize("written", [as_csv, as_ndjson])
async def test_two_recordings_in_one_file_are_played_one_after_the_other(
    path: Path, written: Writer, autojump_clock: MockClock
) -> None:
    """Numbers and times that go back are a gap of unknown size, one period long."""
    found = await samples_of(path, written(records(8, 9)) + written(records(1, 2)))
    assert facts(found) == [(0, 0), (0, 0), (Flag.DEVICE_GAP, 0), (0, 0)]
    assert trio.current_time() == pytest.approx(0.03)


@pytest.mark.parametrize("bad", ["", "~\n"])
async def test_a_header_begins_another_recording(
    path: Path, bad: str, autojump_clock: MockClock
) -> None:
    """Though its numbers and times go on; also where its first row can't be read."""
    header, later = as_csv(records(50, 51)).split("\n", 1)
    path.write_text(as_csv(records(8, 9)) + header + "\n" + bad + later)
    found = [taken for _, taken in await play(Replay(Options(str(path))))]
    samples = [taken for taken in found if isinstance(taken, Sample)]
    assert facts(samples) == [(0, 0), (0, 0), (Flag.DEVICE_GAP, len(bad) // 2), (0, 0)]
    assert trio.current_time() == pytest.approx(0.43)


async def test_a_status_in_a_stream_is_no_sample(path: Path, autojump_clock: MockClock) -> None:
    """Even if its object is that of a sample which comes later."""
    text = as_events(records(1, 2, 3))
    data = text[text.index("data: ", text.index("-3\n")) :].split("\n")[0]
    found = await samples_of(path, text.replace("id: ", f"event: status\n{data}\n\nid: ", 1))
    assert [number(taken.ax) for taken in found] == [1, 2, 3]


async def test_another_ring_is_another_recording(path: Path, autojump_clock: MockClock) -> None:
    """Its numbers have nothing to do with those before, though they go on; its times do."""
    text = as_ndjson(records(8, 9)) + as_ndjson(records(50, 51), Origin(2, "x"))
    assert facts(await samples_of(path, text)) == [(0, 0), (0, 0), (Flag.DEVICE_GAP, 0), (0, 0)]
    assert trio.current_time() == pytest.approx(0.43)


async def test_bad_rows_are_reported_and_passed_over(path: Path, autojump_clock: MockClock) -> None:
    """A row that can't be read is one error, and what it held is missing, once; the pace is
    kept. This goes for the first row too."""
    rows = as_csv(records(1, 2, 3, 4, 5)).splitlines()
    rows[1] = rows[1].replace("0.5", "x")
    rows[3] = rows[3][:20]
    path.write_text("\n".join([*rows, "~~~", ""]))
    found = await play(Replay(Options(str(path))))
    assert [
        (at, taken.lost if isinstance(taken, Sample) else taken.removeprefix(f"{path}: "))
        for at, taken in found
    ] == [
        (0, "line 2: ay is 'x', which is not a number"),
        (0, 1),
        (0, "line 4: it has 3 columns, not 13"),
        (0.02, 1),
        (0.03, 0),
        (0.03, "line 7: it has 1 columns, not 13"),
    ]


async def test_binary_noise_in_the_middle_is_one_error(
    path: Path, autojump_clock: MockClock
) -> None:
    """However long it is, the rows behind it are played."""
    rows = as_csv(records(1, 2, 3)).encode().splitlines(keepends=True)
    path.write_bytes(rows[0] + rows[1] + rows[2] + b"\xff" * 100_000 + b"\n" + rows[3])
    found = await play(Replay(Options(str(path))))
    assert [type(taken) for _, taken in found] == [Sample, Sample, str, Sample]


async def test_each_bad_row_between_good_ones_is_an_error(
    path: Path, autojump_clock: MockClock
) -> None:
    """However many there are: only those in a row are bounded."""
    header, *rows = as_csv(records(*range(1, 31))).splitlines()
    rows[1::2] = ["~"] * 15
    path.write_text("\n".join([header, *rows, ""]))
    found = [taken for _, taken in await play(Replay(Options(str(path))))]
    assert [type(taken) for taken in found] == [Sample, str] * 15
    assert facts(found[2::2]) == [(Flag.DEVICE_GAP, 1)] * 14


async def test_bad_rows_are_counted_before_the_ledger_is_there(
    path: Path, autojump_clock: MockClock
) -> None:
    """They are added when it comes."""
    header, *rows = as_csv(records(*range(1, 31))).splitlines()
    path.write_text("\n".join([header, *["~"] * (MAX_ERRORS + 4), *rows, ""]))
    player = Replay(Options(str(path)))
    for _ in range(MAX_ERRORS):
        with pytest.raises(DeviceError):
            await player.read()
    await player.read()
    ledger = {"device_errors": 5}
    player.count_in(ledger)
    assert ledger == {"device_errors": 5 + 4}


async def test_many_bad_rows_in_a_row_do_not_hold_up_the_rest(
    path: Path, autojump_clock: MockClock
) -> None:
    """The producer would sleep after each: they are counted without an error of their own."""
    bad = 1000
    first, *rows = as_csv(records(*range(1, 1200), 1200 + bad, 1201 + bad)).splitlines(
        keepends=True
    )
    path.write_text("".join([first, *rows[:-2], "~\n" * bad, *rows[-2:]]))
    player = Replay(Options(str(path)))
    errors = 0
    ledger = {"device_errors": 5}
    for _ in rows[:-2]:
        await player.read()
    player.count_in(ledger)
    with trio.fail_after(bad * PERIOD_NS / 1e9 + 1):
        while True:
            try:
                [taken] = await player.read()
                break
            except DeviceError:
                errors += 1
    assert errors == MAX_ERRORS
    assert ledger["device_errors"] == 5 + bad - MAX_ERRORS
    assert facts([taken]) == [(Flag.DEVICE_GAP, bad)]
    assert facts(await player.read()) == [(0, 0)]


async def test_a_cancelled_read_loses_nothing(path: Path, autojump_clock: MockClock) -> None:
    """The next read plays the same row, with the same gap, at the same time."""
    path.write_text(as_csv(records(1, 360_000, 360_001)))
    player = Replay(Options(str(path)))
    await player.read()
    for _ in range(3):
        with trio.move_on_after(1):
            await player.read()
    [taken] = await player.read()
    assert facts([taken]) == [(Flag.DEVICE_GAP, 359_998)]
    assert trio.current_time() == pytest.approx(MAX_PAUSE_S)


@pytest.mark.parametrize("written", [as_csv, as_ndjson, as_json, as_events])
@pytest.mark.parametrize("cut", [1, 2, 20, 150])
async def test_a_cut_end_is_a_bad_row_and_no_wrong_number(
    path: Path, written: Writer, cut: int, autojump_clock: MockClock
) -> None:
    """Wherever the file was cut, each sample that is played is one of the recording."""
    recorded = records(1, 2, 3)
    path.write_text(written(recorded)[:-cut])
    samples = [taken for _, taken in await play(Replay(Options(str(path))))]
    assert len(samples) >= 2
    for record, taken in zip(recorded, samples, strict=False):
        if isinstance(taken, Sample):
            assert taken[1:8] == pytest.approx(record[3:10], rel=6e-7)


async def test_a_number_at_the_cut_end_is_not_trusted(
    path: Path, autojump_clock: MockClock
) -> None:
    """Where the last column is a number, nobody can see whether it is whole."""
    cells = [line.split(",") for line in as_csv(records(1, 2, 3)).splitlines()]
    rows = [",".join([row[10], *row[:10]]) for row in cells]
    assert rows[0].startswith("flags,seq,")
    assert rows[0].endswith(",temp")
    path.write_text("\n".join(rows)[:-1])
    found = await play(Replay(Options(str(path))))
    assert found[-1][1] == f"{path}: line 4: its end is missing: the last number may be cut"
    assert len(found) == 3


async def test_the_end_is_logged_with_what_could_not_be_read(
    path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """One line: how many samples were played, and how many rows were not."""
    path.write_text(as_csv(records(1, 2, 3)) + "~\n")
    with caplog.at_level(logging.INFO):
        await play(Replay(Options(str(path))))
    assert caplog.messages == [f"replay:{path}: samples played: 3, rows that could not be read: 1"]


async def test_a_comma_in_the_name_may_be_a_mistaken_option(tmp_path: Path) -> None:
    """The message shows which options there are."""
    with pytest.raises(UsageError, match=r"can't read the recording .*'lop' is to be an option"):
        Replay(parse_options(f"{tmp_path}/a.csv,lop"))


@pytest.mark.parametrize(
    ("times", "period_ns"),
    [
        ([5], 10**9),  # nothing is known of a single sample's period
        ([0, 10, 20, 1000, 1010], 10**7),
        ([0, 2, 4], 2 * 10**6),
        ([0, 0.05, 0.1], recording.MIN_PERIOD_NS),
    ],
)
async def test_the_period_is_the_usual_step(path: Path, times: list[float], period_ns: int) -> None:
    """The median of the steps at the beginning, but never none."""
    recorded = [
        Record.of(seq, 0, sample(seq, 10**9 + round(t_ms * 10**6)))
        for seq, t_ms in enumerate(times)
    ]
    path.write_text(as_csv(recorded))
    assert Replay(Options(str(path))).period_ns == period_ns


async def test_a_disk_that_fails_in_the_middle_ends_the_recording(
    path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """The failure is told like any other of a device, and then there is no more to come."""

    def lines(_: object) -> Iterator[Line]:
        yield from (Line(number, row) for number, row in enumerate(rows, 1))
        raise OSError(5, "Input/output error")

    rows = as_csv(records(*range(1, recording.PERIOD_ROWS + 1))).splitlines()
    path.write_text("not read")
    monkeypatch.setattr(Text, "lines", lines)
    found = await play(Replay(Options(str(path))))
    assert len(found) == recording.PERIOD_ROWS + 1
    assert found[-1][1] == f"can't read replay:{path}: Input/output error"
