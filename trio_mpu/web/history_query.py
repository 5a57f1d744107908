# Pure: no I/O, no clock, no waiting.
"""The query of `/history`."""

import re
from typing import Final

from trio_mpu.errors import RequestError
from trio_mpu.formats import parse_event_id
from trio_mpu.history.asked import History
from trio_mpu.history.exports import EXPORTS
from trio_mpu.iso_time import MAX_MOMENT_NS, moment
from trio_mpu.web.request import NOTATION, Request, notation, number

BOUNDS: Final = ("since", "from", "to", "seconds", "limit")
PARAMETERS: Final = ("format", *BOUNDS, "points", *NOTATION)
FORMATS: Final = ("json", "csv", "ndjson", *EXPORTS, "mcap")
# Bound "seconds=, most".
MAX_SECONDS: Final = 10**8  # three years; before that there is from=
# Bound "points=, most".
MAX_POINTS: Final = 10_000  # more than any screen has


def history_of(request: Request) -> History:
    """Return what a request wants of the past. Raises RequestError."""
    query = request.query
    kind = query.get("format", "json")
    if kind not in FORMATS:
        raise RequestError(400, f"format is one of {', '.join(FORMATS)}")
    since = None
    if "since" in query and (since := parse_event_id(query["since"])) is None:
        raise RequestError(400, "since is the id of an event, such as 0123456789abcdef-42")
    if "attitude" in query and kind == "mcap":
        raise RequestError(400, "format=mcap has the attitude anyway, without attitude=1")
    if kind in (*EXPORTS, "mcap") and (
        given := [name for name in (*NOTATION, "points") if name in query]
    ):
        raise RequestError(
            400, f"format={kind} has its own times, units and rows, without {given[0]}"
        )
    if "points" in query and "attitude" in query:
        raise RequestError(400, "points are of many samples, which have no attitude in common")
    if "points" in query and (given := [n for n in ("since", "limit") if n in query]):
        raise RequestError(400, f"points are windows of time, without {given[0]}")
    if "from" in query and "seconds" in query:
        raise RequestError(400, "give from or seconds, not both")
    return History(
        kind,
        since,
        _time(request, "from"),
        _time(request, "to"),
        number(query, "seconds", 0, MAX_SECONDS),
        _whole(request, "limit", 0, 10**9 - 1),
        _whole(request, "points", 1, MAX_POINTS),
        notation(query),
    )


def _time(request: Request, name: str) -> int | None:
    if name not in request.query:
        return None
    time_ns = moment(request.query[name])
    if time_ns is None:
        raise RequestError(
            400, f"{name} is Unix seconds, or ISO 8601 such as 2026-11-27T20:53:36Z (or +01:00)"
        )
    if not 0 <= time_ns < MAX_MOMENT_NS:
        raise RequestError(400, f"{name} is a time from 1970 to 2242")
    return time_ns


def _whole(request: Request, name: str, low: int, high: int) -> int | None:
    if name not in request.query:
        return None
    text = request.query[name]
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not low <= int(text) <= high:
        raise RequestError(400, f"{name} is a whole number from {low:,} to {high:,}")
    return int(text)
