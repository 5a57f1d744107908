"""`/events`: a subscription, as the pieces of an answer without end."""

import math
from collections.abc import AsyncGenerator
from functools import partial
from typing import Final

import trio

from trio_mpu.errors import RequestError
from trio_mpu.fanout import sse
from trio_mpu.fanout.direct_write import DirectSocket
from trio_mpu.fanout.encoder import (
    FORMATS,
    MAX_FLUSH_MS,
    MAX_RATE_HZ,
    MIN_RATE_HZ,
    SSE,
    StreamOptions,
)
from trio_mpu.fanout.group import Chunk
from trio_mpu.fanout.hub import EARLIEST
from trio_mpu.formats import event_id
from trio_mpu.web import history
from trio_mpu.web.app import App
from trio_mpu.web.pieces import Pieces
from trio_mpu.web.request import NOTATION, Request, notation, number, switch

# The cursor goes by many names: ours, and those of clients and polyfills that can't send the header.
CURSORS: Final = ("last_event_id", "lastEventId", "Last-Event-ID", "evs_last_event_id")
PARAMETERS: Final = (*CURSORS, "format", "rate", "stats", "flush_ms", *NOTATION)
TYPES: Final = {
    SSE: "text/event-stream",
    "csv": history.TYPES["csv"],
    "ndjson": history.TYPES["ndjson"],
}
# Bound "heartbeat, s".
HEARTBEAT_S: Final = 15.0  # nginx cuts a stream that is silent for 60 s


def events(request: Request, app: App) -> Pieces:
    """`/events`: the stream, in the form that was asked for. Raises RequestError."""
    asked, options = last_event_id(request), stream_options(request)
    headers = [("Cache-Control", "no-store, no-transform"), ("X-Accel-Buffering", "no")]
    generation = app.hub.origin.generation
    if generation:
        # What the client is told here has to be what it gets, so the place is settled now.
        cursor, gap = app.hub.cursor_after(asked, options)
        after = event_id(generation, cursor)
        headers.append(("Last-Event-ID", after))
        if gap is None and asked != EARLIEST:
            asked = after
    generate = partial(_events, app, request, asked, options)
    return Pieces(TYPES[options.format], generate, tuple(headers), endless=True)


def last_event_id(request: Request) -> str:
    """Return the id after which a client resumes, "" for none. A browser that reconnects may send
    two: the header has the newer one. Raises RequestError if the query itself has two.

    Some libraries add their header to one that their user gave, and what passes both on may join
    them with commas (RFC 9110, section 5.3): the last one is the newest.
    """
    if header := request.headers.get("last-event-id", "").rpartition(",")[2].strip():
        return header
    given = {name: request.query[name] for name in CURSORS if request.query.get(name)}
    if len(set(given.values())) > 1:
        raise RequestError(400, f"{' and '.join(given)} disagree: give one of them")
    return next(iter(given.values()), "")


def stream_options(request: Request) -> StreamOptions:
    """Return the form of the stream that was asked for. Raises RequestError."""
    query = request.query
    rate_hz = number(query, "rate", MIN_RATE_HZ, MAX_RATE_HZ) or 0.0
    flush_ms = number(query, "flush_ms", 0, MAX_FLUSH_MS) or 0.0
    stats = switch(query, "stats") and rate_hz > 0
    if (kind := query.get("format", SSE)) not in FORMATS:
        raise RequestError(400, f"format is one of {', '.join(FORMATS)}")
    if kind != SSE and rate_hz:
        # A row does not say that it is a mean: replay: would take it for a sample.
        raise RequestError(400, f"format={kind} has every sample, without rate")
    return StreamOptions(rate_hz, stats, int(flush_ms), notation(query), kind)


async def _events(
    app: App,
    request: Request,
    last_id: str,
    options: StreamOptions,
    socket: DirectSocket | None,
) -> AsyncGenerator[Chunk, None]:
    is_sse = options.format == SSE
    opening = {SSE: sse.OPENING, "csv": options.notation.csv_header.encode(), "ndjson": b""}
    # Rows have nothing that their readers would pass over: no heartbeats then.
    heartbeat_s = HEARTBEAT_S if is_sse else math.inf
    with app.stream(last_id, options, request.address, app.admit(request)) as subscription:
        # From here on it can be refused no more.
        yield Chunk(opening[options.format])
        subscription.socket = socket
        sent_s = trio.current_time()
        while True:
            chunk = Chunk(sse.HEARTBEAT)
            with trio.move_on_at(sent_s + heartbeat_s) as silence:
                try:
                    chunk = await subscription.next()
                except trio.EndOfChannel:
                    return
            if silence.cancelled_caught and subscription.offered_s > sent_s:
                sent_s = subscription.offered_s  # it was not silent for so long
                continue
            yield chunk
            sent_s = trio.current_time()
