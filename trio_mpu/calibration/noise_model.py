# Pure: no I/O, no clock, no waiting.
"""White noise and random walk of a sensor at rest, read from its Allan deviation.

IEEE Std 952-1997, annex C: the variances of independent noises add up,

    σ²(τ) = N²/τ + F² + K²·τ/3

where N is the density of white noise (slope -1/2, σ = N at 1 s), F the flat part that the bias
instability makes, and K the density of the noise whose integral is the random walk of the bias
(slope +1/2, σ = K at 3 s). N is per √Hz of a two-sided spectrum: white noise of density N has the
standard deviation N·√rate in single readings. The one-sided density of data sheets is √2·N.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from trio_mpu.calibration.allan import DENSITY_AT_S, SHARE, deviations

# The random walk is seen if it makes three quarters of σ² at the longest τ. The slope is then above
# +1/4, nearer to +1/2 than to a flat curve. White noise alone would have to show four times its σ²
# there, whose uncertainty is a half.
SEEN_SHARE: Final = 0.75
ROUNDS: Final = 300  # arbitrary; fits of simulated noise settle within 100


class Noise(NamedTuple):
    """`density` is N in units/√Hz; `walk` is K in units/s/√Hz. If `is_bound`, the readings do not
    show the random walk, and `walk` is the largest K that they do not rule out."""

    density: float
    walk: float
    is_bound: bool


def least_readings(period_s: float) -> int | None:
    """Return how many readings `noise` needs; None if their period is too long for any number."""
    spans = _one_second(period_s)
    return SHARE * spans if spans else None


def noise(values: Sequence[float], period_s: float) -> Noise:
    """Return the noise of one axis at rest, from at least `least_readings`, one per period.

    N is σ at 1 s; K comes from a fit of all three terms from there to the longest τ, a ninth of the
    time. With an uncertainty δ of σ there, the bound is the K that alone would make σ/(1 - 2δ).
    """
    spans = _spans(_one_second(period_s), len(values) // SHARE)
    curve = deviations(values, period_s, spans)
    (first_s, at_first), (last_s, at_last) = curve[0], curve[-1]
    density = at_first * math.sqrt(first_s)
    weights = [len(values) / span - 1 for span in spans]  # half of 1/δ²
    if min(sigma for _, sigma in curve) > 0:
        white, flat, walk = _fit(curve, weights)
        terms = (white / last_s, flat, walk * last_s / 3)
        if terms[2] >= SEEN_SHARE * sum(terms):
            return Noise(density, math.sqrt(walk), is_bound=False)
    delta = 1 / math.sqrt(2 * weights[-1])
    bound = at_last / (1 - 2 * delta) * math.sqrt(3 / last_s)
    return Noise(density, bound, is_bound=True)


def _one_second(period_s: float) -> int:
    return round(DENSITY_AT_S / period_s)


def _spans(least: int, most: int) -> list[int]:
    """Return the spans from `least` to `most`, each half of the next; the first may be closer."""
    spans = [most]
    while spans[0] > least:
        spans.insert(0, max(least, spans[0] // 2))
    return spans


def _fit(curve: Sequence[tuple[float, float]], weights: Sequence[float]) -> list[float]:
    """Return N², F² and K² of the curve, by least squares of the relative errors of σ².

    None of them can be negative, so each in turn is set to its best value, or 0, while the others
    are kept: the sum of squares is convex, and this leads to its minimum. White noise comes first,
    and alone remains if the curve has too few points to tell the three apart.
    """
    # What N², F² and K² of 1 would make of each measured σ².
    rows = [(1 / tau / sigma**2, 1 / sigma**2, tau / 3 / sigma**2) for tau, sigma in curve]
    found = [0.0, 0.0, 0.0]
    for _ in range(ROUNDS):
        for term in range(3):
            slope = steepness = 0.0
            for row, weight in zip(rows, weights, strict=True):
                missing = 1 - sum(share * size for share, size in zip(row, found, strict=True))
                slope += weight * row[term] * missing
                steepness += weight * row[term] ** 2
            found[term] = max(0.0, found[term] + slope / steepness)
    return found
