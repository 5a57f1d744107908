# Pure: no I/O, no clock, no waiting.
"""A record as text: the JSON object of the stream, and rows of JSON and CSV, also back again.

Rows have nine significant digits, from which the float32 that the ring holds can be calculated back
exactly, and so has everything in SI units. Events are for eyes and meters, and are sent a thousand
times a second: they have seven, the precision of a float32.
"""

import json
import math
import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from trio_mpu.attitude import attitude_columns, attitude_csv, attitude_json
from trio_mpu.iso_time import iso
from trio_mpu.record import Record, Values, values_of
from trio_mpu.sample import AXES, Flag, Gap

COLUMNS: Final = ("seq", "time", "t_ns", *AXES, "flags", "lost", "source")

STANDARD_GRAVITY: Final = 9.80665  # m/s², by definition: CGPM 1901
# What a value in g or °/s is multiplied by; the chip's temperature stays in °C.
SI_FACTORS: Final = (*[STANDARD_GRAVITY] * 3, *[math.pi / 180] * 3, 1.0)
# Other names than AXES: a program that expects g must find nothing, not a number ten times as large.
SI_NAMES: Final = ("ax_mss", "ay_mss", "az_mss", "gx_rads", "gy_rads", "gz_rads", "temp")
# With a column more: rows without their header differ from those in g.
SI_COLUMNS: Final = ("seq", "time", "t_ns", *SI_NAMES, "flags", "lost", "source", "units")

# By whether the units are those of SI.
_VALUES: Final = {
    False: ",".join(f'"{axis}":%.7g' for axis in AXES),
    True: ",".join(f'"{name}":%.9g' for name in SI_NAMES),
}
_UNITS: Final = {False: "", True: ',"units":"si"'}
_EVENT: Final = {
    si: '{"status":"%s","sample":{' + values + '},"average":{' + values + '},"timestamp":%d,'
    '"seq":%d,"id":"%016x-%d","time":%s,"t_ns":%d,"source":%s,"flags":%s' + _UNITS[si] + "%s%s%s}"
    for si, values in _VALUES.items()
}
_EXACT: Final = {
    si: ",".join(f'"{name}":%.9g' for name in names)
    for si, names in ((False, AXES), (True, SI_NAMES))
}
_ROW: Final = {
    si: '{"seq":%d,"id":"%016x-%d","time":%s,"t_ns":%d,' + values + ',"flags":%s,"lost":%d,'
    '"source":%s' + _UNITS[si] + "%s%s}"
    for si, values in _EXACT.items()
}
_CELLS: Final = ",".join(["%.9g"] * len(AXES))
_CSV: Final = f"%d,%s,%d,{_CELLS},%s,%d,%s%s"
_MEANS: Final = {False: _CELLS.replace("9", "7"), True: _CELLS}
_EVENT_ID = re.compile("([0-9a-fA-F]{16})-([0-9]{1,20})")
_MAX_SEQ: Final = 2**64 - 1  # a u64 of the ring
_GAP_FLAGS: Final = int(Flag.DEVICE_GAP | Flag.RESTART_GAP)
FLAG_NAMES: Final = {flag: str(flag.name).lower() for flag in Flag}

# Returns the current loss ledger: the producer's counters and the server's.
Ledger = Callable[[], Mapping[str, int]]


class Origin(NamedTuple):
    """What all records of one ring share: its generation and the device's name."""

    generation: int
    source: str


class Notation(NamedTuple):
    """How `time` and the values are written: `time` as ISO 8601 or in seconds since 1970; the
    values in m/s² and rad/s, under SI_NAMES, or in g and °/s; with the attitude or without."""

    iso: bool = False
    si: bool = False
    attitude: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of CSV."""
        columns = SI_COLUMNS if self.si else COLUMNS
        more = attitude_columns(self.axes[:3]) if self.attitude else ()
        return (*columns[: len(COLUMNS)], *more, *columns[len(COLUMNS) :])

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of the seven values."""
        return SI_NAMES if self.si else AXES

    @property
    def csv_header(self) -> str:
        """The first line of CSV, with its end."""
        return ",".join(self.columns) + "\n"


PLAIN: Final = Notation()


def event_id(generation: int, seq: int) -> str:
    """Return the id of a sample, which is unique across all rings."""
    return f"{generation:016x}-{seq}"


def parse_event_id(text: str) -> tuple[int, int] | None:
    """Return the generation and sequence number of an id, or None for any other text."""
    found = _EVENT_ID.fullmatch(text)
    if not found or (seq := int(found[2])) > _MAX_SEQ:
        return None
    return int(found[1], 16), seq


def gap_of(record: Record) -> Gap | None:
    """Return the gap that the producer noted right before this record."""
    if not record.flags & _GAP_FLAGS:
        return None
    reason = "restart" if record.flags & Flag.RESTART_GAP else "device"
    return Gap(record.seq - 1, record.seq, record.lost, reason)


class Window(NamedTuple):
    """What an event has of the samples that it summarizes: how many, their means and, if asked
    for, their extremes and standard deviations: all of these, or none."""

    n: int
    means: Values
    least: Values = ()
    greatest: Values = ()
    deviations: Values = ()


def sample_json(
    record: Record,
    average: Values,
    origin: Origin,
    status: str = "ok",
    gap: Gap | None = None,
    window: Window | None = None,
    ledger: Ledger | None = None,
    notation: Notation = PLAIN,
) -> str:
    """Return the JSON object of one sample on one line; docs/protocol.md lists its keys.

    `gap` is what this reader missed before the sample; without it, the gap that the producer
    noted is reported. The means of a `window` replace the record's values, but not its attitude. A
    gap includes the counters of `ledger`.
    """
    si = notation.si
    return _EVENT[si] % (
        status,
        *_values(values_of(record) if window is None else window.means, si),
        *_values(average, si),
        int(record.time_ns / 1e9),
        record.seq,
        origin.generation,
        record.seq,
        time_json(record.time_ns, notation),
        record.t_ns,
        _quoted(origin.source),
        _flags_json(record.flags),
        _window_json(window, notation),
        _attitude_json(record, notation, 7),
        _gap_json(gap or gap_of(record), ledger),
    )


def row_json(
    record: Record, origin: Origin, gap: Gap | None = None, notation: Notation = PLAIN
) -> str:
    """Return one row of the history as a JSON object on one line; `gap` as in sample_json."""
    return _ROW[notation.si] % (
        record.seq,
        origin.generation,
        record.seq,
        time_json(record.time_ns, notation),
        record.t_ns,
        *_values(values_of(record), notation.si),
        _flags_json(record.flags),
        record.lost,
        _quoted(origin.source),
        _attitude_json(record, notation, 9),
        _gap_json(gap or gap_of(record)),
    )


def row_csv(
    record: Record, origin: Origin, gap: Gap | None = None, notation: Notation = PLAIN
) -> str:
    """Return one line of CSV, without its end; the notation's `columns` names the columns.

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
        time_csv(record.time_ns, notation),
        record.t_ns,
        *_values(values_of(record), notation.si),
        "+".join(_flag_names(flags)),
        lost,
        f'"{source}"',
        _more_cells(record, notation),
    )


def values_json(values: Values, notation: Notation) -> str:
    """Return a JSON object of seven values."""
    return "{" + _VALUES[notation.si] % _values(values, notation.si) + "}"


def values_csv(values: Values, notation: Notation) -> str:
    """Return the same values as cells of CSV."""
    return _MEANS[notation.si] % _values(values, notation.si)


def time_csv(time_ns: int, notation: Notation) -> str:
    """Return a time as a cell of CSV."""
    return _iso(time_ns) if notation.iso else _seconds(time_ns)


def time_json(time_ns: int, notation: Notation) -> str:
    """Return a time as a value of JSON."""
    return f'"{_iso(time_ns)}"' if notation.iso else _seconds(time_ns)


def _seconds(time_ns: int) -> str:
    """Return a time to the microsecond; one before 1970 has a sign."""
    seconds, nanoseconds = divmod(abs(time_ns), 10**9)
    return f"{'-' if time_ns < 0 else ''}{seconds}.{nanoseconds // 1000:06d}"


def _iso(time_ns: int) -> str:
    """Return a time as ISO 8601, in UTC; the microseconds are those of `_seconds`."""
    microseconds = abs(time_ns) // 1000
    return iso(-microseconds if time_ns < 0 else microseconds)


def _values(values: Values, si: bool) -> Values:
    """Return values in g and °/s, in the units that are asked for."""
    return tuple(map(operator.mul, values, SI_FACTORS)) if si else values


@lru_cache(maxsize=64)
def _flag_names(flags: int) -> list[str]:
    return [name for flag, name in FLAG_NAMES.items() if flags & flag]


@lru_cache(maxsize=64)
def _flags_json(flags: int) -> str:
    return json.dumps(_flag_names(flags), separators=(",", ":"))


@lru_cache(maxsize=4)
def _quoted(text: str) -> str:
    return json.dumps(text)


def _attitude_json(record: Record, notation: Notation, digits: int) -> str:
    if not notation.attitude:
        return ""
    return attitude_json(record, notation.axes, SI_FACTORS[0] if notation.si else 1.0, digits)


def _more_cells(record: Record, notation: Notation) -> str:
    """Return the cells of CSV that not everybody wants."""
    text = ""
    if notation.attitude:
        text = attitude_csv(record, SI_FACTORS[0] if notation.si else 1.0)
    # In the last column: rows without their header differ from those in g.
    return text + ",si" if notation.si else text


def _window_json(window: Window | None, notation: Notation) -> str:
    if window is None:
        return ""
    text = f',"n":{window.n}'
    if window.least:
        text += f',"min":{values_json(window.least, notation)}'
        text += f',"max":{values_json(window.greatest, notation)}'
        text += f',"std":{values_json(window.deviations, notation)}'
    return text


def _gap_json(gap: Gap | None, ledger: Ledger | None = None) -> str:
    if gap is None:
        return ""
    fields: dict[str, Any] = {"from": gap.after, "to": gap.before, "lost": gap.lost}
    fields["reason"] = gap.reason
    if ledger is not None:
        fields["ledger"] = ledger()
    return ',"gap":' + json.dumps(fields, separators=(",", ":"))
