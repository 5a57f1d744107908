"""The newest samples → every subscriber, waiting for none.

Invariants:

1. Nothing here awaits a client. A batch is encoded once; the same bytes are offered to each
   subscriber's own memory channel.
2. The ring is the real queue. A channel holds QUEUE_CHUNKS chunks; a subscriber whose channel
   is full is let go ("behind"), empties it, and reads on from the ring at its own cursor until
   it has caught up with the hub. Then it is attached again. Only when the ring itself has moved
   on is it told of a gap.
3. Attached subscribers stand exactly at `Hub.head`: each has been given every sample up to it.
   A subscriber becomes attached only when its cursor is `Hub.head`, with no checkpoint between
   the comparison and the attaching. So joining, resuming and catching up are one and the same,
   and none of them can skip or repeat a sample.
4. A gap that only one subscriber has can't be told by the bytes that all share. While it has
   one to tell, the next sample comes to it from the ring.

A subscriber may be cancelled anywhere: its cursor moves only when a chunk is handed out.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import trio

from trio_mpu import sse
from trio_mpu.average import AVERAGE_SAMPLES, Average
from trio_mpu.errors import RingError
from trio_mpu.formats import Origin, event_id, gap_of, parse_event_id, sample_json
from trio_mpu.layout import Batch, Record
from trio_mpu.metrics import Metrics
from trio_mpu.sample import Gap
from trio_mpu.snapshot import WAITING, Snapshot

QUEUE_CHUNKS: Final = 64  # the bytes are shared; a chunk waiting costs a client 8 bytes
CATCH_UP_SAMPLES: Final = 128  # a chunk of some 50 kB, encoded in 2 ms
RETRY_RING_S: Final = 0.1


class Past(Protocol):
    """The samples that the ring still holds."""

    async def read(self, generation: int, after: int, limit: int) -> Batch:
        """Return the oldest records above `after`, as RingReader.read does.

        Raises RingError when they can't be had now, or no more: another ring is open.
        """
        ...


@dataclass(slots=True, eq=False)
class Chunk:
    """Whole events, after which the receiver has seen sample `seq` and been told `status`."""

    payload: bytes
    generation: int = 0
    seq: int = 0
    status: str = ""
    framed: bytes = b""  # as a chunk of HTTP/1.1, by whoever needs it first


class Hub:
    """Fans out what the pump publishes."""

    def __init__(self, past: Past, metrics: Metrics) -> None:
        self.past = past
        self.metrics = metrics
        self.snapshot = Snapshot(WAITING, "the server has just started")
        self.head = 0
        self.ledger: dict[str, int] = {}  # the producer's counters, as last read
        self.closed = False
        self.told = "ok"  # the status that all attached subscribers know
        self._average = Average()
        self._attached: set[Subscription] = set()

    @property
    def origin(self) -> Origin:
        """Generation and source of the ring that is being published."""
        return self.snapshot.origin

    def begin(self, origin: Origin, earlier: Iterable[Record]) -> None:
        """Start publishing a ring; `earlier` are its records that count as published already."""
        records = list(earlier)
        self._average = Average(records[:-1])
        self.snapshot = Snapshot(WAITING, "no sample yet", origin)
        # Whoever is attached to another ring goes over to this one by way of the ring.
        for subscriber in list(self._attached):
            self._let_go(subscriber)
        self.head = 0
        if records:
            self._advance(records[-1])

    def publish(self, batch: Batch) -> None:
        """Give the records of a batch to all attached subscribers."""
        events = []
        for record in batch.records:
            missed = record.seq - self.head - 1
            gap = Gap(self.head, record.seq, missed, "lapped") if missed else None
            self.metrics.count("gaps_lapped", int(missed > 0))
            self._advance(record)
            events.append(_event(record, self.snapshot.average, self.origin, gap))
        if events:
            self.metrics.count("events", len(events))
            self._offer(self._chunk(b"".join(events)))

    def _advance(self, record: Record) -> None:
        self.head = record.seq
        self.snapshot = self.snapshot._replace(record=record, average=self._average.add(record))

    def judge(self, status: str, reason: str) -> None:
        """Set the stream's status, and tell everyone when it has changed."""
        self.snapshot = self.snapshot._replace(status=status, reason=reason)
        if status not in (WAITING, self.told):
            self.told = status
            self._offer(self.status_chunk())

    def status_chunk(self) -> Chunk:
        """Return the event that tells the last status, with the newest sample."""
        record = self.snapshot.record
        assert record is not None
        text = sample_json(record, self.snapshot.average, self.origin, self.told)
        return self._chunk(sse.event(text, name="status"))

    def _chunk(self, payload: bytes) -> Chunk:
        return Chunk(payload, self.origin.generation, self.head, self.told)

    def _offer(self, chunk: Chunk) -> None:
        for subscriber in list(self._attached):
            if not subscriber.offer(chunk):
                self._let_go(subscriber)

    @contextmanager
    def subscribe(self, last_event_id: str = "") -> Iterator["Subscription"]:
        """Open a subscription: right after that event, or from the newest sample on.

        An id that is no id, or one that was never given, counts as none.
        """
        subscription = Subscription(self, last_event_id)
        try:
            yield subscription
        finally:
            self._attached.discard(subscription)

    def place(self, last_event_id: str) -> tuple[int, Gap | None]:
        """Return the cursor that an event id asks for, and the gap to be told from the start."""
        newest = max(0, self.head - 1)
        last = parse_event_id(last_event_id)
        if last is None:
            return newest, None
        generation, seq = last
        if generation != self.origin.generation:
            return newest, Gap(seq, newest + 1, None, "restart")
        return (seq if seq <= self.head else newest), None

    def attach(self, subscriber: "Subscription") -> None:
        """Let a subscriber that stands at `head` take part from the next batch on."""
        self._attached.add(subscriber)

    def _let_go(self, subscriber: "Subscription") -> None:
        self._attached.discard(subscriber)
        subscriber.end_of_queue()

    @property
    def attached(self) -> int:
        """How many subscribers are up to date."""
        return len(self._attached)

    def close(self) -> None:
        """End all subscriptions, now and for ever: what is queued is still handed out."""
        self.closed = True
        for subscriber in list(self._attached):
            self._let_go(subscriber)


class Subscription:
    """One subscriber's place in the stream."""

    def __init__(self, hub: Hub, last_event_id: str) -> None:
        self._hub = hub
        self._last_event_id = last_event_id
        self._generation = 0  # 0: not placed yet, because there is no ring yet
        self._cursor = 0
        self._status = "ok"  # what it has been told; nothing means that
        self._gap: Gap | None = None  # to be told with the next sample
        self._reason = ""  # why, if the ring should have moved on
        self._behind = True
        self._send, self._receive = trio.open_memory_channel[Chunk](QUEUE_CHUNKS)

    def offer(self, chunk: Chunk) -> bool:
        """Queue a chunk; False if there is no room, or a gap is to be told first."""
        if self._gap is None:
            try:
                self._send.send_nowait(chunk)
            except trio.WouldBlock:
                self._hub.metrics.count("overflows")
            else:
                return True
        return False

    def end_of_queue(self) -> None:
        """Note that nothing more will be offered."""
        self._send.close()

    async def next(self) -> Chunk:
        """Return the next chunk; wait for it if need be.

        Raises trio.EndOfChannel when the hub is closed and nothing is queued. Cancellation
        loses nothing.
        """
        while True:
            chunk = await (self._catch_up() if self._behind else self._from_queue())
            if chunk is not None:
                self._generation, self._cursor = chunk.generation, chunk.seq
                self._status = chunk.status
                return chunk

    async def _from_queue(self) -> Chunk | None:
        try:
            return await self._receive.receive()
        except trio.EndOfChannel:
            if self._hub.closed:
                raise
        self._behind, self._reason = True, "slow"
        return None

    async def _catch_up(self) -> Chunk | None:
        """Read on from the ring; attach when there is no need any more."""
        hub = self._hub
        if hub.closed:
            raise trio.EndOfChannel
        generation = hub.origin.generation
        if self._generation == 0:
            self._cursor, self._gap = hub.place(self._last_event_id)
            self._reason = "lapped"
        elif generation != self._generation:
            # The ring that this cursor belongs to is gone; nobody can say what was in it.
            last = self._gap.after if self._gap else self._cursor
            self._gap, self._cursor = Gap(last, 0, None, "restart"), 0
        self._generation = generation
        if self._cursor >= hub.head:
            return self._attach()
        await trio.lowlevel.checkpoint()  # so that many who catch up take turns
        after = max(0, self._cursor - AVERAGE_SAMPLES + 1)  # the first mean needs these too
        limit = self._cursor - after + CATCH_UP_SAMPLES
        try:
            batch = await hub.past.read(self._generation, after, limit)
        except RingError:
            await trio.sleep(RETRY_RING_S)
            return None
        # Meanwhile the hub may have gone over to a ring that has other samples by these numbers.
        return self._encode(batch) if hub.origin.generation == self._generation else None

    def _attach(self) -> Chunk | None:
        self._behind = False
        self._send, self._receive = trio.open_memory_channel[Chunk](QUEUE_CHUNKS)
        self._hub.attach(self)
        if self._status == self._hub.told or self._hub.snapshot.record is None:
            return None
        return self._hub.status_chunk()

    def _encode(self, batch: Batch) -> Chunk | None:
        hub, average, seq = self._hub, Average(), self._cursor
        events: list[bytes] = []
        for record in batch.records:
            mean = average.add(record)
            # What is newer than the hub's head will come from the hub.
            if not self._cursor < record.seq <= hub.head:
                continue
            gap = self._gap_before(record) if not events else None
            events.append(_event(record, mean, hub.origin, gap))
            seq = record.seq
        if events:
            return Chunk(b"".join(events), self._generation, seq, self._status)
        # The ring has moved on even beyond the hub's head: wait there for what comes.
        assert batch.gap is not None
        self._gap = self._gap or Gap(self._cursor, 0, 0, self._reason)
        self._cursor = min(batch.gap.before - 1, hub.head)
        return None

    def _gap_before(self, record: Record) -> Gap | None:
        """Return the gap to be told with a record, which is then taken for told."""
        gap, self._gap = self._gap, None
        if gap is None and record.seq == self._cursor + 1:
            return None
        gap = gap or Gap(self._cursor, 0, 0, self._reason)
        lost = None if gap.lost is None else record.seq - gap.after - 1
        self._hub.metrics.count("gaps_slow" if gap.reason == "slow" else "gaps_resume")
        return gap._replace(before=record.seq, lost=lost)


def _event(record: Record, average: tuple[float, ...], origin: Origin, gap: Gap | None) -> bytes:
    # A reader's own gap hides what the producer noted before the same sample, so it adds it.
    if gap is not None and gap.lost is not None and (noted := gap_of(record)) is not None:
        gap = gap._replace(lost=gap.lost + (noted.lost or 0))
    text = sample_json(record, average, origin, gap=gap)
    return sse.event(text, event_id=event_id(origin.generation, record.seq))
