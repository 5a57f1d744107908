# Pure: no I/O, no clock, no waiting.
"""Parses `replay:FILE[,loop][,speed=N]`."""

import re
from fractions import Fraction
from typing import Final, NamedTuple

from trio_mpu.errors import UsageError

FORM: Final = "replay:FILE[,loop][,speed=NUMBER]"
MIN_SPEED: Final = Fraction("0.01")
MAX_SPEED: Final = Fraction(1000)


class Options(NamedTuple):
    """Which file to play and how. `source` is the spec, in one spelling."""

    path: str
    loop: bool = False
    speed: Fraction = Fraction(1)

    @property
    def source(self) -> str:
        """The device's name, in every JSON object and log line."""
        speed = f",speed={float(self.speed):g}" if self.speed != 1 else ""
        return f"replay:{self.path}{',loop' if self.loop else ''}{speed}"


def parse_options(text: str) -> Options:
    """Parse what follows `replay:`. A comma in the file's name is part of it, unless `loop` or
    `speed=` follows.

    Raises UsageError.
    """
    path, loop, speed = text, False, None
    while True:
        rest, comma, option = path.rpartition(",")
        key, equals, value = option.partition("=")
        if not comma or (option != "loop" and not (key == "speed" and equals)):
            return Options(path, loop, Fraction(1) if speed is None else speed)
        if (loop and key == "loop") or (speed is not None and key == "speed"):
            raise UsageError(f"replay option {key} is given twice")
        if key == "loop":
            loop = True
        else:
            speed = _speed(value)
        path = rest


def _speed(text: str) -> Fraction:
    if re.fullmatch(r"\d{1,4}(\.\d{1,6})?", text, re.ASCII):
        speed = Fraction(text)
        if MIN_SPEED <= speed <= MAX_SPEED:
            return speed
    raise UsageError(f"speed={text} is not a number from 0.01 to 1000")
