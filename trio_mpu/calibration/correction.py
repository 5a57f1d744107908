"""Corrects a device's samples on their way to the ring, or flags them as uncalibrated."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from trio_mpu.calibration.files import default_path, load, named
from trio_mpu.calibration.model import Calibration
from trio_mpu.device import Device
from trio_mpu.errors import CalibrationError, NoCalibration
from trio_mpu.sample import Flag, Sample

log = logging.getLogger(__name__)

NONE: Final = "none"  # chooses no calibration

_SIMULATED: Final = int(Flag.SIMULATED)
_UNCALIBRATED: Final = int(Flag.UNCALIBRATED)

Correct = Callable[[Sample], Sample]


def as_it_is(sample: Sample) -> Sample:
    """Return the sample unchanged."""
    return sample


def uncalibrated(sample: Sample) -> Sample:
    """Return the sample with the flag UNCALIBRATED, unless it is simulated."""
    if sample.flags & _SIMULATED:
        return sample
    return sample._replace(flags=sample.flags | _UNCALIBRATED)


def choose(device: Device, choice: str) -> Correct:
    """Return the correction to apply to each sample of the device, and set `device.calibration`
    to its id.

    `choice` is a file, "none", or empty for the device's file in the default place, if there is
    one. Raises CalibrationError if a file that was named can't be used or is for another sensor.
    In the default place this is a warning, and the samples stay uncalibrated. The samples of a
    device without an identity (a recording) are not changed.
    """
    if not device.identity:
        if choice not in ("", NONE):
            raise CalibrationError(
                f"{device.source} is a recording and can't be calibrated; omit --calibration"
            )
        return as_it_is
    calibration = None
    if choice == "":
        calibration = _default(device)
    elif choice != NONE:
        calibration = _fitting(named(choice), device)
    if calibration is None:
        return uncalibrated
    device.calibration = calibration.id
    log.info("applying calibration %s to %s", calibration.id, device.source)
    return calibration.apply


def _default(device: Device) -> Calibration | None:
    try:
        return _fitting(default_path(device.source), device)
    except NoCalibration as error:
        log.debug("%s", error)
    except CalibrationError as error:
        log.warning("samples are uncalibrated: %s", error)
    return None


def _fitting(path: Path, device: Device) -> Calibration:
    calibration = load(path)
    if calibration.identity != device.identity:
        raise CalibrationError(
            f"calibration {path} is for another sensor: for {calibration.identity:.100}, "
            f"but this is {device.identity:.100}"
        )
    return calibration
