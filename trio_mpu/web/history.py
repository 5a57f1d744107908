"""What the ring still holds, as a stream of text in pieces."""

from collections.abc import AsyncGenerator
from typing import Final

import trio

from trio_mpu.errors import RingError
from trio_mpu.fanout.hub import Hub, RecordSource
from trio_mpu.formats import COLUMNS, Origin, row_csv, row_json
from trio_mpu.record import Record
from trio_mpu.sample import Gap
from trio_mpu.web.routes import History

PIECE_SAMPLES: Final = 128  # some 30 kB, encoded in 1 ms: streams are not kept waiting


async def pieces(hub: Hub, asked: History) -> AsyncGenerator[bytes, None]:
    """Yield the answer piece by piece, from what the ring holds now; what is measured meanwhile
    is left out, so there is an end.

    What is missing after `since`, and what the ring loses while a slow client reads, is told in
    the first row after it, even where that row is one of those measured meanwhile. Raises
    RingError when the ring is replaced in the middle, or can't be read.
    """
    origin, head = hub.origin, hub.head
    after, end = await _bounds(hub.record_source, origin, head, asked)
    opening, between, closing = _frame(asked.format, origin)
    text, separator = opening, ""
    # Without `since`, nothing is missing before the oldest sample that there is.
    tells, restart = asked.since is not None, None
    if asked.since is not None and asked.since[0] != origin.generation:
        restart = Gap(asked.since[1], 0, None, "restart")
    while after < end:
        await trio.lowlevel.checkpoint()
        batch = await hub.record_source.read(
            origin.generation, after, min(PIECE_SAMPLES, end - after)
        )
        if not batch.records:
            raise RingError("what the ring holds is damaged")
        gap = batch.gap if tells else None
        if restart is not None:
            gap, restart = restart._replace(before=batch.records[0].seq), None
        for record in batch.records:
            if record.seq <= end or gap is not None:
                text += separator + _row(asked.format, record, origin, gap)
                separator, gap = between, None
        after, tells = batch.records[-1].seq, True
        yield text.encode()
        text = ""
    yield (text + closing).encode()


def _frame(kind: str, origin: Origin) -> tuple[str, str, str]:
    """Return what stands before the rows, between them and after them."""
    if kind == "csv":
        return ",".join(COLUMNS) + "\n", "", ""
    if kind == "ndjson":
        return "", "", ""
    return f'{{"generation":"{origin.generation:016x}","samples":[\n', ",\n", "\n]}\n"


def _row(kind: str, record: Record, origin: Origin, gap: Gap | None) -> str:
    if kind == "csv":
        return row_csv(record, origin) + "\n"  # a jump of its first column tells the gap
    return row_json(record, origin, gap) + ("\n" if kind == "ndjson" else "")


async def _bounds(
    record_source: RecordSource, origin: Origin, head: int, asked: History
) -> tuple[int, int]:
    """Return the numbers before the first and of the last record of the answer."""
    after = 0
    if asked.since is not None and asked.since[0] == origin.generation:
        after = min(asked.since[1], head)
    if asked.seconds is not None and head:
        newest = (await record_source.read(origin.generation, head - 1, 1)).records
        if newest:
            since_ns = newest[0].t_ns - round(asked.seconds * 1e9)
            after = max(after, await _before(record_source, origin.generation, since_ns, head))
    if asked.limit is None:
        return after, head
    if asked.since is not None:
        return after, min(head, after + asked.limit)
    return max(after, head - asked.limit), head


async def _before(record_source: RecordSource, generation: int, t_ns: int, head: int) -> int:
    """Return the number of the newest record that is older than `t_ns`, by halving."""
    low, high = 0, head
    while low < high:
        middle = (low + high + 1) // 2
        records = (await record_source.read(generation, middle - 1, 1)).records
        # In place of one that the ring has lost it gives the oldest that it still has.
        if not records or records[0].t_ns < t_ns:
            low = middle
        else:
            high = middle - 1
    return low
