# Pure: no I/O, no clock, no waiting.
"""The results of a calibration, as lines for people."""

from collections.abc import Sequence
from typing import Final

from trio_mpu.calibration.allan import DENSITY_AT_S, SHARE, Stability
from trio_mpu.calibration.stillness import Rest

_AXES: Final = ("ax", "ay", "az", "gx", "gy", "gz")
_UNITS: Final = ("g", "g", "g", "°/s", "°/s", "°/s")


def lines(rest: Rest, stabilities: Sequence[Stability]) -> list[str]:
    """Return a table of the six axes: mean, noise of a single reading, noise density, and bias
    instability. `stabilities` are in the order of the axes."""
    means = (*rest.accel_g, *rest.gyro_dps)
    noises = (*rest.accel_noise_g, *rest.gyro_noise_dps)
    rows = [f"{'axis':10}{'mean':>12}{'noise':>12}{'density':>12}   bias instability"]
    for axis, unit, mean, noise, stability in zip(
        _AXES, _UNITS, means, noises, stabilities, strict=True
    ):
        density = "?" if stability.density is None else f"{stability.density:.6f}"
        bound = "below " if stability.is_bound else ""
        rows.append(
            f"{f'{axis}, {unit}':10}{mean:12.5f}{noise:12.5f}{density:>12}"
            f"   {bound}{stability.instability:.6f} at {stability.flat_s:.3g} s"
        )
    rows.append(
        "noise: standard deviation of a single reading; density: per √Hz; instability: from the "
        "minimum of the Allan deviation"
    )
    if any(stability.density is None for stability in stabilities):
        rows.append(
            f"?: needs {SHARE * DENSITY_AT_S:g} s of readings, at {1 / DENSITY_AT_S:g} Hz or more"
        )
    if any(stability.is_bound for stability in stabilities):
        rows.append(
            "below: the Allan deviation was still falling; a longer measurement shows where it ends"
        )
    return rows
