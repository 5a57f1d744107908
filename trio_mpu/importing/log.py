"""A whole log, read: its layout, its rows in the order of time, and what was left out."""

import itertools
from pathlib import Path
from typing import Final, NamedTuple

from trio_mpu.errors import ImportRefused, UsageError
from trio_mpu.importing.checks import accel_hint
from trio_mpu.importing.clocks import Clock, clock_of
from trio_mpu.importing.layout import HEAD_LINES, Layout, layout_of
from trio_mpu.importing.plan import Plan
from trio_mpu.importing.rows import Reader, Refused
from trio_mpu.importing.timeline import Timeline
from trio_mpu.sensors.replay.rows import Line
from trio_mpu.sensors.replay.text import Text

# A log of which more can't be read is another one than the options say.
MAX_LEFT_OUT: Final = 0.1
FEW: Final = 2  # rows that can be damaged in the shortest log
MIN_ROWS: Final = 2  # for a rate


class Log(NamedTuple):
    """What was found in a log. `left_out` has the first row of each kind of reason, with how many
    there are; `lines` counts all lines."""

    layout: Layout
    clock: Clock
    timeline: Timeline
    left_out: dict[str, tuple[Refused, int]]
    lines: int
    comments: int
    headers: list[int]

    @property
    def count_left_out(self) -> int:
        """How many rows were left out."""
        return sum(count for _, count in self.left_out.values())


def head_of(path: Path) -> list[Line]:
    """Return the first lines. Raises ImportRefused and OSError."""
    try:
        return list(itertools.islice(Text(path).lines(), HEAD_LINES))
    except UsageError as error:
        raise ImportRefused(str(error)) from error


def read_log(path: Path, plan: Plan) -> Log:
    """Read a log. Raises ImportRefused if it is not what the plan says, and OSError."""
    layout = layout_of(head_of(path), plan)
    clock, timeline = clock_of(plan.time), Timeline()
    reader = Reader(plan, layout, clock)
    left_out: dict[str, tuple[Refused, int]] = {}
    number, text = 0, Text(path)
    for line in text.lines():
        number = line.number
        if number <= layout.header:
            continue
        headers = len(reader.header_lines)
        found = reader.read(line)
        if len(reader.header_lines) > headers:
            timeline.note_header(number)
        refused = []
        if isinstance(found, Refused):
            timeline.leave_out()
            refused = [found]
        elif found is not None:
            refused = timeline.add(found)
        for each in refused:
            first, count = left_out.get(each.kind, (each, 0))
            left_out[each.kind] = first, count + 1
    if text.damage:
        left_out[text.damage] = Refused(number, text.damage, text.damage), 1
    timeline.finish()
    log = Log(layout, clock, timeline, left_out, number, reader.comments, reader.header_lines)
    _check(log, plan)
    return log


def _check(log: Log, plan: Plan) -> None:
    """Raise ImportRefused if too little of a log was understood."""
    rows, out = len(log.timeline), log.count_left_out
    if out > FEW and out > MAX_LEFT_OUT * (rows + out):
        first, _ = max(log.left_out.values(), key=lambda each: each[1])
        raise ImportRefused(
            f"{out:,} of {rows + out:,} rows can't be read, most of them as line {first.line}: "
            f"{first.reason}{_hint(first, plan)}"
        )
    if rows < MIN_ROWS:
        raise ImportRefused(f"rows that can be read: {rows}; wanted: {MIN_ROWS}, for a rate")


def _hint(refused: Refused, plan: Plan) -> str:
    if refused.kind == "repeated":
        return "; give a column with finer times, or --time rate:HZ"
    if refused.beyond is not None and (unit := accel_hint(plan.accel.unit, refused.beyond)):
        return f"; is it {unit}?"
    return ""
