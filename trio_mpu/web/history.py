"""`/history`: what ring and store hold, in pieces."""

import contextlib
import time
import zlib
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Final, Protocol

from trio_mpu.errors import RequestError
from trio_mpu.fanout.group import Chunk
from trio_mpu.formats import Origin, row_csv, row_json
from trio_mpu.record import Record
from trio_mpu.sample import Gap
from trio_mpu.web.answer import Headers
from trio_mpu.web.app import App
from trio_mpu.web.asked import History
from trio_mpu.web.exports import EXPORTS, Export
from trio_mpu.web.past import Selection, select
from trio_mpu.web.pieces import PIECE_SAMPLES, Pieces
from trio_mpu.web.points import point_pieces
from trio_mpu.web.reader import Reader
from trio_mpu.web.request import Request, accepts_gzip
from trio_mpu.web.stretch import newest_stretch, stretch_pieces

TYPES: Final = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8; header=present",
    "ndjson": "application/x-ndjson",
    **{name: export.content_type for name, export in EXPORTS.items()},
}
GZIP_LEVEL: Final = 1  # a sixth of the bytes; higher levels gain a tenth for thrice the time
_GZIP_FORMAT: Final = 31  # zlib: the largest window, and gzip's header


class Compressor(Protocol):
    """What zlib.compressobj() returns; it has no public name."""

    def compress(self, data: bytes, /) -> bytes:
        """Take data in; return what of it is compressed by now."""
        ...

    def flush(self) -> bytes:
        """Return the rest, and the end."""
        ...


def past(request: Request, app: App) -> Pieces:
    """`/history`: what ring and store hold. Raises RequestError, also before the first sample."""
    asked = History.of(request)
    if app.hub.snapshot.record is None and app.stored is None:
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
    prepare = None
    make: Callable[[], AsyncGenerator[bytes, None]]
    if (export := EXPORTS.get(asked.format)) is not None:
        exported = _Exported(app, asked, export, request.address)
        make, prepare = exported.pieces, exported.prepare
    elif asked.points is not None:
        make = partial(point_pieces, app, asked, request.address)
    else:
        make = partial(pieces, app, asked, request.address)
    generate = partial(_compressed, app, make, request.address, compressor)
    return Pieces(TYPES[asked.format], generate, headers, prepare=prepare)


def _file_name(asked: History) -> str:
    """Return the name under which a browser saves the answer: sorted by time."""
    export = EXPORTS.get(asked.format)
    suffix = asked.format if export is None else export.suffix
    return f"trio-mpu-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.{suffix}"


async def _compressed(
    app: App,
    make: Callable[[], AsyncGenerator[bytes, None]],
    address: str,
    compressor: Compressor | None,
    _fd: int | None,
) -> AsyncGenerator[Chunk, None]:
    """Yield the pieces, compressed if that is wanted."""
    async with contextlib.aclosing(make()) as plain:
        async for piece in plain:
            if compressor is not None:
                async with app.hub.turns.slice(address):
                    piece = compressor.compress(piece)  # noqa: PLW2901 - the same, smaller
            yield Chunk(piece)
    if compressor is not None:
        yield Chunk(compressor.flush())


class _Exported:
    """An answer in a form that has no gaps: first look how far back it can go, then give it."""

    def __init__(self, app: App, asked: History, export: Export, address: str) -> None:
        self._app, self._asked, self._export, self._address = app, asked, export, address
        self._stretch: Selection

    async def prepare(self) -> Headers:
        """Return the header that says how much of what was asked for is left out."""
        hub, stored, address = self._app.hub, self._app.stored, self._address
        whole = await select(hub, stored, self._asked, address)
        self._stretch, left_out = await newest_stretch(hub, stored, whole, address)
        return (("Samples-Left-Out", str(left_out)),)

    def pieces(self) -> AsyncGenerator[bytes, None]:
        """Return the file, piece by piece."""
        hub, stored = self._app.hub, self._app.stored
        return stretch_pieces(hub, stored, self._stretch, self._export, self._address)


async def pieces(app: App, asked: History, address: str) -> AsyncGenerator[bytes, None]:
    """Yield the answer piece by piece, from what ring and store hold now; what is measured
    meanwhile is left out, so there is an end. Each piece is made when it is this address's turn.

    What is missing after `since`, and what the ring loses while a slow client reads, is told in
    the first row after it, even where that row is one of those measured meanwhile. Raises
    RingError when the ring is replaced in the middle, or can't be read, and StoreError.
    """
    hub = app.hub
    opening, between, closing = _frame(asked, hub.origin)
    selection = await select(hub, app.stored, asked, address)
    reader = Reader(hub, app.stored, selection, address)
    text, separator = opening, ""
    while True:
        await reader.fetch()
        async with hub.turns.slice(address):
            piece = await reader.next(PIECE_SAMPLES)
            if piece is None:
                break
            gap = piece.gap
            for record in piece.records:
                text += separator + _row(asked, record, piece.origin, gap)
                separator, gap = between, None
        if text:
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
