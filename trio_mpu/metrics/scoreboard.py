# Pure: no I/O, no clock, no waiting.
"""What the workers of one server know of each other: a table of numbers that all have mapped.

1. Each worker has one row, its seat, and is the only one who writes it. Between two workers a seat
   is the supervisor's, who clears what has died with the first; the counters go on with the next.
2. Each number is loaded and stored whole, as 8 aligned bytes, and none depends on another. So there
   is no lock, and nobody who is stopped or killed is in the way of the others.
3. A connection is counted before the total is compared with the limit. So of two that come at the
   same instant to two workers each counts the other: the limit holds, and at worst both are refused
   where there was room for one. (A processor shows its stores to another some 100 ns late. Python
   takes longer from the one to the other; if it ever did not, there would be one too many.)
4. A server without workers is the only one at a board in its own memory.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from trio_mpu.metrics.counters import COUNTERS

# Bound "sign of life of a worker, ns".
UP_NS: Final = 2 * 10**9  # four beats: a busy machine may be late with some

_GAUGES: Final = ("beat_ns", "connections_open", "streams_open", "streams_attached")
_COLUMNS: Final = {name: column for column, name in enumerate((*_GAUGES, *COUNTERS))}


class Workers(NamedTuple):
    """How many server processes there are to be, and how many give signs of life."""

    number: int
    up: int


def scoreboard_bytes(slots: int) -> int:
    """Return how much memory a board needs; it is to be filled with zeros."""
    return 8 * len(_COLUMNS) * slots


class Scoreboard:
    """All rows together."""

    def __init__(self, memory: memoryview) -> None:
        """Take memory of `board_bytes` size, whole and writable, from an aligned beginning."""
        self._numbers = memory.cast("Q")

    def __len__(self) -> int:
        return len(self._numbers) // len(_COLUMNS)

    def slot(self, number: int) -> "Slot":
        """Return a row, counted from 0. Raises IndexError."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        begin = number * len(_COLUMNS)
        return Slot(self, self._numbers[begin : begin + len(_COLUMNS)])

    def total(self, name: str) -> int:
        """Return the sum of a column."""
        return sum(self._numbers[_COLUMNS[name] :: len(_COLUMNS)])

    def counters(self) -> dict[str, int]:
        """Return the totals of all counters."""
        return {name: self.total(name) for name in COUNTERS}

    def workers(self, now_ns: int) -> Workers:
        """Judge by the beats, at `now_ns` of CLOCK_MONOTONIC, who is up."""
        # In signed numbers: a beat may be newer than `now_ns`, by the instant since that was read.
        beats = self._numbers[_COLUMNS["beat_ns"] :: len(_COLUMNS)]
        return Workers(len(self), sum(beat > 0 and now_ns - beat < UP_NS for beat in beats))


class Slot:
    """One row."""

    def __init__(self, scoreboard: Scoreboard, row: memoryview) -> None:
        self.scoreboard = scoreboard
        self._row = row

    def get(self, name: str) -> int:
        """Return one number."""
        return int(self._row[_COLUMNS[name]])

    def add(self, name: str, by: int) -> None:
        """Add to a number, which is never negative."""
        self._row[_COLUMNS[name]] += by

    def admit(self, limit: int) -> bool:
        """Count a connection, unless there are `limit` of them in all seats together."""
        self.add("connections_open", 1)
        if self.scoreboard.total("connections_open") <= limit:
            return True
        self.add("connections_open", -1)
        return False

    def report(self, now_ns: int, attached: int, counters: Mapping[str, int]) -> None:
        """Give a sign of life, at `now_ns` of CLOCK_MONOTONIC, with the numbers of now."""
        self._row[_COLUMNS["beat_ns"]] = now_ns
        self._row[_COLUMNS["streams_attached"]] = attached
        for name, value in counters.items():
            self._row[_COLUMNS[name]] = value

    def counters(self) -> dict[str, int]:
        """Return the counters of this seat's workers so far."""
        return {name: self.get(name) for name in COUNTERS}

    def clear(self) -> None:
        """Forget what died with the worker: all but the counters."""
        for name in _GAUGES:
            self._row[_COLUMNS[name]] = 0


def alone() -> Slot:
    """Return the only seat of a board in memory of its own."""
    return Scoreboard(memoryview(bytearray(scoreboard_bytes(1)))).slot(0)
