"""What is noted of each sample, and worked up later."""

import pytest

from tests.metrics.test_window import records
from trio_mpu.metrics.counters import Metrics
from trio_mpu.metrics.histograms import histogram
from trio_mpu.metrics.measured import CHUNK_SAMPLES, Measured

MS = 10**6


def count(metrics: Metrics, name: str) -> int:
    """How many values a histogram has."""
    return histogram(name, metrics).buckets[-1][1]


def test_samples_are_worked_up_many_at_a_time() -> None:
    """And before that, when somebody asks."""
    metrics = Metrics()
    measured = Measured(metrics)
    all_ = records(CHUNK_SAMPLES + 5)
    for record in all_[: CHUNK_SAMPLES - 1]:
        measured.note([record], record.t_ns + MS, record.t_ns + 3 * MS)
    assert not metrics
    assert measured.window.summary(0) is None
    for record in all_[CHUNK_SAMPLES - 1 :]:
        measured.note([record], record.t_ns + MS, record.t_ns + 3 * MS)
    assert count(metrics, "ring_latency") == CHUNK_SAMPLES
    measured.work_up()
    measured.work_up()
    for name, latency_s in (("ring_latency", 0.001), ("socket_latency", 0.003)):
        assert count(metrics, name) == len(all_)
        assert histogram(name, metrics).sum_s == pytest.approx(len(all_) * latency_s)
    summary = measured.window.summary(all_[-1].t_ns)
    assert summary is not None
    assert summary.values[0].n == len(all_)
    assert summary.intervals.n == len(all_) - 1


def test_each_sample_of_a_batch_has_its_own_latency() -> None:
    """Those that waited longest are the latest."""
    metrics = Metrics()
    measured = Measured(metrics)
    measured.note(records(3, period_ns=10 * MS), 21 * MS, 0)
    measured.work_up()
    assert histogram("ring_latency", metrics).sum_s == pytest.approx(0.021 + 0.011 + 0.001)


def test_without_clients_nothing_is_offered() -> None:
    """The other latency is measured all the same."""
    metrics = Metrics()
    measured = Measured(metrics)
    measured.note(records(2), MS, 0)
    measured.work_up()
    assert (count(metrics, "ring_latency"), count(metrics, "socket_latency")) == (2, 0)


def test_another_ring_has_values_of_its_own() -> None:
    """What was noted of the one before is in the histograms, and in no window."""
    metrics = Metrics()
    measured = Measured(metrics)
    measured.note(records(2), MS, 0)
    measured.begin()
    assert count(metrics, "ring_latency") == 2
    assert measured.window.summary(0) is None
