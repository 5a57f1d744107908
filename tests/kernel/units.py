"""The emulated chip's formula, in the units in which the producer gives it."""

import math
import struct
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from trio_mpu.record import Record

Raw = tuple[int, ...]  # accelerometer, temperature, gyroscope


class Units(NamedTuple):
    """What one step of a raw number is: in g, in °/s, in °C above that of 0; and which of its
    ranges the gyroscope has, from 0, ±250 °/s, on."""

    accel_g: float
    gyro_dps: float
    temp_c: float
    temp_of_zero_c: float
    gyro_range: int

    def values(self, raw: Raw) -> tuple[float, ...]:
        """These raw numbers, in the order of a record."""
        return (
            *(value * self.accel_g for value in raw[:3]),
            *(value * self.gyro_dps for value in raw[4:]),
            raw[3] * self.temp_c + self.temp_of_zero_c,
        )

    def chip_raw(self, number: int) -> Raw:
        """The sample of this number that mpu6050_chip makes (chip/mpu6050_chip.c, make_sample), as
        far as it can be told from the number modulo 1,024, which all of it can."""
        x, gyro = number % 1024 - 512, self.gyro_range
        return (x, -x, 16384, -3920 + number % 8, 1310 >> gyro, -(655 >> gyro), number % 256)


# As inv-mpu6050 writes them at ±2 g and ±2000 °/s, its defaults.
KERNEL_UNITS: Final = Units(
    0.000598 / 9.80665, math.degrees(0.001064724), 0.002941176, 12420 * 0.002941176, 3
)
# The register map's, at ±2 g and ±250 °/s, the producer's defaults.
CHIP_UNITS: Final = Units(1 / 16384, 1 / 131, 1 / 340, 36.53, 0)

FLOAT32: Final = 2**-22  # the last bit but one
JSON: Final = 1e-6  # seven digits


def stub_raw(number: int) -> Raw:
    """What `Stub.sets(number)` writes: numbers all of which are different."""
    x = number - 512
    return x, -x - 3, 16384, -3920 + x, 2 * x, -2 * x - 1, 3 * x + 7


def number(record: Record, units: Units) -> int:
    """Which of the chip's samples it is, modulo 1,024."""
    return round(record.ax / units.accel_g) + 512


def made(before: Record, after: Record, units: Units) -> int:
    """How many samples the chip has made between these two, modulo 1,024."""
    return (number(after, units) - number(before, units)) % 1024 - 1


def passed(before: Record, after: Record, period_s: float) -> int:
    """How many periods without a sample have passed between these two."""
    return round((after.t_ns - before.t_ns) / 1e9 / period_s) - 1


def check_values(
    records: Sequence[Record],
    units: Units,
    raw: Callable[[int], Raw] | None = None,
    precision: float = FLOAT32,
) -> None:
    """Each value is the one of the emulator's formula."""
    for record in records:
        wanted = units.values((raw or units.chip_raw)(number(record, units)))
        for found, value in zip(record[3:10], wanted, strict=True):
            step = abs(struct.unpack("f", struct.pack("f", value))[0] - found)
            assert step <= abs(value) * precision, (record, wanted)
