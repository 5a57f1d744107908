"""Device → backlog: a sample each period, and a count of those that are missing."""

import logging
from collections.abc import Callable
from typing import Final

import trio

from trio_mpu.calibration.correction import Correct, as_it_is
from trio_mpu.device import Device
from trio_mpu.errors import DeviceError, EndOfReplay, NoSampleYet
from trio_mpu.producer.backlog import Backlog
from trio_mpu.ticker import Ticker

log = logging.getLogger(__name__)

ERRORS_BEFORE_RETRY: Final = 10  # a passing fault is over by then…
RETRY_S: Final = 0.1  # …and a missing device is looked for this often
QUIET_S: Final = 10.0  # an intermittent fault is logged this often


async def sample_device(
    device: Device,
    backlog: Backlog,
    ledger: dict[str, int],
    publish: Callable[[], None],
    correct: Correct = as_it_is,
) -> None:
    """Add a corrected sample to the backlog each period, and note each period without one.

    `publish` is called when there are new samples. A failing device is read again and again.
    Returns only at the end of a replay.
    """
    device.count_in(ledger)
    ticker = None if device.paced else Ticker(device.period_ns)
    faults = FaultLog()
    try:
        while True:
            periods = await ticker.wait() if ticker is not None else 0
            try:
                samples = await device.read(periods)
            except EndOfReplay as error:
                log.info("%s; the ring keeps its samples", error)
                return
            except DeviceError as error:
                backlog.miss(periods, "device_lost")
                ledger["device_errors"] += not isinstance(error, NoSampleYet)
                faults.begins(error)
                if faults.failures >= ERRORS_BEFORE_RETRY:
                    await trio.sleep(RETRY_S)
                continue
            reason = "device_lost" if faults.failures else "ticks_lost"
            backlog.miss(max(0, periods - len(samples)), reason)
            faults.ends()
            for sample in samples:
                backlog.add(correct(sample))
            if samples:
                publish()
    finally:
        if ticker is not None:
            ticker.close()


class FaultLog:
    """Logs the faults of a device: at most one in QUIET_S, and its end."""

    def __init__(self) -> None:
        self.failures = 0  # in a row
        self._logged = False
        self._quiet_until_s = 0.0

    def begins(self, error: DeviceError) -> None:
        """Note a failed read."""
        self.failures += 1
        if trio.current_time() >= self._quiet_until_s and not self._logged:
            log.warning("no sample: %s", error)
            self._quiet_until_s = trio.current_time() + QUIET_S
            self._logged = True

    def ends(self) -> None:
        """Note a successful read."""
        if self._logged:
            log.warning("receiving samples again after %d failed reads", self.failures)
        self.failures = 0
        self._logged = False
