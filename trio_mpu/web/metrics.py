"""`/metrics`: what a Prometheus server reads every few seconds.

It is answered in the event loop, from numbers that are there anyway: no file is read but those of
the kernel in /proc, and how long it takes is known (docs/performance.md). So it can't be made to
take longer; and those who ask often wait for their turn (fanout/turns.py).
"""

import gzip
import math
import time
from collections.abc import Iterator
from typing import Final

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from trio_mpu import __version__
from trio_mpu.metrics.families import Known, families
from trio_mpu.metrics.processes import process_families
from trio_mpu.web.answer import Answer
from trio_mpu.web.app import App
from trio_mpu.web.request import Request, accepts_gzip

GZIP_LEVEL: Final = (
    1  # a sixth of the bytes; higher levels take three times as long for little more
)


def metrics(request: Request, app: App) -> Answer:
    """`/metrics`: in the format that Accept asks for, Prometheus's text or OpenMetrics."""
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    registry = CollectorRegistry()  # not the library's, which has metrics of its own
    registry.register(_Numbers(app))
    body = encode(registry)
    headers: tuple[tuple[str, str], ...] = (
        ("Cache-Control", "no-store"),
        ("Vary", "Accept, Accept-Encoding"),
    )
    if accepts_gzip(request):
        body = gzip.compress(body, GZIP_LEVEL, mtime=0)
        headers = (*headers, ("Content-Encoding", "gzip"))
    return Answer(200, body, content_type, headers, reusable=False)


class _Numbers(Collector):
    """The server's numbers, as of now."""

    def __init__(self, app: App) -> None:
        self._app = app

    def collect(self) -> Iterator[Metric]:
        """Return all of them."""
        yield from families(_known(self._app))
        scoreboard = self._app.slot.scoreboard
        yield from process_families(scoreboard.pids() if len(scoreboard) > 1 else {})


def _known(app: App) -> Known:
    workers, scoreboard = app.update_scoreboard(), app.slot.scoreboard
    hub, now_ns = app.hub, time.monotonic_ns()
    gauges: dict[str, float] = {
        "workers": workers.number,
        "workers_up": workers.up,
        "connections_open": scoreboard.total("connections_open"),
        "streams_open": scoreboard.total("streams_open"),
        "streams_attached": scoreboard.total("streams_attached"),
        "up": hub.snapshot.status == "ok",
    }
    if hub.snapshot.record is not None:
        gauges["sample_age_seconds"] = (now_ns - hub.snapshot.record.t_ns) / 1e9
    if hub.header is not None:
        gauges["producer_start_time_seconds"] = hub.header.started_ns / 1e9
        if hub.header.period_ns:
            gauges["sample_rate_nominal_hertz"] = 1e9 / hub.header.period_ns
    if app.certificate is not None and math.isfinite(app.certificate.expires_s):
        gauges["certificate_expiry_time_seconds"] = app.certificate.expires_s
    return Known(
        __version__,
        scoreboard.counters(),
        gauges,
        hub.snapshot.status,
        hub.head,
        hub.header,
        hub.window.summary(now_ns),
    )
