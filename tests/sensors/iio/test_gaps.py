"""Gaps told by times."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mpu.sensors.iio.gaps import MAX_ERROR, STEADY, Pace

PERIOD_NS = 10**7


def followed(times: list[int], period_ns: int = PERIOD_NS) -> list[tuple[int, int]]:
    """What is told of each of these times."""
    pace = Pace(period_ns)
    return [pace.next(t_ns) for t_ns in times]


@pytest.mark.parametrize("first_ns", [0, 1, 5 * 10**9, 2**62])
def test_nothing_is_missing_in_an_even_row(first_ns: int) -> None:
    """Nor before the first, whenever that is."""
    times = [first_ns + n * PERIOD_NS for n in range(100)]
    assert followed(times) == [(t_ns, 0) for t_ns in times]


@pytest.mark.parametrize(
    ("periods", "missing"),
    [(0.1, 0), (0.9, 0), (1.1, 0), (1.49, 0), (1.51, 1), (2, 1), (2.4, 1), (3, 2), (1001, 1000)],
)
def test_a_long_step_is_a_gap_of_its_periods_but_one(periods: float, missing: int) -> None:
    """To the nearest whole one; and it is told once."""
    after_ns = round(periods * PERIOD_NS)
    told = followed([0, after_ns, after_ns + PERIOD_NS])
    assert [lost for _, lost in told] == [0, missing, 0]


@given(st.lists(st.booleans(), max_size=300), st.integers(0, 2**32), st.floats(0.95, 1.05))
def test_gaps_are_counted_whatever_is_missing_and_however_fast_the_chip_is(
    there: list[bool], seed: int, speed: float
) -> None:
    """After a run-in, with a clock off by up to 5 % and times that jitter by 4 % of a period, as
    the driver lets pass: samples and losses add up."""
    noise = random.Random(seed)
    there = [True] * 500 + there + [True]
    times = [
        round((n * speed + noise.uniform(-0.04, 0.04)) * PERIOD_NS)
        for n, is_there in enumerate(there)
        if is_there
    ]
    lost = [lost for _, lost in followed(times)]
    assert len(times) + sum(lost) == len(there)


def test_a_long_gap_is_counted_in_the_chip_s_own_periods() -> None:
    """A chip that is 1 % slow loses 1,000 readings, not 1,010."""
    slow_ns = PERIOD_NS * 101 // 100
    times = [n * slow_ns for n in range(STEADY)]
    assert followed([*times, times[-1] + 1001 * slow_ns])[-1][1] == 1000


def test_a_period_is_not_believed_beyond_what_a_chip_can_be_off() -> None:
    """Readings at 1.4 times the period are on the way to be gaps, and stay so."""
    pace = Pace(PERIOD_NS)
    for n in range(2 * STEADY):
        t_ns, _ = pace.next(n * PERIOD_NS * 14 // 10)
    assert pace.next(t_ns + 100 * PERIOD_NS)[1] == round(100 / (1 + MAX_ERROR)) - 1
    for n in range(2 * STEADY):
        t_ns, _ = pace.next(2**60 + n * PERIOD_NS * 6 // 10)
    assert pace.next(t_ns + 100 * PERIOD_NS)[1] == round(100 / (1 - MAX_ERROR)) - 1


def test_time_never_runs_back() -> None:
    """A clock that was set wrong for a moment doesn't break the order, nor is it a gap."""
    times = [0, PERIOD_NS, PERIOD_NS, 5, 2 * PERIOD_NS]
    told = followed(times)
    assert told == [
        (0, 0),
        (PERIOD_NS, 0),
        (PERIOD_NS + 1, 0),
        (PERIOD_NS + 2, 0),
        (2 * PERIOD_NS, 0),
    ]
    assert all(a < b for (a, _), (b, _) in itertools.pairwise(told))
