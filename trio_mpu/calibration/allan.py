# Pure: no I/O, no clock, no waiting.
"""How stable a sensor at rest is: its Allan deviation, and two figures that are read from it.

The Allan deviation σ(τ) says by how much the means over successive times τ differ. White noise
averages out, σ falls with 1/√τ, until what wanders slowly keeps it from falling any further.
Definitions are those of IEEE Std 952 (annex C; its σ is of rates) and IEEE Std 1139 (overlapping).
"""

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Final, NamedTuple

DENSITY_AT_S: Final = 1.0  # where white noise is all that is seen of a MEMS sensor
# IEEE Std 952: σ is uncertain by 1/√(2(T/τ - 1)) of itself with readings of a time T, so by a
# quarter at its ninth part.
SHARE: Final = 9
# The flat part of σ, which is its minimum, is √(2 ln 2/π) of the bias instability.
FLAT: Final = math.sqrt(2 * math.log(2) / math.pi)


class Stability(NamedTuple):
    """`density` of the noise, as data sheets have it, in units/√Hz; None if there were not
    SHARE times DENSITY_AT_S of readings. `instability` of the bias, in units, from the minimum of
    σ, which is at `flat_s`; with `is_bound` σ was still falling there, and it is less."""

    density: float | None
    instability: float
    flat_s: float
    is_bound: bool


def deviations(
    values: Sequence[float], period_s: float, spans: Sequence[int]
) -> list[tuple[float, float]]:
    """Return τ in s and the overlapping Allan deviation there, in the values' units, for each of
    these numbers of periods; twice each span must be less than there are values.

        σ²(mT) = 1/(2m²(N - 2m + 1)) Σ (S[k + 2m] - 2 S[k + m] + S[k])²

    with S the sums of the first k values, k from 0 to N - 2m.
    """
    mean = sum(values) / len(values)  # σ does not depend on it, but the sums' precision does
    sums = list(accumulate((value - mean for value in values), initial=0.0))
    found = []
    for m in spans:
        steps = zip(sums, sums[m:], sums[2 * m :], strict=False)
        total = sum((third - 2 * second + first) ** 2 for first, second, third in steps)
        found.append((m * period_s, math.sqrt(total / (len(values) - 2 * m + 1) / 2) / m))
    return found


def stability(values: Sequence[float], period_s: float) -> Stability:
    """Return the figures of one axis at rest, at least SHARE readings, one each period."""
    most = len(values) // SHARE
    octaves = [1 << power for power in range(most.bit_length())]
    curve = deviations(values, period_s, octaves)
    flat_s, lowest = min(curve, key=lambda point: point[1])
    density = None
    if 1 <= (m := round(DENSITY_AT_S / period_s)) <= most:
        [(tau_s, at_one)] = deviations(values, period_s, [m])
        # White noise of the one-sided density n has σ² = n²/2τ.
        density = at_one * math.sqrt(2 * tau_s)
    return Stability(density, lowest / FLAT, flat_s, is_bound=flat_s == curve[-1][0])
