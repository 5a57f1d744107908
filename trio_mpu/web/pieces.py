"""An answer that comes in pieces: what it is, and how it is sent."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import trio

from trio_mpu.errors import ClientGone
from trio_mpu.fanout.chunked import framed
from trio_mpu.fanout.direct_write import DirectSocket
from trio_mpu.fanout.group import Chunk
from trio_mpu.metrics.counters import Metrics
from trio_mpu.web.answer import Answer, Headers
from trio_mpu.web.transport import Transport

# Bound "bytes sent into a stream".
MAX_EXTRA_BYTES: Final = 65_536  # arbitrary: who sends more here speaks another protocol


@dataclass(frozen=True)
class Pieces:
    """An answer whose end is open, or with `length`, the sum of its pieces, for Content-Length.

    `generate` is given the client's socket where something else may write there while the next piece
    is waited for (fanout's direct writes), else None. An `endless` answer ends
    when the client leaves, and closes the connection.

    It may raise RequestError, RingError or StoreError. The head is sent with the first piece: an
    error before it is answered, by its status or with 503; a later one breaks the answer off.
    """

    content_type: str
    generate: Callable[[DirectSocket | None], AsyncGenerator[Chunk, None]]
    headers: Headers = ()
    endless: bool = False
    status: int = 200
    length: int | None = None


@dataclass(frozen=True)
class Deferred:
    """An answer that has to be awaited, also for HEAD. `make` may raise what `Pieces.generate` may;
    there is no checkpoint between its return and the first step of what `Pieces.generate` gives."""

    make: Callable[[], Awaitable[Answer | Pieces]]


@dataclass(frozen=True)
class FromBody:
    """An answer that is made of the request's body, whole and of `most_bytes` at most: more is a 413.
    `make` may raise RequestError."""

    make: Callable[[bytes], Answer]
    most_bytes: int


async def send_pieces(
    transport: Transport,
    pieces: AsyncGenerator[Chunk, None],
    metrics: Metrics,
    *,
    chunked: bool,
    endless: bool,
) -> None:
    """Send the pieces to their end, and count their bytes; those of an endless answer, until the
    client leaves.

    Returns between two pieces, so that a proper end may follow. Raises ClientGone, and what the
    pieces raise.
    """
    sender = _Sender(transport, metrics, chunked)
    if endless:
        await sender.send_while_client_stays(pieces)
    else:
        await sender.send(pieces)


class _Sender:
    def __init__(self, transport: Transport, metrics: Metrics, chunked: bool) -> None:
        self._transport = transport
        self._metrics = metrics
        self._chunked = chunked
        self._gone: ClientGone | None = None

    async def send(self, pieces: AsyncGenerator[Chunk, None]) -> None:
        async for chunk in pieces:
            if self._chunked and chunk.payload and not chunk.framed:
                chunk.framed = framed(chunk.payload)
            data = chunk.framed if self._chunked else chunk.payload
            try:
                await self._transport.send(data)
                self._metrics.count("sent_bytes", len(data))
            except trio.Cancelled:
                self._gone = ClientGone("the client left in the middle of an event")
                raise

    async def send_while_client_stays(self, pieces: AsyncGenerator[Chunk, None]) -> None:
        """A reader beside the writer notices a client that leaves while there is nothing to
        write. What the client sends meanwhile is thrown away, within a bound."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read, nursery.cancel_scope)
            try:
                await self.send(pieces)
            except ClientGone as gone:
                self._gone = gone
            nursery.cancel_scope.cancel()
        if (reason := self._gone) is not None:
            self._gone = None
            try:
                raise reason
            finally:
                del reason  # or it holds the frame that holds it, and both wait for the collector

    async def _read(self, writer: trio.CancelScope) -> None:
        extra = 0
        try:
            while extra <= MAX_EXTRA_BYTES and (data := await self._transport.receive()):
                extra += len(data)
        except ClientGone as gone:
            self._gone = gone
        writer.cancel()
