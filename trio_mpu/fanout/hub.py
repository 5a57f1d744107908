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
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final, Protocol

import trio

from trio_mpu.fanout import sse
from trio_mpu.fanout.encoder import EVERY_SAMPLE, SSE, StreamOptions
from trio_mpu.fanout.forms import Forms
from trio_mpu.fanout.group import Announced, Published
from trio_mpu.fanout.moving_average import Average
from trio_mpu.fanout.places import Places
from trio_mpu.fanout.snapshot import WAITING, Snapshot
from trio_mpu.fanout.turns import Turns
from trio_mpu.formats import Notation, Origin, parse_event_id, sample_json
from trio_mpu.metrics.counters import LEDGER, Metrics
from trio_mpu.metrics.window import Window
from trio_mpu.record import Batch, Header, Record, oldest_seq
from trio_mpu.sample import Gap

EARLIEST: Final = "earliest"  # in place of an event id, as Mercure has it


# Bound "clients of an address that catch up".
MAX_RESUMES: Final = (
    256  # at a time; more than a server of this size restarts with, from one network
)


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
        self.window = Window()
        self.resumes = Places(MAX_RESUMES, partial(metrics.count, "resumes_waited"))
        self._average = Average()
        self.forms = Forms(metrics, self.turns, self.ledger)

    def ledger(self) -> dict[str, int]:
        """Return the loss ledger: the producer's counters and this process's."""
        counts = dict(self.header.ledger) if self.header is not None else {}
        return counts | {name: self.metrics[name] for name in LEDGER}

    @property
    def origin(self) -> Origin:
        """The generation and source of the ring that is being published."""
        return self.snapshot.origin

    @property
    def _before_first(self) -> int:
        """The number before that of the first record ever written to the ring."""
        return self.header.first - 1 if self.header is not None else 0

    def begin(self, origin: Origin, earlier: Iterable[Record]) -> None:
        """Start publishing a ring; its records in `earlier` count as published already."""
        self.flush(now=True)
        records = list(earlier)
        self._average = Average(records[:-1])
        self.window = Window()
        self.snapshot = Snapshot(WAITING, "no sample yet", origin)
        self.head = self._before_first
        if records:
            self._advance(records[-1])
        self.forms.begin(origin, self.head)
        self.news.unpark_all()

    def publish(self, batch: Batch) -> None:
        """Offer the records of a batch, which was read just now, to all attached subscribers."""
        read_ns = time.monotonic_ns()
        for record in batch.records:
            gap = None
            if missed := record.seq - self.head - 1:
                gap = Gap(self.head, record.seq, missed, "lapped")
                self.metrics.count("gaps_lapped")
                self.metrics.count("lapped_lost", missed)
            self._advance(record)
            self.forms.put(Published(record, self.snapshot.average, gap))
        self.metrics.count("events", len(batch.records))
        self.forms.feed()
        self._measure(batch.records, read_ns, time.monotonic_ns())
        if self.news:
            self.news.unpark_all()

    def _measure(self, records: Sequence[Record], read_ns: int, offered_ns: int) -> None:
        """Note how late samples were that were read and offered at these times of CLOCK_MONOTONIC;
        and their values."""
        is_offered = len(self.forms) > 0
        for record in records:
            self.metrics.observe("ring_latency", read_ns - record.t_ns)
            if is_offered:
                self.metrics.observe("socket_latency", offered_ns - record.t_ns)
        self.window.add(records)

    @property
    def flush_s(self) -> float:
        """When to call `flush` if nothing is published before; infinity: never."""
        return min([group.flush_s for group in self.forms], default=math.inf)

    def flush(self, *, now: bool = False) -> None:
        """Offer events that have waited long enough; to be called even when no samples come."""
        for group in self.forms:
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
            notations = {
                group.options.notation for group in self.forms if group.options.format == SSE
            }
            events = {notation: self.status_event(notation) for notation in notations}
            self.forms.put(Announced(status, events))
            self.forms.feed()

    def status_event(self, notation: Notation) -> bytes:
        """Return the event of the announced status, with the newest sample."""
        record = self.snapshot.record
        assert record is not None
        text = sample_json(
            record,
            self.snapshot.average,
            self.origin,
            self.announced,
            ledger=self.ledger,
            notation=notation,
        )
        return sse.event(text, name="status")

    def cursor_after(
        self, last_event_id: str, options: StreamOptions = EVERY_SAMPLE
    ) -> tuple[int, Gap | None]:
        """Return the cursor that an event id asks for, and the gap to report with the first sample.

        A malformed id, or one that does not exist yet, counts as none: the newest sample is next.
        EARLIEST asks for the oldest one that there is.
        """
        newest = max(self._before_first, self.head - 1)
        if options.rate_hz:
            # Means begin with the window that its group has begun, if there is one.
            group = self.forms.find(options)
            newest = group.seq if group is not None else self.head
        if last_event_id == EARLIEST:
            if self.header is None:
                return 0, None
            return oldest_seq(self.head, self.header.capacity, self.header.first) - 1, None
        last = parse_event_id(last_event_id)
        if last is None:
            return newest, None
        generation, seq = last
        if generation != self.origin.generation:
            return newest, Gap(seq, newest + 1, None, "restart")
        return (seq if seq <= self.head else newest), None

    @property
    def attached(self) -> int:
        """How many subscribers are up to date."""
        return sum(group.attached for group in self.forms)

    def close(self) -> None:
        """End all subscriptions for good; what is queued is still handed out."""
        self.flush(now=True)
        self.closed = True
        for group in self.forms:
            group.detach_all()
        self.news.unpark_all()
