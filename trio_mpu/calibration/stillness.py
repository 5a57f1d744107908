# Pure: no I/O, no clock, no waiting.
"""Whether a sensor was at rest, and its means and noise while it was."""

import math
import statistics
from collections.abc import Sequence
from typing import Final, NamedTuple

from trio_mpu.calibration.model import MAX_BIAS_DPS, Vector
from trio_mpu.errors import CalibrationError
from trio_mpu.sample import Flag, Sample

MIN_READINGS: Final = 100  # arbitrary: the mean is then known to a tenth of the noise

# The noisiest setting of the chip (no filter) has 0.1 °/s and 8 mg, a clone twice that; a hand
# causes tens of °/s.
MAX_NOISE_DPS: Final = 1.0
MAX_NOISE_G: Final = 0.05
# A slow movement is smaller than the noise; it shows in the means of successive tenths.
PARTS: Final = 10
MAX_DRIFT_DPS: Final = 0.5
MAX_DRIFT_G: Final = 0.02
# Gravity, with the offset and scale that a calibration can correct.
MIN_GRAVITY_G: Final = 0.7
MAX_GRAVITY_G: Final = 1.3
# An axis within 25° of the vertical; the six positions need no more.
MIN_UPRIGHT: Final = math.cos(math.radians(25))

FACES: Final = ("+z", "-z", "+x", "-x", "+y", "-y")  # which axis points up: it reads +1 g, or -1 g


class Rest(NamedTuple):
    """A sensor at rest: its means, and the standard deviations of single readings."""

    accel_g: Vector
    gyro_dps: Vector
    accel_noise_g: Vector
    gyro_noise_dps: Vector
    temp_c: float

    @property
    def face(self) -> str:
        """The one of FACES that points up. Raises CalibrationError if none does, within 25°."""
        size = max(self.accel_g, key=abs)
        if abs(size) < MIN_UPRIGHT * math.hypot(*self.accel_g):
            x, y, z = self.accel_g
            raise CalibrationError(
                f"no face points up: gravity is ({x:.2f}, {y:.2f}, {z:.2f}) g, more than 25° "
                "from every axis"
            )
        return ("-" if size < 0 else "+") + "xyz"[self.accel_g.index(size)]


def at_rest(samples: Sequence[Sample]) -> Rest:
    """Return the means and noise of these readings, at least MIN_READINGS.

    Raises CalibrationError, with the value and its limit, if the sensor moved or if a sensor can't
    have measured the readings.
    """
    assert len(samples) >= MIN_READINGS
    if any(sample.flags & Flag.CLIPPED for sample in samples):
        raise CalibrationError("not at rest: an axis reached the end of its range")
    columns = list(zip(*(sample[1:7] for sample in samples), strict=True))
    noises = [statistics.pstdev(column) for column in columns]
    if not any(noises):
        raise CalibrationError("the readings never change: the device repeats the same values")
    means = [statistics.fmean(column) for column in columns]
    drifts = [_drift(column) for column in columns]
    for names, unit, axes, max_noise, max_drift in (
        ("g", "°/s", range(3, 6), MAX_NOISE_DPS, MAX_DRIFT_DPS),
        ("a", "g", range(3), MAX_NOISE_G, MAX_DRIFT_G),
    ):
        for axis in axes:
            name = names + "xyz"[axis % 3]
            _below(f"{name} varies by", noises[axis], max_noise, unit)
            _below(f"{name} drifts by", drifts[axis], max_drift, unit)
    for name, mean in zip("xyz", means[3:], strict=True):
        _below(f"g{name} is", abs(mean), MAX_BIAS_DPS, "°/s")
    ax, ay, az, gx, gy, gz = means
    gravity_g = math.hypot(ax, ay, az)
    if not MIN_GRAVITY_G <= gravity_g <= MAX_GRAVITY_G:
        raise CalibrationError(
            f"not at rest: gravity is {gravity_g:.3g} g, "
            f"outside {MIN_GRAVITY_G} to {MAX_GRAVITY_G} g"
        )
    temp_c = statistics.fmean(sample.temp for sample in samples)
    sax, say, saz, sgx, sgy, sgz = noises
    return Rest((ax, ay, az), (gx, gy, gz), (sax, say, saz), (sgx, sgy, sgz), temp_c)


def _drift(column: Sequence[float]) -> float:
    size = len(column) // PARTS
    means = [statistics.fmean(column[at * size : (at + 1) * size]) for at in range(PARTS)]
    return max(means) - min(means)


def _below(what: str, value: float, limit: float, unit: str) -> None:
    if value > limit:
        raise CalibrationError(
            f"not at rest: {what} {value:.3g} {unit}; the limit is {limit:g} {unit}"
        )
