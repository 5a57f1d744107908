"""Playing a part of a text, by its time."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.helpers.fake_devices import number, one_line
from tests.helpers.recordings import as_csv, as_events, as_json, as_ndjson, records
from tests.sensors.replay.test_device import facts, play
from trio_mpu.errors import EndOfReplay, UsageError
from trio_mpu.formats import Notation
from trio_mpu.iso_time import iso
from trio_mpu.record import Record
from trio_mpu.sample import Flag, Sample
from trio_mpu.sensors.replay import device
from trio_mpu.sensors.replay.device import Replay
from trio_mpu.sensors.replay.options import parse_options

Writer = Callable[[list[Record]], str]
FORMS = [
    as_csv,
    as_ndjson,
    as_json,
    as_events,
    lambda recorded: as_csv(recorded, notation=Notation(iso=True, si=True)),
    lambda recorded: as_ndjson(recorded, notation=Notation(iso=True)),
]


def at(seq: int, beyond_us: int = 0) -> str:
    """The time of a sample of `records`, as an option has it."""
    return iso((1_700_000_000_000_123_000 + seq * 10**7) // 1000 + beyond_us)


async def played(path: Path, text: str | bytes, options: str) -> list[Sample | str]:
    """What comes of a recording, its errors too."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [taken for _, taken in await play(Replay(parse_options(f"{path}{options}")))]


def numbers(found: list[Sample | str]) -> list[int]:
    """Which samples these are."""
    return [number(taken.ax) for taken in found if isinstance(taken, Sample)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the recording is."""
    return tmp_path / "recording"


@pytest.mark.parametrize("written", FORMS)
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (f",from={at(4)}", [4, 5, 8, 9]),
        (f",from={at(4, 1)}", [5, 8, 9]),
        (f",to={at(4)}", [1, 2, 3]),
        (f",to={at(4, 1)}", [1, 2, 3, 4]),
        (f",from={at(3)},to={at(8, 1)}", [3, 4, 5, 8]),
        (",from=1700000000.040123,to=1700000000.050123", [4]),
        (",from=2023-11-14,to=2023-11-15", [1, 2, 3, 4, 5, 8, 9]),
    ],
)
async def test_the_samples_of_a_time_are_played(
    path: Path, written: Writer, options: str, expected: list[int], autojump_clock: MockClock
) -> None:
    """From the first time on, without the second, in each form; with the gaps between them."""
    found = await played(path, written(records(1, 2, 3, 4, 5, 8, 9)), options)
    assert numbers(found) == expected
    lost = {8: (Flag.DEVICE_GAP, 2)}
    assert facts(found) == [
        lost.get(seq, (0, 0)) if n else (0, 0) for n, seq in enumerate(expected)
    ]


async def test_nothing_is_waited_for_before_the_first(
    path: Path, autojump_clock: MockClock
) -> None:
    """However many rows there are before it: other tasks have their turn between them."""
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    path.write_text(as_csv(records(*range(1, 5000))))
    player = Replay(parse_options(f"{path},from={at(4990)}"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(count_turns)
        [taken] = await player.read()
        nursery.cancel_scope.cancel()
    assert number(taken.ax) == 990
    assert trio.current_time() == 0
    assert turns >= 4989 // device.SKIPPED_A_STEP - 2


async def test_each_round_of_a_loop_plays_the_same(path: Path, autojump_clock: MockClock) -> None:
    """With a seam between them, and none where rows are left out before and after."""
    path.write_text(as_csv(records(*range(1, 10))))
    player = Replay(parse_options(f"{path},from={at(4)},to={at(6)},loop"))
    samples = [(await player.read())[0] for _ in range(5)]
    assert [number(taken.ax) for taken in samples] == [4, 5, 4, 5, 4]
    assert facts(samples) == [(0, 0), (0, 0), (Flag.DEVICE_GAP, 0), (0, 0), (Flag.DEVICE_GAP, 0)]


async def test_a_time_without_a_sample_is_said(path: Path, autojump_clock: MockClock) -> None:
    """With the times for which there are some; also in a loop."""
    path.write_text(as_csv(records(*range(1, 10))))
    for options in (",from=2024-01-01", ",to=2023-01-01,loop", f",from={at(1, 1)},to={at(2)}"):
        player = Replay(parse_options(f"{path}{options}"))
        with pytest.raises(EndOfReplay) as caught:
            await player.read()
        assert one_line(caught.value) == (
            f"{player.source} has no sample in this time: its samples are from {at(1)} to {at(9)}"
        )


async def test_a_bad_row_belongs_to_the_row_before_it(
    path: Path, autojump_clock: MockClock
) -> None:
    """Those outside are no errors; those within are missing."""
    rows = as_csv(records(*range(1, 10))).splitlines()
    for place in (2, 5, 8):
        rows[place] = "~"
    found = await played(path, "\n".join([*rows, ""]), f",from={at(4)},to={at(7)}")
    assert found[1] == f"{path}: line 6: it has 1 columns, not 13"
    assert (numbers(found), len(found)) == ([4, 6], 3)
    assert facts([found[2]]) == [(Flag.DEVICE_GAP, 1)]
    without_a_time = as_ndjson(records(1, 2, 3)).replace('"time":1700000000.020123,', "")
    found = await played(path, without_a_time, f",from={at(1)}")
    assert found[1] == f"{path}: line 2: it has no time"
    assert numbers(found) == [1, 3]
    found = await played(path, "~\n" + as_ndjson(records(1, 2)), f",to={at(3)}")
    assert [type(each) for each in found] == [str, Sample, Sample]


async def test_rows_left_out_in_between_are_a_seam(path: Path, autojump_clock: MockClock) -> None:
    """The clock was set for a while: nobody asked for these, so they are not missing."""
    recorded = records(*range(1, 41))
    recorded[3:6] = [each._replace(time_ns=5 * 10**9 + each.seq) for each in recorded[3:6]]
    found = await played(path, as_csv(recorded), ",from=2023-01-01")
    assert numbers(found) == [1, 2, 3, *range(7, 41)]
    assert facts(found) == [(0, 0)] * 3 + [(Flag.DEVICE_GAP, 0)] + [(0, 0)] * 33


async def test_the_bad_end_of_compressed_data_is_within_or_not(
    path: Path, autojump_clock: MockClock
) -> None:
    """As the last row that could be read."""
    packed = gzip.compress(as_csv(records(1, 2, 3)).encode())[:-4]
    assert len(await played(path, packed, f",from={at(2)}")) == 3
    assert len(await played(path, packed, f",to={at(2)}")) == 1


@pytest.mark.parametrize(
    "changed",
    [
        lambda cells: [*cells[:1], *cells[2:]],
        lambda cells: [cells[0], cells[1] if cells[1] == "time" else "1700000000", *cells[2:]],
        lambda cells: [cells[0], cells[1] if cells[1] == "time" else "1.7E+09", *cells[2:]],
        lambda cells: [cells[0], cells[1] if cells[1] == "time" else "", *cells[2:]],
    ],
)
async def test_a_recording_without_times_of_day_is_refused(
    path: Path, changed: Callable[[list[str]], list[str]]
) -> None:
    """Also one whose times were rounded: nothing is guessed. All of it can be played."""
    text = as_csv(records(*range(1, 10)))
    path.write_text("".join(",".join(changed(row.split(","))) + "\n" for row in text.splitlines()))
    for options in (",from=0", ",to=2030-01-01"):
        with pytest.raises(UsageError) as caught:
            Replay(parse_options(f"{path}{options}"))
        assert one_line(caught.value) == (
            f"{path} is no recording: it has no column time with times that rise: from= and to= "
            "need it"
        )
    Replay(parse_options(str(path)))
