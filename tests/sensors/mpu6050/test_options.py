"""The command line's `i2c:…` → which chip, and how it measures."""

import pytest

from tests.helpers.fake_devices import one_line
from trio_mpu.errors import UsageError
from trio_mpu.sensors.mpu6050.options import parse_chip
from trio_mpu.sensors.mpu6050.registers import Setup
from trio_mpu.sensors.mpu6050.variants import VARIANTS


@pytest.mark.parametrize(
    ("text", "name", "path", "address"),
    [
        ("1", "i2c:1:0x68", "/dev/i2c-1", 0x68),
        ("007", "i2c:007:0x68", "/dev/i2c-7", 0x68),
        ("/dev/i2c-1", "i2c:/dev/i2c-1:0x68", "/dev/i2c-1", 0x68),
        ("1:0x69", "i2c:1:0x69", "/dev/i2c-1", 0x69),
        ("/dev/i2c-22:0x6A", "i2c:/dev/i2c-22:0x6a", "/dev/i2c-22", 0x6A),
    ],
)
def test_bus_and_address(text: str, name: str, path: str, address: int) -> None:
    """A number or a path; an address if it is not the usual one."""
    spec = parse_chip(text, 100)
    assert (spec.name, spec.path, spec.address, spec.force) == (name, path, address, False)
    assert spec.setup == Setup(2, 250, 3, 9)


def test_all_options() -> None:
    """In any order; the rate given here is the one that counts."""
    spec = parse_chip("/dev/i2c-1:0x69,accel=4,gyro=500,dlpf=2,rate=500,force", 100)
    assert spec.setup == Setup(4, 500, 2, 1)
    assert spec.force
    assert parse_chip("1,force,rate=500,dlpf=2,gyro=500,accel=4", 7).setup == spec.setup
    assert parse_chip("1", 500).setup.rate_hz == 500


@pytest.mark.parametrize(
    ("option", "who"),
    [("mpu6050", 0x68), ("MPU-6500", 0x70), ("icm20689", 0x98), ("mpu6886", 0x19)],
)
def test_force_can_name_the_variant(option: str, who: int) -> None:
    """In lower case or as it is printed on the chip."""
    spec = parse_chip(f"1,force={option}", 100)
    assert (spec.force, spec.variant) == (True, VARIANTS[who])
    assert parse_chip("1,force", 100).variant is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "'' is not the number or path of a bus"),
        ("one", "'one' is not the number or path of a bus"),
        ("-1", "'-1' is not the number or path of a bus"),
        ("²", "'²' is not the number or path of a bus"),
        ("1234567890", "is not the number or path of a bus"),
        ("1:", "'' is not an address"),
        ("1:68", "'68' is not an address"),
        ("1:0x690", "'0x690' is not an address"),
        ("1:0x07", "'0x07' is not a chip's address"),
        ("1:0x78", "'0x78' is not a chip's address"),
        ("1,", "unknown i2c option ''"),
        ("1,speed=9", "unknown i2c option 'speed=9'"),
        (
            "1,force=1",
            (
                "force=1 is not a chip variant: use mpu6050, mpu6500, mpu9250, mpu9255, mpu6515, "
                "mpu6880, icm20689, icm20608, icm20600, icm20602, mpu6886"
            ),
        ),
        ("1,force=", "force= is not a chip variant: use mpu6050, "),
        ("1,accel=3", "accel=3 is not supported: use 2, 4, 8, 16"),
        ("1,accel=", "accel= is not supported"),
        ("1,gyro=-250", "use 250, 500, 1000, 2000"),
        ("1,dlpf=7", "use 0, 1, 2, 3, 4, 5, 6"),
        ("1,rate=fast", "rate=fast is not a number from 0.1 to 8000"),
        ("1,rate=nan", "rate=nan is not a number"),
        ("1,rate=0", "rate=0 is not a number"),
        ("1,rate=8001", "rate=8001 is not a number"),
        ("1,rate=5,rate=6", "rate is given twice"),
        ("1,force,force", "force is given twice"),
        ("1,force,force=mpu6500", "force is given twice"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text: str, says: str) -> None:
    """With what there is instead."""
    with pytest.raises(UsageError) as caught:
        parse_chip(text, 100)
    assert says in one_line(caught.value)
