"""The subscribers with the same stream options, and what is on its way to them."""

import math
from dataclasses import dataclass
from typing import Protocol

import trio

from trio_mpu.fanout.chunked import framed
from trio_mpu.fanout.direct_write import DirectWriters
from trio_mpu.fanout.encoder import StreamOptions
from trio_mpu.formats import Ledger, Origin
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
    of a chunk whose beginning was sent.
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


class Group:
    """Attached subscribers are exactly at `seq` and know the status: hub.py, invariant 3.

    An attached subscriber either sleeps (direct_write.py) or is awake; chunks then go into its
    queue.
    """

    def __init__(
        self, options: StreamOptions, ledger: Ledger, origin: Origin, head: int, status: str
    ) -> None:
        """See `begin`; `status` is the stream's."""
        self.options = options
        self._ledger = ledger
        self.members = 0  # subscriptions, attached or not
        self.seq: int | None
        self.offered_s = -math.inf  # when the last chunk was offered
        self.flush_s: float  # when pending events have waited long enough
        self._status = status
        self._asleep: DirectWriters[Subscriber] = DirectWriters()
        self._awake: set[Subscriber] = set()
        self._last: Chunk | None = None  # the last one that was offered, of this ring
        self.begin(origin, head)

    def begin(self, origin: Origin, head: int) -> None:
        """Start with a ring whose samples up to `head` count as sent already."""
        self.detach_all()
        self._generation = origin.generation
        self._encoder = self.options.encoder(origin, self._ledger)
        # Means start with the first whole window: `seq` is None until then.
        self.seq = None if self.options.rate_hz else head
        self._pending: list[bytes] = []
        self.flush_s = math.inf

    # -- what the hub publishes ---------------------------------------------------------

    def add(self, record: Record, average: Values, gap: Gap | None) -> None:
        """Encode the next record; the events that it completes wait for `flush`."""
        events = self._encoder.add(record, average, gap)
        if not events:
            return
        if self.seq is None:
            self.seq = self._encoder.seq  # no subscriber is attached yet
            return
        if not self._pending:
            patience_s = self.options.flush_ms / 1000
            self.flush_s = trio.current_time() + patience_s if patience_s else 0.0
        self._pending.append(events)

    def flush(self, *, now: bool = False) -> None:
        """Offer the pending events to all attached subscribers, if they have waited long enough."""
        if self._pending and (now or not self.flush_s or trio.current_time() >= self.flush_s):
            self.seq = self._encoder.seq
            payload = b"".join(self._pending)
            self._pending.clear()
            self.flush_s = math.inf
            self._offer(payload)

    def announce(self, status: str, event: bytes) -> None:
        """Flush, then offer the event of a new status."""
        self.flush(now=True)
        self._status = status
        self._offer(event)

    def _offer(self, payload: bytes) -> None:
        chunk = Chunk(payload, self._generation, self.seq or 0, self._status, framed(payload))
        self._last = chunk
        self.offered_s = trio.current_time()
        full = [subscriber for subscriber in self._awake if not subscriber.offer(chunk)]
        for subscriber in full:
            self._awake.discard(subscriber)
            subscriber.detach()
        for subscriber, rest in self._asleep.give(chunk.framed):
            subscriber.at = chunk
            self._awake.add(subscriber)
            subscriber.offer(Chunk(b"", *chunk.position, rest))

    # -- the subscribers --------------------------------------------------------------

    @property
    def attached(self) -> int:
        """How many subscribers are up to date."""
        return len(self._awake) + len(self._asleep)

    def attach(self, subscriber: Subscriber) -> None:
        """Attach a subscriber that is at `seq`."""
        self._awake.add(subscriber)

    def sleep(self, subscriber: Subscriber, fd: int) -> None:
        """Note that an attached subscriber waits with nothing queued: its socket may be written to."""
        self._awake.discard(subscriber)
        self._asleep.add(fd, subscriber)

    def wake(self, subscriber: Subscriber, fd: int) -> None:
        """Note that a subscriber no longer waits: its socket is its own again."""
        if self._asleep.remove(fd):
            self._awake.add(subscriber)
            subscriber.at = self._last or subscriber.at

    def detach_all(self) -> None:
        """Detach all subscribers."""
        for subscriber in self._asleep.remove_all():
            subscriber.at = self._last or subscriber.at
            subscriber.detach()
        for subscriber in self._awake:
            subscriber.detach()
        self._awake.clear()
        self._last = None

    def leave(self, subscriber: Subscriber) -> None:
        """Remove a subscriber for good."""
        self._awake.discard(subscriber)
        self.members -= 1
