"""Six positions → offset and scale."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.calibrations import vectors
from tests.helpers.fake_devices import one_line
from trio_mpu.calibration.model import Vector
from trio_mpu.calibration.six_positions import solve
from trio_mpu.calibration.stillness import FACES
from trio_mpu.errors import CalibrationError


def said(face: str, offset: Vector, scale: Vector, tilt: tuple[float, float]) -> Vector:
    """What such a sensor says with this face up, tilted by two angles in radians."""
    axis = "xyz".index(face[1])
    truth = [0.0] * 3
    truth[axis] = math.cos(tilt[0]) * (-1 if face[0] == "-" else 1)
    truth[axis - 1] = math.sin(tilt[0]) * math.cos(tilt[1])
    truth[axis - 2] = math.sin(tilt[0]) * math.sin(tilt[1])
    x, y, z = (t / s + o for t, s, o in zip(truth, scale, offset, strict=True))
    return x, y, z


tilts = st.lists(
    st.tuples(st.floats(0, math.radians(20)), st.floats(0, math.tau)), min_size=6, max_size=6
)


@given(vectors(-0.3, 0.3), vectors(0.85, 1.15), tilts)
def test_any_offset_and_scale_are_found_from_any_six_positions(
    offset: Vector, scale: Vector, tilts: list[tuple[float, float]]
) -> None:
    """Each up to 20° from upright: the positions need not be exact."""
    means = {face: said(face, offset, scale, tilt) for face, tilt in zip(FACES, tilts, strict=True)}
    found_offset, found_scale = solve(means)
    assert found_offset == pytest.approx(offset, abs=1e-9)
    assert found_scale == pytest.approx(scale, abs=1e-9)


def test_a_perfect_sensor_needs_no_correction() -> None:
    """Offset 0, scale 1."""
    means = {face: said(face, (0, 0, 0), (1, 1, 1), (0, 0)) for face in FACES}
    assert solve(means) == ((0, 0, 0), (1, 1, 1))


def test_noise_comes_through_as_it_is_and_not_larger() -> None:
    """An error of 1 mg in one position is one of about 1 mg in the result."""
    means = {face: said(face, (0, 0, 0), (1, 1, 1), (0, 0)) for face in FACES}
    means["+x"] = (1.001, 0.0, 0.0)
    offset, scale = solve(means)
    assert offset == pytest.approx((0.0005, 0, 0), abs=1e-5)
    assert scale == pytest.approx((0.9995, 1, 1), abs=1e-5)


@pytest.mark.parametrize(
    "y_up",
    [(0.999, 0.05, 0.0), (1.2, 0.5, 0.0)],
    ids=["nearly the same as x", "a scale that would be imaginary"],
)
def test_positions_that_contradict_each_other_are_refused(y_up: Vector) -> None:
    """Instead of numbers without meaning."""
    x, y, z = y_up
    means = {face: said(face, (0, 0, 0), (1, 1, 1), (0, 0)) for face in FACES}
    means |= {"+y": y_up, "-y": (-x, -y, -z)}
    with pytest.raises(CalibrationError) as caught:
        solve(means)
    assert "contradict each other" in one_line(caught.value)


def test_six_times_the_same_position_is_refused() -> None:
    """There is no solution, or any."""
    with pytest.raises(CalibrationError, match="contradict each other"):
        solve(dict.fromkeys(FACES, (0.0, 0.0, 1.0)))
