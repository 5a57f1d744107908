# Pure: no I/O, no clock, no waiting.
"""What one cell of a recording says: a number, a whole number, a time or flags.

A cell is a text, from a table, or any value of JSON. Whatever can have two meanings is refused.
"""

import json
import math
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from trio_mpu import iso_time
from trio_mpu.errors import DeviceError
from trio_mpu.formats import FLAG_NAMES

_NUMBER: Final = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,3})?", re.ASCII)
_EMPTY: Final = ("", "nan", "null", "none", "<na>", "na", "n/a")
_FLAGS: Final = {name: flag for flag, name in FLAG_NAMES.items()}
_PYTHON_EXPONENT: Final = Decimal(10**16)  # from here on a float is written with an exponent


def shown(cell: object, most: int = 40) -> str:
    """Return the cell as a message shows it: in one line of at most about `most` characters."""
    if isinstance(cell, list | dict):
        return "a list" if isinstance(cell, list) else "an object"
    text = repr(cell) if isinstance(cell, str) else json.dumps(cell)
    return text if len(text) <= most else f"{text[:most]}…"


def is_empty(cell: object) -> bool:
    """Return whether the cell has nothing in it, in the words of some program."""
    if isinstance(cell, str):
        return cell.strip().lower() in _EMPTY
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def number(name: str, cell: object, mark: str = ".") -> Decimal:
    """Return the number in the column `name`. `mark` is the decimal mark of texts.

    Raises DeviceError.
    """
    if isinstance(cell, str):
        text = cell.strip()
        if mark == ",":  # a point is no decimal mark then, but may separate thousands
            text = text.replace(".", "?").replace(",", ".")
        if _NUMBER.fullmatch(text):
            return Decimal(text)
    elif type(cell) is int or (isinstance(cell, float) and math.isfinite(cell)):  # no bool
        return Decimal(cell)
    if is_empty(cell):
        raise DeviceError(f"{name} is empty")
    raise DeviceError(f"{name} is {shown(cell)}, which is not a number")


def whole(name: str, cell: object, limit: int, mark: str = ".") -> int:
    """Return the whole number below `limit` in the column `name`, also where a program has made a
    decimal of it. Raises DeviceError."""
    value = number(name, cell, mark)
    if is_rounded(value, cell):
        raise DeviceError(f"{name} is {shown(cell)}: a spreadsheet has rounded it")
    if value != value.to_integral_value():
        raise DeviceError(f"{name} is {shown(cell)}, which is not a whole number")
    if not 0 <= value < limit:
        raise DeviceError(f"{name} is {shown(cell)}, which is out of range")
    return int(value)


def is_rounded(value: Decimal, cell: object) -> bool:
    """Return whether the number in a cell has lost its last digits, as in 1.40364E+18. Python too
    writes large numbers with an exponent, but all their digits."""
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)  # it is finite
    return exponent > 0 and not ("e" in str(cell) and value >= _PYTHON_EXPONENT)


def time_ns(cell: object, mark: str = ".") -> int:
    """Return a time in seconds, or in our form of ISO 8601, as nanoseconds; it has microseconds.

    Raises DeviceError.
    """
    microseconds = iso_time.parse(cell.strip()) if isinstance(cell, str) else None
    value = number("time", cell, mark) if microseconds is None else Decimal(microseconds) / 10**6
    if not 0 <= value < 2**33:
        raise DeviceError(f"time is {shown(cell)}, which is out of range")
    return round(value * 10**6) * 1000


def flag_names(cell: object) -> list[str]:
    """Return the names in a list, or in a text that joins them by `+`, comma or blanks.

    Raises DeviceError.
    """
    if is_empty(cell):
        return []
    names = cell
    if isinstance(cell, str):
        names = [name for name in re.split(r"[+,;\s\[\]'\"]+", cell) if name]
    if not (isinstance(names, list) and all(map(_is_name, names))):
        raise DeviceError(f"flags is {shown(cell)}, which is not a list of names")
    return names


def _is_name(name: object) -> bool:
    return isinstance(name, str) and re.fullmatch("[a-z][a-z_]*", name) is not None


def flags_of(names: Iterable[str]) -> int:
    """Return the flags with these names; those of a later version are left out."""
    return sum({int(_FLAGS[name]) for name in names if name in _FLAGS})


def are_known(names: Iterable[str]) -> bool:
    """Return whether all of these are flags of this version."""
    return all(name in _FLAGS for name in names)
