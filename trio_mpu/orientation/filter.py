"""VQF, sample by sample, in the units of a sample.

D. Laidig, T. Seel, "VQF: Highly accurate IMU orientation estimation with bias estimation and magnetic
disturbance rejection", Information Fusion 91, 2023, doi 10.1016/j.inffus.2022.10.014. Its parameters
are the authors' own but for what is known of the gyroscope's bias beforehand.

This is the only file that needs numpy and vqf; importing it may raise ImportError.
"""

import math
import struct
from array import array
from typing import Final

import numpy as np
from vqf import VQF

from trio_mpu.orientation.rules import Bias, Filter, Gyroscope, Vector

_RAD: Final = math.pi / 180
_M_S2: Final = 9.80665  # m/s², standard gravity
_pack: Final = struct.Struct("3d").pack_into


class VqfFilter(Filter):
    """See above. A step takes 2 µs, of which half is the filter's own."""

    def __init__(self, period_s: float, gyroscope: Gyroscope, bias: Bias) -> None:
        # VQF's initial σ is also the largest that it ever has.
        self._vqf = VQF(
            period_s, biasClip=gyroscope.max_bias_dps, biasSigmaInit=gyroscope.bias.sigma_dps
        )
        self._vqf.setBiasEstimate(np.array(bias.dps) * _RAD, bias.sigma_dps * _RAD)
        # Filling these takes less time than making arrays, or than assigning to their elements.
        self._accel, self._gyro = array("d", bytes(24)), array("d", bytes(24))
        self._accel_view, self._gyro_view = np.frombuffer(self._accel), np.frombuffer(self._gyro)

    def step(self, accel_g: Vector, gyro_dps: Vector) -> None:
        """Take in what was measured in the next period."""
        x, y, z = accel_g
        _pack(self._accel, 0, x * _M_S2, y * _M_S2, z * _M_S2)
        x, y, z = gyro_dps
        _pack(self._gyro, 0, x * _RAD, y * _RAD, z * _RAD)
        self._vqf.update(self._gyro_view, self._accel_view)

    def quaternion(self) -> list[float]:
        """Return the attitude after the last step: w, x, y, z; earth (east, north, up) ← sensor."""
        quaternion: list[float] = self._vqf.getQuat6D().tolist()
        return quaternion

    def bias(self) -> Bias:
        """Return the estimate of the gyroscope's bias."""
        bias, sigma = self._vqf.getBiasEstimate()
        x, y, z = (bias / _RAD).tolist()
        return Bias((x, y, z), sigma / _RAD)
