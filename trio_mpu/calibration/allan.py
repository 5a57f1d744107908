# Pure: no I/O, no clock, no waiting.
"""How stable a sensor at rest is: its Allan deviation, and two figures read from it.

The Allan deviation σ(τ) is a measure of how much the means over successive times τ differ. White
noise averages out, so σ falls with 1/√τ, until slow drift keeps it from falling further. The
definitions are those of IEEE Std 952 (annex C; its σ is of rates) and IEEE Std 1139 (overlapping).
"""

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Final, NamedTuple

DENSITY_AT_S: Final = 1.0  # where a MEMS sensor shows nothing but white noise
# IEEE Std 952: with readings over a time T, the relative uncertainty of σ is 1/√(2(T/τ - 1)): a
# quarter at τ = T/9.
SHARE: Final = 9
# The flat part of σ, its minimum, is √(2 ln 2/π) times the bias instability.
FLAT: Final = math.sqrt(2 * math.log(2) / math.pi)


class Stability(NamedTuple):
    """`density` is that of the noise, as in data sheets, in units/√Hz; None if the readings took
    less than SHARE times DENSITY_AT_S. `instability` is that of the bias, in units, from the
    minimum of σ at `flat_s`; if `is_bound`, σ was still falling there, and the true one is less."""

    density: float | None
    instability: float
    flat_s: float
    is_bound: bool


def deviations(
    values: Sequence[float], period_s: float, spans: Sequence[int]
) -> list[tuple[float, float]]:
    """Return τ in s and the overlapping Allan deviation at τ, in the values' units, for each of
    these spans, in periods. Twice a span must be less than the number of values.

        σ²(mT) = 1/(2m²(N - 2m + 1)) Σ (S[k + 2m] - 2 S[k + m] + S[k])²

    where S[k] is the sum of the first k values, and k runs from 0 to N - 2m.
    """
    mean = sum(values) / len(values)  # σ does not depend on it, but the precision of the sums does
    sums = list(accumulate((value - mean for value in values), initial=0.0))
    found = []
    for m in spans:
        steps = zip(sums, sums[m:], sums[2 * m :], strict=False)
        total = sum((third - 2 * second + first) ** 2 for first, second, third in steps)
        found.append((m * period_s, math.sqrt(total / (len(values) - 2 * m + 1) / 2) / m))
    return found


def stability(values: Sequence[float], period_s: float) -> Stability:
    """Return the figures of one axis at rest, from at least SHARE readings, one per period."""
    most = len(values) // SHARE
    octaves = [1 << power for power in range(most.bit_length())]
    curve = deviations(values, period_s, octaves)
    flat_s, lowest = min(curve, key=lambda point: point[1])
    density = None
    if 1 <= (m := round(DENSITY_AT_S / period_s)) <= most:
        [(tau_s, at_one)] = deviations(values, period_s, [m])
        # White noise with the one-sided density n has σ² = n²/2τ.
        density = at_one * math.sqrt(2 * tau_s)
    return Stability(density, lowest / FLAT, flat_s, is_bound=flat_s == curve[-1][0])
