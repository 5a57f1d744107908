# Pure: no I/O, no clock, no waiting.
"""Parses `i2c:BUS[:ADDRESS][,OPTION…]`: which chip, and how it should measure."""

import re
from collections.abc import Collection
from typing import Final, NamedTuple

from trio_mpu.errors import UsageError
from trio_mpu.sample import MAX_RATE_HZ, MIN_RATE_HZ
from trio_mpu.sensors.mpu6050.registers import (
    ACCEL_LSB_PER_G,
    BANDWIDTHS_HZ,
    GYRO_LSB_PER_DPS,
    Setup,
    chosen,
)
from trio_mpu.sensors.mpu6050.variants import NAMED, ChipVariant

DEFAULT_ADDRESS: Final = 0x68  # 0x69 with AD0 high
FORM: Final = "i2c:BUS[:ADDRESS][,accel=G,gyro=DPS,dlpf=N,rate=HZ,force[=VARIANT]]"
_ADDRESSES: Final = range(0x08, 0x78)  # the I2C specification reserves the others


class ChipSpec(NamedTuple):
    """What the command line asks for: the bus's device file, the chip's address on it, the setup,
    whether to use an unknown chip, and which variant to take the chip for, whatever its id, if any.
    `name` is the spec without its options."""

    name: str
    path: str
    address: int
    setup: Setup
    force: bool
    variant: ChipVariant | None = None


def parse_chip(text: str, rate_hz: float) -> ChipSpec:
    """Parse what follows `i2c:`. `rate_hz` is used unless the text has a rate of its own.

    Raises UsageError, which says what is wrong and what is possible.
    """
    place, *options = text.split(",")
    name, path, address = _place(place)
    values = dict[str, float]()
    variant = None
    for option in options:
        key, equals, value = option.partition("=")
        if key in values:
            raise UsageError(f"i2c option {key} is given twice")
        if key == "force":
            values[key] = 1
            variant = _variant(value) if equals else None
        elif key == "rate":
            values[key] = _rate(value)
        elif key in _CHOICES:
            values[key] = _one_of(key, value, _CHOICES[key])
        else:
            raise UsageError(f"unknown i2c option {option!r}: use {FORM}")
    setup = chosen(
        values.get("rate", rate_hz),
        int(values.get("accel", 2)),
        int(values.get("gyro", 250)),
        int(values["dlpf"]) if "dlpf" in values else None,
    )
    return ChipSpec(name, path, address, setup, "force" in values, variant)


def _place(place: str) -> tuple[str, str, int]:
    """Return name, path and address of `BUS[:ADDRESS]`."""
    bus, colon, address_text = place.partition(":")
    if bus.isdecimal() and bus.isascii() and len(bus) <= 9:
        path = f"/dev/i2c-{int(bus)}"
    elif bus.startswith("/"):
        path = bus
    else:
        raise UsageError(f"{bus!r} is not the number or path of a bus: use {FORM}")
    address = DEFAULT_ADDRESS
    if colon:
        if not re.fullmatch("0x[0-9a-fA-F]{1,2}", address_text):
            raise UsageError(f"{address_text!r} is not an address such as 0x68 or 0x69")
        address = int(address_text, 16)
        if address not in _ADDRESSES:
            raise UsageError(f"{address_text!r} is not a chip's address: use 0x08 to 0x77")
    return f"i2c:{bus}:{address:#04x}", path, address


_CHOICES: Final[dict[str, Collection[int]]] = {
    "accel": ACCEL_LSB_PER_G,
    "gyro": GYRO_LSB_PER_DPS,
    "dlpf": range(len(BANDWIDTHS_HZ)),
}


def _one_of(key: str, value: str, choices: Collection[int]) -> int:
    numbers = {str(choice): choice for choice in choices}
    if value not in numbers:
        raise UsageError(f"{key}={value} is not supported: use {', '.join(numbers)}")
    return numbers[value]


def _variant(value: str) -> ChipVariant:
    variant = NAMED.get(value.lower().replace("-", ""))
    if variant is None:
        raise UsageError(f"force={value} is not a chip variant: use {', '.join(NAMED)}")
    return variant


def _rate(value: str) -> float:
    try:
        rate_hz = float(value)
    except ValueError:
        rate_hz = 0.0
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise UsageError(
            f"rate={value} is not a number from {MIN_RATE_HZ:g} to {MAX_RATE_HZ:g} (in Hz)"
        )
    return rate_hz
