# Pure: no I/O, no clock, no waiting.
"""Computes the accelerometer's offset and scale from six positions.

At rest an accelerometer measures 1 g in any attitude: |s ∘ (a - o)| = 1, the condition of I. Skog
and P. Händel, "Calibration of a MEMS inertial measurement unit" (IMEKO World Congress, 2006). So
the six positions need not be exact, and a table that is not quite level does no harm.

Squared and multiplied out, with one s and one o for each axis, each position j gives

    Σ s²a² - 2 Σ s²o·a + Σ s²o² = 1     (sums over the axes)

which, divided by c = 1 - Σ s²o², is linear in A = s²/c and B = -2 s²o/c:

    Σ A·a² + Σ B·a = 1

Six positions give six equations for six unknowns, so no iteration is needed. Solved for o and c:
o = -B/2A, and since Σ s²o² = c Σ A·o², c = 1/(1 + Σ A·o²).
"""

import math
from collections.abc import Mapping
from typing import Final

from trio_mpu.calibration.model import Vector
from trio_mpu.calibration.stillness import FACES
from trio_mpu.errors import CalibrationError

# The equations of six good positions have pivots of about 1. Smaller ones come from positions that
# are nearly the same.
MIN_PIVOT: Final = 0.01


def solve(means_g: Mapping[str, Vector]) -> tuple[Vector, Vector]:
    """Return offset in g and scale, from the mean acceleration with each of FACES up.

    Raises CalibrationError if the positions contradict each other.
    """
    rows = []
    for face in FACES:
        x, y, z = means_g[face]
        rows.append([x * x, y * y, z * z, x, y, z, 1.0])
    a, b = _halves(_solution(rows))
    if min(a) <= 0:
        raise CalibrationError(_CONTRADICTION)
    offset = [-linear / (2 * square) for square, linear in zip(a, b, strict=True)]
    c = 1 / (1 + sum(square * o * o for square, o in zip(a, offset, strict=True)))
    (ox, oy, oz), (sx, sy, sz) = offset, (math.sqrt(square * c) for square in a)
    return (ox, oy, oz), (sx, sy, sz)


_CONTRADICTION: Final = (
    "the six positions contradict each other: the sensor moved, or its range changed; measure again"
)


def _halves(values: list[float]) -> tuple[list[float], list[float]]:
    return values[:3], values[3:]


def _solution(rows: list[list[float]]) -> list[float]:
    """Solve linear equations by Gaussian elimination with partial pivoting. Each row ends with
    its right-hand side."""
    size = len(rows)
    for column in range(size):
        rest = rows[column:]
        pivot = max(rest, key=lambda row: abs(row[column]))
        if abs(pivot[column]) < MIN_PIVOT:
            raise CalibrationError(_CONTRADICTION)
        rest.remove(pivot)
        for row in rest:
            factor = row[column] / pivot[column]
            for at in range(column, size + 1):
                row[at] -= factor * pivot[at]
        rows[column:] = [pivot, *rest]
    solution = [0.0] * size
    for at in reversed(range(size)):
        known = sum(rows[at][k] * solution[k] for k in range(at + 1, size))
        solution[at] = (rows[at][size] - known) / rows[at][at]
    return solution
