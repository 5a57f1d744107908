"""Ranges, filter and rate → registers."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mpu.sensors.mpu6050.registers import BANDWIDTHS_HZ, MAX_RATE_HZ, Setup, chosen
from trio_mpu.sensors.mpu6050.variants import COUNTERFEIT, VARIANTS, identify


@pytest.mark.parametrize(
    ("setup", "who", "values"),
    [
        (
            Setup(2, 250, 3, 9),
            0x68,
            {0x6B: 1, 0x6C: 0, 0x19: 9, 0x1A: 3, 0x1B: 0x00, 0x1C: 0x00, 0x38: 0x11},
        ),
        (
            Setup(16, 2000, 6, 255),
            0x70,
            {0x6B: 1, 0x6C: 0, 0x19: 255, 0x1A: 6, 0x1B: 0x18, 0x1C: 0x18, 0x1D: 6, 0x38: 0x11},
        ),
        (
            Setup(4, 1000, 0, 7),
            0x98,
            {0x6B: 1, 0x6C: 0, 0x19: 7, 0x1A: 0, 0x1B: 0x10, 0x1C: 0x08, 0x1D: 0xC0, 0x38: 0x11},
        ),
    ],
)
def test_a_setup_has_these_registers(setup: Setup, who: int, values: dict[int, int]) -> None:
    """Awake first; the bits are where the register map has them."""
    assert setup.values(VARIANTS[who]) == values
    assert next(iter(setup.values(VARIANTS[who]))) == 0x6B


@pytest.mark.parametrize(
    ("rate_hz", "dlpf", "divider", "true_hz"),
    [
        (100, None, 9, 100),
        (1000, None, 0, 1000),
        (667, None, 1, 500),  # 333 away from 1000, 167 from 500
        (800, None, 0, 1000),
        (8000, None, 0, 1000),  # the accelerometer's limit
        (0.1, None, 255, 3.90625),
        (300, 1, 2, 1000 / 3),
        (500, 0, 15, 500),  # 8 kHz without the filter
        (8000, 0, 7, 1000),
        (1, 0, 255, 31.25),
    ],
)
def test_the_rate_is_the_nearest_that_the_chip_has(
    rate_hz: float, dlpf: int | None, divider: int, true_hz: float
) -> None:
    """And the true one is what the period says."""
    setup = chosen(rate_hz, 2, 250, dlpf)
    assert setup.divider == divider
    assert setup.rate_hz == pytest.approx(true_hz)
    assert setup.period_ns == round(1e9 / true_hz)


@given(st.floats(0.1, 8000), st.sampled_from([None, *range(7)]))
def test_no_other_divider_is_nearer(rate_hz: float, dlpf: int | None) -> None:
    """Of all that keep to the accelerometer's limit."""
    setup = chosen(rate_hz, 8, 500, dlpf)
    assert (setup.accel_g, setup.gyro_dps) == (8, 500)
    for divider in range(256):
        other = setup._replace(divider=divider)
        if other.rate_hz <= MAX_RATE_HZ:
            assert abs(setup.rate_hz - rate_hz) <= abs(other.rate_hz - rate_hz)


@pytest.mark.parametrize(
    ("rate_hz", "dlpf"),
    [
        (8000, 1),
        (1000, 1),
        (500, 1),
        (367, 2),
        (200, 2),
        (100, 3),
        (50, 4),
        (20, 5),
        (9, 6),
        (1, 6),
    ],
)
def test_the_filter_fits_the_rate(rate_hz: float, dlpf: int) -> None:
    """The widest that passes at most half of the rate, and the narrowest where none does."""
    assert chosen(rate_hz, 2, 250, None).dlpf == dlpf


def test_a_setup_names_itself() -> None:
    """Chip variant, ranges, filter and true rate; the longest fits into the ring's field."""
    assert Setup(4, 500, 2, 2).text(VARIANTS[0x98]) == (
        "ICM-20689, ±4 g, ±500 °/s, DLPF 2 (94/98 Hz), 333.333 Hz"
    )
    variants = [
        *(identify(who, force=True, named=VARIANTS[0x98]) for who in (0x42, *VARIANTS)),
        *VARIANTS.values(),
        COUNTERFEIT,
    ]
    for variant, dlpf in itertools.product(variants, range(len(BANDWIDTHS_HZ))):
        assert len(Setup(16, 2000, dlpf, 254).text(variant).encode()) <= 96


def test_an_uncertain_temperature_is_said_where_the_chip_is_named() -> None:
    """In the log, in the ring's header and in what clients see of it."""
    assert Setup(2, 250, 3, 9).text(COUNTERFEIT) == (
        "MPU-6050A (0x98), ±2 g, ±250 °/s, DLPF 3 (44/42 Hz), 100 Hz, temperature uncertain"
    )
