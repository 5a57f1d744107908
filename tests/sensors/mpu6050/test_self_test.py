"""The self-test's formulas, as the register map has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.fake_devices import one_line
from trio_mpu.errors import CalibrationError
from trio_mpu.sensors.mpu6050.self_test import Verdict, factory_responses, judge, require_support
from trio_mpu.sensors.mpu6050.variants import VARIANTS, identify


def test_the_codes_are_where_the_register_map_has_them() -> None:
    """0x0D to 0x0F: three upper bits of the accelerometer's, five of the gyroscope's; 0x10: the
    two lower bits of the accelerometer's, x first. Every code in a place of its own."""
    first = {"accel": 0.34, "gyro": 25.0}
    # codes 1 in x, y, z; then 0b00100 in the upper bits; then all of the lower bits
    assert factory_responses(bytes([1, 1, 1, 0b010101])) == pytest.approx(
        [first["accel"]] * 3 + [first["gyro"], -first["gyro"], first["gyro"]]
    )
    upper = factory_responses(bytes([0b001_00000, 0, 0, 0]))
    assert upper == pytest.approx([0.34 * (0.92 / 0.34) ** (3 / 30), 0, 0, 0, 0, 0])
    for axis, low in enumerate((0b11_0000, 0b11_00, 0b11)):
        found = factory_responses(bytes([0, 0, 0, low]))
        assert found[axis] == pytest.approx(0.34 * (0.92 / 0.34) ** (2 / 30))
        assert sum(map(bool, found)) == 1


def test_the_responses_are_the_register_maps() -> None:
    """In steps at ±8 g and ±250 °/s: 4096·0.34·(0.92/0.34)^((code - 1)/30) and
    25·131·1.046^(code - 1), the latter negative for y; and the largest codes."""
    codes = bytes([31 | 7 << 5] * 3 + [0b111111])
    accel = 4096 * 0.34 * (0.92 / 0.34) ** ((31 - 1) / (2**5 - 2))
    gyro = 25 * 131 * 1.046**30
    found = factory_responses(codes)
    assert [value * 4096 for value in found[:3]] == pytest.approx([accel] * 3)
    assert [value * 131 for value in found[3:]] == pytest.approx([gyro, -gyro, gyro])
    assert accel == pytest.approx(4096 * 0.92)
    assert factory_responses(bytes(4)) == [0] * 6


@given(
    st.binary(min_size=4, max_size=4).filter(lambda codes: all(factory_responses(codes))),
    st.lists(st.floats(-10, 10), min_size=6, max_size=6),
    st.lists(st.floats(0.5, 1.5), min_size=6, max_size=6),
)
def test_a_change_is_told_in_percent_of_the_factorys_response(
    codes: bytes, before: list[float], health: list[float]
) -> None:
    """Whatever the axis says at rest, and whichever way it is pushed."""
    pushed = [
        rest + factory * part
        for rest, factory, part in zip(before, factory_responses(codes), health, strict=True)
    ]
    for verdict, part in zip(judge(codes, before, pushed), health, strict=True):
        assert verdict.change_percent == pytest.approx(100 * (part - 1), abs=1e-6)


@pytest.mark.parametrize(
    ("change", "passed", "text"),
    [
        (0.0, True, "gx  pass  +0.0 % since the factory"),
        (14.0, True, "gx  pass  +14.0 % since the factory"),
        (-14.0, True, "gx  pass  -14.0 % since the factory"),
        (14.01, False, "gx  FAIL  +14.0 % since the factory"),
        (-100.0, False, "gx  FAIL  -100.0 % since the factory"),
        (None, False, "gx  FAIL  the chip has no factory value to compare with"),
    ],
)
def test_an_axis_passes_within_the_limit(change: float | None, passed: bool, text: str) -> None:
    """Which itself is within; what can't be judged has not passed."""
    verdict = Verdict("gx", change)
    assert verdict.passed == passed
    assert verdict.text == text


def test_without_codes_there_is_nothing_to_compare_with() -> None:
    """A clone, or a chip in software."""
    assert [verdict.change_percent for verdict in judge(bytes(4), [0] * 6, [1] * 6)] == [None] * 6


def test_other_chip_variants_are_refused() -> None:
    """Their registers mean something else; so do those of a chip that nobody knows."""
    require_support(VARIANTS[0x68])
    for variant in (
        *(variant for who, variant in VARIANTS.items() if who != 0x68),
        identify(0x42, force=True),
    ):
        with pytest.raises(CalibrationError, match="is not supported") as caught:
            require_support(variant)
        assert variant.name in one_line(caught.value)
