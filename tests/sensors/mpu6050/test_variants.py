"""WHO_AM_I → how the chip variants differ."""

import pytest

from tests.helpers.fake_devices import one_line
from trio_mpu.errors import DeviceError
from trio_mpu.sensors.mpu6050.variants import ALL_SOURCES, LATE_SOURCES, VARIANTS, identify

# WHO_AM_I: name, °C at raw 0 and at raw 1000, FIFO, as in the register maps and the kernel.
KNOWN = {
    0x68: ("MPU-6050", 36.53, 39.4712, 1024),
    0x70: ("MPU-6500", 21.0, 23.9952, 512),
    0x71: ("MPU-9250", 21.0, 23.9952, 512),
    0x73: ("MPU-9255", 21.0, 23.9952, 512),
    0x74: ("MPU-6515", 21.0, 23.9952, 512),
    0x78: ("MPU-6880", 21.0, 23.9952, 4096),
    0x98: ("ICM-20689", 25.0, 28.06, 4096),
    0xAF: ("ICM-20608", 25.0, 28.06, 512),
    0x11: ("ICM-20600", 25.0, 28.06, 1008),
    0x12: ("ICM-20602", 25.0, 28.06, 1008),
    0x19: ("MPU-6886", 25.0, 28.06, 1024),
}


def test_the_table_is_complete() -> None:
    """Each known chip variant has its own name."""
    assert VARIANTS.keys() == KNOWN.keys()
    assert len({variant.name for variant in VARIANTS.values()}) == len(VARIANTS)


@pytest.mark.parametrize("who", KNOWN)
@pytest.mark.parametrize("force", [True, False])
def test_each_die_has_its_name_formula_and_fifo(who: int, force: bool) -> None:
    """Two points of the temperature's line, and the size of the queue."""
    variant = identify(who, force=force)
    name, at_0, at_1000, fifo_bytes = KNOWN[who]
    assert (variant.name, variant.fifo_bytes) == (name, fifo_bytes)
    assert variant.temp_offset_c == at_0
    assert 1000 / variant.temp_lsb_per_c + variant.temp_offset_c == pytest.approx(at_1000, abs=1e-4)


def test_registers_that_only_some_variants_have() -> None:
    """The oldest has no filter of its own for the accelerometer; the late ones' FIFO_EN has one
    bit for gyroscope and temperature; one has its FIFO's size to be set."""
    assert [who for who, variant in VARIANTS.items() if variant.accel_config2 is None] == [0x68]
    assert [who for who, variant in VARIANTS.items() if variant.accel_config2] == [0x98]
    assert VARIANTS[0x98].accel_config2 == 0xC0
    late = [who for who, variant in VARIANTS.items() if variant.fifo_sources == LATE_SOURCES]
    assert late == [0x11, 0x12, 0x19]
    assert VARIANTS[0x68].fifo_sources == ALL_SOURCES


@pytest.mark.parametrize("who", [0x00, 0xFF, 0x69, 0x75])
def test_an_unknown_die_is_refused_unless_forced(who: int) -> None:
    """The message names the number and the option; forced, it is taken for the best known, with
    the smallest FIFO."""
    with pytest.raises(DeviceError, match=f"{who:#04x}.*force") as caught:
        identify(who, force=False)
    one_line(caught.value)
    variant = identify(who, force=True)
    assert variant == VARIANTS[0x68]._replace(name=f"unknown chip {who:#04x}", fifo_bytes=512)
