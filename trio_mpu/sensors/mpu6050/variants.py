# Pure: no I/O, no clock, no waiting.
"""The chip variants, by WHO_AM_I, and how they differ.

Boards sold as MPU-6050 carry any of these. They share registers and frames, but neither the formula
of the temperature nor the size of the FIFO. Sizes and formulas are from the Linux driver
inv_mpu6050 (hw_info in inv_mpu_core.c) and the register maps.
"""

from typing import Final, NamedTuple

from trio_mpu.errors import DeviceError

# FIFO_EN: temperature, the three axes of the gyroscope, the accelerometer. The late variants have
# one bit for gyroscope and temperature.
ALL_SOURCES: Final = 0xF8
LATE_SOURCES: Final = 0x18


class ChipVariant(NamedTuple):
    """How a chip differs from the others: temperature in °C = raw / `temp_lsb_per_c` +
    `temp_offset_c`.

    `accel_config2` is the value of ACCEL_CONFIG2 without the filter's number, None if there is no
    such register.
    """

    name: str
    temp_lsb_per_c: float = 333.87
    temp_offset_c: float = 21.0
    fifo_bytes: int = 512
    accel_config2: int | None = 0
    fifo_sources: int = ALL_SOURCES


_MPU_6050: Final = ChipVariant("MPU-6050", 340.0, 36.53, 1024, None)
VARIANTS: Final = {
    0x68: _MPU_6050,  # MPU-6000 and MPU-9150 too
    0x70: ChipVariant("MPU-6500"),
    0x71: ChipVariant("MPU-9250"),
    0x73: ChipVariant("MPU-9255"),
    0x74: ChipVariant("MPU-6515"),
    0x78: ChipVariant("MPU-6880", fifo_bytes=4096),
    # The two upper bits of ACCEL_CONFIG2 are the FIFO's size there.
    0x98: ChipVariant("ICM-20689", 326.8, 25.0, 4096, 0xC0),
    0xAF: ChipVariant("ICM-20608", 326.8, 25.0),
    0x11: ChipVariant("ICM-20600", 326.8, 25.0, 1008, 0, LATE_SOURCES),
    0x12: ChipVariant("ICM-20602", 326.8, 25.0, 1008, 0, LATE_SOURCES),
    0x19: ChipVariant("MPU-6886", 326.8, 25.0, 1024, 0, LATE_SOURCES),
}


def identify(who: int, *, force: bool) -> ChipVariant:
    """Return the chip variant with this WHO_AM_I.

    With `force`, an unknown one is treated as an MPU-6050 with the smallest FIFO; without it, this
    raises DeviceError, which shows the id.
    """
    if variant := VARIANTS.get(who):
        return variant
    if not force:
        raise DeviceError(
            f"unknown chip (WHO_AM_I {who:#04x}); add the option force to read it as an MPU-6050"
        )
    return _MPU_6050._replace(name=f"unknown chip {who:#04x}", fifo_bytes=512)
