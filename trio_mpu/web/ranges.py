# Pure: no I/O, no clock, no waiting.
"""Which part of a known answer a client wants: RFC 9110, sections 13 (conditions) and 14 (ranges).

A server may ignore a Range that it does not like, and the client then gets the whole answer with 200.
Ignored here are several ranges in one request (the answer would have to be multipart), units other
than bytes, and what is malformed.
"""

import re
from typing import Final, NamedTuple

from trio_mpu.web.request import Request

_ETAG: Final = re.compile(r'(W/)?("[^"]*")')
_RANGE: Final = re.compile(r"(\d*)-(\d*)", re.ASCII)
_MAX_DIGITS: Final = 19  # more is beyond any file, and int() would take its time


class Part(NamedTuple):
    """The status of the answer, and which bytes it has: from `first` on, up to but without `end`."""

    status: int
    first: int = 0
    end: int = 0


def part_of(request: Request, etag: str, size: int) -> Part:
    """Return what to answer where the whole has `size` bytes and the strong validator `etag`.

    The status is 200 with everything, 206, 304, 412, or 416. The order is that of section 13.2.2.
    Dates are no conditions: an answer without Last-Modified has none to compare them with.
    """
    headers = request.headers
    if "if-match" in headers and not matches(headers["if-match"], etag, weakly=False):
        return Part(412)
    if matches(headers.get("if-none-match", ""), etag):
        return Part(304)
    # "For this specification, GET is the only method for which range handling is defined."
    if request.method == "GET" and headers.get("if-range", etag).strip() == etag:
        return _part(headers.get("range", ""), size)
    return Part(200, 0, size)


def matches(condition: str, etag: str, *, weakly: bool = True) -> bool:
    """Tell whether If-None-Match or If-Match has this strong validator: a list of them, or `*`.

    If-None-Match is compared weakly: a weak validator of the list has the same mark in front.
    """
    if condition.strip() == "*":
        return True
    return any(tag == etag and (weakly or not weak) for weak, tag in _ETAG.findall(condition))


def _part(text: str, size: int) -> Part:
    """Return the part that a Range asks for."""
    whole = Part(200, 0, size)
    unit, _, ranges = text.partition("=")
    # Section 5.6.1: a recipient must accept empty elements of a list.
    wanted = [each for one in ranges.split(",") if (each := one.strip(" \t"))]
    if unit.strip().lower() != "bytes" or len(wanted) != 1:
        return whole
    found = _RANGE.fullmatch(wanted[0])
    if found is None or wanted[0] == "-":
        return whole
    first, last = map(_number, found.groups())
    if first is None:
        assert last is not None
        # The last bytes. Of no bytes there is no range that Content-Range could say.
        return whole if last and not size else _satisfiable(max(0, size - last), size, size)
    if last is None:
        return _satisfiable(first, size, size)
    return whole if last < first else _satisfiable(first, min(last + 1, size), size)


def _satisfiable(first: int, end: int, size: int) -> Part:
    return Part(206, first, end) if first < size else Part(416)


def _number(digits: str) -> int | None:
    return int(digits.lstrip("0")[:_MAX_DIGITS] or "0") if digits else None
