"""The newest stretch without a gap: what programs get that could not see one.

They compute the sampling rate from the first and the last time of a file, so that a hidden gap
would shift all frequencies.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from trio_mpu.errors import RequestError, RingError
from trio_mpu.fanout.hub import Hub
from trio_mpu.formats import gap_of
from trio_mpu.web.exports import Export
from trio_mpu.web.pieces import PIECE_SAMPLES

MIN_SAMPLES: Final = 2  # one sample has no rate


@dataclass(frozen=True)
class Stretch:
    """The records of a ring after `after` up to `end`."""

    generation: int
    after: int
    end: int


async def newest_stretch(hub: Hub, asked: Stretch, address: str) -> Stretch:
    """Return the newest part of what was asked for that has no gap, found from its end.

    The reads take turns with others, as those of `address`. Raises RequestError if it has fewer
    than two records, and RingError.
    """
    generation, after, end = asked.generation, asked.after, asked.end
    first, is_found = end + 1, False
    while not is_found and first > after + 1:
        begin = max(after, first - 1 - PIECE_SAMPLES)
        async with hub.turns.slice(address):
            batch = await hub.record_source.read(generation, begin, first - 1 - begin)
        held = [record for record in batch.records if record.seq < first]
        is_found = batch.gap is not None or not held  # the ring has lost what is older
        for record in reversed(held):
            first = record.seq
            if gap_of(record) is not None:
                is_found = True
                break
    if (count := end + 1 - first) < MIN_SAMPLES:
        raise RequestError(
            409,
            f"it needs {MIN_SAMPLES} samples without a gap between them, and what was asked for ends "
            f"with {count}",
        )
    return Stretch(generation, first - 1, end)


async def stretch_pieces(hub: Hub, stretch: Stretch, export: Export) -> AsyncGenerator[bytes, None]:
    """Yield the stretch as a file, piece by piece.

    What the ring loses before the first piece is left out. Raises RingError if it loses more
    later, or can't be read: an answer that breaks off is better than one with a hidden gap.
    """
    at, first = stretch.after, None
    while at < stretch.end:
        count = min(PIECE_SAMPLES, stretch.end - at)
        batch = await hub.record_source.read(stretch.generation, at, count)
        records = [record for record in batch.records if record.seq <= stretch.end]
        if not records or (batch.gap is not None and first is not None):
            raise RingError("the ring has overwritten samples before they were sent")
        text = ""
        if first is None:
            first = records[0]
            text = export.opening(first)
        yield (text + "".join([export.row(record, first) for record in records])).encode()
        at = records[-1].seq
