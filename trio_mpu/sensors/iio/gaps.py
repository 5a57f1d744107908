# Pure: no I/O, no clock, no waiting.
"""Finds missing readings from the times of those that arrived."""

from typing import Final

STEADY: Final = 1024  # steps: a longer memory would not follow a chip that warms up
PRIOR: Final = 8  # arbitrary: the weight of the nominal period, in steps
MAX_ERROR: Final = 0.1  # of the nominal period; chips are accurate to 5 % (data sheet, 6.6)


class Pace:
    """The period of a chip with a clock of its own, measured from the readings' times.

    The nominal period is not accurate enough: the chip's oscillator is off by up to 1 % (5 %
    without the gyroscope's), which in a gap of a hundred readings is one or several of them.
    """

    def __init__(self, period_ns: int) -> None:
        self._nominal_ns = period_ns
        self._period_ns = float(period_ns)
        self._steps = PRIOR
        self._last_ns: int | None = None

    def next(self, t_ns: int) -> tuple[int, int]:
        """Return the time of a reading, and the number of readings missing right before it.

        A step of n + 1 periods, rounded, is a gap of n; before the first reading nothing is
        missing. Times are CLOCK_MONOTONIC; one that is not later than its predecessor becomes one
        nanosecond later.
        """
        last_ns, self._last_ns = self._last_ns, t_ns
        if last_ns is None:
            return t_ns, 0
        if t_ns <= last_ns:
            self._last_ns = last_ns + 1
            return last_ns + 1, 0
        step_ns = t_ns - last_ns
        periods = step_ns / self._period_ns
        if 0.5 < periods < 1.5:
            # The mean of the steps is the total time divided by their number: jitter cancels out.
            self._steps = min(self._steps + 1, STEADY)
            self._period_ns += (step_ns - self._period_ns) / self._steps
            low_ns, high_ns = (self._nominal_ns * (1 + error) for error in (-MAX_ERROR, MAX_ERROR))
            self._period_ns = min(max(self._period_ns, low_ns), high_ns)
        return t_ns, max(0, round(periods) - 1)
