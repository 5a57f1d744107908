"""The ring between a writer and readers in one process, over real shared memory."""

import errno
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import posix_ipc
import pytest
import trio

from tests.helpers.fake_devices import one_line
from tests.helpers.processes import python
from tests.helpers.version_1 import version_1
from trio_mpu.errors import RingError, RingMissing
from trio_mpu.record import State
from trio_mpu.ring import MAX_RECORDS_A_HOLD, RingReader, RingWriter
from trio_mpu.sample import Flag, Gap, Sample
from trio_mpu.shm import layout
from trio_mpu.shm.ownership import own
from trio_mpu.shm.segment import Segment, remove

SHM = Path("/dev/shm")


def samples(count: int, first: int = 0) -> list[Sample]:
    """Samples that can be identified by `ax`."""
    now = time.monotonic_ns()
    return [
        Sample(now + n, n / 1024, -1.5, 1, -250, 0.125, 0, 25.5)
        for n in range(first, first + count)
    ]


@asynccontextmanager
async def writer(name: str, capacity: int = 64) -> AsyncIterator[RingWriter]:
    ring = await RingWriter.open(name, capacity)
    try:
        await ring.start("fake", 10**7)
        yield ring
    finally:
        ring.close()


def begin_at(ring: RingWriter, first: int) -> None:
    """Let an empty ring begin with this number, as one that mirrors another ring does."""
    layout.put(ring._segment.buffer, "first", first)
    layout.put(ring._segment.buffer, "head", first - 1)
    ring.head = first - 1
    ring._known.note()


async def test_what_is_written_is_read_once_and_in_order(ring_name: str) -> None:
    """Every field of every sample comes out as it went in, numbered from 1."""
    async with writer(ring_name) as ring:
        written = samples(10)
        await ring.write(written[:3])
        await ring.write(written[3:])
        with RingReader(ring_name) as reader:
            batch = await reader.read(0)
            assert batch.gap is None
            assert batch.head == 10
            assert [record.seq for record in batch.records] == list(range(1, 11))
            for record, sample in zip(batch.records, written, strict=True):
                assert (record.t_ns, *record[3:]) == sample
                assert record[12:] == (0, 0, 0, 0)
                assert abs(record.time_ns - time.time_ns()) < 10**10
            assert (await reader.read(10)).records == []
            assert [r.seq for r in (await reader.read(4, limit=2)).records] == [5, 6]


async def test_a_gap_is_accounted_for_before_it_can_be_read(ring_name: str) -> None:
    """The ledger comes with the records, without waiting for the next beat."""
    async with writer(ring_name) as ring:
        with RingReader(ring_name) as reader:
            for lost in (3, 4):
                ring.ledger["device_lost"] += lost
                await ring.write(samples(1))
                assert (await reader.header()).ledger["device_lost"] == ring.ledger["device_lost"]
            ring.ledger["device_lost"] += 1
            assert ring.write_now(samples(1))
            assert (await reader.header()).ledger["device_lost"] == 8


async def test_several_readers_have_each_its_own_place(ring_name: str) -> None:
    """What one reader has read is still there for another."""
    async with writer(ring_name) as ring:
        await ring.write(samples(5))
        with RingReader(ring_name) as one, RingReader(ring_name) as two:
            assert len((await one.read(0)).records) == 5
            assert len((await two.read(0)).records) == 5


@pytest.mark.parametrize("capacity", [2, 3, 64])
async def test_being_lapped_is_reported_from_where_to_where(ring_name: str, capacity: int) -> None:
    """What the ring has lost is a gap with its ends, and what follows is whole."""
    async with writer(ring_name, capacity) as ring:
        for n in range(100):
            await ring.write(samples(1, n))
        with RingReader(ring_name) as reader:
            batch = await reader.read(7)
            first = 100 - capacity + 2
            assert batch.gap == Gap(7, first, first - 8, "lapped")
            assert [record.seq for record in batch.records] == list(range(first, 101))
            assert [record.ax for record in batch.records] == [
                (seq - 1) / 1024 for seq in range(first, 101)
            ]


async def test_a_ring_that_begins_later_has_no_earlier_records(ring_name: str) -> None:
    """Not even where its slots were never written: what is missing is a gap up to its first."""
    async with writer(ring_name) as ring:
        begin_at(ring, 41)
        with RingReader(ring_name) as reader:
            assert await reader.read(40) == ([], None, 40)
            assert await reader.read(7) == ([], Gap(7, 41, 33, "lapped"), 40)
            await ring.write(samples(3))
            batch = await reader.read(0)
            assert [record.seq for record in batch.records] == [41, 42, 43]
            assert (batch.gap, batch.head) == (Gap(0, 41, 40, "lapped"), 43)
            assert [record.seq for record in (await reader.read(0, limit=2)).records] == [41, 42]
            assert (await reader.read(40)).gap is None
            assert (await reader.header()).first == 41


async def test_a_ring_that_begins_later_is_lapped_like_any_other(ring_name: str) -> None:
    """From its second round on, where it began no longer matters; a successor continues it."""
    async with writer(ring_name, 8) as ring:
        begin_at(ring, 41)
        await ring.write(samples(7))
        with RingReader(ring_name) as reader:
            assert (await reader.read(0)).records[0].seq == 41
            await ring.write(samples(3))
            batch = await reader.read(40)
            assert [record.seq for record in batch.records] == list(range(44, 51))
            assert batch.gap == Gap(40, 44, 3, "lapped")
    async with writer(ring_name, 8) as successor:
        assert (successor.head, successor.last and successor.last.seq) == (50, 50)
        with RingReader(ring_name) as reader:
            assert (await reader.header()).first == 41


async def test_a_cursor_from_the_future_reads_nothing(ring_name: str) -> None:
    """A number that was never given is neither an error nor a gap."""
    async with writer(ring_name) as ring:
        await ring.write(samples(5))
        with RingReader(ring_name) as reader:
            assert await reader.read(10**15) == ([], None, 5)


async def test_one_read_is_bounded(ring_name: str) -> None:
    """Nobody holds the semaphore for longer than it takes to copy MAX_RECORDS_A_HOLD records."""
    async with writer(ring_name, 4096) as ring:
        for n in range(4):
            await ring.write(samples(MAX_RECORDS_A_HOLD, n))
        with RingReader(ring_name) as reader:
            batch = await reader.read(0, limit=10**6)
            assert len(batch.records) == MAX_RECORDS_A_HOLD
            assert batch.head == 4 * MAX_RECORDS_A_HOLD


async def test_a_slot_that_a_dead_writer_left_half_filled_is_never_read(ring_name: str) -> None:
    """The slot after the newest record belongs to the writer, whatever it holds."""
    async with writer(ring_name, 8) as ring:
        await ring.write(samples(8))
        with RingReader(ring_name) as reader:
            slot = layout.HEADER_BYTES + (9 % 8) * layout.RECORD_BYTES
            reader._segment.buffer[slot : slot + 20] = b"\xff" * 20
            batch = await reader.read(0)
            assert [record.seq for record in batch.records] == [2, 3, 4, 5, 6, 7, 8]
            assert batch.gap == Gap(0, 2, 1, "lapped")


async def test_records_that_break_the_rules_are_a_gap_and_no_sample(ring_name: str) -> None:
    """A reader believes a slot only if it holds the expected number."""
    async with writer(ring_name, 16) as ring:
        await ring.write(samples(10))
        with RingReader(ring_name) as reader:
            for seq in (3, 10):
                slot = layout.HEADER_BYTES + seq % 16 * layout.RECORD_BYTES
                reader._segment.buffer[slot : slot + 8] = b"\xff" * 8
            batch = await reader.read(0, limit=5)
            assert ([record.seq for record in batch.records], batch.gap) == ([1, 2], None)
            batch = await reader.read(2, limit=5)
            assert [record.seq for record in batch.records] == [4, 5, 6, 7]
            assert batch.gap == Gap(2, 4, 1, "lapped")
            assert await reader.read(9) == ([], Gap(9, 11, 1, "lapped"), 10)


async def test_the_header_tells_what_the_producer_said(ring_name: str) -> None:
    """State, source, period, identity and ledger are there for readers."""
    async with writer(ring_name) as ring:
        ring.ledger["device_errors"] = 7
        await ring.beat()
        with RingReader(ring_name) as reader:
            header = await reader.header()
            assert header.state is State.RUNNING
            assert (header.source, header.period_ns, header.capacity) == ("fake", 10**7, 64)
            assert header.producer.pid == os.getpid()
            assert header.generation == ring.generation == reader.generation
            assert header.ledger["device_errors"] == 7
            assert header.heartbeat_ns > 0
            await ring.stop()
            assert (await reader.header()).state is State.STOPPED


async def test_a_successor_takes_the_ring_over(ring_name: str) -> None:
    """The generation stays, the numbers and the ledger go on, the last record is known."""
    async with writer(ring_name) as first:
        first.ledger["device_lost"] = 3
        await first.write(samples(5))
        await first.beat()
    with RingReader(ring_name) as reader:
        assert not reader.producer_lives()
        async with writer(ring_name) as second:
            assert reader.producer_lives()
            assert reader.is_current()
            assert second.generation == first.generation
            assert second.last is not None
            assert (second.last.seq, second.ledger["device_lost"]) == (5, 3)
            await second.write(samples(1))
            assert [record.seq for record in (await reader.read(4)).records] == [5, 6]


async def test_a_second_producer_is_refused_by_name(ring_name: str) -> None:
    """The refusal names the process and since when it is there, and changes nothing."""
    async with writer(ring_name) as ring:
        await ring.write(samples(1))
        with pytest.raises(RingError, match=rf"process {os.getpid()}, since 20\d\d-.* UTC"):
            await RingWriter.open(ring_name, 64)
        await ring.write(samples(1))
        with RingReader(ring_name) as reader:
            assert (await reader.read(0)).head == 2


async def test_another_capacity_is_a_new_ring(ring_name: str) -> None:
    """Nobody's mapping changes its size: the old segment stays as it is, without a name."""
    async with writer(ring_name, 64) as old:
        await old.write(samples(3))
    with RingReader(ring_name) as before:
        async with writer(ring_name, 128) as new:
            assert new.generation != old.generation
            assert new.head == 0
            assert not before.is_current()
            assert len((await before.read(0)).records) == 3
            with RingReader(ring_name) as after:
                assert (await after.header()).capacity == 128


@pytest.mark.parametrize("which", ["segment", "semaphore"])
async def test_a_ring_that_vanished_is_noticed_and_made_anew(ring_name: str, which: str) -> None:
    """Whichever of the two names is gone, both sides see it, and a successor makes both anew."""
    names = {"segment": SHM / ring_name, "semaphore": SHM / f"sem.{ring_name}_sem"}
    async with writer(ring_name) as old:
        with RingReader(ring_name) as reader:
            names[which].unlink()
            assert not old.is_current()
            assert not reader.is_current()
            with pytest.raises(RingMissing):
                RingReader(ring_name)
            old.close()
            async with writer(ring_name) as new:
                assert new.generation != old.generation
                assert new.is_current()
                assert not reader.is_current()
                await new.write(samples(1))
                with RingReader(ring_name) as other:
                    assert (await other.read(0)).head == 1


async def test_there_is_no_ring_before_the_producer(ring_name: str) -> None:
    """A reader that comes first gets RingMissing, and waits."""
    with pytest.raises(RingMissing, match="is the producer running"):
        RingReader(ring_name)


@contextmanager
def broken_ring(
    name: str, change: bytes, offset: int = 0, size: int | None = None
) -> Iterator[Path]:
    """A file in place of the segment that was a ring of 4 records until it was changed."""
    data = bytearray(layout.segment_bytes(4))
    layout.lay_out(data, 4, 1)
    data[offset : offset + len(change)] = change
    path = SHM / name
    path.write_bytes(bytes(data if size is None else data[:size]))
    path.chmod(0o600)
    yield path


@pytest.mark.parametrize(
    ("change", "offset", "size", "message"),
    [
        (b"ELF", 0, None, "is not a ring"),
        (b"\x07\0\0\0", 8, None, "is a ring of version 7"),
        (b"\0\0\0\0", 12, None, "header and records of"),
        (b"\x20\0\0\0", 16, None, "header and records of"),
        (bytes(8), 0, 1, "is not a ring"),
        (bytes(8), 0, layout.HEADER_BYTES - 1, "is not a ring"),
        (bytes(8), 0, layout.HEADER_BYTES + 1, "is not a ring"),
        (bytes(8) + b"\1" * 32, 0, None, "is not a ring"),
    ],
)
async def test_a_foreign_segment_is_refused_and_left_alone(
    ring_name: str, change: bytes, offset: int, size: int | None, message: str
) -> None:
    """Readers and producers say what is wrong with it; nobody changes or removes it."""
    with broken_ring(ring_name, change, offset, size) as path:
        before = path.read_bytes()
        with pytest.raises(RingError, match=message) as refusal:
            RingReader(ring_name)
        assert "\n" not in str(refusal.value)
        with pytest.raises(RingError, match=message):
            await RingWriter.open(ring_name, 4)
        with pytest.raises(RingError, match=message):
            remove(ring_name)
        assert path.read_bytes() == before


@pytest.mark.parametrize("lives", [False, True])
async def test_a_ring_of_version_1_is_refused_and_left_alone(ring_name: str, lives: bool) -> None:
    """One line names both versions and what to do, whether or not its producer still runs."""
    path = SHM / ring_name
    path.write_bytes(version_1())
    path.chmod(0o600)
    with Segment(ring_name) as old:
        if lives:
            assert old.lock_as_writer()
        for attempt in (lambda: RingReader(ring_name), lambda: own(ring_name, 4)):
            with pytest.raises(RingError) as refusal:
                attempt()
            assert type(refusal.value) is RingError
            assert one_line(refusal.value) == (
                f"{path} is a ring of version 1, but this program knows version 2; "
                "stop the other program and remove it, or choose another name with --ring"
            )
    assert path.read_bytes() == version_1()
    assert list(SHM.glob(f"*{ring_name}*")) == [path]


async def test_a_ring_that_a_living_producer_makes_is_not_ready(ring_name: str) -> None:
    """A second producer says so, and leaves it alone."""
    with broken_ring(ring_name, bytes(8)) as path, Segment(ring_name) as other:
        assert other.lock_as_writer()
        before = path.read_bytes()
        with pytest.raises(RingError, match="is being made by another producer"):
            own(ring_name, 4)
        assert path.read_bytes() == before


@pytest.mark.parametrize("size", [0, layout.segment_bytes(4)])
async def test_a_half_made_segment_is_not_ready_and_made_anew(ring_name: str, size: int) -> None:
    """What a producer left that was killed while making it: readers wait, the next one makes it."""
    with broken_ring(ring_name, bytes(8), 0, size):
        with pytest.raises(RingMissing, match="not ready"):
            RingReader(ring_name)
        async with writer(ring_name, 4) as ring:
            await ring.write(samples(1))
            with RingReader(ring_name) as reader:
                assert (await reader.read(0)).head == 1


async def test_a_directory_in_its_place_is_refused_in_one_line(ring_name: str) -> None:
    """Whatever the kernel says becomes one line."""
    (SHM / ring_name).mkdir()
    try:
        for attempt in (lambda: RingReader(ring_name), lambda: Segment(ring_name, create=True)):
            with pytest.raises(RingError, match="can't open") as refusal:
                attempt()
            assert "\n" not in str(refusal.value)
    finally:
        (SHM / ring_name).rmdir()


async def test_a_ring_that_does_not_fit_is_refused_and_leaves_nothing(
    ring_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is taken when the ring is made, so that nobody dies of it later."""

    def full(fd: int, offset: int, length: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(RingError, match="choose a smaller --capacity"):
        await RingWriter.open(ring_name, 64)
    assert not (SHM / ring_name).exists()


async def test_modes_let_nobody_else_in(ring_name: str) -> None:
    """Segment and semaphore are the user's own."""
    async with writer(ring_name):
        for path in (SHM / ring_name, SHM / f"sem.{ring_name}_sem"):
            assert path.stat().st_mode & 0o777 == 0o600


async def test_remove_takes_both_names_but_never_a_living_producers(ring_name: str) -> None:
    """start.sh calls it at the end; another producer may have the ring by then."""
    async with writer(ring_name):
        remove(ring_name)
        assert (SHM / ring_name).exists()
    remove(ring_name)
    assert not list(SHM.glob(f"*{ring_name}*"))
    remove(ring_name)
    (SHM / f"sem.{ring_name}_sem").touch(mode=0o600)
    remove(ring_name)
    assert not list(SHM.glob(f"*{ring_name}*"))
    with broken_ring(ring_name, bytes(8)):
        remove(ring_name)
        assert not (SHM / ring_name).exists()


def test_what_another_user_has_left_is_one_line_and_no_traceback(
    ring_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/dev/shm is a sticky folder: only its owner may remove a semaphore."""

    def refuse(*_: object, **__: object) -> None:
        raise posix_ipc.PermissionsError("no permission")

    def refuse_path(path: Path, *, missing_ok: bool = False) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    (SHM / f"sem.{ring_name}_sem").touch(mode=0o600)
    with monkeypatch.context() as patch:
        patch.setattr(posix_ipc, "unlink_semaphore", refuse)
        with pytest.raises(RingError, match="can't open"):
            remove(ring_name)
    with broken_ring(ring_name, bytes(8)), monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse_path)
        with pytest.raises(RingError, match="can't open"):
            remove(ring_name)
    remove(ring_name)


def test_remove_needs_no_event_loop() -> None:
    """A user waits for start.sh, which calls it last: the import of trio takes longer than all
    else."""
    code = "import sys; from trio_mpu.shm.segment import remove; sys.exit('trio' in sys.modules)"
    with python("-c", code) as process:
        _, complaints = process.communicate(timeout=30)
    assert (process.returncode, complaints) == (0, "")


async def test_a_name_that_is_gone_by_the_time_of_the_lock_is_made_anew(
    ring_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening a segment and locking it, its last writer may remove it."""
    lock = Segment.lock_as_writer
    stolen = False

    def slow_lock(segment: Segment) -> bool:
        nonlocal stolen
        if not stolen:
            stolen = True
            (SHM / ring_name).unlink()
        return lock(segment)

    monkeypatch.setattr(Segment, "lock_as_writer", slow_lock)
    async with writer(ring_name) as ring:
        assert stolen
        assert ring.is_current()


async def test_a_bell_wakes_the_reader_before_it_would_have_looked(ring_name: str) -> None:
    """A publish is heard, and the reader that hears it finds the record."""
    async with writer(ring_name) as ring:
        with RingReader(ring_name) as reader:
            await trio.sleep(0)
            async with trio.open_nursery() as nursery:

                async def listen() -> None:
                    await reader.bell.rung()
                    assert (await reader.read(0)).head == 1
                    nursery.cancel_scope.cancel()

                nursery.start_soon(listen)
                await ring.write(samples(1))
                with trio.fail_after(5):
                    await trio.sleep_forever()


async def test_a_ring_that_is_replaced_while_it_is_opened_is_not_used(
    ring_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locks on the old segment would not protect a holder of the new semaphore."""
    async with writer(ring_name) as old:
        await old.write(samples(1))
    check = layout.check

    def slow_check(buffer: layout.Buffer, what: str) -> int:
        """Between mapping the segment and opening the semaphore, another ring is made."""
        for path in (SHM / ring_name, SHM / f"sem.{ring_name}_sem"):
            path.rename(path.with_name(path.name + "_old"))
        with Segment(ring_name, create=True) as segment:
            segment.allocate(4)
            segment.map()
            segment.open_semaphore(create=True)
        return check(buffer, what)

    monkeypatch.setattr(layout, "check", slow_check)
    with pytest.raises(RingMissing, match="just been replaced"):
        RingReader(ring_name)
    for path in SHM.glob(f"*{ring_name}*_old"):
        path.unlink()


async def test_a_reader_without_a_free_descriptor_gets_one_line(
    ring_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server goes on with what it has, and tries again later."""

    def no_descriptor(*_: object) -> None:
        raise OSError(24, "Too many open files")

    async with writer(ring_name):
        monkeypatch.setattr("trio_mpu.ring.Bell", no_descriptor)
        with pytest.raises(RingError, match=r"can't open ring .*: Too many open files"):
            RingReader(ring_name)


@pytest.mark.parametrize("what", ["folder", "fifo", "truncated"])
async def test_a_semaphore_that_is_none_is_one_line(ring_name: str, what: str) -> None:
    """What somebody has put in its place ends no process by a signal or a traceback."""
    path = Path(f"/dev/shm/sem.{ring_name}_sem")
    (await RingWriter.open(ring_name, 16)).close()
    path.unlink()
    if what == "folder":
        path.mkdir()
    elif what == "fifo":
        os.mkfifo(path)
    else:
        path.touch()
    try:
        with pytest.raises(RingError) as caught:
            RingReader(ring_name)
        assert str(path) in one_line(caught.value)
        if what != "truncated":
            with pytest.raises(RingError) as caught:
                await RingWriter.open(ring_name, 16)
            assert str(path) in one_line(caught.value)
        else:
            (await RingWriter.open(ring_name, 16)).close()  # removes it and makes a new one
            RingReader(ring_name).close()
    finally:
        if what == "folder":
            path.rmdir()


@pytest.mark.parametrize("what", ["folder", "fifo"])
async def test_a_segment_that_is_none_is_left_alone(ring_name: str, what: str) -> None:
    """One line, and it is still there."""
    path = Path(f"/dev/shm/{ring_name}")
    if what == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    try:
        with pytest.raises(RingError) as caught:
            await RingWriter.open(ring_name, 16)
        assert str(path) in one_line(caught.value)
        assert path.exists()
    finally:
        if what == "folder":
            path.rmdir()


async def test_no_room_for_the_semaphore_is_one_line(
    ring_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for the segment."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(posix_ipc, "Semaphore", full)
    with pytest.raises(RingError, match="No space left on device"):
        await RingWriter.open(ring_name, 16)


async def test_without_unix_sockets_readers_look_once_a_period(
    ring_name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The bell is a hint: a sandbox that forbids it costs a period, and one line says so."""

    def forbidden(*_: object, **__: object) -> None:
        raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")

    monkeypatch.setattr("socket.socket", forbidden)
    async with writer(ring_name) as ring:
        with RingReader(ring_name) as reader:
            await ring.write(samples(3))
            assert len((await reader.read(0)).records) == 3
            assert reader.bell.look_s(0.01) == 0.01
            reader.bell.drain()
            with trio.move_on_after(0.01) as waited:
                await reader.bell.rung()
            assert waited.cancelled_caught
    assert "no doorbell (Address family not supported by protocol)" in caplog.text


async def test_the_first_sample_after_the_clock_was_set_says_so(
    ring_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it could not be written at the first try; none after it."""
    async with writer(ring_name) as ring:
        await ring.write(samples(2))
        step_ns = 3600 * 10**9
        now_ns = time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: now_ns() + step_ns)
        with RingReader(ring_name) as reader:
            run_now = Segment.run_now
            monkeypatch.setattr(Segment, "run_now", lambda *_: False)
            assert not ring.write_now(samples(1))
            monkeypatch.setattr(Segment, "run_now", run_now)
            await ring.write(samples(2))
            await ring.write(samples(1))
            records = (await reader.read(0)).records
    assert [bool(record.flags & Flag.CLOCK_STEP) for record in records] == [
        *(False, False),
        *(True, False),
        False,
    ]
    assert records[2].time_ns - records[1].time_ns > step_ns - 10**9
