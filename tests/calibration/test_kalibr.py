"""The file for Kalibr, read as Kalibr reads it: with PyYAML, and with its own conditions."""

import math
from typing import Any

import pytest
import yaml

from trio_mpu.calibration.kalibr import kalibr_file
from trio_mpu.calibration.noise_model import Noise
from trio_mpu.errors import CalibrationError

ACCEL = [Noise(3e-4, 1e-5, False), Noise(5e-4, 2e-5, False), Noise(4e-4, 3e-5, False)]
GYRO = [Noise(5e-3, 4e-4, False), Noise(4e-3, 1e-4, False), Noise(3e-3, 2e-4, False)]
STATISTICS = [
    f"{sensor}_{kind}"
    for sensor in ("accelerometer", "gyroscope")
    for kind in ("noise_density", "random_walk")
]


def text_of(noises: list[Noise], identity: str = "a chip", missing: int = 0) -> str:
    return kalibr_file(identity, 0.005, 720_000, missing, noises).text


def loaded(text: str) -> dict[str, Any]:
    """What Kalibr has of it, by the conditions under which it takes it."""
    data: dict[str, Any] = yaml.safe_load(text)
    assert sorted(data) == sorted([*STATISTICS, "rostopic", "update_rate"])
    assert isinstance(data["rostopic"], str)
    assert data["update_rate"] > 0
    for key in STATISTICS:
        assert isinstance(data[key], float)
        assert data[key] > 0
    return data


def test_each_number_is_that_of_its_largest_axis_in_si_units() -> None:
    """1 g is 9.80665 m/s², and the file names the axis."""
    text = text_of(ACCEL + GYRO)
    data = loaded(text)
    assert (data["rostopic"], data["update_rate"]) == ("/imu0", 200)
    found = [data[key] for key in STATISTICS]
    expected = [5e-4 * 9.80665, 3e-5 * 9.80665, math.radians(5e-3), math.radians(4e-4)]
    assert found == pytest.approx(expected, rel=1e-4)
    for part in (
        "_density: 4.9033e-03  # m/s^2/sqrt(Hz), of ay\n",
        "_walk: 2.9420e-04  # m/s^3/sqrt(Hz), of az\n",
        "_density: 8.7266e-05  # rad/s/sqrt(Hz), of gx\n",
        "_walk: 6.9813e-06  # rad/s^2/sqrt(Hz), of gx\n",
        "720000 readings in 3600 s",
        "one number for all axes",
    ):
        assert part in text
    assert "BOUND" not in text
    assert "missed" not in text


def test_a_bound_is_called_one() -> None:
    """Only if it is what the file has: the largest of what was found and of the others' bounds."""
    gyro = [GYRO[0], Noise(4e-3, 9e-4, True), GYRO[2]]
    accel = [Noise(3e-4, 2e-5, True), *ACCEL[1:]]
    file = kalibr_file("a chip", 0.005, 720_000, 0, accel + gyro)
    assert file.bounds == ["gyroscope_random_walk"]
    bound, *others = [line for line in file.text.splitlines() if "UPPER BOUND" in line]
    assert others == []
    assert bound.endswith("of gy; UPPER BOUND: 3600 s do not show the random walk, measure longer")
    assert loaded(file.text)["gyroscope_random_walk"] == pytest.approx(math.radians(9e-4), rel=1e-4)


@pytest.mark.parametrize("size", [1e-12, 1e-7, 1.0, 1e5])
def test_numbers_of_any_size_are_numbers_to_yaml(size: float) -> None:
    """To PyYAML 1e-05 is a text: it takes a number for one only with its point and sign."""
    noises = [Noise(size, size, False)] * 6
    data = loaded(text_of(noises))
    assert data["accelerometer_noise_density"] == pytest.approx(size * 9.80665, rel=1e-4)


@pytest.mark.parametrize("identity", ["ä: {chip}", '"# x', "a\nrostopic: 7\n", "\x85\u2028é"])
def test_the_sensors_name_can_do_no_harm(identity: str) -> None:
    """It stays in its comment, and in ASCII: a container often has no other encoding."""
    text = text_of(ACCEL + GYRO, identity)
    assert text.isascii()
    assert loaded(text)["rostopic"] == "/imu0"


def test_missed_readings_are_said() -> None:
    """The Allan deviation takes readings for equally far apart."""
    assert "# 7 readings were missed: the numbers are approximate.\n" in text_of(
        ACCEL + GYRO, "", 7
    )


@pytest.mark.parametrize("sensor", ["accelerometer", "gyroscope"])
def test_a_sensor_without_noise_is_refused(sensor: str) -> None:
    """Kalibr refuses a 0; one silent axis is none, as another one has noise."""
    silent = [Noise(0.0, 0.0, True)] * 3
    noises = silent + GYRO if sensor == "accelerometer" else ACCEL + silent
    with pytest.raises(CalibrationError, match=f"readings of the {sensor} never change"):
        text_of(noises)
    loaded(text_of([silent[0], *ACCEL[1:], silent[0], *GYRO[1:]]))
