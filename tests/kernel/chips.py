"""The rig's emulated chips, inside the virtual machine: how to have them, and their faults."""

import contextlib
import ctypes
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.kernel.units import stub_raw
from trio_mpu.record import Record

CHIP: Final = "/sys/module/mpu6050_chip/parameters"
DRIVER: Final = "/sys/bus/i2c/drivers/inv-mpu6050-i2c"
FOLDER: Final = Path("/sys/bus/iio/devices/iio:device0")
ADDRESS: Final = 0x68


def put(path: str, text: str) -> None:
    """Write a file of the kernel's."""
    Path(path).write_text(text)


def modprobe(*words: str) -> None:
    """Load modules, or one with its options."""
    for command in [words] if "=" in words[-1] else [(word,) for word in words]:
        subprocess.run(["modprobe", *command], check=True)


class _Message(ctypes.Structure):
    _fields_ = (
        ("rw", ctypes.c_uint8),
        ("command", ctypes.c_uint8),
        ("size", ctypes.c_uint32),
        ("data", ctypes.c_void_p),
    )


class Stub:
    """The registers of i2c-stub, which samples nothing: they hold what was written."""

    def __init__(self, bus: int) -> None:
        self.bus = bus
        self._fd = os.open(f"/dev/i2c-{bus}", os.O_RDWR)
        fcntl.ioctl(self._fd, 0x0706, ADDRESS)  # I2C_SLAVE_FORCE: a driver is bound to it
        self.write(0x75, 0x68)

    def write(self, register: int, value: int) -> None:
        """Write a register by an SMBus transaction (I2C_SMBUS, I2C_SMBUS_BYTE_DATA)."""
        data = ctypes.create_string_buffer(bytes([value]), 34)
        fcntl.ioctl(self._fd, 0x0720, _Message(0, register, 2, ctypes.addressof(data)))

    def close(self) -> None:
        """Leave the bus."""
        os.close(self._fd)

    def sets(self, x: int) -> None:
        """Let it have measured `stub_raw(x + 512)`."""
        raw = stub_raw(x + 512)
        data = b"".join(value.to_bytes(2, "big", signed=True) for value in raw)
        for register, byte in enumerate(data, start=0x3B):
            self.write(register, byte)


def bus_of(name: str) -> int:
    """The number of the I2C bus whose adapter's name has this in it."""
    [bus] = [
        path.parent.name
        for path in Path("/sys/class/i2c-dev").glob("i2c-*/name")
        if name in path.read_text()
    ]
    return int(bus.removeprefix("i2c-"))


def driven() -> str:
    """The name under which the driver's chip can be unbound."""
    return FOLDER.resolve().parent.name


def chip_samples() -> int:
    """How many the chip has made since it was loaded."""
    return int(Path(f"{CHIP}/samples").read_text())


@contextlib.contextmanager
def bound_chip() -> Iterator[None]:
    """The chip that samples, with the kernel's driver bound to it and its interrupt wired."""
    modprobe("mpu6050_chip", "client=mpu6050")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # a trial may have failed while it was not bound
            put(f"{DRIVER}/unbind", driven())
        _unload("mpu6050_chip")


@contextlib.contextmanager
def bare_chip() -> Iterator[int]:
    """The chip that samples, and no driver; and its bus."""
    modprobe("mpu6050_chip")
    try:
        yield bus_of("in software")
    finally:
        _unload("mpu6050_chip")


@contextlib.contextmanager
def i2c_stub() -> Iterator["Stub"]:
    """Registers instead of a chip that samples, on an adapter that can't read long bursts."""
    modprobe("i2c-stub", f"chip_addr={ADDRESS:#x}")
    stub = Stub(bus_of("stub"))
    stub.sets(0)
    try:
        yield stub
    finally:
        stub.close()
        _unload("i2c-stub")


@contextlib.contextmanager
def driven_stub() -> Iterator["Stub"]:
    """The same with the kernel's driver bound to them; there is no interrupt."""
    with i2c_stub() as stub:
        device = f"/sys/bus/i2c/devices/i2c-{stub.bus}"
        put(f"{device}/new_device", f"mpu6050 {ADDRESS:#x}")
        try:
            yield stub
        finally:
            put(f"{device}/delete_device", f"{ADDRESS:#x}")


def _unload(module: str) -> None:
    # A producer gives up its bus with its process at the latest, and here that is this one.
    for fd in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if str(fd.readlink()).startswith("/dev/i2c-"):
                os.close(int(fd.name))
    deadline_s = time.monotonic() + 5
    while subprocess.run(["rmmod", module], check=False, capture_output=True).returncode:
        assert time.monotonic() < deadline_s, f"{module} is in use"
        time.sleep(0.1)


class TextDevice:
    """The rig's text device in user space."""

    def __init__(self) -> None:
        self._word = Path("/run/mpu6050-does")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        modprobe("cuse")
        self.begin()
        return self

    def begin(self) -> None:
        """Let there be a device, without a fault."""
        self.does("")
        script = Path(os.environ["RIG_DIRECTORY"]) / "cuse_mpu6050.py"
        command = [sys.executable, str(script), "mpu6050", str(self._word)]
        self._process = subprocess.Popen(command)
        while not Path("/dev/mpu6050").exists():
            time.sleep(0.1)

    @property
    def is_there(self) -> bool:
        """Whether it has not quit."""
        return self._process is not None and self._process.poll() is None

    def __exit__(self, *_: TracebackType | object) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait()

    def does(self, word: str) -> None:
        """Choose its fault, as its own documentation lists them."""
        new = self._word.with_suffix(".new")
        new.write_text(word)
        new.rename(self._word)

    def check(self, record: Record) -> None:
        """The record is one of those that the device makes (its `sample`)."""
        count = round((record.temp - 26.101) * 1000) % 10
        ax, ay, gx = (round(value * 1000) for value in (record.ax, record.ay, record.gx))
        assert (ax - 195) % 10 == (23 - ay) % 10 == (gx + 5844) % 10 == count, record
        assert 195 <= ax < 295, record
        assert -27 < ay <= 23, record
        assert [round(value * 1000) for value in (record.az, record.gy, record.gz)] == [
            906,
            -473,
            495,
        ], record
