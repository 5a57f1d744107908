# Pure: no I/O, no clock, no waiting.
"""What a sample, a row and a gap must look like, and in which order they must come.

Keys and names that are not known here are passed over: later versions may have more.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from trio_mpu.conformance.verdict import Failed, require, shown
from trio_mpu.formats import PLAIN, Notation, parse_event_id
from trio_mpu.record import LEDGER

Found = Mapping[str, Any]

REASONS: Final = ("device", "restart", "slow", "lapped", "store")
# What a server counts itself: docs/protocol.md, "Ledger in JSON".
SERVER_LEDGER: Final = (
    *("gaps_slow", "slow_lost", "gaps_resume", "resume_lost"),
    *("gaps_lapped", "lapped_lost"),
)
MAX_SEQ: Final = 2**64 - 1


def check_sample(found: Found, notation: Notation = PLAIN) -> None:
    """Raise Failed unless this is the object of a sample, from `/json` or the stream."""
    require(isinstance(found.get("status"), str), f"status is {shown(found.get('status'))}")
    for name in ("sample", "average"):
        values = found.get(name)
        if not isinstance(values, dict):
            raise Failed(f"{name} is {shown(values)}, not an object")
        _check_values(values, notation, f"{name}.")
    _check_common(found, notation)
    timestamp = _whole(found, "timestamp")
    if not notation.iso:
        difference_s = abs(timestamp - found["time"])
        require(difference_s <= 1, f"timestamp is {timestamp}, time is {found['time']}")
    if "gap" in found:
        check_gap(found["gap"], found["seq"])
        check_ledger(found["gap"].get("ledger"))


def check_row(found: Found, notation: Notation = PLAIN) -> None:
    """Raise Failed unless this is a row of the history in JSON."""
    _check_values(found, notation, "")
    _check_common(found, notation)
    _whole(found, "lost")
    if "gap" in found:
        check_gap(found["gap"], found["seq"])


def check_gap(gap: object, seq: int) -> None:
    """Raise Failed unless this is the gap that the sample numbered `seq` reports."""
    if not isinstance(gap, dict):
        raise Failed(f"gap is {shown(gap)}, not an object")
    _whole(gap, "from")
    require(_whole(gap, "to") == seq, f"a gap of sample {seq} ends at {gap['to']}")
    require(gap.get("reason") in REASONS, f"a gap's reason is {shown(gap.get('reason'))}")
    require("lost" in gap, "a gap has no lost")
    if gap["lost"] is not None:
        _whole(gap, "lost")


def check_ledger(ledger: object) -> None:
    """Raise Failed unless this is the loss ledger."""
    if not isinstance(ledger, dict):
        raise Failed(f"ledger is {shown(ledger)}, not an object")
    for name in (*LEDGER, *SERVER_LEDGER):
        _whole(ledger, name)


def check_order(found: Sequence[Found]) -> None:
    """Raise Failed unless each sample or row comes once, in order, and what is missing between two
    is reported by the second."""
    for before, after in itertools.pairwise(found):
        check_next(before, after)


def check_next(before: Found, after: Found) -> None:
    """The same for two that follow each other."""
    last, seq, gap = before["seq"], after["seq"], after.get("gap")
    if generation_of(before) != generation_of(after):
        reason = gap.get("reason") if gap else None
        require(reason == "restart", f"sample {seq} is of another ring, which no gap reports")
        return
    require(seq != last, f"sample {seq} comes twice")
    require(seq > last, f"sample {seq} comes after sample {last}")
    require(after["t_ns"] >= before["t_ns"], f"the time t_ns goes back at sample {seq}")
    if gap is None:
        require(seq == last + 1, f"between {last} and {seq} samples are missing without a gap")
        return
    require(gap["from"] == last, f"sample {seq} comes after {last}, its gap after {gap['from']}")
    lost = gap["lost"]
    enough = lost is None or lost >= seq - last - 1
    require(enough, f"between {last} and {seq} the gap says that {lost} are missing")


def generation_of(found: Found) -> int:
    """Return the generation in a sample's id. Raises Failed if the id is none of this sample."""
    parsed = parse_event_id(found["id"]) if isinstance(found.get("id"), str) else None
    if parsed is None or parsed[1] != found.get("seq"):
        raise Failed(f"sample {shown(found.get('seq'))} has the id {shown(found.get('id'))}")
    return parsed[0]


def is_number(value: Any) -> bool:  # noqa: ANN401 - any value of JSON
    """Return whether a value of JSON is a finite number."""
    return type(value) in (int, float) and math.isfinite(value)


def _check_common(found: Found, notation: Notation) -> None:
    require(_whole(found, "seq") > 0, "seq is 0")
    generation_of(found)
    if notation.iso:
        require(isinstance(found.get("time"), str), f"time is {shown(found.get('time'))}, no text")
    else:
        require(is_number(found.get("time")), f"time is {shown(found.get('time'))}, no number")
    _whole(found, "t_ns")
    require(isinstance(found.get("source"), str), f"source is {shown(found.get('source'))}")
    flags = found.get("flags")
    is_list = isinstance(flags, list) and all(isinstance(name, str) for name in flags)
    require(is_list, f"flags is {shown(flags)}, not a list of names")
    if notation.si:
        require(found.get("units") == "si", f"units is {shown(found.get('units'))}, not si")


def _check_values(values: Found, notation: Notation, place: str) -> None:
    for axis in notation.axes:
        value = values.get(axis)
        require(is_number(value), f"{place}{axis} is {shown(value)}, no finite number")


def _whole(found: Found, name: str) -> int:
    value = found.get(name)
    if type(value) is not int or not 0 <= value <= MAX_SEQ:
        raise Failed(f"{name} is {shown(value)}, not a whole number")
    return value
