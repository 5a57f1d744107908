"""The calibration as a whole: a simulated sensor or a chip in software, virtual time, a person who
presses Enter."""

import math
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import yaml
from trio.testing import MockClock

from tests.helpers.calibrations import CALIBRATION
from tests.helpers.fake_devices import FakeDevice, FakeTicker, one_line, sample, virtual_ns
from tests.helpers.software_chip import Clock, installed
from tests.helpers.still_chip import CODES, StillChip
from trio_mpu.calibration import collect
from trio_mpu.calibration import run as calibration_run
from trio_mpu.calibration.files import default_path, load, save
from trio_mpu.calibration.model import ONE, ZERO, Calibration
from trio_mpu.calibration.noise_model import Noise, noise
from trio_mpu.calibration.run import read_line, run_calibrator
from trio_mpu.errors import CalibrationError, TrioMpuError, UsageError
from trio_mpu.ring import RingWriter
from trio_mpu.sample import Sample
from trio_mpu.sensors import registry, simulator
from trio_mpu.sensors.mpu6050.registers import ACCEL_CONFIG, GYRO_CONFIG
from trio_mpu.sensors.simulator import Simulator
from trio_mpu.settings import CalibrateSettings

PLAN = CalibrateSettings(device="sim:seed=3,still", ring="nobody")
SIX = replace(PLAN, device="sim:seed=3,still=10.5", positions=True)
CHIP = replace(PLAN, device="i2c:1,rate=200")
TEST = replace(CHIP, self_test=True)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for calibrations, and virtual time."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(collect, "Ticker", FakeTicker)
    monkeypatch.setattr(collect, "monotonic_ns", virtual_ns)
    return tmp_path


@pytest.fixture
def output(home: Path) -> Path:
    """Where a calibration is to go."""
    return home / "x.toml"


def run(plan: CalibrateSettings, keys: bytes = b"") -> None:
    """Calibrate in virtual time, with these keys pressed."""
    there, here = os.pipe()
    os.write(here, keys)
    os.close(here)
    try:
        clock = MockClock(autojump_threshold=0)
        trio.run(lambda: run_calibrator(plan, trio.Event(), there), clock=clock)
    except BaseExceptionGroup as group:
        [error] = group.exceptions
        raise error from None
    finally:
        os.close(there)


def refusal(plan: CalibrateSettings, keys: bytes = b"") -> str:
    """Why it is not done, in one line."""
    with pytest.raises(TrioMpuError) as caught:
        run(plan, keys)
    return one_line(caught.value)


def truth() -> Calibration:
    """The errors that the simulated sensor has."""
    sensor = Simulator.from_options("seed=3,still", 100)
    (x, y, z), (ox, oy, oz), (sx, sy, sz) = sensor._bias_dps, sensor._offset_g, sensor._scale
    return Calibration(sensor.identity, "", (x, y, z), (ox, oy, oz), (sx, sy, sz))


# -- at rest ------------------------------------------------------------------------------------


def test_at_rest_the_bias_is_found(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To the mean's own uncertainty; figures of each axis are shown, and where it was saved."""
    run(replace(PLAN, output=str(output)))
    found = load(output)
    assert found.identity == "sim:seed=3,still"
    assert found.bias_dps == pytest.approx(truth().bias_dps, abs=5 * 0.05 / 1000**0.5)
    assert (found.offset_g, found.scale) == (ZERO, ONE)
    assert list(output.parent.iterdir()) == [output]
    shown = capsys.readouterr().out
    for part in (
        "measuring sim:seed=3,still for 10 s: do not touch it",
        "sim:seed=3,still at 26.",
        "1000 readings at 100 Hz",
        "gz, °/s",
        f"saved calibration {found.id} to {output}",
    ):
        assert part in shown
    assert "missed" not in shown


def test_what_moves_is_not_calibrated(output: Path) -> None:
    """The figure and the threshold are told, and nothing is saved."""
    message = refusal(replace(PLAN, device="sim", output=str(output)))
    assert message.startswith("not at rest: g")
    assert "°/s; the limit is 1 °/s" in message
    assert not output.exists()


def test_simulated_sensors_are_saved_only_when_asked_for(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report is shown all the same."""
    run(PLAN)
    assert list(home.iterdir()) == []
    assert (
        "not saved, because the sensor is simulated: use --output FILE" in capsys.readouterr().out
    )


@pytest.mark.parametrize("positions", [False, True])
def test_without_a_sensor_nothing_is_measured(
    positions: bool, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The simulator, which the producer would use, must be named."""
    monkeypatch.setattr(registry, "ROOT", home)
    assert refusal(replace(PLAN, device="auto", positions=positions)) == (
        "no sensor found; name yours with --device (i2c:1, iio or a path), or try --device sim:still"
    )
    assert capsys.readouterr().out == ""


def test_no_folder_is_made_for_the_output(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt one is reported before anything is measured; one that exists may be implied."""
    (home / "file").touch()
    for folder in (home / "a", home / "a" / "b", home / "file"):
        assert refusal(replace(PLAN, output=str(folder / "x.toml"))) == (
            f"can't save to {folder}/x.toml: there is no folder {folder}"
        )
    assert capsys.readouterr().out == ""
    assert list(home.iterdir()) == [home / "file"]
    monkeypatch.chdir(home)
    run(replace(PLAN, output="x.toml"))
    assert load(home / "x.toml").identity == "sim:seed=3,still"


def test_missed_periods_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The figures of stability take readings for equally far apart."""
    monkeypatch.setattr(simulator, "STALL_S", 0.035)
    run(replace(PLAN, device="sim:still,fault=stall"))
    assert "missed 4 readings: density and instability are approximate" in capsys.readouterr().out


def test_a_recording_cant_be_calibrated(home: Path) -> None:
    """It was measured with whatever sensor there was then."""
    (home / "r.ndjson").write_text(
        '{"seq":1,"id":"0000000000000001-1","t_ns":1,"time_ns":1,"ax":0,"ay":0,"az":1,"gx":0,'
        '"gy":0,"gz":0,"temp":25,"flags":[],"lost":0,"source":"x","gap":null}\n'
    )
    assert "can't be calibrated" in refusal(replace(PLAN, device=f"replay:{home / 'r.ndjson'}"))


def test_too_short_a_time_is_refused() -> None:
    """Before anything is measured."""
    assert "10 readings, but a calibration needs 100" in refusal(replace(PLAN, seconds=0.1))


def test_the_gyroscope_alone_keeps_what_six_positions_have_found(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is calibrated more often, as its bias wanders."""
    before = CALIBRATION._replace(identity="sim:seed=3,still")
    save(output, before.text(""))
    run(replace(PLAN, output=str(output)))
    found = load(output)
    assert (found.offset_g, found.scale) == (before.offset_g, before.scale)
    assert found.bias_dps == pytest.approx(truth().bias_dps, abs=0.01)
    assert f"keeping the accelerometer's offset and scale from calibration {before.id}" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (CALIBRATION.text(""), "replacing the calibration of another sensor: a sensor"),
        ("version = 7", "replacing an unusable calibration: can't use calibration"),
    ],
)
def test_what_is_replaced_is_told(
    text: str, reason: str, output: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another sensor's, or a broken file; nothing of it is kept."""
    save(output, text)
    run(replace(PLAN, output=str(output)))
    assert reason in caplog.text
    assert (load(output).offset_g, load(output).scale) == (ZERO, ONE)


# -- the noise for Kalibr ---------------------------------------------------------------------------


@pytest.fixture
def imu_yaml(home: Path) -> Path:
    """Where the file for Kalibr is to go."""
    return home / "imu.yaml"


def test_the_simulators_noise_is_what_kalibr_gets(
    output: Path, imu_yaml: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In 100 s σ at 1 s is known to 7 %, and the largest of three axes is some more. The simulator
    has no random walk: the file and the output call its numbers upper bounds."""
    run(replace(PLAN, seconds=100, output=str(output), kalibr=str(imu_yaml)))
    assert load(output).identity == "sim:seed=3,still"
    text = imu_yaml.read_text("ascii")
    data = yaml.safe_load(text)
    accel, gyro = data["accelerometer_noise_density"], data["gyroscope_noise_density"]
    # What a single reading has, by Kalibr's own formula.
    assert accel * math.sqrt(data["update_rate"]) == pytest.approx(0.004 * 9.80665, rel=0.2)
    assert gyro * math.sqrt(data["update_rate"]) == pytest.approx(math.radians(0.05), rel=0.2)
    assert text.count("UPPER BOUND: 100 s do not show the random walk") == 2
    assert '# Noise of "sim:seed=3,still" at rest' in text
    assert "missed" not in text
    shown = capsys.readouterr().out
    assert f"saved the noise for Kalibr to {imu_yaml}\n" in shown
    assert "only upper bounds: accelerometer_random_walk, gyroscope_random_walk; the" in shown
    assert sorted(output.parent.iterdir()) == [imu_yaml, output]


def test_a_simulated_sensor_needs_no_calibration_file_for_kalibr(home: Path) -> None:
    """Its own is saved only when asked for; of six positions the first one counts."""
    run(replace(PLAN, kalibr=str(home / "a")))
    assert [path.name for path in home.iterdir()] == ["a"]
    run(replace(SIX, kalibr=str(home / "b")), b"\n" * 6)
    assert "1000 readings in 10 s" in (home / "b").read_text()


def test_a_walk_that_shows_is_no_bound(
    home: Path, imu_yaml: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bias of each axis wanders by 0.02 °/s and 0.5 mg in a second."""
    source = random.Random(5)
    bias = [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]

    class Wandering(FakeDevice):
        identity = "fake"

        def next_sample(self) -> Sample:
            for axis, step in enumerate((0.00005,) * 3 + (0.002,) * 3):
                bias[axis] += source.gauss(0, step)
            ax, ay, az, gx, gy, gz = bias
            return Sample(virtual_ns(), ax, ay, az, gx, gy, gz, 25.0)

    async def opened(spec: str, rate_hz: float, **_: bool) -> FakeDevice:
        return Wandering(period_ns=10**7)

    monkeypatch.setattr(calibration_run, "open_device", opened)
    run(replace(PLAN, seconds=60, kalibr=str(imu_yaml)))
    data = yaml.safe_load(imu_yaml.read_text())
    # The longest τ has eight steps, and the largest of three axes counts.
    assert 0.7 < data["accelerometer_random_walk"] / (0.0005 * 9.80665) < 2
    assert 0.7 < data["gyroscope_random_walk"] / math.radians(0.02) < 2
    assert "BOUND" not in imu_yaml.read_text()
    assert "upper bounds" not in capsys.readouterr().out
    assert (home / "trio-mpu" / "calibration-fake.toml").exists()


@pytest.mark.parametrize(("seconds", "rate"), [(8.9, 100), (1000, 0.3)])
def test_what_is_too_short_for_the_noise_is_refused(
    seconds: float, rate: float, imu_yaml: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is measured, with what it takes."""
    assert refusal(replace(PLAN, seconds=seconds, rate=rate, kalibr=str(imu_yaml))) == (
        "--kalibr needs 9 s of readings, at 1 Hz or more; change --seconds or --rate"
    )
    assert capsys.readouterr().out == ""
    assert not imu_yaml.exists()


def test_a_bad_place_for_the_file_is_found_out_before_the_measurement(
    home: Path, output: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that can't be written, and one that the calibration takes; no file is changed."""
    reasons = {
        home / "a" / "imu.yaml": f"there is no folder {home / 'a'}",
        home: "not a regular file",
    }
    for path, reason in reasons.items():
        assert refusal(replace(PLAN, kalibr=str(path))) == f"can't save to {path}: {reason}"
    (home / "b").mkdir()
    same = "--kalibr and the calibration are the same file; choose another name"
    for plan in (
        replace(PLAN, output=str(output), kalibr=str(home / "b" / ".." / output.name)),
        replace(PLAN, kalibr=str(default_path("sim:seed=3,still"))),
    ):
        (home / "trio-mpu").mkdir(exist_ok=True)
        assert refusal(plan) == same
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert refusal(replace(PLAN, kalibr=str(output))) == (
        f"can't save to {output}: no permission to write in {home}"
    )
    assert capsys.readouterr().out == ""
    assert not output.exists()


async def test_ctrl_c_while_the_noise_is_computed_changes_no_file(
    output: Path, imu_yaml: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last moment at which it can stop is before the first file."""
    stop = trio.Event()

    def stopping(values: list[float], period_s: float) -> Noise:
        stop.set()
        return noise(values, period_s)

    monkeypatch.setattr(calibration_run, "noise", stopping)
    plan = replace(PLAN, output=str(output), kalibr=str(imu_yaml))
    with pytest.raises(CalibrationError, match="interrupted: nothing was saved"):
        await run_calibrator(plan, stop)
    assert list(output.parent.iterdir()) == []


# -- six positions --------------------------------------------------------------------------------


def test_six_positions_find_offset_and_scale(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what is left of the errors is the mean's uncertainty."""
    run(replace(SIX, output=str(output)), b"\n" * 6)
    found, true = load(output), truth()
    assert found.bias_dps == pytest.approx(true.bias_dps, abs=0.005)
    assert found.offset_g == pytest.approx(true.offset_g, abs=0.0005)
    assert found.scale == pytest.approx(true.scale, abs=0.0005)
    shown = capsys.readouterr().out
    assert shown.count("press Enter") == 6
    assert "lay the sensor down with one of +z -z +x -x +y -y up" in shown
    assert "lay the sensor down with one of -y up" in shown
    assert "measured with -y up" in shown


def test_a_position_that_is_not_right_is_taken_again(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that was left too early, and one that was there before, are told and asked for again."""
    plan = replace(SIX, device="sim:seed=3,still=15.75", output=str(output))
    run(plan, b"\n" * 9)
    shown = capsys.readouterr().out
    assert shown.count("try again: not at rest: a") == 3
    assert load(output).scale == pytest.approx(truth().scale, abs=0.0005)
    run(replace(SIX, device="sim:seed=3,still=21", output=str(output)), b"x\nyes\n" + b"\n" * 9)
    assert capsys.readouterr().out.count(" was measured already") == 5


@pytest.mark.parametrize("keys", [b"", b"\n\n and so", b"\n" * 5])
def test_who_leaves_early_changes_no_file(keys: bytes, output: Path) -> None:
    """The end of the input is said with what is missing."""
    save(output, CALIBRATION.text(""))
    message = refusal(replace(SIX, output=str(output)), keys)
    assert message.startswith("end of input before ")
    assert message.endswith("-y were measured: nothing was saved")
    assert load(output) == CALIBRATION


async def test_ctrl_c_changes_no_file(
    output: Path, autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """While it measures, and while it waits for a key; it is an error to whoever started it."""
    there, here = os.pipe()
    stop = trio.Event()

    async def stopped() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_calibrator, replace(PLAN, output=str(output)), stop, there)
            await trio.sleep(3)
            stop.set()

    with pytest.raises(ExceptionGroup) as caught:
        await stopped()
    assert caught.group_contains(CalibrationError, match="interrupted: nothing was saved")
    os.write(here, b"\n")
    with trio.move_on_after(60):
        await run_calibrator(replace(SIX, output=str(output)), trio.Event(), there)
    assert capsys.readouterr().out.count("press Enter") == 2
    assert not output.exists()
    os.close(there)
    os.close(here)


async def test_a_line_is_read_from_a_file_too(tmp_path: Path) -> None:
    """Which can't be waited on; what comes after the line stays for the next one."""
    path = tmp_path / "keys"
    path.write_bytes(b"one\n\nrest")
    with path.open("rb", buffering=0) as file:
        assert [await read_line(file.fileno()) for _ in range(4)] == [True, True, False, False]


async def test_an_input_that_has_gone_is_at_its_end() -> None:
    """A terminal that was hung up, and a program that was started without any input."""
    for gone in range(2):
        ends = os.openpty()
        os.close(ends[gone])  # of the one reading gives an end then, of the other an error
        assert not await read_line(ends[1 - gone])
        os.close(ends[1 - gone])
    assert not await read_line(-1)


# -- the chip -------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    """The chip's and Trio's."""
    return Clock()


@pytest.fixture
def on_the_bus(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """The chip's clock is the driver's."""
    monkeypatch.setattr(collect, "monotonic_ns", clock.now_ns)


def run_chip(chip: StillChip, plan: CalibrateSettings) -> None:
    """Calibrate or test this chip."""
    with installed(chip):
        try:
            trio.run(lambda: run_calibrator(plan, trio.Event()), clock=chip.clock.mock)
        except BaseExceptionGroup as group:
            [error] = group.exceptions
            raise error from None


def test_a_chip_is_calibrated_in_the_place_where_the_producer_looks(
    on_the_bus: None, clock: Clock, home: Path
) -> None:
    """The file is its own: it has its factory codes."""
    chip = StillChip(clock, truth=(0.02, -0.03, 1.01, 1.5, -2.5, 0.5))
    run_chip(chip, CHIP)
    found = load(default_path("i2c:1:0x68"))
    assert found.identity == f"MPU-6050 with factory codes {CODES.hex()}"
    assert found.bias_dps == pytest.approx((1.5, -2.5, 0.5), abs=0.01)
    assert chip.closed == chip.opened


def test_a_healthy_chip_passes_its_self_test(
    on_the_bus: None, clock: Clock, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    """Each axis is told; the chip measures as before afterwards, and no file is written."""
    chip = StillChip(clock, health=(1, 0.9, 1.1, 1, 1.13, 0.87))
    run_chip(chip, replace(CHIP, device="i2c:1,accel=16,gyro=500", self_test=True))
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == (
        "factory self-test of i2c:1:0x68, MPU-6050 with factory codes 8a5c7f1b; limit ±14 %"
    )
    assert [line.split()[:2] for line in lines] == [
        [axis, "pass"] for axis in ("ax", "ay", "az", "gx", "gy", "gz")
    ]
    changes = [float(line.split()[2]) for line in lines]
    assert changes == pytest.approx([0, -10, 10, 0, 13, -13], abs=0.5)
    assert (chip.registers[GYRO_CONFIG], chip.registers[ACCEL_CONFIG]) == (1 << 3, 3 << 3)
    assert chip.closed == chip.opened
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(("axis", "health"), [*enumerate([0.0, 0.84, 1.16] * 2)])
def test_each_axis_can_fail(
    axis: int, health: float, on_the_bus: None, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that doesn't move, and ones that have changed too much; the others pass, and the exit
    status is that of an error."""
    healths = [1.0] * 6
    healths[axis] = health
    name = ("ax", "ay", "az", "gx", "gy", "gz")[axis]
    with pytest.raises(CalibrationError, match=f"self-test failed: {name}$"):
        run_chip(StillChip(clock, health=healths), TEST)
    shown = capsys.readouterr().out
    assert shown.count("  pass  ") == 5
    [failed] = (line.split() for line in shown.splitlines() if "  FAIL  " in line)
    assert failed[0] == name
    assert float(failed[2]) == pytest.approx(100 * (health - 1), abs=0.5)


def test_a_chip_without_codes_fails(on_the_bus: None, clock: Clock) -> None:
    """There is nothing to compare with; it is not taken for sound."""
    chip = StillChip(clock, factory_codes=bytes(4))
    with pytest.raises(CalibrationError, match="self-test failed: ax ay az gx gy gz"):
        run_chip(chip, TEST)


def test_a_chip_that_is_shaken_is_not_tested(on_the_bus: None, clock: Clock) -> None:
    """And is set up again as it was."""
    chip = StillChip(clock)
    chip.shaken = 5.0
    with pytest.raises(CalibrationError, match="not at rest: gx varies by 5"):
        run_chip(chip, TEST)
    assert chip.registers[GYRO_CONFIG] == 0


def test_other_chip_variants_are_not_tested(on_the_bus: None, clock: Clock) -> None:
    """Their self-test is another one."""
    with pytest.raises(CalibrationError, match=r"self-test of MPU-6500 is not supported"):
        run_chip(StillChip(clock, who=0x70), TEST)


def test_a_chip_that_dies_in_the_test_is_told(
    on_the_bus: None, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be left in its self-test; the next opening resets it."""
    chip = StillChip(clock)
    chip.refuses = FileNotFoundError(2, "gone")
    with pytest.raises(TrioMpuError, match="there is no bus"):
        run_chip(chip, TEST)
    assert "i2c:1:0x68 is still in self-test mode: there is no bus" in caplog.text


@pytest.mark.parametrize(
    "plan",
    [
        replace(TEST, device="sim"),
        replace(TEST, device="auto"),
        replace(TEST, positions=True),
        replace(TEST, output="x"),
        replace(TEST, kalibr="x"),
    ],
)
def test_the_self_test_is_for_chips_and_alone(plan: CalibrateSettings) -> None:
    """Anything else is a wrong command line."""
    with pytest.raises(UsageError, match="--self-test needs --device i2c"):
        run(plan)


# -- a producer that has the device -----------------------------------------------------------------


@pytest.fixture
def producing(ring_name: str) -> Iterator[list[RingWriter]]:
    """A place for the writer of a ring."""
    writers = list[RingWriter]()
    yield writers
    for writer in writers:
        writer.close()


@pytest.mark.parametrize(
    ("spec", "source"),
    [
        ("i2c:1", "i2c:1:0x68"),
        ("i2c:/dev/i2c-1:0x68,rate=500", "i2c:1:0x68"),
        ("iio", "iio:mpu6050"),
        ("iio:1", "iio:mpu6050"),
        ("/dev/mpu6050", "/dev/mpu6050"),
        ("auto", "i2c:1:0x68"),
        ("auto", "/dev/mpu6050"),
    ],
)
async def test_a_device_in_use_is_refused(
    spec: str, source: str, ring_name: str, producing: list[RingWriter]
) -> None:
    """Before it is opened; the producer is named. When that has gone, it is free."""
    writer = await RingWriter.open(ring_name, 16)
    producing.append(writer)
    await writer.start(source, 10**7)
    plan = replace(PLAN, device=spec, ring=ring_name, self_test=spec == "auto")
    with pytest.raises(ExceptionGroup) as caught:
        await run_calibrator(plan, trio.Event())
    [error] = caught.value.exceptions
    assert one_line(error) == (
        f"{source} is in use by the producer (process {os.getpid()}, ring {ring_name}); "
        "stop it first"
    )
    producing.pop().close()
    await calibration_run.refuse_if_in_use(spec, ring_name)


@pytest.mark.parametrize(
    ("spec", "source"),
    [
        ("i2c:1:0x69", "i2c:1:0x68"),
        ("i2c:2", "i2c:1:0x68"),
        ("i2c:1", "iio:mpu6050"),
        ("sim", "i2c:1:0x68"),
        ("sim", "sim:seed=1"),
        ("auto", "sim:seed=1"),
        ("auto", "replay:x"),
        ("/dev/other", "/dev/mpu6050"),
    ],
)
async def test_another_device_is_free(
    spec: str, source: str, ring_name: str, producing: list[RingWriter]
) -> None:
    """Simulations too: each program has its own."""
    writer = await RingWriter.open(ring_name, 16)
    producing.append(writer)
    await writer.start(source, 10**7)
    await calibration_run.refuse_if_in_use(spec, ring_name)


def test_a_device_that_repeats_itself_is_not_calibrated(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the text driver does when its chip hangs."""
    device = FakeDevice(after=[sample(1, 10**18)])
    device.identity = "fake"

    async def opened(spec: str, rate_hz: float, **_: bool) -> FakeDevice:
        return device

    monkeypatch.setattr(calibration_run, "open_device", opened)
    assert "the readings never change" in refusal(PLAN)
    assert device.closed
