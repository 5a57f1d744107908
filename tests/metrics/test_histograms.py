"""Histograms as numbers that can be added up."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mpu.metrics.counters import Metrics
from trio_mpu.metrics.histograms import BOUNDS_S, BUCKETS, HISTOGRAMS, histogram

LATENCIES = st.lists(st.integers(0, 10**10))


@pytest.mark.parametrize("name", HISTOGRAMS)
def test_a_bound_belongs_to_its_bucket(name: str) -> None:
    """And what is just above it to the next one."""
    for place, bound_s in enumerate(BOUNDS_S):
        metrics = Metrics()
        metrics.observe(name, round(bound_s * 1e9))
        metrics.observe(name, round(bound_s * 1e9) + 1)
        assert metrics[BUCKETS[name][place]] == metrics[BUCKETS[name][place + 1]] == 1


def test_the_bounds_rise_and_are_finite_texts() -> None:
    """As the text format has them: the last end is infinite."""
    ends = [end for end, _ in histogram("ring_latency", Counter()).buckets]
    assert ends == [*(f"{bound}" for bound in BOUNDS_S), "+Inf"]
    assert all(one < two for one, two in pairwise(map(float, ends)))
    assert not any("e" in end for end in ends)


@given(LATENCIES, LATENCIES)
def test_the_histograms_of_two_workers_add_up(one: list[int], two: list[int]) -> None:
    """What is counted in two places is what would have been counted in one."""
    parts, whole = (Metrics(), Metrics()), Metrics()
    for metrics, values in zip(parts, (one, two), strict=True):
        for value_ns in values:
            metrics.observe("socket_latency", value_ns)
            whole.observe("socket_latency", value_ns)
    added = histogram("socket_latency", parts[0] + parts[1])
    assert added == histogram("socket_latency", whole)
    assert added.buckets[-1] == ("+Inf", len(one) + len(two))
    assert added.sum_s == pytest.approx(sum(one + two) / 1e9)
    for end, count in added.buckets:
        assert count == sum(value_ns <= float(end) * 1e9 for value_ns in one + two)
    assert histogram("ring_latency", whole).buckets[-1] == ("+Inf", 0)
