"""The kernel's IIO interface below a folder of the test's own, with a pipe for the buffer.

Files are files and the buffer is a pipe. What the kernel does beyond that is done to the calls of
the os module, for paths below the folder only: it refuses settings while the buffer is on, lets one
program open the buffer at a time, answers ENODEV on what was open when the device went, and fails
as it is told.
"""

import errno
import os
import shutil
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

# Scan index and type, as the driver of Linux 6.1 has them.
ORDER = ("accel_x", "accel_y", "accel_z", "temp", "anglvel_x", "anglvel_y", "anglvel_z")
STRAIGHT = "1, 0, 0; 0, 1, 0; 0, 0, 1"
FILES = {
    "current_timestamp_clock": "realtime",
    "in_accel_mount_matrix": STRAIGHT,
    "in_accel_scale": "0.000598",
    "in_anglvel_mount_matrix": STRAIGHT,
    "in_anglvel_scale": "0.001064724",
    "in_temp_offset": "12420",
    "in_temp_scale": "2.941176",
    "sampling_frequency": "50",
    **{f"in_{name}_raw": "0" for name in ORDER},
}
BUFFER_FILES = {
    "buffer/enable": "0",
    "buffer/length": "2",
    "buffer/watermark": "1",
    "trigger/current_trigger": "",
    **{f"scan_elements/in_{name}_en": "0" for name in (*ORDER, "timestamp", "magn_x")},
    **{f"scan_elements/in_{name}_index": str(n) for n, name in enumerate((*ORDER, "timestamp"))},
    **{f"scan_elements/in_{name}_type": "be:s16/16>>0" for name in ORDER},
    "scan_elements/in_timestamp_type": "le:s64/64>>0",
    "scan_elements/in_magn_x_en": "1",
    "scan_elements/in_magn_x_index": "9",
    "scan_elements/in_magn_x_type": "be:s16/16>>0",
}
# What can't be changed while the buffer is on.
LOCKED = ("scan_elements/", "trigger/", "buffer/length", "buffer/watermark", "current_timestamp")


class FakeIio:
    """Some devices below `root`; the methods are about the latest one that was bound."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.number = 0
        self.errors: dict[str, int] = {}  # file's name or path within its folder → errno
        self.rules: dict[str, Callable[[str], str]] = {}  # what a file says after it was written
        self.written: list[tuple[str, str]] = []
        self.opened: set[str] = set()  # buffers that are open
        self._pipe = -1
        self._pipes: list[int] = []
        self._os = (os.open, os.close, os.read, os.pread, os.write)
        for call in ("open", "close", "read", "pread", "write"):
            patch.setattr(os, call, getattr(self, f"_{call}"))

    # -- what a test does with it ---------------------------------------------------------------

    @property
    def folder(self) -> Path:
        return self.root / f"sys/bus/iio/devices/iio:device{self.number}"

    @property
    def device(self) -> Path:
        return self.root / f"dev/iio:device{self.number}"

    def bind(
        self,
        number: int = 0,
        name: str = "mpu6050",
        files: Mapping[str, str] = MappingProxyType({}),
        *,
        buffer: bool = True,
    ) -> None:
        """Bind the driver to a chip."""
        self.number = number
        for file, text in {
            **FILES,
            **(BUFFER_FILES if buffer else {}),
            "name": name,
            **files,
        }.items():
            path = self.folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        if buffer:
            self.device.parent.mkdir(exist_ok=True)
            os.mkfifo(self.device)
            self._pipe = self._os[0](self.device, os.O_RDWR | os.O_NONBLOCK)
            self._pipes.append(self._pipe)

    def unbind(self) -> None:
        """Unbind the driver: everything of the device is gone."""
        shutil.rmtree(self.folder)
        if self._pipe >= 0:
            self.device.unlink()
            self._pipe = -1  # left open, as to close it would wake the reader: the kernel doesn't

    def close(self) -> None:
        """End it all."""
        while self._pipes:
            self._os[1](self._pipes.pop())

    def captured(self, *records: bytes) -> None:
        """Put records into the buffer."""
        self._os[4](self._pipe, b"".join(records))

    def says(self, file: str) -> str:
        return (self.folder / file).read_text().strip()

    def settings(self) -> dict[str, str]:
        """All that can be changed."""
        return {
            str(path.relative_to(self.folder)): path.read_text().strip()
            for path in self.folder.rglob("*")
            if path.is_file()
        }

    # -- the kernel -----------------------------------------------------------------------------

    def _path(self, fd: int) -> str:
        return str(Path(f"/proc/self/fd/{fd}").readlink())

    def _fail(self, path: str) -> None:
        if str(self.root) not in path:
            return
        if path.endswith(" (deleted)"):
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        for file, number in self.errors.items():
            if path.endswith(f"/{file}"):
                raise OSError(number, os.strerror(number))

    def _open(
        self, path: str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
    ) -> int:
        text = str(path)
        if text.startswith(str(self.root / "dev")):
            self._fail(text)
            if text in self.opened:
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
            fd = self._os[0](path, flags, mode)
            self.opened.add(text)
            return fd
        if flags & os.O_TRUNC and text.startswith(str(self.root)):
            flags &= ~os.O_TRUNC  # in sysfs it means nothing: what is refused stays as it was
        return self._os[0](path, flags, mode, dir_fd=dir_fd)

    def _close(self, fd: int) -> None:
        self.opened.discard(self._path(fd).removesuffix(" (deleted)"))
        self._os[1](fd)

    def _read(self, fd: int, count: int) -> bytes:
        self._fail(self._path(fd))
        return self._os[2](fd, count)

    def _pread(self, fd: int, count: int, offset: int) -> bytes:
        self._fail(self._path(fd))
        return self._os[3](fd, count, offset)

    def _write(self, fd: int, data: bytes) -> int:
        path = self._path(fd)
        if str(self.root / "sys") not in path:
            return self._os[4](fd, data)
        self._fail(path)
        name = path.partition(f"{self.folder}/")[2]
        if name.startswith(LOCKED) and self.says("buffer/enable") != "0":
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        value = self.rules.get(name, str)(data.decode().removesuffix("\n"))
        self.written.append((name, value))
        os.ftruncate(fd, 0)
        self._os[4](fd, f"{value}\n".encode())
        return len(data)


def record(t_ns: int, number: int = 0) -> bytes:
    """The buffer's record of `number`: see `raw`."""
    values = dict(zip(ORDER, raw(number), strict=True))
    return struct.pack(">7h2x", *(values[name] for name in ORDER)) + struct.pack("<q", t_ns)


def raw(number: int) -> tuple[int, ...]:
    """Seven numbers in the order of ORDER, as the emulated chip of the kernel tests makes them."""
    x = number % 1024 - 512
    return (x, -x, 16384, -3920 + number % 8, 164, -82, number % 256)
