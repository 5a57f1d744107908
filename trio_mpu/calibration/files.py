"""Reads and writes calibrations: one small TOML file for each sensor."""

import os
import re
import stat
import tempfile
import tomllib
from pathlib import Path
from typing import Final

from trio_mpu.calibration.model import Calibration
from trio_mpu.errors import CalibrationError, NoCalibration
from trio_mpu.home import with_home

MAX_BYTES: Final = (
    65_536  # a hundred times the size of a calibration; a larger file is something else
)
MAX_NAME: Final = 100  # characters of a file name; the limit is 255 bytes


def default_path(source: str) -> Path:
    """Return the default place for the calibration of the device with this name.

    It is below `$XDG_CONFIG_HOME`, or `~/.config` if that is empty or relative, as the XDG Base
    Directory Specification says. Raises CalibrationError if there is no home directory.
    """
    folder = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    if not folder.is_absolute():
        try:
            folder = Path("~/.config").expanduser()
        except RuntimeError as error:
            raise CalibrationError(
                "can't find the calibration folder: set HOME or XDG_CONFIG_HOME"
            ) from error
    # Two sources may get the same name; the identity in the file distinguishes them.
    name = re.sub(r"[^A-Za-z0-9._]+", "-", source).strip("-.")
    return folder / "trio-mpu" / f"calibration-{name[-MAX_NAME:]}.toml"


def named(text: str) -> Path:
    """Return the path that a person wrote, with `~` for their home where a shell left it."""
    return Path(with_home(text))


def load(path: Path) -> Calibration:
    """Return the calibration in this file.

    Raises NoCalibration if there is no file, and CalibrationError if it can't be used.
    """
    try:
        # Non-blocking, because a pipe would block the caller for ever.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise CalibrationError(f"{path} is not a calibration: not a regular file")
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise NoCalibration(f"calibration {path} does not exist") from error
    except OSError as error:
        raise CalibrationError(f"can't read calibration {path}: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise CalibrationError(f"{path} is not a calibration: larger than {MAX_BYTES:,} bytes")
    try:
        return Calibration.parse(tomllib.loads(data.decode()))
    except (ValueError, RecursionError) as error:
        problem = " ".join(str(error).split())
        raise CalibrationError(
            f"{path} is not a calibration: invalid TOML: {problem:.100}"
        ) from error
    except CalibrationError as error:
        raise CalibrationError(f"can't use calibration {path}: {error}") from error


def require_place(path: Path) -> None:
    """Raise CalibrationError if `save` would fail there: it is found out before a measurement that
    may take hours. A missing folder is a typing error more often than a wish for a new one."""
    if not os.path.isdir(path.parent):  # noqa: PTH112 - is_dir raises PermissionError
        raise CalibrationError(f"can't save to {path}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise CalibrationError(f"can't save to {path}: no permission to write in {path.parent}")
    _require_regular(path)


def _require_regular(path: Path) -> None:
    if path.exists() and not path.is_file():
        raise CalibrationError(f"can't save to {path}: not a regular file")


def save(path: Path, text: str, *, makes_folder: bool = False) -> None:
    """Write the text to the file, creating its folder if that is wanted and necessary.

    The file is replaced atomically: a reader finds either the complete old text or the complete
    new one, even after a power failure at any moment. Raises CalibrationError if that fails; the
    old file is then unchanged.
    """
    try:
        _require_regular(path)
        if makes_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        fd, temporary = tempfile.mkstemp(prefix=f".{path.name[:MAX_NAME]}.", dir=path.parent)
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(fd)
            Path(temporary).chmod(0o644)  # it is not secret
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise CalibrationError(f"can't save to {path}: {error.strerror}") from error


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power failure: fsync(2) of the file alone does not."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
