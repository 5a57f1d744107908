# Pure: no I/O, no clock, no waiting.
"""Records → windows of a second, a minute and an hour: count, and min, mean and max of each axis."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from trio_mpu.record import Record, Values, values_of

LEVELS_S: Final = (1, 60, 3600)  # each divides the next
_NS_PER_S: Final = 1_000_000_000


class Window(NamedTuple):
    """The samples from `start_s` (Unix time, a multiple of `level_s`) on, for `level_s` seconds."""

    level_s: int
    start_s: int
    samples: int
    lows: Values
    means: Values
    highs: Values


def windows_of(records: Sequence[Record]) -> list[Window]:
    """Return the windows of all levels that these records are in, without other records' share."""
    level = [*_seconds(records)]
    found = [*level]
    for level_s in LEVELS_S[1:]:
        level = [*_coarser(level, level_s)]
        found += level
    return found


def totals(records: Iterable[Record]) -> tuple[int, Values, Values, Values]:
    """Return how many records these are, and each axis's minimum, sum and maximum; of at least
    one."""
    axes = [*zip(*map(values_of, records), strict=True)]
    return len(axes[0]), tuple(map(min, axes)), tuple(map(sum, axes)), tuple(map(max, axes))


def _seconds(records: Sequence[Record]) -> Iterator[Window]:
    for start_s, group in groupby(records, lambda record: record.time_ns // _NS_PER_S):
        count, lows, sums, highs = totals(group)
        means = tuple(total / count for total in sums)
        yield Window(LEVELS_S[0], start_s, count, lows, means, highs)


def _coarser(windows: Iterable[Window], level_s: int) -> Iterator[Window]:
    for start_s, group in groupby(windows, lambda window: window.start_s // level_s * level_s):
        parts = [*group]
        count = sum(part.samples for part in parts)
        means = zip(*([mean * part.samples for mean in part.means] for part in parts), strict=True)
        yield Window(
            level_s,
            start_s,
            count,
            tuple(map(min, zip(*(part.lows for part in parts), strict=True))),
            tuple(sum(axis) / count for axis in means),
            tuple(map(max, zip(*(part.highs for part in parts), strict=True))),
        )
