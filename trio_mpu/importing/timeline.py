# Pure: no I/O, no clock, no waiting.
"""Readings in the order of time: which rows are left out, and what is missing between the others.

1. Times rise. A row with the time of the one before it is left out.
2. Of two neighbours whose times contradict each other, nobody knows which one is wrong: both are
   left out. That is one damaged time.
3. If the times go back and stay there, another log begins: the file is refused.
4. A row is held back until the next one has confirmed it.
5. A step of more than GAP_PERIODS of the median step is a gap. A row that is left out is one too.
"""

import statistics
from array import array
from typing import Final

from trio_mpu.errors import ImportRefused
from trio_mpu.importing.rows import Reading, Refused
from trio_mpu.sample import MAX_LOST

GAP_PERIODS: Final = 1.5  # a step that is nearer to two periods than to one
MAX_BEHIND: Final = 2  # rows in a row with times before what was confirmed; one may be damaged
# What is read is kept in memory: some 90 bytes a row.
MAX_ROWS: Final = 5_000_000
PERIOD_STEPS: Final = 100_000  # the first steps, of which the median is taken: to sort costs memory


class Timeline:
    """The rows that are confirmed, oldest first: `times_ns`, seven `values` each, their `lines`.

    `missed` has how many rows were left out before a row, where there are any, and `breaks` the
    rows before which the header stood once more.
    """

    def __init__(self) -> None:
        self.times_ns = array("q")
        self.values = array("d")
        self.lines = array("I")
        self.missed: dict[int, int] = {}
        self.breaks: set[int] = set()
        self._pending: Reading | None = None
        self._pending_missed = 0
        self._since = 0  # rows left out since the pending one, or since the last one
        self._behind = 0
        self._breaks_at: list[int] = []  # lines of further headers that no row has followed yet

    def __len__(self) -> int:
        return len(self.times_ns)

    def leave_out(self) -> None:
        """Note a row that was not understood."""
        self._since += 1

    def note_header(self, line: int) -> None:
        """Note that the header stands once more in this line."""
        self._breaks_at.append(line)

    def add(self, row: Reading) -> list[Refused]:
        """Add the next row; return those that turn out to contradict others.

        Raises ImportRefused if another log begins here.
        """
        pending = self._pending
        last_ns = self.times_ns[-1] if self.times_ns else -1
        before_ns = last_ns if pending is None else pending.t_ns
        if row.t_ns > before_ns:
            self._confirm()
            self._pending, self._pending_missed, self._since = row, self._since, 0
            return []
        self._since += 1
        if row.t_ns == before_ns:
            return [Refused(row.line, "repeated", "it has the time of the row before it")]
        back = f"its time is {_shown(before_ns - row.t_ns)} before that of the row above"
        refused = [Refused(row.line, "order", back)]
        if pending is None or row.t_ns <= last_ns:
            self._behind += 1
            if self._behind == MAX_BEHIND:
                raise ImportRefused(
                    f"line {row.line}: the times go back by {_shown(before_ns - row.t_ns)} and stay "
                    "there; if another log begins here, make a file of each"
                )
            return refused
        self._pending = None
        self._since += 1 + self._pending_missed
        ahead = f"its time is {_shown(before_ns - row.t_ns)} after that of the row below"
        return [Refused(pending.line, "order", ahead), *refused]

    def finish(self) -> None:
        """Confirm the last row."""
        self._confirm()
        self._pending = None

    def _confirm(self) -> None:
        row = self._pending
        if row is None:
            return
        if len(self) == MAX_ROWS:
            raise ImportRefused(f"it has more than {MAX_ROWS:,} rows: split it")
        if self._pending_missed:
            self.missed[len(self)] = self._pending_missed
        if self._breaks_at and self._breaks_at[0] < row.line:
            self.breaks.add(len(self))
            self._breaks_at = [line for line in self._breaks_at if line > row.line]
        self._behind = 0
        self.times_ns.append(row.t_ns)
        self.values.extend(row.values)
        self.lines.append(row.line)


def period_ns(timeline: Timeline) -> int:
    """Return the median of the first steps. There must be two rows."""
    times_ns = timeline.times_ns[: PERIOD_STEPS + 1]
    return statistics.median_low(map(int.__sub__, times_ns[1:], times_ns))


def gaps_of(timeline: Timeline, period_ns: int, *, by_time: bool) -> dict[int, int]:
    """Return how many readings are missing before a row, for each row after a gap. It can be none
    where a header says that the log was interrupted.

    Without `by_time` the steps are not looked at.
    """
    lost = dict.fromkeys(sorted(timeline.breaks), 0) | timeline.missed
    times_ns = timeline.times_ns
    for row in range(1, len(timeline) if by_time else 0):
        step_ns = times_ns[row] - times_ns[row - 1]
        if step_ns > GAP_PERIODS * period_ns:
            lost[row] = max(lost.get(row, 0), round(step_ns / period_ns) - 1)
    return {row: min(count, MAX_LOST) for row, count in sorted(lost.items())}


def _shown(duration_ns: int) -> str:
    return f"{duration_ns / 1e9:,.6g} s"
