"""Which calibration a device gets, and what becomes of its samples."""

import logging
from pathlib import Path

import pytest

from tests.helpers.calibrations import CALIBRATION
from tests.helpers.fake_devices import FakeDevice, one_line, sample
from trio_mpu.calibration.correction import choose
from trio_mpu.calibration.files import default_path, save
from trio_mpu.errors import CalibrationError
from trio_mpu.sample import Flag
from trio_mpu.sensors.replay.device import Replay

RAW = sample(3, flags=Flag.CLIPPED)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for calibrations."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def sensor(identity: str = CALIBRATION.identity) -> FakeDevice:
    device = FakeDevice()
    device.identity = identity
    return device


def test_a_calibration_in_the_default_place_is_applied(caplog: pytest.LogCaptureFixture) -> None:
    """The samples are corrected, the device has its id, and it is said."""
    caplog.set_level(logging.INFO)
    device = sensor()
    save(default_path(device.source), CALIBRATION.text(""), makes_folder=True)
    correct = choose(device, "")
    assert correct(RAW) == CALIBRATION.apply(RAW)
    assert correct(RAW).flags == Flag.CLIPPED
    assert device.calibration == CALIBRATION.id
    assert caplog.messages == [f"applying calibration {CALIBRATION.id} to fake"]


def test_a_file_that_was_named_comes_before_the_default_place(home: Path) -> None:
    """Even when that has one as well."""
    device, other = sensor(), CALIBRATION._replace(bias_dps=(9.0, 9.0, 9.0))
    save(default_path(device.source), CALIBRATION.text(""), makes_folder=True)
    save(home / "x.toml", other.text(""))
    choose(device, str(home / "x.toml"))
    assert device.calibration == other.id


@pytest.mark.parametrize("choice", ["", "none"])
def test_without_a_calibration_each_sample_says_so(
    choice: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A missing file in the default place is no fault; with "none" there is no look at it."""
    device = sensor()
    if choice:
        save(default_path(device.source), CALIBRATION.text(""), makes_folder=True)
    correct = choose(device, choice)
    assert correct(RAW) == RAW._replace(flags=Flag.CLIPPED | Flag.UNCALIBRATED)
    assert device.calibration == ""
    assert not caplog.records


def test_simulated_samples_never_say_that_they_are_uncalibrated() -> None:
    """There is nothing in them that a factory could have got wrong."""
    simulated = RAW._replace(flags=Flag.SIMULATED)
    assert choose(sensor(), "")(simulated) == simulated


@pytest.mark.parametrize("bad", ["foreign", "broken"])
def test_a_file_that_cant_be_used(bad: str, home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In the default place it is a warning of one line with the reason, and samples are
    uncalibrated; when it was named, it is an error with the same reason."""
    device = sensor("another sensor" if bad == "foreign" else CALIBRATION.identity)
    text = CALIBRATION.text("") if bad == "foreign" else "version = 2"
    reason = (
        "is for another sensor: for a sensor, but this is another sensor"
        if bad == "foreign"
        else "version 2 is not supported, only version 1"
    )
    save(default_path(device.source), text, makes_folder=True)
    correct = choose(device, "")
    assert correct(RAW).flags & Flag.UNCALIBRATED
    [warning] = caplog.messages
    assert warning.startswith("samples are uncalibrated: ")
    assert reason in warning
    save(home / "x.toml", text)
    with pytest.raises(CalibrationError) as caught:
        choose(device, str(home / "x.toml"))
    assert reason in one_line(caught.value)
    assert device.calibration == ""


def test_a_named_file_must_be_there(home: Path) -> None:
    """Otherwise somebody would believe in samples that were never corrected."""
    with pytest.raises(CalibrationError, match=r"calibration .* does not exist"):
        choose(sensor(), str(home / "x.toml"))


def test_a_recording_is_left_as_it_is(home: Path) -> None:
    """It is what it was: its samples keep their flags, and a file can't be of it."""
    device = FakeDevice(source="replay:x")
    assert choose(device, "")(RAW) is RAW
    assert choose(device, "none")(RAW) is RAW
    with pytest.raises(CalibrationError, match="replay:x is a recording and can't be calibrated"):
        choose(device, str(home / "x.toml"))
    assert Replay.identity == ""
