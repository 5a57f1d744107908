"""aiohttp: a StreamResponse per client, a queue per client, on uvloop."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

import uvloop  # type: ignore[import-not-found]  # peers are installed in benchmarks/.venv only
from aiohttp import web  # type: ignore[import-not-found]  # likewise

from benchmarks.peers.ticker import HEADERS, Ticker


def main(port: int) -> None:
    """Serve /events until a signal."""
    ticker = Ticker()

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=HEADERS)
        await response.prepare(request)
        queue = ticker.join()
        try:
            while True:
                await response.write(await queue.get())
        except ConnectionError:
            return response
        finally:
            ticker.leave(queue)

    async def ticking(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(ticker.run())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    app = web.Application()
    app.router.add_get("/events", events)
    app.cleanup_ctx.append(ticking)
    web.run_app(
        app,
        host="127.0.0.1",
        port=port,
        backlog=4096,
        access_log=None,
        print=None,
        loop=uvloop.new_event_loop(),
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
