# Pure: no I/O, no clock, no waiting.
"""Parses `replay:FILE[,loop][,speed=NUMBER][,from=TIME][,to=TIME]`."""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Final, NamedTuple

from trio_mpu.errors import UsageError
from trio_mpu.iso_time import MAX_MOMENT_NS, iso, moment

FORM: Final = "replay:FILE[,loop][,speed=NUMBER][,from=TIME][,to=TIME]"
MIN_SPEED: Final = Fraction("0.01")
MAX_SPEED: Final = Fraction(1000)

_VALUED: Final = ("speed", "from", "to")


class Bounds(NamedTuple):
    """Which samples to play: those whose `time` is at or after `from_ns` and before `to_ns`. None
    is no bound."""

    from_ns: int | None = None
    to_ns: int | None = None

    def include(self, time_ns: int) -> bool:
        """Return whether a sample of this time is to be played."""
        return (self.from_ns is None or self.from_ns <= time_ns) and (
            self.to_ns is None or time_ns < self.to_ns
        )


EVERYTHING: Final = Bounds()


class Options(NamedTuple):
    """Which file to play and how. `source` is the spec, in one spelling."""

    path: str
    loop: bool = False
    speed: Fraction = Fraction(1)
    bounds: Bounds = EVERYTHING

    @property
    def source(self) -> str:
        """The device's name, in every JSON object and log line."""
        given = {"from": self.bounds.from_ns, "to": self.bounds.to_ns}
        parts = [
            f"replay:{self.path}",
            *(["loop"] if self.loop else []),
            *([f"speed={float(self.speed):g}"] if self.speed != 1 else []),
            *(f"{key}={_written(ns)}" for key, ns in given.items() if ns is not None),
        ]
        return ",".join(parts)


def parse_options(text: str) -> Options:
    """Parse what follows `replay:`. A comma in the file's name is part of it, unless an option
    follows.

    Raises UsageError.
    """
    path, loop, values = text, False, dict[str, str]()
    while True:
        rest, comma, option = path.rpartition(",")
        key, equals, value = option.partition("=")
        if not comma or (option != "loop" and not (key in _VALUED and equals)):
            break
        if key in values or (loop and key == "loop"):
            raise UsageError(f"replay option {key} is given twice")
        if key == "loop":
            loop = True
        else:
            values[key] = value
        path = rest
    bounds = Bounds(_time_ns("from", values), _time_ns("to", values))
    if bounds.from_ns is not None and not bounds.include(bounds.from_ns):
        raise UsageError(f"from={values['from']} is not before to={values['to']}")
    return Options(path, loop, _speed(values.get("speed", "1")), bounds)


def _time_ns(key: str, values: Mapping[str, str]) -> int | None:
    if key not in values:
        return None
    time_ns = moment(values[key])
    if time_ns is None or not 0 <= time_ns < MAX_MOMENT_NS:
        raise UsageError(
            f"{key}={values[key]} is no time such as 2026-11-27T20:53:36Z, nor seconds since 1970"
        )
    return time_ns


def _written(time_ns: int) -> str:
    """Return a time as ISO 8601, without zeros at its end."""
    text = f"{iso(time_ns // 1000)[:-1]}{time_ns % 1000:03d}"
    return text.rstrip("0").rstrip(".") + "Z"


def _speed(text: str) -> Fraction:
    if re.fullmatch(r"\d{1,4}(\.\d{1,6})?", text, re.ASCII):
        speed = Fraction(text)
        if MIN_SPEED <= speed <= MAX_SPEED:
            return speed
    raise UsageError(f"speed={text} is not a number from 0.01 to 1000")
