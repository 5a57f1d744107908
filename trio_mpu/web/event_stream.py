"""`/events`: a subscription, as the pieces of an answer without end."""

from collections.abc import AsyncGenerator
from functools import partial
from typing import Final

import trio

from trio_mpu.fanout import sse
from trio_mpu.fanout.encoder import MAX_FLUSH_MS, MAX_RATE_HZ, MIN_RATE_HZ, StreamOptions
from trio_mpu.fanout.group import Chunk
from trio_mpu.web.app import App
from trio_mpu.web.pieces import Pieces
from trio_mpu.web.request import Request, number, switch

PARAMETERS: Final = ("last_event_id", "rate", "stats", "flush_ms")
# Bound "heartbeat, s".
HEARTBEAT_S: Final = 15.0  # nginx cuts a stream that is silent for 60 s


def events(request: Request, app: App) -> Pieces:
    """`/events`: the stream, in the form that was asked for. Raises RequestError."""
    generate = partial(_events, app, last_event_id(request), stream_options(request))
    headers = (("Cache-Control", "no-store"), ("X-Accel-Buffering", "no"))
    return Pieces("text/event-stream", generate, headers, endless=True)


def last_event_id(request: Request) -> str:
    """Return the id after which a client resumes. A browser that connects again may send two: the
    header has the newer one."""
    return request.headers.get("last-event-id") or request.query.get("last_event_id", "")


def stream_options(request: Request) -> StreamOptions:
    """Return the form of the stream that was asked for. Raises RequestError."""
    query = request.query
    rate_hz = number(query, "rate", MIN_RATE_HZ, MAX_RATE_HZ) or 0.0
    flush_ms = number(query, "flush_ms", 0, MAX_FLUSH_MS) or 0.0
    return StreamOptions(rate_hz, switch(query, "stats") and rate_hz > 0, int(flush_ms))


async def _events(
    app: App, last_id: str, options: StreamOptions, socket_fd: int | None
) -> AsyncGenerator[Chunk, None]:
    yield Chunk(sse.OPENING)
    heartbeat = Chunk(sse.HEARTBEAT)
    with app.stream(last_id, options) as subscription:
        subscription.socket_fd = socket_fd
        while True:
            chunk, position = heartbeat, subscription.at.position
            with trio.move_on_after(HEARTBEAT_S):
                try:
                    chunk = await subscription.next()
                except trio.EndOfChannel:
                    return
            if chunk is heartbeat and position != subscription.at.position:
                continue  # it was not silent: the hub has written into the socket itself
            yield chunk
