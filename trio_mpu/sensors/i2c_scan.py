"""Scans the computer's I2C buses for the chip, for `auto`.

A computer may have a dozen buses, with chips that malfunction after a stray transfer: clock
generators at 0x69 that lock up, monitors, memory modules. Therefore:

1. Only adapters that support plain I2C are used. Those of PC main boards (SMBus) don't, and the
   sensor is not on them.
2. The buses of graphics cards are not used: they lead to monitors.
3. An address that a kernel driver holds is left to that driver.
4. Nothing is written until WHO_AM_I has twice returned the id of a known chip, and another
   register has returned something else: a clock with fewer registers repeats them. Nor may both
   registers have returned their own numbers, as a chip without registers does: it repeats the last
   byte that it received, and 0x75 is the id of a clone.

The scan takes LOOK_S for a stuck bus, and almost no time for the others.
"""

import logging
from pathlib import Path
from typing import Final

import trio

from trio_mpu.device import Device
from trio_mpu.errors import DeviceError, NoDevice
from trio_mpu.sensors import i2c
from trio_mpu.sensors.mpu6050.device import Mpu6050
from trio_mpu.sensors.mpu6050.options import ChipSpec, parse_chip
from trio_mpu.sensors.mpu6050.registers import WHO_AM_I
from trio_mpu.sensors.mpu6050.variants import VARIANTS

log = logging.getLogger(__name__)

ADDRESSES: Final = (0x68, 0x69)
LOOK_S: Final = 0.3  # arbitrary; two transfers at 100 kHz take 1 ms
# Differs from WHO_AM_I only in the upper bits, which such clocks don't decode. In the chip it holds
# data of an external sensor on its auxiliary bus, which is 0 without one.
OTHER: Final = WHO_AM_I ^ 0x40
_DISPLAY: Final = "0x03"  # the PCI class of graphics cards
_DRIVER: Final = "inv-mpu6050"  # and -i2c


async def open_first(rate_hz: float, root: Path = Path("/")) -> Device:
    """Return the first chip found on the buses below `root`, set up for this rate.

    Raises NoDevice if there is none, or none on a bus that is safe to scan. Raises DeviceError if
    there is one that can't be used, for example because the kernel's driver holds it. The log has
    a line for each bus.
    """
    paths = sorted((root / "dev").glob("i2c-*"), key=lambda path: (len(path.name), path.name))
    held = ""
    for path in paths:
        number = path.name.removeprefix("i2c-")
        if _is_display(root / f"sys/class/i2c-dev/{path.name}/device"):
            log.info("auto: skipping %s: it belongs to a graphics card", path)
            continue
        specs = [parse_chip(f"{number}:{address:#04x}", rate_hz) for address in ADDRESSES]
        free = []
        for spec in specs:
            driver = _driver(root / f"sys/bus/i2c/devices/{number}-{spec.address:04x}/driver")
            if not driver:
                free.append(spec)
                continue
            log.info("auto: %#04x on %s is in use by kernel driver %s", spec.address, path, driver)
            if driver.startswith(_DRIVER):
                held = held or f"kernel driver {driver} holds {spec.address:#04x} on {path}"
        known = await _known(free)
        if known is not None:
            return await _opened(known)
    if held:
        raise DeviceError(
            f"{held}, but offers no IIO device: try --device iio, or unbind the driver"
        )
    raise NoDevice(
        "no chip of the MPU-6050 family answers on any I2C bus that is safe to scan"
        if paths
        else "there is no I2C bus"
    )


async def _opened(spec: ChipSpec) -> Device:
    try:
        return await Mpu6050.open(spec)
    except NoDevice as error:
        # It answered a moment ago: this is a bad wire, and no reason to simulate.
        raise DeviceError(str(error)) from error


async def _known(specs: list[ChipSpec]) -> ChipSpec | None:
    """Return the first of these, all on one bus, that is a known chip; log why none is."""
    found = []
    for spec in specs:
        who = None
        try:
            with trio.fail_after(LOOK_S):
                bus = i2c.Bus(spec.path, spec.address, lambda _: None)
                who = await bus.run(_who)
        except trio.TooSlowError:
            found.append(f"{spec.path} did not answer within {LOOK_S:g} s")
            break
        except NoDevice:
            found.append(f"nothing answers at {spec.address:#04x}")
            continue
        except DeviceError as error:
            log.warning("auto: %s", error)
            return None
        if who is None:
            found.append("the adapter does not support plain I2C")
            break
        if who in VARIANTS:
            return spec
        found.append(f"unknown chip at {spec.address:#04x} (WHO_AM_I {who:#04x})")
    if found:
        log.info("auto: %s: %s", specs[0].path, "; ".join(found))
    return None


def _who(session: i2c.Session) -> int | None:
    """Return the chip's id, 0 if it is not certain, None if the adapter can't read it."""
    try:
        if not session.has_bursts:
            return None
        first, other, again = (
            session.read_once(register, 1)[0] for register in (WHO_AM_I, OTHER, WHO_AM_I)
        )
        is_echo = (first, other) == (WHO_AM_I, OTHER)
        return first if first == again != other and not is_echo else 0
    finally:
        session.close()


def _driver(link: Path) -> str:
    return link.resolve().name if link.exists() else ""


def _is_display(adapter: Path) -> bool:
    for folder in adapter.resolve().parents:
        try:
            if (folder / "class").read_text().startswith(_DISPLAY):
                return True
        except OSError:
            continue
    return False
