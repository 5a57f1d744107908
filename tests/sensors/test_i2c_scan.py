"""`auto` on the I2C buses of a computer, with the chip in software on some of them."""

import errno
import logging
import os
from pathlib import Path

import pytest
import trio
from smbus2 import I2cFunc

from tests.helpers import software_chip
from tests.helpers.software_chip import Clock, Fault, SoftwareBus, SoftwareChip, installed
from trio_mpu.device import Device
from trio_mpu.errors import DeviceError
from trio_mpu.sensors import i2c, registry
from trio_mpu.sensors.i2c_scan import LOOK_S, OTHER
from trio_mpu.sensors.mpu6050.options import parse_chip
from trio_mpu.sensors.mpu6050.registers import WHO_AM_I
from trio_mpu.sensors.registry import open_device
from trio_mpu.sensors.simulator import Simulator

PERMISSION = OSError(errno.EACCES, os.strerror(errno.EACCES))
READS_OF_WHO = 3  # reads that find out who it is: WHO_AM_I, another register, WHO_AM_I


class Computer:
    """A folder of device files, and what is on the bus of each."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.clock = Clock()
        self.buses: dict[str, SoftwareChip | OSError | None] = {}  # None: nobody answers
        self.opened: list[str] = []
        self.seconds = 0.0
        self._patch = patch
        self._nobody = self.chip()
        self._patch.setattr(registry, "ROOT", root)
        (root / "dev").mkdir()

    def chip(self, **about: object) -> SoftwareChip:
        """A chip that is on no bus yet."""
        return SoftwareChip(self.clock, parse_chip("1", 100).setup, **about)  # type: ignore[arg-type]

    def has(self, number: int, what: SoftwareChip | OSError | None) -> Path:
        """Add a bus; return its folder in /sys, below that of its controller."""
        self.buses[f"/dev/i2c-{number}"] = what
        (self.root / f"dev/i2c-{number}").touch()
        folder = self.root / f"sys/devices/controller-{number}/i2c-{number}"
        folder.mkdir(parents=True)
        link = self.root / f"sys/class/i2c-dev/i2c-{number}/device"
        link.parent.mkdir(parents=True)
        link.symlink_to(folder)
        return folder

    def binds(self, number: int, driver: str, address: int = 0x68) -> None:
        """Let a driver of the kernel's have this address."""
        device = self.root / f"sys/bus/i2c/devices/{number}-{address:04x}"
        device.mkdir(parents=True)
        folder = self.root / f"sys/bus/i2c/drivers/{driver}"
        folder.mkdir(parents=True)
        (device / "driver").symlink_to(folder)

    def _open(self, path: str) -> SoftwareBus:
        self.opened.append(path)
        what = self.buses[path]
        if isinstance(what, OSError):
            raise what
        if what is None:
            self._nobody.plan = dict.fromkeys(range(10_000), Fault.NACK)
            what = self._nobody
        return what.open(path)

    def auto(self) -> Device:
        """What `auto` finds."""
        found = []

        async def program() -> None:
            begun_s = trio.current_time()
            try:
                found.append(await open_device("auto", 100))
            finally:
                self.seconds = trio.current_time() - begun_s

        with installed(self._nobody):
            setattr(i2c, "open_bus", self._open)  # noqa: B010 - `installed` puts it back
            trio.run(program, clock=self.clock.mock)
        return found[0]


@pytest.fixture
def computer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Computer:
    """A computer without any sensor."""
    caplog.set_level(logging.INFO)
    return Computer(tmp_path, monkeypatch)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was said after text device and IIO."""
    return caplog.messages[2:]


def test_the_first_chip_that_is_known_is_taken(
    computer: Computer, caplog: pytest.LogCaptureFixture
) -> None:
    """Buses go by their number, not as text; the choice has its line."""
    computer.has(10, computer.chip(who=0x70))
    computer.has(2, computer.chip(who=0x98))
    computer.has(1, None)
    device = computer.auto()
    assert device.source == "i2c:2:0x68"
    assert device.chip.startswith("ICM-20689, ")
    assert "/dev/i2c-10" not in computer.opened
    bus_1, how, choice = lines(caplog)
    assert bus_1.startswith("auto: ")
    assert bus_1.endswith("/dev/i2c-1: nothing answers at 0x68; nothing answers at 0x69")
    assert how.startswith("i2c:2:0x68: ICM-20689")
    assert choice == "auto: using i2c:2:0x68"


def test_the_other_address_is_tried_too(
    computer: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AD0 may be high."""
    monkeypatch.setattr(software_chip, "ADDRESS", 0x69)
    computer.has(1, computer.chip())
    assert computer.auto().source == "i2c:1:0x69"


@pytest.mark.parametrize("who", [0x69, 0x72, 0x75])
def test_a_clone_is_taken(computer: Computer, who: int) -> None:
    """As what it behaves like."""
    computer.has(1, computer.chip(who=who))
    assert computer.auto().chip.startswith(f"MPU-6500 clone {who:#04x}, ")


def test_a_chip_that_repeats_what_it_received_is_not_taken(
    computer: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer is the number of the register, and that of WHO_AM_I is the id of a clone."""
    chip = computer.chip()
    monkeypatch.setattr(chip, "_read", lambda register, count: bytes([register]) * count)
    computer.has(1, chip)
    assert isinstance(computer.auto(), Simulator)
    assert chip.log == []


@pytest.mark.parametrize("who", [0x00, 0x42, 0xFF])
def test_a_chip_that_is_not_known_is_only_asked_for_its_name(
    computer: Computer, caplog: pytest.LogCaptureFixture, who: int
) -> None:
    """It may be a clock: nothing is written into it, and data is simulated instead."""
    chip = computer.chip(who=who)
    computer.has(1, chip)
    assert isinstance(computer.auto(), Simulator)
    assert chip.log == []
    assert chip.opened == chip.closed > 0
    assert f"(WHO_AM_I {who:#04x})" in lines(caplog)[0]
    assert lines(caplog)[1].startswith("auto: no chip of the MPU-6050 family answers")


@pytest.mark.parametrize("again", ["the other register", "another time"])
def test_a_chip_that_says_something_known_by_accident_is_not_written(
    computer: Computer, again: str
) -> None:
    """A clock whose few registers repeat, or whose seconds happened to be 12."""
    chip = computer.chip(who=0x12)
    answers = {WHO_AM_I: [0x12, 0x12], OTHER: [0x00]}
    if again == "the other register":
        answers[OTHER] = [0x12]
    else:
        answers[WHO_AM_I] = [0x12, 0x13]
    chip._read = lambda register, count: bytes([answers[register].pop(0)])  # type: ignore[method-assign]
    computer.has(1, chip)
    assert isinstance(computer.auto(), Simulator)
    assert chip.log == []


def test_an_adapter_that_can_t_do_plain_i2c_is_not_asked(
    computer: Computer, caplog: pytest.LogCaptureFixture
) -> None:
    """There is a PC's main board behind it, with clock generators that lock up."""
    chip = computer.chip(funcs=I2cFunc.SMBUS_READ_I2C_BLOCK)
    computer.has(0, chip)
    assert isinstance(computer.auto(), Simulator)
    assert chip.transfers == 0
    assert lines(caplog)[0].endswith("/dev/i2c-0: the adapter does not support plain I2C")


def test_a_monitor_s_bus_is_not_even_opened(
    computer: Computer, caplog: pytest.LogCaptureFixture
) -> None:
    """Its controller is a graphics card."""
    folder = computer.has(3, computer.chip())
    (folder.parent / "class").write_text("0x030000\n")
    computer.has(4, None)
    assert isinstance(computer.auto(), Simulator)
    assert "/dev/i2c-3" not in computer.opened
    assert "/dev/i2c-4" in computer.opened
    assert lines(caplog)[0].endswith("/dev/i2c-3: it belongs to a graphics card")


def test_a_bus_that_is_stuck_costs_a_moment(
    computer: Computer, caplog: pytest.LogCaptureFixture
) -> None:
    """Its second address is not tried, and the next bus is."""
    stuck = computer.chip()
    stuck.plan[0] = Fault.STUCK
    computer.has(1, stuck)
    computer.has(2, None)
    assert isinstance(computer.auto(), Simulator)
    assert LOOK_S <= computer.seconds < LOOK_S + 0.1
    assert stuck.transfers == 1
    assert lines(caplog)[0].endswith("/dev/i2c-1 did not answer within 0.3 s")
    assert "/dev/i2c-2: nothing" in lines(caplog)[1]


def test_a_bus_without_permission_is_told_in_one_line(
    computer: Computer, caplog: pytest.LogCaptureFixture
) -> None:
    """With what to do; the next one is tried."""
    computer.has(1, PERMISSION)
    computer.has(2, computer.chip())
    assert computer.auto().source == "i2c:2:0x68"
    assert "no permission to open /dev/i2c-1: run sudo usermod" in lines(caplog)[0]
    assert "i2c-1" not in "".join(lines(caplog)[1:])


def test_permission_alone_does_not_keep_from_simulating(computer: Computer) -> None:
    """Many computers have buses for root only, and nothing on them."""
    computer.has(1, PERMISSION)
    assert isinstance(computer.auto(), Simulator)


def test_another_driver_s_address_is_left_to_it(
    computer: Computer, caplog: pytest.LogCaptureFixture
) -> None:
    """A clock is often at 0x68, and the sensor then at 0x69."""
    chip = computer.chip()
    computer.has(1, chip)
    computer.binds(1, "rtc-ds1307")
    assert isinstance(computer.auto(), Simulator)
    assert chip.transfers == 0
    assert lines(caplog)[0].startswith("auto: 0x68 on ")
    assert lines(caplog)[0].endswith("/dev/i2c-1 is in use by kernel driver rtc-ds1307")


def test_a_chip_that_the_kernel_s_driver_has_leads_to_iio(computer: Computer) -> None:
    """There is a sensor, so nothing is simulated; IIO was asked before and did not have it."""
    chip = computer.chip()
    computer.has(1, chip)
    computer.binds(1, "inv-mpu6050-i2c")
    with pytest.raises(DeviceError, match=r"inv-mpu6050-i2c holds 0x68 on .*--device iio"):
        computer.auto()
    assert chip.transfers == 0


def test_a_chip_that_vanishes_while_it_is_set_up_is_an_error(computer: Computer) -> None:
    """It is there, so nothing is simulated."""
    chip = computer.chip()
    chip.plan = dict.fromkeys(range(READS_OF_WHO, 1000), Fault.NACK)
    computer.has(1, chip)
    with pytest.raises(DeviceError, match="nothing answers at 0x68"):
        computer.auto()
