# Pure: no I/O, no clock, no waiting.
"""What the options say about a log: which columns have which quantity, and in which unit."""

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from trio_mpu.errors import UsageError
from trio_mpu.formats import STANDARD_GRAVITY
from trio_mpu.importing.presets import PRESETS
from trio_mpu.sample import MAX_RATE_HZ, MIN_RATE_HZ

# Times as numbers, by how many nanoseconds one is.
NUMBER_NS: Final = {"s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}
# Times as texts: ISO 8601, a date with the month or the day first, and a time of day.
TEXTS: Final = ("iso", "mdy", "dmy", "hms")
RATE: Final = "rate"  # no times at all: the rows are so many a second
_DATED: Final = ("iso", "mdy", "dmy")  # date and time may be in two columns

_GRAVITY: Final = Decimal(repr(STANDARD_GRAVITY))
_MAX_COUNTS: Final = 32_768  # of 16 bits


class Unit(NamedTuple):
    """A unit: `per` of it, above `zero`, are one of ours (g, °/s or °C). With `counts`, the values
    are a register's whole numbers."""

    name: str
    per: Decimal
    zero: Decimal = Decimal(0)
    counts: bool = False


UNITS: Final[Mapping[str, Mapping[str, Unit]]] = {
    "accel": {
        "g": Unit("g", Decimal(1)),
        "mg": Unit("mg", Decimal(1000)),
        "mss": Unit("m/s²", _GRAVITY),
        "mmss": Unit("mm/s²", 1000 * _GRAVITY),
    },
    "gyro": {
        "dps": Unit("°/s", Decimal(1)),
        "rads": Unit("rad/s", Decimal(repr(math.pi / 180))),
    },
    "temp": {
        "c": Unit("°C", Decimal(1)),
        "f": Unit("°F", Decimal("1.8"), zero=Decimal(32)),
    },
}
_FORMS: Final = {
    "time": "s, ms, us, ns, iso, mdy, dmy or hms, as in ms:t, or rate:HZ",
    "accel": "g:X,Y,Z or mg, mss, mmss, lsb:COUNTS instead of g",
    "gyro": "dps:X,Y,Z or rads, lsb:COUNTS instead of dps; or none",
    "temp": "c:COLUMN or f:COLUMN; or none",
}
NONE: Final = Unit("none", Decimal(1))


class Quantity(NamedTuple):
    """The columns of a quantity, by their names or by numbers from 1; none if the log lacks it."""

    unit: Unit
    columns: tuple[str, ...]


class Time(NamedTuple):
    """The columns of the time: one, or two for a date and a time, or none at a fixed `rate_hz`."""

    form: str
    columns: tuple[str, ...]
    rate_hz: float = 0.0


class Plan(NamedTuple):
    """All that the options say. The text in the columns `constant` must not change: it says which
    of several sensors a row is of."""

    time: Time
    accel: Quantity
    gyro: Quantity
    temp: Quantity
    constant: tuple[str, ...] = ()

    @property
    def numbers(self) -> tuple[str, ...]:
        """The columns with measured values, in the order of ours."""
        return (*self.accel.columns, *self.gyro.columns, *self.temp.columns)

    @property
    def wanted(self) -> tuple[str, ...]:
        """All columns that the log must have."""
        return (*self.time.columns, *self.numbers, *self.constant)


def lacking(options: Mapping[str, str]) -> list[str]:
    """Return which of the options that are needed are missing: all four, without a preset."""
    if options["preset"]:
        return []
    return [f"--{name}" for name in _FORMS if not options[name]]


def plan_of(options: Mapping[str, str]) -> Plan:
    """Return what `time`, `accel`, `gyro` and `temp` say; what is empty is taken from `preset`.

    Raises UsageError.
    """
    name = options["preset"]
    constant: tuple[str, ...] = ()
    texts = {key: options[key] for key in _FORMS}
    if name:
        if name not in PRESETS:
            raise UsageError(f"--preset: {name!r} is none of {', '.join(PRESETS)}")
        preset = PRESETS[name]
        texts = {key: text or getattr(preset, key) for key, text in texts.items()}
        constant = preset.constant
    plan = Plan(
        _time(texts["time"]),
        _quantity("accel", texts["accel"], 3),
        _quantity("gyro", texts["gyro"], 3),
        _quantity("temp", texts["temp"], 1),
        constant,
    )
    for column in plan.wanted:
        if plan.wanted.count(column) > 1:
            raise UsageError(f"the column {column!r} is given twice")
    return plan


def _time(text: str) -> Time:
    form, colon, rest = text.partition(":")
    if form == RATE:
        if re.fullmatch(r"\d{1,4}(\.\d{1,6})?", rest, re.ASCII):
            rate_hz = float(rest)
            if MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
                return Time(form, (), rate_hz)
        raise UsageError(f"--time: {rest!r} is no rate from {MIN_RATE_HZ:g} to {MAX_RATE_HZ:g} Hz")
    if form in NUMBER_NS or form in TEXTS:
        columns = _columns(rest) if colon else ("1",)
        if len(columns) == 1 or (len(columns) == 2 and form in _DATED):
            return Time(form, columns)
    raise UsageError(_not_understood("time", text))


def _quantity(name: str, text: str, count: int) -> Quantity:
    if text == "none" and name != "accel":
        return Quantity(NONE, ())
    word, _, rest = text.partition(":")
    unit = UNITS[name].get(word)
    if word == "lsb" and name != "temp":
        counts, _, rest = rest.partition(":")
        if re.fullmatch(r"\d{1,5}(\.\d{1,6})?", counts, re.ASCII) and (
            1 <= Decimal(counts) <= _MAX_COUNTS
        ):
            unit = Unit(f"counts of 1/{counts}", Decimal(counts), counts=True)
    columns = _columns(rest)
    if unit is None or len(columns) != count:
        raise UsageError(_not_understood(name, text))
    return Quantity(unit, columns)


def _columns(text: str) -> tuple[str, ...]:
    """Return the columns in a list; none if one of them is empty or the column 0."""
    columns = tuple(column.strip() for column in text.split(","))
    return () if "" in columns or any(column.strip("0") == "" for column in columns) else columns


def _not_understood(name: str, text: str) -> str:
    return f"--{name}: {text!r} is not understood; wanted: {_FORMS[name]}"
