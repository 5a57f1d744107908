# Pure: no I/O, no clock, no waiting.
"""Statistics of the last 10 s of samples, for a reader that comes now and then.

A single value that is read every 10 s aliases: it says nothing of the thousand samples in between,
and a vibration looks like a slow wave. These are statistics of every sample, and whoever reads them
every WINDOW_S or more often misses no peak.

Samples are kept until there are CHUNK_SAMPLES of them, and are then summarised column by column: the
work is done in C, some 1 µs a sample. Summaries are kept for each second of the samples' own clock,
so that the window moves second by second.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from trio_mpu.record import Record
from trio_mpu.sample import Flag

# Bound "window of the sensor's metrics, s".
WINDOW_S: Final = 10  # Prometheus reads every 10 to 60 s; as configured in deploy/, every 10 s
CHUNK_SAMPLES: Final = 64  # summarised in some 0.1 ms, after the samples have been sent; arbitrary
_GAPS: Final = int(Flag.DEVICE_GAP | Flag.RESTART_GAP)


class Moments(NamedTuple):
    """How many values there are, their mean, the sum of their squared distances from it, and the
    least and the greatest of them."""

    n: int
    mean: float
    squares: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Moments":
        """Summarise these values."""
        if not values:
            return NOTHING
        mean = sum(values) / len(values)
        squares = math.dist(values, [mean] * len(values)) ** 2  # a fifth of the time of a loop
        return cls(len(values), mean, squares, min(values), max(values))

    def merged(self, other: "Moments") -> "Moments":
        """Return the moments of the values of both.

        By the formula of T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating Formulae and a Pairwise
        Algorithm for Computing Sample Variances", 1979: however large the mean is, as gravity's,
        the squares keep their digits.
        """
        if not self.n or not other.n:
            return self if self.n else other
        n, apart = self.n + other.n, other.mean - self.mean
        return Moments(
            n,
            self.mean + apart * other.n / n,
            self.squares + other.squares + apart * apart * self.n * other.n / n,
            min(self.least, other.least),
            max(self.greatest, other.greatest),
        )

    @property
    def deviation(self) -> float:
        """The standard deviation of the values themselves: n is the denominator."""
        return math.sqrt(self.squares / self.n)

    @property
    def rms(self) -> float:
        """The root of the mean square; it contains the mean."""
        return math.sqrt(self.mean * self.mean + self.squares / self.n)


NOTHING: Final = Moments(0, 0.0, 0.0, math.inf, -math.inf)


class Summary(NamedTuple):
    """Of the samples of some time: the moments of each of the seven values, in g, °/s and °C, and of
    the times from one sample to the next, in ns; those with a gap in between are left out."""

    values: tuple[Moments, ...]
    intervals: Moments

    def merged(self, other: "Summary") -> "Summary":
        """Return the summary of the samples of both."""
        pairs = zip(self.values, other.values, strict=True)
        values = tuple([one.merged(two) for one, two in pairs])
        return Summary(values, self.intervals.merged(other.intervals))


class Window:
    """See above."""

    def __init__(self) -> None:
        self._seconds: dict[int, Summary] = {}  # by t_ns in whole seconds
        self._waiting: list[Record] = []  # to be summarised
        self._last: Record | None = None  # the last one that was

    def add(self, records: Sequence[Record]) -> None:
        """Take the next records."""
        self._waiting += records
        if len(self._waiting) >= CHUNK_SAMPLES:
            self._summarise()

    def summary(self, now_ns: int) -> Summary | None:
        """Return what there was in the second that `now_ns` of CLOCK_MONOTONIC is in and in the
        WINDOW_S seconds before; None if there was no sample."""
        self._summarise()
        now = now_ns // 10**9
        found = None
        for second, summary in self._seconds.items():
            if now - WINDOW_S <= second <= now:
                found = summary if found is None else found.merged(summary)
        return found

    def _summarise(self) -> None:
        for second, group in groupby(self._waiting, lambda record: record.t_ns // 10**9):
            records = list(group)
            columns = list(zip(*records, strict=True))[3:10]  # as values_of(), in a third less time
            intervals = list(_intervals(self._last, records))
            summary = Summary(tuple(map(Moments.of, columns)), Moments.of(intervals))
            earlier = self._seconds.get(second)
            self._seconds[second] = summary if earlier is None else earlier.merged(summary)
            self._last = records[-1]
        self._waiting.clear()
        for second in list(self._seconds)[: -WINDOW_S - 1]:
            del self._seconds[second]


def _intervals(last: Record | None, records: Sequence[Record]) -> Iterator[int]:
    for record in records:
        if last is not None and record.seq == last.seq + 1 and not record.flags & _GAPS:
            yield record.t_ns - last.t_ns
        last = record
