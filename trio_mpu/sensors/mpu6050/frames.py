# Pure: no I/O, no clock, no waiting.
"""Converts the chip's 14 bytes to a sample with units.

A frame has the same format in the registers from ACCEL_XOUT_H on and in the FIFO: seven signed
big-endian 16-bit numbers, ax ay az temp gx gy gz.
"""

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from trio_mpu.sample import Flag, Sample
from trio_mpu.sensors.mpu6050.registers import ACCEL_LSB_PER_G, GYRO_LSB_PER_DPS, Setup
from trio_mpu.sensors.mpu6050.variants import ChipVariant

_FRAME = struct.Struct(">7h")
FRAME_BYTES: Final = _FRAME.size
_ENDS: Final = frozenset((-32768, 32767))

# As in the kernel's driver: with less room left, the FIFO might overflow while it is read, and the
# oldest bytes would disappear under the reader.
SPARE_FRAMES: Final = 3


class Scale(NamedTuple):
    """The values of one step of the registers."""

    accel_lsb_per_g: float
    gyro_lsb_per_dps: float
    temp_lsb_per_c: float
    temp_offset_c: float

    @classmethod
    def of(cls, setup: Setup, variant: ChipVariant) -> "Scale":
        """Return the scale of a chip with this setup."""
        return cls(
            ACCEL_LSB_PER_G[setup.accel_g],
            GYRO_LSB_PER_DPS[setup.gyro_dps],
            variant.temp_lsb_per_c,
            variant.temp_offset_c,
        )

    def sample(self, frame: bytes, t_ns: int, flags: int) -> Sample:
        """Return the sample in a frame, in g, °/s and °C.

        It has the flag CLIPPED if an axis is at an end of its range: the true value may be beyond.
        """
        ax, ay, az, temp, gx, gy, gz = _FRAME.unpack(frame)
        if not _ENDS.isdisjoint((ax, ay, az, gx, gy, gz)):
            flags |= Flag.CLIPPED
        accel, gyro = self.accel_lsb_per_g, self.gyro_lsb_per_dps
        return Sample(
            t_ns,
            ax / accel,
            ay / accel,
            az / accel,
            gx / gyro,
            gy / gyro,
            gz / gyro,
            temp / self.temp_lsb_per_c + self.temp_offset_c,
            flags,
        )


def split(data: bytes) -> Sequence[bytes]:
    """Split bytes into frames; the FIFO is only ever read in whole frames."""
    assert len(data) % FRAME_BYTES == 0
    return [data[at : at + FRAME_BYTES] for at in range(0, len(data), FRAME_BYTES)]


def is_sound(count: int, fifo_bytes: int) -> bool:
    """Return whether a FIFO with `count` bytes can be read: whole frames, and room for more.

    Its size is not a multiple of a frame (1024 mod 14 = 2): after an overflow, which removes its
    oldest bytes, every frame begins in the middle of another.
    """
    return count % FRAME_BYTES == 0 and count <= fifo_bytes - SPARE_FRAMES * FRAME_BYTES
