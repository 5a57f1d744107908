"""The tracker with its real filter: motions whose attitude is known exactly."""

import math
from collections.abc import Sequence

import pytest

from tests.helpers.fake_devices import FakeDevice
from tests.helpers.motions import (
    IDENTITY,
    Moment,
    Quaternion,
    heading_error,
    inclination_error,
    product,
    still,
    turn,
    turning,
)
from trio_mpu.orientation.filter import VqfFilter
from trio_mpu.orientation.rules import UNCALIBRATED, Bias, Vector
from trio_mpu.orientation.tracker import Tracker
from trio_mpu.record import ATTITUDE_RESETS
from trio_mpu.sample import Flag, Sample

X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
RATES_HZ = (10, 100, 1000)


def tracker(rate_hz: float) -> Tracker:
    device = FakeDevice(period_ns=round(1e9 / rate_hz))
    return Tracker(device, {ATTITUDE_RESETS: 0}, VqfFilter, continues=False)


def tracked(moments: Sequence[Moment], rate_hz: float, flags: int = 0) -> list[Sample]:
    """The samples with the attitude that the real filter gives them."""
    follow = tracker(rate_hz)
    return [follow.add(moment.sample._replace(flags=flags)) for moment in moments]


def quaternion(sample: Sample) -> Quaternion:
    return sample[10:14]


def worst(samples: Sequence[Sample], moments: Sequence[Moment]) -> tuple[float, float]:
    """The largest errors of inclination and, relative to the beginning, of heading."""
    pairs = [
        (quaternion(sample), moment.q) for sample, moment in zip(samples, moments, strict=True)
    ]
    begun = heading_error(*pairs[0])
    turned = [math.remainder(heading_error(*pair) - begun, 360) for pair in pairs]
    return max(inclination_error(*pair) for pair in pairs), max(map(abs, turned))


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize(
    "start",
    [IDENTITY, turn(X, 90), turn(X, 180), turn(Y, -90), turn((1, 2, 3), 70), turn((1, 1, 0), 130)],
)
def test_a_sensor_at_rest_has_its_inclination_from_the_first_sample_on(
    rate_hz: float, start: Quaternion
) -> None:
    """Level, upside down, on its edges and askew; the heading stays."""
    moments = still(rate_hz, 4, start)
    samples = tracked(moments, rate_hz)
    inclination, heading = worst(samples, moments)
    assert inclination < 0.5 / rate_hz
    assert heading < 0.5 / rate_hz
    assert all(abs(math.hypot(*quaternion(sample)) - 1) < 1e-9 for sample in samples)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("axis", [X, Y, Z, (0.0, 0.0, -1.0), (1.0, -2.0, 0.5)])
def test_a_constant_rate_turns_it_by_rate_times_time(rate_hz: float, axis: Vector) -> None:
    """About each axis of the sensor, two and a half times around, after a rest."""
    length = math.hypot(*axis)
    rate = tuple(part / length * 90 for part in axis)
    moments = turning(lambda t: rate if t >= 3 else (0.0, 0.0, 0.0), rate_hz, 8)  # type: ignore[arg-type,return-value]
    inclination, heading = worst(tracked(moments, rate_hz), moments)
    assert inclination < 0.2
    assert heading < 0.2


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_tumble_is_followed(rate_hz: float) -> None:
    """About three axes that change all the time, with angular rates up to 300 °/s."""

    def rate(t: float) -> Vector:
        if t < 3:
            return (0.0, 0.0, 0.0)
        return (170 * math.sin(1.7 * t), 170 * math.sin(1.1 * t + 1), 170 * math.cos(0.7 * t))

    moments = turning(rate, rate_hz, 13, turn((1, 2, 3), 40))
    inclination, heading = worst(tracked(moments, rate_hz), moments)
    assert inclination < 0.5
    assert heading < 1


def test_tilts_are_found_and_kept() -> None:
    """By 30° about x, then by 45° about y, with rests in between."""

    def rate(t: float) -> Vector:
        if 3 <= t < 4:
            return (30.0, 0.0, 0.0)
        return (0.0, 45.0, 0.0) if 6 <= t < 7 else (0.0, 0.0, 0.0)

    moments = turning(rate, 100, 20)
    final = product(turn(X, 30), turn(Y, 45))
    assert inclination_error(moments[-1].q, final) < 1e-9
    samples = tracked(moments, 100)
    assert worst(samples, moments)[0] < 0.05
    assert abs(heading_error(quaternion(samples[-1]), final)) < 0.05


@pytest.mark.parametrize(("bias_dps", "flags"), [(1.5, 0), (15.0, int(Flag.UNCALIBRATED))])
def test_a_bias_is_found_at_rest(bias_dps: float, flags: int) -> None:
    """Up to 2 °/s with a calibration, up to 20 °/s without; the flag says when it is known."""
    biased = [
        Moment(moment.sample._replace(gx=bias_dps, gz=-bias_dps), moment.q)
        for moment in still(100, 20)
    ]
    samples = tracked(biased, 100, flags)
    known = [not sample.flags & Flag.ATTITUDE_BIAS for sample in samples]
    assert not any(known[:150])
    assert all(known[400:])
    assert inclination_error(quaternion(samples[-1]), IDENTITY) < 0.05
    drift = heading_error(quaternion(samples[-1]), quaternion(samples[-500]))
    assert abs(drift) < 0.5


def test_a_bias_beyond_the_limit_stays_flagged() -> None:
    """A calibrated gyroscope can't have it: the heading drifts, and no flag says otherwise."""
    biased = [
        Moment(moment.sample._replace(gz=5.0), moment.q) for moment in still(100, 20, turn(X, 30))
    ]
    assert all(sample.flags & Flag.ATTITUDE_BIAS for sample in tracked(biased, 100))


def test_the_fastest_chip_is_followed_too() -> None:
    """8,000 Hz, with a new acceleration in every eighth reading."""
    moments = turning(lambda t: (0.0, 0.0, 90.0 if t > 0.2 else 0.0), 8000, 1)
    held = [
        Moment(
            moment.sample._replace(
                **moments[number // 8 * 8].sample._asdict()
                | {
                    "t_ns": moment.sample.t_ns,
                    "gz": moment.sample.gz,
                }
            ),
            moment.q,
        )
        for number, moment in enumerate(moments)
    ]
    inclination, heading = worst(tracked(held, 8000), moments)
    assert inclination < 0.1
    assert heading < 0.1


def test_a_filter_begins_with_the_bias_that_is_known() -> None:
    """And can forget all of it again: its uncertainty may grow beyond what it began with."""
    attitude = VqfFilter(0.01, UNCALIBRATED, Bias((1.0, -2.0, 0.5), 0.05))
    assert attitude.bias().dps == pytest.approx((1.0, -2.0, 0.5))
    assert attitude.bias().sigma_dps == pytest.approx(0.05)
    for number in range(10_000):
        shaken = 100.0 if number % 2 else -100.0
        attitude.step((0.0, 0.0, 1.0), (shaken, shaken, shaken))
    assert attitude.bias().sigma_dps > 0.06
