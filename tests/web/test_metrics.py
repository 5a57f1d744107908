"""`/metrics`: both formats, by the parsers of Prometheus's own library."""

import gzip
import os
import time
from collections.abc import AsyncIterator

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from tests.helpers.fakes import FakeRecords, make_app
from tests.helpers.metrics import metrics_of
from tests.web.test_app import HEADER
from trio_mpu.fanout.hub import Hub
from trio_mpu.metrics.counters import Metrics
from trio_mpu.metrics.scoreboard import Scoreboard, scoreboard_bytes
from trio_mpu.web.answer import Answer
from trio_mpu.web.app import App
from trio_mpu.web.page import Page
from trio_mpu.web.request import Request
from trio_mpu.web.routes import respond

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
# What Prometheus 2 sends, and Prometheus 3.
OF_PROMETHEUS = (
    (
        "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;"
        "q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
    ),
    (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;"
        "escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
    ),
)


@pytest.fixture
async def app() -> AsyncIterator[App]:
    """An app that publishes samples which are read now."""
    record_source = FakeRecords()
    record_source.write(3)
    app = make_app(record_source)
    app.hub.header = HEADER
    with app.stream(""):
        for age_ns in (5 * 10**6, 3 * 10**6, 10**6):
            app.hub.publish(record_source.write(t_ns=time.monotonic_ns() - age_ns))
    yield app
    app.close()


def answered(app: App, **headers: str) -> Answer:
    """The answer to a request with these headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = app.respond(Request("GET", "/metrics", {}, named))
    assert isinstance(answer, Answer)
    return answer


async def test_the_text_can_be_parsed(app: App) -> None:
    """Every metric has a help text and a type, and none comes twice."""
    answer = answered(app)
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    families = list(text_string_to_metric_families(answer.body.decode()))
    assert len({family.name for family in families}) == len(families) > 50
    for family in families:
        assert family.documentation
        assert family.type != "unknown"
        assert family.samples


@pytest.mark.parametrize("accept", [OPENMETRICS, *OF_PROMETHEUS])
async def test_openmetrics_is_given_to_those_who_ask_for_it(app: App, accept: str) -> None:
    """Its parser is the strict one; the numbers are those of the text."""
    answer = answered(app, accept=accept)
    assert answer.content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert answer.body.endswith(b"# EOF\n")
    families = openmetrics.text_string_to_metric_families(answer.body.decode())  # type: ignore[no-untyped-call]
    found = {
        (sample.name, *sample.labels.items()): sample.value
        for family in families
        for sample in family.samples
    }
    assert len(found) == len(metrics_of(answered(app).body.decode()))
    assert found["trio_mpu_requests_total",] == 0
    assert found["trio_mpu_status", ("status", "ok")] == 1


async def test_it_is_compressed_for_those_who_take_that(app: App) -> None:
    """To a third at most; caches are told what it depends on."""
    plain, packed = answered(app), answered(app, accept_encoding="gzip")
    assert ("Vary", "Accept, Accept-Encoding") in plain.headers
    assert ("Vary", "Accept, Accept-Encoding") in packed.headers
    assert ("Content-Encoding", "gzip") in packed.headers
    assert ("Content-Encoding", "gzip") not in plain.headers
    assert len(packed.body) < len(plain.body) / 3
    assert (
        metrics_of(gzip.decompress(packed.body).decode()).keys()
        == metrics_of(plain.body.decode()).keys()
    )


async def test_the_latency_of_each_sample_is_in_the_histograms(app: App) -> None:
    """From its reading until it was read from the ring, and until it was offered."""
    numbers = metrics_of(answered(app).body.decode())
    for name in ("ring_latency", "socket_latency"):
        assert numbers[f"{name}_seconds_count"] == 3
        assert numbers[f"{name}_seconds_bucket{{le=+Inf}}"] == 3
        assert numbers[f"{name}_seconds_bucket{{le=0.0005}}"] == 0
        assert 0.009 <= numbers[f"{name}_seconds_sum"] < 1
    assert numbers["ring_latency_seconds_sum"] <= numbers["socket_latency_seconds_sum"]


async def test_what_is_offered_late_is_late(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second latency ends when all clients have been offered the sample."""
    feed, source = app.hub.forms.feed, FakeRecords()
    source.write(6)

    def slowly() -> None:
        time.sleep(0.005)
        feed()

    monkeypatch.setattr(app.hub.forms, "feed", slowly)
    with app.stream(""):
        app.hub.publish(source.write(t_ns=time.monotonic_ns()))
    numbers = metrics_of(answered(app).body.decode())
    assert numbers["socket_latency_seconds_sum"] >= numbers["ring_latency_seconds_sum"] + 0.005


async def test_without_streams_no_sample_is_offered(app: App) -> None:
    """The other latency is measured all the same."""
    source = FakeRecords()
    source.write(9)
    app.hub.publish(source.write(t_ns=time.monotonic_ns()))
    numbers = metrics_of(answered(app).body.decode())
    assert numbers["ring_latency_seconds_count"] == 4
    assert numbers["socket_latency_seconds_count"] == 3


async def test_the_newest_sample_has_an_age(app: App) -> None:
    """In seconds; and the sensor a rate that it was set to."""
    numbers = metrics_of(answered(app).body.decode())
    assert 0.001 <= numbers["sample_age_seconds"] < 1
    assert numbers["sample_rate_nominal_hertz"] == 100
    assert numbers["producer_start_time_seconds"] == 1_700_000_000.5
    assert numbers["temperature_celsius"] == 25
    app.hub.header = HEADER._replace(period_ns=0)
    assert "sample_rate_nominal_hertz" not in metrics_of(answered(app).body.decode())


def test_before_there_is_a_ring_there_is_less() -> None:
    """No age, no device, no values; the counters are there."""
    app = make_app(FakeRecords())
    numbers = metrics_of(answered(app).body.decode())
    app.close()
    assert numbers["requests_total"] == 0
    assert not [name for name in numbers if "sample_age" in name or "device_info" in name]
    assert not [name for name in numbers if "acceleration" in name or "hertz" in name]


async def test_a_server_by_itself_shows_its_process_without_a_label(app: App) -> None:
    """As other programs do."""
    app.slot.begin(os.getpid())
    numbers = metrics_of(answered(app).body.decode())
    assert numbers["process_resident_memory_bytes"] > 0
    assert not [name for name in numbers if "worker=" in name]


def test_all_workers_are_added_up_by_any_of_them() -> None:
    """Counters and histograms alike; each process is shown by itself."""
    scoreboard = Scoreboard(memoryview(bytearray(scoreboard_bytes(2))))
    apps = []
    for number in range(2):
        metrics = Metrics()
        slot = scoreboard.slot(number)
        slot.begin(1 if number else 0)
        apps.append(App(Hub(FakeRecords(), metrics), Page(), metrics, respond, slot=slot))
        for _ in range(number + 1):
            metrics.observe("ring_latency", 10**6)
            metrics.count("requests", 10)
        apps[-1].update_scoreboard()
    for app in apps:
        numbers = metrics_of(answered(app).body.decode())
        app.close()
        assert numbers["requests_total"] == 30
        assert numbers["ring_latency_seconds_bucket{le=0.001}"] == 3
        assert numbers["ring_latency_seconds_count"] == 3
        assert numbers["ring_latency_seconds_sum"] == 0.003
        assert numbers["process_start_time_seconds{worker=1}"] > 0
        assert "process_start_time_seconds{worker=0}" not in numbers
