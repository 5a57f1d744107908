"""Starlette with sse-starlette, for uvicorn: an EventSourceResponse and a queue per client.

The library takes bytes as they are, which is its fastest way: nothing is encoded per client.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from sse_starlette import EventSourceResponse  # type: ignore[import-not-found]  # see aiohttp_server
from starlette.applications import Starlette  # type: ignore[import-not-found]  # likewise
from starlette.requests import Request  # type: ignore[import-not-found]  # likewise
from starlette.routing import Route  # type: ignore[import-not-found]  # likewise

from benchmarks.peers.ticker import Ticker

_ticker = Ticker()


async def _all_of(queue: asyncio.Queue[bytes]) -> AsyncIterator[bytes]:
    try:
        while True:
            yield await queue.get()
    finally:
        _ticker.leave(queue)


async def _events(_: Request) -> EventSourceResponse:
    return EventSourceResponse(_all_of(_ticker.join()))


@contextlib.asynccontextmanager
async def _lifespan(_: Starlette) -> AsyncIterator[None]:
    task = asyncio.create_task(_ticker.run())
    yield
    task.cancel()


app = Starlette(routes=[Route("/events", _events)], lifespan=_lifespan)
