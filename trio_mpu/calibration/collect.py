"""Collects a number of readings from a device, for its calibration."""

import logging
import math
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from trio_mpu.calibration.stillness import MIN_READINGS
from trio_mpu.device import Device
from trio_mpu.errors import DeviceError, UsageError
from trio_mpu.sample import Sample
from trio_mpu.ticker import Ticker

log = logging.getLogger(__name__)

MAX_READINGS: Final = 1_000_000  # arbitrary; they take some 400 MB
SETTLE_S: Final = 0.5  # arbitrary: the vibration from the hand has died down by then
MAX_FAILURES: Final = 20  # arbitrary: failed reads in a row

# Tests replace it.
monotonic_ns: Callable[[], int] = time.monotonic_ns


class Measurement(NamedTuple):
    """Successive readings, and the number of periods without one."""

    samples: list[Sample]
    missing: int


def count_of(device: Device, seconds: float) -> int:
    """Return how many readings this time has. Raises UsageError if they are too few or too
    many."""
    count = round(seconds * 1e9 / device.period_ns)
    if not MIN_READINGS <= count <= MAX_READINGS:
        raise UsageError(
            f"{seconds:g} s at {1e9 / device.period_ns:g} Hz is {count:,} readings, but a "
            f"calibration needs {MIN_READINGS:,} to {MAX_READINGS:,}; change --seconds or --rate"
        )
    return count


async def measure(device: Device, count: int) -> Measurement:
    """Return the next `count` readings, starting SETTLE_S from now.

    Raises DeviceError if the device keeps failing. Cancellation discards the readings.
    """
    begun_ns = monotonic_ns() if device.paced else 0  # a device with a queue has older ones
    skip = math.ceil(SETTLE_S * 1e9 / device.period_ns)
    samples = list[Sample]()
    failures = missed = 0
    ticker = None if device.paced else Ticker(device.period_ns)
    try:
        while len(samples) < skip + count:
            periods = await ticker.wait() if ticker is not None else 1
            begun = len(samples) > skip
            missed += begun * (periods - 1)
            try:
                # One period, however many have passed: readings that this program missed are not
                # requested.
                new = await device.read()
            except DeviceError as error:
                failures += 1
                missed += begun * (ticker is not None)  # a paced device reports it itself
                if failures >= MAX_FAILURES:
                    raise
                log.debug("%s", error)
                continue
            failures = 0
            samples += [sample for sample in new if sample.t_ns >= begun_ns]
    finally:
        if ticker is not None:
            ticker.close()
    samples = samples[skip : skip + count]
    return Measurement(samples, missed + sum(sample.lost for sample in samples[1:]))
