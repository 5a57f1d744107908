# Pure: no I/O, no clock, no waiting.
"""How many readings are missing before each one, and how far apart they really are.

A single time says little: a reading that comes 0.6 periods late is followed by one that comes early.
So the time that all readings so far stand for, one period each, is compared with the clock, and only
what the clock is ahead counts as missing.
"""

from trio_mpu.orientation.rules import RATE_S


class Spacing:
    """Counts the periods of a sensor. All times are in nanoseconds of the sensor's own time."""

    def __init__(self, period_ns: float) -> None:
        self.period_ns = period_ns  # as measured; the nominal one at first
        self.is_new = False  # whether it was measured right now
        self.begin()

    def begin(self) -> None:
        """Start with the next reading, whenever that is."""
        self._ahead_ns = 0.0  # of the clock
        self._elapsed_ns = 0.0  # in this window, and…
        self._periods = 0  # …what the readings stand for in it

    def missing(self, step_ns: float) -> int:
        """Return how many readings are missing between the last one and this one, `step_ns` later."""
        self._ahead_ns += step_ns - self.period_ns
        missing = max(0, round(self._ahead_ns / self.period_ns))
        self._ahead_ns -= missing * self.period_ns
        self._elapsed_ns += step_ns
        self._periods += 1 + missing
        self.is_new = self._elapsed_ns >= RATE_S * 1e9
        if self.is_new:
            self.period_ns = self._elapsed_ns / self._periods
            self.begin()
        return missing
