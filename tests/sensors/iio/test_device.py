"""The kernel's driver: a fake of its interface, and virtual time."""

import errno
import logging
import math
import select
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.helpers.fake_devices import one_line
from tests.helpers.fake_iio import FakeIio, raw, record
from trio_mpu.device import Device
from trio_mpu.errors import DeviceError, NoDevice
from trio_mpu.sample import Flag, Sample
from trio_mpu.sensors.iio import session
from trio_mpu.sensors.iio.device import (
    LATE_READS,
    LOOK_S,
    NAMES,
    SILENCE_S,
    Buffered,
    Polled,
    open_iio,
)

RATE_HZ = 50
PERIOD_NS = 20_000_000


@pytest.fixture
def iio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeIio]:
    """A kernel without any device; whatever was opened is closed at the end."""
    kernel = FakeIio(tmp_path, monkeypatch)
    # The samples of these tests are there before the device is set up.
    monkeypatch.setattr(session.Buffer, "_settle", lambda _: None)
    yield kernel
    kernel.close()
    assert not kernel.opened


async def opened(iio: FakeIio, wanted: str = "", rate_hz: float = RATE_HZ) -> Device:
    """The device."""
    return await open_iio(wanted, rate_hz, iio.root)


async def refusal(device: Device) -> str:
    """What the next read says."""
    with pytest.raises(DeviceError) as caught:
        await device.read()
    return one_line(caught.value)


async def closed(device: Device, clock: MockClock) -> None:
    """Close the device, in real time: the mock clock takes a thread at work for idle."""
    clock.autojump_threshold = math.inf
    await device.aclose()


def values(number: int) -> tuple[float, ...]:
    """What a sample must have whose raw numbers are those of `number`."""
    ax, ay, az, temp, gx, gy, gz = raw(number)
    return (
        *(value * 0.000598 / 9.80665 for value in (ax, ay, az)),
        *(math.degrees(value * 0.001064724) for value in (gx, gy, gz)),
        (temp + 12420) * 2.941176 / 1000,
    )


# -- which device -------------------------------------------------------------------------------


async def test_the_device_is_found_by_its_name_whatever_its_number(iio: FakeIio) -> None:
    """Other sensors don't matter, and the source is the name."""
    iio.bind(0, "bmp280")
    for number, name in enumerate(NAMES, start=3):
        iio.bind(number, name)
        assert (await opened(iio)).source == f"iio:{name}"
        assert (await opened(iio, name)).source == f"iio:{name}"
        iio.unbind()


async def test_any_name_and_any_number_can_be_asked_for(iio: FakeIio) -> None:
    """Also those of a device that this program has never heard of."""
    iio.bind(0)
    iio.bind(7, "i2c-INVN6500:00")
    assert (await opened(iio, "i2c-INVN6500:00")).source == "iio:i2c-INVN6500:00"
    assert (await opened(iio, "7")).source == "iio:7"
    assert (await opened(iio)).source == "iio:mpu6050"


async def test_a_device_that_is_not_there_is_told_with_those_that_are(iio: FakeIio) -> None:
    """Whether it was asked for by its family, by name or by number."""
    for wanted in ("", "mpu6500", "1"):
        with pytest.raises(NoDevice, match="found: none") as caught:
            await opened(iio, wanted)
        one_line(caught.value)
    iio.bind(0, "bmp280")
    for wanted in ("", "mpu6500", "1"):
        with pytest.raises(NoDevice, match=r"found: bmp280 \(iio:device0\)\); load the driver"):
            await opened(iio, wanted)


async def test_of_two_alike_none_is_chosen(iio: FakeIio) -> None:
    """Their numbers may be swapped at the next boot: the user has to say which."""
    iio.bind(0)
    iio.bind(1)
    for wanted in ("", "mpu6050"):
        with pytest.raises(DeviceError, match=r"device0\), mpu6050 \(iio:device1\); choose one"):
            await opened(iio, wanted)
    assert (await opened(iio, "1")).source == "iio:1"


async def test_a_device_that_goes_while_it_is_looked_at_is_passed_over(iio: FakeIio) -> None:
    """Its name can't be read any more."""
    iio.bind(0)
    iio.errors["name"] = errno.ENODEV
    with pytest.raises(NoDevice):
        await opened(iio)


# -- the buffer ---------------------------------------------------------------------------------


async def test_each_record_of_the_buffer_is_a_sample(iio: FakeIio) -> None:
    """With its values in g, °/s and °C, and the kernel's own time of it."""
    iio.bind()
    device = await opened(iio)
    assert isinstance(device, Buffered)
    assert device.paced
    assert device.chip == "mpu6050, through the kernel's driver and its buffer"
    times = [10**12 + n * PERIOD_NS for n in range(100)]
    iio.captured(*(record(t_ns, n) for n, t_ns in enumerate(times)))
    samples = await device.read()
    assert [sample.t_ns for sample in samples] == times
    for n, sample in enumerate(samples):
        assert sample[1:8] == pytest.approx(values(n), rel=1e-9)
    assert {(sample.flags, sample.lost) for sample in samples} == {(0, 0)}
    await device.aclose()


async def test_an_axis_at_the_end_of_its_range_is_told(iio: FakeIio) -> None:
    """At either end, of each axis; the temperature has no such end."""
    iio.bind()
    device = await opened(iio)
    numbers = [bytearray(record(10**12 + n * PERIOD_NS, n)) for n in range(15)]
    for place in range(7):
        numbers[2 * place][2 * place : 2 * place + 2] = b"\x7f\xff"
        numbers[2 * place + 1][2 * place : 2 * place + 2] = b"\x80\x00"
    iio.captured(*map(bytes, numbers))
    clipped = [bool(sample.flags & Flag.CLIPPED) for sample in await device.read()]
    temperature = 3  # its place among the channels of the buffer
    assert clipped == [n < 14 and n // 2 != temperature for n in range(15)]
    await device.aclose()


async def test_numbers_that_come_again_are_told(iio: FakeIio) -> None:
    """An output that is frozen looks like a sensor at rest, but for its noise."""
    iio.bind()
    device = await opened(iio)
    iio.captured(*(record(10**12 + n * PERIOD_NS, n // 2) for n in range(4)))
    flags = [sample.flags for sample in await device.read()]
    assert flags == [0, Flag.STALE_REPEAT, 0, Flag.STALE_REPEAT]
    await device.aclose()


async def test_the_types_of_the_kernel_are_used(iio: FakeIio) -> None:
    """Little-endian numbers of 12 bits above 4 others, in another order: no layout is assumed."""
    iio.bind(
        files={
            "scan_elements/in_accel_x_type": "le:s12/16>>4",
            "scan_elements/in_accel_x_index": "5",
            "scan_elements/in_anglvel_y_index": "0",
        }
    )
    device = await opened(iio)
    numbers = bytearray(record(1, 0))
    numbers[0:2], numbers[10:12] = numbers[10:12], (0xFFE7).to_bytes(2, "little")
    iio.captured(bytes(numbers))
    [sample] = await device.read()
    assert sample.ax == pytest.approx(-2 * 0.000598 / 9.80665)
    assert sample[2:8] == pytest.approx(values(0)[1:])
    await device.aclose()


async def test_scale_offset_and_mount_matrix_are_those_of_the_device(iio: FakeIio) -> None:
    """Not those that such a chip usually has."""
    iio.bind(
        files={
            "in_accel_scale": "0.004785",
            "in_accel_x_offset": "100",
            "in_anglvel_z_scale": "0.5",
            "in_temp_offset": "0",
            "in_accel_mount_matrix": "0, 1, 0; -1, 0, 0; 0, 0, 1",
        }
    )
    device = await opened(iio)
    iio.captured(record(1, 512 + 7))
    [sample] = await device.read()
    g = 0.004785 / 9.80665
    assert sample[1:4] == pytest.approx((-7 * g, -107 * g, 16384 * g))
    assert sample.gx == pytest.approx(values(0)[3])
    assert sample.gz == pytest.approx(math.degrees(7 * 0.5))
    assert sample.temp == pytest.approx((-3920 + 7) * 2.941176 / 1000)
    await device.aclose()


async def test_everything_is_set_up_before_the_buffer_is_switched_on(iio: FakeIio) -> None:
    """Channels, clock, trigger, length and rate; what is on of others is switched off."""
    iio.bind(3)
    device = await opened(iio, rate_hz=200)
    iio.captured(record(1))
    await device.read()
    on = {name for name in iio.settings() if name.endswith("_en") and iio.says(name) == "1"}
    assert len(on) == 8
    assert "scan_elements/in_magn_x_en" not in on
    assert iio.says("current_timestamp_clock") == "monotonic"
    assert iio.says("trigger/current_trigger") == "mpu6050-dev3"
    assert iio.says("buffer/length") == "400"
    assert iio.says("sampling_frequency") == "200"
    assert iio.written[-2:] == [("buffer/enable", "1"), ("sampling_frequency", "200")]
    assert device.period_ns == 5_000_000
    await device.aclose()


@pytest.mark.parametrize(
    ("asked", "takes", "period_ns"),
    [(300, "333", 3_003_003), (62.5, "62", 16_129_032), (50, "50", 20_000_000)],
)
async def test_the_period_is_that_of_the_rate_which_the_chip_has(
    iio: FakeIio, asked: float, takes: str, period_ns: int
) -> None:
    """Not that which was asked for; a driver that takes whole numbers only is asked for one."""

    def rate(text: str) -> str:
        if "." in text:
            raise OSError(errno.EINVAL, "Invalid argument")
        return takes if text != "50" else "50"

    iio.rules["sampling_frequency"] = rate
    iio.bind()
    device = await opened(iio, rate_hz=asked)
    iio.captured(record(1))
    await device.read()
    assert device.period_ns == period_ns
    await device.aclose()
    assert iio.says("sampling_frequency") == "50"


async def test_the_rate_is_changed_while_the_buffer_is_on_with_a_sample_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux 6.1 has wrong times after any other way; what was captured meanwhile is thrown away."""
    iio = FakeIio(tmp_path, monkeypatch)
    iio.bind()
    samples: list[str] = []

    def comes(*_: object) -> None:
        samples.append(f"sample at {iio.says('sampling_frequency')}")
        iio.written.append(("sample", iio.says("buffer/enable")))
        iio.captured(record(len(samples)))

    monkeypatch.setattr(select, "select", comes)
    device = await opened(iio, rate_hz=200)
    with trio.move_on_after(0.01):
        await device.read()
    assert samples == [*["sample at 50"] * 2, *["sample at 200"] * 2]
    await device.aclose()
    assert samples[4:] == ["sample at 50"] * 2
    names = [name for name, _ in iio.written]
    on = names.index("buffer/enable")
    assert names[on + 1 : on + 9] == [
        *("sample", "sample", "sampling_frequency", "sample", "sample"),
        *("sampling_frequency", "sample", "sample"),
    ]
    assert names[on + 9] == "buffer/enable"
    iio.close()
    assert not iio.opened


async def test_a_trigger_that_is_set_stays(iio: FakeIio) -> None:
    """Somebody had a reason."""
    iio.bind(files={"trigger/current_trigger": "mine"})
    device = await opened(iio)
    iio.captured(record(1))
    await device.read()
    assert iio.says("trigger/current_trigger") == "mine"
    await device.aclose()


async def test_what_was_changed_is_put_back_at_the_end(iio: FakeIio) -> None:
    """Whatever it was: nothing is left behind, and the buffer is off."""
    iio.bind(3, files={"current_timestamp_clock": "boottime", "buffer/length": "17"})
    before = iio.settings()
    device = await opened(iio)
    iio.captured(record(1))
    await device.read()
    assert iio.settings() != before
    await device.aclose()
    assert iio.settings() == before
    await device.aclose()


async def test_the_end_is_the_same_in_a_cancelled_scope(iio: FakeIio) -> None:
    """That is how a producer is stopped."""
    iio.bind()
    before = iio.settings()
    device = await opened(iio)
    with trio.CancelScope() as scope:
        iio.captured(record(1))
        await device.read()
        scope.cancel()
        try:
            await device.read()
        finally:
            await device.aclose()
    assert scope.cancelled_caught
    assert iio.settings() == before


async def test_a_buffer_that_a_killed_program_has_left_on_is_taken_over(
    iio: FakeIio, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody has it open, so nobody reads it; at the end it is off."""
    caplog.set_level(logging.INFO)
    iio.bind(files={"buffer/enable": "1"})
    device = await opened(iio)
    iio.captured(record(1))
    assert len(await device.read()) == 1
    assert "the buffer was left on; turning it off" in caplog.text
    await device.aclose()
    assert iio.says("buffer/enable") == "0"


async def test_a_buffer_that_can_not_be_switched_off_is_told(iio: FakeIio) -> None:
    """There is no way to set anything while it is on."""
    iio.bind(files={"buffer/enable": "1"})

    def refused(value: str) -> str:
        raise OSError(errno.EPERM, "Operation not permitted")

    iio.rules["buffer/enable"] = refused
    assert "can't write '0' to" in await refusal(await opened(iio))


async def test_a_kernel_without_a_watermark_has_none_to_be_set(iio: FakeIio) -> None:
    """Older ones wake at each sample anyway. Nor has every device a trigger."""
    iio.bind()
    (iio.folder / "buffer/watermark").unlink()
    (iio.folder / "trigger/current_trigger").unlink()
    device = await opened(iio)
    iio.captured(record(1))
    assert len(await device.read()) == 1
    await device.aclose()


async def test_a_refused_setting_leaves_everything_as_it_was(iio: FakeIio) -> None:
    """At whichever of them it happens, the error says what could not be written, and the next
    read tries anew."""
    iio.bind()
    before = iio.settings()
    device = await opened(iio, rate_hz=200)
    iio.captured(record(1))
    await device.read()
    changed = [name for name, _ in iio.written]
    await device.aclose()
    assert len(changed) > 10

    for name in dict.fromkeys(changed):

        def refused(value: str, name: str = name) -> str:
            if value != before[name]:
                raise OSError(errno.EPERM, "Operation not permitted")
            return value

        iio.rules = {name: refused}
        iio.written.clear()
        message = await refusal(device)
        assert name in message
        assert "run as root" in message
        assert iio.settings() == before
        assert not iio.opened
    iio.rules.clear()
    iio.captured(record(2))
    assert len(await device.read()) == 1
    await device.aclose()


# -- gaps ---------------------------------------------------------------------------------------


async def test_a_step_in_time_is_a_gap_and_told(iio: FakeIio) -> None:
    """As when the kernel's buffer was full, which keeps the oldest and drops what is new."""
    iio.bind()
    device = await opened(iio)
    there = [n for n in range(200) if not 64 <= n < 101 and n != 150]
    iio.captured(*(record(10**9 + n * PERIOD_NS, n) for n in there))
    samples = await device.read()
    assert {n: sample.lost for n, sample in zip(there, samples, strict=True) if sample.lost} == {
        101: 37,
        151: 1,
    }
    assert all(bool(sample.lost) == (sample.flags == Flag.DEVICE_GAP) for sample in samples)
    await device.aclose()


async def single(iio: FakeIio, device: Device, t_ns: int) -> Sample:
    """One sample that comes by itself, with this time."""
    iio.captured(record(t_ns))
    [sample] = await device.read()
    return sample


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """CLOCK_MONOTONIC, in its only element."""
    clock = [10**12]
    monkeypatch.setattr(time, "monotonic_ns", lambda: clock[0])
    return clock


async def test_times_that_lag_behind_are_corrected_by_a_new_session(
    iio: FakeIio, now: list[int]
) -> None:
    """The driver's times go on as if nothing had happened when a chip stood still for a while;
    then they are wrong, and the gap can't be seen in them. What was thrown away is told as well."""
    iio.bind()
    before = iio.settings()
    device = await opened(iio)
    t_ns = now[0]
    await single(iio, device, t_ns)
    now[0] += 50 * PERIOD_NS
    for _ in range(LATE_READS - 1):
        now[0] += PERIOD_NS
        t_ns += PERIOD_NS
        assert (await single(iio, device, t_ns)).lost == 0
    now[0] += PERIOD_NS
    iio.captured(record(t_ns + PERIOD_NS))
    message = await refusal(device)
    assert message.startswith("the kernel's timestamps of iio:mpu6050 lag by 1.00 s, as after")
    assert iio.settings() == before
    now[0] += PERIOD_NS
    first = await single(iio, device, now[0])
    assert first.lost == 51
    await device.aclose()


async def test_a_late_reader_does_not_make_the_times_wrong(iio: FakeIio, now: list[int]) -> None:
    """Neither what has waited together, nor a single one now and then, nor times that were never
    right: a new session would not help against those."""
    iio.bind()
    device = await opened(iio)
    old_ns = now[0] - 10**9
    iio.captured(record(old_ns), record(old_ns + 1))
    await device.read()
    for _ in range(3 * LATE_READS):
        await single(iio, device, old_ns)
    await single(iio, device, now[0])
    for _ in range(3):
        for _ in range(LATE_READS - 1):
            await single(iio, device, old_ns)
        await single(iio, device, now[0])
    for _ in range(3 * LATE_READS):
        iio.captured(record(old_ns), record(old_ns + 1))
        await device.read()
    await device.aclose()


async def test_a_device_that_is_unbound_and_bound_again_is_found_with_another_number(
    iio: FakeIio, autojump_clock: MockClock
) -> None:
    """Each read in between fails and says why, the settings are made anew, and the gap is told."""
    iio.bind(0)
    device = await opened(iio)
    iio.captured(record(10**9))
    await device.read()
    iio.unbind()
    assert "device is gone" in await refusal(device)
    for _ in range(3):
        assert "there is no IIO device mpu6050" in await refusal(device)
        assert not iio.opened
    iio.bind(2)
    before = iio.settings()
    iio.captured(record(10**9 + 250 * PERIOD_NS), record(10**9 + 251 * PERIOD_NS))
    first, second = await device.read()
    assert (first.lost, second.lost) == (249, 0)
    assert first.flags & Flag.DEVICE_GAP
    assert iio.says("trigger/current_trigger") == "mpu6050-dev2"
    await closed(device, autojump_clock)
    assert iio.settings() == before


async def test_a_device_that_is_unbound_during_a_wait_is_noticed_soon(
    iio: FakeIio, autojump_clock: MockClock
) -> None:
    """The kernel wakes nobody for it."""
    iio.bind()
    device = await opened(iio)
    iio.captured(record(1))
    await device.read()
    async with trio.open_nursery() as nursery:

        async def goes() -> None:
            await trio.sleep(0.55)
            iio.unbind()

        nursery.start_soon(goes)
        begun_s = trio.current_time()
        assert "device is gone" in await refusal(device)
        assert trio.current_time() - begun_s <= 0.55 + LOOK_S


async def test_a_silent_device_is_an_error_and_begun_anew(
    iio: FakeIio, autojump_clock: MockClock
) -> None:
    """A chip that lost its power has forgotten its settings: they are made again."""
    iio.bind()
    before = iio.settings()
    device = await opened(iio)
    begun_s = trio.current_time()
    assert await refusal(device) == (
        "iio:mpu6050 delivered no sample for 1 s; check the chip's power and its interrupt line"
    )
    assert trio.current_time() - begun_s == pytest.approx(SILENCE_S)
    assert iio.settings() == before
    assert not iio.opened
    iio.captured(record(1))
    assert len(await device.read()) == 1
    await closed(device, autojump_clock)


async def test_a_slow_device_is_given_time(iio: FakeIio, autojump_clock: MockClock) -> None:
    """At 4 Hz a second is only four periods."""
    iio.bind()
    device = await opened(iio, rate_hz=4)
    assert "for 1.25 s" in await refusal(device)


async def test_a_sample_wakes_the_reader_at_once(iio: FakeIio, autojump_clock: MockClock) -> None:
    """It isn't found by looking now and then."""
    iio.bind()
    device = await opened(iio)
    iio.captured(record(1))
    await device.read()
    async with trio.open_nursery() as nursery:

        async def comes() -> None:
            await trio.sleep(0.033)
            iio.captured(record(2))

        nursery.start_soon(comes)
        begun_s = trio.current_time()
        assert len(await device.read()) == 1
        assert trio.current_time() - begun_s == pytest.approx(0.033, abs=1e-3)
    await closed(device, autojump_clock)


async def test_a_cancelled_read_loses_nothing(iio: FakeIio, autojump_clock: MockClock) -> None:
    """What was not read is still in the buffer."""
    iio.bind()
    device = await opened(iio)
    iio.captured(record(1, 1))
    assert len(await device.read()) == 1
    with trio.move_on_after(0.01) as scope:
        await device.read()
    assert scope.cancelled_caught
    iio.captured(record(1 + PERIOD_NS, 2))
    [sample] = await device.read()
    assert sample.lost == 0
    await closed(device, autojump_clock)


async def test_a_buffer_that_another_program_switches_off_is_told(
    iio: FakeIio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel then gives no bytes at once."""
    iio.bind()
    device = await opened(iio)
    iio.captured(record(1))
    await device.read()
    monkeypatch.setattr(session.Buffer, "records", lambda _: [])
    assert await refusal(device) == ("another program turned off the buffer of iio:mpu6050")


# -- what is told of each failure ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "number", "advice"),
    [
        ("iio:device0", errno.EBUSY, "another program is using the sensor; stop it"),
        ("iio:device0", errno.EACCES, "run as root, or add a udev rule"),
        ("iio:device0", errno.EMFILE, "Too many open files"),
        ("in_temp_scale", errno.EACCES, "run as root, or add a udev rule"),
        ("buffer/enable", errno.EINVAL, "the chip does not answer on its bus"),
        ("sampling_frequency", errno.ENODEV, "the device is gone"),
    ],
)
async def test_a_failure_says_what_to_do(iio: FakeIio, file: str, number: int, advice: str) -> None:
    """In one line, with the file's path."""
    iio.bind()
    device = await opened(iio)
    iio.errors[file] = number
    message = await refusal(device)
    assert file in message
    assert advice in message


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"in_accel_scale": "x"}, "in_accel_scale is not a number"),
        ({"in_accel_mount_matrix": "0, 0, 0"}, "in_accel_mount_matrix is not three rows"),
        ({"scan_elements/in_temp_type": "be:f32/32>>0"}, "not a supported channel type"),
        ({"scan_elements/in_temp_index": "0"}, "same index"),
        ({"sampling_frequency": "0"}, "sampling_frequency reports an invalid rate: 0 Hz"),
    ],
)
async def test_a_device_that_can_not_be_understood_is_refused(
    iio: FakeIio, files: dict[str, str], reason: str
) -> None:
    """No number is guessed."""
    iio.rules["sampling_frequency"] = lambda value: files.get("sampling_frequency", value)
    iio.bind(files=files)
    before = iio.settings()
    assert reason in await refusal(await opened(iio))
    assert iio.settings() == before


async def test_a_sensor_of_another_kind_is_refused(iio: FakeIio) -> None:
    """It is named by what it lacks."""
    for buffer in (True, False):
        iio.bind(0, "bmp280", buffer=buffer)
        (iio.folder / "in_anglvel_y_raw").unlink()
        device = await opened(iio, "bmp280")
        assert "it has no in_anglvel_y_raw" in await refusal(device)
        iio.unbind()


# -- sysfs --------------------------------------------------------------------------------------


def measured(iio: FakeIio, number: int) -> None:
    """Let the chip have these raw values."""
    for name, value in zip(
        ("accel_x", "accel_y", "accel_z", "temp", "anglvel_x", "anglvel_y", "anglvel_z"),
        raw(number),
        strict=True,
    ):
        (iio.folder / f"in_{name}_raw").write_text(f"{value}\n")


async def polled(iio: FakeIio, rate_hz: float = RATE_HZ) -> Polled:
    """A device without a buffer."""
    iio.bind(buffer=False)
    device = await opened(iio, rate_hz=rate_hz)
    assert isinstance(device, Polled)
    assert not device.paced
    return device


async def test_without_a_buffer_the_values_are_read_each_time(
    iio: FakeIio, caplog: pytest.LogCaptureFixture
) -> None:
    """In the same units; at the producer's rate; and the log says why."""
    caplog.set_level(logging.INFO)
    device = await polled(iio, 10)
    assert device.period_ns == 10**8
    assert "iio:mpu6050 has no buffer, because its interrupt is not wired" in caplog.text
    for number in range(3):
        measured(iio, number)
        before_ns = time.monotonic_ns()
        [sample] = await device.read()
        assert before_ns <= sample.t_ns <= time.monotonic_ns()
        assert sample == Sample(sample.t_ns, *sample[1:8])
        assert sample[1:8] == pytest.approx(values(number), rel=1e-9)
    assert (await device.read())[0].flags == Flag.STALE_REPEAT
    (iio.folder / "in_anglvel_z_raw").write_text("-32768\n")
    assert (await device.read())[0].flags == Flag.CLIPPED
    assert device.chip == "mpu6050, through the kernel's driver and sysfs"
    await device.aclose()


async def test_another_range_is_noticed(iio: FakeIio) -> None:
    """Another program may choose one at any time."""
    device = await polled(iio)
    measured(iio, 0)
    [before] = await device.read()
    (iio.folder / "in_accel_scale").write_text("0.004785\n")
    [after] = await device.read()
    assert after.az / before.az == pytest.approx(4785 / 598)
    assert after.gx == before.gx
    await device.aclose()


@pytest.mark.parametrize(("rate_hz", "meanwhile"), [(10, "50"), (50, "50"), (200, "200")])
async def test_a_chip_that_is_slower_than_its_reader_is_made_faster(
    iio: FakeIio, rate_hz: float, meanwhile: str
) -> None:
    """And at the end it is as slow as it was."""
    device = await polled(iio, rate_hz)
    await device.read()
    assert iio.says("sampling_frequency") == meanwhile
    await device.aclose()
    assert iio.says("sampling_frequency") == "50"


async def test_a_rate_that_can_not_be_had_is_told(iio: FakeIio) -> None:
    """With what to change."""

    def refused(text: str) -> str:
        raise OSError(errno.EINVAL, "Invalid argument")

    iio.rules["sampling_frequency"] = refused
    device = await polled(iio, 2000)
    message = await refusal(device)
    assert "can't sample at 2000 Hz; choose another --rate" in message


async def test_a_polled_device_survives_unbinding(iio: FakeIio) -> None:
    """Each read says what is wrong until the device is back, under another number."""
    device = await polled(iio)
    await device.read()
    iio.unbind()
    assert "in_accel_x_raw: No such device (the device is gone" in await refusal(device)
    assert "there is no IIO device mpu6050" in await refusal(device)
    iio.bind(4, buffer=False)
    measured(iio, 9)
    [sample] = await device.read()
    assert sample[1:8] == pytest.approx(values(9))
    await device.aclose()


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EINVAL, "the chip does not answer on its bus"),
        (errno.EBUSY, "another program is using the sensor"),
        (errno.ETIMEDOUT, "the chip does not answer on its bus"),
    ],
)
async def test_a_failed_value_is_told_and_tried_again(
    iio: FakeIio, number: int, advice: str
) -> None:
    """One read that fails is one sample less."""
    device = await polled(iio)
    await device.read()
    iio.errors["in_anglvel_z_raw"] = number
    assert advice in await refusal(device)
    iio.errors.clear()
    assert len(await device.read()) == 1
    await device.aclose()
    await device.aclose()


async def test_what_was_opened_is_closed(iio: FakeIio) -> None:
    """After failures and at the end, in both ways."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    device = await polled(iio)
    for _ in range(3):
        await device.read()
        iio.errors["in_temp_raw"] = errno.EINVAL
        await refusal(device)
        iio.errors.clear()
        iio.errors["in_temp_offset"] = errno.EACCES
        await refusal(device)
        iio.errors.clear()
    await device.aclose()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_sensor_behind_the_kernel_is_known_by_its_name(tmp_path: Path) -> None:
    """The kernel doesn't tell one chip from another; a calibration is of the name."""
    for kind in (Buffered, Polled):
        device = kind("mpu6500", 100, tmp_path)
        assert device.identity == device.source == "iio:mpu6500"
