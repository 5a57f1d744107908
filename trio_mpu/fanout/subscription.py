"""One subscriber's place in the stream.

It is either attached to its group, which offers it chunks, or behind, and reads the ring by
itself. An offer takes one of two ways:

- Its task waits, and nothing is queued: the chunk goes straight into the client's socket, and the
  task sleeps on (handover.py).
- Otherwise the chunk goes into a bounded memory channel that the task empties. So it is for
  streams that are no sockets, for clients that are slow for a moment, and for the rest of a chunk
  that the socket did not take.

A gap that only this subscriber has can't be told by bytes that all share. While it has one to
tell, the next sample comes to it from the ring.

It may be cancelled anywhere: its place moves only when a chunk is handed out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import trio

from trio_mpu.errors import RingError
from trio_mpu.fanout.encoder import EVERY_SAMPLE, Encoder, StreamOptions
from trio_mpu.fanout.group import Chunk
from trio_mpu.fanout.hub import Hub
from trio_mpu.fanout.moving_average import AVERAGE_SAMPLES, Average
from trio_mpu.record import Batch, Record
from trio_mpu.sample import Gap

# Bound "queue of a client, batches".
QUEUE_CHUNKS: Final = 64  # the bytes are shared; a chunk waiting costs a client 8 bytes
CATCH_UP_SAMPLES: Final = 128  # a chunk of some 50 kB, encoded in 2 ms
# Bound "retry of the ring, s".
RETRY_RING_S: Final = 0.1


@contextmanager
def subscribe(
    hub: Hub, last_event_id: str = "", options: StreamOptions = EVERY_SAMPLE
) -> Iterator["Subscription"]:
    """Open a subscription: right after that event, or from the newest sample on."""
    subscription = Subscription(hub, last_event_id, options)
    try:
        yield subscription
    finally:
        subscription.close()


class Subscription:
    """See above. `socket_fd`, if set, is where the task writes what `next` returns, framed, and
    nothing else; for as long as the task waits in `next`, the hub may do so in its place."""

    def __init__(self, hub: Hub, last_event_id: str, options: StreamOptions) -> None:
        self.socket_fd: int | None = None
        self.at = Chunk(b"")
        self._hub = hub
        self._group = hub.join(options)
        self._last_event_id = last_event_id
        self._gap: Gap | None = None  # to be told with the next sample
        self._reason = ""  # why, if the ring should have moved on
        self._reading: _Reading | None = None  # while it is behind
        self._behind = True
        self._send, self._receive = trio.open_memory_channel[Chunk](QUEUE_CHUNKS)

    def close(self) -> None:
        """Leave the hub."""
        self._hub.leave(self._group, self)

    def offer(self, chunk: Chunk) -> bool:
        """Queue a chunk; False if there is no room, or a gap is to be told."""
        if self._gap is not None:
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
        """Return the next chunk; wait for it if need be.

        Raises trio.EndOfChannel when the hub is closed and nothing is queued. Cancellation loses
        nothing.
        """
        while True:
            chunk = await (self._catch_up() if self._behind else self._from_queue())
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
        fd = self.socket_fd if self._gap is None else None
        if fd is not None:
            self._group.sleep(self, fd)
        try:
            return await self._receive.receive()
        except trio.EndOfChannel:
            self._fall_behind()
            return None
        finally:
            if fd is not None:
                self._group.wake(self, fd)

    def _fall_behind(self) -> None:
        if self._hub.closed:
            raise trio.EndOfChannel
        self._behind, self._reason, self._reading = True, "slow", None

    async def _catch_up(self) -> Chunk | None:
        """Read on from the ring; attach when there is no need any more."""
        hub = self._hub
        if hub.closed:
            raise trio.EndOfChannel
        self._settle()
        if self._has_caught_up() and (self._knows_status() or hub.snapshot.record):
            return self._attach()
        await trio.lowlevel.checkpoint()  # so that many who catch up take turns
        reading = self._reading = self._reading or _Reading(self.at.seq, self._new_encoder())
        if reading.after >= hub.head:
            await hub.news.park()
            return None
        try:
            batch = await hub.record_source.read(self.at.generation, reading.after, reading.limit)
        except RingError:
            await trio.sleep(RETRY_RING_S)
            return None
        # Meanwhile the hub may have gone over to a ring that has other samples by these numbers.
        if hub.origin.generation != self.at.generation:
            return None
        return self._encode(batch, reading)

    def _has_caught_up(self) -> bool:
        """Tell whether the client has all that its group has been given, or can't have it."""
        if self._group.seq is None:
            return False
        at = self.at.seq
        if self._reading is not None and self._gap is not None:
            at = max(at, self._reading.seq)
        return at == self._group.seq

    def _knows_status(self) -> bool:
        """Tell whether the client needs not be told the stream's status (with a sample, if so)."""
        return self.at.status == self._hub.announced

    def _new_encoder(self) -> Encoder:
        return self._group.options.encoder(self._hub.origin, self._hub.ledger)

    def _settle(self) -> None:
        """Find the place in the ring that the hub publishes now."""
        generation, at = self._hub.origin.generation, self.at
        if generation == at.generation:
            return
        if at.generation == 0:
            cursor, self._gap = self._hub.cursor_after(self._last_event_id)
            self._reason = "lapped"
        else:
            # The ring that this place belongs to is gone; nobody can say what was in it.
            last = self._gap.after if self._gap else at.seq
            self._gap, cursor = Gap(last, 0, None, "restart"), 0
        self.at, self._reading = Chunk(b"", generation, cursor, at.status), None

    def _attach(self) -> Chunk | None:
        self._behind, self._reading = False, None
        self._send, self._receive = trio.open_memory_channel[Chunk](QUEUE_CHUNKS)
        self._group.attach(self)
        if self._knows_status():
            return None
        event = self._hub.status_event()
        return Chunk(event, self.at.generation, self.at.seq, self._hub.announced)

    def _encode(self, batch: Batch, reading: "_Reading") -> Chunk | None:
        """Return what the records become; `reading` and the gap to be told move on."""
        head, events, seq = self._hub.head, bytearray(), self.at.seq
        # What is newer than the hub's head comes from there.
        records = [record for record in batch.records if record.seq <= head]
        for record in records:
            if seq == self._group.seq:
                break
            mean = reading.average.add(record)
            if record.seq > reading.seq:
                gap = self._gap_before(record, reading.seq)
                events += reading.encoder.add(record, mean, gap)
                seq = reading.encoder.seq or seq
                reading.seq = record.seq
            reading.after = record.seq
        if not records:
            # The ring has nothing any more of what was to be read: wait for what comes.
            self._gap = self._gap or Gap(reading.seq, 0, 0, self._reason)
            reading.after = reading.seq = min(batch.gap.before - 1, head) if batch.gap else head
        if seq > self.at.seq:
            return Chunk(bytes(events), self.at.generation, seq, self.at.status)
        return None

    def _gap_before(self, record: Record, last: int) -> Gap | None:
        """Return the gap to be told with a record, which is then taken for told."""
        gap, self._gap = self._gap, None
        if gap is None and record.seq == last + 1:
            return None
        gap = gap or Gap(last, 0, 0, self._reason)
        lost = None if gap.lost is None else record.seq - gap.after - 1
        kind = "slow" if gap.reason == "slow" else "resume"
        self._hub.metrics.count(f"gaps_{kind}")
        self._hub.metrics.count(f"{kind}_lost", lost or 0)
        return gap._replace(before=record.seq, lost=lost)


class _Reading:
    """Where a subscriber that is behind has got to: past `seq`, and `after` what it reads next.

    It begins earlier than the cursor, because the first mean needs the samples before.
    """

    def __init__(self, cursor: int, encoder: Encoder) -> None:
        self.seq = cursor
        self.after = max(0, cursor - AVERAGE_SAMPLES + 1)
        self.limit = CATCH_UP_SAMPLES + cursor - self.after
        self.average = Average()
        self.encoder = encoder
