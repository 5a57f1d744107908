"""An I2C bus: transfers in a thread, with retries and a deadline; errors in plain words.

Invariants:

1. Only one thread at a time uses the bus. An abandoned call may still return later and take bytes
   out of the chip's FIFO; no other call starts before it has returned.
2. An abandoned call makes no further transfer: each transfer checks first.
3. After any failure of the bus, the next `run` reopens its file.

A transfer that can be repeated (reading a register, or writing a value again) is attempted
ATTEMPTS times. A read with a side effect is attempted once: the caller must know if it failed.
"""

import errno
import time
from collections.abc import Callable
from typing import Final, TypeVar

import trio
from smbus2 import I2cFunc, SMBus, i2c_msg

from trio_mpu.device import READ_DEADLINE_S
from trio_mpu.errors import DeviceError, NoDevice

T = TypeVar("T")

ATTEMPTS: Final = 3  # single failures are common with long wires; three in a row mean more
# Some USB adapters support no more in one transfer; a whole number of frames.
MAX_BURST_BYTES: Final = 18 * 14
_NO_RETRY: Final = frozenset((errno.ENOENT, errno.EACCES, errno.EPERM, errno.EBUSY))
_NO_ANSWER: Final = frozenset((errno.ENODEV, errno.ENXIO, errno.EREMOTEIO, errno.ETIMEDOUT))

# Tests replace these.
open_bus: Callable[[str], SMBus] = SMBus
monotonic_ns: Callable[[], int] = time.monotonic_ns


async def in_thread(work: Callable[[], T], threads: trio.CapacityLimiter) -> T:
    """Run blocking work in a thread, which is abandoned when this is cancelled."""
    return await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=threads)


class Session:
    """The open bus with one chip, for use in a thread. Every method blocks, and raises OSError if
    the transfer fails."""

    def __init__(self, path: str, address: int, count: Callable[[str], None]) -> None:
        self.is_abandoned = False
        self._path = path
        self._address = address
        self._count = count
        self._bus: SMBus | None = None

    @property
    def has_bursts(self) -> bool:
        """Whether the adapter can read more than 32 bytes in one transfer (i2c-stub can't)."""
        return bool(self._the_bus().funcs & I2cFunc.I2C)

    def read(self, register: int, count: int) -> bytes:
        """Return the bytes of `count` registers from this one on, at most 32. All are from the same
        instant: the chip does not change them during a transfer."""
        return self._again(lambda: self.read_once(register, count))

    def read_once(self, register: int, count: int) -> bytes:
        """Read like `read`, with one attempt only."""
        bus = self._the_bus()
        return _whole(bytes(bus.read_i2c_block_data(self._address, register, count)), count)

    def write(self, register: int, value: int) -> None:
        """Set a register."""
        self._again(lambda: self._the_bus().write_byte_data(self._address, register, value))

    def burst_once(self, register: int, count: int) -> bytes:
        """Read this register `count` times, at most MAX_BURST_BYTES, with one attempt only.

        One address and one read per call: the Raspberry Pi's adapter supports no more.
        """
        bus = self._the_bus()
        data = i2c_msg.read(self._address, count)
        bus.i2c_rdwr(i2c_msg.write(self._address, [register]), data)
        return _whole(bytes(data), count)

    def counted(self, name: str) -> None:
        """Add one to this counter of the ledger."""
        self._count(name)

    def open(self) -> None:
        """Open the bus unless it is open."""
        if self._bus is None:
            self._bus = open_bus(self._path)

    def close(self) -> None:
        """Close the bus."""
        if self._bus is not None:
            bus, self._bus = self._bus, None
            bus.close()

    def _the_bus(self) -> SMBus:
        if self.is_abandoned or self._bus is None:
            raise OSError(errno.ECANCELED, "the transfer was abandoned")
        return self._bus

    def _again(self, transfer: Callable[[], T]) -> T:
        for _ in range(ATTEMPTS - 1):
            try:
                return transfer()
            except OSError as error:
                if self.is_abandoned or error.errno in _NO_RETRY:
                    raise
                self._count("device_retries")
        return transfer()


class Bus:
    """A bus with one chip on it, opened when it is first used."""

    def __init__(self, path: str, address: int, count: Callable[[str], None]) -> None:
        """`count` is called, in a thread, with the name of a counter of the ledger."""
        self.path = path
        self.address = address
        self._count = count
        self._session: Session | None = None
        self._was_open = False
        self._threads = trio.CapacityLimiter(1)

    async def run(self, task: Callable[[Session], T]) -> T:
        """Run the task in a thread and return its result.

        Raises what the task raises, and DeviceError with a message for the user if a transfer
        fails (NoDevice if nothing answers or there is no such bus) or if the task takes longer
        than READ_DEADLINE_S. After an error or a cancellation, the task may or may not have
        completed what it began.
        """
        session = self._session or Session(self.path, self.address, self._count)
        if self._session is None and self._was_open:
            self._count("bus_reopens")
        self._session = None  # until the task has succeeded

        def work() -> T:
            try:
                session.open()
                self._was_open = True
                return task(session)
            except OSError:
                session.close()
                raise
            finally:
                if session.is_abandoned:
                    session.close()

        try:
            with trio.fail_after(READ_DEADLINE_S):
                result = await in_thread(work, self._threads)
        except DeviceError:
            self._session = session
            raise
        except OSError as error:
            kind = NoDevice if error.errno in (errno.ENOENT, *_NO_ANSWER) else DeviceError
            raise kind(explained(error, self.path, self.address)) from error
        except trio.TooSlowError as error:
            session.is_abandoned = True
            raise DeviceError(
                f"{self.path} did not answer within {READ_DEADLINE_S:g} s: the bus is stuck; "
                "check wiring and power"
            ) from error
        except BaseException:
            session.is_abandoned = True
            raise
        self._session = session
        return result

    def close(self) -> None:
        """Close the bus without blocking. If an abandoned call is still using it, that call closes
        it when it returns."""
        session, self._session = self._session, None
        if session is not None:
            session.close()


def _whole(data: bytes, count: int) -> bytes:
    if len(data) != count:
        raise OSError(errno.EIO, f"received {len(data)} bytes instead of {count}")
    return data


def explained(error: OSError, path: str, address: int) -> str:
    """Return one line that says what is wrong and what to do."""
    if error.errno == errno.ENOENT:
        return (
            f"there is no bus {path}: enable I2C (raspi-config, or modprobe i2c-dev), or choose "
            "another bus; i2cdetect -l lists them"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"no permission to open {path}: run sudo usermod -aG i2c $USER, then log in again"
    if error.errno == errno.EBUSY:
        return (
            f"a kernel driver holds {address:#04x} on {path}: use --device iio, or unbind the "
            "driver"
        )
    if error.errno in _NO_ANSWER:
        return (
            f"nothing answers at {address:#04x} on {path} ({error.strerror}): check wiring and "
            "power; with AD0 high the address is 0x69"
        )
    return f"can't talk to {address:#04x} on {path}: {error.strerror or error}"
