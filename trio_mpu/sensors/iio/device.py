"""The sensor behind the kernel's own driver (inv-mpu6050), by its Industrial I/O interface.

Where the chip's interrupt is wired, the kernel captures each sample at its instant and with its
time into a buffer; the producer then only empties that. Where it is not, the producer reads the
chip's values through sysfs, each period anew.

The driver may be unbound and bound again, and then has another number and none of its settings. So
nothing of a failed session (session.py) is used again: the next read looks for the device by its
name and sets up everything anew. What was missed meanwhile shows in the times of the samples, as
does what the kernel's buffer had no room for.

The kernel writes its scales with six decimals: 0.000598 m/s² where the chip has 9.80665/16384. So
1 g at ±2 g reads as 0.9991 g.
"""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar

import trio

from trio_mpu.device import Device
from trio_mpu.errors import DeviceError, NoDevice
from trio_mpu.sample import MAX_LOST, Flag, Sample
from trio_mpu.sensors.iio.gaps import Pace
from trio_mpu.sensors.iio.scan_elements import is_clipped
from trio_mpu.sensors.iio.session import Buffer, Poll, has_buffer
from trio_mpu.sensors.iio.sysfs import Folder, failed

log = logging.getLogger(__name__)

# The chips of the driver's family, as it names them.
NAMES: Final = (
    *("mpu6000", "mpu6050", "mpu6500", "mpu6515", "mpu6880", "mpu9150", "mpu9250", "mpu9255"),
    *("icm20600", "icm20602", "icm20608", "icm20608d", "icm20609", "icm20689", "icm20690"),
    *("iam20380", "iam20680"),
)
SILENCE_S: Final = 1.0  # a working chip is heard after a period, or 0.2 s after it was asleep
SILENCE_PERIODS: Final = 5
# The driver corrects its times by at most 2 % of a period a sample: after a chip that stood still
# for half a second they would be wrong for 25 s at 100 Hz. Only a new session begins with a right
# one. So long a lag is no wait for a processor, and so often in a row no accident.
LAG_S: Final = 0.25
LATE_READS: Final = 5
LOOK_S: Final = 0.2  # the kernel wakes nobody when it unbinds a driver
GOODBYE_S: Final = 1.0  # to put back what was changed; it takes two samples and some 30 ms


def find(wanted: str, root: Path) -> tuple[Folder, str]:
    """Return folder and name of the device with this name or number, or, if `wanted` is empty, of
    the only one of this chip's family.

    Raises NoDevice when there is none, and DeviceError when there are several: which of them gets
    which number is not the same after each boot.
    """
    names: dict[Path, str] = {}
    for path in sorted((root / "sys/bus/iio/devices").glob("iio:device*")):
        try:
            names[path] = Folder(path).get("name")
        except DeviceError as error:
            log.debug("%s", error)
    if wanted.isdecimal():
        found = [path for path in names if path.name == f"iio:device{wanted}"]
    else:
        found = [path for path, name in names.items() if name in ((wanted,) if wanted else NAMES)]
    if not found:
        there = ", ".join(f"{name} ({path.name})" for path, name in names.items()) or "none"
        raise NoDevice(
            f"there is no IIO device {wanted or 'of the MPU-6050 family'} (found: {there}); "
            "load the driver (modprobe inv-mpu6050-i2c) and bind it to the chip"
        )
    if len(found) > 1:
        raise DeviceError(
            "there are several IIO devices: "
            + ", ".join(f"{names[path]} ({path.name})" for path in found)
            + "; choose one by number, for example iio:0"
        )
    return Folder(found[0]), names[found[0]]


async def open_iio(wanted: str, rate_hz: float, root: Path = Path("/")) -> Device:
    """Return the device of this name or number, with its buffer if it has one, else by sysfs.

    The first read sets it up. Below `root` are the folders `sys` and `dev`. Raises as `find`.
    """
    folder, name = await trio.to_thread.run_sync(find, wanted, root)
    device: Device
    if has_buffer(folder, root / "dev"):
        device = Buffered(wanted or name, rate_hz, root)
        way = "its buffer"
    else:
        device = Polled(wanted or name, rate_hz, root)
        way = "sysfs"
        log.info(
            "iio:%s has no buffer, because its interrupt is not wired: reading it through sysfs",
            name,
        )
    device.chip = f"{name}, through the kernel's driver and {way}"
    return device


S = TypeVar("S", Buffer, Poll)


class _Iio(Device, Generic[S]):
    """What both ways have in common: a session that is begun when there is none."""

    def __init__(self, name: str, rate_hz: float, root: Path) -> None:
        self.source = self.identity = f"iio:{name}"
        self.period_ns = round(10**9 / rate_hz)
        self._name = name
        self._rate_hz = rate_hz
        self._root = root
        self._session: S | None = None
        self._last_raw: list[int] = []

    def _flags(self, raw: list[int]) -> int:
        """Return what is to be said of the next reading for its numbers' sake."""
        flags = Flag.CLIPPED if is_clipped(raw) else Flag(0)
        if raw == self._last_raw:
            flags |= Flag.STALE_REPEAT
        self._last_raw = raw
        return int(flags)

    def _end(self) -> None:
        if self._session is not None:
            self._session.end()
            self._session = None

    async def aclose(self) -> None:
        """Put back what was changed, and switch the buffer off."""
        with trio.move_on_after(GOODBYE_S, shield=True):
            await trio.to_thread.run_sync(self._end, abandon_on_cancel=True)


class Buffered(_Iio[Buffer]):
    """A sensor that the kernel captures from. `period_ns` is what the chip has made of the rate
    that was asked for, from the first successful read on."""

    paced = True
    _pace: Pace | None = None
    _late = -1  # how many times in a row a fresh sample had an old time; -1: it never had a new one

    async def read(self, periods: int = 1) -> Sequence[Sample]:  # noqa: ARG002 - it is paced
        """Wait for the next samples and return all that there are, up to `capture.MAX_RECORDS`.

        A step in time over several periods is told as that many lost readings, whether the
        device was gone, the chip or its bus has failed, or the kernel's buffer was full.

        Raises DeviceError when none comes for SILENCE_S and SILENCE_PERIODS, and when the kernel's
        times lag behind by LAG_S; what was read then is told as lost, too. Cancellation loses
        nothing; while the device is being set up (0.2 s) it is heeded afterwards.
        """
        if self._session is None:
            self._late = -1
            self._session = await trio.to_thread.run_sync(self._begin)
            self.period_ns = self._session.period_ns
        if self._pace is None:
            self._pace = Pace(self.period_ns)
        try:
            records = await self._records(self._session)
            self._check_times(records)
        except DeviceError:
            # When this is cancelled before it has begun, aclose does it.
            await trio.to_thread.run_sync(self._end)
            raise
        samples = []
        for time_ns, raw in records:
            t_ns, lost = self._pace.next(time_ns)
            values = self._session.conversion.values(raw)
            flags = self._flags(raw) | (Flag.DEVICE_GAP if lost else 0)
            samples.append(Sample(t_ns, *values, flags, min(lost, MAX_LOST)))
        return samples

    def _check_times(self, records: Sequence[tuple[int, list[int]]]) -> None:
        lag_ns = time.monotonic_ns() - records[-1][0]
        if len(records) > 1 or lag_ns < LAG_S * 1e9 + self.period_ns:
            # Several were waiting: the last of them may be old, if the buffer was full.
            self._late = 0 if len(records) == 1 else self._late
        elif self._late >= 0:
            self._late += 1
            if self._late == LATE_READS:
                raise DeviceError(
                    f"the kernel's timestamps of {self.source} lag by {lag_ns / 1e9:.2f} s, as after "
                    "a chip that stopped for a while; starting over"
                )

    def _begin(self) -> Buffer:
        folder, _ = find(self._name, self._root)
        return Buffer(folder, self._root / "dev", self._rate_hz)

    async def _records(self, buffer: Buffer) -> list[tuple[int, list[int]]]:
        silence_s = max(SILENCE_S, SILENCE_PERIODS * buffer.period_ns / 1e9)
        deadline_s = trio.current_time() + silence_s
        while True:
            with trio.move_on_after(LOOK_S):
                await trio.lowlevel.wait_readable(buffer.fd)
            try:
                records = buffer.records()
            except BlockingIOError:
                if trio.current_time() >= deadline_s:
                    raise DeviceError(
                        f"{self.source} delivered no sample for {silence_s:g} s; check the chip's "
                        "power and its interrupt line"
                    ) from None
            except OSError as error:
                raise failed(error, buffer.device) from error
            else:
                if records:
                    return records
                raise DeviceError(f"another program turned off the buffer of {self.source}")


class Polled(_Iio[Poll]):
    """A sensor that is read through sysfs. The axes of a sample are not of one instant, but are
    measured one after another, within a few milliseconds."""

    async def read(self, periods: int = 1) -> Sequence[Sample]:  # noqa: ARG002 - it has no queue
        """Return one sample, whose time is the middle of the reading.

        Cancellation is heeded after the reading, which the bus driver's own timeout bounds.
        """
        return [await trio.to_thread.run_sync(self._read)]

    def _read(self) -> Sample:
        if self._session is None:
            folder, _ = find(self._name, self._root)
            self._session = Poll(folder, self._rate_hz)
        try:
            t_ns, raw = self._session.record()
        except DeviceError:
            self._end()
            raise
        return Sample(t_ns, *self._session.conversion.values(raw), self._flags(raw))
