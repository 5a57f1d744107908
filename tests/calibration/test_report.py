"""What the person reads."""

import pytest

from trio_mpu.calibration.allan import Stability
from trio_mpu.calibration.report import lines
from trio_mpu.calibration.stillness import Rest

REST = Rest((0.01, -0.02, 1.0), (2.0, -3.0, 0.5), (0.004,) * 3, (0.05,) * 3, 25.0)
WHITE = Stability(0.0004, 0.0003, 0.64, is_bound=True)
SHORT = Stability(None, 0.01, 0.08, is_bound=False)


def test_each_axis_has_a_line_with_its_unit() -> None:
    """Mean, noise, density, instability."""
    rows = lines(REST, [SHORT._replace(density=0.0004)] * 6)
    assert [row[:7].strip() for row in rows[1:7]] == [
        *("ax, g", "ay, g", "az, g", "gx, °/s", "gy, °/s", "gz, °/s"),
    ]
    assert rows[2].split() == [
        "ay,",
        "g",
        "-0.02000",
        "0.00400",
        "0.000400",
        *("0.010000", "at", "0.08", "s"),
    ]
    assert rows[6].split()[2:4] == ["0.50000", "0.05000"]
    assert len(rows) == 8


@pytest.mark.parametrize(
    ("stability", "mark", "last"),
    [
        (WHITE, "below 0.000300 at 0.64 s", "below: the Allan deviation was"),
        (SHORT, " ? ", "?: needs 9 s"),
    ],
)
def test_what_is_not_known_is_marked_and_explained(
    stability: Stability, mark: str, last: str
) -> None:
    """A bound is called one; a density of too short a time is not made up."""
    rows = lines(REST, [stability] * 6)
    assert all(mark in row for row in rows[1:7])
    assert rows[-1].startswith(last)
    assert len(rows) == 9
