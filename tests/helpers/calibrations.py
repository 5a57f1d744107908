"""Calibrations for tests."""

from hypothesis import strategies as st

from trio_mpu.calibration.model import (
    MAX_BIAS_DPS,
    MAX_OFFSET_G,
    MAX_SCALE,
    MIN_SCALE,
    Calibration,
    Vector,
)

MADE = "2026-01-31T12:00:00Z"
CALIBRATION = Calibration(
    "a sensor", MADE, (1.5, -2.25, 0.5), (0.125, -0.0625, 0.25), (1.0, 0.96875, 1.03125)
)


def vectors(low: float, high: float) -> st.SearchStrategy[Vector]:
    """Three numbers of this range."""
    number = st.floats(low, high)
    return st.tuples(number, number, number)


calibrations = st.builds(
    Calibration,
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=50).filter(str.isprintable),
    st.just(MADE),
    vectors(-MAX_BIAS_DPS, MAX_BIAS_DPS),
    vectors(-MAX_OFFSET_G, MAX_OFFSET_G),
    vectors(MIN_SCALE, MAX_SCALE),
)
