"""The chip in software, lying still: noise, errors, and a self-test that its factory has seen."""

import random
import struct
from collections.abc import Sequence
from typing import Final

from tests.helpers.software_chip import Clock, SoftwareChip
from trio_mpu.sensors.mpu6050.registers import (
    ACCEL_CONFIG,
    ACCEL_LSB_PER_G,
    CONFIG,
    GYRO_CONFIG,
    GYRO_LSB_PER_DPS,
    PWR_MGMT_1,
    SMPLRT_DIV,
    Setup,
)
from trio_mpu.sensors.mpu6050.self_test import factory_responses

CODES: Final = bytes.fromhex("8a5c7f1b")
NOISE_G: Final = 0.004
NOISE_DPS: Final = 0.05


class StillChip(SoftwareChip):
    """It measures `truth`, in g and °/s, in whatever setup there is; while the self-test's bits of
    an axis are set, that axis goes as far as in the factory, times `health` of the axis."""

    def __init__(
        self,
        clock: Clock,
        *,
        who: int = 0x68,
        truth: Sequence[float] = (0.0, 0.0, 1.0, 0.0, 0.0, 0.0),
        health: Sequence[float] = (1.0,) * 6,
        factory_codes: bytes = CODES,
    ) -> None:
        self.truth = list(truth)
        self.shaken = 0.0  # °/s of noise more
        self._health = health
        self._noise = random.Random(1)
        super().__init__(clock, Setup(), who=who, factory_codes=factory_codes)

    def _settle(self) -> None:
        values = self.registers
        dlpf, is_awake = values[CONFIG] & 7, not values[PWR_MGMT_1] & 0xC0
        # The first setup that makes sense; the reset chip's is not asked for readings.
        self._is_set_up = is_awake and bool(values[SMPLRT_DIV] or values[CONFIG])
        setup = Setup(dlpf=dlpf, divider=values[SMPLRT_DIV])
        self.period_ns = self._step_ns = float(setup.period_ns)
        self._next_ns = self.clock.now_ns() + self._step_ns if is_awake else None

    def frame(self, number: int) -> bytes:
        """What an accelerometer and a gyroscope say that are moved by nobody."""
        accel_config, gyro_config = self.registers[ACCEL_CONFIG], self.registers[GYRO_CONFIG]
        scales = [tuple(ACCEL_LSB_PER_G.values())[accel_config >> 3 & 3]] * 3
        scales += [tuple(GYRO_LSB_PER_DPS.values())[gyro_config >> 3 & 3]] * 3
        noises = [NOISE_G] * 3 + [NOISE_DPS + self.shaken] * 3
        pushes = factory_responses(self._factory_codes)
        raw = []
        for axis in range(6):
            config = accel_config if axis < 3 else gyro_config
            is_pushed = config & 0x80 >> axis % 3
            value = self.truth[axis] + self._noise.gauss(0, noises[axis])
            value += pushes[axis] * self._health[axis] if is_pushed else 0
            raw.append(max(-32768, min(32767, round(value * scales[axis]))))
        return struct.pack(">7h", *raw[:3], 1000, *raw[3:])
