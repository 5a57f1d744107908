# Pure: no I/O, no clock, no waiting.
"""The attitude from the samples of one sensor with one setting; tracker.py has the rules."""

from collections.abc import Callable
from typing import Final

from trio_mpu.orientation.rules import (
    KNOWN_BIAS_DPS,
    LOOK_S,
    MAX_BRIDGE_S,
    SETTLE_S,
    UNNOTICED_S,
    Filter,
    Gyroscope,
    MakeFilter,
    Vector,
)
from trio_mpu.orientation.spacing import Spacing
from trio_mpu.sample import Flag, Sample

_GAPS: Final = int(Flag.DEVICE_GAP | Flag.RESTART_GAP)
_CLIPPED: Final = int(Flag.CLIPPED)
_STALE: Final = int(Flag.STALE_REPEAT)
_REPLAYED: Final = int(Flag.REPLAYED)
_SETTLING: Final = int(Flag.ATTITUDE_SETTLING)
_BIAS: Final = int(Flag.ATTITUDE_BIAS)
_GAP: Final = int(Flag.ATTITUDE_GAP)
# At its limit the estimate of a bias is none: the truth is beyond.
_BELOW_LIMIT: Final = 0.99


class Estimator:
    """Gives one sample after the other its attitude."""

    def __init__(
        self,
        rate_hz: float,
        speed: float,
        gyroscope: Gyroscope,
        make: MakeFilter,
        begins: Callable[[], None],
        adapts: Callable[[float, float], None],
    ) -> None:
        """`rate_hz` is the sensor's own; its samples come `speed` times as fast. `begins` is called
        whenever the attitude begins, and `adapts` with that rate and the real one when that has been
        measured."""
        self._rate_hz = rate_hz
        self._speed = speed
        self._gyroscope = gyroscope
        self._make = make
        self._begins = begins
        self._adapts = adapts
        self._longest = self._periods(MAX_BRIDGE_S)
        self._unnoticed = UNNOTICED_S * rate_hz
        self._settle = self._periods(SETTLE_S)
        self._look = self._periods(LOOK_S)

        self._filter: Filter | None = None
        self._bias = gyroscope.bias  # what was known of it when the last filter ended
        self._spacing = Spacing(1e9 / rate_hz)
        self._scale = 1.0  # real period by nominal period
        self._last_ns = 0
        self._last: tuple[Vector, Vector] = (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
        # In periods since the beginning:
        self._steps = self._next_look = self._doubtful_until = 0
        self._unheard = 0  # periods since the last new reading
        self._bias_flag = 0

    def _periods(self, seconds: float) -> int:
        return max(1, round(seconds * self._rate_hz))

    def add(self, sample: Sample) -> Sample:
        """Return the next sample with its attitude and flags; as it is while there is none."""
        flags = sample.flags
        accel, gyro = sample[1:4], sample[4:7]
        if self._scale != 1:
            gyro = (gyro[0] * self._scale, gyro[1] * self._scale, gyro[2] * self._scale)
        missing = self._check_gap(sample)
        if self._filter is None:
            if flags & _STALE:
                return sample
            self._begin(sample.t_ns)
        elif missing:
            self._bridge(missing, accel, gyro)
        self._step(accel, gyro)
        self._last_ns = sample.t_ns
        if flags & _CLIPPED or self._unheard > self._unnoticed:
            self._doubtful_until = self._steps + self._settle
        if not flags & _STALE:
            self._unheard = 0
        return self._with_attitude(sample)

    def _check_gap(self, sample: Sample) -> int:
        """Return how many readings to bridge before this one; end the filter if that are too many."""
        step_ns = (sample.t_ns - self._last_ns) * self._speed
        if _has_unknown_length(sample, step_ns / self._spacing.period_ns):
            self._filter, self._bias = None, self._gyroscope.bias
        if self._filter is None:
            return 0
        missing = self._spacing.missing(step_ns)
        if self._spacing.is_new:
            self._adapt()
        self._unheard += missing + (1 if sample.flags & _STALE else 0)
        if self._unheard > self._longest:
            self._bias = self._filter.bias()
            self._filter = None
        return missing

    def _adapt(self) -> None:
        """Go over to the period that was measured."""
        real_rate_hz = 1e9 / self._spacing.period_ns
        self._scale = self._rate_hz / real_rate_hz
        self._adapts(self._rate_hz, real_rate_hz)

    def _begin(self, t_ns: int) -> None:
        unheard_s = (t_ns - self._last_ns) * self._speed / 1e9
        bias = self._bias.after(unheard_s, self._gyroscope.bias)
        self._filter = self._make(1 / self._rate_hz, self._gyroscope, bias)
        self._spacing.begin()
        self._steps = self._next_look = self._doubtful_until = self._unheard = 0
        self._begins()

    def _bridge(self, missing: int, accel: Vector, gyro: Vector) -> None:
        """Step over the missing readings: from the last one to this one on a straight line."""
        last_accel, last_gyro = self._last
        for number in range(1, missing + 1):
            part = number / (missing + 1)
            self._step(_between(last_accel, accel, part), _between(last_gyro, gyro, part))

    def _step(self, accel: Vector, gyro: Vector) -> None:
        assert self._filter is not None
        self._filter.step(accel, gyro)
        self._last = accel, gyro
        self._steps += 1

    def _with_attitude(self, sample: Sample) -> Sample:
        assert self._filter is not None
        if self._steps >= self._next_look:
            self._next_look = self._steps + self._look
            self._bias_flag = 0 if self._knows_bias(self._filter) else _BIAS
        flags = sample.flags | self._bias_flag
        if self._steps <= self._settle:
            flags |= _SETTLING
        if self._steps < self._doubtful_until:
            flags |= _GAP
        return Sample(*sample[:8], flags, sample.lost, *self._filter.quaternion())

    def _knows_bias(self, attitude: Filter) -> bool:
        bias = attitude.bias()
        limit_dps = _BELOW_LIMIT * self._gyroscope.max_bias_dps
        return bias.sigma_dps < KNOWN_BIAS_DPS and max(map(abs, bias.dps)) < limit_dps


def _has_unknown_length(sample: Sample, periods: float) -> bool:
    """Return whether nobody knows how long the gap before a sample is: in a recording, where there is
    no count, or less time than the missing readings took."""
    if not sample.flags & _REPLAYED or not sample.flags & _GAPS:
        return False
    return not sample.lost or periods < sample.lost + 0.5


def _between(first: Vector, second: Vector, part: float) -> Vector:
    x, y, z = first
    return (
        x + (second[0] - x) * part,
        y + (second[1] - y) * part,
        z + (second[2] - z) * part,
    )
