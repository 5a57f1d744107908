# Pure: no I/O, no clock, no waiting.
"""A reading of the sensor, with its units and its bounds."""

from enum import IntFlag
from typing import Final, NamedTuple

from trio_mpu.errors import DeviceError

AXES: Final = ("ax", "ay", "az", "gx", "gy", "gz", "temp")

# The widest range of each kind that a chip can be set to, and the temperatures that a register of
# 16 bits can express in the formulas of the chip variants: from raw/333.87 + 21 to
# raw/340 + 36.53. Anything beyond is not a reading.
MAX_ACCEL_G: Final = 16.0
MAX_GYRO_DPS: Final = 2000.0
MIN_TEMP_C: Final = -78.0
MAX_TEMP_C: Final = 133.0

MIN_RATE_HZ: Final = 0.1
MAX_RATE_HZ: Final = 8000.0  # the chip's fastest gyroscope

# The ring has 32 bits for the number of lost readings.
MAX_LOST: Final = 2**32 - 1


class Flag(IntFlag):
    """What a consumer must know about a sample besides its values."""

    SIMULATED = 1  # no hardware was involved
    DEVICE_GAP = 2  # readings are missing before it: the device failed or a period was missed
    RESTART_GAP = 4  # readings are missing before it: the producer was restarted
    CLIPPED = 8  # an axis is at an end of its range: the true value may be beyond
    INTERPOLATED_TIME = 16  # its time was computed from the chip's own period
    STALE_REPEAT = 32  # the same reading again: no new one, or one with the same bytes
    UNCALIBRATED = 64  # with the factory's scale and offset only
    REPLAYED = 128  # from a recording, not measured now
    CLOCK_STEP = 256  # the wall clock was set right before: `time` of earlier samples is by the old
    ATTITUDE_SETTLING = 512  # the attitude began anew a moment ago: its inclination may be wrong
    ATTITUDE_BIAS = 1024  # the gyroscope's bias is not known yet: the attitude drifts
    ATTITUDE_GAP = 2048  # the attitude has just been carried over readings that nobody knows


NO_ATTITUDE: Final = (0.0, 0.0, 0.0, 0.0)
# What is said of an attitude. Another filter says it anew, as does a replay.
ATTITUDE_FLAGS: Final = int(Flag.ATTITUDE_SETTLING | Flag.ATTITUDE_BIAS | Flag.ATTITUDE_GAP)


class Sample(NamedTuple):
    """One reading: acceleration in g, angular rate in degrees/s, temperature in °C.

    `t_ns` is CLOCK_MONOTONIC in nanoseconds at the instant of the reading. `lost` is the number
    of readings missing right before this one; it is 0 unless `flags` has a gap flag. `qw` to `qz`
    are the attitude, as Record has it; devices leave them 0.
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
    qw: float = 0.0
    qx: float = 0.0
    qy: float = 0.0
    qz: float = 0.0


class Gap(NamedTuple):
    """Missing readings between the samples numbered `after` and `before`.

    `lost` is how many; None if that is unknown. `reason` is one of `lapped` (the ring was
    overwritten before it was read), `slow` (the same, because the client took too long),
    `restart` (a producer started over), `device` (the sensor delivered nothing) and `store` (in a
    recorder's file, and what is read from it: the file could not be written for too long).
    """

    after: int
    before: int
    lost: int | None
    reason: str


def checked(sample: Sample) -> Sample:
    """Return the sample if a chip can have measured it. Raises DeviceError, which names the first
    impossible value (including NaN and infinities)."""
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
