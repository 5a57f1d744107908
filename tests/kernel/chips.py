"""The rig's emulated chips, inside the virtual machine: how to have them, and their formulas."""

import contextlib
import ctypes
import fcntl
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from trio_mpu.layout import Record

CHIP: Final = "/sys/module/mpu6050_chip/parameters"
DRIVER: Final = "/sys/bus/i2c/drivers/inv-mpu6050-i2c"
ADDRESS: Final = 0x68
# As inv-mpu6050 writes them at ±2 g and ±2000 °/s, its defaults.
ACCEL_SCALE: Final = 0.000598
GYRO_SCALE: Final = 0.001064724


def put(path: str, text: str) -> None:
    """Write a file of the kernel's."""
    Path(path).write_text(text)


def modprobe(*words: str) -> None:
    """Load modules, or one with its options."""
    for command in [words] if "=" in words[-1] else [(word,) for word in words]:
        subprocess.run(["modprobe", *command], check=True)


def converted(raw: tuple[int, ...]) -> tuple[float, ...]:
    """What raw numbers (accelerometer, temperature, gyroscope) are in g, °/s and °C."""
    return (
        *(value * ACCEL_SCALE / 9.80665 for value in raw[:3]),
        *(math.degrees(value * GYRO_SCALE) for value in raw[4:]),
        (raw[3] + 12420) * 2.941176 / 1000,
    )


def chip_values(number: int) -> tuple[float, ...]:
    """The sample of this number that mpu6050_chip makes (chip/mpu6050_chip.c, make_sample), as
    far as it can be told from the number modulo 1,024, which all of it can."""
    x = number % 1024 - 512
    return converted((x, -x, 16384, -3920 + number % 8, 1310 >> 3, -(655 >> 3), number % 256))


def stub_values(number: int) -> tuple[float, ...]:
    """The sample of the registers after `Stub.sets(number - 512)`."""
    return converted(stub_raw(number - 512))


def stub_raw(x: int) -> tuple[int, ...]:
    """Numbers all of which are different."""
    return x, -x - 3, 16384, -3920 + x, 2 * x, -2 * x - 1, 3 * x + 7


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
        self._fd = os.open(f"/dev/i2c-{bus}", os.O_RDWR)
        fcntl.ioctl(self._fd, 0x0706, ADDRESS)  # I2C_SLAVE_FORCE: a driver is bound to it
        self.write(0x75, 0x68)

    def write(self, register: int, value: int) -> None:
        """Write a register by an SMBus transaction (I2C_SMBUS, I2C_SMBUS_BYTE_DATA)."""
        data = ctypes.create_string_buffer(bytes([value]), 34)
        fcntl.ioctl(self._fd, 0x0720, _Message(0, register, 2, ctypes.addressof(data)))

    def sets(self, x: int) -> None:
        """Let it have measured `stub_raw(x)`."""
        data = b"".join(value.to_bytes(2, "big", signed=True) for value in stub_raw(x))
        for register, byte in enumerate(data, start=0x3B):
            self.write(register, byte)


@contextlib.contextmanager
def i2c_stub() -> Iterator[tuple[Stub, str]]:
    """The registers instead of the chip that samples, with the driver bound to them; and the
    name under which it can be unbound."""
    client = Path("/sys/bus/iio/devices/iio:device0").resolve().parent.name
    put(f"{DRIVER}/unbind", client)
    subprocess.run(["rmmod", "mpu6050_chip"], check=True)
    modprobe("i2c-stub", f"chip_addr={ADDRESS:#x}")
    [bus] = [
        path.parent
        for path in Path("/sys/class/i2c-dev").glob("i2c-*/name")
        if "stub" in path.read_text()
    ]
    number = int(bus.name.removeprefix("i2c-"))
    stub = Stub(number)
    stub.sets(0)
    put(f"/sys/bus/i2c/devices/{bus.name}/new_device", f"mpu6050 {ADDRESS:#x}")
    yield stub, f"{number}-{ADDRESS:04x}"
    put(f"/sys/bus/i2c/devices/{bus.name}/delete_device", f"{ADDRESS:#x}")


class TextDevice:
    """The rig's text device in user space."""

    def __init__(self) -> None:
        self._word = Path("/run/mpu6050-does")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        modprobe("cuse")
        self.does("")
        script = Path(os.environ["RIG_DIRECTORY"]) / "cuse_mpu6050.py"
        command = [sys.executable, str(script), "mpu6050", str(self._word)]
        self._process = subprocess.Popen(command)
        while not Path("/dev/mpu6050").exists():
            time.sleep(0.1)
        return self

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
