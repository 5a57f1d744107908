"""A client that leaves costs nothing afterwards."""

import gc
from collections.abc import AsyncGenerator

import pytest
import trio

from tests.helpers.fakes import reset, tcp_pair
from trio_mpu.errors import ClientGone
from trio_mpu.fanout.group import Chunk
from trio_mpu.metrics.counters import Metrics
from trio_mpu.web.pieces import send_pieces
from trio_mpu.web.transport import Transport


async def one_and_no_more() -> AsyncGenerator[Chunk, None]:
    """A stream in which nothing happens."""
    yield Chunk(b"event")
    await trio.sleep_forever()


async def leave() -> None:
    """A client takes an event and is gone: the reader beside the writer sees it."""
    async with tcp_pair() as (server, client), trio.open_nursery() as nursery:

        async def stream() -> None:
            with pytest.raises(ClientGone):
                await send_pieces(
                    Transport(server), one_and_no_more(), Metrics(), chunked=False, endless=True
                )

        nursery.start_soon(stream)
        assert await client.receive_some() == b"event"
        reset(client)


async def test_a_client_that_left_waits_for_no_collector() -> None:
    """The server lets Python look for garbage rarely, so its errors may hold no cycles."""
    await leave()
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        await leave()
        gc.collect()
        assert [error for error in gc.garbage if isinstance(error, ClientGone)] == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
