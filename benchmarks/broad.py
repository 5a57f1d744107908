"""Trials of the BROAD benchmark: readings of a sensor, and what optical motion capture saw.

D. Laidig, M. Caruso, A. Cereatti, T. Seel, "BROAD: A benchmark for robust inertial orientation
estimation", Data 6 (7), 2021, doi 10.3390/data6070072.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trio_mpu.device import Device
from trio_mpu.orientation.filter import VqfFilter
from trio_mpu.orientation.tracker import Tracker
from trio_mpu.record import ATTITUDE_RESETS
from trio_mpu.sample import Sample

ROOT: Final = Path(__file__).parents[1]
Array = NDArray[np.float64]


def folder() -> Path:
    """Return where the trials are: TRIO_MPU_BROAD, or beside the project. Raises LookupError."""
    found = Path(os.environ.get("TRIO_MPU_BROAD") or ROOT.parent / "shared/broad").resolve()
    if not any(found.glob("*.npz")):
        raise LookupError(f"there are no trials in {found}; TRIO_MPU_BROAD says where they are")
    return found


@dataclass(frozen=True)
class Trial:
    """One trial; `moving` says which samples count, and `reference` is NaN where nothing was seen."""

    name: str
    rate_hz: float
    samples: list[Sample]
    reference: Array
    moving: NDArray[np.bool_]

    @classmethod
    def of(cls, path: Path) -> "Trial":
        """Read a trial; its samples are one period apart."""
        with np.load(path) as data:
            rate_hz = float(data["rate_hz"])
            values = np.hstack([data["accel_g"], data["gyro_dps"]]).astype(float).tolist()
            return cls(
                path.stem,
                rate_hz,
                [_sample(round(n * 1e9 / rate_hz), *row) for n, row in enumerate(values)],
                data["reference_q"].astype(float),
                data["moving"],
            )

    def tracker(self) -> Tracker:
        """Return what gives each of its samples an attitude, as the producer has it."""
        return Tracker(_Sensor(self), {ATTITUDE_RESETS: 0}, VqfFilter, continues=False)

    def errors(self, estimates: Any) -> Array:  # noqa: ANN401 - whatever has the shape (n, 4)
        """Return the errors of inclination in degrees, of the samples that count."""
        w, x, y, z = (np.asarray(estimates, float) * (1, -1, -1, -1)).T
        a, b, c, d = self.reference.T
        # reference ⊗ conj(estimate): what is left of it without the rotation about the vertical.
        cosine = np.hypot(a * w - b * x - c * y - d * z, a * z + b * y - c * x + d * w)
        counts = self.moving & np.isfinite(cosine)
        errors: Array = 2 * np.degrees(np.arccos(np.clip(cosine[counts], 0, 1)))
        return errors


def _sample(t_ns: int, *values: float) -> Sample:
    ax, ay, az, gx, gy, gz = values
    return Sample(t_ns, ax, ay, az, gx, gy, gz, 25.0)


class _Sensor(Device):
    """What a tracker has to know of a trial's sensor."""

    def __init__(self, trial: Trial) -> None:
        self.source = trial.name
        self.period_ns = round(1e9 / trial.rate_hz)

    async def read(self, periods: int = 1) -> list[Sample]:
        """Nobody reads it."""
        raise NotImplementedError


def rms(errors: Array) -> float:
    """Return the root of the mean of the squares."""
    return float(np.sqrt(np.mean(errors**2)))
