"""`/history`: what the ring still holds, in pieces."""

import contextlib
import math
import re
import time
import zlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from trio_mpu.errors import RequestError, RingError
from trio_mpu.fanout.group import Chunk
from trio_mpu.fanout.hub import Hub, RecordSource
from trio_mpu.formats import PLAIN, Notation, Origin, parse_event_id, row_csv, row_json
from trio_mpu.record import Record
from trio_mpu.sample import Gap
from trio_mpu.web.answer import Headers
from trio_mpu.web.app import App
from trio_mpu.web.exports import EXPORTS, Export
from trio_mpu.web.pieces import PIECE_SAMPLES, Pieces
from trio_mpu.web.request import NOTATION, Request, accepts_gzip, notation, number
from trio_mpu.web.stretch import Stretch, newest_stretch, stretch_pieces

PARAMETERS: Final = ("format", "since", "seconds", "limit", *NOTATION)
TYPES: Final = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8; header=present",
    "ndjson": "application/x-ndjson",
    **{name: export.content_type for name, export in EXPORTS.items()},
}
# Bound "seconds=, most".
MAX_SECONDS: Final = 10**6
GZIP_LEVEL: Final = 1  # a sixth of the bytes; higher levels gain a tenth for thrice the time
_GZIP_FORMAT: Final = 31  # zlib: the largest window, and gzip's header

MakePieces = Callable[[], AsyncGenerator[bytes, None]]


class Compressor(Protocol):
    """What zlib.compressobj() returns; it has no public name."""

    def compress(self, data: bytes, /) -> bytes:
        """Take data in; return what of it is compressed by now."""
        ...

    def flush(self) -> bytes:
        """Return the rest, and the end."""
        ...


@dataclass(frozen=True)
class History:
    """What was asked for: from after `since` or from `seconds` ago on.

    `limit` samples at most: the oldest of them after `since`, the newest otherwise.
    """

    format: str = "json"
    since: tuple[int, int] | None = None
    seconds: float | None = None
    limit: int | None = None
    notation: Notation = PLAIN

    @classmethod
    def of(cls, request: Request) -> "History":
        """Read the query. Raises RequestError."""
        query = request.query
        kind = query.get("format", "json")
        if kind not in TYPES:
            raise RequestError(400, f"format is one of {', '.join(TYPES)}")
        since = None
        if "since" in query and (since := parse_event_id(query["since"])) is None:
            raise RequestError(400, "since is the id of an event, such as 0123456789abcdef-42")
        limit = None
        if "limit" in query:
            if not re.fullmatch(r"\d{1,9}", query["limit"], re.ASCII):
                raise RequestError(400, "limit is a whole number below 1,000,000,000")
            limit = int(query["limit"])
        if kind in EXPORTS and (given := [name for name in NOTATION if name in query]):
            raise RequestError(
                400, f"format={kind} has its own times and units, without {given[0]}"
            )
        seconds = number(query, "seconds", 0, MAX_SECONDS)
        return cls(kind, since, seconds, limit, notation(query))


def past(request: Request, app: App) -> Pieces:
    """`/history`: what the ring still holds. Raises RequestError, also before the first sample."""
    asked = History.of(request)
    if app.hub.snapshot.record is None:
        raise RequestError(503, app.hub.snapshot.reason)
    headers: Headers = (
        ("Cache-Control", "no-store"),
        ("Content-Disposition", f'attachment; filename="{_file_name(asked)}"'),
        # CSV has no column for it, and a later `since` needs it.
        ("Ring-Generation", f"{app.hub.origin.generation:016x}"),
        ("Vary", "Accept-Encoding"),
    )
    compressor = None
    if accepts_gzip(request):
        headers = (*headers, ("Content-Encoding", "gzip"))
        compressor = zlib.compressobj(GZIP_LEVEL, wbits=_GZIP_FORMAT)
    make: MakePieces = partial(pieces, app.hub, asked)
    prepare = None
    if (export := EXPORTS.get(asked.format)) is not None:
        exported = _Exported(app.hub, asked, export, request.address)
        make, prepare = exported.pieces, exported.prepare
    generate = partial(_in_turns, app.hub, make, request.address, compressor)
    return Pieces(TYPES[asked.format], generate, headers, prepare=prepare)


def _file_name(asked: History) -> str:
    """Return the name under which a browser saves the answer: sorted by time."""
    export = EXPORTS.get(asked.format)
    suffix = asked.format if export is None else export.suffix
    return f"trio-mpu-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.{suffix}"


async def _in_turns(
    hub: Hub,
    make: MakePieces,
    address: str,
    compressor: Compressor | None,
    _fd: int | None,
) -> AsyncGenerator[Chunk, None]:
    """Yield the pieces, each made when it is this address's turn."""
    async with contextlib.aclosing(make()) as plain:
        while True:
            async with hub.turns.slice(address):
                piece = await anext(plain, None)
                if piece is not None and compressor is not None:
                    piece = compressor.compress(piece)
            if piece is None:
                break
            yield Chunk(piece)
    if compressor is not None:
        yield Chunk(compressor.flush())


class _Exported:
    """An answer in a form that has no gaps: first look how far back it can go, then give it."""

    def __init__(self, hub: Hub, asked: History, export: Export, address: str) -> None:
        self._hub, self._asked, self._export, self._address = hub, asked, export, address
        self._origin, self._head = hub.origin, hub.head
        self._stretch: Stretch

    async def prepare(self) -> Headers:
        """Return the header that says how much of what was asked for is left out."""
        source, asked, generation = self._hub.record_source, self._asked, self._origin.generation
        async with self._hub.turns.slice(self._address):
            after, end = await _bounds(source, self._origin, self._head, asked)
            oldest = (await source.read(generation, after, 1)).records
        if oldest:
            after = oldest[0].seq - 1
        if asked.since is not None and asked.limit is not None:
            end = min(end, after + asked.limit)
        whole = Stretch(generation, after, end)
        self._stretch = await newest_stretch(self._hub, whole, self._address)
        return (("Samples-Left-Out", str(self._stretch.after - after)),)

    def pieces(self) -> AsyncGenerator[bytes, None]:
        """Return the file, piece by piece."""
        return stretch_pieces(self._hub, self._stretch, self._export)


async def pieces(hub: Hub, asked: History) -> AsyncGenerator[bytes, None]:
    """Yield the answer piece by piece, from what the ring holds now; what is measured meanwhile
    is left out, so there is an end.

    What is missing after `since`, and what the ring loses while a slow client reads, is told in
    the first row after it, even where that row is one of those measured meanwhile. Raises
    RingError when the ring is replaced in the middle, or can't be read.
    """
    origin, head = hub.origin, hub.head
    after, end = await _bounds(hub.record_source, origin, head, asked)
    left = math.inf if asked.limit is None else asked.limit
    opening, between, closing = _frame(asked, origin)
    text, separator = opening, ""
    # Without `since`, nothing is missing before the oldest sample that there is.
    tells, restart = asked.since is not None, None
    if asked.since is not None and asked.since[0] != origin.generation:
        restart = Gap(asked.since[1], 0, None, "restart")
    while after < end and left > 0:
        count = int(min(PIECE_SAMPLES, end - after, left))
        batch = await hub.record_source.read(origin.generation, after, count)
        if not batch.records:
            raise RingError("what the ring holds is damaged")
        gap = batch.gap if tells else None
        if restart is not None:
            gap, restart = restart._replace(before=batch.records[0].seq), None
        for record in batch.records:
            if record.seq <= end or gap is not None:
                text += separator + _row(asked, record, origin, gap)
                separator, gap = between, None
        # Only what there is counts against the limit.
        left -= len(batch.records)
        after, tells = batch.records[-1].seq, True
        yield text.encode()
        text = ""
    yield (text + closing).encode()


def _frame(asked: History, origin: Origin) -> tuple[str, str, str]:
    """Return what stands before the rows, between them and after them."""
    if asked.format == "csv":
        return asked.notation.csv_header, "", ""
    if asked.format == "ndjson":
        return "", "", ""
    return f'{{"generation":"{origin.generation:016x}","samples":[\n', ",\n", "\n]}\n"


def _row(asked: History, record: Record, origin: Origin, gap: Gap | None) -> str:
    if asked.format == "csv":
        return row_csv(record, origin, gap, asked.notation) + "\n"
    text = row_json(record, origin, gap, asked.notation)
    return text + ("\n" if asked.format == "ndjson" else "")


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
    if asked.limit is not None and asked.since is None:
        after = max(after, head - asked.limit)
    return after, head


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
