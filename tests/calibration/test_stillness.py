"""Whether a sensor lay still, and on which face."""

import itertools
import math
import random
from collections.abc import Callable

import pytest

from tests.helpers.fake_devices import one_line
from trio_mpu.calibration.model import Vector
from trio_mpu.calibration.stillness import FACES, MIN_READINGS, Rest, at_rest
from trio_mpu.errors import CalibrationError
from trio_mpu.sample import Flag, Sample

Values = tuple[float, ...]


def readings(change: Callable[[int, list[float]], None] | None = None) -> list[Sample]:
    """A second at 200 Hz of a sensor with the chip's noise, each reading changed."""
    noise, samples = random.Random(1), []
    for at in range(200):
        values = [noise.gauss(mean, 0.004) for mean in (0.02, -0.03, 1.01)]
        values += [noise.gauss(mean, 0.05) for mean in (2.0, -3.0, 0.5)]
        if change is not None:
            change(at, values)
        samples.append(Sample._make((at, *values, 25.0 + at / 199, *[0] * 6)))
    return samples


def test_means_and_noise_of_a_sensor_at_rest() -> None:
    """Of each axis, with the temperature and the face."""
    rest = at_rest(readings())
    assert rest.accel_g == pytest.approx((0.02, -0.03, 1.01), abs=0.001)
    assert rest.gyro_dps == pytest.approx((2.0, -3.0, 0.5), abs=0.015)
    assert rest.accel_noise_g == pytest.approx((0.004,) * 3, rel=0.2)
    assert rest.gyro_noise_dps == pytest.approx((0.05,) * 3, rel=0.2)
    assert rest.temp_c == pytest.approx(25.5)
    assert rest.face == "+z"


def swing(axis: int, size: float) -> Callable[[int, list[float]], None]:
    def change(at: int, values: list[float]) -> None:
        values[axis] += size * math.sin(math.tau * at / 20)

    return change


def ramp(axis: int, size: float) -> Callable[[int, list[float]], None]:
    def change(at: int, values: list[float]) -> None:
        values[axis] += size * at / 200

    return change


def shift(axis: int, size: float) -> Callable[[int, list[float]], None]:
    def change(_: int, values: list[float]) -> None:
        values[axis] += size

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (swing(3, 2.0), "gx varies by 1.42 °/s; the limit is 1 °/s"),
        (swing(5, 90.0), "gz varies by 63.6 °/s"),
        (swing(1, 0.1), "ay varies by 0.07"),
        (ramp(4, 0.8), "gy drifts by 0.7"),
        (ramp(0, 0.05), "ax drifts by 0.04"),
        (shift(5, -80.0), "gz is 79.5 °/s; the limit is 50 °/s"),
        (shift(2, -0.5), "gravity is 0.511 g, outside 0.7 to 1.3 g"),
        (shift(2, 0.5), "gravity is 1.51 g"),
    ],
)
def test_what_moves_is_refused_with_figure_and_threshold(
    change: Callable[[int, list[float]], None], reason: str
) -> None:
    """A hand, a slow turn, a lift."""
    with pytest.raises(CalibrationError) as caught:
        at_rest(readings(change))
    assert one_line(caught.value).startswith("not at rest: ")
    assert reason in str(caught.value)


def test_an_axis_at_its_end_is_refused() -> None:
    """Its mean would be wrong."""
    samples = readings()
    samples[50] = samples[50]._replace(flags=Flag.CLIPPED | Flag.INTERPOLATED_TIME)
    with pytest.raises(CalibrationError, match="reached the end of its range"):
        at_rest(samples)


def test_a_device_that_repeats_itself_is_refused() -> None:
    """No sensor is so quiet; the text driver of a chip that hangs is."""
    with pytest.raises(CalibrationError, match="the readings never change"):
        at_rest(readings()[:1] * MIN_READINGS)


def rest(accel_g: Vector) -> Rest:
    return Rest(accel_g, (0, 0, 0), (0, 0, 0), (0, 0, 0), 25)


@pytest.mark.parametrize("face", FACES)
def test_the_face_that_is_up_reads_one_g(face: str) -> None:
    """Or minus one; up to 25° from the vertical."""
    axis, sign = "xyz".index(face[1]), -1 if face[0] == "-" else 1
    for tilt in (0, 24, -24):
        accel = [math.sin(math.radians(tilt)) / math.sqrt(2)] * 3
        accel[axis] = sign * math.cos(math.radians(tilt))
        x, y, z = accel
        assert rest((x, y, z)).face == face


@pytest.mark.parametrize("signs", list(itertools.product((-1, 1), repeat=2)))
def test_on_an_edge_no_face_is_up(signs: tuple[int, int]) -> None:
    """The person is told what gravity is."""
    x, z = (sign * math.sqrt(0.5) for sign in signs)
    with pytest.raises(CalibrationError, match=r"no face points up: gravity is \(-?0.71, 0.00"):
        _ = rest((x, 0, z)).face
