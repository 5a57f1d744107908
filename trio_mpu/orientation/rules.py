# Pure: no I/O, no clock, no waiting.
"""The rules of the attitude, in numbers, and what a filter has to be.

All of them were measured with the BROAD benchmark (docs/attitude.md has the tables).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, NamedTuple

Vector = tuple[float, float, float]

# Bound "attitude, least Hz".
MIN_RATE_HZ: Final = 10.0  # there, a fast rotation already costs tens of degrees

# Readings that are missing for no longer are calculated from those around them. Up to here that is
# better in the next seconds than to begin anew, and keeps the heading, within 2° after movement.
# Bound "attitude, longest bridge, s".
MAX_BRIDGE_S: Final = 0.1
UNNOTICED_S: Final = 0.02  # of it: costs less than 0.1°, so no flag is needed
# Bound "attitude, time to settle, s".
SETTLE_S: Final = 5.0  # the error has then decayed, whatever the sensor did at the beginning

KNOWN_BIAS_DPS: Final = 0.2  # σ from which on the bias is known; its error is then 0.01 °/s
LOOK_S: Final = 0.1  # arbitrary: how often the estimate of the bias is looked at
FORGETTING_DPS: Final = 0.1  # how uncertain a bias that was known gets…
FORGETTING_S: Final = 100.0  # …in this time: VQF's own numbers

RATE_S: Final = 10.0  # arbitrary: how long the sensor's real rate is measured at a time
TOLERANCE: Final = 0.1  # of the rate: chips are within 5 %; beyond that it is the wrong one


class Bias(NamedTuple):
    """A gyroscope's bias in °/s, and its standard deviation."""

    dps: Vector
    sigma_dps: float

    def after(self, seconds: float, unknown: "Bias") -> "Bias":
        """Return what is left of this knowledge after a time: no less than what is known of an
        `unknown` bias."""
        drift = FORGETTING_DPS**2 * max(0.0, seconds) / FORGETTING_S
        return Bias(self.dps, min(math.sqrt(self.sigma_dps**2 + drift), unknown.sigma_dps))


class Gyroscope(NamedTuple):
    """What is known of a gyroscope's bias beforehand: its limit, and its uncertainty.

    While a sensor turns steadily and no faster than `max_bias_dps`, nobody can tell that from a bias.
    """

    max_bias_dps: float
    bias: Bias


# VQF's own, for a gyroscope whose bias has been measured.
CALIBRATED: Final = Gyroscope(2.0, Bias((0.0, 0.0, 0.0), 0.5))
# The MPU-6050's data sheet allows ±20 °/s. With VQF's limit, 5 °/s make an error of 4°, and 15 of 25°.
UNCALIBRATED: Final = Gyroscope(20.0, Bias((0.0, 0.0, 0.0), 1.0))


class Filter(ABC):
    """Estimates the attitude from readings that are one period apart."""

    @abstractmethod
    def __init__(self, period_s: float, gyroscope: Gyroscope, bias: Bias) -> None:
        """Begin with what is known of the `bias` now."""

    @abstractmethod
    def step(self, accel_g: Vector, gyro_dps: Vector) -> None:
        """Take in what was measured in the next period."""

    @abstractmethod
    def quaternion(self) -> list[float]:
        """Return the attitude after the last step: w, x, y, z; earth (east, north, up) ← sensor."""

    @abstractmethod
    def bias(self) -> Bias:
        """Return the estimate of the gyroscope's bias."""


MakeFilter = Callable[[float, Gyroscope, Bias], Filter]
