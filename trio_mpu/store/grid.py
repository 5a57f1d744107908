# Pure: no I/O, no clock, no waiting.
"""Samples, and windows that are summed already → windows of any other length."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from trio_mpu.formats import gap_of
from trio_mpu.record import Record, Values
from trio_mpu.sample import Gap
from trio_mpu.store.pyramid import totals


@dataclass
class Cell:
    """What a window of the grid has: how many samples, and each axis's minimum, sum and maximum;
    and before them how many gaps, and how many samples that were lost as far as is known."""

    samples: int = 0
    lows: Values = ()
    sums: Values = ()
    highs: Values = ()
    gaps: int = 0
    lost: int = 0

    @property
    def means(self) -> Values:
        """Each axis's mean; of at least one sample."""
        return tuple(total / self.samples for total in self.sums)

    def add(self, samples: int, lows: Values, sums: Values, highs: Values) -> None:
        """Add samples of which these are known."""
        if self.samples:
            lows = tuple(map(min, lows, self.lows))
            sums = tuple(a + b for a, b in zip(sums, self.sums, strict=True))
            highs = tuple(map(max, highs, self.highs))
        self.samples, self.lows, self.sums, self.highs = self.samples + samples, lows, sums, highs

    def add_gaps(self, gaps: int, lost: int) -> None:
        """Add gaps."""
        self.gaps += gaps
        self.lost += lost


@dataclass
class Grid:
    """Windows of `width_ns` from `start_ns` on; only those that have anything are there."""

    start_ns: int
    width_ns: int
    cells: dict[int, Cell] = field(default_factory=dict)

    def cell(self, place: int) -> Cell:
        """Return the window of this number, counted from 0."""
        return self.cells.setdefault(place, Cell())

    def add(self, records: Sequence[Record], gap: Gap | None) -> None:
        """Add records, and the gap before the first one."""
        for place, group in groupby(records, self._place):
            of_it = [*group]
            cell = self.cell(place)
            cell.add(*totals(of_it))
            for record in of_it:
                for each in (gap, gap_of(record)):
                    if each is not None:
                        cell.add_gaps(1, each.lost or 0)
                gap = None

    def windows(self) -> list[tuple[int, Cell]]:
        """Return the windows that have samples, in order, with the times of their beginnings."""
        return [
            (self.start_ns + place * self.width_ns, cell)
            for place, cell in sorted(self.cells.items())
            if cell.samples
        ]

    def _place(self, record: Record) -> int:
        return (record.time_ns - self.start_ns) // self.width_ns
