# Pure: no I/O, no clock, no waiting.
"""Records, in order → the events of a stream with given options.

All subscribers with the same options get the same events, whenever they joined: windows are cut
by the samples' own clock (`t_ns` divided by the window's length), not by when a client connected.
So one encoder serves all who are up to date, and a subscriber that catches up with an encoder of
its own produces the same bytes.
"""

import math
import operator
from abc import ABC, abstractmethod
from typing import Final, NamedTuple

from trio_mpu.fanout import sse
from trio_mpu.formats import (
    PLAIN,
    Ledger,
    Notation,
    Origin,
    Window,
    event_id,
    gap_of,
    row_csv,
    row_json,
    sample_json,
)
from trio_mpu.record import Record, Values, values_of
from trio_mpu.sample import Gap

# Bound "rate=, least Hz".
MIN_RATE_HZ: Final = 0.01
# Bound "rate=, most Hz".
MAX_RATE_HZ: Final = 8000.0
# Bound "flush_ms=, most".
MAX_FLUSH_MS: Final = 1000


SSE: Final = "sse"
FORMATS: Final = (SSE, "csv", "ndjson")


class StreamOptions(NamedTuple):
    """What a client asked for: every sample (`rate_hz` 0) or means at that rate, with or without
    extremes and deviations; each in its own write, or several in one, at most `flush_ms` late; in a
    notation.

    `format` is one of FORMATS: events, or lines as the history has them, of every sample."""

    rate_hz: float = 0.0
    stats: bool = False
    flush_ms: int = 0
    notation: Notation = PLAIN
    format: str = SSE

    @property
    def text(self) -> tuple[str, Notation]:
        """What the bytes of a sample depend on, if every sample is sent."""
        return self.format, self.notation

    def encoder(self, origin: Origin, ledger: Ledger) -> "Encoder":
        """Return a new encoder; it adds the ledger to each gap."""
        if self.format != SSE:
            return Rows(origin, ledger, self)
        encoder = WindowMeans if self.rate_hz else EverySample
        return encoder(origin, ledger, self)


EVERY_SAMPLE: Final = StreamOptions()


class Encoder(ABC):
    """Turns records into events. `seq` is the newest sample in the events so far; None before
    the first event."""

    seq: int | None = None

    def __init__(self, origin: Origin, ledger: Ledger, options: StreamOptions) -> None:
        self._notation = options.notation
        self._origin = origin
        self._ledger = ledger

    @abstractmethod
    def add(self, record: Record, average: Values, gap: Gap | None) -> bytes:
        """Return the events that this record completes, b"" if none.

        `average` ends with the record; `gap` is what this stream has missed before it.
        """

    def _event(
        self, record: Record, average: Values, gap: Gap | None, window: Window | None
    ) -> bytes:
        # Without a gap of this stream's own, sample_json reports what the producer noted.
        text = sample_json(
            record,
            average,
            self._origin,
            gap=gap,
            window=window,
            ledger=self._ledger,
            notation=self._notation,
        )
        return sse.event(text, event_id=event_id(self._origin.generation, record.seq))


class EverySample(Encoder):
    """An event for each record."""

    def add(self, record: Record, average: Values, gap: Gap | None) -> bytes:
        """Return the record's event."""
        self.seq = record.seq
        return self._event(record, average, gap and with_noted_gap(record, gap), None)


class Rows(Encoder):
    """A line for each record, as the history has it."""

    def __init__(self, origin: Origin, ledger: Ledger, options: StreamOptions) -> None:
        super().__init__(origin, ledger, options)
        self._row = row_csv if options.format == "csv" else row_json

    def add(self, record: Record, average: Values, gap: Gap | None) -> bytes:  # noqa: ARG002
        """Return the record's line. What the producer noted is in `lost` besides the gap."""
        self.seq = record.seq
        return (self._row(record, self._origin, gap, self._notation) + "\n").encode()


class WindowMeans(Encoder):
    """An event for each window of time that has samples: their means, with the newest one's
    sequence number. The first sample after a window completes it.

    A window costs the same memory however long it is: sums and extremes, no samples.

    The squares that are summed are those of the distances from the window's first sample. The variance
    is then at least 1/n of the squared distance between that sample and the mean, so that subtracting
    that square cancels few digits; without the shift, gravity's square would take them (T. F. Chan,
    G. H. Golub, R. J. LeVeque, "Algorithms for Computing the Sample Variance", 1983).
    """

    def __init__(self, origin: Origin, ledger: Ledger, options: StreamOptions) -> None:
        super().__init__(origin, ledger, options)
        self._stats = options.stats
        self._window_ns = 10**9 / options.rate_hz
        self._number = 0  # of the window
        self._count = 0  # samples in it
        self._newest: Record
        self._sums: Values
        self._least: Values = ()
        self._greatest: Values = ()
        self._first: Values = ()
        self._squares: Values = ()  # sums, of the distances from the first
        self._flags = 0
        self._average: Values = ()
        self._gap: Gap | None = None

    def add(self, record: Record, average: Values, gap: Gap | None) -> bytes:
        """Return the event of the previous window if this record is the first one after it."""
        number = math.floor(record.t_ns / self._window_ns)
        payload = b""
        if self._count and number != self._number:
            payload = self._close()
        self._number = number
        self._take(values_of(record))
        self._newest, self._average = record, average
        self._flags |= record.flags
        self._gap = merged_gap(self._gap, with_noted_gap(record, gap))
        return payload

    def _take(self, values: Values) -> None:
        if not self._count:
            self._sums = values
            if self._stats:
                self._least = self._greatest = self._first = values
                self._squares = (0.0,) * len(values)
        else:
            self._sums = tuple(map(operator.add, self._sums, values))
            if self._stats:
                self._spread(values)
        self._count += 1

    def _spread(self, values: Values) -> None:
        self._least = tuple(map(min, self._least, values))
        self._greatest = tuple(map(max, self._greatest, values))
        shifted = zip(self._squares, values, self._first, strict=True)
        self._squares = tuple([total + (b - a) * (b - a) for total, b, a in shifted])

    def _close(self) -> bytes:
        means = tuple([total / self._count for total in self._sums])
        window = Window(self._count, means, self._least, self._greatest, self._deviations(means))
        newest = self._newest._replace(flags=self._flags)
        payload = self._event(newest, self._average, self._gap, window)
        self.seq, self._count, self._flags, self._gap = newest.seq, 0, 0, None
        return payload

    def _deviations(self, means: Values) -> Values:
        """Return the standard deviations of the samples themselves: n is the denominator."""
        totals = zip(self._squares, means, self._first, strict=False)  # none without stats
        variances = [squares / self._count - (mean - first) ** 2 for squares, mean, first in totals]
        return tuple([math.sqrt(max(0.0, variance)) for variance in variances])


def with_noted_gap(record: Record, gap: Gap | None) -> Gap | None:
    """Return the gap to report with a record: the reader's own, including what the producer noted
    before the same sample."""
    noted = gap_of(record)
    if gap is None or noted is None or gap.lost is None:
        return gap or noted
    return gap._replace(lost=gap.lost + (noted.lost or 0))


def merged_gap(first: Gap | None, second: Gap | None) -> Gap | None:
    """Return two gaps of one window as one, with the reason of the first."""
    if first is None or second is None:
        return first or second
    lost = None if first.lost is None or second.lost is None else first.lost + second.lost
    return Gap(first.after, second.before, lost, first.reason)
