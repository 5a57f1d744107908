"""The subscribers who asked for the same form of the stream, and what is on its way to them."""

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
    """Whoever takes part; see subscription.py."""

    at: "Chunk"  # the last one that was handed out: there the client stands

    def offer(self, chunk: "Chunk") -> bool:
        """Take a chunk; False if that can't be done at once: it is attached no more then."""
        ...

    def detach(self) -> None:
        """Note that it is attached no more."""
        ...


@dataclass(slots=True, eq=False)
class Chunk:
    """Whole events, after which the receiver has seen sample `seq` and been told `status`.

    `framed` is what is sent to clients of HTTP/1.1: whole chunks of it, or, if there is no
    payload, the rest of one whose beginning was sent.
    """

    payload: bytes
    generation: int = 0  # 0: none yet
    seq: int = 0
    status: str = "ok"  # as long as nothing else was told
    framed: bytes = b""

    @property
    def position(self) -> tuple[int, int, str]:
        """Where its receiver stands."""
        return self.generation, self.seq, self.status


class Group:
    """Attached subscribers stand exactly at `seq` and know `status`: hub.py, invariant 3.

    One who is attached is asleep (handover.py) or awake, and is offered chunks by its queue then.
    """

    def __init__(
        self, options: StreamOptions, ledger: Ledger, origin: Origin, head: int, status: str
    ) -> None:
        """See `begin`; `status` is the stream's."""
        self.options = options
        self._ledger = ledger
        self.members = 0  # subscriptions, attached or not
        self.seq: int | None
        self.flush_s: float  # when what is pending has waited long enough
        self._status = status
        self._asleep: DirectWriters[Subscriber] = DirectWriters()
        self._awake: set[Subscriber] = set()
        self._last: Chunk | None = None  # of this ring, that was offered
        self.begin(origin, head)

    def begin(self, origin: Origin, head: int) -> None:
        """Start with a ring, whose samples up to its head count as given already."""
        self.detach_all()
        self._generation = origin.generation
        self._encoder = self.options.encoder(origin, self._ledger)
        # Means start with the first whole window: `seq` is None until then.
        self.seq = None if self.options.rate_hz else head
        self._pending: list[bytes] = []
        self.flush_s = math.inf

    # -- what the hub gives -----------------------------------------------------------

    def add(self, record: Record, average: Values, gap: Gap | None) -> None:
        """Take the next record; what it completes waits for `flush`."""
        events = self._encoder.add(record, average, gap)
        if not events:
            return
        if self.seq is None:
            self.seq = self._encoder.seq  # and nobody is attached yet
            return
        if not self._pending:
            patience_s = self.options.flush_ms / 1000
            self.flush_s = trio.current_time() + patience_s if patience_s else 0.0
        self._pending.append(events)

    def flush(self, *, now: bool = False) -> None:
        """Offer what waits to all who are attached, if it has waited long enough."""
        if self._pending and (now or not self.flush_s or trio.current_time() >= self.flush_s):
            self.seq = self._encoder.seq
            payload = b"".join(self._pending)
            self._pending.clear()
            self.flush_s = math.inf
            self._offer(payload)

    def announce(self, status: str, event: bytes) -> None:
        """Flush, and offer the event that tells a new status."""
        self.flush(now=True)
        self._status = status
        self._offer(event)

    def _offer(self, payload: bytes) -> None:
        chunk = Chunk(payload, self._generation, self.seq or 0, self._status, framed(payload))
        self._last = chunk
        full = [subscriber for subscriber in self._awake if not subscriber.offer(chunk)]
        for subscriber in full:
            self._awake.discard(subscriber)
            subscriber.detach()
        for subscriber, rest in self._asleep.give(chunk.framed):
            subscriber.at = chunk
            self._awake.add(subscriber)
            subscriber.offer(Chunk(b"", *chunk.position, rest))

    # -- who is there -----------------------------------------------------------------

    @property
    def attached(self) -> int:
        """How many subscribers are up to date."""
        return len(self._awake) + len(self._asleep)

    def attach(self, subscriber: Subscriber) -> None:
        """Take in one who stands at `seq`."""
        self._awake.add(subscriber)

    def sleep(self, subscriber: Subscriber, fd: int) -> None:
        """Note that an attached one waits with nothing queued: its socket may be written to."""
        self._awake.discard(subscriber)
        self._asleep.add(fd, subscriber)

    def wake(self, subscriber: Subscriber, fd: int) -> None:
        """Note that it does not, any more."""
        if self._asleep.remove(fd):
            self._awake.add(subscriber)
            subscriber.at = self._last or subscriber.at

    def detach_all(self) -> None:
        """Attach nobody any more."""
        for subscriber in self._asleep.remove_all():
            subscriber.at = self._last or subscriber.at
            subscriber.detach()
        for subscriber in self._awake:
            subscriber.detach()
        self._awake.clear()
        self._last = None

    def leave(self, subscriber: Subscriber) -> None:
        """Note that this one won't come back."""
        self._awake.discard(subscriber)
        self.members -= 1
