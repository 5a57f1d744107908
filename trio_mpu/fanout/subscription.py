"""One subscriber's position in the stream.

A subscriber is either attached to its group, which offers it chunks, or behind, and then reads
the ring by itself. An offered chunk goes one of two ways:

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
    """Open a subscription that starts right after that event, or else at the newest sample."""
    subscription = Subscription(hub, last_event_id, options)
    try:
        yield subscription
    finally:
        subscription.close()


class Subscription:
    """See above. If `socket_fd` is set, the task writes what `next` returns, framed, to this
    socket, and nothing else; while the task waits in `next`, the hub may write in its place."""

    def __init__(self, hub: Hub, last_event_id: str, options: StreamOptions) -> None:
        self.socket_fd: int | None = None
        self.at = Chunk(b"")
        self._hub = hub
        self._group = hub.join(options)
        self._last_event_id = last_event_id
        self._gap: Gap | None = None  # to be reported with the next sample
        self._reason = ""  # of a gap, should the ring overwrite what is next
        self._reading: _Reading | None = None  # while it is behind
        self._behind = True
        self._send, self._receive = trio.open_memory_channel[Chunk](QUEUE_CHUNKS)

    def close(self) -> None:
        """Leave the hub."""
        self._hub.leave(self._group, self)

    def offer(self, chunk: Chunk) -> bool:
        """Queue a chunk; False if there is no room, or a gap to report."""
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
        """Return the next chunk, waiting for it if necessary.

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
        """Continue from the ring; attach when there is nothing left to catch up on."""
        hub = self._hub
        if hub.closed:
            raise trio.EndOfChannel
        self._settle()
        if self._has_caught_up() and (self._knows_status() or hub.snapshot.record):
            return self._attach()
        await trio.lowlevel.checkpoint()  # so that subscribers that catch up take turns
        reading = self._reading = self._reading or _Reading(self.at.seq, self._new_encoder())
        if reading.after >= hub.head:
            await hub.news.park()
            return None
        try:
            batch = await hub.record_source.read(self.at.generation, reading.after, reading.limit)
        except RingError:
            await trio.sleep(RETRY_RING_S)
            return None
        # Meanwhile the hub may have switched to a ring with other samples under these numbers.
        if hub.origin.generation != self.at.generation:
            return None
        return self._encode(batch, reading)

    def _has_caught_up(self) -> bool:
        """Return whether the client has everything its group has sent, or can't get it any more."""
        if self._group.seq is None:
            return False
        at = self.at.seq
        if self._reading is not None and self._gap is not None:
            at = max(at, self._reading.seq)
        return at == self._group.seq

    def _knows_status(self) -> bool:
        """Return whether the client knows the announced status."""
        return self.at.status == self._hub.announced

    def _new_encoder(self) -> Encoder:
        return self._group.options.encoder(self._hub.origin, self._hub.ledger)

    def _settle(self) -> None:
        """Find the position in the ring that the hub publishes now."""
        generation, at = self._hub.origin.generation, self.at
        if generation == at.generation:
            return
        if at.generation == 0:
            cursor, self._gap = self._hub.cursor_after(self._last_event_id)
            self._reason = "lapped"
        else:
            # The ring that this position belongs to is gone; what was in it is unknown.
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
        """Return the records as a chunk; `reading` and the gap to report move on."""
        head, events, seq = self._hub.head, bytearray(), self.at.seq
        # The hub itself will offer what is newer than its head.
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
            # The ring has overwritten everything that was to be read: wait for what comes.
            self._gap = self._gap or Gap(reading.seq, 0, 0, self._reason)
            reading.after = reading.seq = min(batch.gap.before - 1, head) if batch.gap else head
        if seq > self.at.seq:
            return Chunk(bytes(events), self.at.generation, seq, self.at.status)
        return None

    def _gap_before(self, record: Record, last: int) -> Gap | None:
        """Return the gap to report with a record; it then counts as reported."""
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
    """How far a subscriber that is behind has got: it has encoded up to `seq`, and reads what
    comes after `after`.

    Reading begins before the cursor, because the first mean needs the earlier samples.
    """

    def __init__(self, cursor: int, encoder: Encoder) -> None:
        self.seq = cursor
        self.after = max(0, cursor - AVERAGE_SAMPLES + 1)
        self.limit = CATCH_UP_SAMPLES + cursor - self.after
        self.average = Average()
        self.encoder = encoder
