"""Records → a chunk's bytes, and back again."""

import struct
import zlib

import pytest

from tests.helpers.fakes import make_record
from trio_mpu.errors import StoreError
from trio_mpu.record import Record
from trio_mpu.sample import Flag, Gap
from trio_mpu.store.chunk import RECORD_BYTES, Chunk, Origin, chunks_of, decode, encode

ORIGIN = Origin("00000000000000ff", "test", "", "", 10_000_000, "boot")
MS = 1_000_000


def series(first: int, count: int, step_ns: int = 10 * MS) -> list[Record]:
    """Records at a constant rate; the wall clock is 5 s ahead of the monotonic one."""
    times = [number * step_ns for number in range(first, first + count)]
    return [
        make_record(seq, t_ns=t_ns, time_ns=t_ns + 5000 * MS)
        for seq, t_ns in enumerate(times, start=first)
    ]


def cut(records: list[Record], gap: Gap | None = None) -> list[Chunk]:
    """All chunks of these records."""
    return [*chunks_of(ORIGIN, records, gap, 0)]


def test_what_was_encoded_is_decoded() -> None:
    """Every field, in the float32 of the ring."""
    records = series(7, 100)
    assert decode(encode(records), 7, 100) == decode(
        encode(decode(encode(records), 7, 100)), 7, 100
    )
    assert [record.seq for record in decode(encode(records), 7, 100)] == [*range(7, 107)]


def test_the_bytes_are_the_rings_records() -> None:
    """Others can take them apart with docs/protocol.md alone."""
    data = zlib.decompress(encode(series(7, 3)))
    assert len(data) == 3 * RECORD_BYTES
    assert [struct.unpack_from("=Qqq", data, place * RECORD_BYTES) for place in range(3)] == [
        (seq, seq * 10 * MS, seq * 10 * MS + 5000 * MS) for seq in (7, 8, 9)
    ]


@pytest.mark.parametrize(
    "data", [b"", b"no zlib", zlib.compress(b"odd"), encode(series(7, 2)), encode(series(8, 3))]
)
def test_a_damaged_chunk_is_an_error(data: bytes) -> None:
    """Bytes that are none, too few records, or others than the row says."""
    with pytest.raises(StoreError, match="sample 7 on is damaged"):
        decode(data, 7, 3)


def test_a_second_is_one_chunk_and_minutes_are_many() -> None:
    """What is read after a long time is cut as if it had been read each second."""
    assert [chunk.samples for chunk in cut(series(1, 110))] == [110]
    chunks = cut(series(1, 1000))
    assert [chunk.samples for chunk in chunks] == [150] * 6 + [100]
    assert [chunk.first.seq for chunk in chunks] == [*range(1, 1000, 150)]
    assert cut([]) == []


def test_a_chunk_ends_where_the_clock_was_set() -> None:
    """So each has one offset, by which the times before can be put right."""
    records = [record._replace(time_ns=record.t_ns) for record in series(1, 10)] + series(11, 5)
    records[10] = records[10]._replace(flags=Flag.CLOCK_STEP)
    assert [(chunk.samples, chunk.boot_offset_ns) for chunk in cut(records)] == [
        (10, 0),
        (5, 5000 * MS),
    ]
    assert [chunk.begins_with_step for chunk in cut(records)] == [False, True]
    assert len(cut(records[10:])) == 1


def test_a_gap_is_in_the_chunk_with_the_sample_after_it() -> None:
    """The one that the reader found, and those that the producer noted."""
    records = series(20, 300)
    records[200] = records[200]._replace(flags=Flag.DEVICE_GAP, lost=4)
    found = Gap(9, 20, 10, "lapped")
    assert [chunk.gaps for chunk in cut(records, found)] == [
        [found],
        [Gap(219, 220, 4, "device")],
    ]


@pytest.mark.parametrize("count", [-1, 0, 2**24 + 1, 2**63])
def test_a_count_that_no_chunk_has_is_damage(count: int) -> None:
    """It is a cell of the file, and may have become any number."""
    with pytest.raises(StoreError, match="damaged"):
        decode(encode(series(1, 3)), 1, count)


def test_a_chunk_that_unpacks_to_more_than_its_samples_is_damage() -> None:
    """And is not unpacked any further: a file of a few kilobytes could fill the memory."""
    huge = zlib.compress(bytes(200_000_000), 9)
    with pytest.raises(StoreError, match="damaged"):
        decode(huge, 1, 3)
    with pytest.raises(StoreError, match="damaged"):
        decode(encode(series(1, 4)), 1, 3)
    with pytest.raises(StoreError, match="damaged"):
        decode(encode(series(1, 3))[:-1], 1, 3)
