"""Counters and their Prometheus text."""

import re

import pytest

from trio_mpu.metrics.counters import COUNTERS, Metrics
from trio_mpu.metrics.prometheus import CONTENT_TYPE, render

LINE = re.compile(r"(# (HELP|TYPE) )?trio_mpu_[a-z][a-z_]* [ -~]+")


def test_the_exact_text() -> None:
    """Each counter and gauge has its help, its type and its value."""
    metrics = Metrics()
    metrics.count("events")
    metrics.count("events", by=2**40)
    text = render(metrics, {"clients": (3, "connected now"), "age_seconds": (0.25, "of it")})
    assert (
        "# HELP trio_mpu_events_total samples encoded for the stream\n"
        "# TYPE trio_mpu_events_total counter\n"
        "trio_mpu_events_total 1099511627777\n"
    ) in text
    assert text.endswith(
        "# HELP trio_mpu_clients connected now\n"
        "# TYPE trio_mpu_clients gauge\n"
        "trio_mpu_clients 3\n"
        "# HELP trio_mpu_age_seconds of it\n"
        "# TYPE trio_mpu_age_seconds gauge\n"
        "trio_mpu_age_seconds 0.25\n"
    )


def test_every_counter_is_there_from_the_beginning() -> None:
    """A counter that was never hit is 0, not absent; nothing but metric lines comes out."""
    lines = render({}, {}).splitlines()
    assert len(lines) == 3 * len(COUNTERS)
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert {line.split()[1] for line in lines if not line.startswith("#")} == {"0"}
    assert "version=0.0.4" in CONTENT_TYPE


def test_a_counter_that_nobody_knows_is_an_error() -> None:
    """A misspelt name fails immediately instead of counting into nowhere."""
    metrics = Metrics()
    with pytest.raises(KeyError, match="evnets"):
        metrics.count("evnets")
    assert not metrics
