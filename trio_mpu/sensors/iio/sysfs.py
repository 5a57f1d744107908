"""A device's folder in sysfs: reading it, changing it, and putting back what was there."""

import errno
import logging
import os
from pathlib import Path
from typing import Final

from trio_mpu.errors import DeviceError

log = logging.getLogger(__name__)

MAX_BYTES: Final = 4096  # sysfs gives no more of a file

_BUS: Final = "the chip does not answer on its bus; check power and wiring"
_GONE: Final = "the device is gone: its driver was unbound, or the chip was disconnected"
_RIGHTS: Final = "run as root, or add a udev rule that gives your group access"
_ADVICE: Final = {
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EBUSY: "another program is using the sensor; stop it",
    errno.EINVAL: _BUS,  # so the kernel's driver tells a failure of the bus
    errno.EIO: _BUS,
    errno.ENXIO: _BUS,
    errno.EREMOTEIO: _BUS,
    errno.ETIMEDOUT: _BUS,
    errno.ENODEV: _GONE,
    errno.ENOENT: _GONE,
}


def failed(error: OSError, path: Path, doing: str = "read") -> DeviceError:
    """Return the error for the person at the keyboard: what failed, why, and what to do."""
    text = f"can't {doing} {path}: {os.strerror(error.errno or 0)}"
    advice = _ADVICE.get(error.errno or 0)
    return DeviceError(f"{text} ({advice})" if advice else text)


def read_text(fd: int) -> str:
    """Read an open file of sysfs from its beginning: the kernel then makes its text anew.

    Raises OSError. Text that is not UTF-8 comes with replacement characters.
    """
    # current_timestamp_clock of Linux 6.1 has a NUL behind its line.
    return os.pread(fd, MAX_BYTES, 0).decode(errors="replace").strip("\0 \t\n")


class Folder:
    """A folder of sysfs that remembers what was changed in it. Files are named relative to it.

    All methods block, for as long as the device's bus does, and raise DeviceError where not said
    otherwise.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._before: dict[str, str] = {}  # in the order of the changes

    def has(self, name: str) -> bool:
        """Tell whether there is such a file."""
        return (self.path / name).exists()

    def open(self, name: str) -> int:
        """Open a file for `read_text`; the caller closes the descriptor."""
        try:
            return os.open(self.path / name, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise failed(error, self.path / name) from error

    def get(self, name: str) -> str:
        """Return the text of a file, without white space around it."""
        fd = self.open(name)
        try:
            return read_text(fd)
        except OSError as error:
            raise failed(error, self.path / name) from error
        finally:
            os.close(fd)

    def put(self, name: str, value: str) -> None:
        """Write a file. Raises OSError, so that the caller can try something else."""
        # To make a file, or to write no byte at all, means nothing to sysfs.
        fd = os.open(self.path / name, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            os.write(fd, f"{value}\n".encode())
        finally:
            os.close(fd)

    def change(self, name: str, value: str) -> None:
        """Write a file until `restore`, if it says something else. Raises OSError as `put`."""
        before = self.get(name)
        if before != value:
            self.put(name, value)
            self._before.setdefault(name, before)

    def set(self, name: str, value: str) -> None:
        """As `change`; a failure is a DeviceError that says which value was not taken."""
        try:
            self.change(name, value)
        except OSError as error:
            raise failed(error, self.path / name, f"write {value!r} to") from error

    def restore(self) -> None:
        """Put back what was changed, the last change first. Raises nothing.

        What can't be put back is logged, except of a device that is gone: its settings are too.
        """
        while self._before:
            self.undo(next(reversed(self._before)))

    def undo(self, name: str) -> bool:
        """Put back one file as `restore` does; tell whether there was anything to do and done."""
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
