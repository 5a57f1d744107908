# Pure: no I/O, no clock, no waiting.
"""A record as text: the JSON object of the stream, and rows of JSON and CSV, also back again.

Numbers are written with seven significant digits, the precision of the float32 in which the
ring holds them.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from trio_mpu.record import Record, Values, values_of
from trio_mpu.sample import AXES, Flag, Gap

COLUMNS: Final = ("seq", "time", "t_ns", *AXES, "flags", "lost", "source")

_VALUES = ",".join(f'"{axis}":%.7g' for axis in AXES)
_EVENT = (
    '{"status":"%s","sample":{' + _VALUES + '},"average":{' + _VALUES + '},"timestamp":%d,'
    '"seq":%d,"id":"%016x-%d","time":%s,"t_ns":%d,"source":%s,"flags":%s%s%s}'
)
_ROW = (
    '{"seq":%d,"id":"%016x-%d","time":%s,"t_ns":%d,' + _VALUES + ',"flags":%s,"lost":%d,'
    '"source":%s%s}'
)
_CSV = "%d,%s,%d," + ",".join(["%.7g"] * len(AXES)) + ",%s,%d,%s"
_EVENT_ID = re.compile("([0-9a-fA-F]{16})-([0-9]{1,20})")
_GAP_FLAGS: Final = int(Flag.DEVICE_GAP | Flag.RESTART_GAP)
FLAG_NAMES: Final = {flag: str(flag.name).lower() for flag in Flag}

# Returns the current loss ledger: the producer's counters and the server's.
Ledger = Callable[[], Mapping[str, int]]


class Origin(NamedTuple):
    """What all records of one ring share: its generation and the device's name."""

    generation: int
    source: str


def event_id(generation: int, seq: int) -> str:
    """Return the id of a sample, which is unique across all rings."""
    return f"{generation:016x}-{seq}"


def parse_event_id(text: str) -> tuple[int, int] | None:
    """Return the generation and sequence number of an id, or None for any other text."""
    found = _EVENT_ID.fullmatch(text)
    return (int(found[1], 16), int(found[2])) if found else None


def gap_of(record: Record) -> Gap | None:
    """Return the gap that the producer noted right before this record."""
    if not record.flags & _GAP_FLAGS:
        return None
    reason = "restart" if record.flags & Flag.RESTART_GAP else "device"
    return Gap(record.seq - 1, record.seq, record.lost, reason)


class Window(NamedTuple):
    """What an event has of the samples that it summarizes: how many, their means and, if asked
    for, their extremes."""

    n: int
    means: Values
    least: Values = ()
    greatest: Values = ()


def sample_json(
    record: Record,
    average: Values,
    origin: Origin,
    status: str = "ok",
    gap: Gap | None = None,
    window: Window | None = None,
    ledger: Ledger | None = None,
) -> str:
    """Return the JSON object of one sample on one line; docs/protocol.md lists its keys.

    `gap` is what this reader missed before the sample; without it, the gap that the producer
    noted is reported. The means of a `window` replace the record's values. A gap includes the
    counters of `ledger`.
    """
    return _EVENT % (
        status,
        *(values_of(record) if window is None else window.means),
        *average,
        int(record.time_ns / 1e9),
        record.seq,
        origin.generation,
        record.seq,
        _seconds(record.time_ns),
        record.t_ns,
        _quoted(origin.source),
        _flags_json(record.flags),
        _window_json(window),
        _gap_json(gap or gap_of(record), ledger),
    )


def row_json(record: Record, origin: Origin, gap: Gap | None = None) -> str:
    """Return one row of the history as a JSON object on one line; `gap` as in sample_json."""
    return _ROW % (
        record.seq,
        origin.generation,
        record.seq,
        _seconds(record.time_ns),
        record.t_ns,
        *values_of(record),
        _flags_json(record.flags),
        record.lost,
        _quoted(origin.source),
        _gap_json(gap or gap_of(record)),
    )


def row_csv(record: Record, origin: Origin, gap: Gap | None = None) -> str:
    """Return one line of CSV, without its end; COLUMNS names the columns.

    What this reader missed before it, `gap`, is added to `lost`; where nobody can know how much
    that is, the flag `restart_gap` says that something is missing.
    """
    lost, flags = record.lost, record.flags
    if gap is not None:
        lost += gap.lost or 0
        flags |= Flag.RESTART_GAP if gap.lost is None else 0
    source = origin.source.replace('"', '""')
    return _CSV % (
        record.seq,
        _seconds(record.time_ns),
        record.t_ns,
        *values_of(record),
        "+".join(_flag_names(flags)),
        lost,
        f'"{source}"',
    )


def _seconds(time_ns: int) -> str:
    """Return a time to the microsecond; one before 1970 has a sign."""
    seconds, nanoseconds = divmod(abs(time_ns), 10**9)
    return f"{'-' if time_ns < 0 else ''}{seconds}.{nanoseconds // 1000:06d}"


@lru_cache(maxsize=64)
def _flag_names(flags: int) -> list[str]:
    return [name for flag, name in FLAG_NAMES.items() if flags & flag]


@lru_cache(maxsize=64)
def _flags_json(flags: int) -> str:
    return json.dumps(_flag_names(flags), separators=(",", ":"))


@lru_cache(maxsize=4)
def _quoted(text: str) -> str:
    return json.dumps(text)


def _window_json(window: Window | None) -> str:
    if window is None:
        return ""
    text = f',"n":{window.n}'
    if window.least:
        text += ',"min":{' + _VALUES % window.least + '},"max":{' + _VALUES % window.greatest + "}"
    return text


def _gap_json(gap: Gap | None, ledger: Ledger | None = None) -> str:
    if gap is None:
        return ""
    fields: dict[str, Any] = {"from": gap.after, "to": gap.before, "lost": gap.lost}
    fields["reason"] = gap.reason
    if ledger is not None:
        fields["ledger"] = ledger()
    return ',"gap":' + json.dumps(fields, separators=(",", ":"))
