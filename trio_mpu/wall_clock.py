"""The wall clock beside the monotonic one: how far apart they are, and when it was set.

A Raspberry Pi has no clock of its own: it starts in the past, and its wall clock is set when there
is a network. A sample's `t_ns` is not affected. What must be known to put its `time` right later is
the offset between the two clocks, and when that changed.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

STEP_NS: Final = 50_000_000  # NTP slews by at most 0.5 ms/s, and steps from 128 ms on
PAUSE_NS: Final = 1_000_000  # arbitrary: reading a clock takes 0.1 µs


def offset_ns() -> int:
    """Return the wall clock less CLOCK_MONOTONIC, now."""
    return _difference_ns(time.time_ns, time.monotonic_ns)


def asleep_ns() -> int:
    """Return for how long the computer has been asleep since its start: CLOCK_MONOTONIC stands
    still then."""
    return _difference_ns(_boottime_ns, time.monotonic_ns)


def boot_id() -> str:
    """Return what identifies this start of the computer: until the next one, its clocks go on."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


class StepWatch:
    """Tells when the wall clock was set.

    It is compared with CLOCK_BOOTTIME: CLOCK_MONOTONIC stands still while the computer sleeps,
    which changes the offset, too, and is no step.
    """

    def __init__(self) -> None:
        self._reference_ns = self._seen_ns = self._now_ns()

    @staticmethod
    def _now_ns() -> int:
        return _difference_ns(time.time_ns, _boottime_ns)

    def has_stepped(self) -> bool:
        """Return whether the wall clock was set since the last `accept`."""
        self._seen_ns = self._now_ns()
        return abs(self._seen_ns - self._reference_ns) > STEP_NS

    def accept(self) -> None:
        """Take the clock as `has_stepped` has found it: a step since then is still to be noticed.
        It may have drifted since the last time: that is no step either."""
        self._reference_ns = self._seen_ns


def _boottime_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _difference_ns(one: Callable[[], int], other: Callable[[], int]) -> int:
    """Return how far one clock is ahead of another.

    On a busy computer the process may be paused between two readings, which would look like a
    clock that was set: then they are read again.
    """
    while True:
        before_ns, one_ns, after_ns = other(), one(), other()
        if after_ns - before_ns <= PAUSE_NS:
            return one_ns - (before_ns + after_ns) // 2
