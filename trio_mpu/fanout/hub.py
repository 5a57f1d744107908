"""The newest samples → every subscriber, waiting for none.

Invariants:

1. Nothing here awaits a client. A batch is encoded and framed once for each set of stream
   options, and the same bytes are offered to each subscriber with these options: directly into
   the socket of one whose task sleeps (direct_write.py), into the queue of any other.
2. The ring is the real queue. A subscriber without room for an offer is detached; it continues
   from the ring at its own position until it has caught up, and is attached again. It gets a gap
   only for what the ring has overwritten.
3. Attached subscribers of a group are exactly at `Group.seq`: each has been offered every sample
   up to it. A subscriber is attached only when it is there, with no checkpoint between comparing
   and attaching. So joining, resuming and catching up are the same operation, and none of them
   can skip or repeat a sample.
"""

import math
import time
from collections import Counter
from collections.abc import Iterable
from typing import Final, Protocol

import trio

from trio_mpu.fanout import sse
from trio_mpu.fanout.encoder import EVERY_SAMPLE, StreamOptions
from trio_mpu.fanout.group import Announced, Group, Published, Subscriber
from trio_mpu.fanout.moving_average import Average
from trio_mpu.fanout.snapshot import WAITING, Snapshot
from trio_mpu.fanout.turns import SLICE_S, Turns
from trio_mpu.formats import Origin, parse_event_id, sample_json
from trio_mpu.metrics.counters import LEDGER, Metrics
from trio_mpu.record import MAX_CAPACITY, Batch, Header, Record, oldest_seq
from trio_mpu.sample import Gap

# Bound "time for live forms of the stream, s".
LIVE_S: Final = 0.002  # each time something is published; what has no room takes turns
# Bound "samples kept for late forms".
MAX_LOG: Final = 8192  # 8 s at 1,000 Hz, some 5 MB
EARLIEST: Final = "earliest"  # in place of an event id, as Mercure has it


class RecordSource(Protocol):
    """The samples that the ring still holds."""

    async def read(self, generation: int, after: int, limit: int) -> Batch:
        """Return the oldest records above `after`, as RingReader.read does.

        Raises RingError when they can't be read now, or ever again because another ring is open.
        """
        ...


class Hub:
    """Fans out what the follower publishes."""

    def __init__(self, record_source: RecordSource, metrics: Metrics) -> None:
        self.record_source = record_source
        self.metrics = metrics
        self.snapshot = Snapshot(WAITING, "the server has just started")
        self.head = 0
        self.header: Header | None = None  # of the ring, as last read
        self.closed = False
        self.announced = "ok"  # the status that all attached subscribers know
        self.news = trio.lowlevel.ParkingLot()  # for subscribers that have read the ring to its end
        self.turns = Turns()
        self._average = Average()
        self._groups: dict[StreamOptions, Group] = {}
        self._order: list[Group] | None = None  # of the groups; None: to be made
        self._log: list[Published | Announced] = []  # the last of what was published
        self._published = 0  # how much that was in all
        self._late: dict[Group, None] = {}  # groups that have not had all of it yet
        self._somebody_is_late = trio.Event()

    def ledger(self) -> dict[str, int]:
        """Return the loss ledger: the producer's counters and this process's."""
        counts = dict(self.header.ledger) if self.header is not None else {}
        return counts | {name: self.metrics[name] for name in LEDGER}

    @property
    def origin(self) -> Origin:
        """The generation and source of the ring that is being published."""
        return self.snapshot.origin

    def begin(self, origin: Origin, earlier: Iterable[Record]) -> None:
        """Start publishing a ring; its records in `earlier` count as published already."""
        self.flush(now=True)
        records = list(earlier)
        self._average = Average(records[:-1])
        self.snapshot = Snapshot(WAITING, "no sample yet", origin)
        self.head = 0
        if records:
            self._advance(records[-1])
        # A subscriber attached to another ring catches up by reading this one.
        self._log.clear()
        self._late.clear()
        for group in self._groups.values():
            group.begin(origin, self.head)
            group.fed = self._published
        self.news.unpark_all()

    def publish(self, batch: Batch) -> None:
        """Offer the records of a batch to all attached subscribers."""
        for record in batch.records:
            gap = None
            if missed := record.seq - self.head - 1:
                gap = Gap(self.head, record.seq, missed, "lapped")
                self.metrics.count("gaps_lapped")
                self.metrics.count("lapped_lost", missed)
            self._advance(record)
            self._put(Published(record, self.snapshot.average, gap))
        self.metrics.count("events", len(batch.records))
        self._feed_all()
        if self.news:
            self.news.unpark_all()

    @property
    def flush_s(self) -> float:
        """When to call `flush` if nothing is published before; infinity: never."""
        return min([group.flush_s for group in self._groups.values()], default=math.inf)

    def flush(self, *, now: bool = False) -> None:
        """Offer events that have waited long enough; to be called even when no samples come."""
        for group in self._groups.values():
            group.flush(now=now)

    def _advance(self, record: Record) -> None:
        self.head = record.seq
        status, reason, origin, *_ = self.snapshot
        self.snapshot = Snapshot(status, reason, origin, record, self._average.add(record))

    def set_status(self, status: str, reason: str) -> None:
        """Set the stream's status, and announce a change to all attached subscribers."""
        self.snapshot = self.snapshot._replace(status=status, reason=reason)
        if status not in (WAITING, self.announced):
            self.announced = status
            self._put(Announced(status, self.status_event()))
            self._feed_all()

    def status_event(self) -> bytes:
        """Return the event of the announced status, with the newest sample."""
        record = self.snapshot.record
        assert record is not None
        text = sample_json(
            record, self.snapshot.average, self.origin, self.announced, ledger=self.ledger
        )
        return sse.event(text, name="status")

    def cursor_after(
        self, last_event_id: str, options: StreamOptions = EVERY_SAMPLE
    ) -> tuple[int, Gap | None]:
        """Return the cursor that an event id asks for, and the gap to report with the first sample.

        A malformed id, or one that does not exist yet, counts as none: the newest sample is next.
        EARLIEST asks for the oldest one that there is.
        """
        newest = max(0, self.head - 1)
        if options.rate_hz:
            # Means begin with the window that its group has begun, if there is one.
            group = self._groups.get(options)
            newest = group.seq if group is not None else self.head
        if last_event_id == EARLIEST:
            capacity = self.header.capacity if self.header is not None else MAX_CAPACITY
            return oldest_seq(self.head, capacity) - 1, None
        last = parse_event_id(last_event_id)
        if last is None:
            return newest, None
        generation, seq = last
        if generation != self.origin.generation:
            return newest, Gap(seq, newest + 1, None, "restart")
        return (seq if seq <= self.head else newest), None

    def join(self, options: StreamOptions, address: str = "") -> Group:
        """Return the group with these options; call `leave` at the end. `address` is the client's."""
        group = self._groups.get(options)
        if group is None:
            group = Group(options, self.ledger, self.origin, self.head, self.announced, address)
            group.fed = self._published
            self._groups[options] = group
            self._order = None
        group.members += 1
        return group

    def leave(self, group: Group, subscriber: Subscriber) -> None:
        """Take a subscriber out of its group; an empty group ends."""
        group.leave(subscriber)
        if not group.members:
            del self._groups[group.options]
            self._late.pop(group, None)
            self._order = None

    # -- live first -------------------------------------------------------------------

    def _put(self, entry: Published | Announced) -> None:
        self._log.append(entry)
        self._published += 1

    def _feed_all(self) -> None:
        """Feed what was published to all groups for which there is time now, in their order.

        The first one, every sample, always is; the others share LIVE_S. For who has none left,
        `feed_late` goes on in the time between two samples.
        """
        if self._order is None:
            self._order = self._ordered()
        late, deadline_s = self._late, time.perf_counter() + LIVE_S
        for group in self._order:
            if late and group in late:
                continue
            if time.perf_counter() < deadline_s or group.options == EVERY_SAMPLE:
                self._feed(group)
            else:
                self.metrics.count("forms_delayed")
                late[group] = None
        if not late:
            self._log.clear()
        else:
            self._somebody_is_late.set()
            if len(self._log) > MAX_LOG:
                self._restart_latest()

    def _ordered(self) -> list[Group]:
        """Return every sample first, then each address's first form, each one's second, …"""
        ranks, counts = {}, Counter[str]()
        for group in self._groups.values():
            ranks[group] = counts[group.owner]
            counts[group.owner] += 1
        return sorted(ranks, key=lambda group: (group.options != EVERY_SAMPLE, ranks[group]))

    def _feed(self, group: Group, until_s: float = math.inf) -> bool:
        """Feed a group, until then; return whether it has had everything."""
        begin = self._published - len(self._log)
        while group.fed < self._published:
            group.feed(self._log[group.fed - begin])
            group.fed += 1
            if until_s < math.inf and time.perf_counter() >= until_s:
                break
        group.flush()
        return group.fed == self._published

    def _restart_latest(self) -> None:
        """Forget the older half of the log: groups that have not had it begin anew with the newest
        sample, and their subscribers read on from the ring, each at its own place."""
        begin = self._published - len(self._log) // 2
        for group in list(self._late):
            if group.fed < begin:
                self.metrics.count("forms_restarted")
                group.flush(now=True)
                group.begin(self.origin, self.head)
                group.fed = self._published
                del self._late[group]
        del self._log[: len(self._log) // 2]

    async def feed_late(self) -> None:
        """Feed the groups that are late, a slice at a time, in turns; until cancelled."""
        while True:
            await self._somebody_is_late.wait()
            if not self._late:
                self._somebody_is_late = trio.Event()
                continue
            group = next(iter(self._late))
            async with self.turns.slice(group.owner):
                if group not in self._late:  # it has left, or was restarted
                    continue
                del self._late[group]
                if not self._feed(group, time.perf_counter() + SLICE_S):
                    self._late[group] = None  # at the end: others come first

    @property
    def attached(self) -> int:
        """How many subscribers are up to date."""
        return sum(group.attached for group in self._groups.values())

    def close(self) -> None:
        """End all subscriptions for good; what is queued is still handed out."""
        self.flush(now=True)
        self.closed = True
        for group in self._groups.values():
            group.detach_all()
        self.news.unpark_all()
