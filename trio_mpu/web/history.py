"""`/history`: what ring and store hold, in pieces, or as a file of which clients may ask for parts."""

import contextlib
import zlib
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Final, Protocol

import trio

from trio_mpu.errors import RequestError
from trio_mpu.fanout.group import Chunk
from trio_mpu.history import mcap
from trio_mpu.history.asked import History
from trio_mpu.history.exports import EXPORTS
from trio_mpu.history.mcap_pieces import mcap_pieces
from trio_mpu.history.past import Selection, count, newest_time_ns, select
from trio_mpu.history.points import point_pieces
from trio_mpu.history.rows import row_pieces
from trio_mpu.history.stretch import newest_stretch, stretch_pieces
from trio_mpu.web.answer import Answer, Headers
from trio_mpu.web.app import MAX_HISTORIES, App
from trio_mpu.web.file_name import file_name
from trio_mpu.web.history_query import history_of
from trio_mpu.web.known_file import canonical, known_file
from trio_mpu.web.pieces import Deferred, Pieces
from trio_mpu.web.request import Request, accepts_gzip
from trio_mpu.web.spool import MAX_SPOOL_BYTES, NO_ROOM_STATUS

TYPES: Final = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8; header=present",
    "ndjson": "application/x-ndjson",
    **{name: export.content_type for name, export in EXPORTS.items()},
    "mcap": mcap.CONTENT_TYPE,
}
# At most, of a sample or a point, besides the device's name.
_BYTES: Final = {"json": 450, "csv": 300, "ndjson": 450, "klipper": 80, "gcsv": 120}
_ATTITUDE_BYTES: Final = 250
_POINT_BYTES: Final = 1000
# Bound "wait for a place among them, s".
PLACE_S: Final = 10.0
GZIP_LEVEL: Final = 1  # a sixth of the bytes; higher levels gain a tenth for thrice the time
_GZIP_FORMAT: Final = 31  # zlib: the largest window, and gzip's header

_OF_FILE: Final = ("range", "if-match", "if-none-match")

Make = Callable[[], AsyncGenerator[bytes, None]]


class Compressor(Protocol):
    """What zlib.compressobj() returns; it has no public name."""

    def compress(self, data: bytes, /) -> bytes:
        """Take data in; return what of it is compressed by now."""
        ...

    def flush(self) -> bytes:
        """Return the rest, and the end."""
        ...


def past(request: Request, app: App) -> Deferred:
    """`/history`: what ring and store hold. Raises RequestError, also before the first sample."""
    asked = history_of(request)
    if app.hub.snapshot.record is None and app.past.stored is None:
        raise RequestError(503, app.hub.snapshot.reason)
    return Deferred(partial(_answer, request, app, asked))


async def _answer(request: Request, app: App, asked: History) -> Answer | Pieces:
    """Return the answer. Raises RequestError, RingError and StoreError."""
    address = request.address
    if asked.format == "mcap":
        await trio.to_thread.run_sync(mcap.load_library)
    selection = await select(app.past, asked, address)
    end_ns = await _end_ns(app, asked, address)
    headers = _headers(app, asked, selection, end_ns)
    # A part is of the bytes as they are: what is compressed is given as a whole.
    compresses = accepts_gzip(request) and "range" not in request.headers
    compresses = compresses and asked.format != "mcap"
    known = not compresses and _has_known_end(asked, end_ns)
    known = known and await _fits(app, asked, selection, address)
    make: Make
    if asked.points is not None:
        make = partial(point_pieces, app.past, asked, address)
    elif asked.format == "mcap":
        make = partial(mcap_pieces, app.past, selection, address, None if known else app.ledger)
    elif (export := EXPORTS.get(asked.format)) is not None:
        selection, left_out = await newest_stretch(app.past, selection, address)
        headers = (*headers, ("Samples-Left-Out", str(left_out)))
        make = partial(stretch_pieces, app.past, selection, export, address)
    else:
        make = partial(row_pieces, app.past, asked, selection, address)
    kind = TYPES[asked.format]
    key = canonical(request)
    needs_file = _needs_file(request)
    # Without room for a file, all of an answer can still be sent.
    if known and (needs_file or app.spools.has_room(key)):
        # A client may keep it, and ask whether it is still the same.
        of_file = (("Cache-Control", "no-cache"), *headers)
        try:
            return await known_file(app, request, key, kind, of_file, make)
        except RequestError as error:
            if needs_file or error.status != NO_ROOM_STATUS:
                raise
    headers = (("Cache-Control", "no-store"), *headers)
    make = partial(_in_its_place, app, address, make)
    return _in_pieces(app, make, kind, headers, address if compresses else None)


def _in_pieces(app: App, make: Make, kind: str, headers: Headers, gzips_as: str | None) -> Pieces:
    """Return an answer that is sent as it is read; compressed, in this address's turn, if one is
    given."""
    if gzips_as is None:
        return Pieces(kind, partial(_plain, make), headers)
    generate = partial(_compressed, app, make, gzips_as)
    return Pieces(kind, generate, (*headers, ("Content-Encoding", "gzip")))


async def _in_its_place(app: App, address: str, make: Make) -> AsyncGenerator[bytes, None]:
    """Give the pieces, as one of the answers that this address may be sent at a time. Raises
    RequestError if there was no place for so long."""
    with trio.move_on_after(PLACE_S) as patience:
        await app.histories.take(address)
    if patience.cancelled_caught:
        app.metrics.count("history_refused")
        raise RequestError(503, f"{MAX_HISTORIES} answers from history are on their way to you")
    try:
        async with contextlib.aclosing(make()) as pieces:
            async for piece in pieces:
                yield piece
    finally:
        app.histories.give_back(address)


def _headers(app: App, asked: History, selection: Selection, end_ns: int | None) -> Headers:
    return (
        ("Content-Disposition", f'attachment; filename="{file_name(asked, end_ns)}"'),
        # CSV has no column for it, and a later `since` needs it.
        ("Ring-Generation", f"{selection.newest_generation(app.hub):016x}"),
        ("Vary", "Accept-Encoding"),
    )


async def _end_ns(app: App, asked: History, address: str) -> int | None:
    """Return when the answer ends, as far as that is measured by now; None if nothing is. Raises
    StoreError."""
    newest_ns = await newest_time_ns(app.past, address)
    if newest_ns is None or asked.to_ns is None:
        return newest_ns
    return min(asked.to_ns, newest_ns)


def _has_known_end(asked: History, end_ns: int | None) -> bool:
    """Return whether all that is asked for has been measured by now."""
    begins = (asked.from_ns, asked.seconds, asked.since)
    if asked.to_ns is None or all(begin is None for begin in begins):
        return False
    return asked.to_ns == end_ns


def _needs_file(request: Request) -> bool:
    """Return whether only a file can be the answer: a part, its length, or whether it is the same."""
    return request.method == "HEAD" or any(name in request.headers for name in _OF_FILE)


async def _fits(app: App, asked: History, selection: Selection, address: str) -> bool:
    """Return whether the answer is small enough for a file of its own."""
    if asked.points is not None:
        return asked.points * _POINT_BYTES <= MAX_SPOOL_BYTES
    sample_bytes = mcap.sample_bytes() if asked.format == "mcap" else _BYTES[asked.format]
    if asked.notation.attitude:
        sample_bytes += _ATTITUDE_BYTES
    if asked.format not in EXPORTS:
        sample_bytes += selection.longest_source(app.hub)
    samples = await count(app.past, selection, address)
    return samples * sample_bytes <= MAX_SPOOL_BYTES


async def _plain(make: Make, _fd: int | None) -> AsyncGenerator[Chunk, None]:
    async with contextlib.aclosing(make()) as pieces:
        async for piece in pieces:
            yield Chunk(piece)


async def _compressed(
    app: App, make: Make, address: str, _fd: int | None
) -> AsyncGenerator[Chunk, None]:
    # It has some 300 kB, so not before there is something to compress.
    compressor: Compressor | None = None
    async with contextlib.aclosing(make()) as pieces:
        async for piece in pieces:
            async with app.hub.turns.slice(address):
                compressor = compressor or _compressor()
                compressed = compressor.compress(piece)
            yield Chunk(compressed)
    yield Chunk((compressor or _compressor()).flush())


def _compressor() -> Compressor:
    return zlib.compressobj(GZIP_LEVEL, wbits=_GZIP_FORMAT)
