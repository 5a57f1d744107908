"""From calibrate's report to the producer's ring: real processes."""

import contextlib
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import trio
import yaml

from tests.helpers.calibrations import CALIBRATION
from tests.helpers.processes import ROOT, killed, python
from tests.helpers.programs import PATIENCE_S, eventually
from trio_mpu.calibration.files import default_path, load, save
from trio_mpu.errors import RingMissing
from trio_mpu.record import Header, Record
from trio_mpu.ring import RingReader
from trio_mpu.sample import ATTITUDE_FLAGS, Flag
from trio_mpu.shm.segment import remove

TEXT: Final = (
    "IRQ count: 0\n 0.195, 0.023, 0.906, [g]\n-0.844,-0.473, 0.495, [dps]\n 26.101, [°C]\n"
)


def calibrate(*options: str, keys: str = "") -> "subprocess.CompletedProcess[str]":
    """Run calibrate to its end, with these keys pressed."""
    return subprocess.run(
        [sys.executable, "-m", "trio_mpu", "calibrate", "--log-level=warning", *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=keys,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S * 2,
    )


def look(ring: str) -> tuple[Header, list[Record]]:
    """The ring's header and records; none while there is no ring."""

    async def read() -> tuple[Header, list[Record]]:
        with RingReader(ring) as reader:
            return await reader.header(), (await reader.read(0)).records

    return trio.run(read)


def has_records(ring: str, count: int) -> bool:
    with contextlib.suppress(RingMissing):
        return len(look(ring)[1]) >= count
    return False


@contextlib.contextmanager
def producing(
    ring: str, count: int, *options: str, home: Path | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """A producer that has written so many records."""
    environ = {} if home is None else {"XDG_CONFIG_HOME": str(home)}
    arguments = ("producer_main.py", f"--ring={ring}", *options)
    with killed(python(*arguments, environ=environ)) as process:
        eventually(lambda: has_records(ring, count), "the producer has written nothing")
        yield process


def ended(process: "subprocess.Popen[str]") -> str:
    """Stop the process; what it said."""
    process.send_signal(signal.SIGTERM)
    return process.communicate(timeout=PATIENCE_S)[1]


def test_what_was_found_in_six_positions_is_applied(ring_name: str, tmp_path: Path) -> None:
    """The ring has the file's id, and what the sensor had of errors is gone, to its noise."""
    path = tmp_path / "x.toml"
    done = calibrate(
        *("--device=sim:seed=7,still=1.5", "--rate=500", "--seconds=1", "--positions"),
        f"--output={path}",
        keys="\n" * 6,
    )
    assert (done.returncode, done.stderr) == (0, "")
    calibration = load(path)
    assert f"saved calibration {calibration.id} to {path}\n" in done.stdout
    device = ("--device=sim:seed=7,still", "--rate=1000")
    with producing(ring_name, 400, *device, f"--calibration={path}"):
        header, records = look(ring_name)
    assert header.calibration == calibration.id
    assert {record.flags & ~ATTITUDE_FLAGS for record in records} == {Flag.SIMULATED}
    means = [statistics.fmean(record[axis] for record in records) for axis in range(3, 9)]
    assert means == pytest.approx([0, 0, 1, 0, 0, 0], abs=0.03)
    assert means[:3] == pytest.approx([0, 0, 1], abs=0.003)
    assert max(map(abs, calibration.bias_dps)) > 0.5


def test_a_sensor_that_moves_is_refused_in_one_line(tmp_path: Path) -> None:
    """Exit status 1, and no file."""
    path = tmp_path / "x.toml"
    done = calibrate("--device=sim", "--rate=500", "--seconds=1", f"--output={path}")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("calibrate: not at rest: g")
    assert not path.exists()


def test_an_output_without_a_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    """Exit status 1, nothing measured, and no folder."""
    path = tmp_path / "a" / "x.toml"
    done = calibrate("--device=sim:still", f"--output={path}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"calibrate: can't save to {path}: there is no folder {path.parent}\n"
    assert list(tmp_path.iterdir()) == []


def test_the_noise_for_kalibr_is_beside_the_calibration(tmp_path: Path) -> None:
    """The option reaches its program, and YAML finds numbers."""
    path, imu_yaml = tmp_path / "x.toml", tmp_path / "imu.yaml"
    options = ("--device=sim:still", "--seconds=9", "--rate=100", f"--output={path}")
    done = calibrate(*options, f"--kalibr={imu_yaml}")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"saved the noise for Kalibr to {imu_yaml}\n" in done.stdout
    data = yaml.safe_load(imu_yaml.read_text("ascii"))
    assert data.pop("rostopic") == "/imu0"
    assert data.pop("update_rate") == 100
    assert len(data) == 4
    assert all(isinstance(number, float) and number > 0 for number in data.values())
    assert load(path).identity == "sim:seed=1,still"


def test_the_end_of_the_input_and_a_signal_change_no_file(tmp_path: Path) -> None:
    """One line says so, and the exit status is an error's."""
    path = tmp_path / "x.toml"
    options = ("--device=sim:still", "--positions", "--seconds=1", f"--output={path}")
    done = calibrate(*options)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "calibrate: end of input before +z -z +x -x +y -y were measured: nothing was saved"
    ]
    closed = subprocess.run(
        ["bash", "-c", '"$0" "$@" <&-', sys.executable, "-m", "trio_mpu", "calibrate", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert closed.returncode == 1
    assert closed.stderr == done.stderr
    with subprocess.Popen(
        [sys.executable, "-m", "trio_mpu", "calibrate", "--log-level=warning", *options],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert "press Enter" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 1
        assert process.stderr
        assert process.stderr.read() == "calibrate: interrupted: nothing was saved\n"
    assert not path.exists()


def test_a_device_in_use_is_refused(ring_name: str, tmp_path: Path) -> None:
    """One program at a time; the producer goes on."""
    (tmp_path / "sensor").write_text(TEXT)
    device = f"--device={tmp_path / 'sensor'}"
    with producing(ring_name, 5, device) as producer:
        done = calibrate(device, f"--ring={ring_name}")
        assert done.returncode == 1
        assert f"is in use by the producer (process {producer.pid}, ring" in done.stderr
        assert producer.poll() is None


@pytest.mark.parametrize("reason", ["is for another sensor: for a sensor", "does not exist"])
def test_a_bad_file_that_was_named_stops_the_producer(
    reason: str, ring_name: str, tmp_path: Path
) -> None:
    """In one line with the reason; no ring is left."""
    path = tmp_path / "x.toml"
    if "another" in reason:
        save(path, CALIBRATION.text(""))
    options = (f"--ring={ring_name}", "--device=sim", f"--calibration={path}")
    with killed(python("producer_main.py", "--log-level=warning", *options)) as producer:
        assert producer.wait(PATIENCE_S) == 1
        assert producer.stderr
        [line] = producer.stderr.read().splitlines()
    assert line.startswith("producer: ")
    assert reason in line
    with pytest.raises(RingMissing):
        look(ring_name)


def test_a_real_sensor_has_its_own_file_or_says_that_it_has_none(
    ring_name: str, tmp_path: Path
) -> None:
    """In the default place: none is no fault, a foreign one is a warning, its own is applied."""
    (tmp_path / "sensor").write_text(TEXT)
    source = str(tmp_path / "sensor")
    own = CALIBRATION._replace(identity=source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        path = default_path(source)
    for calibration, flags, told in (
        (None, Flag.UNCALIBRATED, False),
        (CALIBRATION, Flag.UNCALIBRATED, True),
        (own, 0, False),
    ):
        if calibration is not None:
            save(path, calibration.text(""), makes_folder=True)
        with producing(ring_name, 3, f"--device={source}", home=tmp_path) as producer:
            header, records = look(ring_name)
            said = ended(producer)
        remove(ring_name)
        assert ("samples are uncalibrated: " in said) == told
        assert header.calibration == (own.id if calibration is own else "")
        assert records[-1].flags & Flag.UNCALIBRATED == flags


def test_start_sh_hands_the_calibration_on(ring_name: str, tmp_path: Path) -> None:
    """A file that is not there stops it, with the producer's words."""
    options = (f"--ring={ring_name}", "--device=sim", "--port=0", f"--calibration={tmp_path}/x")
    done = subprocess.run(
        ["./start.sh", *options],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S * 2,
    )
    assert done.returncode == 1
    assert f"producer: calibration {tmp_path}/x does not exist" in done.stderr
