"""One session with a sensor of the kernel's IIO interface, from setup to its end.

Everything here blocks and belongs in a thread, except `Buffer.records`. A session is over after its
first error: its user ends it and begins another. Ending a session always turns the buffer off and
restores whatever was changed for it, even if the session had not quite begun.
"""

import contextlib
import errno
import logging
import os
import select
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from trio_mpu.errors import DeviceError
from trio_mpu.sensors.iio.scan_elements import (
    CHANNELS,
    Conversion,
    Layout,
    Type,
    parse_matrix,
    parse_number,
    parse_type,
)
from trio_mpu.sensors.iio.sysfs import Folder, failed, read_text

log = logging.getLogger(__name__)

BUFFER_S: Final = 2.0  # arbitrary: how long the producer may be kept from reading
MIN_BUFFER: Final = 64  # arbitrary
MAX_RECORDS: Final = 256  # arbitrary: read at a time, so that they reach the ring soon
NO_ROTATION: Final = "1, 0, 0; 0, 1, 0; 0, 0, 1"
TIMESTAMP: Final = "timestamp"
RATE: Final = "sampling_frequency"
SETTLE_S: Final = 0.3  # at the slowest rate, 4 Hz, a sample arrives in that time


def has_buffer(folder: Folder, dev: Path) -> bool:
    """Return whether the kernel captures by itself: it does if the chip's interrupt is wired."""
    return folder.has("buffer/enable") and (dev / folder.path.name).exists()


def _one_of(folder: Folder, *names: str) -> str:
    """Return the first of the names that exists, "" if none does."""
    return next((name for name in names if folder.has(name)), "")


def _of_channel(folder: Folder, what: str) -> list[str]:
    # One for each channel (in_accel_x_scale), or one for a kind of channel (in_accel_scale).
    return [
        _one_of(folder, f"in_{channel}_{what}", f"in_{channel.partition('_')[0]}_{what}")
        for channel in CHANNELS
    ]


def _numbers(folder: Folder, what: str, default: float) -> list[float]:
    return [
        parse_number(folder.get(name), str(folder.path / name)) if name else default
        for name in _of_channel(folder, what)
    ]


def conversion(folder: Folder) -> Conversion:
    """Read scales, offsets and mount matrices, and return the conversion of raw numbers.

    A kind of sensor without a matrix is mounted straight. Raises DeviceError.
    """
    matrices = []
    for kind in ("accel", "anglvel"):
        name = _one_of(folder, f"in_{kind}_mount_matrix", "in_mount_matrix", "mount_matrix")
        text = folder.get(name) if name else NO_ROTATION
        matrices.append(parse_matrix(text, str(folder.path / name)))
    return Conversion(_numbers(folder, "scale", 1.0), _numbers(folder, "offset", 0.0), *matrices)


def _check_channels(folder: Folder) -> None:
    for channel in CHANNELS:
        if not folder.has(f"in_{channel}_raw"):
            raise DeviceError(
                f"{folder.path} does not measure acceleration, angular rate and temperature: "
                f"it has no in_{channel}_raw"
            )


def set_rate(folder: Folder, rate_hz: float) -> float:
    """Set the sampling rate; return the rate in Hz that the chip then reports.

    Raises DeviceError if it does not support such a rate.
    """
    name = RATE
    for text in (f"{rate_hz:g}", str(round(rate_hz))):  # most drivers take whole numbers only
        try:
            folder.change(name, text)
            break
        except OSError as error:
            refusal = error
            if error.errno != errno.EINVAL:
                raise failed(error, folder.path / name, f"write {text!r} to") from error
    else:
        raise DeviceError(
            f"{folder.path}: can't sample at {rate_hz:g} Hz; choose another --rate"
        ) from refusal
    true_hz = parse_number(folder.get(name), str(folder.path / name))
    if true_hz <= 0:
        raise DeviceError(f"{folder.path / name} reports an invalid rate: {true_hz:g} Hz")
    return true_hz


class Buffer:
    """Reads the records that the kernel captures at each interrupt of the chip.

    Meanwhile no program can change the scales (EBUSY), so they are read once. The kernel keeps the
    records of BUFFER_S; when its buffer is full, it drops new ones.
    """

    def __init__(self, folder: Folder, dev: Path, rate_hz: float) -> None:
        """Set everything up and begin. Raises DeviceError, after restoring everything."""
        self._folder = folder
        self.device = dev / folder.path.name
        # Only one program can have it open, and that one may change the settings.
        try:
            self.fd = os.open(self.device, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise failed(error, self.device, "open") from error
        try:
            self._begin(rate_hz)
        except BaseException:
            self.end()
            raise

    def _begin(self, rate_hz: float) -> None:
        folder = self._folder
        _check_channels(folder)
        if folder.get("buffer/enable") != "0":
            log.info("%s: the buffer was left on; turning it off", folder.path)
            try:
                folder.put("buffer/enable", "0")
            except OSError as error:
                raise failed(error, folder.path / "buffer/enable", "write '0' to") from error
        wanted = (*CHANNELS, TIMESTAMP)
        for path in sorted((folder.path / "scan_elements").glob("in_*_en")):
            name = path.name.removeprefix("in_").removesuffix("_en")
            folder.set(f"scan_elements/{path.name}", "1" if name in wanted else "0")
        # Enabling some may enable others: the layout is that of all enabled ones.
        self.layout = Layout(_elements(folder), wanted)
        self.conversion = conversion(folder)
        folder.set("current_timestamp_clock", "monotonic")
        if folder.has("trigger/current_trigger") and not folder.get("trigger/current_trigger"):
            number = folder.path.name.removeprefix("iio:device")
            folder.set("trigger/current_trigger", f"{folder.get('name')}-dev{number}")
        folder.set("buffer/length", str(max(MIN_BUFFER, round(BUFFER_S * rate_hz))))
        if folder.has("buffer/watermark"):
            folder.set("buffer/watermark", "1")  # wake up for each sample
        folder.set("buffer/enable", "1")
        if folder.get(RATE) != f"{rate_hz:g}":
            self._settle()
            self.period_ns = round(10**9 / set_rate(folder, rate_hz))
            self._settle()
        else:
            self.period_ns = round(10**9 / rate_hz)

    def _settle(self) -> None:
        """Let the driver adopt a rate, and discard what was captured until then.

        On a change of rate, inv-mpu6050 stores the new step of its timestamps for the next
        interrupt. In Linux 6.1 it does not discard that step if the old rate is set again before
        an interrupt arrives, for example because the buffer was turned off. The timestamps then
        run at the other rate for as long as the buffer is on. So the rate is changed only while
        the buffer is on, and followed by a sample.
        """
        for _ in range(2):  # the first may already have been on its way
            select.select([self.fd], [], [], SETTLE_S)
            with contextlib.suppress(OSError):
                os.read(self.fd, MAX_RECORDS * self.layout.record_bytes)

    def records(self) -> list[tuple[int, list[int]]]:
        """Return what the kernel has captured, oldest first: time (CLOCK_MONOTONIC, ns) and raw
        numbers. Does not block; raises OSError, or BlockingIOError if there is nothing."""
        size = self.layout.record_bytes
        data = os.read(self.fd, MAX_RECORDS * size)
        records = [self.layout.record(data, number) for number in range(len(data) // size)]
        return [(record.pop(), record) for record in records]

    def end(self) -> None:
        """Turn the buffer off, restore what was changed, and close the device. Raises nothing."""
        if self._folder.undo(RATE):
            self._settle()
        self._folder.restore()
        os.close(self.fd)


def _elements(folder: Folder) -> Mapping[str, tuple[int, Type]]:
    elements = {}
    for path in (folder.path / "scan_elements").glob("in_*_en"):
        name = path.name.removesuffix("_en")
        if folder.get(f"scan_elements/{path.name}") == "1":
            index = folder.get(f"scan_elements/{name}_index")
            kind = parse_type(folder.get(f"scan_elements/{name}_type"))
            elements[name.removeprefix("in_")] = (
                int(parse_number(index, f"{folder.path}/scan_elements/{name}_index")),
                kind,
            )
    return elements


class Poll:
    """Reads the raw values one at a time, for a chip whose interrupt is not wired.

    Each is a measurement of its own: the seven are not from the same instant, but spread over the
    time it takes to read them (some 3 ms on a bus at 100 kHz, 1 ms at 400 kHz).
    """

    def __init__(self, folder: Folder, rate_hz: float) -> None:
        """Open everything. Raises DeviceError, after restoring everything."""
        self._folder = folder
        self._raw: dict[str, int] = {}
        self._scales: dict[str, int] = {}
        try:
            _check_channels(folder)
            # A chip that samples more slowly than it is read would return samples twice.
            if (
                folder.has(RATE)
                and parse_number(folder.get(RATE), str(folder.path / RATE)) < rate_hz
            ):
                set_rate(folder, rate_hz)
            for name in filter(None, _of_channel(folder, "scale")):
                if name not in self._scales:
                    self._scales[name] = folder.open(name)
            for channel in CHANNELS:
                name = f"in_{channel}_raw"
                self._raw[name] = folder.open(name)
            self._scales_text: list[str] = []
            self.conversion = conversion(folder)
        except BaseException:
            self.end()
            raise

    def record(self) -> tuple[int, list[int]]:
        """Return the middle of the reading (CLOCK_MONOTONIC, ns) and the raw numbers; `conversion`
        is then the one for them. Raises DeviceError."""
        begun_ns = time.monotonic_ns()
        raw = [int(parse_number(self._text(name, fd), name)) for name, fd in self._raw.items()]
        t_ns = (begun_ns + time.monotonic_ns()) // 2
        # Other programs may change the range at any time; reading it does not use the bus.
        scales = [self._text(name, fd) for name, fd in self._scales.items()]
        if scales != self._scales_text:
            self.conversion = conversion(self._folder)
            self._scales_text = scales
        return t_ns, raw

    def _text(self, name: str, fd: int) -> str:
        try:
            return read_text(fd)
        except OSError as error:
            raise failed(error, self._folder.path / name) from error

    def end(self) -> None:
        """Close everything and restore what was changed. Raises nothing."""
        self._folder.restore()
        for fd in (*self._raw.values(), *self._scales.values()):
            os.close(fd)
