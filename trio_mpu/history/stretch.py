"""The newest stretch without a gap: what programs get that could not see one.

They compute the sampling rate from the first and the last time of a file, so that a hidden gap
would shift all frequencies.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Final

from trio_mpu.errors import RequestError, RingError
from trio_mpu.fanout.hub import Hub
from trio_mpu.formats import gap_of
from trio_mpu.history.exports import Export
from trio_mpu.history.past import Past, Selection
from trio_mpu.history.reader import PIECE_SAMPLES, Piece, Reader
from trio_mpu.history.stored import Stored
from trio_mpu.record import Record
from trio_mpu.store import damage, spans
from trio_mpu.store.archive import Archive, Held
from trio_mpu.store.spans import Span

MIN_SAMPLES: Final = 2  # one sample has no rate
LOST: Final = "the ring has overwritten samples before they were sent"


async def newest_stretch(past: Past, asked: Selection, address: str) -> tuple[Selection, int]:
    """Return the newest part of a selection that has no gap, found from its end, and how many
    samples before it are left out.

    The reads take turns with others, as those of `address`. Raises RequestError if it has fewer
    than two samples, RingError and StoreError.
    """
    kept, in_store = list[Span](), 0
    if asked.limit is not None:
        asked = await _limited(past, asked, address)
    after, first, is_gap = await _first_in_ring(past.hub, asked, address)
    in_ring, left_out = asked.end + 1 - first, first - 1 - after
    if asked.spans:
        assert past.stored is not None
        last = asked.spans[-1]
        end = int(last.session.generation, 16), last.until_seq
        joins = not in_ring or (not is_gap and end == (asked.generation, first - 1))
        if joins:
            kept = await _stretch(past.stored, asked.spans, address, is_end=not in_ring)
        counts = await past.stored.ask(address, partial(_counts, asked.spans, kept))
        in_store = counts[1]
        left_out += counts[0] - in_store
    if (samples := in_ring + in_store) < MIN_SAMPLES:
        raise RequestError(
            409,
            f"it needs {MIN_SAMPLES} samples without a gap between them, and what was asked for ends "
            f"with {samples}",
        )
    # What the ring loses of it before it is read comes from the store.
    before = None if kept else (asked.generation, first - 1)
    return replace(asked, after=first - 1, spans=kept, last=before, limit=None), left_out


async def _limited(past: Past, asked: Selection, address: str) -> Selection:
    """Return the selection without its limit, ending where that is reached."""
    assert asked.limit is not None
    limit, kept = asked.limit, asked.spans
    if kept:
        assert past.stored is not None

        def oldest(archive: Archive) -> tuple[list[Span], int]:
            found = spans.oldest(archive, spans.remaining(archive, asked.spans), limit)
            return found, spans.count(archive, found)

        kept, held = await past.stored.ask(address, oldest)
        limit -= held
    # A limit counts from the oldest sample that there is.
    after = asked.after
    async with past.hub.turns.slice(address):
        for record in await _held(past.hub, asked, after, 1):
            after = record.seq - 1
    return replace(asked, spans=kept, limit=None, end=min(asked.end, after + limit))


async def _first_in_ring(hub: Hub, asked: Selection, address: str) -> tuple[int, int, bool]:
    """Return the number before the first sample of the ring's part of a selection; that of the
    first one after which there is no gap, one beyond the end if the ring has none; and whether a
    gap is right before that."""
    first, is_gap, is_end = asked.end + 1, False, False
    while not is_gap and not is_end and first > asked.after + 1:
        begin = max(asked.after, first - 1 - PIECE_SAMPLES)
        async with hub.turns.slice(address):
            held = await _held(hub, asked, begin, first - 1 - begin)
        held = [record for record in held if record.seq < first]
        is_end = not held or held[0].seq > begin + 1  # the ring has lost what is older
        for record in reversed(held):
            first = record.seq
            if gap_of(record) is not None:
                is_gap = True
                break
    after = asked.after
    async with hub.turns.slice(address):
        for record in await _held(hub, asked, after, 1):
            after = min(record.seq, first) - 1
    return after, first, is_gap


async def _held(hub: Hub, asked: Selection, after: int, count: int) -> list[Record]:
    """Return what the ring still has of its part of a selection."""
    if after >= asked.end:
        return []
    return (await hub.record_source.read(asked.generation, after, count)).records


async def _stretch(stored: Stored, asked: list[Span], address: str, *, is_end: bool) -> list[Span]:
    """Return the newest of these samples between which none is missing; if they are the end of what
    was asked for, damaged chunks after them don't count.

    All chunks of the stretch are decoded for that before the answer begins: some at a time, so that
    others have their turn in between.
    """
    while True:
        kept = await stored.ask(address, partial(_without_gap, asked))
        newest = await _newest_damaged(stored, kept, address)
        if newest is None:
            return kept
        place, damaged = newest
        stored.note_damage(damaged)
        if (rest := damage.after(kept[place:], damaged)) or not is_end:
            return rest
        question = partial(damage.before, spans=asked, damaged=damaged)
        asked = await stored.ask(address, question)


def _without_gap(asked: list[Span], archive: Archive) -> list[Span]:
    return spans.without_gap(archive, spans.remaining(archive, asked))


def _counts(asked: list[Span], kept: list[Span], archive: Archive) -> tuple[int, int]:
    """Return how many samples there are of what was asked for, and of what is kept."""
    return spans.count(archive, spans.remaining(archive, asked)), spans.count(archive, kept)


async def _newest_damaged(
    stored: Stored, found: list[Span], address: str
) -> tuple[int, Held] | None:
    """Return the newest damaged chunk of these samples, and in which span it is."""
    for place, span in reversed([*enumerate(found)]):
        for end_id in range(span.last_chunk_id + 1, span.first_chunk_id, -damage.CHECKED_CHUNKS):
            question = partial(damage.newest, span=span, end_id=end_id)
            if (damaged := await stored.ask(address, question)) is not None:
                return place, damaged
    return None


async def stretch_pieces(
    past: Past, stretch: Selection, export: Export, address: str
) -> AsyncGenerator[bytes, None]:
    """Yield the stretch as a file, piece by piece.

    What ring and store lose before the first piece is left out. Raises RingError if it loses more
    later, or can't be read, and StoreError: an answer that breaks off is better than one with a
    hidden gap.
    """
    first: Record | None = None

    def encode(piece: Piece) -> bytes:
        nonlocal first
        text = ""
        if first is None:
            first = piece.records[0]
            if piece.origin.generation == stretch.generation and first.seq > stretch.end:
                raise RingError(LOST)  # nothing is left: the reader reports it in a later sample
            text = export.opening(first)
        elif piece.gap is not None:
            raise RingError(LOST)
        return (text + "".join([export.row(record, first) for record in piece.records])).encode()

    async with aclosing(Reader(past, stretch, address).encoded(PIECE_SAMPLES, encode)) as pieces:
        async for data in pieces:
            yield data
    if first is None:
        raise RingError(LOST)
