# Pure: no I/O, no clock, no waiting.
"""A machine that vibrates: tones and a sweep of stated frequencies and amplitudes.

As text it is what one would say: `87@0.2+133.5@0.05z+5-200@0.1/60` is 87 Hz at 0.2 g on all three axes,
133.5 Hz at 0.05 g on z, and a sweep from 5 to 200 Hz at 0.1 g in 60 s. Amplitudes are peaks: a tone of
0.2 g goes from -0.2 to 0.2 g. All parts are sines that begin at 0 and add up.

The sweep is linear: its frequency grows, or falls, by the same number of Hz in each second. At its end it
begins again, without a step in its phase.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from trio_mpu.errors import UsageError

AXES: Final = "xyz"
MAX_AMPLITUDE_G: Final = 16.0  # the widest range of any chip
MAX_SWEEP_S: Final = 86_400.0  # arbitrary
MAX_PARTS: Final = 16  # arbitrary; each costs a sine for each sample
SYNTAX: Final = "HZ@G, HZ@G and axes (87@0.2xy) or a sweep HZ-HZ@G/SECONDS, joined by +"

_NUMBER: Final = r"(\d{1,6}(?:\.\d{1,6})?)"
_PART: Final = re.compile(
    rf"{_NUMBER}(?:-{_NUMBER})?@{_NUMBER}([xyz]{{0,3}})(?:/{_NUMBER})?", re.ASCII
)


@dataclass(frozen=True)
class Part:
    """A tone, or a sweep that takes `seconds` from `from_hz` to `to_hz`; a tone has one frequency."""

    from_hz: float
    to_hz: float
    amplitude_g: float
    axes: str = AXES
    seconds: float = 1.0  # a tone repeats its second, which is the same as going on

    def at(self, t: float) -> float:
        """Return the acceleration in g, `t` seconds after the beginning."""
        repeats, within = divmod(t, self.seconds)
        slope = (self.to_hz - self.from_hz) / self.seconds
        # The phase is the integral of the frequency; so are the cycles of each whole repeat.
        cycles = repeats * self.seconds * (self.from_hz + self.to_hz) / 2
        cycles += within * (self.from_hz + slope * within / 2)
        return self.amplitude_g * math.sin(math.tau * math.fmod(cycles, 1.0))


@dataclass(frozen=True)
class Vibration:
    """All parts, and the text that they were read from."""

    text: str
    parts: Sequence[Part]

    @classmethod
    def parse(cls, text: str, rate_hz: float) -> "Vibration":
        """Read a vibration that a sensor samples at this rate. Raises UsageError, for a frequency
        too that such a sensor would show as another one."""
        parts = [_part(part, rate_hz) for part in text.split("+")]
        if len(parts) > MAX_PARTS:
            raise UsageError(f"{len(parts)} parts of a vibration: {MAX_PARTS} are possible")
        if sum(part.from_hz != part.to_hz for part in parts) > 1:
            raise UsageError(f"two sweeps in vibration {text!r}: one is possible")
        return cls(text, parts)

    def at(self, t: float) -> tuple[float, float, float]:
        """Return the acceleration along x, y and z in g, without gravity."""
        x = y = z = 0.0
        for part in self.parts:
            value_g = part.at(t)
            x += value_g * ("x" in part.axes)
            y += value_g * ("y" in part.axes)
            z += value_g * ("z" in part.axes)
        return x, y, z


def _part(text: str, rate_hz: float) -> Part:
    found = _PART.fullmatch(text)
    if found is None or (found[2] is None) != (found[5] is None):
        raise UsageError(f"{text!r} is no part of a vibration: use {SYNTAX}")
    from_hz, amplitude_g = float(found[1]), float(found[3])
    to_hz, seconds = float(found[2] or from_hz), float(found[5] or 1)
    for hz in (from_hz, to_hz):
        if not 0 < hz < rate_hz / 2:
            raise UsageError(
                f"{hz:g} Hz in vibration {text!r}: use more than 0 and less than {rate_hz / 2:g} Hz, "
                "half of --rate"
            )
    if not 0 < amplitude_g <= MAX_AMPLITUDE_G:
        raise UsageError(
            f"{amplitude_g:g} g in vibration {text!r}: use more than 0 and at most "
            f"{MAX_AMPLITUDE_G:g} g"
        )
    if not 0 < seconds <= MAX_SWEEP_S:
        raise UsageError(
            f"{seconds:g} s in vibration {text!r}: use more than 0 and at most {MAX_SWEEP_S:g} s"
        )
    return Part(from_hz, to_hz, amplitude_g, found[4] or AXES, seconds)
