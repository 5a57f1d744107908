"""Playing a recording back, in virtual time."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.helpers.fake_devices import one_line, sample
from trio_mpu.errors import DeviceError, EndOfReplay, UsageError
from trio_mpu.formats import COLUMNS, Origin, row_csv, row_json
from trio_mpu.record import Record
from trio_mpu.sample import MAX_LOST, Flag, Sample
from trio_mpu.sensors import replay
from trio_mpu.sensors.replay import MAX_PAUSE_S, Replay

ORIGIN = Origin(1, "/dev/mpu6050")
PERIOD_NS = 10**7
Writer = Callable[[list[Record]], str]


def records(*seqs: int) -> list[Record]:
    """What a sensor gave, one record each period; the numbers that are left out are missing."""
    return [
        Record.of(seq, 10**18 + seq, sample(seq % 1000, 10**12 + seq * PERIOD_NS)) for seq in seqs
    ]


def as_csv(recorded: list[Record]) -> str:
    """What /history?format=csv answers."""
    return "\n".join([",".join(COLUMNS), *(row_csv(record, ORIGIN) for record in recorded), ""])


def as_ndjson(recorded: list[Record]) -> str:
    """What /history?format=ndjson answers."""
    return "".join(row_json(record, ORIGIN) + "\n" for record in recorded)


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


async def samples_of(path: Path, text: str) -> list[Sample]:
    """The samples of a recording that has this text."""
    path.write_text(text)
    return [taken for _, taken in await play(Replay(str(path))) if isinstance(taken, Sample)]


@pytest.mark.parametrize("written", [as_csv, as_ndjson])
async def test_a_recording_is_played_at_its_pace(
    path: Path, written: Writer, autojump_clock: MockClock
) -> None:
    """The same values in the same order, each as long after the one before as it was measured,
    the first at once; they are of now."""
    recorded = records(1, 2, 3, 5, 6)
    path.write_text(written(recorded))
    player = Replay(str(path))
    assert (player.source, player.period_ns, player.paced) == (f"replay:{path}", PERIOD_NS, True)
    before_ns = time.monotonic_ns()
    found = await play(player)
    assert [at for at, _ in found] == [0, 0.01, 0.02, 0.04, 0.05]
    for record, (_, taken) in zip(recorded, found, strict=True):
        assert isinstance(taken, Sample)
        assert taken[1:8] == pytest.approx(record[3:10], rel=6e-7)
        assert before_ns <= taken.t_ns <= time.monotonic_ns()
    with pytest.raises(EndOfReplay, match="played to its end"):
        await player.read()


@pytest.mark.parametrize("written", [as_csv, as_ndjson])
async def test_flags_and_gaps_are_told_again(
    path: Path, written: Writer, autojump_clock: MockClock
) -> None:
    """What the producer noted in the recording comes again, and so do the numbers that the
    recording lacks."""
    recorded = records(7, 8, 9, 13, 14)
    recorded[0] = recorded[0]._replace(flags=Flag.SIMULATED | Flag.RESTART_GAP, lost=5)
    recorded[2] = recorded[2]._replace(flags=Flag.DEVICE_GAP, lost=2)
    recorded[4] = recorded[4]._replace(flags=Flag.SIMULATED)
    found = await samples_of(path, written(recorded))
    assert [(taken.flags, taken.lost) for taken in found] == [
        (Flag.SIMULATED | Flag.RESTART_GAP, 5),
        (0, 0),
        (Flag.DEVICE_GAP, 2),
        (Flag.DEVICE_GAP, 3),
        (Flag.SIMULATED, 0),
    ]


async def test_a_gap_adds_to_what_was_noted(path: Path, autojump_clock: MockClock) -> None:
    """Missing numbers and a noted loss before the same sample are one gap, within its 32 bits."""
    recorded = records(1, 4, 5)
    recorded[1] = recorded[1]._replace(flags=Flag.RESTART_GAP, lost=10)
    recorded[2] = recorded[2]._replace(seq=2**63)
    found = await samples_of(path, as_csv(recorded))
    assert [(taken.flags, taken.lost) for taken in found] == [
        (0, 0),
        (Flag.RESTART_GAP | Flag.DEVICE_GAP, 12),
        (Flag.DEVICE_GAP, MAX_LOST),
    ]


async def test_a_long_pause_is_shortened(path: Path, autojump_clock: MockClock) -> None:
    """Nobody waits for an hour in which nothing was recorded."""
    path.write_text(as_csv(records(1, 2, 360_000, 360_001)))
    assert [at for at, _ in await play(Replay(str(path)))] == [0, 0.01, 5.01, 5.02]
    assert MAX_PAUSE_S == 5


async def test_two_recordings_in_one_file_are_played_one_after_the_other(
    path: Path, autojump_clock: MockClock
) -> None:
    """Numbers and times that go back are no gap and no pause; a header in the middle is passed
    over."""
    found = await samples_of(path, as_csv(records(8, 9)) + as_csv(records(1, 2)))
    assert [(taken.flags, taken.lost) for taken in found] == [(0, 0)] * 4
    assert trio.current_time() == pytest.approx(0.02)


async def test_bad_rows_are_told_and_passed_over(path: Path, autojump_clock: MockClock) -> None:
    """A row that holds no sample is one error, and what it held is missing, once; the pace is
    kept."""
    rows = as_csv(records(1, 2, 3, 4, 5)).splitlines()
    rows[2] = rows[2][:20]
    rows[4] = rows[4].replace(",", ";")
    path.write_text("\n".join([*rows, "\0\0\0", ""]))
    found = await play(Replay(str(path)))
    assert [
        (at, taken.lost if isinstance(taken, Sample) else taken.split(" in ")[0])
        for at, taken in found
    ] == [
        (0, 0),
        (0, "no sample"),
        (0.02, 1),
        (0.02, "no sample"),
        (0.04, 1),
        (0.04, "no sample"),
    ]


async def test_binary_noise_in_the_middle_is_a_bounded_number_of_errors(
    path: Path, autojump_clock: MockClock
) -> None:
    """Bytes without a line end are taken in pieces, and the rows behind them are played."""
    rows = as_csv(records(1, 2, 3)).encode().splitlines(keepends=True)
    path.write_bytes(rows[0] + rows[1] + rows[2] + b"\xff" * 100_000 + b"\n" + rows[3])
    found = await play(Replay(str(path)))
    assert len([1 for _, taken in found if isinstance(taken, Sample)]) == 3
    assert len(found) == 3 + 25


async def test_line_ends_and_empty_lines_do_not_matter(
    path: Path, autojump_clock: MockClock
) -> None:
    """A recording that went through another system's editor is one still."""
    text = as_csv(records(1, 2)).replace("\n", "\r\n\r\n").removesuffix("\r\n\r\n")
    path.write_bytes(text.encode())
    assert len(await play(Replay(str(path)))) == 2


@pytest.mark.parametrize(
    ("times", "period_ns"),
    [
        ([5], 10**9),  # nothing is known of a single sample's period
        ([0, 10, 20, 1000, 1010], 10**7),
        ([0, 2, 4], 2 * 10**6),
        ([0, 0, 0], replay.MIN_PERIOD_NS),
        ([9, 6, 3], replay.MIN_PERIOD_NS),
    ],
)
async def test_the_period_is_the_usual_step(path: Path, times: list[int], period_ns: int) -> None:
    """The median of the steps at the beginning, but never none."""
    recorded = [
        Record.of(seq, 0, sample(seq, 10**9 + t_ms * 10**6)) for seq, t_ms in enumerate(times)
    ]
    path.write_text(as_csv(recorded))
    assert Replay(str(path)).period_ns == period_ns


# -- what is no recording -----------------------------------------------------------------------


def refusal(path: Path) -> str:
    """Why it can't be played: one line with its name."""
    with pytest.raises(UsageError) as caught:
        Replay(str(path))
    message = one_line(caught.value)
    assert str(path) in message
    return message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is no recording: it is empty"),
        (b"\n\n", "is no recording: it is empty"),
        (",".join(COLUMNS).encode(), "is no recording: it is empty"),
        (b"#!/bin/sh\nexit\n", "is no recording: no sample in 'exit'"),
        (bytes(range(256)) * 50, "is no recording: no sample in"),
        (b"\0" * 10**6, "is no recording: no sample in"),
        (b"[" * 10**5, "is no recording: no sample in"),
        (b"{" * 10**5, "is no recording: no sample in"),
        (b"1,2,3,4,5,6,7,8,9,200,,0,x\n", "is no recording: temp = 200"),
    ],
)
async def test_a_file_without_samples_is_refused_at_once(
    path: Path, content: bytes, reason: str
) -> None:
    """Before anything is started, and with what was found instead."""
    path.write_bytes(content)
    assert reason in refusal(path)


async def test_what_can_not_be_read_is_refused_with_the_reason(path: Path) -> None:
    """A missing file, a directory and a pipe, on which the producer would wait for ever."""
    assert "No such file or directory" in refusal(path)
    path.mkdir()
    assert "not a plain file" in refusal(path)
    pipe = path / "pipe"
    os.mkfifo(pipe)
    assert "not a plain file" in refusal(pipe)


async def test_a_disk_that_fails_in_the_middle_ends_the_recording(
    path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """The failure is told like any other of a device, and then there is no more to come."""

    def lines(_: str) -> Iterator[str]:
        yield from (row_csv(record, ORIGIN) for record in records(*range(replay.PERIOD_ROWS)))
        raise OSError(5, "Input/output error")

    path.touch()
    monkeypatch.setattr(replay, "_lines", lines)
    found = await play(Replay(str(path)))
    assert len(found) == replay.PERIOD_ROWS + 1
    assert found[-1][1] == f"can't read replay:{path}: Input/output error"
