"""Playing a recorder's file: sessions, gaps, damage, and a recorder beside it."""

import contextlib
import gzip
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.helpers.fake_devices import one_line
from tests.helpers.fakes import make_record
from tests.sensors.replay.test_device import facts, play
from tests.store.test_chunk import MS, ORIGIN, cut
from tests.store.test_database import opened, path
from trio_mpu.errors import DeviceError, EndOfReplay, UsageError
from trio_mpu.record import Record
from trio_mpu.sample import Flag, Gap, Sample
from trio_mpu.sensors.replay.device import MAX_ERRORS, ROWS_A_THREAD, Replay
from trio_mpu.sensors.replay.options import parse_options
from trio_mpu.store import archive
from trio_mpu.store.chunk import Origin, decode
from trio_mpu.store.database import Database

__all__ = ["path"]

PERIOD_NS = 10 * MS
LIVE = ORIGIN._replace(source="i2c:1", chip="MPU-6050, ±2 g", calibration="c1")
CALIBRATED = LIVE._replace(calibration="c2", period_ns=20 * MS)
OTHER = ORIGIN._replace(generation="00000000000000aa")


def timed(first: int, count: int, start_s: float, t_s: float | None = None) -> list[Record]:
    """Records whose first has this time, and this monotonic one."""
    start_ns, t_ns = round(start_s * 1e9), round((start_s if t_s is None else t_s) * 1e9)
    return [
        make_record(first + n, time_ns=start_ns + n * PERIOD_NS, t_ns=t_ns + n * PERIOD_NS)
        for n in range(count)
    ]


def store(
    database: Database, records: list[Record], origin: Origin = LIVE, gap: Gap | None = None
) -> None:
    """Let the recorder write them."""
    database.store([chunk._replace(origin=origin) for chunk in cut(records, gap)])


async def played(path: str, options: str = "") -> list[Sample | str]:
    """What comes of a file, its errors too."""
    player = Replay(parse_options(f"{path}{options}"))
    found = [taken for _, taken in await play(player)]
    await player.aclose()
    return found


def gaps(found: list[Sample | str]) -> dict[int, tuple[int, int]]:
    """The flags and losses of the samples that have some, by their place."""
    return {n: each for n, each in enumerate(facts(found)) if each != (0, 0)}


@pytest.fixture
def database(path: str) -> Iterator[Database]:
    """The recorder's end of the file."""
    with opened(path) as database:
        yield database


async def test_a_store_is_played_at_its_pace(
    path: str, database: Database, autojump_clock: MockClock
) -> None:
    """Each value to the bit and each step of time to the nanosecond, over many chunks."""
    records = timed(1, 1000, 1000)
    records = [
        each._replace(t_ns=each.t_ns + each.seq % 7, ax=each.seq / 1024, gz=-each.seq / 512)
        for each in records
    ]
    store(database, records)
    player = Replay(parse_options(path))
    assert (player.source, player.period_ns, player.paced) == (f"replay:{path}", PERIOD_NS, True)
    assert (player.chip, player.calibration) == ("recorded from i2c:1 (MPU-6050, ±2 g)", "c1")
    assert player.identity == ""
    found = await play(player)
    samples = [taken for _, taken in found if isinstance(taken, Sample)]
    assert [taken[1:8] for taken in samples] == [each[3:10] for each in records]
    begun = {taken.t_ns - each.t_ns for taken, each in zip(samples, records, strict=True)}
    assert len(begun) == 1
    assert found[-1][0] == pytest.approx(9.99)
    with pytest.raises(EndOfReplay):
        await player.read()


async def test_gaps_are_those_of_the_numbers_and_of_the_samples(
    path: str, database: Database, autojump_clock: MockClock
) -> None:
    """Whoever has noted them, each is counted once; a new session alone is no gap."""
    store(database, timed(1, 200, 1000))
    later = timed(301, 100, 1003)
    later[50] = later[50]._replace(flags=Flag.DEVICE_GAP, lost=7)
    store(database, later, gap=Gap(200, 301, 100, "lapped"))
    store(database, timed(411, 100, 1004.1), gap=Gap(400, 411, 10, "store"))
    both = timed(521, 100, 1005.2)
    both[0] = both[0]._replace(flags=Flag.RESTART_GAP, lost=5)
    store(database, both, gap=Gap(510, 521, 10, "lapped"))
    store(database, timed(621, 100, 1006.2), CALIBRATED)
    found = await played(path)
    assert len(found) == 600
    assert gaps(found) == {
        200: (Flag.DEVICE_GAP, 100),
        250: (Flag.DEVICE_GAP, 7),
        300: (Flag.DEVICE_GAP, 10),
        400: (Flag.DEVICE_GAP | Flag.RESTART_GAP, 15),
    }


async def test_another_ring_is_a_seam(
    path: str, database: Database, autojump_clock: MockClock
) -> None:
    """Nobody knows how much is missing; after a restart of the computer it is one period long."""
    store(database, timed(1, 100, 1000, 500))
    store(database, timed(101, 100, 2000, 3), OTHER, Gap(0, 101, None, "restart"))
    found = await played(path)
    assert gaps(found) == {100: (Flag.DEVICE_GAP, 0)}
    assert trio.current_time() == pytest.approx(1.99)


async def test_the_clock_that_was_set_is_no_gap(
    path: str, database: Database, autojump_clock: MockClock
) -> None:
    """And no flag: it is not set now."""
    store(database, timed(1, 100, 1000, 3))
    later = timed(101, 100, 5000, 4)
    later[0] = later[0]._replace(flags=Flag.CLOCK_STEP)
    store(database, later)
    assert gaps(await played(path)) == {}
    assert trio.current_time() == pytest.approx(1.99)
    # All is found by the clock as it was set last: the first sample was at 4999 s.
    assert len(await played(path, ",from=4999.5,to=5000.1")) == 60


@pytest.mark.parametrize(
    ("options", "first", "count"),
    [
        (",from=1001", 101, 300),
        (",from=1001.005,to=1001.025", 102, 2),
        (",to=1000.01", 1, 1),
        (",from=1002.99,to=1003.01", 300, 2),
        (",from=1970-01-01T00:16:43Z,to=1970-01-01 01:16:44+01:00", 301, 100),
    ],
)
async def test_a_part_is_played(
    path: str,
    database: Database,
    options: str,
    first: int,
    count: int,
    autojump_clock: MockClock,
) -> None:
    """Also across sessions; what is before it is not missing."""
    store(database, timed(1, 300, 1000))
    store(database, timed(301, 100, 1003), CALIBRATED)
    records = [*timed(1, 300, 1000), *timed(301, 100, 1003)][first - 1 :][:count]
    found = await played(path, options)
    assert [taken[1:8] for taken in found if isinstance(taken, Sample)] == [
        each[3:10] for each in records
    ]
    assert gaps(found) == {}
    if first > 300:
        player = Replay(parse_options(f"{path}{options}"))
        assert (player.calibration, player.period_ns) == ("c2", 20 * MS)


async def test_what_the_device_says_follows_the_sessions(
    path: str, database: Database, autojump_clock: MockClock
) -> None:
    """From the first sample of each on, divided by the speed, and again in each round."""
    store(database, timed(1, 2, 1000))
    store(database, timed(3, 2, 1000.02), CALIBRATED)
    store(database, timed(1, 1, 2000), OTHER)
    player = Replay(parse_options(f"{path},loop,speed=2"))
    told = []
    for _ in range(7):
        await player.read()
        told.append((player.calibration, player.period_ns, player.chip))
    first = ("c1", 5 * MS, "recorded from i2c:1 (MPU-6050, ±2 g)")
    second = ("c2", 10 * MS, first[2])
    third = ("", 5 * MS, "recorded from test")
    assert told == [first, first, second, second, third, first, first]
    await player.aclose()


async def test_what_can_not_be_shown_is_left_out(
    path: str, database: Database, autojump_clock: MockClock
) -> None:
    """A source that another program has written could be anything."""
    store(database, timed(1, 2, 1000), ORIGIN._replace(source="a\x1b[2Jb"))
    assert Replay(parse_options(path)).chip == ""


async def test_damaged_chunks_are_missing(
    path: str, database: Database, autojump_clock: MockClock
) -> None:
    """One error each; their samples are counted once, also at the beginning and at a seam."""
    store(database, timed(1, 450, 1000))
    store(database, timed(1, 300, 2000), OTHER)
    for chunk_id in (1, 3, 4):
        database._execute("UPDATE chunks SET data = x'00' WHERE id = ?", (chunk_id,))
    found = await played(path)
    errors = [each for each in found if isinstance(each, str)]
    assert errors == [
        f"{path}: the chunk from sample 1 on is damaged",
        f"{path}: the chunk from sample 301 on is damaged",
        f"{path}: the chunk from sample 1 on is damaged",
    ]
    samples = [each for each in found if isinstance(each, Sample)]
    assert len(samples) == 300
    assert gaps(list(samples)) == {0: (Flag.DEVICE_GAP, 150), 150: (Flag.DEVICE_GAP, 300)}


async def test_a_damaged_chunk_between_others_is_counted_once(
    path: str, database: Database, autojump_clock: MockClock
) -> None:
    """By the numbers, which say the same."""
    store(database, timed(1, 450, 1000))
    database._execute("UPDATE chunks SET data = x'00' WHERE id = 2")
    found = await played(path)
    assert gaps([each for each in found if isinstance(each, Sample)]) == {
        150: (Flag.DEVICE_GAP, 150)
    }


async def test_a_part_may_begin_and_end_in_damaged_chunks(
    path: str, database: Database, autojump_clock: MockClock
) -> None:
    """Of which as much is counted as is within its bounds, by their times."""
    store(database, timed(1, 450, 1000))
    database._execute("UPDATE chunks SET data = x'00' WHERE id IN (1, 3)")
    player = Replay(parse_options(f"{path},from=1001,to=1004"))
    found = [taken for _, taken in await play(player)]
    errors = [each for each in found if isinstance(each, str)]
    assert errors == [f"{path}: the chunk from sample {first} on is damaged" for first in (1, 301)]
    samples = [each for each in found if isinstance(each, Sample)]
    assert len(samples) == 150
    assert gaps(list(samples)) == {0: (Flag.DEVICE_GAP, 50)}


async def test_a_value_that_no_chip_gives_is_a_bad_row(
    path: str, database: Database, autojump_clock: MockClock
) -> None:
    """As in a text."""
    records = timed(1, 3, 1000)
    records[1] = records[1]._replace(az=99.0)
    store(database, records)
    found = await played(path)
    assert found[1] == f"{path}: sample 2: az = 99 is outside the range -16 to 16"
    assert gaps([found[0], found[2]]) == {1: (Flag.DEVICE_GAP, 1)}


async def test_a_store_that_is_recorded_meanwhile_plays_what_there_was(
    path: str, database: Database, autojump_clock: MockClock
) -> None:
    """Each round of a loop has what was in the file when it began."""
    store(database, timed(1, 100, 1000))
    player = Replay(parse_options(f"{path},loop"))
    await player.read()
    store(database, timed(101, 100, 1001))
    first_round = [(await player.read())[0] for _ in range(99)]
    assert gaps(list(first_round)) == {}
    second_round = [(await player.read())[0] for _ in range(200)]
    assert gaps(list(second_round)) == {0: (Flag.DEVICE_GAP, 0)}
    await player.aclose()


async def test_a_single_sample_is_played_in_a_loop(
    path: str, database: Database, autojump_clock: MockClock
) -> None:
    """It begins another round, and is no repetition."""
    store(database, timed(1, 3, 1000))
    player = Replay(parse_options(f"{path},from=1000.01,to=1000.02,loop"))
    samples = [(await player.read())[0] for _ in range(3)]
    assert gaps(list(samples)) == {1: (Flag.DEVICE_GAP, 0), 2: (Flag.DEVICE_GAP, 0)}
    assert trio.current_time() == pytest.approx(0.02)
    await player.aclose()


async def test_what_is_deleted_before_its_turn_is_missing(
    path: str, database: Database, autojump_clock: MockClock
) -> None:
    """The recorder keeps its bounds while the file is played."""
    store(database, timed(1, 900, 1000))
    player = Replay(parse_options(path))
    samples = [(await player.read())[0] for _ in range(10)]
    database._execute("DELETE FROM chunks WHERE id <= 3")
    rest = [taken for _, taken in await play(player)]
    assert len(rest) == 140 + 450
    assert gaps([*samples, *rest]) == {150: (Flag.DEVICE_GAP, 300)}
    player = Replay(parse_options(path))
    await player.read()
    database._execute("DELETE FROM chunks")
    assert len(await play(player)) == 149


async def test_a_file_that_vanishes_ends_a_loop(
    path: str, database: Database, autojump_clock: MockClock
) -> None:
    """In one line."""
    store(database, timed(1, 2, 1000))
    player = Replay(parse_options(f"{path},loop"))
    await player.read()
    await player.read()
    for file in Path(path).parent.iterdir():
        file.rename(f"{file}.old")
    with pytest.raises(DeviceError) as caught:
        await player.read()
    assert one_line(caught.value) == f"can't read {path}: No such file or directory"
    with pytest.raises(EndOfReplay):
        await player.read()


async def test_a_long_store_is_read_little_by_little(
    path: str, database: Database, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """At the start no chunk, then one at a time, in a thread: the loop has other tasks."""
    store(database, timed(1, 150 * 200, 1000))
    decoded: list[tuple[int, bool]] = []

    def counted(data: bytes, first: int, count: int) -> list[Record]:
        decoded.append((first, threading.current_thread() is threading.main_thread()))
        return decode(data, first, count)

    monkeypatch.setattr(archive, "decode", counted)
    player = Replay(parse_options(path))
    assert decoded == []
    for _ in range(ROWS_A_THREAD):
        await player.read()
    assert decoded == [(1, False)]
    await player.aclose()
    player = Replay(parse_options(f"{path},from=1200"))
    assert len(decoded) == 2
    await player.read()
    assert decoded[-1] == (20_001 - 20_000 % 150, False)
    assert len(decoded) == 4
    await player.aclose()


async def test_many_damaged_chunks_do_not_hold_up_the_rest(
    path: str, database: Database, autojump_clock: MockClock
) -> None:
    """Few errors are raised, all are counted."""
    store(database, timed(1, 150 * 30, 1000))
    database._execute("UPDATE chunks SET data = x'00' WHERE id <= 29")
    player = Replay(parse_options(path))
    found = [taken for _, taken in await play(player)]
    assert len([each for each in found if isinstance(each, str)]) == MAX_ERRORS
    assert player.ledger["device_errors"] == 29 - MAX_ERRORS
    assert facts(found[MAX_ERRORS:])[0] == (Flag.DEVICE_GAP, 29 * 150)


async def test_a_cancelled_read_loses_nothing(path: str, database: Database) -> None:
    """Neither in the thread nor while it waits."""
    store(database, [each._replace(t_ns=each.seq * MS // 10) for each in timed(1, 300, 1000)])
    player = Replay(parse_options(path))
    samples = list[Sample]()
    while len(samples) < 300:
        with trio.move_on_after(0.0002):
            samples += await player.read()
    assert [taken[1:8] for taken in samples] == [each[3:10] for each in timed(1, 300, 1000)]
    await player.aclose()


def refusal(path: str | Path, options: str = "") -> str:
    """Why it can't be played."""
    with pytest.raises(UsageError) as caught:
        Replay(parse_options(f"{path}{options}"))
    return one_line(caught.value)


async def test_a_time_without_a_sample_is_refused_at_the_start(
    path: str, database: Database
) -> None:
    """With the times for which there are some, by the clock as it was set last."""
    store(database, timed(1, 100, 1000, 3))
    later = timed(101, 100, 5000, 4)
    later[0] = later[0]._replace(flags=Flag.CLOCK_STEP)
    store(database, later)
    reason = (
        f"{path} is no recording: it has no sample in this time: its samples are from "
        "1970-01-01T01:23:19.000000Z to 1970-01-01T01:23:20.990000Z"
    )
    assert refusal(path, ",from=2026-01-01") == reason
    assert refusal(path, ",to=1000") == reason


async def test_other_databases_are_refused(path: str, tmp_path: Path) -> None:
    """Each in one line."""
    with opened(path):
        assert refusal(path) == f"{path} is no recording: it has no samples yet"
    other = tmp_path / "other"
    with contextlib.closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE mine (n)")
    assert refusal(other) == f"{other} is a database of another program; choose another file"
    content = Path(path).read_bytes()
    other.write_bytes(content[:100])
    assert refusal(other).startswith(f"{other} is ")
    other.write_bytes(gzip.compress(content))
    assert refusal(other) == (
        f"{other} is no recording: it is a compressed database: unpack it with gunzip first"
    )
