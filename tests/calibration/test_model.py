"""The numbers of a calibration, and its TOML."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.calibrations import CALIBRATION, MADE, calibrations, vectors
from tests.helpers.fake_devices import one_line
from trio_mpu.calibration.model import Calibration, Vector
from trio_mpu.errors import CalibrationError
from trio_mpu.sample import MAX_ACCEL_G, MAX_GYRO_DPS, Flag, Sample, checked

RAW = Sample(7, 0.5, -1.0, 0.25, 10.0, -20.0, 30.0, 25.5, Flag.UNCALIBRATED | Flag.DEVICE_GAP, 3)


def test_a_sample_is_corrected_axis_by_axis() -> None:
    """By the formulas; time, temperature, what is lost and all flags but one stay."""
    done = CALIBRATION.apply(RAW)
    assert done[1:4] == (0.375, 0.96875 * -0.9375, 0.0)
    assert done[4:7] == (8.5, -17.75, 29.5)
    assert (done.t_ns, done.temp, done.lost, done.flags) == (7, 25.5, 3, Flag.DEVICE_GAP)


def test_without_an_accelerometers_part_accelerations_stay_as_they_are() -> None:
    """The gyroscope's is enough to be calibrated."""
    done = Calibration("x", MADE, (1.0, 2.0, 3.0)).apply(RAW)
    assert done[1:4] == RAW[1:4]
    assert not done.flags & Flag.UNCALIBRATED


@pytest.mark.parametrize("flags", [Flag.CLIPPED, Flag.CLIPPED | Flag.UNCALIBRATED])
def test_what_was_clipped_stays_clipped(flags: Flag) -> None:
    """The correction knows no more than the sensor did."""
    assert CALIBRATION.apply(RAW._replace(flags=flags)).flags == Flag.CLIPPED


@pytest.mark.parametrize(("axis", "limit"), [("ay", MAX_ACCEL_G), ("gz", MAX_GYRO_DPS)])
@pytest.mark.parametrize("sign", [-1, 1])
def test_what_no_chip_can_measure_is_cut_and_told(axis: str, limit: float, sign: int) -> None:
    """Consumers, recordings among them, rely on the limits."""
    calibration = Calibration("x", MADE, (0, 0, -sign), (0, -sign * 0.5, 0))
    at_the_end: dict[str, Any] = {axis: sign * limit}
    done = calibration.apply(RAW._replace(**at_the_end))
    assert getattr(done, axis) == sign * limit
    assert done.flags & Flag.CLIPPED
    assert checked(done) == done
    within: dict[str, Any] = {axis: sign * (limit - 1)}
    inside = calibration.apply(RAW._replace(**within))
    assert not inside.flags & Flag.CLIPPED


@given(calibrations, vectors(-15, 15), vectors(-1900, 1900))
def test_a_correction_undoes_the_errors_that_it_describes(
    calibration: Calibration, accel_g: Vector, gyro_dps: Vector
) -> None:
    """Truth → what the sensor says → truth."""
    errors = zip(accel_g, calibration.scale, calibration.offset_g, strict=True)
    said_g = [truth / scale + offset for truth, scale, offset in errors]
    said_dps = [truth + bias for truth, bias in zip(gyro_dps, calibration.bias_dps, strict=True)]
    done = calibration.apply(Sample._make((0, *said_g, *said_dps, 25.0, *[0] * 6)))
    if not done.flags:
        assert done[1:7] == pytest.approx((*accel_g, *gyro_dps), abs=1e-9)


@given(calibrations, st.text().filter(str.isprintable))
def test_what_is_written_is_read_back_to_the_same(calibration: Calibration, note: str) -> None:
    """To the last bit, with any name, and with the same id."""
    again = Calibration.parse(tomllib.loads(calibration.text(note)))
    assert again == calibration
    assert again.id == calibration.id


def test_the_file_is_for_people_too() -> None:
    """What it means stands above."""
    text = CALIBRATION.text("measured at 25 °C")
    assert "# measured at 25 °C\n" in text
    assert "acceleration = scale * (reading - offset_g)" in text


def test_nothing_that_was_cut_off_is_taken_for_the_whole() -> None:
    """Wherever it was cut, in its last line too."""
    text = CALIBRATION.text("")
    for end in range(len(text) - 1):
        with pytest.raises((ValueError, CalibrationError)):
            Calibration.parse(tomllib.loads(text[:end]))


def test_an_id_is_of_one_calibration_alone() -> None:
    """The day, and then a number of what it holds; it has room in the header."""
    assert CALIBRATION.id.startswith("2026-01-31 ")
    others = [
        CALIBRATION._replace(identity="b"),
        CALIBRATION._replace(made="2026-01-31T12:00:01Z"),
        CALIBRATION._replace(bias_dps=(1.5, -2.25, 0.75)),
        CALIBRATION._replace(scale=(1.0, 1.0, 1.0)),
    ]
    assert len({CALIBRATION.id, *(other.id for other in others)}) == 5
    assert len(CALIBRATION.id) == 21


def table(**changes: object) -> dict[str, Any]:
    """A good table with changes; None takes a key out."""
    good = tomllib.loads(CALIBRATION.text(""))
    return {key: value for key, value in (good | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": None}, "the version number is missing"),
        ({"version": "1"}, "the version number is missing"),
        ({"version": True}, "the version number is missing"),
        ({"version": 2}, "version 2 is not supported, only version 1"),
        ({"version": 10**5000}, "version unknown is not supported"),
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"gyro": {"bias_dps": [0, 0, 0], "scale": [1, 1, 1]}}, "unknown key 'scale'"),
        ({"a\nb" * 99: 1}, r"unknown key 'a\nba\nb"),
        ({"identity": None}, "identity is missing"),
        ({"identity": ""}, "identity is missing"),
        ({"identity": 7}, "identity is missing or is not one line"),
        ({"identity": "a\nb"}, "identity is missing or is not one line"),
        ({"made": "yesterday"}, "made is 'yesterday'; expected a time"),
        ({"made": None}, "made is missing"),
        ({"gyro": None}, "table [gyro] is missing"),
        ({"gyro": 5}, "table [gyro] is missing"),
        ({"gyro": {}}, "bias_dps is missing or is not three numbers"),
        ({"gyro": {"bias_dps": [1, 2]}}, "bias_dps is missing or is not three numbers"),
        ({"gyro": {"bias_dps": [1, 2, 3, 4]}}, "bias_dps is missing or is not three numbers"),
        ({"gyro": {"bias_dps": [1, 2, "3"]}}, "bias_dps is missing or is not three numbers"),
        ({"gyro": {"bias_dps": [1, 2, True]}}, "bias_dps is missing or is not three numbers"),
        ({"gyro": {"bias_dps": [1, 2, 10**999]}}, "bias_dps is missing or is not three numbers"),
        ({"gyro": {"bias_dps": [1, float("nan"), 3]}}, "bias_dps of y is nan, outside -50 to 50"),
        ({"gyro": {"bias_dps": [1, 2, float("-inf")]}}, "bias_dps of z is -inf"),
        ({"gyro": {"bias_dps": [50.1, 2, 3]}}, "bias_dps of x is 50.1"),
        ({"accel": None}, "table [accel] is missing"),
        ({"accel": []}, "table [accel] is missing"),
        ({"accel": {"offset_g": [0, 0, 0]}}, "scale is missing"),
        ({"accel": {"scale": [1, 1, 1]}}, "offset_g is missing"),
        ({"accel": {"offset_g": [0, 0.6, 0], "scale": [1, 1, 1]}}, "offset_g of y is 0.6"),
        ({"accel": {"offset_g": [0, 0, 0], "scale": [1, 1, 0]}}, "scale of z is 0, outside 0.8"),
        ({"accel": {"offset_g": [0, 0, 0], "scale": [1.21, 1, 1]}}, "scale of x is 1.21"),
    ],
)
def test_what_is_no_calibration_is_refused_with_its_reason(
    changes: dict[str, object], reason: str
) -> None:
    """One line for each."""
    with pytest.raises(CalibrationError) as caught:
        Calibration.parse(table(**changes))
    assert reason in one_line(caught.value)


def test_whole_numbers_are_numbers_too() -> None:
    """Whoever edits the file by hand may write 1 for 1.0, and it is the same calibration."""
    by_hand = Calibration.parse(table(gyro={"bias_dps": [1, 2, 3]}))
    assert by_hand == CALIBRATION._replace(bias_dps=(1.0, 2.0, 3.0))
    assert by_hand.id == CALIBRATION._replace(bias_dps=(1.0, 2.0, 3.0)).id
