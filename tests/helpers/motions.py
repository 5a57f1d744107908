"""Motions whose attitude is known exactly: what a perfect sensor measures of them."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from trio_mpu.orientation.rules import Vector
from trio_mpu.sample import Sample

Quaternion = tuple[float, float, float, float]
IDENTITY: Quaternion = (1.0, 0.0, 0.0, 0.0)


class Moment(NamedTuple):
    """A sample, and the attitude at its time."""

    sample: Sample
    q: Quaternion


def product(first: Sequence[float], second: Sequence[float]) -> Quaternion:
    """The rotation `second`, and then, about the axes of before, `first`."""
    a, b, c, d = first
    w, x, y, z = second
    return (
        a * w - b * x - c * y - d * z,
        a * x + b * w + c * z - d * y,
        a * y - b * z + c * w + d * x,
        a * z + b * y - c * x + d * w,
    )


def inverse(q: Sequence[float]) -> Quaternion:
    w, x, y, z = q
    return (w, -x, -y, -z)


def turn(axis: Vector, degrees: float) -> Quaternion:
    """A rotation about an axis of any length."""
    length, half = math.hypot(*axis), math.radians(degrees) / 2
    x, y, z = (part / length * math.sin(half) for part in axis)
    return (math.cos(half), x, y, z)


def up(q: Sequence[float]) -> Vector:
    """Where up is among the sensor's axes: the acceleration of one that only turns, in g."""
    _, x, y, z = product(product(inverse(q), (0, 0, 0, 1)), q)
    return (x, y, z)


def inclination_error(estimate: Sequence[float], truth: Sequence[float]) -> float:
    """The angle between two opinions of where up is, in degrees."""
    first, second = up(estimate), up(truth)
    crossed = (
        first[1] * second[2] - first[2] * second[1],
        first[2] * second[0] - first[0] * second[2],
        first[0] * second[1] - first[1] * second[0],
    )
    dot = sum(a * b for a, b in zip(first, second, strict=True))
    return math.degrees(math.atan2(math.hypot(*crossed), dot))


def heading_error(estimate: Sequence[float], truth: Sequence[float]) -> float:
    """By how much the estimate is turned about the vertical, in degrees from -180 to 180."""
    w, _, _, z = product(estimate, inverse(truth))
    return math.degrees(math.remainder(2 * math.atan2(z, w), math.tau))


def turning(
    rate_dps: Callable[[float], Vector],
    rate_hz: float,
    seconds: float,
    start: Quaternion = IDENTITY,
    begun_ns: int = 0,
) -> list[Moment]:
    """A body that turns about its own axes, at a rate that is constant within each period."""
    q, moments = start, list[Moment]()
    for number in range(round(seconds * rate_hz)):
        gyro = rate_dps(number / rate_hz)
        speed = math.hypot(*gyro)
        if speed:
            q = product(q, turn(gyro, speed / rate_hz))
        t_ns = begun_ns + round(number * 1e9 / rate_hz)
        moments.append(Moment(Sample(t_ns, *up(q), *gyro, 25.0), q))
    return moments


def still(rate_hz: float, seconds: float, start: Quaternion = IDENTITY) -> list[Moment]:
    """A body that doesn't move."""
    return turning(lambda _: (0.0, 0.0, 0.0), rate_hz, seconds, start)
