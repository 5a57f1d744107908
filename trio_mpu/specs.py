"""From the command line's SPEC to an open device."""

import logging
import os
from pathlib import Path
from typing import Final

from trio_mpu.chipspec import parse_chip
from trio_mpu.device import Device, TextDevice
from trio_mpu.errors import NoSampleYet, UsageError
from trio_mpu.mpu6050 import Mpu6050
from trio_mpu.replay import Replay
from trio_mpu.simulator import Simulator

log = logging.getLogger(__name__)

TEXT_DEVICE: Final = Path("/dev/mpu6050")


async def open_device(spec: str, rate_hz: float) -> Device:
    """Return the device that `spec` names, ready to be read at `rate_hz` if it has no pace of
    its own.

    `auto` is the text driver's device if there is one, else the simulator. Raises UsageError
    when the spec is wrong, DeviceError when the device is not there or can't be used.
    """
    if not spec.isprintable():
        # The spec becomes a name in log lines, in the ring's header and in each JSON object.
        raise UsageError(f"{spec!r} is no device: its name has characters that can't be printed")
    kind, _, rest = spec.partition(":")
    if spec == "auto":
        if TEXT_DEVICE.exists():
            log.info("auto: %s is there", TEXT_DEVICE)
            return await _probed(TextDevice(str(TEXT_DEVICE), rate_hz))
        log.info("auto: there is no %s, so the data is SIMULATED", TEXT_DEVICE)
        return Simulator.from_options("", rate_hz)
    if kind == "sim":
        return Simulator.from_options(rest, rate_hz)
    if kind == "i2c":
        return await Mpu6050.open(parse_chip(rest, rate_hz))
    if kind == "replay" and rest:
        return Replay(rest)
    if "/" in spec or os.access(spec, os.F_OK):
        return await _probed(TextDevice(spec, rate_hz))
    raise UsageError(
        f"{spec!r} is no device: give auto, sim[:KEY=VALUE,…], i2c:BUS, replay:FILE or "
        "the path of a text device"
    )


async def _probed(device: Device) -> Device:
    """Read the device once: what is wrong from the start is better said than retried."""
    try:
        await device.read()
    except NoSampleYet as error:
        log.info("%s", error)
    return device
