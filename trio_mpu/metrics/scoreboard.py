# Pure: no I/O, no clock, no waiting.
"""What the workers of one server know of each other: a table of numbers in memory they share.

1. Each worker has one row, its slot, and only it writes there. Between two workers a slot belongs
   to the supervisor, which clears what died with the first; the counters continue with the next.
2. Each number is loaded and stored whole, as 8 aligned bytes, and none depends on another. So there
   is no lock, and a stopped or killed worker is in nobody's way.
3. A connection is counted before the total is compared with the limit. So when two arrive at two
   workers at the same instant, each counts the other: the limit holds, and at worst both are
   refused where there was room for one. (A store reaches another processor some 100 ns later.
   Python takes longer than that from the store to the comparison; if it ever did not, there would
   be one connection too many.)
4. A server without workers has a scoreboard with a single slot in its own memory.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from trio_mpu.metrics.counters import NUMBERS

# Bound "sign of life of a worker, ns".
UP_NS: Final = 2 * 10**9  # four heartbeats: a busy machine may be late with some

_GAUGES: Final = ("beat_ns", "pid", "connections_open", "streams_open", "streams_attached")
_COLUMNS: Final = {name: column for column, name in enumerate((*_GAUGES, *NUMBERS))}


class Workers(NamedTuple):
    """How many server processes are configured, and how many have reported lately."""

    number: int
    up: int


def scoreboard_bytes(slots: int) -> int:
    """Return how much memory a scoreboard needs; it must be filled with zeros."""
    return 8 * len(_COLUMNS) * slots


class Scoreboard:
    """The whole table."""

    def __init__(self, memory: memoryview) -> None:
        """Use this memory: writable, aligned, and of the size that `scoreboard_bytes` returns."""
        self._numbers = memory.cast("Q")

    def __len__(self) -> int:
        return len(self._numbers) // len(_COLUMNS)

    def slot(self, number: int) -> "Slot":
        """Return the slot with this number, counted from 0. Raises IndexError."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        begin = number * len(_COLUMNS)
        return Slot(self, self._numbers[begin : begin + len(_COLUMNS)])

    def total(self, name: str) -> int:
        """Return the sum of a column."""
        return sum(self._numbers[_COLUMNS[name] :: len(_COLUMNS)])

    def counters(self) -> dict[str, int]:
        """Return the totals of all counters and of the numbers of histograms."""
        return {name: self.total(name) for name in NUMBERS}

    def pids(self) -> dict[int, int]:
        """Return the process ids of the workers that run, by the numbers of their slots."""
        pids = self._numbers[_COLUMNS["pid"] :: len(_COLUMNS)]
        return {number: pid for number, pid in enumerate(pids) if pid}

    def workers(self, now_ns: int) -> Workers:
        """Count the workers whose last report is recent at `now_ns` of CLOCK_MONOTONIC."""
        # In signed numbers: a report may be newer than `now_ns`, which was read a moment before.
        beats = self._numbers[_COLUMNS["beat_ns"] :: len(_COLUMNS)]
        return Workers(len(self), sum(beat > 0 and now_ns - beat < UP_NS for beat in beats))


class Slot:
    """One worker's row."""

    def __init__(self, scoreboard: Scoreboard, row: memoryview) -> None:
        self.scoreboard = scoreboard
        self._row = row

    def begin(self, pid: int) -> None:
        """Note which process has this slot from now on."""
        self._row[_COLUMNS["pid"]] = pid

    def get(self, name: str) -> int:
        """Return the number of this name."""
        return int(self._row[_COLUMNS[name]])

    def add(self, name: str, by: int) -> None:
        """Add to a number; the result must not be negative."""
        self._row[_COLUMNS[name]] += by

    def admit(self, limit: int) -> bool:
        """Count a connection and return True, unless all slots together have `limit` already."""
        self.add("connections_open", 1)
        if self.scoreboard.total("connections_open") <= limit:
            return True
        self.add("connections_open", -1)
        return False

    def report(self, now_ns: int, attached: int, counters: Mapping[str, int]) -> None:
        """Report the current numbers, at `now_ns` of CLOCK_MONOTONIC."""
        self._row[_COLUMNS["beat_ns"]] = now_ns
        self._row[_COLUMNS["streams_attached"]] = attached
        for name, value in counters.items():
            self._row[_COLUMNS[name]] = value

    def counters(self) -> dict[str, int]:
        """Return the counters, and the numbers of histograms, of all workers that have had this
        slot."""
        return {name: self.get(name) for name in NUMBERS}

    def clear(self) -> None:
        """Reset what died with the worker: everything but the counters."""
        for name in _GAUGES:
            self._row[_COLUMNS[name]] = 0


def alone() -> Slot:
    """Return the only slot of a scoreboard in this process's own memory."""
    return Scoreboard(memoryview(bytearray(scoreboard_bytes(1)))).slot(0)
