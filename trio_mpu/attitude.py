# Pure: no I/O, no clock, no waiting.
"""What an attitude says, and as text: its quaternion, its angles, and the acceleration without gravity.

The quaternion turns the sensor's axes into the earth's (east, north, up). The angles are those of three
rotations, one after the other about the sensor's own axes: yaw about z, pitch about y, roll about x,
right-handed, in degrees. Formulas: J. Diebel, "Representing Attitude", 2006, section 8.2.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from trio_mpu.record import Record

ANGLES: Final = ("roll", "pitch", "yaw")
# From this sine on, 0.03° from straight up or down, roll and yaw are about the same axis: a float32
# can no longer tell one from the other.
_LOCKED_SINE: Final = 1 - 1.25e-7


class Attitude(NamedTuple):
    """See above. `q` is w, x, y, z; roll and yaw are from -180 to 180°, pitch from -90 to 90°; `linear`
    is in g, along the sensor's axes."""

    q: tuple[float, float, float, float]
    roll: float
    pitch: float
    yaw: float
    linear: tuple[float, float, float]


def attitude_of(record: Record) -> Attitude | None:
    """Return the attitude of a record; None if it has none."""
    q = w, x, y, z = record[12:16]
    if not any(q):
        return None
    # Where the earth's "up" is among the sensor's axes: what an accelerometer at rest measures.
    up = 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)
    linear = (record.ax - up[0], record.ay - up[1], record.az - up[2])
    sine = -up[0]
    if abs(sine) > _LOCKED_SINE:
        roll, yaw = 0.0, -2 * math.copysign(1, sine) * math.atan2(x, w)
        yaw = math.remainder(yaw, math.tau)
    else:
        roll = math.atan2(up[1], up[2])
        yaw = math.atan2(2 * (x * y + w * z), 1 - 2 * (y * y + z * z))
    pitch = math.asin(max(-1.0, min(1.0, sine)))
    return Attitude(q, math.degrees(roll), math.degrees(pitch), math.degrees(yaw), linear)


def attitude_json(record: Record, names: tuple[str, ...], factor: float, digits: int) -> str:
    """Return the attitude's key and object, after a comma; empty if there is none.

    The acceleration is multiplied by the `factor` and has the first three of these `names`; `digits` are
    those of the quaternion.
    """
    attitude = attitude_of(record)
    return "" if attitude is None else _json(names[:3], digits) % _numbers(attitude, factor)


@lru_cache(maxsize=4)  # g or m/s², in events and in rows
def _json(names: tuple[str, ...], digits: int) -> str:
    q = ",".join([f"%.{digits}g"] * 4)
    angles = ",".join(f'"{name}":%.7g' for name in ANGLES)
    linear = ",".join(f'"{name}":%.7g' for name in names)
    return f',"attitude":{{"q":[{q}],{angles},"linear":{{{linear}}}}}'


def _numbers(attitude: Attitude, factor: float) -> tuple[float, ...]:
    q, roll, pitch, yaw, (x, y, z) = attitude
    return (*q, roll, pitch, yaw, x * factor, y * factor, z * factor)


def attitude_csv(record: Record, factor: float) -> str:
    """Return the attitude as cells of CSV, after a comma; they are empty if there is none."""
    attitude = attitude_of(record)
    return "," * CELLS if attitude is None else _CSV % _numbers(attitude, factor)


def attitude_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of CSV; `names` are those of the acceleration's axes."""
    return ("qw", "qx", "qy", "qz", *ANGLES, *(f"linear_{name}" for name in names))


CELLS: Final = len(attitude_columns("xyz"))
_CSV: Final = ",%.9g" * 4 + ",%.7g" * (CELLS - 4)
