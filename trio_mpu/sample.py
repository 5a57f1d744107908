"""A reading of the sensor with its units, and the text driver's form of it.

The driver's text has one form, and this parser accepts only that form, to the letter
(line ends may be CRLF, the last one may be missing): every number has three decimals,
and the numbers of the accelerometer and the gyroscope have a sign column. A byte lost
on the way then shows as an error instead of as a wrong value.
"""

import re
from enum import IntFlag
from typing import Final, NamedTuple

from trio_mpu.errors import DeviceError, NoSampleYet

AXES: Final = ("ax", "ay", "az", "gx", "gy", "gz", "temp")

# The widest range of each kind that the chip can be set to, and what a temperature
# register of 16 bits can express in the widest of the dies' formulas (dies.py): from
# raw/333.87 + 21 to raw/340 + 36.53. Anything beyond is not a reading.
MAX_ACCEL_G: Final = 16.0
MAX_GYRO_DPS: Final = 2000.0
MIN_TEMP_C: Final = -78.0
MAX_TEMP_C: Final = 133.0

# A complete text with the widest numbers has about 100 bytes; the driver's own buffer has 512.
MAX_TEXT_BYTES: Final = 512

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


_NUMBER = rb"([ -](?:0|[1-9]\d*)\.\d{3})"
_LINES: Final = tuple(
    (re.compile(pattern), form)
    for pattern, form in (
        (rb"IRQ count: \d+", "IRQ count: N"),
        (_NUMBER + b"," + _NUMBER + b"," + _NUMBER + rb", \[g\]", "three numbers and [g]"),
        (_NUMBER + b"," + _NUMBER + b"," + _NUMBER + rb", \[dps\]", "three numbers and [dps]"),
        (rb"([ -]?(?:0|[1-9]\d*)\.\d{3}), \[" + "°".encode() + rb"C\]", "a number and [°C]"),
    )
)
_NOT_YET = b"(no sample yet)"


def parse_text(text: bytes, t_ns: int) -> Sample:
    """Turn the text of one read of the character device into a sample taken at `t_ns`.

    Raises NoSampleYet when the driver says so, and DeviceError, naming what is wrong, for
    everything else that is not exactly one sample.
    """
    if not text:
        raise DeviceError("the device gave no text")
    if len(text) > MAX_TEXT_BYTES:
        raise DeviceError(f"the device gave more than {MAX_TEXT_BYTES} bytes for one sample")
    lines = text.replace(b"\r\n", b"\n").removesuffix(b"\n").removesuffix(b"\r").split(b"\n")
    if len(lines) == 2 and _LINES[0][0].fullmatch(lines[0]) and lines[1] == _NOT_YET:
        raise NoSampleYet("the device has no sample yet")
    values: list[float] = []
    for number, (line, (pattern, form)) in enumerate(zip(lines, _LINES, strict=False), start=1):
        match = pattern.fullmatch(line)
        if match is None:
            raise DeviceError(f"line {number} of the device's text is not {form}: {line[:60]!r}")
        values += map(float, match.groups())
    if len(lines) < len(_LINES):
        raise DeviceError(f"the device's text ends after line {len(lines)} of {len(_LINES)}")
    if len(lines) > len(_LINES):
        raise DeviceError(f"the device's text goes on after line {len(_LINES)}")
    ax, ay, az, gx, gy, gz, temp = values
    return checked(Sample(t_ns, ax, ay, az, gx, gy, gz, temp))


def checked(sample: Sample) -> Sample:
    """Return the sample if the chip can have measured it; DeviceError names the first value that
    it cannot (NaN and infinities included)."""
    for axis, value in zip(AXES, sample[1:8], strict=True):
        low, high = _LIMITS[axis[0]]
        if not low <= value <= high:
            raise DeviceError(f"{axis} = {value:g} is outside {low:g} to {high:g}")
    return sample


_LIMITS: Final = {
    "a": (-MAX_ACCEL_G, MAX_ACCEL_G),
    "g": (-MAX_GYRO_DPS, MAX_GYRO_DPS),
    "t": (MIN_TEMP_C, MAX_TEMP_C),
}
