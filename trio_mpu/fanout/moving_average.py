# Pure: no I/O, no clock, no waiting.
"""The mean of the last 128 samples, kept up to date sample by sample."""

from collections import deque
from collections.abc import Iterable
from typing import Final

from trio_mpu.record import Record, Values, values_of

# Bound "samples in average".
AVERAGE_SAMPLES: Final = 128  # as in the original system; its clients show this mean


class Average:
    """A moving mean of each of the seven values."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._window: deque[Values] = deque(maxlen=AVERAGE_SAMPLES)
        self._sums = [0.0] * 7
        self._since_exact = 0
        for record in records:
            self.add(record)

    def add(self, record: Record) -> Values:
        """Add the next record; return the means over the window that ends with it."""
        values = values_of(record)
        leaving = self._window[0] if len(self._window) == AVERAGE_SAMPLES else (0.0,) * 7
        self._window.append(values)
        self._since_exact += 1
        if self._since_exact == AVERAGE_SAMPLES:
            # Rounding errors of adding and subtracting would pile up without end.
            self._since_exact = 0
            self._sums = [sum(axis) for axis in zip(*self._window, strict=True)]
        else:
            self._sums = [
                total + new - old
                for total, new, old in zip(self._sums, values, leaving, strict=True)
            ]
        count = len(self._window)
        return tuple([total / count for total in self._sums])
