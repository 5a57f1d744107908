"""A subscription → one client, with a reader beside the writer.

The reader notices a client who leaves while there is nothing to write. What the client sends
meanwhile is thrown away, within a bound, and never answered.
"""

from typing import Final

import trio

from trio_mpu.errors import ClientGone
from trio_mpu.fanout import sse
from trio_mpu.fanout.chunked import framed
from trio_mpu.fanout.group import Chunk
from trio_mpu.fanout.subscription import Subscription
from trio_mpu.web.transport import Transport

# Bound "heartbeat, s".
HEARTBEAT_S: Final = 15.0  # nginx cuts a stream that is silent for 60 s
# Bound "bytes sent into a stream".
MAX_EXTRA_BYTES: Final = 65_536  # arbitrary: whoever sends more here speaks another protocol


async def stream_events(transport: Transport, subscription: Subscription, *, chunked: bool) -> None:
    """Write events until the hub is closed or the client says that it will send no more.

    Returns between two chunks, so that a proper end may follow. Raises ClientGone.
    """
    await _Stream(transport, subscription, chunked).run()


class _Stream:
    def __init__(self, transport: Transport, subscription: Subscription, chunked: bool) -> None:
        self._transport = transport
        self._subscription = subscription
        self._chunked = chunked
        self._gone: ClientGone | None = None
        if chunked:
            subscription.socket_fd = transport.socket_fd

    def _bytes_of(self, chunk: Chunk) -> bytes:
        if self._chunked and not chunk.framed:
            chunk.framed = framed(chunk.payload)
        return chunk.framed if self._chunked else chunk.payload

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read, nursery.cancel_scope)
            await self._write()
            nursery.cancel_scope.cancel()
        if self._gone is not None:
            raise self._gone

    async def _write(self) -> None:
        heartbeat = Chunk(sse.HEARTBEAT)
        while True:
            chunk, place = heartbeat, self._subscription.at.place
            with trio.move_on_after(HEARTBEAT_S):
                try:
                    chunk = await self._subscription.next()
                except trio.EndOfChannel:
                    return
            if chunk is heartbeat and place != self._subscription.at.place:
                continue  # it was not silent: the hub has handed chunks over
            try:
                await self._transport.send(self._bytes_of(chunk))
            except trio.Cancelled:
                self._gone = ClientGone("the client left in the middle of an event")
                raise
            except ClientGone as gone:
                self._gone = gone
                return

    async def _read(self, writer: trio.CancelScope) -> None:
        extra = 0
        try:
            while extra <= MAX_EXTRA_BYTES and (data := await self._transport.receive()):
                extra += len(data)
        except ClientGone as gone:
            self._gone = gone
        writer.cancel()
