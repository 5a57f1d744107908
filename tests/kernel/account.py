"""What the chip has made, beside what the producer has given out and told to be missing."""

import itertools
import statistics
from collections.abc import Sequence
from typing import Final, NamedTuple

from tests.kernel.ticks import Ticks
from tests.kernel.units import Units
from trio_mpu.record import Record
from trio_mpu.sample import Flag

# The chip's clock is known by the readings of some seconds. Of pauses within so many samples the
# producer can't have made up its mind yet, whether the chip has paused or is slow.
UNDECIDED: Final = 300


class Gap(NamedTuple):
    """What is missing right before a record: told, made in truth, and due but not made because
    the emulator came late, there and of late."""

    told: int
    made: int
    skipped: int
    skipped_of_late: int


class Account(NamedTuple):
    """Of all records of a run: the gaps that there were or were told, how many samples the
    emulator skipped, and how far each record's time is from when its sample was made and due."""

    samples: int
    gaps: Sequence[Gap]
    skipped: int
    late_ns: Sequence[int]
    off_schedule_ns: Sequence[int]

    @property
    def told(self) -> int:
        """How many are told to be missing."""
        return sum(gap.told for gap in self.gaps)

    @property
    def made(self) -> int:
        """How many are missing of those that the chip made."""
        return sum(gap.made for gap in self.gaps)

    def check(self) -> None:
        """Each gap is told as it was made.

        With what a chip that skips samples leaves open: those are missing as well, and its rate
        seems lower than it is. And with what the producer itself leaves open: when the computer
        looked right at a reading's instant, it may be wrong by one; by more in one gap of twenty,
        which is what comes of a processor that is away for periods on end, again and again.
        """
        wrong = self.told_otherwise(1)
        assert len(wrong) <= len(self.gaps) // 20, (wrong, self.gaps)
        made = [gap for gap in self.gaps if gap.made]
        inexact = [gap for gap in self.told_otherwise(0) if gap.made]
        assert len(inexact) <= max(1, len(made) // 2), (inexact, self.gaps)

    def told_otherwise(self, spare: int) -> list[Gap]:
        """The gaps that are told as more or less than they were, by more than so many."""
        slow = self.skipped / (self.samples + self.made + self.skipped)
        return [gap for gap in self.gaps if not _is_within(gap, slow, spare)]

    def __str__(self) -> str:
        late_us = [abs(ns) / 1000 for ns in self.late_ns]
        return (
            f"{self.samples} samples; (told, made, skipped by the emulator): "
            f"{[tuple(gap[:3]) for gap in self.gaps if gap.made or gap.told]}; {self.skipped} "
            f"skipped in all; times are off by {statistics.median(late_us):.0f} µs in the "
            f"median, {max(late_us):.0f} µs at worst"
        )


def _is_within(gap: Gap, slow: float, spare: int) -> bool:
    # The chip's rate is taken from its latest samples: it seems as much lower as it skipped of these.
    of_late = gap.skipped_of_late / (UNDECIDED + gap.skipped_of_late)
    uncertain = spare + (gap.made + gap.skipped_of_late) * max(slow, of_late)
    return gap.made - uncertain <= gap.told <= gap.made + gap.skipped_of_late + uncertain


def account(records: Sequence[Record], ticks: Ticks, units: Units) -> Account:
    """Find each record's tick, and check that numbers and sequence numbers go up one by one.

    A record that is told to be stale stands for a sample that the chip has not made; it has the
    number of the one before, and is not counted.
    """
    for one, other in itertools.pairwise(records):
        assert other.seq == one.seq + 1
        assert other.t_ns > one.t_ns
    made_by = [ticks.of(record, units) for record in records]
    gaps, fresh, told = [], [0], 0
    for place, record in enumerate(records[1:], start=1):
        told += record.lost
        before, after = made_by[fresh[-1]], made_by[place]
        if record.flags & Flag.STALE_REPEAT and after.number == before.number:
            continue
        missing = after.number - before.number - 1
        assert missing >= 0, (records[fresh[-1]], record)
        if missing or told:
            long_ago = made_by[fresh[max(0, len(fresh) - UNDECIDED)]]
            gaps.append(
                Gap(told, missing, ticks.skipped(before, after), ticks.skipped(long_ago, after))
            )
        fresh.append(place)
        told = 0
    return Account(
        len(fresh),
        gaps,
        ticks.skipped(made_by[0], made_by[-1]),
        [records[place].t_ns - made_by[place].made_ns for place in fresh],
        [records[place].t_ns - made_by[place].due_ns for place in fresh],
    )
