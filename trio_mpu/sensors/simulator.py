"""A simulated sensor: the same numbers for the same seed, and faults on request.

The model is a body that rocks and slowly turns. Its attitude is given by the Euler angles roll,
pitch and yaw (rotations about x, y and z, applied in the order z, y, x). The rates measured by a
gyroscope on the body follow from their derivatives (J. Diebel, "Representing Attitude", 2006,
section 5.6.4); an accelerometer measures gravity along the body's axes. The noise is that of the
chip's data sheet at a bandwidth of 100 Hz, and values are quantised and clipped like the chip's
registers at ±2 g and ±250 °/s.

With `still` the body lies on one face, or on each of its six in turn, and the sensor has the bias,
offset and scale errors of a bad one, for trying out a calibration. With `vibration` it lies level and
vibrates; the sensor has noise and no errors.

Readings are numbered by the periods that have passed, also by those that nobody asked for in time: the
values are those of the instant number * period, so that no motion stands still or jumps in its phase
where readings are lost.
"""

import contextlib
import math
import random
import time
from collections.abc import Sequence
from typing import Final

import trio

from trio_mpu.device import Device
from trio_mpu.errors import DeviceError, NoSampleYet, UsageError
from trio_mpu.sample import Flag, Sample
from trio_mpu.sensors.mpu6050.registers import ACCEL_LSB_PER_G, GYRO_LSB_PER_DPS
from trio_mpu.sensors.mpu6050.variants import VARIANTS
from trio_mpu.sensors.vibration import SYNTAX, Vibration

_VARIANT: Final = VARIANTS[0x68]

ACCEL_NOISE_G: Final = 0.004  # 400 µg/√Hz
GYRO_NOISE_DPS: Final = 0.05  # 0.005 °/s/√Hz
TEMP_NOISE_C: Final = 0.02

# The errors of a sensor that lies still: standard deviations, drawn with the seed.
BIAS_DPS: Final = 2.0
OFFSET_G: Final = 0.03
SCALE: Final = 0.01
UPS: Final = ((0, 0, 1), (0, 0, -1), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0))
MAX_STILL_S: Final = 86_400.0  # arbitrary

QUEUE_S: Final = 1.0  # arbitrary; longer than the chip's FIFO, for a busy computer
STALL_S: Final = 3.0
FAULTS: Final = {
    "missing": "every 50th reading fails",
    "burst": "25 readings in a row fail, once in 500",
    "nosample": "the first 100 reads find no sample yet",
    "stall": f"every 500th reading takes {STALL_S:g} s",
}


class Simulator(Device):
    """The simulated sensor; every sample has the flag SIMULATED."""

    def __init__(
        self,
        rate_hz: float,
        seed: int = 1,
        faults: Sequence[str] = (),
        still_s: float = 0.0,
        vibration: Vibration | None = None,
    ) -> None:
        """`still_s` is how long the body lies on each of its faces; infinite: it stays on the
        first; 0: it moves, or has a vibration."""
        self.identity = f"sim:seed={seed}" + (",still" if still_s else "")
        each = f"={still_s:g}" if 0 < still_s < math.inf else ""
        vibrates = f",vibration={vibration.text}" if vibration else ""
        fault = f",fault={'+'.join(faults)}" if faults else ""
        self.source = f"{self.identity}{each}{vibrates}{fault}"
        errors = random.Random(f"errors of {seed}")  # noqa: S311 - nothing is secret here
        self._bias_dps = [errors.gauss(0, BIAS_DPS) for _ in range(3)]
        self._offset_g = [errors.gauss(0, OFFSET_G) for _ in range(3)]
        self._scale = [errors.gauss(1, SCALE) for _ in range(3)]
        self._still_s = still_s
        self._vibration = vibration
        self.period_ns = round(10**9 / rate_hz)
        self._faults = faults
        self._random = random.Random(seed)  # noqa: S311 - noise, not secrets
        self._count = 0  # of the periods that have passed
        self._start_ns: int | None = None  # when reading 0 was due
        self._last_ns = 0

    @classmethod
    def from_options(cls, options: str, rate_hz: float) -> "Simulator":
        """Create one from `seed=N,fault=NAME+NAME,still=SECONDS` or `…,vibration=…`. Raises
        UsageError."""
        seed, faults, still_s, vibration = 1, list[str](), 0.0, None
        for option in filter(None, options.split(",")):
            key, _, value = option.partition("=")
            if key == "seed" and value.isdecimal() and value.isascii() and len(value) <= 18:
                seed = int(value)
            elif key == "fault" and set(value.split("+")) <= FAULTS.keys():
                faults = value.split("+")
            elif option == "still":
                still_s = math.inf
            elif key == "still" and (seconds := _seconds(value)):
                still_s = seconds
            elif key == "vibration":
                vibration = Vibration.parse(value, rate_hz)
            else:
                raise UsageError(
                    f"unknown sim option {option!r}: use seed=NUMBER, fault=NAME+… "
                    f"({', '.join(FAULTS)}), still, still=SECONDS or vibration={SYNTAX}"
                )
        if still_s and vibration:
            raise UsageError("sim has still and vibration: use one of them")
        return cls(rate_hz, seed, faults, still_s, vibration)

    async def read(self, periods: int = 1) -> Sequence[Sample]:
        """Return the model's samples of these periods, like a chip with a FIFO.

        It takes no time unless a stall was requested.
        """
        await trio.lowlevel.checkpoint()
        queued = min(periods, max(1, round(QUEUE_S * 1e9 / self.period_ns)))
        self._count += periods
        numbers = range(self._count - queued, self._count)
        start_ns = self._start(time.monotonic_ns())
        if "stall" in self._faults and any(number % 500 == 499 for number in numbers):
            await trio.sleep(STALL_S)
        if "nosample" in self._faults and numbers[0] < 100:
            raise NoSampleYet("simulated: no sample yet")
        samples = []
        for number in numbers:
            values = self._values(number * self.period_ns / 1e9)
            # The start may have been put right since the last read.
            self._last_ns = max(self._last_ns + 1, start_ns + number * self.period_ns)
            flags = Flag.SIMULATED | (Flag.CLIPPED if _is_clipped(values) else 0)
            samples.append(Sample(self._last_ns, *values, flags))
        if "missing" in self._faults and any(number % 50 == 49 for number in numbers):
            raise DeviceError("simulated: a reading is missing")
        if "burst" in self._faults and (self._count - 1) % 500 >= 475:
            raise DeviceError("simulated: a burst of errors")
        return samples

    def _start(self, now_ns: int) -> int:
        """Return when reading 0 was due, if the newest is due now or has been for a moment.

        A read is late by what the operating system takes, and never early, so the earliest start
        that is found is the best one: the samples' times are then a period apart, like those of a
        chip. A reader with another pace than the sensor's begins anew.
        """
        latest_ns = now_ns - (self._count - 1) * self.period_ns
        known_ns = latest_ns if self._start_ns is None else self._start_ns
        is_near = latest_ns - QUEUE_S * 1e9 <= known_ns <= latest_ns
        self._start_ns = known_ns if is_near else latest_ns
        return self._start_ns

    def _values(self, t: float) -> tuple[float, float, float, float, float, float, float]:
        accel_g, gyro_dps = self._motion(t)
        # The chip warms up after power-on and then follows the room.
        temp_c = 26 + 4 * (1 - math.exp(-t / 300)) + 0.5 * math.sin(math.tau * t / 900)
        noise = self._random.gauss
        accel_lsb_per_g, gyro_lsb_per_dps = ACCEL_LSB_PER_G[2], GYRO_LSB_PER_DPS[250]
        ax, ay, az = (_register(g + noise(0, ACCEL_NOISE_G), accel_lsb_per_g) for g in accel_g)
        gx, gy, gz = (
            _register(rate + noise(0, GYRO_NOISE_DPS), gyro_lsb_per_dps) for rate in gyro_dps
        )
        offset_c = _VARIANT.temp_offset_c
        temp = _register(temp_c - offset_c + noise(0, TEMP_NOISE_C), _VARIANT.temp_lsb_per_c)
        return ax, ay, az, gx, gy, gz, temp + offset_c

    def _motion(self, t: float) -> tuple[Sequence[float], Sequence[float]]:
        """Return what the accelerometer and the gyroscope measure without noise, in g and °/s."""
        if self._still_s:
            return self._lying(t)
        if self._vibration:
            x, y, z = self._vibration.at(t)
            return (x, y, 1 + z), (0.0, 0.0, 0.0)
        return self._moving(t)

    def _lying(self, t: float) -> tuple[Sequence[float], Sequence[float]]:
        """Return what a bad sensor at rest measures, in g and °/s."""
        # The microsecond is for the rounding of t, which could put the first reading of a face on
        # the face before.
        up = UPS[int((t + 1e-6) / self._still_s) % len(UPS)]
        errors = zip(up, self._scale, self._offset_g, strict=True)
        return [true_g / scale + offset for true_g, scale, offset in errors], self._bias_dps

    def _moving(self, t: float) -> tuple[Sequence[float], Sequence[float]]:
        # Amplitudes in radians, frequencies in radians/s: a lazy swing, a turn in two minutes.
        roll, roll_rate = _swing(0.35, 0.5, t)
        pitch, pitch_rate = _swing(0.2, 0.31, t)
        yaw_rate = math.tau / 120
        accel_g = (
            -math.sin(pitch),
            math.sin(roll) * math.cos(pitch),
            math.cos(roll) * math.cos(pitch),
        )
        gyro_rad_s = (
            roll_rate - yaw_rate * math.sin(pitch),
            pitch_rate * math.cos(roll) + yaw_rate * math.sin(roll) * math.cos(pitch),
            -pitch_rate * math.sin(roll) + yaw_rate * math.cos(roll) * math.cos(pitch),
        )
        return accel_g, [math.degrees(rate) for rate in gyro_rad_s]


def _seconds(text: str) -> float:
    """Return the number, or 0 if it is not a number in range."""
    with contextlib.suppress(ValueError):
        if 0 < (seconds := float(text)) <= MAX_STILL_S:
            return seconds
    return 0.0


def _swing(amplitude: float, frequency: float, t: float) -> tuple[float, float]:
    """Return angle and rate of a sine."""
    phase = frequency * t
    return amplitude * math.sin(phase), amplitude * frequency * math.cos(phase)


def _is_clipped(values: Sequence[float]) -> bool:
    """Return whether an axis is at an end of its register."""
    ends = ((ACCEL_LSB_PER_G[2], values[:3]), (GYRO_LSB_PER_DPS[250], values[3:6]))
    return any(min(axes) <= -32768 / lsb or max(axes) >= 32767 / lsb for lsb, axes in ends)


def _register(value: float, lsb_per_unit: float) -> float:
    """Return the value as a 16-bit register holds it."""
    return max(-32768, min(32767, round(value * lsb_per_unit))) / lsb_per_unit
