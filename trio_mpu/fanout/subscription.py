"""One subscriber's position in the stream.

A subscriber is either attached to its group, which offers it chunks, or behind, and then reads
the ring by itself (catch_up.py). An offered chunk goes one of two ways:

- If the task waits and nothing is queued, the chunk is written directly into the client's socket
  and the task sleeps on (direct_write.py).
- Otherwise it goes into a bounded memory channel that the task empties. This is the way for
  streams that are not sockets, for clients that are slow for a moment, and for the rest of a
  chunk that the socket did not take.

A gap that only this subscriber has can't be reported in bytes that all share. While it has one to
report, its next sample comes from the ring.

It may be cancelled anywhere: its position moves only when a chunk is handed out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import trio

from trio_mpu.fanout.catch_up import CatchUp
from trio_mpu.fanout.direct_write import DirectSocket
from trio_mpu.fanout.encoder import EVERY_SAMPLE, SSE, StreamOptions
from trio_mpu.fanout.group import Chunk
from trio_mpu.fanout.hub import Hub

# Bound "queue of a client, batches".
QUEUE_CHUNKS: Final = 64  # the bytes are shared; a chunk waiting costs a client 8 bytes


@contextmanager
def subscribe(
    hub: Hub,
    last_event_id: str = "",
    options: StreamOptions = EVERY_SAMPLE,
    address: str = "",
) -> Iterator["Subscription"]:
    """Open a subscription that starts right after that event, or else at the newest sample.
    `address` is the client's."""
    subscription = Subscription(hub, last_event_id, options, address)
    try:
        yield subscription
    finally:
        subscription.close()


class Subscription:
    """See above. If `socket` is set, the task writes what `next` returns, framed, to this
    socket, and nothing else; while the task waits in `next`, the hub may write in its place."""

    def __init__(self, hub: Hub, last_event_id: str, options: StreamOptions, address: str) -> None:
        self.socket: DirectSocket | None = None
        self.at = Chunk(b"")
        self._hub = hub
        self._group = hub.forms.join(options, address)
        self._catch_up = CatchUp(hub, self._group, last_event_id, address)
        self._address = address
        self._behind = True
        self._has_place = False  # among those of its address that catch up
        self._ended = False
        self._send, self._receive = trio.open_memory_channel[Chunk](QUEUE_CHUNKS)

    @property
    def offered_s(self) -> float:
        """When its group was offered something last, by trio's clock; the hub may have written it
        into the socket itself."""
        return self._group.offered_s

    def close(self) -> None:
        """Leave the hub."""
        self._hub.forms.leave(self._group, self)
        self._give_back_place()

    def end(self) -> None:
        """End this subscription alone, as closing the hub ends all: what is queued is still handed
        out."""
        self._ended = True
        self._group.detach(self, self.socket)
        self._group.news.unpark_all()
        self._hub.news.unpark_all()

    @property
    def _is_over(self) -> bool:
        return self._ended or self._hub.closed

    def offer(self, chunk: Chunk) -> bool:
        """Queue a chunk; False if there is no room, or a gap to report."""
        if self._catch_up.gap is not None:
            return False
        try:
            self._send.send_nowait(chunk)
        except trio.WouldBlock:
            self._hub.metrics.count("overflows")
            return False
        return True

    def detach(self) -> None:
        """Note that nothing more will be offered."""
        self._send.close()

    async def next(self) -> Chunk:
        """Return the next chunk, waiting for it if necessary.

        Raises trio.EndOfChannel when this subscription was ended, or the hub closed, and nothing is
        queued. Cancellation loses nothing.
        """
        while True:
            chunk = await (self._read_on() if self._behind else self._from_queue())
            if chunk is not None:
                self.at = chunk
                return chunk

    async def _from_queue(self) -> Chunk | None:
        try:
            chunk = self._receive.receive_nowait()
        except trio.WouldBlock:
            pass
        except trio.EndOfChannel:
            self._fall_behind()
            return None
        else:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return chunk
        socket = self.socket if self._catch_up.gap is None else None
        if socket is not None:
            self._group.sleep(self, socket)
        try:
            return await self._receive.receive()
        except trio.EndOfChannel:
            self._fall_behind()
            return None
        finally:
            if socket is not None:
                self._group.wake(self, socket)

    def _fall_behind(self) -> None:
        if self._is_over:
            raise trio.EndOfChannel
        self._behind = True
        self._catch_up.begin()

    async def _read_on(self) -> Chunk | None:
        """Continue from the ring; attach when there is nothing left to catch up on."""
        if self._is_over:
            raise trio.EndOfChannel
        self.at = self._catch_up.settle(self.at)
        is_complete = self._catch_up.is_complete(self.at)
        if is_complete and (self._knows_status() or self._hub.snapshot.record):
            return self._attach()
        if not self._catch_up.is_far(self.at):
            self._give_back_place()
        elif not self._has_place:
            await self._hub.resumes.take(self._address)
            self._has_place = True
            return None
        return await self._catch_up.read(self.at)

    def _give_back_place(self) -> None:
        if self._has_place:
            self._has_place = False
            self._hub.resumes.give_back(self._address)

    def _knows_status(self) -> bool:
        """Return whether the client knows the announced status, or can't be sent it among rows."""
        return self._group.options.format != SSE or self.at.status == self._hub.announced

    def _attach(self) -> Chunk | None:
        self._behind = False
        self._give_back_place()
        self._catch_up.end()
        self._send, self._receive = trio.open_memory_channel[Chunk](QUEUE_CHUNKS)
        self._group.attach(self)
        if self._knows_status():
            return None
        event = self._hub.status_event(self._group.options.notation)
        return Chunk(event, self.at.generation, self.at.seq, self._hub.announced)
