"""One of each kind of sensor, in a setup of its own, for the tests that every Device has to pass.

A new sensor joins with a class of its own here and a line in SENSORS.
"""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
import trio

from tests.helpers.fake_devices import sample
from tests.helpers.fake_iio import FakeIio, raw, record
from tests.helpers.software_chip import NUMBERS, Clock, Fault, SoftwareChip, installed, number_of
from trio_mpu.device import Device, TextDevice
from trio_mpu.formats import COLUMNS, Origin, row_csv
from trio_mpu.record import Record
from trio_mpu.sample import Sample
from trio_mpu.sensors.iio import session
from trio_mpu.sensors.iio.device import open_iio
from trio_mpu.sensors.mpu6050.device import Mpu6050
from trio_mpu.sensors.mpu6050.options import parse_chip
from trio_mpu.sensors.replay.device import Replay
from trio_mpu.sensors.replay.options import Options
from trio_mpu.sensors.simulator import Simulator


class Sensor:
    """A sensor of one kind, and what can happen to it.

    The tests read a sensor without `faults` at most QUIET_READS times; after that, a simulated or
    recorded fault may come by itself.
    """

    clock: trio.abc.Clock | None = None  # None: real time
    counts: frozenset[str] = frozenset()  # what a failure of it is counted as, in the ledger

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        """`folder` is empty; what is changed through `patch` is undone after the test."""

    def now_ns(self) -> int:
        """CLOCK_MONOTONIC, as the sensor has it."""
        return time.monotonic_ns()

    async def open(self) -> Device:
        """Return the open device."""
        raise NotImplementedError

    def measure(self) -> None:
        """Measure once more, if it does not do so by itself."""

    def fail(self) -> None:
        """Let reads fail from now on, unless some fail by themselves."""

    def mend(self) -> None:
        """Let reads work again."""

    def number(self, taken: Sample) -> int | None:
        """Which of its readings, in the order in which it made them, a sample is; None if it keeps
        none until they are read."""
        return None

    def check_given_back(self) -> None:
        """Check that a device that was closed has left nothing behind in the sensor."""

    def close(self) -> None:
        """End everything."""


QUIET_READS: Final = 40


class Simulated(Sensor):
    """The simulator; each 50th read fails by itself."""

    async def open(self) -> Device:
        twin = Simulator.from_options("seed=1", 100)
        self._readings = [taken[1:8] for taken in await twin.read(100)]
        return Simulator.from_options("seed=1,fault=missing", 100)

    def number(self, taken: Sample) -> int | None:
        return self._readings.index(taken[1:8])


class Recorded(Sensor):
    """A recording; a line that is no row comes now and then, after QUIET_READS rows at first."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._path = folder / "recording.csv"
        origin = Origin(1, "/dev/mpu6050")
        rows = [
            row_csv(Record.of(n, 10**18 + n, sample(n, 10**12 + n * 10**6)), origin)
            for n in range(1, 1500)  # more than is read at the beginning, to find the period
        ]
        for place in range(QUIET_READS + 10, len(rows), QUIET_READS + 10):
            rows.insert(place, "this is no row")
        self._path.write_text("\n".join([",".join(COLUMNS), *rows, ""]))

    async def open(self) -> Device:
        return Replay(Options(str(self._path)))

    def number(self, taken: Sample) -> int | None:
        return round(taken.ax * 1024)


class Text(Sensor):
    """The educational driver's character device."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._path = folder / "mpu6050"
        self.mend()

    async def open(self) -> Device:
        return TextDevice(str(self._path), 100)

    def fail(self) -> None:
        self._path.unlink()

    def mend(self) -> None:
        self._path.write_text(
            "IRQ count: 0\n 0.195, 0.023, 0.906, [g]\n-5.844,-0.473, 0.495, [dps]\n26.101, [°C]\n"
        )


class OnI2c(Sensor):
    """The chip itself, in software and in virtual time."""

    counts = frozenset(("device_retries", "bus_reopens"))
    rate_hz = 500

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._spec = parse_chip(f"1,rate={self.rate_hz}", 100)
        clock = Clock()
        self.clock = clock.mock
        self.now_ns = clock.now_ns  # type: ignore[method-assign]
        self._chip = SoftwareChip(clock, self._spec.setup)
        self._stack = ExitStack()
        self._stack.enter_context(installed(self._chip))

    async def open(self) -> Device:
        return await Mpu6050.open(self._spec)

    def fail(self) -> None:
        self._chip.plan = dict.fromkeys(range(self._chip.transfers, 10**5), Fault.NACK)

    def mend(self) -> None:
        self._chip.plan = {}

    def number(self, taken: Sample) -> int | None:
        number = number_of(taken, self._chip.scale)
        assert number is not None, taken
        assert self._chip.newest < NUMBERS
        return number

    def check_given_back(self) -> None:
        assert self._chip.closed == self._chip.opened

    def close(self) -> None:
        self._stack.close()


class OnI2cOneByOne(OnI2c):
    """The same, at a rate at which it is read one by one."""

    rate_hz = 100


class IioPolled(Sensor):
    """The kernel's driver by sysfs, for a chip whose interrupt is not wired."""

    has_buffer = False

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._kernel = FakeIio(folder, patch)
        self._kernel.bind(buffer=self.has_buffer)
        self._settings = self._kernel.settings()

    async def open(self) -> Device:
        # So slow that however long the computer pauses, no reading is missing.
        return await open_iio("", 0.1, self._kernel.root)

    def fail(self) -> None:
        self._kernel.unbind()

    def mend(self) -> None:
        self._kernel.bind(self._kernel.number + 1, buffer=self.has_buffer)
        self._settings = self._kernel.settings()

    def check_given_back(self) -> None:
        assert not self._kernel.opened
        if self._kernel.folder.exists():
            assert self._kernel.settings() == self._settings

    def close(self) -> None:
        self._kernel.close()


class IioBuffered(IioPolled):
    """The kernel's driver by its buffer."""

    has_buffer = True

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        super().__init__(folder, patch)
        self._number = 0
        # What is measured before the device is set up must still be there afterwards.
        patch.setattr(session.Buffer, "_settle", lambda _: None)

    def measure(self) -> None:
        if self._kernel.device.exists():
            self._kernel.captured(record(time.monotonic_ns(), self._number))
            self._number += 1

    def number(self, taken: Sample) -> int | None:
        lsb_g = 0.000598 / 9.80665
        return round(taken.ax / lsb_g) - raw(0)[0]


SENSORS: Final[dict[str, type[Sensor]]] = {
    "simulator": Simulated,
    "replay": Recorded,
    "text": Text,
    "I2C, queued": OnI2c,
    "I2C, one by one": OnI2cOneByOne,
    "IIO, polled": IioPolled,
    "IIO, buffered": IioBuffered,
}
