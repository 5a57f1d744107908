"""The counters of one process."""

import pytest

from trio_mpu.metrics import histograms
from trio_mpu.metrics.counters import COUNTERS, LEDGER, NUMBERS, Metrics


def test_a_counter_counts() -> None:
    """One by one, or several at a time."""
    metrics = Metrics()
    metrics.count("events")
    metrics.count("events", by=2**40)
    assert metrics == {"events": 2**40 + 1}


def test_a_counter_that_nobody_knows_is_an_error() -> None:
    """A misspelt name fails immediately instead of counting into nowhere."""
    metrics = Metrics()
    with pytest.raises(KeyError, match="evnets"):
        metrics.count("evnets")
    with pytest.raises(KeyError, match="ring_latncy"):
        metrics.observe("ring_latncy", 1)
    assert not metrics


def test_a_value_is_counted_in_its_bucket_and_added_to_the_sum() -> None:
    """One from the future counts as 0."""
    metrics = Metrics()
    for value_ns in (100_000, 150_000, -7):
        metrics.observe("ring_latency", value_ns)
    found = histograms.histogram("ring_latency", metrics)
    assert found.buckets[:2] == [("0.0001", 2), ("0.0002", 3)]
    assert found.sum_s == 0.00025


def test_every_name_is_there_once() -> None:
    """Counters and the numbers of histograms are columns of one table."""
    assert len(set(NUMBERS)) == len(NUMBERS) == len(COUNTERS) + len(histograms.NUMBERS)
    assert set(LEDGER) < set(COUNTERS)
