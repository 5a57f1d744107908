"""The Allan deviation, against its definition and against noise of which it is known."""

import math
import random
import statistics
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mpu.calibration.allan import FLAT, deviations, stability

PERIOD_S = 0.01


def by_definition(values: Sequence[float], m: int) -> float:
    """Half the mean square of the differences between the means of m values and of the m after
    them, begun at each value."""
    means = [statistics.fmean(values[at : at + m]) for at in range(len(values) - m + 1)]
    steps = [after - before for before, after in zip(means, means[m:], strict=False)]
    return math.sqrt(statistics.fmean(step * step for step in steps) / 2)


def white(count: int, sigma: float = 1.0, seed: int = 1) -> list[float]:
    noise = random.Random(seed)
    return [noise.gauss(0, sigma) for _ in range(count)]


@given(
    st.lists(st.floats(-2000, 2000), min_size=3, max_size=60),
    st.data(),
)
def test_it_is_what_its_definition_says(values: list[float], data: st.DataObject) -> None:
    """For any values and any span that fits."""
    m = data.draw(st.integers(1, (len(values) - 1) // 2))
    [(tau_s, sigma)] = deviations(values, PERIOD_S, [m])
    assert tau_s == m * PERIOD_S
    assert sigma == pytest.approx(by_definition(values, m), rel=1e-6, abs=1e-9)


def test_white_noise_falls_with_the_root_of_the_time() -> None:
    """σ(τ) is that of a single reading by the root of how many are averaged."""
    curve = deviations(white(20_000), PERIOD_S, [1, 4, 16, 64])
    for tau_s, sigma in curve:
        assert sigma == pytest.approx(math.sqrt(PERIOD_S / tau_s), rel=0.1)


def test_a_constant_does_not_matter() -> None:
    """Neither do its digits: a large one costs no precision."""
    values = white(1000, 1e-3)
    [(_, sigma)] = deviations(values, PERIOD_S, [16])
    [(_, shifted)] = deviations([value + 2000 for value in values], PERIOD_S, [16])
    assert shifted == pytest.approx(sigma, rel=1e-6)


def test_a_ramp_rises_with_the_time() -> None:
    """IEEE Std 952: a rate that grows by R a second has σ = Rτ/√2."""
    ramp = [3.0 * at * PERIOD_S for at in range(1000)]
    for tau_s, sigma in deviations(ramp, PERIOD_S, [1, 10, 100]):
        assert sigma == pytest.approx(3.0 * tau_s / math.sqrt(2))


def test_the_density_is_that_of_the_data_sheet() -> None:
    """White noise of 0.005 °/s/√Hz up to half of 100 Hz has 0.0354 °/s in single readings."""
    found = stability(white(20_000, 0.005 * math.sqrt(50)), PERIOD_S)
    assert found.density == pytest.approx(0.005, rel=0.1)


def test_noise_that_is_white_all_the_way_gives_a_bound() -> None:
    """It would have fallen on: the last point is the lowest."""
    found = stability(white(9 * 1024), PERIOD_S)
    assert found.is_bound
    assert found.flat_s == 10.24
    assert found.instability == pytest.approx(1 / 32 / FLAT, rel=0.3)


def test_the_instability_is_read_where_it_is_flat() -> None:
    """White noise and a wander: the minimum lies in between, and its factor is the standard's."""
    wander, values = 0.0, []
    steps = random.Random(2)
    for value in white(20_000):
        wander += steps.gauss(0, 0.05)
        values.append(value + wander)
    found = stability(values, PERIOD_S)
    assert not found.is_bound
    [(_, lowest)] = deviations(values, PERIOD_S, [round(found.flat_s / PERIOD_S)])
    assert found.instability == pytest.approx(lowest / 0.664, rel=1e-3)


@pytest.mark.parametrize(("count", "known"), [(9 * 100, True), (9 * 100 - 1, False)])
def test_of_a_short_time_the_density_is_not_known(count: int, known: bool) -> None:
    """It takes nine times the second at which it is read."""
    assert (stability(white(count), PERIOD_S).density is not None) == known


def test_a_period_of_seconds_has_no_density() -> None:
    """There is no mean over one second."""
    assert stability(white(100), 5.0).density is None
