"""Calibrations on the disk: found, read, refused, replaced at once."""

import os
import signal
from pathlib import Path

import pytest

from tests.helpers.calibrations import CALIBRATION
from tests.helpers.fake_devices import one_line
from tests.helpers.processes import killed, python
from trio_mpu.calibration.files import MAX_BYTES, default_path, load, named, save
from trio_mpu.errors import CalibrationError, NoCalibration

TEXT = CALIBRATION.text("")


def refusal(path: Path) -> str:
    """Why the file is refused, in one line that names it."""
    with pytest.raises(CalibrationError) as caught:
        load(path)
    assert str(path) in str(caught.value)
    return one_line(caught.value)


def test_what_was_saved_is_found_again(tmp_path: Path) -> None:
    """In a folder that is made if that is wanted, for everyone to read, and with nothing beside it."""
    path = tmp_path / "a" / "b" / "c.toml"
    with pytest.raises(CalibrationError, match="No such file or directory"):
        save(path, TEXT)
    assert list(tmp_path.iterdir()) == []
    save(path, TEXT, makes_folder=True)
    save(path, TEXT)
    assert load(path) == CALIBRATION
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("i2c:1:0x68", "calibration-i2c-1-0x68.toml"),
        ("/dev/mpu6050", "calibration-dev-mpu6050.toml"),
        ("iio:mpu6050", "calibration-iio-mpu6050.toml"),
        ("../../x", "calibration-x.toml"),
        ("é", "calibration-.toml"),
        ("x" * 4000, f"calibration-{'x' * 100}.toml"),
    ],
)
def test_each_device_has_a_file_of_its_own(
    source: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the user's folder for configurations, whatever the device is called."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert default_path(source) == tmp_path / "trio-mpu" / name


@pytest.mark.parametrize("value", ["", "relative/path"])
def test_without_a_folder_for_configurations_it_is_in_the_home(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The specification has a relative path ignored."""
    monkeypatch.setenv("XDG_CONFIG_HOME", value)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert default_path("x") == Path("/home/somebody/.config/trio-mpu/calibration-x.toml")


def test_who_has_no_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user id that no user has, as in some containers."""
    monkeypatch.setenv("XDG_CONFIG_HOME", "")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 5)
    with pytest.raises(CalibrationError, match="set HOME or XDG_CONFIG_HOME"):
        default_path("x")


def test_a_missing_file_is_an_error_of_its_own(tmp_path: Path) -> None:
    """In the default place nobody need have one."""
    with pytest.raises(NoCalibration, match=r"calibration .*x\.toml does not exist"):
        load(tmp_path / "x.toml")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the version number is missing"),
        (TEXT.encode()[:-9], "is not a calibration: invalid TOML"),
        (TEXT.encode()[: TEXT.index("identity")], "table [gyro] is missing"),
        (TEXT.replace("version = 1", "version = 9").encode(), "version 9 is not supported"),
        (TEXT.encode() + b"\xff", "is not a calibration: invalid TOML"),
        (b"\0" * 100, "is not a calibration: invalid TOML"),
        (b"x = " + b"[" * 50_000, "is not a calibration: invalid TOML"),
        (b"version = 0x" + b"f" * 60_000, "version unknown is not supported"),
        (b"version = " + b"9" * 60_000, "is not a calibration: invalid TOML"),
        (b"#" * (MAX_BYTES + 1), "larger than 65,536 bytes"),
        (b'{"version": 1}', "is not a calibration: invalid TOML"),
    ],
    ids=range(11),
)
def test_a_bad_file_is_refused_with_its_reason(data: bytes, reason: str, tmp_path: Path) -> None:
    """Empty, cut off, of another version, of another kind, hostile."""
    path = tmp_path / "x.toml"
    path.write_bytes(data)
    assert reason in refusal(path)


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    """A folder, a pipe that nobody writes, a device, a file that one may not read."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe, Path("/dev/zero")):
        assert "not a regular file" in refusal(path) or "Is a directory" in refusal(path)
    assert "can't read calibration" in refusal(Path("/dev/null/x"))


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_crash_before_the_end_leaves_the_old_file(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two steps; and nothing is left beside it when the program could clean up."""
    path = tmp_path / "x.toml"
    save(path, "old")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*((os, "fsync", crash) if step == "fsync" else (Path, "replace", crash)))
        with pytest.raises(KeyboardInterrupt):
            save(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_all_is_on_the_disk_before_the_name_leads_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file, then the name, then the folder: in this order a power failure does no harm."""
    steps = list[str]()
    replace = Path.replace

    def synced(fd: int) -> None:
        steps.append("folder" if os.path.isdir(fd) else f"file of {os.fstat(fd).st_size}")  # noqa: PTH112 - a descriptor

    def replaced(self: Path, target: Path) -> Path:
        steps.append("name")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    save(tmp_path / "x.toml", "12345")
    assert steps == ["file of 5", "name", "folder"]


def test_what_cant_be_written_is_said(tmp_path: Path) -> None:
    """In one line; neither a pipe nor a device nor a folder is replaced."""
    # No real device: should the check ever be gone, root's /dev/null would be too.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, reason in (
        (Path("/proc/x/y.toml"), "No such file"),
        (pipe, "not a regular file"),
        (tmp_path, "not a regular file"),
    ):
        with pytest.raises(CalibrationError, match=reason) as caught:
            save(path, "x")
        assert str(path) in one_line(caught.value)


def test_who_is_killed_before_the_end_leaves_the_old_file(tmp_path: Path) -> None:
    """Right before the name would lead to the new text: nothing can clean up then, and the old one
    is whole. The next one to save takes no notice of what is left."""
    path = tmp_path / "x.toml"
    save(path, TEXT)
    program = (
        "import os, pathlib, signal, sys\n"
        "from trio_mpu.calibration import files\n"
        "pathlib.Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "files.save(pathlib.Path(sys.argv[1]), 'new')\n"
    )
    with killed(python("-c", program, str(path))) as process:
        assert process.wait(30) == -signal.SIGKILL
    assert load(path) == CALIBRATION
    assert len(list(tmp_path.iterdir())) == 2
    save(path, TEXT.replace("version = 1", "version = 2"))
    assert "version 2" in refusal(path)


def test_a_tilde_is_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell leaves it alone behind an equals sign."""
    monkeypatch.setenv("HOME", "/home/somebody")
    assert named("~/x y.toml") == Path("/home/somebody/x y.toml")
    assert named("a/~/b") == Path("a/~/b")
