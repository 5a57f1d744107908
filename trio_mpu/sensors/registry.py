"""Opens the device that `--device` names."""

import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from trio_mpu.device import Device, TextDevice
from trio_mpu.errors import DeviceError, NoDevice, NoSampleYet, UsageError
from trio_mpu.home import with_home
from trio_mpu.sensors.i2c_scan import open_first
from trio_mpu.sensors.iio.device import open_iio
from trio_mpu.sensors.mpu6050.device import Mpu6050
from trio_mpu.sensors.mpu6050.options import parse_chip
from trio_mpu.sensors.replay.device import Replay
from trio_mpu.sensors.replay.options import parse_options
from trio_mpu.sensors.simulator import Simulator

log = logging.getLogger(__name__)

ROOT: Final = Path("/")  # of /dev and /sys


async def _text(rate_hz: float) -> Device:
    path = ROOT / "dev/mpu6050"
    if not path.exists():
        raise NoDevice(f"{path} does not exist")
    return TextDevice(str(path), rate_hz)


async def _iio(rate_hz: float) -> Device:
    return await open_iio("", rate_hz, ROOT)


async def _i2c(rate_hz: float) -> Device:
    return await open_first(rate_hz, ROOT)


# What `auto` tries, in this order: each raises NoDevice if there is no device of its kind.
FINDERS: Final[Sequence[Callable[[float], Awaitable[Device]]]] = (_text, _iio, _i2c)


async def open_device(spec: str, rate_hz: float, *, may_simulate: bool = True) -> Device:
    """Return the device that `spec` names, ready to be read, at `rate_hz` if it has no pace of
    its own.

    If `auto` finds no sensor at all, it is the simulator, or NoDevice is raised if that is not
    wanted. Raises UsageError if the spec is wrong, DeviceError if the device is missing or can't be used.
    """
    if not spec.isprintable():
        # The spec is part of log lines, of the ring's header and of each JSON object.
        raise UsageError(f"{spec!r} is not a device: its name has unprintable characters")
    spec = _with_home(spec)
    kind, _, rest = spec.partition(":")
    if spec == "auto":
        device = await _found(rate_hz)
        if device is None and not may_simulate:
            raise NoDevice(
                "no sensor found; name yours with --device (i2c:1, iio or a path), or try "
                "--device sim:still"
            )
        return device or _simulated(rate_hz)
    if kind == "sim":
        return Simulator.from_options(rest, rate_hz)
    if kind == "i2c":
        return await Mpu6050.open(parse_chip(rest, rate_hz))
    if kind == "replay" and rest:
        return Replay(parse_options(rest))
    if kind == "iio":
        return await _probed(await open_iio(rest, rate_hz, ROOT))
    if "/" in spec or os.access(spec, os.F_OK):
        return await _probed(TextDevice(spec, rate_hz))
    raise UsageError(
        f"{spec!r} is not a device: use auto, iio[:NAME-OR-NUMBER], i2c:BUS, sim[:KEY=VALUE,…], "
        "replay:FILE[,loop][,speed=N][,from=TIME][,to=TIME] or the path of a text device"
    )


def _with_home(spec: str) -> str:
    """Return the spec with `~` expanded, also after a colon, where a shell does not expand it."""
    path = spec.removeprefix("replay:")
    kind = spec[: len(spec) - len(path)]
    return kind + with_home(path)


async def _found(rate_hz: float) -> Device | None:
    """Return the first sensor that works, None if there is no sensor at all.

    Raises DeviceError if there are sensors but none that works: simulated data in their place
    would be taken for real.
    """
    refused = None
    for finder in FINDERS:
        try:
            device = await _probed(await finder(rate_hz))
        except NoDevice as error:
            log.info("auto: %s", error)
        except DeviceError as error:
            log.warning("auto: %s", error)
            refused = refused or error
        else:
            log.info("auto: using %s", device.source)
            return device
    if refused is not None:
        raise refused
    return None


def _simulated(rate_hz: float) -> Device:
    log.info("auto: no sensor found, so the data is SIMULATED")
    return Simulator.from_options("", rate_hz)


async def _probed(device: Device) -> Device:
    """Read the device once: it is better to report an initial fault than to retry."""
    try:
        await device.read()
    except NoSampleYet as error:
        log.info("%s", error)
    except BaseException:
        await device.aclose()
        raise
    return device
