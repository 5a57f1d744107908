"""An MPU-6050 in software, behind the calls that smbus2 offers, with a clock of its own.

It has the register file, the sampling, the FIFO with what it does when it is full, empty or reset
at the wrong time, and faults. Each reading encodes its own number in each of its seven values, so
that a test can tell of any sample which reading it is, and that it was not made of two.

The number is that of the period since the chip was first set up: readings that were not made,
because the chip's power failed or it stalled, have numbers too, as they are readings lost.
"""

import ctypes
import errno
import os
import random
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from functools import lru_cache
from typing import Final, TypeVar

import trio
from smbus2 import I2cFunc, i2c_msg
from trio.testing import MockClock

from trio_mpu.sample import Sample
from trio_mpu.sensors import i2c
from trio_mpu.sensors.mpu6050.frames import FRAME_BYTES, Scale
from trio_mpu.sensors.mpu6050.registers import (
    ACCEL_CONFIG,
    ACCEL_CONFIG2,
    ACCEL_XOUT_H,
    DATA_RDY,
    DEVICE_RESET,
    FIFO_COUNT_H,
    FIFO_EN,
    FIFO_OFLOW,
    FIFO_ON,
    FIFO_R_W,
    FIFO_RESET,
    INT_ENABLE,
    INT_STATUS,
    PWR_MGMT_1,
    SELF_TEST_X,
    SMPLRT_DIV,
    USER_CTRL,
    WHO_AM_I,
    Setup,
)
from trio_mpu.sensors.mpu6050.variants import VARIANTS, ChipVariant

T = TypeVar("T")

BEGUN_NS: Final = 5 * 10**9  # CLOCK_MONOTONIC when virtual time begins
ADDRESS: Final = 0x68
BYTE_NS: Final = 22_500  # nine bits at 400 kHz
NUMBERS: Final = 1 << 16
# A value of a reading is its number times one of these odd factors, plus a constant.
_FACTORS: Final = (40503, 30103, 14427, 25733, 9973, 52711, 61001)
_OFFSETS: Final = (17, 4711, 815, 101, 31337, 27182, 16180)
_TEMP: Final = (
    3  # which value of a frame; its factor counts in 14 bits, all chip variants can express that
)


def words(number: int) -> list[int]:
    """The seven signed numbers of a reading."""
    values = [
        (number * factor + offset) % NUMBERS
        for factor, offset in zip(_FACTORS, _OFFSETS, strict=True)
    ]
    signed = [value - NUMBERS if value >= NUMBERS // 2 else value for value in values]
    signed[_TEMP] = values[_TEMP] % 16384 - 8192
    return signed


@lru_cache(maxsize=NUMBERS)
def frame_of(number: int) -> bytes:
    """The 14 bytes of a reading."""
    return struct.pack(">7h", *words(number))


def raw_of(sample: Sample, scale: Scale) -> list[int]:
    """The seven numbers that a sample was made of."""
    accel = [round(value * scale.accel_lsb_per_g) for value in sample[1:4]]
    gyro = [round(value * scale.gyro_lsb_per_dps) for value in sample[4:7]]
    return [*accel, round((sample.temp - scale.temp_offset_c) * scale.temp_lsb_per_c), *gyro]


def number_of(sample: Sample, scale: Scale) -> int | None:
    """Which reading, modulo NUMBERS, a sample is, None if it is none."""
    raw = raw_of(sample, scale)
    number = (raw[0] - _OFFSETS[0]) * pow(_FACTORS[0], -1, NUMBERS) % NUMBERS
    return number if raw == words(number) else None


class Stuck(BaseException):
    """A call that does not return; `inline` waits for ever in its place."""


class Fault(Enum):
    """What can go wrong with one transfer."""

    NACK = auto()  # nothing happens, errno 121
    LOST_ANSWER = auto()  # it happens, errno 121
    PARTIAL = auto()  # the first bytes happen, errno 121
    SHORT = auto()  # fewer bytes come than were asked for
    STUCK = auto()  # it never returns
    DIP = auto()  # the power fails right before
    DIP_WITHIN = auto()  # the power fails in the middle
    PAUSE = auto()  # the computer does something else before, for PAUSE_NS
    STALL = auto()  # the chip makes nothing for STALL_NS from now on
    FREEZE = auto()  # the chip makes the same reading for STALL_NS from now on


PAUSE_NS: Final = 90_000_000
STALL_NS: Final = 40_000_000


class Clock:
    """Trio's virtual time as CLOCK_MONOTONIC, which the transfers advance."""

    def __init__(self) -> None:
        self.mock = MockClock(autojump_threshold=0)

    def now_ns(self) -> int:
        return BEGUN_NS + round(self.mock.current_time() * 1e9)

    def spend(self, duration_ns: float) -> None:
        self.mock.jump(duration_ns / 1e9)


class SoftwareChip:
    """The chip and its bus. `plan` says what goes wrong with which transfer, counted from 0."""

    def __init__(
        self,
        clock: Clock,
        setup: Setup,
        *,
        who: int = 0x68,
        clock_error: float = 0.0,
        resets_awake: bool = False,
        funcs: I2cFunc = I2cFunc.I2C,
        first_number: int = 0,
        seed: int = 0,
        factory_codes: bytes = bytes(4),
        variant: ChipVariant | None = None,
        keeps_config2: int = 0xFF,
    ) -> None:
        """`variant` is what it is if its id is another's; `keeps_config2` has the bits that
        ACCEL_CONFIG2 keeps."""
        self.clock = clock
        self.variant = variant or VARIANTS.get(who, VARIANTS[0x68])
        self.scale = Scale.of(setup, self.variant)
        self.setup = setup
        self.funcs = funcs
        self.plan: dict[int, Fault] = {}
        self.log: list[tuple[int, int]] = []  # registers written, in order
        self.transfers = 0
        self.opened = 0
        self.closed = 0
        self.refuses: OSError | None = None  # what opening the bus gives
        self.gaps: list[tuple[int, int]] = []  # numbers between which no readings were made
        self.true_ns: dict[int, int] = {}  # when each reading was made, by its number
        self.newest = first_number - 1
        self.overflows = 0
        self.vague = 0.0  # readings that nobody can count, because the computer pauses
        self.jitter_ns = 0.0  # how late the computer may come to a look
        self.period_ns = setup.period_ns * (1 + clock_error)
        self._who = who
        self._factory_codes = factory_codes
        self._keeps_config2 = keeps_config2
        self._random = random.Random(seed)
        self._resets_awake = resets_awake
        self._wanted = setup.values(self.variant)
        self._newest_ns = 0.0
        self._next_ns: float | None = None
        self._stalled_until_ns = 0
        self._frozen_until_ns = 0
        self._frozen = b""
        self._wrong = 0
        self._last_out = 0
        self.registers = bytearray(128)
        self.fifo = bytearray()
        self.reset()

    # -- the chip -----------------------------------------------------------------------

    def reset(self) -> None:
        """What the power's failing does."""
        self.registers = bytearray(128)
        self.registers[PWR_MGMT_1] = 0x01 if self._resets_awake else 0x40
        self.registers[SELF_TEST_X : SELF_TEST_X + 4] = self._factory_codes
        self.fifo.clear()
        self._settle()

    def _settle(self) -> None:
        """Begin to measure, in whatever setup there is now."""
        is_awake = not self.registers[PWR_MGMT_1] & 0xC0
        self._is_set_up = all(
            self.registers[register] == self._wanted[register]
            for register in (PWR_MGMT_1, *range(SMPLRT_DIV, ACCEL_CONFIG + 1))
        )
        self._step_ns = self.period_ns if self._is_set_up else 1_000_000.0
        self._next_ns = self.clock.now_ns() + self._step_ns if is_awake else None

    def advance(self) -> None:
        """Make all readings up to now."""
        now_ns = self.clock.now_ns()
        if self._next_ns is not None and self._next_ns >= self._stalled_until_ns:
            # Of a long time only the end is left in the FIFO; the rest needs no making.
            spare = (
                int((now_ns - self._next_ns) / self._step_ns) - self.variant.fifo_bytes // 14 - 80
            )
            if spare > 0:
                self._next_ns += spare * self._step_ns
                if self._is_set_up and self._newest_ns:
                    self.newest += spare
                    self._newest_ns += spare * self._step_ns
        while self._next_ns is not None and self._next_ns <= now_ns:
            if self._next_ns >= self._stalled_until_ns:
                self._make(self._next_ns)
            self._next_ns += self._step_ns

    def frame(self, number: int) -> bytes:
        """What the chip measures as its reading of this number."""
        return frame_of(number % NUMBERS)

    def _make(self, at_ns: float) -> None:
        if self._is_set_up:
            since = round((at_ns - self._newest_ns) / self.period_ns) if self._newest_ns else 1
            if since > 1 and self.newest in self.true_ns:
                self.gaps.append((self.newest, self.newest + since))
            self.newest += max(1, since)
            self._newest_ns = at_ns
            self.true_ns[self.newest] = round(at_ns)
            frame = self.frame(self.newest)
            if at_ns < self._frozen_until_ns:
                frame = self._frozen = self._frozen or frame
            else:
                self._frozen = b""
        else:  # a reading in another setup: it must never be given out
            self._wrong += 1
            frame = (self._wrong % 30000 + 1).to_bytes(2) * 7
        self.registers[ACCEL_XOUT_H : ACCEL_XOUT_H + FRAME_BYTES] = frame
        self._status(DATA_RDY)
        if self.registers[USER_CTRL] & FIFO_ON and self.registers[FIFO_EN]:
            assert self.registers[FIFO_EN] == self.variant.fifo_sources
            self.fifo += frame
            if (over := len(self.fifo) - self.variant.fifo_bytes) > 0:
                del self.fifo[:over]
                self.overflows += 1
                self._status(FIFO_OFLOW)

    def _status(self, bit: int) -> None:
        self.registers[INT_STATUS] |= bit & self.registers[INT_ENABLE]

    def _write(self, register: int, value: int) -> bytes:
        self.log.append((register, value))
        if register == PWR_MGMT_1 and value & DEVICE_RESET:
            self.reset()
            return b""
        if register == USER_CTRL:
            if value & FIFO_RESET and not self.registers[USER_CTRL] & FIFO_ON:
                self.fifo.clear()
            value &= FIFO_ON
        if register == ACCEL_CONFIG2:
            value &= self._keeps_config2
        if register not in (INT_STATUS, FIFO_COUNT_H, FIFO_COUNT_H + 1, WHO_AM_I):
            before = self.registers[register]
            self.registers[register] = value
            if register in (PWR_MGMT_1, *range(SMPLRT_DIV, ACCEL_CONFIG + 1)) and value != before:
                self._settle()
        return b""

    def _read(self, register: int, count: int) -> bytes:
        if register == FIFO_R_W:
            out = bytes(self.fifo[:count])
            del self.fifo[:count]
            self._last_out = out[-1] if out else self._last_out
            return out + bytes([self._last_out]) * (count - len(out))
        self.registers[WHO_AM_I] = self._who
        self.registers[FIFO_COUNT_H : FIFO_COUNT_H + 2] = len(self.fifo).to_bytes(2)
        data = bytes(self.registers[register : register + count])
        if register <= INT_STATUS < register + count:
            self.registers[INT_STATUS] = 0
        return data

    def unmade(self, number: int, steps: int) -> int:
        """How many of the readings in so many steps up to this one were never made."""
        last = self.newest - (self.newest - number) % NUMBERS
        return sum(
            max(0, min(end - 1, last) - max(begin, last - steps)) for begin, end in self.gaps
        )

    # -- the bus ------------------------------------------------------------------------

    def open(self, path: str) -> "SoftwareBus":
        if self.refuses is not None:
            raise self.refuses
        self.opened += 1
        return SoftwareBus(self)

    def transfer(self, size: int, read: Callable[[int], bytes], *, writes: bool = False) -> bytes:
        """Let `read`, which is given how many bytes to do, happen, or go wrong as planned."""
        fault = self.plan.get(self.transfers)
        self.transfers += 1
        if fault is Fault.PAUSE:
            self.clock.spend(PAUSE_NS)
        self.clock.spend((4 + size / 2) * BYTE_NS + self._random.random() * self.jitter_ns)
        self.advance()
        if fault is Fault.STALL:
            self._stalled_until_ns = self.clock.now_ns() + STALL_NS
        elif fault is Fault.FREEZE:
            self._frozen_until_ns = self.clock.now_ns() + STALL_NS
        elif fault is Fault.DIP:
            self.reset()
        elif fault is Fault.STUCK:
            raise Stuck
        elif fault is Fault.NACK:
            raise self.nack()
        part = self._random.randrange(size + 1)
        if fault in (Fault.LOST_ANSWER, Fault.PARTIAL):
            read(size if fault is Fault.LOST_ANSWER or writes else part)
            raise self.nack()
        if fault is Fault.SHORT and not writes:
            return read(min(part, size - 1))
        if fault is Fault.DIP_WITHIN and not writes:
            begun = read(part)
            self.reset()
            return begun + read(size - part)
        result = read(size)
        self.clock.spend(size / 2 * BYTE_NS)
        return result

    @staticmethod
    def nack() -> OSError:
        return OSError(errno.EREMOTEIO, os.strerror(errno.EREMOTEIO))


class SoftwareBus:
    """What smbus2.SMBus offers, as far as it is used."""

    def __init__(self, chip: SoftwareChip) -> None:
        self.funcs = chip.funcs
        self._chip = chip
        self._is_open = True

    def close(self) -> None:
        self._is_open = False
        self._chip.closed += 1

    def _check(self, address: int) -> None:
        assert self._is_open
        if address != ADDRESS:
            raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))

    def read_byte_data(self, address: int, register: int) -> int:
        return self.read_i2c_block_data(address, register, 1)[0]

    def read_i2c_block_data(self, address: int, register: int, count: int) -> list[int]:
        self._check(address)
        assert count <= 32
        return list(self._chip.transfer(count, lambda size: self._chip._read(register, size)))

    def write_byte_data(self, address: int, register: int, value: int) -> None:
        self._check(address)
        self._chip.transfer(1, lambda _: self._chip._write(register, value), writes=True)

    def i2c_rdwr(self, *messages: i2c_msg) -> None:
        if not self.funcs & I2cFunc.I2C:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        to_chip, from_chip = messages  # the Raspberry Pi's adapter takes no more
        self._check(to_chip.addr)
        assert from_chip.addr == to_chip.addr
        register = bytes(to_chip)[0]
        data = self._chip.transfer(len(from_chip), lambda size: self._chip._read(register, size))
        ctypes.memmove(from_chip.buf, data, len(data))
        from_chip.len = len(data)


async def inline(work: Callable[[], T], threads: trio.CapacityLimiter) -> T:
    """Do in place what is meant for a thread; a call that is stuck never comes back."""
    await trio.lowlevel.checkpoint()
    try:
        return work()
    except Stuck:
        await trio.sleep_forever()
        raise AssertionError from None


@contextmanager
def installed(chip: SoftwareChip) -> Iterator[SoftwareChip]:
    """Let the driver find this chip on every bus."""
    names: Sequence[tuple[str, object]] = (
        ("open_bus", chip.open),
        ("monotonic_ns", chip.clock.now_ns),
        ("in_thread", inline),
    )
    before = [(name, getattr(i2c, name)) for name, _ in names]
    try:
        for name, value in names:
            setattr(i2c, name, value)
        yield chip
    finally:
        for name, value in before:
            setattr(i2c, name, value)
