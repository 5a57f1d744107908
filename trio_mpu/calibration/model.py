# Pure: no I/O, no clock, no waiting.
"""A calibration: the errors of one sensor's readings, and their correction.

    angular rate = reading - bias        acceleration = scale · (reading - offset)

for each axis separately. Cross-axis errors (axes that are not quite at right angles) and changes
with temperature are not corrected.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Final, NamedTuple, Self

from trio_mpu.errors import CalibrationError
from trio_mpu.sample import MAX_ACCEL_G, MAX_GYRO_DPS, Flag, Sample

VERSION: Final = 1

# The data sheet's worst chip has ±20 °/s, ±0.08 g and 3 %, at 25 °C; cheap boards have more. A
# larger error is not that of a working sensor: the sensor moved, or the file is wrong.
MAX_BIAS_DPS: Final = 50.0
MAX_OFFSET_G: Final = 0.5
MIN_SCALE: Final = 0.8
MAX_SCALE: Final = 1.2

Vector = tuple[float, float, float]  # x, y, z
ZERO: Final[Vector] = (0.0, 0.0, 0.0)
ONE: Final[Vector] = (1.0, 1.0, 1.0)

_FACTORY_ONLY: Final = int(Flag.UNCALIBRATED)
_CLIPPED: Final = int(Flag.CLIPPED)


class Calibration(NamedTuple):
    """The errors of the sensor with this identity (see `Device.identity`): the gyroscope's bias in
    °/s, the accelerometer's offset in g and its scale (ZERO and ONE: unknown). `made` is when it
    was made, in UTC: 2026-01-31T12:00:00Z."""

    identity: str
    made: str
    bias_dps: Vector
    offset_g: Vector = ZERO
    scale: Vector = ONE

    @property
    def id(self) -> str:
        """The day it was made and a hash that identifies it; 21 bytes."""
        return f"{self.made[:10]} {hashlib.sha256(repr(tuple(self)).encode()).hexdigest()[:10]}"

    def apply(self, sample: Sample) -> Sample:
        """Return the corrected sample, without UNCALIBRATED.

        A value beyond the widest range of any chip is limited to it, and the sample is CLIPPED:
        consumers may rely on the limits, and the true value is beyond.
        """
        (bx, by, bz), (ox, oy, oz), (sx, sy, sz) = self.bias_dps, self.offset_g, self.scale
        t_ns, ax, ay, az, gx, gy, gz, temp, flags, lost = sample[:10]
        ax, ay, az = sx * (ax - ox), sy * (ay - oy), sz * (az - oz)
        gx, gy, gz = gx - bx, gy - by, gz - bz
        flags &= ~_FACTORY_ONLY
        if max(map(abs, (ax, ay, az))) > MAX_ACCEL_G or max(map(abs, (gx, gy, gz))) > MAX_GYRO_DPS:
            flags |= _CLIPPED
            ax, ay, az = (_cut(value, MAX_ACCEL_G) for value in (ax, ay, az))
            gx, gy, gz = (_cut(value, MAX_GYRO_DPS) for value in (gx, gy, gz))
        return Sample(t_ns, ax, ay, az, gx, gy, gz, temp, flags, lost)

    def checked(self) -> Self:
        """Return it if a working sensor can have such errors. Raises CalibrationError, which names
        the first impossible one (including NaN and infinities)."""
        for name, values, (low, high) in (
            ("bias_dps", self.bias_dps, (-MAX_BIAS_DPS, MAX_BIAS_DPS)),
            ("offset_g", self.offset_g, (-MAX_OFFSET_G, MAX_OFFSET_G)),
            ("scale", self.scale, (MIN_SCALE, MAX_SCALE)),
        ):
            for axis, value in zip("xyz", values, strict=True):
                if not low <= value <= high:
                    raise CalibrationError(
                        f"{name} of {axis} is {value:g}, outside {low:g} to {high:g}"
                    )
        return self

    def text(self, note: str) -> str:
        """Return it as TOML, with a note of one line; `parse` is the inverse."""
        lines = [
            "# trio-mpu calibration of one sensor, made by trio-mpu calibrate",
            "# angular rate = reading - bias_dps;  acceleration = scale * (reading - offset_g)",
            f"# {note}",
            f"version = {VERSION}",
            f"identity = {json.dumps(self.identity, ensure_ascii=False)}",
            f'made = "{self.made}"',
            "",
            "[gyro]",
            f"bias_dps = {list(self.bias_dps)}",
            "",
            # Never left out: a truncated file must not look complete.
            "[accel]",
            f"offset_g = {list(self.offset_g)}",
            f"scale = {list(self.scale)}",
        ]
        return "\n".join(lines) + "\n"

    @classmethod
    def parse(cls, table: Mapping[str, object]) -> Self:
        """Return the calibration that a parsed TOML file holds.

        Raises CalibrationError, with a different message for each reason, for anything that this
        version does not write; only the notation of numbers may differ.
        """
        version = table.get("version")
        if type(version) is not int:
            raise CalibrationError("the version number is missing")
        if version != VERSION:
            shown = version if 0 <= version < 10**9 else "unknown"
            raise CalibrationError(
                f"version {shown} is not supported, only version {VERSION}; calibrate again"
            )
        _only(table, {"version", "identity", "made", "gyro", "accel"})
        gyro = _table(table, "gyro", {"bias_dps"})
        accel = _table(table, "accel", {"offset_g", "scale"})
        bias_dps = _vector(gyro, "bias_dps")
        offset_g, scale = _vector(accel, "offset_g"), _vector(accel, "scale")
        identity, made = _line(table, "identity"), _line(table, "made")
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made, re.ASCII):
            raise CalibrationError(
                f"made is {made!r:.40}; expected a time such as 2026-01-31T12:00:00Z"
            )
        return cls(identity, made, bias_dps, offset_g, scale).checked()


def _cut(value: float, limit: float) -> float:
    return max(-limit, min(limit, value))


def _only(table: Mapping[str, object], known: set[str]) -> None:
    if unknown := sorted(table.keys() - known):
        raise CalibrationError(f"unknown key {unknown[0]!r:.40}")


def _table(table: Mapping[str, object], name: str, known: set[str]) -> Mapping[str, object]:
    inner = table.get(name)
    if not isinstance(inner, dict):
        raise CalibrationError(f"table [{name}] is missing")
    _only(inner, known)
    return inner


def _line(table: Mapping[str, object], name: str) -> str:
    value = table.get(name)
    if not (isinstance(value, str) and value and value.isprintable()):
        raise CalibrationError(f"{name} is missing or is not one line of text")
    return value


def _vector(table: Mapping[str, object], name: str) -> Vector:
    values = table.get(name)
    # To Python a bool is an int; to the person who wrote it, it is not a number.
    if isinstance(values, list) and all(type(value) in (int, float) for value in values):
        # A TOML integer may have more digits than a float can hold.
        with contextlib.suppress(ValueError, OverflowError):
            x, y, z = map(float, values)
            return x, y, z
    raise CalibrationError(f"{name} is missing or is not three numbers")
