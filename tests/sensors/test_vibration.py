"""The simulated vibration: what was stated is what a spectrum finds."""

import cmath
import itertools
import math
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.fake_devices import one_line
from trio_mpu.errors import DeviceError, UsageError
from trio_mpu.sample import Flag, Sample
from trio_mpu.sensors import simulator
from trio_mpu.sensors.simulator import Simulator
from trio_mpu.sensors.vibration import MAX_PARTS, Part, Vibration

SPAN_S = 10


@pytest.fixture
def noiseless(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model without noise and with registers of any resolution."""
    for noise in ("ACCEL_NOISE_G", "GYRO_NOISE_DPS"):
        monkeypatch.setattr(simulator, noise, 0.0)
    monkeypatch.setattr(simulator, "_register", lambda value, _: value)


class Clock:
    """The monotonic clock of a test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 10**12
        monkeypatch.setattr(time, "monotonic_ns", lambda: self.now_ns)

    async def read(self, sensor: Simulator, periods: int = 1, late_ns: int = 0) -> list[Sample]:
        """Let so many periods pass and read, so much later than due; [] if that fails."""
        self.now_ns += periods * sensor.period_ns + late_ns
        try:
            return list(await sensor.read(periods))
        except DeviceError:
            return []
        finally:
            self.now_ns -= late_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


async def measured(clock: Clock, sensor: Simulator) -> list[Sample]:
    """Ten seconds of samples, in steps of a second."""
    rate_hz = round(1e9 / sensor.period_ns)
    return [sample for _ in range(SPAN_S) for sample in await clock.read(sensor, periods=rate_hz)]


def tone(times_s: Sequence[float], values: Sequence[float], near_hz: float) -> tuple[float, float]:
    """The frequency and the amplitude of the tone near a frequency: the phase of the second half
    against that of the first, each through a Hann window."""
    half = len(values) // 2

    def coefficient(begin: int, hz: float) -> complex:
        total = 0j
        for at in range(half):
            weight = 1 - math.cos(math.tau * (at + 0.5) / half)
            turned = cmath.exp(-1j * math.tau * hz * times_s[begin + at])
            total += weight * values[begin + at] * turned
        return 2 * total / half

    ahead = cmath.phase(coefficient(half, near_hz) / coefficient(0, near_hz))
    hz = near_hz + ahead / math.tau / (times_s[half] - times_s[0])
    return hz, abs(coefficient(0, hz))


@pytest.mark.parametrize(
    ("rate_hz", "stated"),
    [(200, {87.0: 0.2, 43.21: 0.1}), (1000, {133.5: 0.2, 87.0: 0.5, 431.07: 0.1})],
)
@pytest.mark.parametrize("wrong_hz", [-0.05, 0.05])
async def test_the_stated_tones_are_found(
    clock: Clock, rate_hz: int, stated: dict[float, float], wrong_hz: float
) -> None:
    """Their frequencies to 0.01 Hz, their amplitudes to 1 %, with the sensor's noise, from the
    samples' own times as well as from their numbers."""
    text = "+".join(f"{hz}@{amplitude_g}" for hz, amplitude_g in stated.items())
    samples = await measured(clock, Simulator.from_options(f"vibration={text}", rate_hz))
    assert len(samples) == SPAN_S * rate_hz
    own_s = [(sample.t_ns - samples[0].t_ns) / 1e9 for sample in samples]
    counted_s = [number / rate_hz for number in range(len(samples))]
    for times_s, axis in itertools.product((own_s, counted_s), (1, 3)):
        values = [sample[axis] for sample in samples]
        for stated_hz, stated_g in stated.items():
            hz, amplitude_g = tone(times_s, values, stated_hz + wrong_hz)
            assert hz == pytest.approx(stated_hz, abs=0.01)
            assert amplitude_g == pytest.approx(stated_g, rel=0.01)


async def test_the_body_lies_level_and_does_not_turn(clock: Clock) -> None:
    """One g on z, the usual noise on the gyroscope, and no errors of a sensor."""
    samples = await measured(clock, Simulator.from_options("vibration=40@0.5xy", 100))
    means = [
        sum(axis) / len(samples) for axis in zip(*(each[1:7] for each in samples), strict=True)
    ]
    assert means[:3] == pytest.approx([0, 0, 1], abs=0.002)
    assert means[3:] == pytest.approx([0, 0, 0], abs=0.01)
    assert 0.1 < max(abs(sample.gx) for sample in samples) < 0.5
    assert max(abs(sample.az - 1) for sample in samples) < 0.03


@pytest.mark.parametrize(("fault", "count"), [("", 260), (",fault=missing", 13)])
@pytest.mark.usefixtures("noiseless")
async def test_the_phase_goes_on_over_lost_readings(clock: Clock, fault: str, count: int) -> None:
    """After faults, and after more periods than the queue holds: each value is that of its time."""
    sensor = Simulator.from_options(f"vibration=7@0.2+3-40@0.1/2.5{fault}", 100)
    samples = []
    for periods in (1, 3, 250, 1, 47, 1, 1000, 7):
        read = await clock.read(sensor, periods)
        assert not read or read[-1].t_ns == clock.now_ns
        samples += read
    assert len(samples) == count
    vibration = Vibration.parse("7@0.2+3-40@0.1/2.5", 100)
    for sample in samples:
        x, y, z = vibration.at((sample.t_ns - samples[0].t_ns) / 1e9)
        assert sample[1:4] == pytest.approx((x, y, 1 + z), abs=1e-9)


async def test_samples_are_a_period_apart_however_late_they_are_read(clock: Clock) -> None:
    """As soon as one of them was read in time, and none is of the future."""
    sensor = Simulator.from_options("vibration=7@0.2", 1000)
    [first] = await clock.read(sensor, late_ns=900_000)
    [second] = await clock.read(sensor, late_ns=0)
    assert second.t_ns - first.t_ns == 100_000
    assert second.t_ns == clock.now_ns
    later = [
        sample
        for number in range(100)
        for sample in await clock.read(sensor, 1 + number % 3, late_ns=number * 977_777 % 10**8)
    ]
    times = [second.t_ns, *(sample.t_ns for sample in later)]
    assert {after - before for before, after in itertools.pairwise(times)} == {10**6}


@pytest.mark.parametrize("pace", [0.1, 10])
async def test_a_reader_with_another_pace_gets_samples_of_now(clock: Clock, pace: float) -> None:
    """At most the queue's second old, and each later than the one before."""
    sensor = Simulator.from_options("vibration=7@0.2", 100)
    times = []
    for _ in range(500):
        clock.now_ns += round(pace * sensor.period_ns)
        [sample] = await sensor.read()
        times.append(sample.t_ns)
        assert clock.now_ns - 10**9 <= sample.t_ns <= clock.now_ns
    assert times == sorted(set(times))


async def test_what_is_beyond_the_range_is_cut_off_and_says_so(clock: Clock) -> None:
    """The flag is on exactly those samples that are at an end."""
    samples = await measured(clock, Simulator.from_options("vibration=1@3x", 100))
    ends = (-2.0, 32767 / 16384)
    assert {sample.ax in ends for sample in samples} == {True, False}
    assert max(abs(sample.ax) for sample in samples) == 2.0
    for sample in samples:
        assert bool(sample.flags & Flag.CLIPPED) == (sample.ax in ends)
        assert sample.flags & Flag.SIMULATED


async def test_the_source_names_it_with_the_other_options() -> None:
    """Seed and faults can be combined with it, in any order."""
    sensor = Simulator.from_options("fault=missing,vibration=87@0.2+5-20@0.1z/60,seed=3", 200)
    assert sensor.source == "sim:seed=3,vibration=87@0.2+5-20@0.1z/60,fault=missing"
    assert sensor.identity == "sim:seed=3"


# -- parts ----------------------------------------------------------------------------------------


def test_a_part_is_on_the_axes_that_it_names() -> None:
    """On all of them if it names none."""
    quarter_s = 1 / 40
    for axes, found in (("", (0.5, 0.5, 0.5)), ("z", (0, 0, 0.5)), ("yx", (0.5, 0.5, 0))):
        vibration = Vibration.parse(f"10@0.5{axes}", 100)
        assert vibration.at(quarter_s) == pytest.approx(found)
    both = Vibration.parse("10@0.5x+10@0.25xz", 100)
    assert both.at(quarter_s) == pytest.approx((0.75, 0, 0.25))


@given(st.floats(0, 1e6), st.floats(0.01, 499))
def test_a_tone_is_a_sine_forever(t: float, hz: float) -> None:
    """With its phase, not only in its first second; after days as well."""
    expected = math.sin(math.tau * math.fmod(hz * t, 1))
    # A double has so many digits left for the phase, a derivative of tau at most.
    digits = math.tau * hz * max(t, 1) * 1e-15
    assert Part(hz, hz, 1.0).at(t) == pytest.approx(expected, abs=digits + 1e-9)


@pytest.mark.parametrize(("from_hz", "to_hz"), [(5, 200), (200, 5), (17.3, 61.9)])
def test_a_sweep_has_the_frequency_of_its_time(from_hz: float, to_hz: float) -> None:
    """Linear, repeating, and without a step in its phase where it begins again."""
    seconds = 7.3
    sweep = Part(from_hz, to_hz, 0.1, seconds=seconds)
    phase = 0.0
    steps = 60_000
    step_s = 2.5 * seconds / steps
    for number in range(steps):
        middle_s = (number + 0.5) * step_s
        hz = from_hz + (to_hz - from_hz) * math.fmod(middle_s, seconds) / seconds
        phase += hz * step_s
        if number % 997 == 0:
            expected = 0.1 * math.sin(math.tau * phase)
            assert sweep.at((number + 1) * step_s) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("100@0.2", "100 Hz in vibration '100@0.2': use more than 0 and less than 100 Hz, half of"),
        ("87@0.2+133.5@0.05z", "133.5 Hz in vibration '133.5@0.05z': use more than 0 and less"),
        ("5-100@0.1/60", "100 Hz in vibration '5-100@0.1/60': use more than 0 and less than 100"),
        ("120-5@0.1/60", "120 Hz in vibration"),
        ("0@0.2", "0 Hz in vibration '0@0.2': use more than 0"),
        ("87@0", "0 g in vibration '87@0': use more than 0 and at most 16 g"),
        ("87@16.5", "16.5 g in vibration"),
        ("5-20@0.1/0", "0 s in vibration '5-20@0.1/0': use more than 0 and at most 86400 s"),
        ("5-20@0.1/86401", "86401 s in vibration"),
        ("5-20@0.1/60+7-9@0.1/60", "two sweeps in vibration"),
        ("+".join(["87@0.1"] * (MAX_PARTS + 1)), "17 parts of a vibration: 16 are possible"),
        *(
            (text, f"{text.rpartition('+')[2]!r} is no part of a vibration: use HZ@G")
            for text in (
                *("", "87", "87@", "@0.2", "87*0.2", "87@0.2+", "87@0.2w", "87@0.2/60", "5-20@0.1"),
                *("-87@0.2", "87@-0.2", "1e1@0.2", "٣@0.2", "87@0.2xyzx", "inf@1", "87 @0.2"),
            )
        ),
    ],
)
def test_a_vibration_that_makes_no_sense_is_refused(text: str, said: str) -> None:
    """In one line, which says what was found and what is possible."""
    with pytest.raises(UsageError) as caught:
        Simulator.from_options(f"vibration={text}", 200)
    assert one_line(caught.value).startswith(said)


def test_just_below_half_the_rate_is_possible() -> None:
    """And as many parts and as much as the bounds say."""
    for text in ("99.999999@16", "5-99.9@0.1/86400", "+".join(["87@0.1"] * MAX_PARTS)):
        assert Vibration.parse(text, 200).text == text


def test_a_body_is_still_or_vibrates() -> None:
    """Both at a time are refused."""
    with pytest.raises(UsageError, match="sim has still and vibration: use one of them"):
        Simulator.from_options("still,vibration=87@0.2", 200)
