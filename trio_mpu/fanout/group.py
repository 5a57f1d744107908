"""The subscribers with the same stream options, and what is on its way to them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import trio

from trio_mpu.fanout.chunked import framed
from trio_mpu.fanout.direct_write import DirectSocket, DirectWriters
from trio_mpu.fanout.encoder import SSE, StreamOptions
from trio_mpu.formats import Ledger, Notation, Origin
from trio_mpu.metrics.counters import Metrics
from trio_mpu.record import Record, Values
from trio_mpu.sample import Gap


class Subscriber(Protocol):
    """A member of a group; see subscription.py."""

    at: "Chunk"  # the last one that was handed out: the client's position

    def offer(self, chunk: "Chunk") -> bool:
        """Take a chunk without waiting; False if that is impossible: the group then detaches it."""
        ...

    def detach(self) -> None:
        """Note that it is no longer attached."""
        ...


@dataclass(slots=True, eq=False)
class Chunk:
    """Whole events, after which the receiver has seen sample `seq` and knows `status`.

    `framed` is what HTTP/1.1 clients receive: one whole chunk, or, without a payload, the rest
    of a chunk whose beginning was sent (with TLS, that rest is in the session, and this is b"").
    """

    payload: bytes
    generation: int = 0  # 0: none yet
    seq: int = 0
    status: str = "ok"  # until another is announced
    framed: bytes = b""

    @property
    def position(self) -> tuple[int, int, str]:
        """The receiver's position in the stream: generation, sequence number, known status."""
        return self.generation, self.seq, self.status


@dataclass(slots=True, eq=False)
class Published:
    """A record as the hub publishes it: with the mean that ends with it, and the gap before it
    that all have. `events` are those of every sample, once a group has encoded it for all."""

    record: Record
    average: Values
    gap: Gap | None
    events: dict[tuple[str, Notation], bytes] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Announced:
    """A new status, and its event in each notation that a group has. Rows have no place for it."""

    status: str
    events: Mapping[Notation, bytes]


class Group:
    """Attached subscribers are exactly at `seq` and know the status: hub.py, invariant 3.

    An attached subscriber either sleeps (direct_write.py) or is awake; chunks then go into its
    queue.
    """

    def __init__(
        self,
        options: StreamOptions,
        ledger: Ledger,
        metrics: Metrics,
        origin: Origin,
        head: int,
        status: str,
        owner: str = "",
    ) -> None:
        """See `begin`; `owner` is the address of the first member."""
        self.options = options
        self.owner = owner
        self.fed = 0  # how much of what the hub has published: hub.py
        self.news = trio.lowlevel.ParkingLot()  # for members that wait until `seq` moves
        self._ledger = ledger
        self._metrics = metrics
        self.members = 0  # subscriptions, attached or not
        self.seq: int
        self.offered_s = -math.inf  # when the last chunk was offered
        self.flush_s: float  # when pending events have waited long enough
        self._asleep: DirectWriters[Subscriber] = DirectWriters()
        self._awake: set[Subscriber] = set()
        self._last: Chunk | None = None  # the last one that was offered, of this ring
        self.begin(origin, head, status)

    def begin(self, origin: Origin, head: int, status: str) -> None:
        """Start with a ring whose samples up to `head` count as sent already, and so does the
        stream's status."""
        self.detach_all()
        self._status = status
        self._generation = origin.generation
        self._encoder = self.options.encoder(origin, self._ledger)
        self.seq = self._encoded = head
        self._pending: list[bytes] = []
        self.flush_s = math.inf

    # -- what the hub publishes ---------------------------------------------------------

    def feed(self, entry: Published | Announced) -> None:
        """Take what the hub publishes next; the events that a record completes wait for `flush`."""
        if isinstance(entry, Announced):
            self.flush(now=True)
            self._status = entry.status
            if self.options.format == SSE:
                self._offer(entry.events[self.options.notation])
            return
        events = self._encode(entry)
        if not events:
            return
        if not self._pending:
            patience_s = self.options.flush_ms / 1000
            self.flush_s = trio.current_time() + patience_s if patience_s else 0.0
        self._pending.append(events)

    def _encode(self, entry: Published) -> bytes:
        if self.options.rate_hz:
            events = self._encoder.add(entry.record, entry.average, entry.gap)
            self._encoded = self._encoder.seq or self._encoded
            return events
        # All groups of every sample in one form have the same bytes, whatever their flush_ms.
        text = self.options.text
        if (event := entry.events.get(text)) is None:
            event = self._encoder.add(entry.record, entry.average, entry.gap)
            entry.events[text] = event
        self._encoded = entry.record.seq
        return event

    def flush(self, *, now: bool = False) -> None:
        """Offer the pending events to all attached subscribers, if they have waited long enough."""
        if self._pending and (now or not self.flush_s or trio.current_time() >= self.flush_s):
            self.seq = self._encoded
            payload = b"".join(self._pending)
            self._pending.clear()
            self.flush_s = math.inf
            self._offer(payload)

    def _offer(self, payload: bytes) -> None:
        chunk = Chunk(payload, self._generation, self.seq, self._status, framed(payload))
        self._last = chunk
        self.offered_s = trio.current_time()
        full = [subscriber for subscriber in self._awake if not subscriber.offer(chunk)]
        for subscriber in full:
            self._awake.discard(subscriber)
            subscriber.detach()
        taken = len(self._asleep) * len(chunk.framed)
        for subscriber, rest in self._asleep.give(chunk.framed):
            taken -= len(rest)
            subscriber.at = chunk
            self._awake.add(subscriber)
            subscriber.offer(Chunk(b"", *chunk.position, rest))
        if taken:
            self._metrics.count("sent_bytes", taken)
        if self.news:
            self.news.unpark_all()

    # -- the subscribers --------------------------------------------------------------

    @property
    def attached(self) -> int:
        """How many subscribers are up to date."""
        return len(self._awake) + len(self._asleep)

    def attach(self, subscriber: Subscriber) -> None:
        """Attach a subscriber that is at `seq`."""
        self._awake.add(subscriber)

    def sleep(self, subscriber: Subscriber, socket: DirectSocket) -> None:
        """Note that an attached subscriber waits with nothing queued: its socket may be written to."""
        self._awake.discard(subscriber)
        self._asleep.add(socket, subscriber)

    def wake(self, subscriber: Subscriber, socket: DirectSocket) -> None:
        """Note that a subscriber no longer waits: its socket is its own again."""
        if self._asleep.remove(socket):
            self._awake.add(subscriber)
            subscriber.at = self._last or subscriber.at

    def detach(self, subscriber: Subscriber, socket: DirectSocket | None) -> None:
        """Detach one, which may sleep with this socket."""
        if socket is not None:
            self.wake(subscriber, socket)
        self._awake.discard(subscriber)
        subscriber.detach()

    def detach_all(self) -> None:
        """Detach all subscribers."""
        for subscriber in self._asleep.remove_all():
            subscriber.at = self._last or subscriber.at
            subscriber.detach()
        for subscriber in self._awake:
            subscriber.detach()
        self._awake.clear()
        self._last = None
        self.news.unpark_all()

    def leave(self, subscriber: Subscriber) -> None:
        """Remove a subscriber for good."""
        self._awake.discard(subscriber)
        self.members -= 1
