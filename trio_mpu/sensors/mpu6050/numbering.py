# Pure: no I/O, no clock, no waiting.
"""Frames that were found → numbered and timed readings, and how many are missing between them.

The chip numbers nothing. As long as every reading that it makes is found, counting does. After a
break (the FIFO was emptied, the bus was dead) the number follows from the time, by the chip's own
clock as `timeline.py` knows it: that is exact where the instant of looking is not within a fifth
of a period of a reading's, so the readings wait, unnumbered, for a better look; after
MAX_LOOKS the middle decides, and the loss may be told wrong by one. After the chip itself began
anew its phase is unknown, and the loss is exact to one reading as well. Over a very long break
the error of the measured period comes on top, some 10⁻⁴ of it.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from trio_mpu.sensors.mpu6050.chip_clock import ChipClock

PAUSE: Final = 3  # periods: a chip that is so late did not measure in between
MAX_LOOKS: Final = 4  # arbitrary: on a computer too busy for a good look one must do


class Poll(NamedTuple):
    """What one look at the chip found: its new frames, oldest first.

    Between `begun_ns` and `ended_ns` there was an instant at which the newest reading was the
    last of these frames, or, without frames, that of the look before. `continuous` tells that
    none was missed between the look before and this one; `stale` that the one frame is an old
    one again, standing in for a reading that the chip did not make.
    """

    frames: Sequence[bytes]
    begun_ns: int
    ended_ns: int
    continuous: bool = True
    stale: bool = False


class Reading(NamedTuple):
    """A frame with its number, the chip's time of it, the time of finding it (both
    CLOCK_MONOTONIC in ns) and the number of readings that are missing right before it."""

    frame: bytes
    number: int
    t_ns: int
    found_ns: int
    lost: int


class ReadingNumbers:
    """The account of what one chip measured. The first reading ever is number 0."""

    def __init__(self, period_ns: float) -> None:
        self.clock = ChipClock(period_ns)
        self.newest = -1  # the newest reading that was given out
        self._newest_ns = 0  # about when it was measured
        self._lost = 0
        self._sure = True  # numbers follow by counting
        self._looks = 0
        self._waiting: list[tuple[bytes, int]] = []  # frames and when they were found

    @property
    def is_waiting(self) -> bool:
        """Tell whether another look is wanted soon, because the last one didn't tell enough."""
        return not self._sure

    def rephase(self) -> None:
        """Note that the chip may have begun anew, or may have paused."""
        self.clock.rephase()
        self._break()

    def _break(self) -> None:
        self._waiting = []  # whatever was not numbered yet counts as missing
        self._sure = False
        self._looks = 0

    def add(self, poll: Poll) -> list[Reading]:
        """Return the readings that can be given out now; more may be waiting for their numbers."""
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
            clock.rephase()  # the chip made a pause among these frames
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
        """Return the number of the newest reading, when none was missed since the look before."""
        pause_ns = PAUSE * self.clock.period_ns
        if not self._waiting and poll.begun_ns - self._newest_ns > pause_ns:
            if self.newest >= 0:
                self.rephase()  # the chip makes a pause
            return None
        return self.newest + len(self._waiting)

    def _by_time(self, poll: Poll, middle_ns: int) -> int | None:
        """Return the number of the newest reading after a break, None to look again."""
        clock = self.clock
        if self.newest < 0:
            return len(self._waiting) - 1 if self._waiting else None
        self._looks += 1
        if not clock.has_phase:
            is_vague = poll.ended_ns - poll.begun_ns > clock.period_ns / 2
            if not self._waiting or (is_vague and self._looks < MAX_LOOKS):
                return None  # the first reading will show the new phase
            # It was measured within the period before: in its middle, for all we know.
            ago_ns = middle_ns - clock.period_ns / 2 - self._newest_ns
            return self.newest + round(ago_ns / clock.period_ns)
        newest = clock.newest_at(poll.begun_ns, poll.ended_ns)
        if newest is None and self._looks >= MAX_LOOKS:
            newest = math.floor(clock.position(middle_ns))
        return newest

    def _stale(self, frame: bytes, middle_ns: int) -> list[Reading]:
        """Give an old frame the place of a reading that the chip did not make."""
        since = max(1, math.floor((middle_ns - self._newest_ns) / self.clock.period_ns))
        self.rephase()
        self._lost += since - 1
        self.newest += since
        # Not `middle_ns`: of looks one and a half periods apart each would forget a half.
        self._newest_ns += round(since * self.clock.period_ns)
        return [self._reading(frame, self.newest, middle_ns, middle_ns)]

    def _reading(self, frame: bytes, number: int, t_ns: int, found_ns: int) -> Reading:
        lost, self._lost = self._lost, 0
        return Reading(frame, number, t_ns, found_ns, lost)
