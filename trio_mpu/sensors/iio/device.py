"""The sensor behind the kernel's own driver (inv-mpu6050), through its Industrial I/O interface.

If the chip's interrupt is wired, the kernel captures each sample with its time in a buffer, and the
producer only reads that. If it is not, the producer reads the chip's values through sysfs in each
period.

The driver may be unbound and bound again; the device then has another number and none of its
settings. So nothing of a failed session is used again: the next read looks for the device by its
name and sets up everything from scratch. Samples that were missed in the meantime show in the times
of later ones, as do those that the kernel's buffer had no room for.

The kernel prints its scales with six decimals: 0.000598 m/s² where the chip has 9.80665/16384. So
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

# The driver's names for the chips of its family.
NAMES: Final = (
    *("mpu6000", "mpu6050", "mpu6500", "mpu6515", "mpu6880", "mpu9150", "mpu9250", "mpu9255"),
    *("icm20600", "icm20602", "icm20608", "icm20608d", "icm20609", "icm20689", "icm20690"),
    *("iam20380", "iam20680"),
)
SILENCE_S: Final = 1.0  # a working chip delivers within a period, or 0.2 s after it was asleep
SILENCE_PERIODS: Final = 5
# The driver corrects its timestamps by at most 2 % of a period per sample: after a chip has stopped
# for half a second, they would be wrong for 25 s at 100 Hz. Only a new session starts with a
# correct one. A lag this long is not a wait for a processor, and this often in a row it is no
# accident.
LAG_S: Final = 0.25
LATE_READS: Final = 5
LOOK_S: Final = 0.2  # the kernel does not wake a reader when it unbinds a driver
GOODBYE_S: Final = 1.0  # to restore what was changed, which takes two samples and some 30 ms


def find(wanted: str, root: Path) -> tuple[Folder, str]:
    """Return folder and name of the device with this name or number, or, if `wanted` is empty, of
    the only one of this chip's family.

    Raises NoDevice if there is none, and DeviceError if there are several, because their numbers
    may change at each boot.
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
    """Return the device with this name or number, read through its buffer or else through sysfs.

    The first read sets it up. The folders `sys` and `dev` are below `root`. Raises like `find`.
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
        """Return the flags of the next reading that follow from its numbers."""
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
        """Restore what was changed, and turn the buffer off."""
        with trio.move_on_after(GOODBYE_S, shield=True):
            await trio.to_thread.run_sync(self._end, abandon_on_cancel=True)


class Buffered(_Iio[Buffer]):
    """A sensor whose samples the kernel captures. After the first successful read, `period_ns` is
    the chip's period at the rate that it chose."""

    paced = True
    _pace: Pace | None = None
    _late = -1  # how often in a row a fresh sample had an old time; -1: none had a new one

    async def read(self, periods: int = 1) -> Sequence[Sample]:  # noqa: ARG002 - it is paced
        """Wait for the next samples and return all of them, up to `MAX_RECORDS` of a session.

        A step in time over several periods is reported as that many lost readings, whether the
        device was gone, the chip or its bus failed, or the kernel's buffer was full.

        Raises DeviceError if none arrives for SILENCE_S and SILENCE_PERIODS, and if the kernel's
        timestamps lag by LAG_S; what was just read is then reported as lost, too. Cancellation
        loses nothing; while the device is being set up (0.2 s) it takes effect afterwards.
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
            # If this is cancelled before it has begun, aclose does it.
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
            # Several were waiting: if the buffer was full, the last of them may be old.
            self._late = 0 if len(records) == 1 else self._late
        elif self._late >= 0:
            self._late += 1
            if self._late == LATE_READS:
                raise DeviceError(
                    f"the kernel's timestamps of {self.source} lag by {lag_ns / 1e9:.2f} s, as "
                    "after a chip that stopped for a while; starting over"
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
    """A sensor that is read through sysfs. The axes of a sample are measured one after another,
    within a few milliseconds."""

    async def read(self, periods: int = 1) -> Sequence[Sample]:  # noqa: ARG002 - it has no queue
        """Return one sample, whose time is the middle of the reading.

        Cancellation takes effect after the reading, which is bounded by the bus driver's timeout.
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
