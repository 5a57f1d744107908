# Pure: no I/O, no clock, no waiting.
"""A reading of the sensor, with its units and its bounds."""

from enum import IntFlag
from typing import Final, NamedTuple

from trio_mpu.errors import DeviceError

AXES: Final = ("ax", "ay", "az", "gx", "gy", "gz", "temp")

# The widest range of each kind that the chip can be set to, and what a temperature
# register of 16 bits can express in the widest of the dies' formulas (dies.py): from
# raw/333.87 + 21 to raw/340 + 36.53. Anything beyond is not a reading.
MAX_ACCEL_G: Final = 16.0
MAX_GYRO_DPS: Final = 2000.0
MIN_TEMP_C: Final = -78.0
MAX_TEMP_C: Final = 133.0

MIN_RATE_HZ: Final = 0.1
MAX_RATE_HZ: Final = 8000.0  # the chip's fastest gyroscope

# The ring has 32 bits for the number of lost readings.
MAX_LOST: Final = 2**32 - 1


class Flag(IntFlag):
    """What a consumer must know of a sample beside its values."""

    SIMULATED = 1  # no hardware was involved
    DEVICE_GAP = 2  # readings are missing right before: the device failed or a period was missed
    RESTART_GAP = 4  # readings are missing right before: the producer was restarted
    CLIPPED = 8  # an axis is at an end of its range: the truth may be beyond
    INTERPOLATED_TIME = 16  # its time follows from the chip's own period, not from its own look
    STALE_REPEAT = 32  # the same reading again: the chip has no new one, or the same bytes
    UNCALIBRATED = 64  # the factory's scale and offset, nothing else


class Sample(NamedTuple):
    """One reading: acceleration in g, angular rate in degrees/s, temperature in °C.

    `t_ns` is CLOCK_MONOTONIC in nanoseconds at the instant of the reading. `lost` is the
    number of readings that are missing right before this one; it is 0 unless `flags` has
    one of the gap flags.
    """

    t_ns: int
    ax: float
    ay: float
    az: float
    gx: float
    gy: float
    gz: float
    temp: float
    flags: int = 0
    lost: int = 0


class Gap(NamedTuple):
    """Missing readings between the samples numbered `after` and `before`.

    `lost` is how many; None means that nobody can know. `reason` is one of `lapped` (the
    ring moved on before it was read), `slow` (the same, because the client took too long),
    `restart` (a producer began anew) and `device` (the sensor gave nothing).
    """

    after: int
    before: int
    lost: int | None
    reason: str


def checked(sample: Sample) -> Sample:
    """Return the sample if the chip can have measured it; DeviceError names the first value that
    it cannot (NaN and infinities included)."""
    for axis, value in zip(AXES, sample[1:8], strict=True):
        low, high = _LIMITS[axis[0]]
        if not low <= value <= high:
            raise DeviceError(f"{axis} = {value:g} is outside the range {low:g} to {high:g}")
    return sample


_LIMITS: Final = {
    "a": (-MAX_ACCEL_G, MAX_ACCEL_G),
    "g": (-MAX_GYRO_DPS, MAX_GYRO_DPS),
    "t": (MIN_TEMP_C, MAX_TEMP_C),
}
