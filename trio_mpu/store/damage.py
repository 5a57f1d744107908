"""Chunks that can't be read, and what is left without them.

Only reading a chunk shows that it is damaged: no number in the file says so. All here blocks and raises
StoreError; call it within one snapshot of the archive.
"""

from collections.abc import Sequence
from typing import Final

from trio_mpu.store.archive import Archive, Held
from trio_mpu.store.spans import Span

CHECKED_CHUNKS: Final = 64  # read at a time: a minute of samples, in some 10 ms
_LAST: Final = "SELECT first_seq + count - 1 FROM chunks WHERE id = ?"


def newest(archive: Archive, span: Span, end_id: int) -> Held | None:
    """Return the newest damaged chunk among the last CHECKED_CHUNKS of a span before `end_id`; None
    if there is none."""
    begin_id = max(span.first_chunk_id, end_id - CHECKED_CHUNKS)
    for chunk_id in reversed(range(begin_id, end_id)):
        for held in archive.read(span.session, chunk_id, chunk_id, 1):
            if held.damage:
                return held
    return None


def after(spans: Sequence[Span], damaged: Held) -> list[Span]:
    """Return what the first of these spans has after one of its chunks, and the others."""
    after_seq = damaged.numbers.stop - 1
    rest = spans[0]._replace(first_chunk_id=damaged.chunk_id + 1, after_seq=after_seq)
    return [*([rest] if after_seq < rest.until_seq else []), *spans[1:]]


def before(archive: Archive, spans: Sequence[Span], damaged: Held) -> list[Span]:
    """Return the spans before the last of these, and what that has before one of its chunks."""
    found = [*spans[:-1]]
    chunk_id = damaged.chunk_id - 1
    if chunk_id >= spans[-1].first_chunk_id:
        # Not the number right before: there may be a gap between the chunks.
        for (until_seq,) in archive.numbers(_LAST, chunk_id):
            found.append(spans[-1]._replace(last_chunk_id=chunk_id, until_seq=until_seq))
    return found
