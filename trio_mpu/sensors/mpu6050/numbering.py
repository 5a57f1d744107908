# Pure: no I/O, no clock, no waiting.
"""Numbers and times the frames that were found, and counts the missing ones between them.

The chip does not number its readings. As long as every reading is found, they are counted. After a
break (the FIFO was emptied, the bus was dead), the number follows from the time, by the estimate of
the chip's clock. This is exact if the poll is at least a fifth of a period away from a measurement,
so the readings wait, unnumbered, for a better poll. After MAX_POLLS polls the middle of the last
one decides, and the loss may be off by one. After a restart of the chip its phase is unknown, so
the loss may be off by one as well. Over a very long break the error of the measured period, some
10⁻⁴ of it, is added.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from trio_mpu.sensors.mpu6050.chip_clock import ChipClock

PAUSE: Final = 3  # periods: a chip this late did not measure in between
MAX_POLLS: Final = 4  # arbitrary: a computer may be too busy for a good poll


class Poll(NamedTuple):
    """The result of one poll of the chip: its new frames, oldest first.

    At some instant between `begun_ns` and `ended_ns`, the last of these frames was the newest
    reading; without frames, it was still that of the previous poll. `continuous` means that none
    was missed between the previous poll and this one. `stale` means that the only frame is the
    previous one again, in place of a reading that the chip did not make.
    """

    frames: Sequence[bytes]
    begun_ns: int
    ended_ns: int
    continuous: bool = True
    stale: bool = False


class Reading(NamedTuple):
    """A frame with its number, its time by the chip's clock, the time at which it was found (both
    CLOCK_MONOTONIC in ns), and the number of readings missing right before it."""

    frame: bytes
    number: int
    t_ns: int
    found_ns: int
    lost: int


class ReadingNumbers:
    """Numbers the readings of one chip. The first reading is number 0."""

    def __init__(self, period_ns: float) -> None:
        self.clock = ChipClock(period_ns)
        self.newest = -1  # the newest reading that was returned
        self._newest_ns = 0  # about when it was measured
        self._lost = 0
        self._sure = True  # numbers follow from counting
        self._polls = 0
        self._waiting: list[tuple[bytes, int]] = []  # frames and when they were found

    @property
    def is_waiting(self) -> bool:
        """Whether another poll is needed soon, because the last one left the number uncertain."""
        return not self._sure

    def rephase(self) -> None:
        """Note that the chip may have restarted or paused."""
        self.clock.rephase()
        self._break()

    def _break(self) -> None:
        self._waiting = []  # frames that were not numbered yet count as missing
        self._sure = False
        self._polls = 0

    def add(self, poll: Poll) -> list[Reading]:
        """Return the readings that are numbered now; others may wait for their numbers."""
        middle_ns = (poll.begun_ns + poll.ended_ns) // 2
        if poll.stale:
            return self._stale(poll.frames[0], middle_ns)
        if not poll.continuous:
            self._break()
        self._waiting += [(frame, middle_ns) for frame in poll.frames]
        newest = self._counted(poll) if self._sure else self._by_time(poll, middle_ns)
        if newest is None:
            return []
        if self.newest >= 0:
            newest = max(newest, self.newest + len(self._waiting))
            self._lost += newest - len(self._waiting) - self.newest
        self._sure = True
        clock = self.clock
        if clock.has_phase and not (
            clock.position(poll.begun_ns) - PAUSE < newest < clock.position(poll.ended_ns) + PAUSE
        ):
            clock.rephase()  # the chip paused between these frames
        clock.observe(newest, poll.begun_ns, poll.ended_ns)
        if newest != self.newest:
            self.newest, self._newest_ns = newest, clock.time_ns(newest)
        waiting, self._waiting = self._waiting, []
        first = newest - len(waiting) + 1
        return [
            self._reading(frame, number, clock.time_ns(number), found_ns)
            for number, (frame, found_ns) in enumerate(waiting, start=first)
        ]

    def _counted(self, poll: Poll) -> int | None:
        """Return the number of the newest reading if none was missed since the previous poll."""
        pause_ns = PAUSE * self.clock.period_ns
        if not self._waiting and poll.begun_ns - self._newest_ns > pause_ns:
            if self.newest >= 0:
                self.rephase()  # the chip pauses
            return None
        return self.newest + len(self._waiting)

    def _by_time(self, poll: Poll, middle_ns: int) -> int | None:
        """Return the number of the newest reading after a break, None to poll again."""
        clock = self.clock
        if self.newest < 0:
            return len(self._waiting) - 1 if self._waiting else None
        self._polls += 1
        if not clock.has_phase:
            is_vague = poll.ended_ns - poll.begun_ns > clock.period_ns / 2
            if not self._waiting or (is_vague and self._polls < MAX_POLLS):
                return None  # the first reading will show the new phase
            # It was measured within the last period: the best estimate is the middle.
            ago_ns = middle_ns - clock.period_ns / 2 - self._newest_ns
            return self.newest + round(ago_ns / clock.period_ns)
        newest = clock.newest_at(poll.begun_ns, poll.ended_ns)
        if newest is None and self._polls >= MAX_POLLS:
            newest = math.floor(clock.position(middle_ns))
        return newest

    def _stale(self, frame: bytes, middle_ns: int) -> list[Reading]:
        """Put an old frame in place of a reading that the chip did not make."""
        since = max(1, math.floor((middle_ns - self._newest_ns) / self.clock.period_ns))
        self.rephase()
        self._lost += since - 1
        self.newest += since
        # Not `middle_ns`: with polls 1.5 periods apart, each would drop half a period.
        self._newest_ns += round(since * self.clock.period_ns)
        return [self._reading(frame, self.newest, middle_ns, middle_ns)]

    def _reading(self, frame: bytes, number: int, t_ns: int, found_ns: int) -> Reading:
        lost, self._lost = self._lost, 0
        return Reading(frame, number, t_ns, found_ns, lost)
