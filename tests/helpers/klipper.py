"""The power spectral density as Klipper's scripts calculate it, restated from its description."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

MM_S2: Final = 9806.65  # in one g

Numbers = NDArray[np.float64]


def klipper(t_s: Numbers, axes: list[Numbers]) -> tuple[Numbers, list[Numbers]]:
    """The method of Klipper's scripts, restated: frequencies, and the densities in (mm/s²)²/Hz."""
    fs_hz = len(t_s) / (t_s[-1] - t_s[0])
    m = 1
    while m < int(fs_hz / 2):
        m *= 2
    window = np.kaiser(m, 6.0)
    densities = []
    for axis in axes:
        segments = [axis[i : i + m] * MM_S2 for i in range(0, len(axis) - m + 1, m // 2)]
        powers = [np.abs(np.fft.rfft(window * (part - part.mean()))) ** 2 for part in segments]
        density = np.mean(powers, axis=0) / (fs_hz * np.sum(window**2))
        density[1:-1] *= 2
        densities.append(density)
    return np.fft.rfftfreq(m, 1 / fs_hz), [*densities, np.sum(densities, axis=0)]
