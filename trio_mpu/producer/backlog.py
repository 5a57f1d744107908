# Pure: no I/O, no clock, no waiting.
"""The queue between sampler and publisher, and the count of readings missing from it.

Every period without a sample, for whatever reason, is one lost reading. It is counted here, in
the ring's ledger, and reported with the next sample.
"""

import itertools
from collections import deque
from typing import Final

from trio_mpu.record import Record
from trio_mpu.sample import MAX_LOST, Flag, Sample

# Bound "producer's backlog, samples".
MAX_SAMPLES: Final = 16_384  # 16 s at 1,000 Hz, some 5 MB


class Backlog:
    """Samples that were read and not yet written. Samples beyond MAX_SAMPLES are lost."""

    def __init__(self, ledger: dict[str, int], period_ns: int, last: Record | None) -> None:
        """`last` is the newest record of the previous producer, if there was one."""
        self._samples: deque[Sample] = deque()
        self._ledger = ledger
        self._period_ns = period_ns
        self._last = last
        self._begun = False
        self._lost = 0

    def add(self, sample: Sample) -> None:
        """Append a sample, with the number of readings missing before it."""
        self._count(sample.lost, "device_lost")
        if len(self._samples) >= MAX_SAMPLES:
            self._count(1, "backlog_lost")
            return
        # A recording's sample can have the flag of a restart for what is missing before it.
        flagged = sample.lost if sample.flags & Flag.RESTART_GAP else 0
        flags = sample.flags | (Flag.DEVICE_GAP if self._lost > flagged else 0)
        if not self._begun and self._last is not None:
            periods = round((sample.t_ns - self._last.t_ns) / self._period_ns)
            self._count(max(0, periods - 1), "restart_lost")
            flags |= Flag.RESTART_GAP
        self._begun = True
        lost = min(self._lost, MAX_LOST)
        if (flags, lost) != (sample.flags, sample.lost):
            sample = sample._replace(flags=flags, lost=lost)
        self._samples.append(sample)
        self._lost = 0

    def miss(self, readings: int, reason: str) -> None:
        """Note that this many readings are missing; `reason` is a counter of the ledger.

        Nothing is missing before the first sample.
        """
        if self._begun:
            self._count(readings, reason)

    def _count(self, readings: int, reason: str) -> None:
        self._lost += readings
        self._ledger[reason] += readings

    def first(self, count: int) -> list[Sample]:
        """Return the oldest samples, at most `count`; they stay until they are dropped."""
        return list(itertools.islice(self._samples, count))

    def drop(self, count: int) -> None:
        """Remove the oldest samples: they are in the ring."""
        for _ in range(count):
            self._samples.popleft()
