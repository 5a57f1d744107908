# Pure: no I/O, no clock, no waiting.
"""Histograms of latencies, as numbers that the workers of a server can add up.

A histogram is a count for each bucket, and the sum of all values. Each of these is a number with a
name, like a counter's: it is written to the scoreboard like one and survives its worker like one,
and the totals of all workers are a histogram again. How many values there are is the sum of the
buckets and never a number of its own, so that the two agree even if a worker writes meanwhile.
"""

from collections.abc import Mapping
from itertools import accumulate
from typing import Final, NamedTuple

# The upper ends of the buckets, which belong to them; one bucket more has all that is above. From
# what the fastest machine needs to a stall that everybody notices; 1, 2, 5 are enough for a quantile.
BOUNDS_S: Final = (
    *(0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005),
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
)
BOUNDS_NS: Final = tuple([round(bound * 1e9) for bound in BOUNDS_S])

HISTOGRAMS: Final = {
    "ring_latency": "from a sample's reading until a server process had it from the ring",
    "socket_latency": "from a sample's reading until it was offered to all clients that are up to date",
}

# By the histogram: the names of the numbers that count its buckets, and of the sum in ns.
BUCKETS: Final = {
    name: tuple([f"{name}_bucket_{place}" for place in range(len(BOUNDS_S) + 1)])
    for name in HISTOGRAMS
}
SUMS: Final = {name: f"{name}_sum_ns" for name in HISTOGRAMS}

# The names of all numbers that histograms are made of.
NUMBERS: Final = (*[number for buckets in BUCKETS.values() for number in buckets], *SUMS.values())


class Histogram(NamedTuple):
    """`buckets` are pairs of an upper end in seconds, as text, and how many values are not above
    it; the last end is `+Inf`. `sum_s` is the sum of all values, in seconds."""

    buckets: list[tuple[str, int]]
    sum_s: float


def histogram(name: str, numbers: Mapping[str, int]) -> Histogram:
    """Return a histogram that is made of these numbers."""
    ends = [*map(str, BOUNDS_S), "+Inf"]
    counts = accumulate([numbers[number] for number in BUCKETS[name]])
    return Histogram(list(zip(ends, counts, strict=True)), numbers[SUMS[name]] / 1e9)
