"""WHO_AM_I → how the chip variants differ."""

import pytest

from tests.helpers.fake_devices import one_line
from trio_mpu.errors import DeviceError
from trio_mpu.sensors.mpu6050.variants import (
    ALL_SOURCES,
    COUNTERFEIT,
    LATE_SOURCES,
    NAMED,
    VARIANTS,
    counterfeit,
    identify,
)

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
    0x69: ("MPU-6500 clone 0x69", 21.0, 23.9952, 512),
    0x72: ("MPU-6500 clone 0x72", 21.0, 23.9952, 512),
    0x75: ("MPU-6500 clone 0x75", 21.0, 23.9952, 512),
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


@pytest.mark.parametrize("who", [0x00, 0xFF, 0x42, 0x76])
def test_an_unknown_die_is_refused_unless_forced(who: int) -> None:
    """The message names the number and the option; forced, it is taken for the best known, with
    the smallest FIFO."""
    with pytest.raises(DeviceError, match=f"{who:#04x}.*force") as caught:
        identify(who, force=False)
    one_line(caught.value)
    variant = identify(who, force=True)
    assert variant == VARIANTS[0x68]._replace(name=f"unknown chip {who:#04x}", fifo_bytes=512)


@pytest.mark.parametrize("who", [0x42, 0x68, 0x72, 0x98])
@pytest.mark.parametrize("force", [True, False])
def test_the_named_variant_is_taken_whatever_the_id(who: int, force: bool) -> None:
    """Its name shows the id, and the FIFO is taken for the smallest."""
    named = VARIANTS[0x12]
    assert identify(who, force=force, named=named) == named._replace(
        name=f"ICM-20602 (forced on {who:#04x})", fifo_bytes=512
    )


@pytest.mark.parametrize("who", [0x68, 0x70, 0x98])
def test_naming_what_the_chip_is_changes_nothing(who: int) -> None:
    """It keeps its name, and with it its calibration."""
    assert identify(who, force=True, named=VARIANTS[who]) is VARIANTS[who]


def test_clones_have_no_name_of_their_own() -> None:
    """They are read as what they behave like."""
    assert set(NAMED.values()) == {VARIANTS[who] for who in VARIANTS.keys() - {0x69, 0x72, 0x75}}


@pytest.mark.parametrize(
    ("kept", "dlpf", "accel_config2"), [(4, 4, 0), (0, 0, 0), (0x40 | 4, 4, 0), (0, 4, None)]
)
def test_a_counterfeit_is_known_by_what_it_keeps(
    kept: int, dlpf: int, accel_config2: int | None
) -> None:
    """The filter's bits are written if they were kept; nothing else of it is trusted."""
    variant = counterfeit(kept, dlpf)
    assert variant == COUNTERFEIT._replace(accel_config2=accel_config2)
    assert (variant.fifo_bytes, variant.temp_is_certain) == (512, False)
    assert all(variant.temp_is_certain for variant in VARIANTS.values())


def test_the_temperature_of_a_counterfeit_is_off_by_no_more_than_is_said() -> None:
    """12 °C too low or 4 °C too high, from 0 to 50 °C."""
    for celsius in (0, 25, 50):
        for who, expected in ((0x68, -12), (0x70, 4)):
            true = VARIANTS[who]
            raw = (celsius - true.temp_offset_c) * true.temp_lsb_per_c
            shown = raw / COUNTERFEIT.temp_lsb_per_c + COUNTERFEIT.temp_offset_c
            assert shown - celsius == pytest.approx(expected, abs=1.5)
