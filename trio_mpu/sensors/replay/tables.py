# Pure: no I/O, no clock, no waiting.
"""Recordings as tables: CSV, and what spreadsheets, data frames and shells make of it.

The columns are found by their names, in any order, beside others. The separator is a comma, a
semicolon or a tab; the decimal mark is the one that most numbers have.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from trio_mpu.errors import DeviceError, UsageError
from trio_mpu.formats import COLUMNS, SI_NAMES
from trio_mpu.sample import AXES
from trio_mpu.sensors.replay.numbers import are_known, flag_names, is_empty, shown, time_ns
from trio_mpu.sensors.replay.rows import WANTED, Found, Line, Row, lacking, row_of

_SEPARATORS: Final = (",", ";", "\t")
_USED: Final = {"seq", "time", "t_ns", *AXES, *SI_NAMES, "flags", "lost"}
_MAX_SHOWN: Final = 100  # characters of a header in a message


class Table:
    """A table with one separator and one decimal mark; `names` are the columns of the first rows,
    until there is a header."""

    def __init__(self, separator: str, names: Sequence[str], mark: str) -> None:
        self.mark = mark
        self._separator = separator
        self._names = names

    def read(self, lines: Iterable[Line]) -> Iterator[Found]:
        """Yield what is found in each line: a row, or why there is none."""
        names, begins = self._names, False
        for line in lines:
            if _is_preamble(line.text):
                continue
            cells = cells_of(line.text, self._separator)
            place = f"line {line.number}"
            if cells is not None and not any(cells):
                continue  # an empty row of a spreadsheet
            if cells is not None and not lacking(cells):
                names, begins = cells, True  # another recording in the same file
            elif cells is None:
                yield Found(place, None, "it has a quote without its pair", begins)
                begins = False
            elif len(cells) != len(names):
                problem = f"it has {len(cells)} columns, not {len(names)}"
                yield Found(place, None, problem, begins)
                begins = False
            elif not line.ended and names[-1] in _USED:
                yield Found(place, None, "its end is missing: the last number may be cut", begins)
                begins = False
            else:
                yield Found(place, dict(zip(names, cells, strict=True)), begins=begins)
                begins = False


def table_of(lines: Sequence[Line]) -> Table:
    """Return how to read the table that begins with these lines.

    Without a header it must be exactly as our own: see _is_headless. Raises UsageError, which
    shows the first line and what is wanted.
    """
    first = next((line for line in lines if not _is_preamble(line.text)), lines[0]).text
    nearest: list[str] = []
    for separator in _SEPARATORS:
        names = cells_of(first, separator) or []
        if len(set(names) & _USED) > len(set(nearest) & _USED):
            nearest = names
        if not lacking(names):
            twice = [name for name in names if name in _USED and names.count(name) > 1]
            if twice:
                raise UsageError(f"it has two columns named {twice[0]}")
            return Table(separator, names, _mark(lines, separator, names))
    for separator in _SEPARATORS:
        table = Table(separator, COLUMNS, _mark(lines, separator, COLUMNS))
        if _is_headless(table, lines):
            return table
    header = shown(first, _MAX_SHOWN)
    if nearest:
        raise UsageError(
            f"its header {header} has no {', '.join(lacking(nearest))}; wanted: {WANTED}"
        )
    raise UsageError(f"its first line is {header}; wanted is a header with {WANTED}")


def _is_preamble(text: str) -> bool:
    """Return whether this is an empty line, or one that a program has put before the header:
    Excel's separator or PowerShell's type."""
    return not text.strip() or text.startswith("#TYPE ") or text.lower().startswith("sep=")


def cells_of(text: str, separator: str) -> list[str] | None:
    """Return the cells of a line, or None if its quotes do not match."""
    try:
        rows = list(csv.reader([text], delimiter=separator, strict=True, skipinitialspace=True))
    except csv.Error:
        return None
    return [cell.strip() for cell in rows[0]]


def _mark(lines: Sequence[Line], separator: str, names: Sequence[str]) -> str:
    """Return the decimal mark that most of the measured numbers have."""
    points = commas = 0
    for line in lines:
        for name, cell in zip(names, cells_of(line.text, separator) or (), strict=False):
            if name in AXES or name in SI_NAMES:
                points += "." in cell
                commas += "," in cell
    return "," if commas > points else "."


def _is_headless(table: Table, lines: Sequence[Line]) -> bool:
    """Return whether each row has exactly our columns in our order: a seq and a t_ns that rise, a
    time, seven numbers that a chip can measure, flags that are known, and a source."""
    last: Row | None = None
    for found in table.read(lines if lines[-1].ended or len(lines) == 1 else lines[:-1]):
        try:
            row = row_of(found, "t_ns", table.mark)
            assert found.cells is not None
            time_ns(found.cells["time"], table.mark)
            known = are_known(flag_names(found.cells["flags"]))
        except DeviceError:
            return False
        if not known or is_empty(found.cells["source"]) or is_empty(found.cells["lost"]):
            return False
        if last is not None and (row.seq <= last.seq or row.sample.t_ns <= last.sample.t_ns):
            return False
        last = row
    return last is not None
