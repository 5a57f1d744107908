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
    such register. `temp_is_certain` is false if nothing shows which formula applies.
    """

    name: str
    temp_lsb_per_c: float = 333.87
    temp_offset_c: float = 21.0
    fifo_bytes: int = 512
    accel_config2: int | None = 0
    fifo_sources: int = ALL_SOURCES
    temp_is_certain: bool = True


_MPU_6050: Final = ChipVariant("MPU-6050", 340.0, 36.53, 1024, None)
_MADE_BY_INVENSENSE: Final = {
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
# Ids that InvenSense never gave to a chip, found on boards sold as MPU-6050 and MPU-9250.
_CLONES: Final = {who: ChipVariant(f"MPU-6500 clone {who:#04x}") for who in (0x69, 0x72, 0x75)}
VARIANTS: Final = _MADE_BY_INVENSENSE | _CLONES

# By the names that the option force takes.
NAMED: Final = {
    variant.name.lower().replace("-", ""): variant for variant in _MADE_BY_INVENSENSE.values()
}
SMALLEST_FIFO_BYTES: Final = 512  # to assume less than there is costs nothing

ICM_20689: Final = VARIANTS[0x98]
# Sold as MPU-6050A, with the id of an ICM-20689. Nobody has published which formula its temperature
# follows; that of its id is between the two others, so the error is at most 12 °C.
COUNTERFEIT: Final = ICM_20689._replace(
    name="MPU-6050A (0x98)",
    fifo_bytes=SMALLEST_FIFO_BYTES,
    accel_config2=0,
    temp_is_certain=False,
)


def counterfeit(kept: int, dlpf: int) -> ChipVariant:
    """Return how a chip differs that answers as an ICM-20689, but whose ACCEL_CONFIG2 reads `kept`
    after that chip's value for this filter was written: with the register's lower bits, or without
    the register."""
    return COUNTERFEIT if kept & 0x07 == dlpf else COUNTERFEIT._replace(accel_config2=None)


def identify(who: int, *, force: bool, named: ChipVariant | None = None) -> ChipVariant:
    """Return the chip variant with this WHO_AM_I.

    A `named` one is returned whatever the id says, with the smallest FIFO if the id is not its own.
    With `force`, an unknown one is treated as an MPU-6050 with the smallest FIFO; without it, this
    raises DeviceError, which shows the id.
    """
    variant = VARIANTS.get(who)
    if named is not None and named != variant:
        return named._replace(
            name=f"{named.name} (forced on {who:#04x})", fifo_bytes=SMALLEST_FIFO_BYTES
        )
    if variant is not None:
        return variant
    if not force:
        raise DeviceError(
            f"unknown chip (WHO_AM_I {who:#04x}); add the option force to read it as an MPU-6050, "
            "or force=NAME to read it as another variant"
        )
    return _MPU_6050._replace(name=f"unknown chip {who:#04x}", fifo_bytes=SMALLEST_FIFO_BYTES)
