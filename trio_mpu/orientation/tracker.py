"""Samples, in order → the same with the attitude.

One filter takes in each reading once, as if all were one period apart. What happens when they are not:

1. Short gap. Readings that are missing for MAX_BRIDGE_S at most, but at least one, are replaced by
   values on a straight line between those around them. Beyond UNNOTICED_S the samples of the next
   SETTLE_S have the flag ATTITUDE_GAP.
2. Long gap. The attitude begins anew: inclination from the accelerometer, heading from zero, counted
   in `attitude_resets`, the samples of the next SETTLE_S flagged ATTITUDE_SETTLING. Of the bias is
   kept what VQF itself would still know of it after that time.
3. A gap of unknown length, where one recording is joined to another: the same, and the bias is
   forgotten. The same happens when the calibration, the period or the speed changes, which is another sensor
   or a new session, and when the producer is restarted.
4. A stale repeat is a reading that is missing, and is already bridged: by the one that it repeats.
   When that has gone on for longer than a gap may, samples have no attitude until a new reading comes,
   which begins anew.
5. Times that are early or late are evened out, as long as none is missing in all (spacing.py). If the
   sensor's real rate is not the nominal one, rotations are computed with the real one.
6. A clipped reading is taken in as it is, and flagged like a gap: the truth may be beyond.
7. Below MIN_RATE_HZ there is no attitude. At 8,000 Hz an MPU-6050 has a new acceleration with every
   eighth reading only, which does no harm.
"""

import logging

from trio_mpu.device import Device
from trio_mpu.orientation.estimator import Estimator
from trio_mpu.orientation.rules import (
    CALIBRATED,
    MIN_RATE_HZ,
    TOLERANCE,
    UNCALIBRATED,
    MakeFilter,
)
from trio_mpu.record import ATTITUDE_RESETS
from trio_mpu.sample import Flag, Sample

log = logging.getLogger(__name__)

_UNCALIBRATED = int(Flag.UNCALIBRATED)


class Tracker:
    """See above."""

    def __init__(
        self, device: Device, ledger: dict[str, int], make: MakeFilter, *, continues: bool
    ) -> None:
        """Count in `ledger` how often the attitude begins anew: each beginning but the first one
        of a ring. `continues`: the ring has samples of a previous producer."""
        self._device = device
        self._ledger = ledger
        self._make = make
        self._begun = continues
        self._setting: tuple[int, float, str, int] | None = None
        self._estimator: Estimator | None = None
        self._warned = False

    def add(self, sample: Sample) -> Sample:
        """Return the next sample with the attitude after it and what is to be said of that; as it is
        while there is none."""
        device = self._device
        uncalibrated = sample.flags & _UNCALIBRATED
        setting = (device.period_ns, device.speed, device.calibration, uncalibrated)
        if setting != self._setting:
            self._setting = setting
            self._change()
        if self._estimator is None:
            return sample
        return self._estimator.add(sample)

    def _change(self) -> None:
        """Forget everything: what comes now is from another sensor, or measured otherwise."""
        assert self._setting is not None
        period_ns, speed, _, uncalibrated = self._setting
        self._estimator, self._warned = None, False
        # A recording that is played faster was measured at a lower rate.
        rate_hz = 1e9 / (period_ns * speed)
        if rate_hz < MIN_RATE_HZ * (1 - TOLERANCE):
            log.warning(
                "samples have no attitude: it takes %g Hz, and %s has %.4g Hz",
                MIN_RATE_HZ,
                self._device.source,
                rate_hz,
            )
            return
        gyroscope = UNCALIBRATED if uncalibrated else CALIBRATED
        self._estimator = Estimator(
            rate_hz, speed, gyroscope, self._make, self._count_beginning, self._adapt
        )

    def _count_beginning(self) -> None:
        if self._begun:
            self._ledger[ATTITUDE_RESETS] += 1
        self._begun = True

    def _adapt(self, rate_hz: float, real_rate_hz: float) -> None:
        if not self._warned and abs(real_rate_hz / rate_hz - 1) > TOLERANCE:
            self._warned = True
            log.warning(
                "samples come at %.4g Hz, not at the %.4g Hz of %s: the attitude is less accurate",
                real_rate_hz,
                rate_hz,
                self._device.source,
            )
