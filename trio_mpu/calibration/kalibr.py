# Pure: no I/O, no clock, no waiting.
"""The noise of a sensor as the YAML file that Kalibr takes for its option `--imu`.

https://github.com/ethz-asl/kalibr/wiki/IMU-Noise-Model: its noise density makes single readings
of density·√update_rate, and its random walk is the integral of white noise. These are N and K of
the noise model.
"""

import json
import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from trio_mpu.calibration.noise_model import Noise
from trio_mpu.errors import CalibrationError
from trio_mpu.formats import STANDARD_GRAVITY

TOPIC: Final = "/imu0"  # that of the bags that kalibr_bagcreater makes of imu0.csv

# The first letter of the axes, what their values are multiplied by, and the units that this makes,
# of the values and of their derivatives.
_SENSORS: Final = (
    ("accelerometer", "a", STANDARD_GRAVITY, "m/s^2", "m/s^3"),
    ("gyroscope", "g", math.pi / 180, "rad/s", "rad/s^2"),
)


class KalibrFile(NamedTuple):
    """The file's text, and the keys whose numbers are upper bounds."""

    text: str
    bounds: list[str]


def kalibr_file(
    identity: str, period_s: float, count: int, missing: int, noises: Sequence[Noise]
) -> KalibrFile:
    """Return the file of the sensor with this identity: ax, ay, az in g, gx, gy, gz in °/s.

    `missing` readings between the `count` ones were missed. Kalibr takes one number for all axes,
    so each is that of the axis with the largest one. Raises CalibrationError if one would be 0,
    which Kalibr refuses.
    """
    seconds = count * period_s
    # ASCII only: Kalibr reads it with the encoding of its container, which may have no other.
    lines = [
        f"# Noise of {json.dumps(identity)} at rest, by trio-mpu calibrate, for Kalibr's --imu.",
        f"# From the Allan deviation of {count} readings in {seconds:g} s (IEEE Std 952-1997, annex C).",
        "# Kalibr takes one number for all axes: each is that of the axis with the largest one.",
    ]
    if missing:
        lines.append(f"# {missing} readings were missed: the numbers are approximate.")
    lines += [
        f"rostopic: {TOPIC}  # change it to that of your bag",
        f"update_rate: {1 / period_s:g}",
    ]
    bounds = []
    for at, (sensor, letter, factor, unit, unit_s) in enumerate(_SENSORS):
        axes = list(
            zip([f"{letter}{axis}" for axis in "xyz"], noises[3 * at : 3 * at + 3], strict=True)
        )
        name, noisiest = max(axes, key=lambda axis: axis[1].density)
        walker_name, walker = max(axes, key=lambda axis: axis[1].walk)
        if not (noisiest.density and walker.walk):
            raise CalibrationError(
                f"there is no noise for Kalibr: the readings of the {sensor} never change"
            )
        key = f"{sensor}_noise_density"
        # With a point and a sign: to PyYAML 1e-05 and 1.0e5 are texts.
        lines.append(f"{key}: {noisiest.density * factor:.4e}  # {unit}/sqrt(Hz), of {name}")
        key = f"{sensor}_random_walk"
        lines.append(f"{key}: {walker.walk * factor:.4e}  # {unit_s}/sqrt(Hz), of {walker_name}")
        if walker.is_bound:
            bounds.append(key)
            lines[-1] += f"; UPPER BOUND: {seconds:g} s do not show the random walk, measure longer"
    return KalibrFile("\n".join(lines) + "\n", bounds)
