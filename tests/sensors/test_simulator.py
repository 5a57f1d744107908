"""The simulated sensor: its physics, its noise, its faults."""

import itertools
import math
import statistics
import time
from collections.abc import Sequence

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.helpers.fake_devices import one_line
from trio_mpu.errors import DeviceError, NoSampleYet, UsageError
from trio_mpu.sample import Flag, Sample, checked
from trio_mpu.sensors import simulator
from trio_mpu.sensors.simulator import FAULTS, STALL_S, Simulator


async def played(sensor: Simulator, count: int) -> list[Sample | str]:
    """What so many reads give: samples, or the names of errors."""
    found: list[Sample | str] = []
    for _ in range(count):
        try:
            found += await sensor.read()
        except DeviceError as error:
            one_line(error)
            found.append(type(error).__name__)
    return found


def model(rate_hz: float, count: int) -> list[Sequence[float]]:
    """The seven values of so many readings."""
    sensor = Simulator(rate_hz)
    return [sensor._values(number / rate_hz) for number in range(count)]


@pytest.fixture
def noiseless(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model without noise and with registers of any resolution."""
    for noise in ("ACCEL_NOISE_G", "GYRO_NOISE_DPS", "TEMP_NOISE_C"):
        monkeypatch.setattr(simulator, noise, 0.0)
    monkeypatch.setattr(simulator, "_register", lambda value, _: value)


async def test_the_same_seed_gives_the_same_numbers() -> None:
    """A run can be repeated, and another seed is another run."""

    async def values(seed: int) -> list[object]:
        return [sample[1:] for sample in await played(Simulator(100, seed), 50)]

    assert await values(1) == await values(1)
    assert await values(1) != await values(2)


async def test_every_sample_says_that_it_is_simulated_and_is_of_now() -> None:
    """Simulated data can't be taken for real: flag and source say so."""
    sensor = Simulator.from_options("seed=7", 50)
    assert (sensor.source, sensor.period_ns, sensor.paced) == ("sim:seed=7", 20_000_000, False)
    before_ns = time.monotonic_ns()
    [sample] = await sensor.read()
    assert sample.flags == Flag.SIMULATED
    assert before_ns <= sample.t_ns <= time.monotonic_ns()


async def test_a_late_reader_gets_what_was_measured_meanwhile() -> None:
    """The simulator has a queue: the same numbers as for a punctual reader, a period apart, and
    no more than a second's worth."""
    late, punctual = Simulator(100), Simulator(100)
    readings = await late.read(3)
    assert [sample[1:] for sample in readings] == [
        sample[1:] for sample in await played(punctual, 3)
    ]
    times = [sample.t_ns for sample in readings]
    assert [after - before for before, after in itertools.pairwise(times)] == [10**7] * 2
    assert len(await late.read(1000)) == 100
    assert len(await Simulator(0.5).read(4)) == 1


async def test_times_never_go_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor stand still, when a read was interrupted between the ticks and the clock."""
    sensor, clock_ns = Simulator(100), 10**12
    monkeypatch.setattr(time, "monotonic_ns", lambda: clock_ns)
    times = [sample.t_ns for sample in await sensor.read(2)]
    clock_ns += 10**6
    times += [sample.t_ns for sample in await sensor.read(3)]
    assert times == sorted(set(times))
    assert times[-1] == clock_ns


def test_every_value_is_one_that_a_register_can_hold() -> None:
    """Values are whole steps of the chip's registers at ±2 g and ±250 °/s, and readings pass as
    the chip's."""
    for values in model(1, 500):
        ax, ay, az, gx, gy, gz, temp = values
        steps = [g * 16384 for g in (ax, ay, az)] + [rate * 131 for rate in (gx, gy, gz)]
        steps.append((temp - 36.53) * 340)
        for step in steps:
            assert step == pytest.approx(round(step), abs=1e-6)
            assert -32768 <= round(step) <= 32767
        assert checked(Sample(0, ax, ay, az, gx, gy, gz, temp))


@given(st.floats(-1e6, 1e6), st.sampled_from([16384.0, 131.0, 340.0]))
def test_a_register_holds_the_nearest_step_within_its_range(value: float, lsb: float) -> None:
    """A value is rounded by half a step at most, and clipped at the ends of 16 bits."""
    held = simulator._register(value, lsb)
    low, high = -32768 / lsb, 32767 / lsb
    assert low <= held <= high
    assert abs(held - min(high, max(low, value))) <= 0.5 / lsb + 1e-9  # the rounding of floats


def test_the_accelerometer_feels_one_g() -> None:
    """A body that only turns feels gravity's magnitude in every attitude, up to the noise."""
    magnitudes = [math.hypot(*values[:3]) for values in model(10, 1200)]
    assert statistics.mean(magnitudes) == pytest.approx(1, abs=0.001)
    assert 0.002 < statistics.stdev(magnitudes) < 0.006
    assert max(abs(magnitude - 1) for magnitude in magnitudes) < 0.03


@pytest.mark.usefixtures("noiseless")
def test_gravity_turns_as_the_gyroscope_says() -> None:
    """In the body's frame a fixed direction g changes by dg/dt = g x ω: what the accelerometer
    shows is what the gyroscope's rates make of it, over the whole of a turn."""
    rate_hz = 200
    readings = model(rate_hz, 120 * rate_hz)
    worst = 0.0
    for before, now, after in zip(readings, readings[1:], readings[2:], strict=False):
        gravity, omega = now[:3], [math.radians(rate) for rate in now[3:6]]
        for axis in range(3):
            left, right = (axis + 1) % 3, (axis + 2) % 3
            turned = -(omega[left] * gravity[right] - omega[right] * gravity[left])
            slope = (after[axis] - before[axis]) * rate_hz / 2
            worst = max(worst, abs(turned - slope))
    assert worst < 1e-5


@pytest.mark.usefixtures("noiseless")
def test_the_gyroscopes_rates_add_up_to_a_turn_in_two_minutes() -> None:
    """Integrated over 120 s, the rate about the vertical is one full turn."""
    rate_hz = 50
    turned = 0.0
    for reading in model(rate_hz, 120 * rate_hz):
        # The vertical in the body's frame is the direction of gravity. What roll and pitch add
        # to this sum averages out only where they are small, hence the tolerance.
        rates = zip(reading[:3], reading[3:6], strict=True)
        turned += sum(g * math.radians(rate) for g, rate in rates) / rate_hz
    assert turned == pytest.approx(math.tau, rel=0.05)


@pytest.mark.usefixtures("noiseless")
def test_the_motion_is_smooth_and_slow() -> None:
    """No jump from one reading to the next, and the chip gets warmer by some degrees."""
    readings = model(10, 6000)
    for before, after in itertools.pairwise(readings):
        assert max(abs(a - b) for a, b in zip(before[:3], after[:3], strict=True)) < 0.03
        assert max(abs(a - b) for a, b in zip(before[3:6], after[3:6], strict=True)) < 1
    assert readings[0][6] == pytest.approx(26)
    assert 28 < readings[-1][6] < 31


def test_the_noise_is_the_data_sheets() -> None:
    """What differs from the model has the noise's size on every axis."""
    sensor = Simulator(100)
    readings = [sensor._values(0) for _ in range(2000)]
    noise = [statistics.stdev(axis) for axis in zip(*readings, strict=True)]
    assert noise == pytest.approx([0.004] * 3 + [0.05] * 3 + [0.02], rel=0.1)


async def test_missing_readings_can_be_asked_for() -> None:
    """Every 50th reading fails; the others are what they are without."""
    found = await played(Simulator.from_options("fault=missing", 100), 200)
    assert [index for index, what in enumerate(found) if what == "DeviceError"] == [
        49,
        99,
        149,
        199,
    ]
    [ordinary] = (await played(Simulator(100), 120))[119:]
    assert found[119][1:] == ordinary[1:]


async def test_error_bursts_can_be_asked_for() -> None:
    """25 readings in a row fail, once in 500."""
    found = await played(Simulator.from_options("fault=burst", 100), 1000)
    failed = [index for index, what in enumerate(found) if what == "DeviceError"]
    assert failed == [*range(475, 500), *range(975, 1000)]


async def test_a_sensor_without_a_first_sample_can_be_asked_for() -> None:
    """The first 100 readings say that there is no sample yet."""
    found = await played(Simulator.from_options("fault=nosample", 100), 101)
    assert found[:100] == [NoSampleYet.__name__] * 100
    assert isinstance(found[100], Sample)


async def test_stalls_can_be_asked_for(autojump_clock: MockClock) -> None:
    """Every 500th reading takes its time, and then comes."""
    found = await played(Simulator.from_options("fault=stall", 100), 499)
    assert trio.current_time() == 0
    sensor = Simulator.from_options("fault=stall", 100)
    found = await played(sensor, 1000)
    assert all(isinstance(what, Sample) for what in found)
    assert trio.current_time() == pytest.approx(2 * STALL_S)


async def test_faults_and_seed_can_be_combined() -> None:
    """Several faults at a time; the source tells them all."""
    sensor = Simulator.from_options("seed=5,fault=missing+nosample", 100)
    assert sensor.source == "sim:seed=5,fault=missing+nosample"
    found = await played(sensor, 150)
    assert found.count("NoSampleYet") == 100
    assert found.count("DeviceError") == 1


@pytest.mark.parametrize(
    "options",
    [
        "seed",
        "seed=",
        "seed=-1",
        "seed=1.5",
        "seed=x",
        "seed=٣",
        "seed=" + "9" * 19,
        "fault",
        "fault=",
        "fault=fire",
        "fault=missing+",
        "fault=missing+fire",
        "rate=100",
        "x",
        "/dev/mpu6050",
    ],
)
def test_a_wrong_option_is_told_with_the_right_ones(options: str) -> None:
    """The message quotes the option and lists all that there are."""
    with pytest.raises(UsageError) as caught:
        Simulator.from_options(options, 100)
    message = one_line(caught.value)
    assert repr(options) in message
    assert "seed=NUMBER" in message
    assert all(fault in message for fault in FAULTS)


def test_no_options_at_all_are_fine() -> None:
    """Empty options, also between commas, are passed over."""
    for options in ("", ",", ",,"):
        assert Simulator.from_options(options, 100).source == "sim:seed=1"


# -- lying still ----------------------------------------------------------------------------------


def test_a_sensor_that_lies_still_has_errors(noiseless: None) -> None:
    """The same for a seed, on every reading; it is another sensor than the one that moves."""
    still = Simulator.from_options("seed=5,still", 100)
    assert still.source == still.identity == "sim:seed=5,still"
    assert Simulator(100, 5).identity == "sim:seed=5"
    values = {still._values(t)[:6] for t in (0.0, 0.01, 1e6)}
    assert len(values) == 1
    ax, ay, az, *rates = values.pop()
    assert max(abs(ax), abs(ay), abs(az - 1)) < 0.2
    assert 0.1 < max(map(abs, rates)) < 10
    assert still._values(0)[:6] != Simulator.from_options("seed=6,still", 100)._values(0)[:6]


def test_it_lies_on_each_face_in_turn(noiseless: None) -> None:
    """For as many readings on each, counted by the period and not by any clock."""
    still = Simulator.from_options("still=0.5", 100)
    assert (still.source, still.identity) == ("sim:seed=1,still=0.5", "sim:seed=1,still")
    faces = []
    for number in range(700):
        accel = still._values(number * still.period_ns / 1e9)[:3]
        axis = max(range(3), key=lambda at: abs(accel[at]))
        faces.append(("-" if accel[axis] < 0 else "+") + "xyz"[axis])
    runs = [(face, len(list(group))) for face, group in itertools.groupby(faces)]
    in_turn = ["+z", "-z", "+x", "-x", "+y", "-y"]
    assert runs == [(face, 50) for face in (in_turn * 3)[:14]]


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "86401", "x", ""])
def test_a_face_is_kept_for_a_time_that_makes_sense(value: str) -> None:
    """Or the option is refused, like any that is unknown."""
    with pytest.raises(UsageError, match="unknown sim option 'still="):
        Simulator.from_options(f"still={value}", 100)
