# Pure: no I/O, no clock, no waiting.
"""How a log is laid out: its separator, its header, its decimal mark, where its columns are.

Columns that are named are looked for in the first lines, by exactly these names. Columns that are
numbered need no header. A cell may also have its own name, as in `ax:0.12`.
"""

import re
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from trio_mpu.errors import DeviceError, ImportRefused
from trio_mpu.importing.plan import NUMBER_NS, Plan
from trio_mpu.sensors.replay.numbers import number, shown
from trio_mpu.sensors.replay.rows import Line
from trio_mpu.sensors.replay.tables import cells_of

HEAD_LINES: Final = 200  # in which a header and a row must be found; arbitrary
SEPARATORS: Final = {",": "comma", ";": "semicolon", "\t": "tab", " ": "blanks"}
_UNREADABLE: Final = "\ufffd"  # what a reader of text puts in the place of other encodings
_COMMENT: Final = ("#", "%")
_MAX_SHOWN: Final = 120  # characters of a line in a message
_FRACTION: Final = re.compile(r"[+-]?0\d+", re.ASCII)  # a whole number has no 0 before it
# What a program may have made of 1234 for people to read; 1.234 is then written 1,234 too.
_THOUSANDS: Final = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+", re.ASCII)


class Layout(NamedTuple):
    """Where the cells of a log are. `places` are the indices of the wanted columns, `names` those
    of all columns, if known. Rows begin after the line `header`, which may be 0; `header_text` is
    what it says. With `labelled`, each cell begins with its name and a colon."""

    separator: str
    width: int
    places: Mapping[str, int]
    names: tuple[str, ...]
    header: int
    header_text: str = ""
    mark: str = "."
    labelled: bool = False

    def cells(self, text: str) -> list[str]:
        """Return the cells of a row, without their names. Raises DeviceError."""
        cells = split(text, self.separator)
        if cells is None:
            raise DeviceError("it has a quote without its pair")
        if self.labelled or len(cells) == self.width + 1:
            cells = _without_empty_end(cells)
        if len(cells) != self.width:
            raise DeviceError(f"it has {len(cells)} columns, not {self.width}")
        return _values_of(cells, self.names) if self.labelled else cells

    @property
    def used(self) -> set[int]:
        """The indices of the wanted columns."""
        return set(self.places.values())

    def is_header(self, text: str) -> bool:
        """Return whether this is the header once more."""
        return bool(self.header_text) and text.strip() == self.header_text


def split(text: str, separator: str) -> list[str] | None:
    """Return the cells of a line, or None if its quotes do not match."""
    if separator != " ":
        return cells_of(text, separator)
    return [text] if "\t" in text else text.split()


def is_comment(text: str) -> bool:
    """Return whether a line after the header is none of the rows."""
    return text.lstrip().startswith(_COMMENT)


def layout_of(head: Sequence[Line], plan: Plan) -> Layout:
    """Return how the log that begins with these lines is laid out.

    Raises ImportRefused, which says what was found and what is wanted.
    """
    if not any(line.text.strip() for line in head):
        raise ImportRefused("it is empty")
    named = [column for column in plan.wanted if not _is_number(column)]
    found = _by_names(head, plan, named) if named else _by_numbers(head, plan)
    rows = [line for line in head if line.number > found.header and not is_comment(line.text)]
    numbers = [*plan.numbers, *(plan.time.columns if plan.time.form in NUMBER_NS else ())]
    return found._replace(mark=_mark(rows, found, numbers))


def _by_names(head: Sequence[Line], plan: Plan, named: Sequence[str]) -> Layout:
    nearest: tuple[str, ...] = ()
    for line in head:
        for separator in SEPARATORS:
            for found, labelled in _headers(line.text, separator):
                names = tuple(_repaired(name, named) for name in found)
                if len(set(named) & set(names)) > len(set(named) & set(nearest)):
                    nearest = names
                if set(named) <= set(names):
                    layout = Layout(separator, len(names), _places(plan.wanted, names), names, 0)
                    if labelled:  # a row is its own header
                        return layout._replace(header=line.number - 1, labelled=True)
                    return layout._replace(header=line.number, header_text=line.text.strip())
    lacking = ", ".join(shown(name) for name in named if name not in nearest)
    first = next(line for line in head if line.text.strip())
    raise ImportRefused(
        f"none of its first {HEAD_LINES} lines has the columns {lacking}; "
        f"line {first.number} is {shown(first.text, _MAX_SHOWN)}"
    )


def _headers(text: str, separator: str) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Yield the names that a line can be: its cells, or what stands before their colons."""
    yield _names(text, separator), False
    cells = _without_empty_end(split(text, separator) or [])
    if all(":" in cell for cell in cells):
        yield tuple(cell.rpartition(":")[0].strip() for cell in cells), True


def _names(text: str, separator: str) -> tuple[str, ...]:
    """Return the names in a header, which some programs write as a comment."""
    return tuple(split(text.lstrip("".join(_COMMENT)), separator) or ())


def _repaired(name: str, wanted: Sequence[str]) -> str:
    """Return a name as it was meant if some of its characters are in another encoding, as the ° of
    a program for Windows can be: it is the wanted one that is the same but for these."""
    if _UNREADABLE in name:
        form = "[^ -~]+".join(map(re.escape, re.split(f"{_UNREADABLE}+", name)))
        for each in wanted:
            if re.fullmatch(form, each):
                return each
    return name


def _places(wanted: Iterable[str], names: Sequence[str]) -> dict[str, int]:
    places = {}
    for column in wanted:
        if _is_number(column):
            if int(column) > len(names):
                raise ImportRefused(f"it has {len(names)} columns, so there is no column {column}")
            places[column] = int(column) - 1
        else:
            if names.count(column) > 1:
                raise ImportRefused(f"it has two columns named {shown(column)}")
            places[column] = names.index(column)
    twice = [column for column, place in places.items() if [*places.values()].count(place) > 1]
    if twice:
        raise ImportRefused(f"{' and '.join(map(shown, twice))} are the same column")
    return places


def _by_numbers(head: Sequence[Line], plan: Plan) -> Layout:
    """Find the one separator with which the lines have numbers in these columns. A line before them
    that has as many cells is the header."""
    places = {column: int(column) - 1 for column in plan.wanted}
    needed = [places[column] for column in plan.numbers]
    rows: dict[str, list[Line]] = {}
    lines = [line for line in head if not is_comment(line.text)]
    for separator in SEPARATORS:
        fits = [line for line in lines if _has_numbers(split(line.text, separator), needed)]
        if fits:
            rows[separator] = fits
    if len(rows) > 1:
        ways = " and ".join(SEPARATORS[separator] for separator in rows)
        raise ImportRefused(f"its columns can be separated in several ways: {ways}")
    if not rows:
        first = next(line for line in head if line.text.strip())
        raise ImportRefused(
            f"none of its first {HEAD_LINES} lines has numbers in the columns "
            f"{', '.join(plan.numbers)}; line {first.number} is {shown(first.text, _MAX_SHOWN)}"
        )
    ((separator, fits),) = rows.items()
    width = statistics.mode(len(split(line.text, separator) or ()) for line in fits)
    if max(places.values()) >= width:
        raise ImportRefused(
            f"it has {width} columns, so there is no column {max(places.values()) + 1}"
        )
    layout = Layout(separator, width, places, (), fits[0].number - 1)
    for line in head[: layout.header]:
        names = _names(line.text, separator)
        if len(names) == width:
            text = line.text.strip()
            return layout._replace(names=names, header=line.number, header_text=text)
    return layout


def _has_numbers(cells: Sequence[str] | None, places: Sequence[int]) -> bool:
    if cells is None or max(places) >= len(cells):
        return False
    return all(_is_value(cells[place]) for place in places)


def _is_value(cell: str) -> bool:
    """Return whether the cell is a number, with either decimal mark."""
    if cell.endswith(","):
        return False
    try:
        number("", cell, "," if "," in cell else ".")
    except DeviceError:
        return False
    return True


def _mark(rows: Sequence[Line], layout: Layout, columns: Sequence[str]) -> str:
    """Return the decimal mark of the measured values. Raises ImportRefused if that is not clear."""
    commas: list[str] = []
    points: list[str] = []
    fractions: list[str] = []
    for line in rows:
        try:
            cells = layout.cells(line.text)
        except DeviceError:
            continue
        values = [cells[layout.places[column]] for column in columns]
        commas += [cell for cell in values if "," in cell]
        points += [cell for cell in values if "." in cell]
        fractions += [cell for cell in values if _FRACTION.fullmatch(cell.strip())]
    if commas and points:
        raise ImportRefused(
            f"its numbers have commas and points, as in {shown(commas[0])} and {shown(points[0])}"
        )
    if layout.separator == "," and fractions and not points and not commas:
        raise ImportRefused(
            f"{shown(fractions[0])} is no whole number: its decimal commas are like its separators"
        )
    if commas and all(map(_THOUSANDS.fullmatch, commas)):
        raise ImportRefused(f"{shown(commas[0])} can be a thousand times as much")
    return "," if commas else "."


def _values_of(cells: Sequence[str], names: Sequence[str]) -> list[str]:
    values = []
    for cell, name in zip(cells, names, strict=True):
        label, _, value = cell.rpartition(":")
        if label.strip() != name:
            raise DeviceError(f"it has {shown(cell)} in the place of {shown(name)}")
        values.append(value.strip())
    return values


def _without_empty_end(cells: list[str]) -> list[str]:
    return cells[:-1] if cells and not cells[-1] else cells


def _is_number(column: str) -> bool:
    return column.isascii() and column.isdigit()
