# Pure: no I/O, no clock, no waiting.
"""Lines of a log → readings, or why there is none."""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from trio_mpu.errors import DeviceError, ImportRefused
from trio_mpu.importing.clocks import Clock
from trio_mpu.importing.layout import Layout, is_comment
from trio_mpu.importing.plan import Plan, Quantity, Unit
from trio_mpu.sample import AXES, MAX_ACCEL_G, NO_ATTITUDE, Sample, checked
from trio_mpu.sensors.replay.numbers import number, shown
from trio_mpu.sensors.replay.rows import Line

MAX_COUNT: Final = 32_768  # of a register with 16 bits
_ABSENT: Final = 0.0  # what is written for a quantity that the log lacks


class Reading(NamedTuple):
    """A row that was understood: its values in g, °/s and °C."""

    line: int
    t_ns: int
    values: tuple[float, ...]


class Refused(NamedTuple):
    """A row that was not understood: of which kind the reason is, and what it is. `beyond` is the
    length of an acceleration that no chip can measure, in g."""

    line: int
    kind: str
    reason: str
    beyond: float | None = None


class Reader:
    """Reads one line after the other. `comments` counts the lines that are none of the rows."""

    def __init__(self, plan: Plan, layout: Layout, clock: Clock) -> None:
        self.comments = 0
        self.header_lines: list[int] = []  # where the header stands once more
        self._plan = plan
        self._layout = layout
        self._clock = clock
        self._constant: tuple[str, ...] | None = None

    def read(self, line: Line) -> Reading | Refused | None:
        """Return what a line after the header has, or None if it is none of the rows.

        Raises ImportRefused if the rest of the log is of another sensor.
        """
        if not line.text.strip():
            return None
        if self._layout.is_header(line.text):
            self.header_lines.append(line.number)
            return None
        if is_comment(line.text):
            self.comments += 1
            return None
        self._clock.pass_row()
        try:
            cells = self._cells(line)
        except DeviceError as error:
            return Refused(line.number, "damaged", str(error))
        self._check_constant(line.number, cells)
        try:
            t_ns = self._clock.read(self._of(self._plan.time.columns, cells), self._layout.mark)
        except DeviceError as error:
            return Refused(line.number, "time", str(error))
        return self._reading(line.number, t_ns, cells)

    def _cells(self, line: Line) -> Sequence[str]:
        cells = self._layout.cells(line.text)
        if line.number == 1 and not self._layout.labelled:
            raise DeviceError(
                "it is the first line, without a header: its beginning may be missing"
            )
        if not line.ended and len(cells) - 1 in self._layout.used:
            raise DeviceError("its end is missing: the last number may be cut")
        return cells

    def _reading(self, line: int, t_ns: int, cells: Sequence[str]) -> Reading | Refused:
        plan = self._plan
        try:
            values = (
                *self._values(AXES[:3], plan.accel, cells),
                *self._values(AXES[3:6], plan.gyro, cells),
                *self._values(AXES[6:], plan.temp, cells),
            )
        except DeviceError as error:
            return Refused(line, "value", str(error))
        try:
            checked(Sample._make((t_ns, *values, 0, 0, *NO_ATTITUDE)))
        except DeviceError as error:
            length_g = math.hypot(*values[:3])
            beyond = length_g if max(map(abs, values[:3])) > MAX_ACCEL_G else None
            return Refused(line, "range", str(error), beyond)
        return Reading(line, t_ns, values)

    def _values(
        self, axes: Sequence[str], quantity: Quantity, cells: Sequence[str]
    ) -> tuple[float, ...]:
        if not quantity.columns:
            return (_ABSENT,) * len(axes)
        return tuple(
            _in_our_unit(axis, number(axis, cell, self._layout.mark), quantity.unit)
            for axis, cell in zip(axes, self._of(quantity.columns, cells), strict=True)
        )

    def _check_constant(self, line: int, cells: Sequence[str]) -> None:
        texts = tuple(self._of(self._plan.constant, cells))
        if self._constant is None:
            self._constant = texts
        for column, first, text in zip(self._plan.constant, self._constant, texts, strict=True):
            if text != first:
                raise ImportRefused(
                    f"line {line}: {column} is {shown(text)}, and {shown(first)} before: it has "
                    "several sensors; make a file of each"
                )

    def _of(self, columns: Sequence[str], cells: Sequence[str]) -> list[str]:
        return [cells[self._layout.places[column]] for column in columns]


def _in_our_unit(axis: str, value: Decimal, unit: Unit) -> float:
    if unit.counts:
        if value != value.to_integral_value():
            raise DeviceError(f"{axis} is {value:f}, but counts are whole numbers")
        if abs(value) > MAX_COUNT:
            raise DeviceError(f"{axis} is {value:f}, but counts have 16 bits")
    return float((value - unit.zero) / unit.per)
