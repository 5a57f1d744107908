"""A ring that something else than its producer writes to, or cuts short."""

import os
import re
import struct
from contextlib import suppress
from pathlib import Path

import posix_ipc
import pytest
import trio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.helpers.programs import fresh_ring
from tests.test_ring import broken_ring, samples, writer
from trio_mpu.errors import RingDamaged
from trio_mpu.record import Record, State
from trio_mpu.ring import RingReader, RingWriter
from trio_mpu.shm import layout
from trio_mpu.shm.layout import HEADER_BYTES, RECORD_BYTES
from trio_mpu.shm.segment import remove
from trio_mpu.shm.semaphore import semaphore_name

SHM = Path("/dev/shm")
U64 = struct.Struct("=Q")


def scribble(ring: str, offset: int, data: bytes) -> None:
    """Write to the segment as another program would, without asking anybody."""
    with (SHM / ring).open("r+b") as file:
        file.seek(offset)
        file.write(data)


def slot(seq: int, capacity: int = 64) -> int:
    """Where a record is."""
    return HEADER_BYTES + seq % capacity * RECORD_BYTES


# -- the header --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "data"),
    [
        (0, b"\1"),  # magic
        (20, b"\xff\xff\xff\xff"),  # capacity
        (24, b"\1\2\3"),  # generation
        (32, bytes(8)),  # head, backwards
        (32, U64.pack(7)),
        (32, U64.pack(2**64 - 1)),  # far ahead
        (32, U64.pack(100)),
        (480, U64.pack(2**63)),  # first
    ],
)
async def test_a_reader_finds_a_header_that_can_not_be(
    ring_name: str, offset: int, data: bytes
) -> None:
    """It gets RingDamaged from all that it asks for, and neither a sample nor a wrong position."""
    async with writer(ring_name) as ring:
        await ring.write(samples(9))
        with RingReader(ring_name) as reader:
            assert (await reader.read(5)).head == 9
            scribble(ring_name, offset, data)
            for ask in (reader.header, lambda: reader.read(9), lambda: reader.read(0)):
                with pytest.raises(RingDamaged, match=f"^ring {ring_name} was overwritten by"):
                    await ask()


@pytest.mark.parametrize(
    ("offset", "data"),
    [(0, b"\1"), (24, b"\1"), (32, bytes(8)), (32, U64.pack(10)), (32, U64.pack(2**64 - 1))],
)
async def test_the_producer_writes_nothing_into_a_ring_that_is_not_its_own_any_more(
    ring_name: str, offset: int, data: bytes
) -> None:
    """Waiting or not, it finds that before it publishes."""
    async with writer(ring_name) as ring:
        await ring.write(samples(9))
        scribble(ring_name, offset, data)
        with pytest.raises(RingDamaged):
            ring.write_now(samples(1))
        with pytest.raises(RingDamaged):
            await ring.write(samples(1))
        with pytest.raises(RingDamaged):
            await ring.beat()
        with pytest.raises(RingDamaged):
            await ring.start("other", 1)
        assert ring.head == 9


@pytest.mark.parametrize(
    ("offset", "size"),
    [(40, 8), (48, 4), (52, 12), (88, 8), (224, 96), (320, 96), (416, 60), (480, 8), (496, 528)],
)
@pytest.mark.parametrize("end", ["first", "last"])
async def test_the_producer_finds_each_byte_of_its_own_that_was_changed_at_its_next_beat(
    ring_name: str, offset: int, size: int, end: str
) -> None:
    """Period, state, its identity, the texts, and what has no meaning yet."""
    place = offset if end == "first" else offset + size - 1
    async with writer(ring_name) as ring:
        await ring.write(samples(3))
        await ring.beat()
        before = (SHM / ring_name).read_bytes()[place]
        scribble(ring_name, place, bytes([before ^ 0x80]))
        with pytest.raises(RingDamaged):
            await ring.beat()
        scribble(ring_name, place, bytes([before]))
        await ring.beat()


async def test_what_everybody_writes_and_what_is_written_anew_is_no_damage(ring_name: str) -> None:
    """The holder, the heartbeat and the counters: the next beat puts them right."""
    async with writer(ring_name) as ring:
        with RingReader(ring_name) as reader:
            await ring.beat()
            scribble(ring_name, 64, b"\xff" * 24)
            scribble(ring_name, 96, b"\xff" * 128)
            scribble(ring_name, 488, b"\xff" * 8)
            await ring.beat()
            header = await reader.header()
            assert set(header.ledger.values()) == {0}
            assert header.attitude_resets == 0
            await ring.stop()
            assert (await reader.header()).state is State.STOPPED


@pytest.mark.parametrize(
    ("change", "offset", "size", "message"),
    [
        (b"\x05\0\0\0", 20, None, "does not fit 5 records"),
        (b"\xff\xff\xff\xff", 20, None, "does not fit 4294967295 records"),
        (b"", 0, layout.HEADER_BYTES + 1, "does not fit 4 records"),
        (b"", 0, 100, "was cut to 100 bytes"),
        (b"\x07", 32, None, "was overwritten by another program"),  # head
        (b"\x09", 480, None, "was overwritten by another program"),  # first
        (b"\0", 480, None, "was overwritten by another program"),
    ],
)
async def test_a_damaged_ring_is_replaced_by_the_next_producer(
    ring_name: str,
    change: bytes,
    offset: int,
    size: int | None,
    message: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It was one of ours and nobody has it: that is said, and there is a new one."""
    with broken_ring(ring_name, change, offset, size) as path:
        posix_ipc.Semaphore(semaphore_name(ring_name), posix_ipc.O_CREX, 0o600, 1).close()
        async with writer(ring_name, 4) as ring:
            assert ring.head == 0
            await ring.write(samples(2))
            with RingReader(ring_name) as reader:
                assert len((await reader.read(0)).records) == 2
    assert re.fullmatch(f"{path} .*{message}: removing it", caplog.messages[0])
    assert len(caplog.messages) == 1


async def test_a_damaged_ring_without_a_producer_is_removed(ring_name: str) -> None:
    """At the end of `start`, as any other; a living producer's is not."""
    with broken_ring(ring_name, b"\x05", 20) as path:
        remove(ring_name)
        assert not path.exists()
    async with writer(ring_name):
        scribble(ring_name, 20, b"\x05")
        remove(ring_name)
        assert path.exists()
        with pytest.raises(RingDamaged, match="does not fit 5 records"):
            await RingWriter.open(ring_name, 64)


# -- the records -------------------------------------------------------------------------


async def test_a_damaged_record_is_a_gap_and_counted_once(ring_name: str) -> None:
    """Be it old or the newest; whoever reads it again does not count it again."""
    async with writer(ring_name) as ring:
        await ring.write(samples(9))
        scribble(ring_name, slot(4) + 30, b"\x11\x22")
        scribble(ring_name, slot(9), b"\xff" * RECORD_BYTES)
        with RingReader(ring_name) as reader:
            assert [record.seq for record in (await reader.read(0)).records] == [1, 2, 3]
            for _ in range(2):
                batch = await reader.read(3)
                assert [record.seq for record in batch.records] == [5, 6, 7, 8]
                assert batch.gap is not None
                assert (batch.gap.lost, reader.damaged) == (1, 1)
            batch = await reader.read(8)
            assert (batch.records, reader.damaged) == ([], 2)
            assert (await reader.header()).head == 9
            await ring.write(samples(1))
            assert [record.seq for record in (await reader.read(9)).records] == [10]
            assert reader.damaged == 2


# -- the size ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, HEADER_BYTES, HEADER_BYTES + 9 * RECORD_BYTES])
async def test_a_ring_that_was_cut_short_ends_nobody_who_looks_afterwards(
    ring_name: str, size: int
) -> None:
    """Both sides look at its size first: to touch what is not there would be SIGBUS."""
    async with writer(ring_name) as ring:
        await ring.write(samples(9))
        with RingReader(ring_name) as reader:
            os.truncate(SHM / ring_name, size)
            said = f"^ring {ring_name} was cut to {size} bytes by another program$"
            with pytest.raises(RingDamaged, match=said):
                await reader.read(0)
            with pytest.raises(RingDamaged, match=said):
                ring.write_now(samples(1))
            with pytest.raises(RingDamaged, match=said):
                await ring.beat()
            ring.unlink()
            ring.close()
            async with writer(ring_name) as new:
                assert not reader.is_current()
                await new.write(samples(1))


# -- anything ----------------------------------------------------------------------------

offsets = st.one_of(
    st.integers(0, HEADER_BYTES - 1),
    st.integers(HEADER_BYTES, layout.segment_bytes(8) - 1),
    st.sampled_from([0, 20, 24, 32, 40, 48, 480]),
)
changes = st.one_of(
    st.integers(1, 12),  # so many samples are written
    st.tuples(offsets, st.binary(min_size=1, max_size=40)),
    st.tuples(st.just(32), st.integers(0, 2**64 - 1).map(U64.pack)),
    st.tuples(st.just(32), st.integers(0, 60).map(U64.pack)),
)


@given(st.lists(changes, min_size=1, max_size=25))
@example([(32, U64.pack(1))])  # an empty ring has number 0 in its first slot
@example([1, (32, U64.pack(2))])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_written_over_a_ring_a_reader_gets_what_was_written_or_a_gap(
    steps: list[int | tuple[int, bytes]],
) -> None:
    """Random bytes in random places. What comes out is a record that the producer wrote, under the
    number that it gave it, each once and in order; and a producer that finds its ring damaged makes
    one that works."""
    with fresh_ring() as ring_name:
        trio.run(_live_through, ring_name, steps)


async def _live_through(ring_name: str, steps: list[int | tuple[int, bytes]]) -> None:
    ring = await _opened(ring_name)
    reader = RingReader(ring_name)
    written: dict[int, tuple[float, ...]] = {}
    cursor = 0
    size = layout.segment_bytes(8)
    with trio.fail_after(20):
        for step in [*steps, 1]:
            if isinstance(step, tuple):
                scribble(ring_name, step[0], step[1][: size - step[0]])
            else:
                try:
                    cursor = await _write(ring, step, written, reader, cursor)
                except RingDamaged:
                    reader.close()
                    ring.unlink()
                    ring.close()
                    ring, reader = await _opened(ring_name), RingReader(ring_name)
                    written, cursor = {}, 0
                    cursor = await _write(ring, 1, written, reader, cursor)
                    assert cursor == 1
            cursor = await _check(reader, written, cursor)
    reader.close()
    ring.close()


async def _opened(ring_name: str) -> RingWriter:
    ring = await RingWriter.open(ring_name, 8)
    await ring.start("fake", 10**7)
    return ring


async def _write(
    ring: RingWriter,
    count: int,
    written: dict[int, tuple[float, ...]],
    reader: RingReader,
    cursor: int,
) -> int:
    for sample in samples(count, ring.head):
        await ring.write([sample])
        written[ring.head] = (sample.t_ns, *sample[1:])
    await ring.beat()
    return await _check(reader, written, cursor)


async def _check(reader: RingReader, written: dict[int, tuple[float, ...]], cursor: int) -> int:
    """Read on from the cursor, and return the next one; all that is found must be true."""
    with suppress(RingDamaged):
        while True:
            batch = await reader.read(cursor)
            if batch.gap is not None:
                assert batch.gap.after == cursor < batch.gap.before - 1 <= max(written) + 2
                cursor = batch.gap.before - 1
            for record in batch.records:
                assert record.seq == cursor + 1
                assert _values(record) == written[record.seq]
                cursor = record.seq
            if not batch.records:
                break
    return cursor


def _values(record: Record) -> tuple[float, ...]:
    return (record.t_ns, *record[3:])
