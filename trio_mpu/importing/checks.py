# Pure: no I/O, no clock, no waiting.
"""Whether the units are right: gravity's length and the rates where the sensor is most at rest, and
the number of rows a second."""

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from trio_mpu.importing.plan import NUMBER_NS, RATE, UNITS, Plan, Unit
from trio_mpu.importing.timeline import Timeline
from trio_mpu.sample import MAX_RATE_HZ

WINDOW_S: Final = 0.5  # long enough for a mean, short enough to find a pause
MIN_WINDOW: Final = 5  # rows; arbitrary
REST_VARIES: Final = 0.05  # of gravity: a sensor in a hand varies by more
# Gravity's length at rest, which no sensor is wrong by more than a tenth about; m/s² for g would be
# ten times as much, and counts with the wrong range half or double.
MIN_GRAVITY_G: Final = 0.6
MAX_GRAVITY_G: Final = 1.6
# The zero-rate error of these chips is at most 20 °/s, as their data sheets say.
MAX_REST_DPS: Final = 25.0
# Slower logs of such a sensor are rare, and a wrong unit of time is a factor of a thousand.
MIN_LOG_RATE_HZ: Final = 5.0
# Counts for one g, in the ranges that chips have.
_COUNTS: Final = (16384, 8192, 4096, 2048, 256)


class Rest(NamedTuple):
    """The stretch in which the acceleration varies least: its first and last line, gravity's length
    and the mean rate. Without `is_still`, the sensor was never at rest."""

    first_line: int
    last_line: int
    gravity_g: float
    rate_dps: float
    is_still: bool


def rest_of(timeline: Timeline, period_ns: int) -> Rest:
    """Return the quietest stretch of about WINDOW_S."""
    size = max(MIN_WINDOW, round(WINDOW_S * 1e9 / period_ns))
    return min((each for each in _windows(timeline, size)), key=lambda each: each[0])[1]


def _windows(timeline: Timeline, size: int) -> Iterator[tuple[float, Rest]]:
    """Yield each stretch with how much it varies."""
    count = len(timeline)
    for first in range(0, max(1, count - size + 1), size):
        last = min(first + size, count) - 1
        means, varies = [], 0.0
        for axis in range(6):
            values = timeline.values[first * 7 + axis : last * 7 + axis + 1 : 7]
            means.append(statistics.fmean(values))
            if axis < 3:
                varies = max(varies, statistics.pstdev(values))
        gravity_g, rate_dps = _length(means[:3]), _length(means[3:])
        is_still = varies <= REST_VARIES * gravity_g
        lines = timeline.lines
        yield varies, Rest(lines[first], lines[last], gravity_g, rate_dps, is_still)


def _length(vector: Sequence[float]) -> float:
    return math.hypot(*vector)


def doubts_of(plan: Plan, period_ns: int, rest: Rest) -> list[str]:
    """Return what does not look as it should, as questions; none if all is well."""
    doubts = []
    if not MIN_GRAVITY_G <= rest.gravity_g <= MAX_GRAVITY_G:
        doubts.append(
            f"1 g expected {'at rest' if rest.is_still else 'on average'}, {rest.gravity_g:.4g} g "
            f"found{_question(accel_hint(plan.accel.unit, rest.gravity_g))}"
        )
    if rest.is_still and rest.rate_dps > MAX_REST_DPS:
        doubts.append(
            f"0 °/s expected at rest, {rest.rate_dps:.4g} °/s found: is the gyroscope's unit right?"
        )
    rate_hz = 1e9 / period_ns
    if plan.time.form != RATE and not MIN_LOG_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        doubts.append(
            f"{MIN_LOG_RATE_HZ:g} to {MAX_RATE_HZ:,g} rows a second expected, {rate_hz:.4g} found"
            f"{_question(_time_hint(plan.time.form, rate_hz))}"
        )
    return doubts


def accel_hint(unit: Unit, found_g: float) -> str:
    """Return the option's unit that would make one g of it, or nothing."""
    length = found_g * float(unit.per)
    others = {name: float(other.per) for name, other in UNITS["accel"].items()}
    others |= {f"lsb:{counts}": float(counts) for counts in _COUNTS}
    fits = [name for name, per in others.items() if 0.85 <= length / per <= 1.15]
    if not fits and found_g < 0.3:
        return "the acceleration without gravity"
    return fits[0] if fits else ""


def _time_hint(form: str, rate_hz: float) -> str:
    if form not in NUMBER_NS:
        return ""
    unit_ns = NUMBER_NS[form]
    for name, other_ns in NUMBER_NS.items():
        if other_ns != unit_ns and MIN_LOG_RATE_HZ <= rate_hz * unit_ns / other_ns <= MAX_RATE_HZ:
            return name
    return ""


def _question(hint: str) -> str:
    return f": is it {hint}?" if hint else ""
