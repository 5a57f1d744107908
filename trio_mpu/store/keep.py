# Pure: no I/O, no clock, no waiting.
"""How much is kept: `--keep 2GB,30d`, and which of the oldest chunks have to go."""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from trio_mpu.errors import UsageError

_BYTES: Final = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
_SECONDS: Final = {"h": 3600, "d": 86_400, "w": 604_800, "y": 31_557_600}
MIN_BYTES: Final = 32 * 10**6  # an hour of pyramid, a write-ahead log, and something to keep
_AMOUNT = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)([A-Za-z]{1,2})", re.ASCII)


class Keep(NamedTuple):
    """The bounds of a file; None where there is none."""

    size_bytes: int | None = None
    age_ns: int | None = None


class Oldest(NamedTuple):
    """A chunk that may have to go: when it was measured, and its size in the file."""

    time_ns: int
    size_bytes: int


def parse_keep(text: str) -> Keep:
    """Return the bounds in a text such as "2GB", "30d" or "2GB,30d". Raises UsageError."""
    keep = Keep()
    for part in filter(None, text.split(",")):
        found = _AMOUNT.fullmatch(part.strip())
        amount = float(found[1]) if found else 0.0
        unit = found[2] if found else ""
        if unit.upper() in _BYTES and keep.size_bytes is None:
            size_bytes = int(amount * _BYTES[unit.upper()])
            if size_bytes < MIN_BYTES:
                raise UsageError(f"--keep: {part!r} is too little: give 32MB or more")
            keep = keep._replace(size_bytes=size_bytes)
        elif unit in _SECONDS and keep.age_ns is None and amount:
            keep = keep._replace(age_ns=int(amount * _SECONDS[unit] * 10**9))
        else:
            raise UsageError(
                f"--keep: {part!r} is no size or age: give one of each at most, as in 2GB,30d "
                "(MB, GB, TB; h, d, w, y)"
            )
    return keep


def surplus(keep: Keep, now_ns: int, used_bytes: int, oldest: Iterable[Oldest]) -> int:
    """Return how many of the oldest chunks, oldest first, are beyond the bounds."""
    count = 0
    for chunk in oldest:
        too_old = keep.age_ns is not None and chunk.time_ns < now_ns - keep.age_ns
        too_much = keep.size_bytes is not None and used_bytes > keep.size_bytes
        if not too_old and not too_much:
            break
        used_bytes -= chunk.size_bytes
        count += 1
    return count
