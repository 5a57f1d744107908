# Pure: no I/O, no clock, no waiting.
"""Records → chunks: what one row of the file holds, and back again."""

import zlib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from trio_mpu.errors import StoreError
from trio_mpu.formats import gap_of
from trio_mpu.record import MAX_CAPACITY, Record
from trio_mpu.sample import Flag, Gap
from trio_mpu.shm import layout
from trio_mpu.store.pyramid import Window, windows_of

# The form of a chunk's bytes: that of the ring's records.
FORMAT: Final = layout.VERSION
RECORD_BYTES: Final = layout.RECORD_BYTES
_MAX_NS: Final = 1_500_000_000  # one look a second gives one chunk, also if it is somewhat late
_LEVEL: Final = 6  # of zlib: 9 takes twice the time for 1 % less


class Origin(NamedTuple):
    """Where samples are from, and by which settings: what the samples of a session share."""

    generation: str  # 16 hexadecimal digits, as in an event's id
    source: str
    chip: str
    calibration: str
    period_ns: int
    boot_id: str  # of the computer: until it starts again, its clocks go on


class Chunk(NamedTuple):
    """Consecutive records of about a second, and what else is written with them."""

    origin: Origin
    first: Record
    last: Record
    # The wall clock less CLOCK_BOOTTIME: changes only when the wall clock is set. (It can be off by
    # the time that the computer has slept since.)
    boot_offset_ns: int
    data: bytes
    windows: list[Window]
    gaps: list[Gap]

    @property
    def samples(self) -> int:
        """How many records it has."""
        return self.last.seq - self.first.seq + 1

    @property
    def begins_with_step(self) -> bool:
        """Whether the wall clock was set right before it."""
        return bool(self.first.flags & Flag.CLOCK_STEP)


def encode(records: Sequence[Record]) -> bytes:
    """Return the bytes of a chunk: the ring's own records one after the other, in zlib's format."""
    return zlib.compress(layout.pack_records(records), _LEVEL)


def decode(data: bytes, first: int, count: int) -> list[Record]:
    """Return the records of a chunk of this FORMAT. Raises StoreError if it has others."""
    damaged = StoreError(f"the chunk from sample {first} on is damaged")
    if not 0 < count <= MAX_CAPACITY:
        raise damaged
    unpacker = zlib.decompressobj()
    try:
        # Not more than it is to have: a few bytes can be the form of a thousand times as many.
        copied = unpacker.decompress(data, count * RECORD_BYTES + 1)
    except (zlib.error, TypeError) as error:  # where a bit has fallen over, data may be a text
        raise damaged from error
    if len(copied) != count * RECORD_BYTES or not unpacker.eof:
        raise damaged
    records = layout.parse_records(copied, first)
    if len(records) != count:
        raise damaged
    return records


def chunks_of(
    origin: Origin, records: Sequence[Record], gap: Gap | None, asleep_ns: int
) -> Iterator[Chunk]:
    """Cut consecutive records into chunks. `gap` is what is missing before the first one;
    `asleep_ns` is how long the computer has been asleep since its start.

    A chunk ends where the wall clock was set, so that one offset is right for all of it.
    """
    for piece in _pieces(records):
        gaps = [each for record in piece if (each := gap_of(record))]
        if gap is not None:
            gaps.insert(0, gap)
            gap = None
        first, last = piece[0], piece[-1]
        boot_offset_ns = first.time_ns - first.t_ns - asleep_ns
        yield Chunk(origin, first, last, boot_offset_ns, encode(piece), windows_of(piece), gaps)


def _pieces(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    begin = 0
    for place, record in enumerate(records):
        long = record.t_ns - records[begin].t_ns >= _MAX_NS
        if place > begin and (long or record.flags & Flag.CLOCK_STEP):
            yield records[begin:place]
            begin = place
    if records:
        yield records[begin:]
