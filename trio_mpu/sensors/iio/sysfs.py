"""A device's folder in sysfs: reads it, changes it, and restores what was changed."""

import errno
import logging
import os
from pathlib import Path
from typing import Final

from trio_mpu.errors import DeviceError

log = logging.getLogger(__name__)

MAX_BYTES: Final = 4096  # sysfs returns no more of a file

_BUS: Final = "the chip does not answer on its bus; check power and wiring"
_GONE: Final = "the device is gone: its driver was unbound, or the chip was disconnected"
_RIGHTS: Final = "run as root, or add a udev rule that gives your group access"
_ADVICE: Final = {
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EBUSY: "another program is using the sensor; stop it",
    errno.EINVAL: _BUS,  # how the kernel's driver reports a failure of the bus
    errno.EIO: _BUS,
    errno.ENXIO: _BUS,
    errno.EREMOTEIO: _BUS,
    errno.ETIMEDOUT: _BUS,
    errno.ENODEV: _GONE,
    errno.ENOENT: _GONE,
}


def failed(error: OSError, path: Path, doing: str = "read") -> DeviceError:
    """Return the error for the user: what failed, why, and what to do."""
    text = f"can't {doing} {path}: {os.strerror(error.errno or 0)}"
    advice = _ADVICE.get(error.errno or 0)
    return DeviceError(f"{text} ({advice})" if advice else text)


def read_text(fd: int) -> str:
    """Read an open file of sysfs from its beginning, where the kernel generates its text again.

    Raises OSError. Bytes that are not UTF-8 become replacement characters.
    """
    # In Linux 6.1, current_timestamp_clock has a NUL after its line.
    return os.pread(fd, MAX_BYTES, 0).decode(errors="replace").strip("\0 \t\n")


class Folder:
    """A folder of sysfs that remembers what was changed in it. File names are relative to it.

    All methods block for as long as the device's bus does, and raise DeviceError unless stated
    otherwise.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._before: dict[str, str] = {}  # in the order of the changes

    def has(self, name: str) -> bool:
        """Return whether there is such a file."""
        return (self.path / name).exists()

    def open(self, name: str) -> int:
        """Open a file for `read_text`; the caller closes the descriptor."""
        try:
            return os.open(self.path / name, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise failed(error, self.path / name) from error

    def get(self, name: str) -> str:
        """Return the text of a file, without surrounding white space."""
        fd = self.open(name)
        try:
            return read_text(fd)
        except OSError as error:
            raise failed(error, self.path / name) from error
        finally:
            os.close(fd)

    def put(self, name: str, value: str) -> None:
        """Write a file. Raises OSError, so that the caller can try something else."""
        # sysfs ignores O_CREAT, and a write of no bytes.
        fd = os.open(self.path / name, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            os.write(fd, f"{value}\n".encode())
        finally:
            os.close(fd)

    def change(self, name: str, value: str) -> None:
        """Write a file until `restore`, unless it has this value. Raises OSError like `put`."""
        before = self.get(name)
        if before != value:
            self.put(name, value)
            self._before.setdefault(name, before)

    def set(self, name: str, value: str) -> None:
        """Write like `change`, but raise DeviceError, which shows the rejected value."""
        try:
            self.change(name, value)
        except OSError as error:
            raise failed(error, self.path / name, f"write {value!r} to") from error

    def restore(self) -> None:
        """Restore what was changed, the last change first. Raises nothing.

        A value that can't be restored is logged, unless the device is gone and its settings too.
        """
        while self._before:
            self.undo(next(reversed(self._before)))

    def undo(self, name: str) -> bool:
        """Restore one file like `restore`; return whether it had been changed and was restored."""
        if name not in self._before:
            return False
        value = self._before.pop(name)
        try:
            self.put(name, value)
        except OSError as error:
            if error.errno not in (errno.ENODEV, errno.ENOENT):
                log.warning("%s", failed(error, self.path / name, f"write {value!r} to"))
            return False
        return True
