"""Ring → file: each sample once, in order, and every gap a row."""

import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.store.test_database import rows
from tests.test_damaged_ring import scribble
from tests.test_sample import SAMPLE
from trio_mpu.errors import StoreError, UsageError
from trio_mpu.ring import RingWriter
from trio_mpu.sample import Flag
from trio_mpu.settings import RecordSettings
from trio_mpu.store import backlog, recorder, writer
from trio_mpu.store.chunk import decode
from trio_mpu.store.database import Database
from trio_mpu.store.recorder import run_recorder

PERIOD_NS = 10_000_000


@pytest.fixture(autouse=True)
def _is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here waits for a second."""
    monkeypatch.setattr(recorder, "CHUNK_S", 0.005)
    monkeypatch.setattr(recorder, "LOOK_S", 0.005)
    monkeypatch.setattr(recorder, "MIN_LOOK_S", 0.001)
    monkeypatch.setattr(recorder, "QUIET_S", 0.0)
    monkeypatch.setattr(writer, "RETRY_S", 0.005)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where the file is to be."""
    return str(tmp_path / "history.db")


@asynccontextmanager
async def written(ring: str, capacity: int = 64, count: int = 0) -> AsyncIterator[RingWriter]:
    """A ring with samples."""
    ring_writer = await RingWriter.open(ring, capacity)
    try:
        await ring_writer.start("test", PERIOD_NS)
        if count:
            await write(ring_writer, count)
        yield ring_writer
    finally:
        ring_writer.close()


async def write(ring_writer: RingWriter, count: int, flags: int = 0, lost: int = 0) -> None:
    """Write samples; the first one has the flags."""
    first = ring_writer.head
    for seq in range(first, first + count):
        mark = {"flags": flags, "lost": lost} if seq == first else {}
        await ring_writer.write([SAMPLE._replace(t_ns=seq * PERIOD_NS, **mark)])


@asynccontextmanager
async def recording(ring: str, path: str, keep: str = "") -> AsyncIterator[None]:
    """A recorder, stopped in good order at the end."""
    stop = trio.Event()
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            await nursery.start(run_recorder, RecordSettings(ring, store=path, keep=keep), stop)
            yield
            stop.set()


async def until(condition: Callable[[], object]) -> None:
    """Wait for what another task and a thread do."""
    while not condition():  # noqa: ASYNC110 - of a file, which has no event
        await trio.sleep(0.005)


def numbers(path: str) -> list[int]:
    """The sequence numbers of all samples in the file, in its order."""
    found = rows(path, "SELECT data, first_seq, count FROM chunks ORDER BY id")
    return [record.seq for row in found for record in decode(*row)]  # type: ignore[arg-type]


def gaps(path: str) -> list[tuple[object, ...]]:
    """All gaps in the file."""
    return rows(path, "SELECT after_seq, before_seq, lost, reason FROM gaps ORDER BY id")


async def test_all_that_the_ring_has_and_gets_is_recorded(ring_name: str, path: str) -> None:
    """Before the recorder was started, while it runs, and until it is stopped."""
    async with written(ring_name, 64, 100) as ring_writer, recording(ring_name, path):
        await until(lambda: numbers(path))
        await write(ring_writer, 20)
        await until(lambda: len(numbers(path)) == 83)
        await write(ring_writer, 1)
    assert numbers(path) == [*range(38, 122)]
    assert gaps(path) == []


async def test_a_stop_before_it_has_begun_leaves_no_sample_in_the_ring(
    ring_name: str, path: str
) -> None:
    """It is stopped with the producer: nobody reads them later."""
    stop = trio.Event()
    stop.set()
    async with written(ring_name, 64, 10):
        with trio.fail_after(20):
            await run_recorder(RecordSettings(ring_name, store=path), stop)
    assert numbers(path) == [*range(1, 11)]


async def test_it_goes_on_where_the_file_ends(ring_name: str, path: str) -> None:
    """No row twice; what the ring has lost meanwhile is a gap."""
    async with written(ring_name, 64, 10) as ring_writer:
        async with recording(ring_name, path):
            pass
        await write(ring_writer, 20)
        async with recording(ring_name, path):
            pass
        assert numbers(path) == [*range(1, 31)]
        await write(ring_writer, 100)
        async with recording(ring_name, path):
            pass
    assert numbers(path) == [*range(1, 31), *range(68, 131)]
    assert gaps(path) == [(30, 68, 37, "lapped")]


async def test_what_the_producer_noted_is_a_gap(ring_name: str, path: str) -> None:
    """With its reason and size."""
    async with written(ring_name, 64, 10) as ring_writer, recording(ring_name, path):
        await write(ring_writer, 2, Flag.DEVICE_GAP, 7)
        await write(ring_writer, 2, Flag.RESTART_GAP, 8)
    assert gaps(path) == [(10, 11, 7, "device"), (12, 13, 8, "restart")]


async def test_it_goes_over_to_a_new_ring(ring_name: str, path: str) -> None:
    """After the old one was read out; what was lost between them is unknown."""
    async with recording(ring_name, path):
        async with written(ring_name, 64, 10) as ring_writer:
            await until(lambda: len(numbers(path)) == 10)
            await write(ring_writer, 5)
            ring_writer.unlink()
        async with written(ring_name, 64, 3):
            await until(lambda: len(numbers(path)) == 18)
    assert numbers(path) == [*range(1, 16), 1, 2, 3]
    assert gaps(path) == [(0, 1, None, "restart")]
    assert len(rows(path, "SELECT DISTINCT generation FROM sessions")) == 2


async def test_it_waits_for_a_ring(
    ring_name: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And says so; it can be stopped meanwhile."""
    caplog.set_level(logging.INFO)
    async with recording(ring_name, path):
        await until(lambda: "waiting for samples" in caplog.text)
    assert numbers(path) == []


async def test_a_disk_that_is_full_for_a_while_costs_nothing(
    ring_name: str, path: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One line when it begins and one when it ends."""
    caplog.set_level(logging.INFO)
    failing = Failing(monkeypatch)
    async with written(ring_name, 64) as ring_writer, recording(ring_name, path):
        for _ in range(10):
            await write(ring_writer, 50)
            enough = failing.tries + 2
            await until(partial(failing.has_tried, enough))
        failing.is_full = False
        await until(lambda: len(numbers(path)) == 500)
    assert numbers(path) == [*range(1, 501)]
    assert gaps(path) == []
    assert caplog.text.count("disk is full; trying again every") == 1
    assert caplog.text.count("can be written again") == 1


async def test_what_could_not_be_kept_is_counted_and_a_gap(
    ring_name: str, path: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Memory and ring are full: the file says how many samples are missing, and why."""
    monkeypatch.setattr(backlog, "MAX_BYTES", 1)
    failing = Failing(monkeypatch)
    async with written(ring_name, 64, 10) as ring_writer, recording(ring_name, path):
        await until(lambda: failing.tries)
        await write(ring_writer, 500)
        failing.is_full = False
        await until(lambda: numbers(path)[-1:] == [510])
    (gap,) = gaps(path)
    kept = numbers(path)
    assert gap == (10, 448, 437, "store")
    assert kept == [*range(1, 11), *range(448, 511)]
    assert "437 samples could not be kept" in caplog.text


async def test_a_stop_while_nothing_can_be_written_says_what_is_missing(
    ring_name: str, path: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It does not wait for room; the next recorder finds the samples in the ring."""
    failing = Failing(monkeypatch)
    async with written(ring_name, 64, 10):
        with pytest.RaisesGroup(
            pytest.RaisesExc(StoreError, match="^10 samples are not in the file$"),
            flatten_subgroups=True,
        ):
            async with recording(ring_name, path):
                await until(lambda: failing.tries)
        failing.is_full = False
        async with recording(ring_name, path):
            pass
    assert numbers(path) == [*range(1, 11)]


async def test_a_file_that_was_removed_is_made_anew(
    ring_name: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What comes from then on is in it."""
    async with written(ring_name, 64, 10) as ring_writer, recording(ring_name, path):
        await until(lambda: numbers(path))
        for each in Path(path).parent.iterdir():
            each.unlink()
        await write(ring_writer, 5)
        await until(lambda: "is gone" in caplog.text and Path(path).exists())
        with contextlib.suppress(sqlite3.OperationalError):  # the tables are being made
            await until(lambda: numbers(path))
    assert numbers(path) == [*range(11, 16)]


async def test_old_samples_go_while_it_records(
    ring_name: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound holds in the running recorder, not only at its start."""
    monkeypatch.setattr(writer, "PRUNE_WRITES", 1)
    async with written(ring_name, 64, 10) as ring_writer, recording(ring_name, path, "0.001h"):
        # These times are of the computer's start: long ago, or 3.6 s and a long test.
        await until(lambda: rows(path, "SELECT count(*) FROM ends") == [(1,)])
        await until(lambda: not numbers(path))
        await write(ring_writer, 5)


async def test_wrong_settings_end_it_before_it_begins(ring_name: str, path: str) -> None:
    """No file, a wrong bound, a file that can't be used."""
    stop = trio.Event()
    with pytest.raises(UsageError, match="which file to record into"):
        await run_recorder(RecordSettings(ring_name), stop)
    with pytest.raises(UsageError, match="--keep"):
        await run_recorder(RecordSettings(ring_name, store=path, keep="lots"), stop)
    with pytest.raises(StoreError, match="Is a directory"):
        await run_recorder(RecordSettings(ring_name, store="/proc"), stop)


async def test_under_a_supervisor_a_wrong_file_is_tried_again(
    ring_name: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One line, and no end: the other programs are of use without it."""
    caplog.set_level(logging.INFO)
    foreign = b"of another program" * 100
    Path(path).write_bytes(foreign)
    supervised, stop = RecordSettings(ring_name, store=path, supervisor=(1, 2)), trio.Event()
    async with written(ring_name, 64, 10):
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(run_recorder, supervised, stop)
                await until(lambda: "trying again" in caplog.text)
                await trio.sleep(0.01)  # some tries
                assert Path(path).read_bytes() == foreign
                Path(path).unlink()
                await until(lambda: Path(path).exists() and "following ring" in caplog.text)
                stop.set()
    assert numbers(path) == [*range(1, 11)]
    assert caplog.text.count("no SQLite file; choose another one; trying again every") == 1


async def test_under_a_supervisor_it_can_be_stopped_before_it_has_a_file(
    ring_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It has failed then: what the ring holds is not in a file."""
    supervised, stop = RecordSettings(ring_name, store="/proc", supervisor=(1, 2)), trio.Event()
    refused = pytest.RaisesExc(StoreError, match="^can't write /proc: Is a directory$")
    with trio.fail_after(20), pytest.RaisesGroup(refused, flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(nursery.start, run_recorder, supervised, stop)
            await until(lambda: "trying again" in caplog.text)
            stop.set()


async def test_a_tilde_is_home(
    ring_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where no shell has expanded it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    async with written(ring_name, 64, 10), recording(ring_name, "~/history.db"):
        pass
    assert numbers(str(tmp_path / "history.db")) == [*range(1, 11)]


class Failing:
    """A disk without room, until `is_full` is false."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = True
        self.tries = 0
        store = Database.store

        def fail(database: Database, chunks: list[object]) -> None:
            self.tries += 1
            if self.is_full:
                raise StoreError("can't write it: database or disk is full")
            store(database, chunks)  # type: ignore[arg-type]

        monkeypatch.setattr(Database, "store", fail)

    def has_tried(self, times: int) -> bool:
        """Whether that many writes were tried."""
        return self.tries >= times


async def test_a_ring_that_was_overwritten_is_left_for_its_successor(
    ring_name: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What was read before stays, what comes then follows a gap of unknown size; said once."""
    async with recording(ring_name, path):
        async with written(ring_name, count=5) as ring_writer:
            await until(lambda: len(numbers(path)) == 5)
            scribble(ring_name, 32, b"\xff" * 8)
            said = f"ring {ring_name} was overwritten by another program: waiting for a new one"
            await until(lambda: said in caplog.messages)
            await trio.sleep(0.01)
            ring_writer.unlink()
        async with written(ring_name, count=3):
            await until(lambda: len(numbers(path)) == 8)
    assert numbers(path) == [1, 2, 3, 4, 5, 1, 2, 3]
    assert gaps(path) == [(0, 1, None, "restart")]
    assert caplog.messages.count(said) == 1
