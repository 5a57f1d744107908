"""Polls the chip, through its FIFO or its registers. All of it runs in a thread.

A frame is returned only if it is from one instant and in the chip's current setup:

- FIFO: count, bytes, overflow bit and control register are read in this order, and only whole
  frames. The overflow bit is sticky: if it is clear after the bytes were read, none had been
  dropped. The control register is 0 after any reset of the chip, so FIFO_ON shows that there was no
  reset, and that the bytes are not those of an empty FIFO, which repeats its last one. If one of
  these reads fails, the content of the FIFO is unknown, and it is emptied.
- Registers: INT_STATUS and the frame are read in one transfer, which the chip answers from one
  instant; then rate, filter and ranges, which differ after a reset.
"""

from typing import Final, Protocol

from trio_mpu.errors import DeviceError, NoSampleYet
from trio_mpu.sensors import i2c
from trio_mpu.sensors.mpu6050.chip_clock import MARGIN
from trio_mpu.sensors.mpu6050.frames import FRAME_BYTES, is_sound, split
from trio_mpu.sensors.mpu6050.numbering import Poll, ReadingNumbers
from trio_mpu.sensors.mpu6050.registers import (
    DATA_RDY,
    FIFO_COUNT_H,
    FIFO_OFLOW,
    FIFO_ON,
    FIFO_R_W,
    FIFO_RESET,
    INT_STATUS,
    SMPLRT_DIV,
    USER_CTRL,
    Setup,
)
from trio_mpu.sensors.mpu6050.variants import ChipVariant

# A poll costs some 0.5 ms of processor time, so polling every 5 ms would cost a tenth of it. The
# smallest FIFO has room for 36 ms at 1,000 Hz: the rest is for a computer that is late.
DRAIN_NS: Final = 12_000_000
GOLDEN: Final = 0.618034  # its multiples fill a period evenly, however many there are
MAX_COUNTS: Final = 3  # arbitrary: attempts, if the computer does something else in between
SOON: Final = 1 / 4  # of a period: from an undecided poll to the next
STEP: Final = 1 / 8  # of a period: from a poll that found nothing to the next
SMOOTHING: Final = 1 / 8  # arbitrary: weight of one poll in the mean lag
SHARE: Final = 1 / 64  # arbitrary: weight of one poll in the share of broken ones
# The largest tolerated share of polls after which counting is impossible: each costs an estimate,
# and estimates make the count of lost readings uncertain. Below it they are accidents.
MAX_BROKEN: Final = 1 / 8
LATE: Final = 1.2  # periods without a reading: the chip's clock is right to 0.05, so it has stopped


class Source(Protocol):
    """A way of reading the chip."""

    @property
    def is_too_late(self) -> bool:
        """Whether the computer is too slow for this way."""
        ...

    def poll(self, session: i2c.Session) -> Poll:
        """Poll the chip. Raises OSError if a transfer fails, DeviceError if its answer can't be
        used; no frame is then returned."""

    def due_ns(self, poll: Poll, numbering: ReadingNumbers) -> int:
        """Return when to poll again after this poll, CLOCK_MONOTONIC."""


class Fifo:
    """Reads the chip's FIFO, for rates at which a computer may be late."""

    is_too_late = False

    def __init__(self, variant: ChipVariant, period_ns: int) -> None:
        self._fifo_bytes = variant.fifo_bytes
        self._period_ns = period_ns
        self._is_trusted = False  # it holds whole frames, and all since the last poll
        self._polls = 0

    def poll(self, session: i2c.Session) -> Poll:
        """Read all whole frames, or empty the FIFO if it can't be trusted."""
        if not self._is_trusted:
            return self._empty(session)
        begun_ns, count, ended_ns = self._count(session)
        if count % FRAME_BYTES:  # a frame may just have been entering it
            begun_ns, count, ended_ns = self._count(session)
        if not is_sound(count, self._fifo_bytes):
            session.counted("fifo_overflows")
            return self._empty(session)
        data, continuous, overflow = b"", True, False
        if count:
            self._is_trusted = False
            try:
                data = self._take(session, count)
            except OSError:
                # Bytes may or may not be gone. If the rest can be whole frames, the time shows
                # how many are gone.
                session.counted("device_retries")
                before, continuous = count, False
                begun_ns, count, ended_ns = self._count(session)
                if count < before or not is_sound(count, self._fifo_bytes):
                    raise
                data = self._take(session, count)
            overflow = bool(session.read_once(INT_STATUS, 1)[0] & FIFO_OFLOW)
        if not session.read(USER_CTRL, 1)[0] & FIFO_ON:
            self._is_trusted = False
            raise lost_settings()
        if overflow:
            session.counted("fifo_overflows")
            return self._empty(session)
        frames = split(data)
        if not all(map(any, frames)):
            raise DeviceError("the chip's FIFO has a frame of zeros")
        self._is_trusted = True
        return Poll(frames, begun_ns, ended_ns, continuous)

    def _count(self, session: i2c.Session) -> tuple[int, int, int]:
        """Return the number of bytes in the FIFO and when that was, as precisely as possible."""
        for _ in range(MAX_COUNTS):
            begun_ns = i2c.monotonic_ns()
            count = int.from_bytes(session.read(FIFO_COUNT_H, 2))
            ended_ns = i2c.monotonic_ns()
            if ended_ns - begun_ns < self._period_ns:
                break
        return begun_ns, count, ended_ns

    def _take(self, session: i2c.Session, count: int) -> bytes:
        """Return `count` bytes of the FIFO."""
        data = b""
        while left := count - len(data):
            data += session.burst_once(FIFO_R_W, min(left, i2c.MAX_BURST_BYTES))
        return data

    def _empty(self, session: i2c.Session) -> Poll:
        """Restart the FIFO: off, reset (which has no effect while it is on), on."""
        self._is_trusted = False
        session.write(USER_CTRL, 0)
        session.write(USER_CTRL, FIFO_RESET)
        session.read(INT_STATUS, 1)  # clears earlier overflows
        if self._count(session)[1]:
            raise DeviceError("the chip's FIFO can't be emptied")
        begun_ns = i2c.monotonic_ns()
        session.write(USER_CTRL, FIFO_ON)
        self._is_trusted = True
        return Poll([], begun_ns, i2c.monotonic_ns(), continuous=False)

    def due_ns(self, poll: Poll, numbering: ReadingNumbers) -> int:
        """Return a time DRAIN_NS or a period ahead, plus a different part of a period each time."""
        if numbering.is_waiting:
            return poll.ended_ns + round(SOON * self._period_ns)
        self._polls += 1
        part = self._polls * GOLDEN % 1
        return poll.begun_ns + max(DRAIN_NS, self._period_ns) + round(part * self._period_ns)


class Registers:
    """Reads the newest reading right after the chip has made it."""

    def __init__(self, variant: ChipVariant, setup: Setup, numbering: ReadingNumbers) -> None:
        values = setup.values(variant)
        self._settings = bytes(values[SMPLRT_DIV + offset] for offset in range(4))
        self._period_ns = setup.period_ns
        self._numbering = numbering
        self._seen = b""
        self._begun_ns = 0  # of the previous poll
        self._found_ns = 0  # when the last new reading, or an old one in its place, was found
        self._polls = 0
        self._due_ns = 0  # of the next poll
        self._lag_ns = 0.0  # the mean delay of a poll on a busy computer
        self._broken = 0.0  # the share of polls after which counting is impossible

    def poll(self, session: i2c.Session) -> Poll:
        """Check for a new reading. While the chip makes none, the old one is returned again as
        stale, once a period."""
        begun_ns = i2c.monotonic_ns()
        lag_ns = min(begun_ns - self._due_ns, self._period_ns)
        self._lag_ns += SMOOTHING * (lag_ns - self._lag_ns) if self._due_ns else 0
        status, *numbers = session.read(INT_STATUS, 15)
        ended_ns = i2c.monotonic_ns()
        frame = bytes(numbers)
        # Reading INT_STATUS clears it: after a repeated read only the bytes show it.
        is_new = bool(status & DATA_RDY) or frame != self._seen
        if is_new or not any(frame):
            if session.read(SMPLRT_DIV, 4) != self._settings:
                raise lost_settings()
            if not (any(frame) or status & DATA_RDY):
                raise NoSampleYet("the chip has not measured anything yet")
        continuous = self._is_continuous(ended_ns)
        self._broken += SHARE * ((not continuous) - self._broken)
        self._begun_ns = begun_ns
        if is_new:
            self._seen, self._found_ns = frame, ended_ns
            return Poll([frame], begun_ns, ended_ns, continuous)
        if begun_ns - self._found_ns > LATE * self._period_ns:
            self._found_ns = max(self._found_ns + self._period_ns, begun_ns - self._period_ns)
            return Poll([frame], begun_ns, ended_ns, continuous, stale=True)
        return Poll([], begun_ns, ended_ns, continuous)

    @property
    def is_too_late(self) -> bool:
        """Whether this computer is late too often to read one reading at a time."""
        return self._broken > MAX_BROKEN

    def _is_continuous(self, ended_ns: int) -> bool:
        """Return whether the chip can have made only one reading since the previous poll."""
        if ended_ns - self._begun_ns < 0.95 * self._period_ns:
            return True
        clock = self._numbering.clock
        if not clock.has_phase:
            return False
        unsure = max(MARGIN, clock.spread_ns / 2 / self._period_ns)
        return clock.position(ended_ns) + unsure < self._numbering.newest + 2

    def due_ns(self, poll: Poll, numbering: ReadingNumbers) -> int:
        """Return a time right after the next reading is expected; every fourth time, one right
        before it, because a poll that finds a reading shows only that it was not too early.

        The mean lag of polls is subtracted: if all polls were late, nothing would contradict a
        phase and a period that are too long, and polls would come later and later.
        """
        self._due_ns = 0
        if poll.stale:
            return self._found_ns + round(LATE * self._period_ns)
        if numbering.is_waiting:
            return poll.ended_ns + round(SOON * self._period_ns)
        if not poll.frames or numbering.clock.spread_ns > self._period_ns / 2:
            return poll.ended_ns + round(STEP * self._period_ns)
        self._polls += 1
        early = self._polls * GOLDEN % 1
        step = STEP if self._polls % 4 else -STEP * early
        next_ns = numbering.clock.time_ns(numbering.newest + 1)
        self._due_ns = next_ns + round(step * self._period_ns - self._lag_ns)
        return self._due_ns


def lost_settings() -> DeviceError:
    """Return the error of a chip that was reset unexpectedly."""
    return DeviceError(
        "the chip lost its settings: its power failed for a moment; check supply and wiring"
    )
