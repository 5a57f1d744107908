# Pure: no I/O, no clock, no waiting.
"""When the chip measured: its clock, estimated from the times at which its readings were found.

The chip measures at t(n) = phase + n · period by its own clock. All that the computer can observe
is that reading n was the newest at some instant between `begun` and `ended` (one transfer). So

    t(n) ≤ ended  and  begun < t(n + 1).

The period is the slope of a least-squares line through the middles of these transfers, in which
older ones weigh less (a chip's clock drifts with its temperature). The phase is the middle of the
interval that the inequalities of the last observations allow.

The error of a time is at most half of that interval. The interval is a transfer's duration plus
some 2 % of a period if observations are spread over all phases of the period, which the reader
ensures (its waits are not multiples of the period). The error is half a period if all observations
have the same phase, and for the first one. The tests of the chip and of its clock measure it.
"""

import math
from collections import deque
from typing import Final

MEMORY: Final = 1024  # observations until a weight is 1/e: seconds, in which no clock drifts
WINDOW: Final = 64  # observations whose inequalities bound the phase
# A line through a few points is less accurate than the data sheet, which is right to about 1 %.
# That equals points with a sum of squares of 3400 periods² (0.29 periods of error each, 0.5 %).
PRIOR: Final = 3400.0
MAX_PRIOR: Final = 1e8  # the same for a period known to 3·10⁻⁵
# How many readings back the period's error (as above) adds up to a third of MARGIN.
REACH: Final = 0.2 / 3 / 0.29
MARGIN: Final = (
    0.2  # of a period: nearer to a measurement it is uncertain which reading is the newest
)


class ChipClock:
    """The chip's clock. Times are CLOCK_MONOTONIC in nanoseconds."""

    def __init__(self, period_ns: float) -> None:
        """`period_ns` is the nominal period."""
        self.period_ns = period_ns
        self.observations = 0
        self._squares = 0.0
        self._prior = PRIOR
        self.rephase()

    def rephase(self) -> None:
        """Note that the chip may have restarted: from now on its readings have another phase and
        the same period. Times are known again after the next `observe`."""
        self._window: deque[tuple[int, int, int]] = deque(maxlen=WINDOW)
        self._prior = min(self._squares + self._prior, MAX_PRIOR)
        self._prior_ns = self.period_ns
        self._weight = self._mean_n = self._mean_ns = self._squares = self._products = 0.0
        self._number = 0
        self._ns = 0.0
        self.spread_ns = self.period_ns

    @property
    def has_phase(self) -> bool:
        """Whether anything was observed since the chip started."""
        return bool(self._window)

    def observe(self, number: int, begun_ns: int, ended_ns: int) -> None:
        """Note that `number` was the newest reading at an instant between these two."""
        is_new = not self._window or number > self._window[-1][0]
        if is_new and ended_ns - begun_ns < self.period_ns:
            self._regress(number, (begun_ns + ended_ns) / 2)
            self.observations += 1
        self._window.append((number, begun_ns, ended_ns))
        period = self.period_ns
        # Older ones, extrapolated with a period that is not known yet, would be wrong.
        reach = REACH * math.sqrt(self._squares + self._prior)
        while self._window[0][0] < number - reach:
            self._window.popleft()
        while True:
            first = max(a - (n + 1 - number) * period for n, a, _ in self._window)
            last = min(b - (n - number) * period for n, _, b in self._window)
            if first <= last or len(self._window) == 1:
                break
            self._window.popleft()  # the clock has drifted since, or the period was unknown
        self._number, self._ns, self.spread_ns = number, (first + last) / 2, last - first

    def _regress(self, number: int, middle_ns: float) -> None:
        """Add a point to the line (West, "Updating mean and variance estimates", 1979, with fading
        weights)."""
        faded = self._weight * (1 - 1 / MEMORY)
        self._weight = faded + 1
        dn, dt = number - self._mean_n, middle_ns - self._mean_ns
        self._mean_n += dn / self._weight
        self._mean_ns += dt / self._weight
        share = faded / self._weight
        self._squares = self._squares * (1 - 1 / MEMORY) + share * dn * dn
        self._products = self._products * (1 - 1 / MEMORY) + share * dn * dt
        known = self._products + self._prior * self._prior_ns
        self.period_ns = known / (self._squares + self._prior)

    def time_ns(self, number: int) -> int:
        """Return when the chip measured, or will measure, this reading."""
        return round(self._ns + (number - self._number) * self.period_ns)

    def newest_at(self, begun_ns: int, ended_ns: int) -> int | None:
        """Return which reading was the newest between these two, None if that is uncertain because
        there was a measurement in between, or nearly so."""
        first = math.floor(self.position(begun_ns) - MARGIN)
        last = math.floor(self.position(ended_ns) + MARGIN)
        return last if first == last else None

    def position(self, at_ns: float) -> float:
        """Return the number of the newest reading at this instant, plus the fraction of a period
        that has passed since."""
        return self._number + (at_ns - self._ns) / self.period_ns
