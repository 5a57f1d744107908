# Pure: no I/O, no clock, no waiting.
"""Recordings as JSON objects: rows of `/history`, one a line or in a document, and a saved stream.

In a document the objects may stand in any layout, in lists and one after another.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final

from trio_mpu.errors import UsageError
from trio_mpu.sensors.replay.numbers import shown
from trio_mpu.sensors.replay.rows import WANTED, Cells, Found, Line, flattened, lacking

_OPENING: Final = re.compile(r'\s*\{\s*("generation"\s*:\s*"[^"]*"\s*,\s*)?"samples"\s*:\s*\[')
_BETWEEN: Final = re.compile(r"[\s,\[\]}]*")
_NEXT: Final = re.compile(r"\}[\s,]*(?=\{)")
_NO_JSON: Final = "it is no object of JSON: damaged or cut"
_WINDOW: Final = "it is the mean of several samples, not a sample"
_MAX_KEYS_SHOWN: Final = 20
_MAX_SHOWN: Final = 120  # characters of them


def is_recorded(cells: Cells) -> bool:
    """Return whether an object is a row of ours. Raises UsageError for one that is the mean of
    several samples."""
    if lacking(flattened(cells)):
        return False
    if _is_window(cells):
        raise UsageError("it was made with rate=: its objects are means, not samples")
    return True


def refusal(cells: Cells) -> UsageError:
    """Return what is wrong with a file whose first object is this one."""
    keys = ", ".join(shown(key, 20) for key in list(flattened(cells))[:_MAX_KEYS_SHOWN])
    if not keys:
        return UsageError(f"it has no object of JSON with a key; wanted: {WANTED}")
    return UsageError(f"its first object has the keys {keys[:_MAX_SHOWN]}; wanted: {WANTED}")


def object_in(text: str) -> Cells | None:
    """Return the object that a line is, also one within a list, or None."""
    try:
        value = json.loads(text.strip().lstrip("[").rstrip(",]"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def data_in(text: str) -> Cells | None:
    """Return the object in a line of a saved stream, or None."""
    return object_in(text[5:]) if text.startswith("data:") else None


class Lines:
    """One object a line, as in NDJSON; lines of a `/history` in plain JSON too."""

    mark = "."

    def read(self, lines: Iterable[Line]) -> Iterator[Found]:
        """Yield what is found in each line."""
        for line in lines:
            text = line.text.strip()
            if text in ("", "[", "]", "]}") or _OPENING.fullmatch(text):
                continue
            yield from _found(f"line {line.number}", object_in(text))


class Stream:
    """What `/events` sent: `id:`, `event:` and `data:` lines. A status is left out: its object is
    that of a sample which has an event of its own."""

    mark = "."

    def read(self, lines: Iterable[Line]) -> Iterator[Found]:
        """Yield what is found in each line with data."""
        event = ""
        for line in lines:
            field, colon, value = line.text.partition(":")
            if not line.text.strip():
                event = ""
            elif field == "event":
                event = value.strip()
            elif field == "data" and event != "status":
                yield from _found(f"line {line.number}", data_in(line.text))
            elif not (colon and field in ("", "id", "retry", "data")):
                yield Found(f"line {line.number}", None, "it is no part of an event stream")


class Document:
    """A text of JSON in any layout."""

    mark = "."

    def __init__(self, text: str) -> None:
        self._text = text

    def read(self, _: Iterable[Line] = ()) -> Iterator[Found]:
        """Yield what is found, object by object; the lines are not looked at."""
        decode = json.JSONDecoder().raw_decode
        opening = _OPENING.match(self._text)
        place, count = opening.end() if opening else 0, 0
        while True:
            between = _BETWEEN.match(self._text, place)
            assert between is not None  # it fits an empty text as well
            place = between.end()
            if place == len(self._text):
                return
            count += 1
            try:
                value, place = decode(self._text, place)
            except (ValueError, RecursionError):
                yield Found(f"object {count}", None, _NO_JSON)
                following = _NEXT.search(self._text, place)
                place = following.end() if following else len(self._text)
            else:
                yield from _found(f"object {count}", value if isinstance(value, dict) else None)


def _found(place: str, cells: Cells | None) -> Iterator[Found]:
    if cells is None:
        yield Found(place, None, _NO_JSON)
    elif _is_window(cells):
        yield Found(place, None, _WINDOW)
    elif isinstance(cells.get("seq"), dict):
        # A data frame by its columns, each with a cell for each index of a row.
        columns = {name: column for name, column in cells.items() if isinstance(column, dict)}
        for count, index in enumerate(cells["seq"], 1):
            row = {name: column.get(index) for name, column in columns.items()}
            yield Found(f"row {count}", row)
    else:
        yield Found(place, cells)


def _is_window(cells: Cells) -> bool:
    return "n" in cells and "sample" in cells
