"""One look at the chip: through its FIFO, or at its registers. All of it runs in a thread.

What a look gives out is of one instant and in the chip's present setup, or is not given out:

- FIFO: count, bytes, overflow bit, control register, in this order. Only whole frames are read.
  The overflow bit is sticky: clear after the bytes have been read, it says that none had gone
  before. The control register is 0 after any reset of the chip, so FIFO_ON there says that there
  was none, and that the bytes are not those of an empty FIFO, which repeats its last one. When
  one of these reads fails, nobody knows what is left in the FIFO: it is emptied.
- Registers: INT_STATUS and the frame in one transfer, which the chip answers from one instant;
  then rate, filter and ranges, which after a reset are others.
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

# A look costs some 0.5 ms of a processor, so each 5 ms it would cost a tenth of it. The smallest
# queue has room for 36 ms at 1,000 Hz: the rest of it is for a computer that comes late.
DRAIN_NS: Final = 12_000_000
GOLDEN: Final = 0.618034  # multiples of it fill a period evenly, whatever their number
MAX_COUNTS: Final = 3  # arbitrary: while the computer does something else in between
SOON: Final = 1 / 4  # of a period: from an undecided look to the next
STEP: Final = 1 / 8  # of a period: from a look that found nothing to the next
SMOOTHING: Final = 1 / 8  # arbitrary: how much one look says of how late looks come
SHARE: Final = 1 / 64  # arbitrary: how much one look says of how many are broken
# A share of the looks that nobody can count after: each costs an estimate, and the estimates an
# account of what is lost. Below it they are accidents.
MAX_BROKEN: Final = 1 / 8
LATE: Final = 1.2  # periods without a reading: the chip's clock is right to 0.05, it has stopped


class Source(Protocol):
    """A way of asking the chip."""

    @property
    def is_too_late(self) -> bool:
        """Tell whether this way asks more of the computer than it can do."""
        ...

    def poll(self, session: i2c.Session) -> Poll:
        """Look at the chip. Raises OSError when a transfer failed, DeviceError when what it
        said can't be used; nothing is given out then."""

    def due_ns(self, poll: Poll, numbering: ReadingNumbers) -> int:
        """Return when to look again after this look, CLOCK_MONOTONIC."""


class Fifo:
    """The chip's queue, for rates at which a computer may come late."""

    is_too_late = False

    def __init__(self, variant: ChipVariant, period_ns: int) -> None:
        self._fifo_bytes = variant.fifo_bytes
        self._period_ns = period_ns
        self._is_trusted = False  # it holds whole frames, and all since the last look
        self._looks = 0

    def poll(self, session: i2c.Session) -> Poll:
        """Take all whole frames out; or empty the FIFO, when it can't be trusted."""
        if not self._is_trusted:
            return self._empty(session)
        begun_ns, count, ended_ns = self._count(session)
        if count % FRAME_BYTES:  # a frame may just have been on its way into it
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
                # Bytes may be gone or not. If what is left can be whole frames, the time tells
                # how many have gone.
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
        """Return the bytes in the FIFO and when that was; not too vaguely, if possible."""
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
        """Make the FIFO begin anew: off, reset (which does nothing while it is on), on."""
        self._is_trusted = False
        session.write(USER_CTRL, 0)
        session.write(USER_CTRL, FIFO_RESET)
        session.read(INT_STATUS, 1)  # of overflows until now
        if self._count(session)[1]:
            raise DeviceError("the chip's FIFO can't be emptied")
        begun_ns = i2c.monotonic_ns()
        session.write(USER_CTRL, FIFO_ON)
        self._is_trusted = True
        return Poll([], begun_ns, i2c.monotonic_ns(), continuous=False)

    def due_ns(self, poll: Poll, numbering: ReadingNumbers) -> int:
        """Return a time in DRAIN_NS or a period, and another part of a period each time."""
        if numbering.is_waiting:
            return poll.ended_ns + round(SOON * self._period_ns)
        self._looks += 1
        part = self._looks * GOLDEN % 1
        return poll.begun_ns + max(DRAIN_NS, self._period_ns) + round(part * self._period_ns)


class Registers:
    """The newest reading, each time right after the chip has made it."""

    def __init__(self, variant: ChipVariant, setup: Setup, numbering: ReadingNumbers) -> None:
        values = setup.values(variant)
        self._settings = bytes(values[SMPLRT_DIV + offset] for offset in range(4))
        self._period_ns = setup.period_ns
        self._numbering = numbering
        self._seen = b""
        self._begun_ns = 0  # of the look before
        self._found_ns = 0  # the last new reading, or when an old one took its place
        self._looks = 0
        self._due_ns = 0  # of the next look
        self._lag_ns = 0.0  # how late a look comes: a busy computer takes its time to begin it
        self._broken = 0.0  # the share of looks after which nobody can count

    def poll(self, session: i2c.Session) -> Poll:
        """Look whether there is a new reading. A chip that makes none has its old one told
        again, as stale, once a period."""
        begun_ns = i2c.monotonic_ns()
        lag_ns = min(begun_ns - self._due_ns, self._period_ns)
        self._lag_ns += SMOOTHING * (lag_ns - self._lag_ns) if self._due_ns else 0
        status, *numbers = session.read(INT_STATUS, 15)
        ended_ns = i2c.monotonic_ns()
        frame = bytes(numbers)
        # Reading INT_STATUS clears it: of a read that was repeated, only the bytes tell.
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
        """Tell whether this computer comes too late again and again to read one by one."""
        return self._broken > MAX_BROKEN

    def _is_continuous(self, ended_ns: int) -> bool:
        """Tell whether the chip can have made but one reading since the look before."""
        if ended_ns - self._begun_ns < 0.95 * self._period_ns:
            return True
        clock = self._numbering.clock
        if not clock.has_phase:
            return False
        unsure = max(MARGIN, clock.spread_ns / 2 / self._period_ns)
        return clock.position(ended_ns) + unsure < self._numbering.newest + 2

    def due_ns(self, poll: Poll, numbering: ReadingNumbers) -> int:
        """Return a time right after the next reading is expected; each fourth time one right
        before it, since a look that finds something says only that it was not too early.

        It is earlier by what looks come late on the average: if all came late, nothing would
        contradict a phase and a period that are too long, and looks would come ever later.
        """
        self._due_ns = 0
        if poll.stale:
            return self._found_ns + round(LATE * self._period_ns)
        if numbering.is_waiting:
            return poll.ended_ns + round(SOON * self._period_ns)
        if not poll.frames or numbering.clock.spread_ns > self._period_ns / 2:
            return poll.ended_ns + round(STEP * self._period_ns)
        self._looks += 1
        early = self._looks * GOLDEN % 1
        step = STEP if self._looks % 4 else -STEP * early
        next_ns = numbering.clock.time_ns(numbering.newest + 1)
        self._due_ns = next_ns + round(step * self._period_ns - self._lag_ns)
        return self._due_ns


def lost_settings() -> DeviceError:
    """Return the error of a chip that was reset without being told to."""
    return DeviceError(
        "the chip lost its settings: its power failed for a moment; check supply and wiring"
    )
