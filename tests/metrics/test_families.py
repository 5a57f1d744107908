"""What is known of a server, as metrics."""

import math
from typing import Any, Final

import pytest
from prometheus_client.metrics_core import Metric

from tests.metrics.test_window import records
from tests.web.test_app import HEADER
from trio_mpu.metrics.counters import COUNTERS, NUMBERS
from trio_mpu.metrics.families import CAUSES, GAUGES, STATUSES, Known, families
from trio_mpu.metrics.window import Window
from trio_mpu.record import ATTITUDE_RESETS, LEDGER

NUMBERED: Final = {name: place for place, name in enumerate(NUMBERS, start=1)}


def known(**changes: Any) -> Known:  # noqa: ANN401 - fields of several types
    """Everything is known."""
    window, all_ = Window(), records(200)
    window.add(all_)
    ledger = {name: place for place, name in enumerate(LEDGER, start=1)}
    return Known(
        "1.2.3",
        NUMBERED,
        dict.fromkeys(GAUGES, 5.0),
        "ok",
        77,
        HEADER._replace(ledger=ledger, attitude_resets=99),
        window.summary(all_[-1].t_ns),
    )._replace(**changes)


def found(shown: Known) -> dict[str, Metric]:
    """The metrics by their names, which are all different."""
    all_ = list(families(shown))
    assert len({family.name for family in all_}) == len(all_)
    return {family.name.removeprefix("trio_mpu_"): family for family in all_}


def numbers(family: Metric) -> dict[str, float]:
    """The values of a metric by its only label."""
    return {"".join(sample.labels.values()): sample.value for sample in family.samples}


def test_each_counter_is_in_one_metric() -> None:
    """By itself, or under a label with those that belong to it."""
    shown = found(known())
    counted = [
        value
        for family in shown.values()
        if family.type == "counter"
        for value in numbers(family).values()
    ]
    for name in COUNTERS:
        assert counted.count(NUMBERED[name]) >= 1, name
    assert numbers(shown["requests"]) == {"": NUMBERED["requests"]}
    assert numbers(shown["refusals"]) == {cause: NUMBERED[name] for name, cause in CAUSES.items()}
    assert numbers(shown["gaps"]).keys() == {"slow", "resume", "lapped"}
    assert numbers(shown["samples_lost"]) == {
        reason: NUMBERED[f"{reason}_lost"] for reason in ("slow", "resume", "lapped")
    }
    assert shown.keys().isdisjoint(["gaps_slow", "slow_lost", *CAUSES])


def test_each_cause_is_a_counter_of_the_code() -> None:
    """And is told from the others."""
    assert CAUSES.keys() <= COUNTERS.keys()
    assert len({*CAUSES.values()}) == len(CAUSES)


def test_the_producers_counts_are_counters() -> None:
    """Losses by reason, and all others by their names."""
    shown = found(known())
    counts = known().header
    assert counts is not None
    for name, value in (counts.ledger | {ATTITUDE_RESETS: 99}).items():
        if name.endswith("_lost"):
            assert numbers(shown["readings_lost"])[name.removesuffix("_lost")] == value
        else:
            assert shown[f"producer_{name}"].type == "counter"
            assert numbers(shown[f"producer_{name}"]) == {"": value}
    assert len(numbers(shown["readings_lost"])) == 4
    assert numbers(shown["samples"]) == {"": 77}


def test_the_device_is_named() -> None:
    """As the ring's header has it, and this program with its version."""
    shown = found(known())
    assert shown["device"].samples[0].labels == {
        "chip": HEADER.chip,
        "source": HEADER.source,
        "calibration": HEADER.calibration,
    }
    assert shown["build"].samples[0][:3] == ("trio_mpu_build_info", {"version": "1.2.3"}, 1)


@pytest.mark.parametrize("status", STATUSES)
def test_one_status_is_1(status: str) -> None:
    """And the others are 0."""
    values = numbers(found(known(status=status))["status"])
    assert values == {name: name == status for name in STATUSES}


def test_a_histograms_count_is_that_of_its_last_bucket() -> None:
    """Buckets never fall, and the sum is in seconds."""
    for name in ("ring_latency", "socket_latency"):
        family = found(known())[f"{name}_seconds"]
        values = {sample.name.rpartition("_")[2]: sample.value for sample in family.samples}
        buckets = [sample.value for sample in family.samples if "le" in sample.labels]
        assert buckets == sorted(buckets)
        own = [NUMBERED[number] for number in NUMBERS if number.startswith(f"{name}_bucket")]
        assert values["count"] == buckets[-1] == sum(own)
        assert values["sum"] == NUMBERED[f"{name}_sum_ns"] / 1e9


def test_the_sensors_values_are_in_base_units() -> None:
    """g become m/s², °/s become rad/s."""
    shown = found(known())
    assert numbers(shown["acceleration_mean_meters_per_second_squared"])["z"] == pytest.approx(
        9.80665, rel=1e-3
    )
    deviation = numbers(shown["acceleration_stddev_meters_per_second_squared"])["z"]
    assert deviation == pytest.approx(0.00980665 / math.sqrt(2), rel=0.02)
    assert numbers(shown["acceleration_rms_meters_per_second_squared"])["y"] == pytest.approx(
        0.25 * 9.80665
    )
    assert numbers(shown["angular_rate_min_radians_per_second"])["z"] == 0
    assert numbers(shown["angular_rate_max_radians_per_second"])["z"] == pytest.approx(
        math.radians(6)
    )
    assert numbers(shown["angular_rate_mean_radians_per_second"])["x"] == pytest.approx(
        math.radians(-1.5)
    )
    assert numbers(shown["temperature_celsius"]) == {"": pytest.approx(25)}
    assert numbers(shown["sample_rate_hertz"]) == {"": pytest.approx(100)}
    assert numbers(shown["sample_jitter_seconds"]) == {"": pytest.approx(0, abs=1e-12)}


def test_what_is_not_known_is_left_out() -> None:
    """Before there is a ring, while there are no samples, and with a single one."""
    shown = found(known(header=None, summary=None, gauges={"up": 0.0}))
    assert shown.keys().isdisjoint(
        ["device", "samples", "readings_lost", "temperature_celsius", "sample_age_seconds"]
    )
    assert numbers(shown["up"]) == {"": 0}
    window = Window()
    window.add(records(1))
    shown = found(known(summary=window.summary(0)))
    assert "temperature_celsius" in shown
    assert "sample_rate_hertz" not in shown
