"""Runs the factory self-test of a chip on an I2C bus."""

import logging
import statistics
from typing import Final

import trio

from trio_mpu.calibration.collect import count_of, measure
from trio_mpu.calibration.stillness import at_rest
from trio_mpu.errors import CalibrationError, DeviceError, UsageError
from trio_mpu.sensors.mpu6050 import self_test
from trio_mpu.sensors.mpu6050.device import Mpu6050
from trio_mpu.sensors.mpu6050.options import parse_chip
from trio_mpu.sensors.mpu6050.registers import Setup
from trio_mpu.settings import CalibrateSettings

log = logging.getLogger(__name__)

# The ranges are those of the factory's codes; 200 Hz with a filter to match.
SELF_TEST: Final = Setup(accel_g=8, gyro_dps=250, dlpf=2, divider=4)
SELF_TEST_S: Final = 1.0  # the means are then known to a thousandth of the limit
RESTORE_S: Final = 2.0  # to reset the chip at the end, which takes 0.2 s


async def run_self_test(settings: CalibrateSettings) -> None:
    """Run the factory self-test and print its verdicts.

    Raises CalibrationError if an axis fails, and UsageError if these settings are not for a test.
    The chip is set up again as it was, also if this is cancelled.
    """
    kind, _, rest = settings.device.partition(":")
    if kind != "i2c" or settings.positions or settings.output or settings.kalibr:
        raise UsageError(
            "--self-test needs --device i2c:…, and can't be combined with --positions, --output or "
            "--kalibr"
        )
    spec = parse_chip(rest, settings.rate)
    means = list[list[float]]()
    try:
        for setup in (SELF_TEST, SELF_TEST._replace(self_test=True)):
            device = await Mpu6050.open(spec._replace(setup=setup))
            try:
                self_test.require_support(device.variant)
                samples = (await measure(device, count_of(device, SELF_TEST_S))).samples
            finally:
                await device.aclose()
            if not means:
                at_rest(samples)
            columns = zip(*(sample[1:7] for sample in samples), strict=True)
            means.append([statistics.fmean(column) for column in columns])
    finally:
        # The chip measures correctly only after it has been set up again.
        with trio.move_on_after(RESTORE_S, shield=True):
            try:
                await (await Mpu6050.open(spec)).aclose()
            except DeviceError as error:
                log.warning("%s is still in self-test mode: %s", spec.name, error)
    verdicts = self_test.judge(device.factory_codes, *means)
    print(
        f"factory self-test of {spec.name}, {device.identity}; limit ±{self_test.LIMIT_PERCENT:g} %"
    )
    print(*(verdict.text for verdict in verdicts), sep="\n")
    if failed := [verdict.axis for verdict in verdicts if not verdict.passed]:
        raise CalibrationError(f"self-test failed: {' '.join(failed)}")
