"""White noise and random walk, found in noise of which both are known."""

import math
import random
import statistics
from itertools import accumulate

import pytest

from trio_mpu.calibration.allan import deviations
from trio_mpu.calibration.noise_model import Noise, least_readings, noise

PERIOD_S = 0.1
HOUR = 36_000  # readings
N, K = 3.5e-3, 1e-3  # as many g/√Hz and g/s/√Hz as a poor sensor has


def readings(count: int, density: float, walk: float, seed: int = 1) -> list[float]:
    """Kalibr's own model, in discrete time: white noise of N/√period in each reading, and a bias
    that makes a step of K·√period from each to the next."""
    source = random.Random(seed)
    white = (source.gauss(0, density / math.sqrt(PERIOD_S)) for _ in range(count))
    steps = (source.gauss(0, walk * math.sqrt(PERIOD_S)) for _ in range(count))
    return [a + b for a, b in zip(white, accumulate(steps), strict=True)]


def test_the_density_and_the_walk_are_those_that_were_put_in() -> None:
    """An hour, ten times: N to four times its uncertainty, 1/√(2·3600) = 1.2 % (and K's own share in σ at
    1 s, (K/N)²/6 = 1.4 %); K, of which the longest τ has but eight steps, to half of it each time
    and to a seventh in the mean."""
    found = [noise(readings(HOUR, N, K, seed), PERIOD_S) for seed in range(10)]
    assert not any(each.is_bound for each in found)
    assert [each.density for each in found] == pytest.approx([N] * 10, rel=0.06)
    assert [each.walk for each in found] == pytest.approx([K] * 10, rel=0.5)
    assert statistics.fmean(each.walk for each in found) == pytest.approx(K, rel=1 / 7)


@pytest.mark.parametrize("walk", [0.0, 1e-5])
def test_a_walk_that_does_not_show_gets_a_bound_above_it(walk: float) -> None:
    """K is lost in white noise: N is as good as ever, and no number is made up."""
    for seed in range(5):
        found = noise(readings(HOUR, N, walk, seed), PERIOD_S)
        assert found.is_bound
        assert found.density == pytest.approx(N, rel=0.05)
        assert walk < found.walk
        # N alone makes σ = N/√400 at the longest τ: K would make it with N·√3/400, and twice that
        # is what an uncertainty of a quarter can't rule out. σ itself is uncertain by a quarter.
        assert found.walk == pytest.approx(2 * N * math.sqrt(3) / 400, rel=0.75)


def test_a_longer_measurement_has_a_smaller_bound() -> None:
    """And a true walk stays below it, or is found."""
    values = readings(HOUR, N, 1e-5)
    bounds = [noise(values[:count], PERIOD_S).walk for count in (100, 1000, 10_000, HOUR)]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[0] > 30 * bounds[-1]


def test_a_flat_curve_is_no_random_walk() -> None:
    """Flicker noise, as the sum of slow and slower relaxations: σ does not fall, nor does it rise."""
    source = random.Random(4)
    states, values = [0.0] * 7, []
    for _ in range(HOUR):
        for at in range(7):  # correlation times from 1 to 4096 s
            keep = math.exp(-PERIOD_S / 4**at)
            states[at] = keep * states[at] + source.gauss(0, math.sqrt(1 - keep * keep))
        values.append(sum(states))
    (_, early), (_, late) = deviations(values, PERIOD_S, [40, HOUR // 9])
    assert 0.5 < late / early < 2
    assert noise(values, PERIOD_S).is_bound


def test_a_walk_from_the_first_second_on_is_found() -> None:
    """Nothing is left for white noise, and the fit gives it nothing: 0 is no reason to fail."""
    found = noise(readings(HOUR, 0.0, K), PERIOD_S)
    assert not found.is_bound
    assert found.walk == pytest.approx(K, rel=0.4)


def test_nine_seconds_give_a_density_and_a_bound() -> None:
    """There is one point of the curve, and it is white noise's."""
    found = noise(readings(90, N, 0.0), PERIOD_S)
    assert found.is_bound
    [(_, at_one)] = deviations(readings(90, N, 0.0), PERIOD_S, [10])
    assert found == pytest.approx(Noise(at_one, 2 * at_one * math.sqrt(3), True))


def test_an_axis_that_never_changes_has_no_noise() -> None:
    """It is not divided by."""
    assert noise([0.25] * 1000, PERIOD_S) == Noise(0.0, 0.0, is_bound=True)


@pytest.mark.parametrize(
    ("period_s", "count"), [(0.01, 900), (0.1, 90), (1.0, 9), (1.5, 9), (2.5, None)]
)
def test_it_takes_nine_seconds(period_s: float, count: int | None) -> None:
    """At a second or more from reading to reading, nine readings; of slower ones none are enough."""
    assert least_readings(period_s) == count
    if count is not None:
        assert noise(readings(count, N, K), period_s).density > 0
