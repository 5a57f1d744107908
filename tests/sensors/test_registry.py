"""SPEC → device."""

import errno
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from tests.helpers.fake_devices import one_line
from tests.helpers.fake_iio import FakeIio, record
from tests.helpers.recordings import as_csv, records
from tests.test_sample import NOT_YET, TEXT
from trio_mpu.device import TextDevice
from trio_mpu.errors import DeviceError, UsageError
from trio_mpu.sensors import registry
from trio_mpu.sensors.iio import session
from trio_mpu.sensors.registry import open_device
from trio_mpu.sensors.replay.device import Replay
from trio_mpu.sensors.simulator import Simulator


@pytest.fixture
def text_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the text driver's device is looked for, on a machine that has nothing else."""
    path = tmp_path / "dev" / "mpu6050"
    path.parent.mkdir()
    monkeypatch.setattr(registry, "ROOT", tmp_path)
    return path


@pytest.fixture
def iio(text_device: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeIio]:
    """The kernel's IIO interface of that machine."""
    kernel = FakeIio(tmp_path, monkeypatch)
    # The samples of these tests are there before the device is set up.
    monkeypatch.setattr(session.Buffer, "_settle", lambda _: None)
    yield kernel
    kernel.close()
    assert not kernel.opened


async def test_auto_is_the_simulator_when_there_is_no_device(
    text_device: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And the log says that the data is not real, and why."""
    with caplog.at_level(logging.INFO):
        device = await open_device("auto", 50)
    assert isinstance(device, Simulator)
    assert device.period_ns == 20_000_000
    no_text, no_iio, no_i2c, simulated = caplog.messages
    assert no_text == f"auto: {text_device} does not exist"
    assert no_iio.startswith("auto: there is no IIO device of the MPU-6050 family")
    assert no_i2c == "auto: there is no I2C bus"
    assert simulated == "auto: no sensor found, so the data is SIMULATED"


async def test_auto_is_the_text_device_when_there_is_one(
    text_device: Path, iio: FakeIio, caplog: pytest.LogCaptureFixture
) -> None:
    """And the log says so; it goes before IIO."""
    text_device.write_bytes(TEXT)
    iio.bind(buffer=False)
    with caplog.at_level(logging.INFO):
        device = await open_device("auto", 50)
    assert isinstance(device, TextDevice)
    assert (device.source, device.period_ns) == (str(text_device), 20_000_000)
    assert caplog.messages == [f"auto: using {text_device}"]


async def test_auto_is_the_kernel_s_driver_when_there_is_no_text_device(
    iio: FakeIio, caplog: pytest.LogCaptureFixture
) -> None:
    """Each step has its line in the log."""
    iio.bind(buffer=False)
    with caplog.at_level(logging.INFO):
        device = await open_device("auto", 50)
    assert device.source == "iio:mpu6050"
    assert [message.split(" ")[0] for message in caplog.messages] == [
        "auto:",
        "iio:mpu6050",
        "auto:",
    ]
    assert caplog.messages[-1] == "auto: using iio:mpu6050"
    await device.aclose()


async def test_auto_goes_on_to_the_next_sensor_when_one_is_broken(
    text_device: Path, iio: FakeIio, caplog: pytest.LogCaptureFixture
) -> None:
    """The refusal is told: the user may have meant the other one."""
    text_device.mkdir()
    iio.bind(buffer=False)
    device = await open_device("auto", 50)
    assert device.source == "iio:mpu6050"
    assert caplog.messages[0] == f"auto: can't read {text_device}: Is a directory"
    await device.aclose()


@pytest.mark.parametrize("buffer", [False, True])
async def test_auto_does_not_replace_a_broken_device_by_a_simulated_one(
    text_device: Path, iio: FakeIio, *, buffer: bool
) -> None:
    """Simulated data is never passed off as real: the first error is told instead, and what was
    tried is left as it was."""
    iio.bind(buffer=buffer)
    before = iio.settings()
    iio.errors["in_accel_scale"] = errno.EACCES
    with pytest.raises(DeviceError, match="in_accel_scale: Permission denied"):
        await open_device("auto", 100)
    assert iio.settings() == before
    assert not iio.opened
    text_device.mkdir()
    with pytest.raises(DeviceError, match="Is a directory"):
        await open_device("auto", 100)


async def test_iio_is_the_kernel_s_driver(iio: FakeIio) -> None:
    """By family, name or number; read once, so that its period is known."""
    iio.rules["sampling_frequency"] = lambda _: "333"
    iio.bind(2)
    for spec in ("iio", "iio:", "iio:mpu6050", "iio:2"):
        iio.captured(record(1))
        device = await open_device(spec, 300)
        assert device.source == ("iio:2" if spec == "iio:2" else "iio:mpu6050")
        assert device.period_ns == 3_003_003
        await device.aclose()


async def test_a_device_that_is_given_up_while_it_is_tried_is_left_as_it_was(iio: FakeIio) -> None:
    """Ctrl-C may come before the first sample."""
    iio.bind()
    before = iio.settings()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(open_device, "iio", 100)
        while iio.says("buffer/enable") != "1":
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert iio.settings() == before
    assert not iio.opened


async def test_an_iio_device_that_is_not_there_is_an_error_from_the_start(iio: FakeIio) -> None:
    """It may come later, but is more likely to be misspelt."""
    iio.bind()
    with pytest.raises(DeviceError, match="there is no IIO device mpu9250"):
        await open_device("iio:mpu9250", 100)


@pytest.mark.parametrize("spec", ["sim", "sim:", "sim:seed=1"])
async def test_sim_is_the_simulator(spec: str) -> None:
    """With its options, if there are any."""
    device = await open_device(spec, 1000)
    assert isinstance(device, Simulator)
    assert (device.source, device.period_ns) == ("sim:seed=1", 10**6)


async def test_replay_is_a_recording_with_a_pace_of_its_own(tmp_path: Path) -> None:
    """The rate that was asked for doesn't matter to it."""
    path = tmp_path / "a:b"
    path.write_text(as_csv(records(1, 2)))
    device = await open_device(f"replay:{path}", 1000)
    assert isinstance(device, Replay)
    assert device.period_ns == 10**7


async def test_a_path_is_a_text_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Absolute, relative, and a bare name of what is there; read once to see that it works."""
    (tmp_path / "sensor").write_bytes(TEXT)
    monkeypatch.chdir(tmp_path)
    for spec in (str(tmp_path / "sensor"), "./sensor", "sensor"):
        device = await open_device(spec, 100)
        assert isinstance(device, TextDevice)
        assert device.source == spec


async def test_a_name_of_the_list_is_not_looked_for_as_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that happens to be called "sim" needs a slash."""
    (tmp_path / "sim").write_bytes(TEXT)
    monkeypatch.chdir(tmp_path)
    assert isinstance(await open_device("sim", 100), Simulator)
    assert isinstance(await open_device("./sim", 100), TextDevice)


async def test_a_device_without_a_sample_yet_is_opened(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It works; its first sample is on its way."""
    (tmp_path / "sensor").write_bytes(NOT_YET)
    with caplog.at_level(logging.INFO):
        assert isinstance(await open_device(str(tmp_path / "sensor"), 100), TextDevice)
    assert "not measured anything yet" in caplog.text


@pytest.mark.parametrize("content", [None, b"", b"noise"])
async def test_a_path_that_gives_no_sample_is_told_from_the_start(
    tmp_path: Path, content: bytes | None
) -> None:
    """What is wrong at the beginning is more likely a mistake than a passing fault."""
    path = tmp_path / "sensor"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DeviceError, match="sensor") as caught:
        await open_device(str(path), 100)
    one_line(caught.value)


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "Auto",
        "auto:",
        "simulator",
        "replay",
        "replay:",
        "i2c-1",
        "nowhere",
        "a" * 300,
        ":",
        "-",
    ],
)
async def test_what_is_no_device_is_told_with_what_there_is(spec: str) -> None:
    """The message quotes it and lists all forms."""
    with pytest.raises(UsageError) as caught:
        await open_device(spec, 100)
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith(repr(spec))
    for form in ("auto", "iio", "sim", "i2c:BUS", "replay:FILE", "path"):
        assert form in message


@pytest.mark.parametrize(
    "spec", ["/dev/a\nb", "/dev/\x1b[2J", "/dev/a\u2028b", "replay:\udcff", "sim:\t", "\x85"]
)
async def test_a_name_that_would_break_a_line_is_refused(spec: str) -> None:
    """The spec stands in log lines, the ring's header and every JSON object."""
    with pytest.raises(UsageError, match="unprintable characters") as caught:
        await open_device(spec, 100)
    one_line(caught.value)


async def test_a_wrong_option_and_a_missing_recording_are_usage_errors(tmp_path: Path) -> None:
    """The command line is to be changed, so the exit status is that of the command line."""
    for spec in ("sim:speed=9", f"replay:{tmp_path}/none", f"replay:{tmp_path}"):
        with pytest.raises(UsageError):
            await open_device(spec, 100)


async def test_a_tilde_is_the_home_wherever_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shell leaves it alone behind a colon."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "text").write_bytes(TEXT)
    device = await open_device("~/text", 100)
    assert device.source == str(tmp_path / "text")
    with pytest.raises(UsageError, match=f"{tmp_path}/none.csv"):
        await open_device("replay:~/none.csv", 100)
