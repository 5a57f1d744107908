"""The interface of a sensor, and the sensor behind a text driver."""

import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

import trio

from trio_mpu.errors import DeviceError, NoSampleYet
from trio_mpu.sample import Flag, Sample, checked

# A complete text with the widest numbers has about 100 bytes; the driver's own buffer has 512.
MAX_TEXT_BYTES: Final = 512

READ_DEADLINE_S: Final = 1.0  # a working driver answers in 0.1 ms; a dead bus never does
MAX_STUCK_READS: Final = 4  # arbitrary: threads that may wait for a driver that never answers


class Device(ABC):
    """A sensor. The producer reads it once a period, or continuously if it is `paced`."""

    source: str  # its name in every JSON object and log line
    period_ns: int  # the nominal time from one sample to the next
    paced = False  # True: read() itself waits until the sensor has measured
    chip = ""  # the chip variant and how it measures, for people; empty: unknown
    identity = ""  # which calibration fits, known once open; empty: it can't be calibrated
    calibration = ""  # the id of the calibration applied to its samples; empty: none
    speed = 1.0  # how many times as fast as they were measured its samples come

    def count_in(self, ledger: dict[str, int]) -> None:
        """From now on, count what only the device sees in the producer's ledger, under names of
        LEDGER, and add what was counted before. Most devices have nothing to count."""
        self.ledger = ledger

    @abstractmethod
    async def read(self, periods: int = 1) -> Sequence[Sample]:
        """Return the samples measured since the last call, oldest first, at least one.

        `periods` is the number of periods since then: more than one if the caller is late. Only
        a sensor with a queue of its own then has more than one sample; the others are lost.

        Raises NoSampleYet, or another DeviceError that says what is wrong; the next call tries
        again and reopens what it must. Raises EndOfReplay when there will be no more samples.
        Cancellation loses at most the reading in progress.

        The producer counts the missed periods of a sensor without a pace of its own. A paced
        sensor counts them itself and reports them in the next sample's `lost`.
        """

    async def aclose(self) -> None:  # noqa: B027 - most have nothing to release
        """Release what the device holds and undo what was changed in it. The last call of all.

        Raises nothing but Cancelled, takes at most a second, and works even in a scope that is
        already cancelled.
        """


class TextDevice(Device):
    """The character device of the educational driver, or any file in its format.

    Each reading opens the path again and reads to the end. This works with drivers, with devices
    in user space and with regular files alike, and finds a driver that was reloaded. It runs in a
    thread, because such a file can't be waited on and may block for ever.
    """

    def __init__(self, path: str, rate_hz: float) -> None:
        self.source = self.identity = path
        self.period_ns = round(10**9 / rate_hz)
        self._last = b""
        self._threads = trio.CapacityLimiter(MAX_STUCK_READS)

    async def read(self, periods: int = 1) -> Sequence[Sample]:  # noqa: ARG002 - it has no queue
        """Return one sample, whose time is the middle of the read.

        A text identical to the last one, including its interrupt count, is a STALE_REPEAT.
        """
        try:
            with trio.fail_after(READ_DEADLINE_S):
                text, t_ns = await trio.to_thread.run_sync(
                    _read_whole, self.source, abandon_on_cancel=True, limiter=self._threads
                )
        except trio.TooSlowError as error:
            raise DeviceError(
                f"{self.source} did not answer within {READ_DEADLINE_S:g} s"
            ) from error
        except OSError as error:
            raise DeviceError(f"can't read {self.source}: {error.strerror}") from error
        try:
            sample = parse_text(text, t_ns)
        except DeviceError as error:
            raise type(error)(f"{self.source}: {error}") from error
        if text == self._last:
            sample = sample._replace(flags=int(Flag.STALE_REPEAT))
        self._last = text
        return [sample]


_NUMBER = rb"([ -](?:0|[1-9]\d*)\.\d{3})"
_LINES: Final = tuple(
    (re.compile(pattern), form)
    for pattern, form in (
        (rb"IRQ count: \d+", "IRQ count: N"),
        (_NUMBER + b"," + _NUMBER + b"," + _NUMBER + rb", \[g\]", "three numbers and [g]"),
        (_NUMBER + b"," + _NUMBER + b"," + _NUMBER + rb", \[dps\]", "three numbers and [dps]"),
        (rb"([ -]?(?:0|[1-9]\d*)\.\d{3}), \[" + "°".encode() + rb"C\]", "a number and [°C]"),
    )
)
_NOT_YET = b"(no sample yet)"


def parse_text(text: bytes, t_ns: int) -> Sample:
    """Parse the text of one read of the character device into a sample taken at `t_ns`.

    Raises NoSampleYet if the driver says so, and DeviceError, which says what is wrong, for
    anything else that is not exactly one sample.
    """
    if not text:
        raise DeviceError("the device returned no text")
    if len(text) > MAX_TEXT_BYTES:
        raise DeviceError(f"the device returned more than {MAX_TEXT_BYTES} bytes for one sample")
    lines = text.replace(b"\r\n", b"\n").removesuffix(b"\n").removesuffix(b"\r").split(b"\n")
    if len(lines) == 2 and _LINES[0][0].fullmatch(lines[0]) and lines[1] == _NOT_YET:
        raise NoSampleYet("the device has not measured anything yet")
    values: list[float] = []
    for number, (line, (pattern, form)) in enumerate(zip(lines, _LINES, strict=False), start=1):
        match = pattern.fullmatch(line)
        if match is None:
            raise DeviceError(f"line {number} of the device's text is not {form}: {line[:60]!r}")
        values += map(float, match.groups())
    if len(lines) < len(_LINES):
        raise DeviceError(f"the device's text ends after line {len(lines)} of {len(_LINES)}")
    if len(lines) > len(_LINES):
        raise DeviceError(f"the device's text continues after line {len(_LINES)}")
    ax, ay, az, gx, gy, gz, temp = values
    return checked(Sample(t_ns, ax, ay, az, gx, gy, gz, temp))


def _read_whole(path: str) -> tuple[bytes, int]:
    begun_ns = time.monotonic_ns()
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        text = b""
        while len(text) <= MAX_TEXT_BYTES and (piece := os.read(fd, MAX_TEXT_BYTES)):
            text += piece
        return text, (begun_ns + time.monotonic_ns()) // 2
    finally:
        os.close(fd)
