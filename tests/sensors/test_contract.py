"""What `trio_mpu.device.Device` promises, of every kind of sensor.

A new sensor gets these tests by a line in SENSORS (tests/helpers/sensors.py).
"""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import trio

from tests.helpers.fake_devices import one_line
from tests.helpers.sensors import QUIET_READS, SENSORS, Sensor
from trio_mpu.device import Device
from trio_mpu.errors import DeviceError
from trio_mpu.record import LEDGER
from trio_mpu.sample import Flag, Sample, checked

MAX_READS = 200  # after which a fault must have shown, or gone
GOODBYE_S = 1.0
GAPS = Flag.DEVICE_GAP | Flag.RESTART_GAP


@pytest.fixture(params=SENSORS)
def sensor(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sensor]:
    """A sensor of each kind."""
    sensor = SENSORS[request.param](tmp_path, monkeypatch)
    yield sensor
    sensor.close()


def opened(sensor: Sensor, use: Callable[[Device], Awaitable[None]]) -> None:
    """Open the device, use it, and close it, by the sensor's clock."""

    async def main() -> None:
        device = await sensor.open()
        try:
            await use(device)
        finally:
            await device.aclose()

    trio.run(main, clock=sensor.clock)


async def read(sensor: Sensor, device: Device) -> list[Sample]:
    """Read once, when the sensor has measured."""
    sensor.measure()
    return list(await device.read())


async def read_until_failure(sensor: Sensor, device: Device) -> DeviceError:
    """Read until a read fails; return its error."""
    for _ in range(MAX_READS):
        try:
            await read(sensor, device)
        except DeviceError as error:
            return error
    pytest.fail("no read has failed")


async def read_until_success(sensor: Sensor, device: Device) -> list[Sample]:
    """Read until a read works: until then each fails with a DeviceError."""
    for _ in range(MAX_READS):
        try:
            return await read(sensor, device)
        except DeviceError as error:
            one_line(error)
    pytest.fail("no read has worked again")


def test_a_device_says_what_it_is(sensor: Sensor) -> None:
    """Its texts can be printed, it has a name, and a period in nanoseconds."""

    async def use(device: Device) -> None:
        assert device.source
        for text in (device.source, device.chip, device.identity, device.calibration):
            assert text.isprintable()
        assert isinstance(device.period_ns, int)
        assert device.period_ns > 0

    opened(sensor, use)


def test_undisturbed_reads_give_possible_samples_in_order(sensor: Sensor) -> None:
    """Each read gives one at least, of the time since the device was opened, after the one before,
    with values within their bounds; none is lost."""

    async def use(device: Device) -> None:
        last_ns = sensor.now_ns() - 1
        for _ in range(QUIET_READS):
            samples = await read(sensor, device)
            assert samples
            for sample in samples:
                assert last_ns < sample.t_ns <= sensor.now_ns()
                assert checked(sample) is sample
                assert sample.lost == 0
                assert sample.flags & ~sum(Flag) == 0
                assert not sample.flags & GAPS
                last_ns = sample.t_ns

    opened(sensor, use)


def test_a_late_caller_gets_a_sample_too(sensor: Sensor) -> None:
    """However many periods have passed."""

    async def use(device: Device) -> None:
        for periods in (2, 7, 2):
            sensor.measure()
            samples = await device.read(periods)
            times = [sample.t_ns for sample in samples]
            assert times
            assert times == sorted(set(times))
            if not device.paced:
                assert len(samples) <= periods

    opened(sensor, use)


def test_a_cancelled_read_loses_the_reading_in_flight_at_most(sensor: Sensor) -> None:
    """Wherever it was; and the next reads go on after it."""

    async def use(device: Device) -> None:
        samples = await read(sensor, device)
        for steps in range(6):
            async with trio.open_nursery() as nursery:

                @nursery.start_soon
                async def interrupted() -> None:
                    samples.extend(await device.read())

                for _ in range(steps):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
            for _ in range(3):
                before = len(samples)
                samples.extend(await read(sensor, device))
                untold = not_told(sensor, samples[before - 1 :])
                assert untold <= 1, f"{untold} readings are missing after {steps} steps"
        times = [sample.t_ns for sample in samples]
        assert times == sorted(set(times))

    opened(sensor, use)


def not_told(sensor: Sensor, samples: list[Sample]) -> int:
    """How many readings between the samples are missing without being told. Each is a later one
    than its predecessor."""
    missing = 0
    numbers = [number for sample in samples if (number := sensor.number(sample)) is not None]
    for number, last, sample in zip(numbers[1:], numbers, samples[1:], strict=False):
        assert number > last
        missing += number - last - 1 - sample.lost
    return missing


def test_after_an_error_reads_work_again(sensor: Sensor) -> None:
    """The error is one line. Each further read fails in the same way or gives samples, which are
    later ones; what is missing before them has its flag."""

    async def use(device: Device) -> None:
        last = (await read(sensor, device))[-1]
        for _ in range(2):
            sensor.fail()
            one_line(await read_until_failure(sensor, device))
            sensor.mend()
            for sample in await read_until_success(sensor, device):
                assert sample.t_ns > last.t_ns
                assert bool(sample.lost) <= bool(sample.flags & GAPS)
                last = checked(sample)

    opened(sensor, use)


def test_the_ledger_gets_the_counts_of_before_and_after(sensor: Sensor) -> None:
    """They are added to what it has, under its own names."""

    async def use(device: Device) -> None:
        async def trouble() -> None:
            sensor.fail()
            await read_until_failure(sensor, device)
            sensor.mend()
            await read_until_success(sensor, device)

        await trouble()
        before = 5
        ledger = dict.fromkeys(LEDGER, before)
        device.count_in(ledger)
        first = dict(ledger)
        assert {name for name in ledger if first[name] > before} == sensor.counts
        await trouble()
        assert tuple(ledger) == LEDGER
        assert {name for name in ledger if ledger[name] > first[name]} == sensor.counts
        assert all(ledger[name] >= first[name] for name in LEDGER)

    opened(sensor, use)


def descriptors() -> set[str]:
    """What files this process has open, by number and name; a name may get lost, though."""
    return {
        f"{path.name} {path.readlink()}".removesuffix(" (deleted)")
        for path in Path("/proc/self/fd").iterdir()
        if path.is_symlink()  # that by which they are listed is closed by now
    }


@pytest.mark.parametrize("state", ["fresh", "read", "failed", "interrupted"])
def test_a_device_gives_everything_back_though_its_scope_is_cancelled(
    sensor: Sensor, state: str
) -> None:
    """Whatever it did before, closing takes a second at most and leaves no file open."""

    async def main() -> None:
        await trio.to_thread.run_sync(int)  # what trio itself needs is open from now on
        before = descriptors()
        device = await sensor.open()
        if state != "fresh":
            await read(sensor, device)
        if state == "failed":
            sensor.fail()
            await read_until_failure(sensor, device)
        if state == "interrupted":
            with trio.CancelScope() as scope:
                scope.cancel()
                await device.read()
        begun_s = trio.current_time()
        with trio.CancelScope() as scope:
            scope.cancel()
            await device.aclose()
        assert trio.current_time() - begun_s <= GOODBYE_S
        assert descriptors() - before == set()
        sensor.check_given_back()

    trio.run(main, clock=sensor.clock)
