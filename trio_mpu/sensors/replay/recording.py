"""A recording that is text: which form it has, which of its clocks is used, and its rows."""

import itertools
import statistics
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from trio_mpu.errors import DeviceError, UsageError
from trio_mpu.sensors.replay import objects
from trio_mpu.sensors.replay.numbers import time_ns
from trio_mpu.sensors.replay.options import EVERYTHING, Bounds
from trio_mpu.sensors.replay.rows import (
    CLOCKS,
    Cells,
    Found,
    Line,
    Outside,
    Played,
    Recorded,
    Row,
    Unreadable,
    row_of,
)
from trio_mpu.sensors.replay.tables import table_of
from trio_mpu.sensors.replay.text import Text

MIN_PERIOD_NS: Final = 125_000  # of the chip's fastest gyroscope
HEAD_LINES: Final = 100  # how many lines are looked at to find the form
# Numbers that go back are seams in a file that was joined of several. More of them than this are an
# order that is not that of time: numbers that were sorted as text fall at one step in eleven.
MAX_SEAMS: Final = 2
MAX_FALLS: Final = 0.05
PERIOD_ROWS: Final = 1000  # how many rows are looked at to find the clock and the period


class Form(Protocol):
    """How the rows of a file are read."""

    mark: str

    def read(self, lines: Iterable[Line]) -> Iterator[Found]:
        """Yield what is found in the lines."""


class Recording:
    """A recording that can be played."""

    in_thread = False  # its rows are read without waiting for more than a buffer of the file

    def __init__(self, path: str, bounds: Bounds = EVERYTHING) -> None:
        """Find out what the file is. Raises UsageError if it is no recording, or has no times to
        find what is within the bounds, and OSError."""
        self._path = path
        self._bounds = bounds
        self._text = Text(Path(path))
        self._form = self._form_of()
        ahead = list(itertools.islice(self._form.read(self._text.lines()), PERIOD_ROWS))
        self._clock, steps = self._clock_of(ahead)
        period_ns = max(MIN_PERIOD_NS, round(statistics.median_low(steps))) if steps else 10**9
        self.recorded = Recorded(period_ns, next(filter(None, map(_source_of, ahead)), ""))

    def rows(self) -> Generator[Played, None, None]:
        """Yield each row, or why it can't be read; each call begins anew. Raises OSError."""
        begins, is_within = True, self._bounds.from_ns is None
        for found in self._found():
            begins = begins or found.begins
            try:
                if self._bounds != EVERYTHING and found.cells is not None:
                    now_ns = _time_of(found, self._form.mark)
                    is_within = self._bounds.include(now_ns)
                    if not is_within:
                        begins = True
                        yield Outside(now_ns)
                        continue
                row = row_of(found, self._clock, self._form.mark)
            except DeviceError as error:
                # Nobody knows when it was: where the rows around it are.
                yield Unreadable(f"{self._path}: {error}") if is_within else Outside(None)
            else:
                yield row._replace(begins=begins)
                begins = False

    def _found(self) -> Iterator[Found]:
        yield from self._form.read(self._text.lines())
        if self._text.damage:
            yield Found("its end", None, self._text.damage)

    def _row(self, found: Found, clock: str) -> Row | DeviceError:
        try:
            return row_of(found, clock, self._form.mark)
        except DeviceError as error:
            return error

    def _form_of(self) -> Form:
        head = [
            line for line in itertools.islice(self._text.lines(), HEAD_LINES) if line.text.strip()
        ]
        if not head:
            raise UsageError("it is empty")
        lines = _all(map(objects.object_in, _texts(head)))
        if any(map(objects.is_recorded, lines)):
            return objects.Lines()
        streamed = _all(map(objects.data_in, _texts(head)))
        if any(map(objects.is_recorded, streamed)):
            return objects.Stream()
        if streamed:
            raise objects.refusal(streamed[0])
        first = head[0].text.strip()
        if not first.startswith(("{", "[")):
            return table_of(head)
        document = objects.Document(self._text.whole())
        whole = _all(found.cells for found in itertools.islice(document.read(), HEAD_LINES))
        if not any(map(objects.is_recorded, whole)):
            raise objects.refusal((*whole, *lines, {})[0])
        return document

    def _clock_of(self, ahead: Sequence[Found]) -> tuple[str, list[int]]:
        """Return the column with the times, and the steps of the rows ahead: of the columns that
        rise, the one that most rows have."""
        readable = {
            clock: [row for found in ahead if isinstance(row := self._row(found, clock), Row)]
            for clock in CLOCKS
        }
        best = sorted(CLOCKS, key=lambda clock: -len(readable[clock]))
        if not ahead:
            raise UsageError(self._text.damage or "it has no rows")
        if 2 * len(readable[best[0]]) < len(ahead):
            named = [clock for clock in CLOCKS for found in ahead if clock in (found.cells or ())]
            each = (self._row(found, (*named, CLOCKS[0])[0]) for found in ahead)
            problem = next(row for row in each if isinstance(row, DeviceError))
            raise UsageError(f"most of its rows can't be read: {problem}")
        timed = readable["time"]
        if self._bounds != EVERYTHING and not (timed and _in_order(timed)):
            raise UsageError("it has no column time with times that rise: from= and to= need it")
        for clock in best:
            rows = [row for row, _ in itertools.groupby(readable[clock])]  # without repetitions
            if rows and _in_order(rows):
                times = [row.sample.t_ns for row in rows]
                return clock, [later - earlier for earlier, later in itertools.pairwise(times)]
        raise UsageError(
            "its times do not rise from row to row: a program has rounded them, or has put the "
            "rows in another order"
        )


def _source_of(found: Found) -> str:
    source = found.cells.get("source") if found.cells else None
    return source if isinstance(source, str) else ""


def _time_of(found: Found, mark: str) -> int:
    """Return when a row was measured, by the wall clock. Raises DeviceError."""
    assert found.cells is not None
    try:
        if "time" not in found.cells:
            raise DeviceError("it has no time")
        return time_ns(found.cells["time"], mark)
    except DeviceError as error:
        raise DeviceError(f"{found.place}: {error}") from error


def _in_order(rows: Sequence[Row]) -> bool:
    """Return whether nearly all numbers rise, and with them the times: those of a sensor do."""
    pairs = list(itertools.pairwise(rows))
    steps = [b.sample.t_ns - a.sample.t_ns for a, b in pairs if b.seq > a.seq]
    falls, rising = len(pairs) - len(steps), sum(step > 0 for step in steps)
    if falls > MAX_SEAMS and falls > MAX_FALLS * len(pairs):
        return False
    return 2 * len(steps) >= len(pairs) and 10 * rising >= 9 * len(steps)


def _texts(lines: Sequence[Line]) -> Iterator[str]:
    return (line.text for line in lines)


def _all(found: Iterable[Cells | None]) -> list[Cells]:
    return [cells for cells in found if cells is not None]
