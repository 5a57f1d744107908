"""What all connections of a server share."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import trio

from trio_mpu.errors import RequestError
from trio_mpu.fanout.encoder import EVERY_SAMPLE, StreamOptions
from trio_mpu.fanout.hub import Hub
from trio_mpu.fanout.snapshot import WAITING
from trio_mpu.fanout.subscription import Subscription, subscribe
from trio_mpu.metrics.counters import LEDGER, Metrics
from trio_mpu.metrics.prometheus import render
from trio_mpu.metrics.scoreboard import UP_NS, Slot, Workers, alone
from trio_mpu.web import routes
from trio_mpu.web.idle import IdleConnections
from trio_mpu.web.request_cache import KnownRequest, RequestCache
from trio_mpu.web.responses import whole_answer
from trio_mpu.web.routes import Page, Target


@dataclass
class App:
    """The hub, the page and the counters; and who may be sent home when the server stops.

    Where the server is one of several workers, the seat tells of the others, and them of it.
    To be closed at the end.
    """

    hub: Hub
    page: Page
    metrics: Metrics
    slot: Slot = field(default_factory=alone)
    stopping: bool = False
    request_cache: RequestCache = field(default_factory=RequestCache)
    _idle: set[trio.CancelScope] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.idle_connections = IdleConnections(self._known_answer)

    @contextmanager
    def idle(self, deadline_s: float) -> Iterator[trio.CancelScope]:
        """Mark a connection that waits for its client to begin a request: until the deadline, and
        no longer than the server runs."""
        with trio.move_on_at(-math.inf if self.stopping else deadline_s) as scope:
            self._idle.add(scope)
            try:
                yield scope
            finally:
                self._idle.discard(scope)

    @contextmanager
    def stream(
        self, last_event_id: str, options: StreamOptions = EVERY_SAMPLE
    ) -> Iterator[Subscription]:
        """Open a subscription and count it."""
        self.slot.add("streams_open", 1)
        try:
            with subscribe(self.hub, last_event_id, options) as subscription:
                yield subscription
        finally:
            self.slot.add("streams_open", -1)

    def stop(self) -> None:
        """End all streams in good order and send the idle connections home."""
        self.stopping = True
        self.hub.close()
        for scope in self._idle:
            scope.cancel()

    def close(self) -> None:
        """Give everything back, when no connection is left."""
        self.idle_connections.close()

    def route(self, method: str, target: Target, headers: Mapping[str, str]) -> routes.Route:
        """Return what to answer now. Raises RequestError where an error is the answer."""
        snapshot = self.hub.snapshot
        return routes.route(method, target, headers, snapshot, self.page, self)

    def _known_answer(self, data: bytes) -> bytes:
        """Return the whole answer to a request whose bytes were parsed before, else b""."""
        if self.stopping:
            return b""
        known = self.request_cache.answer(data, self.hub.snapshot, int(time.time()), self._made)
        if known:
            self.metrics.count("requests")
        return known

    def _made(self, request: bytes, parsed: KnownRequest) -> bytes:
        try:
            plan = self.route("GET", parsed.target, parsed.headers)
        except RequestError:
            return b""
        return whole_answer(request, plan) if isinstance(plan, routes.Answer) else b""

    def report(self) -> Workers:
        """Write to the board how this process stands; return how all workers stand."""
        now_ns = time.monotonic_ns()
        self.slot.report(now_ns, self.hub.attached, self.metrics)
        return self.slot.scoreboard.workers(now_ns)

    def ledger(self) -> dict[str, int]:
        """Return the loss ledger of the producer and of all workers together."""
        self.report()
        return self.hub.ledger() | {name: self.slot.scoreboard.total(name) for name in LEDGER}

    def device(self) -> dict[str, object]:
        """Return what the ring's header says of the device; empty before there is a ring."""
        header = self.hub.header
        if header is None:
            return {}
        return {
            "chip": header.chip,
            "calibration": header.calibration,
            "period_ns": header.period_ns,
            "pid": header.producer.pid,
            "started": header.started_ns / 1e9,
        }

    def numbers(self) -> str:
        """Return the metrics of all workers together as Prometheus text."""
        workers = self.report()
        scoreboard, snapshot = self.slot.scoreboard, self.hub.snapshot
        gauges: dict[str, tuple[float, str]] = {
            "workers": (workers.number, "server processes that there are to be"),
            "workers_up": (workers.up, f"those with a sign of life in the last {UP_NS / 1e9:g} s"),
            "connections_open": (scoreboard.total("connections_open"), "connections now"),
            "streams_open": (scoreboard.total("streams_open"), "streams now"),
            "streams_attached": (
                scoreboard.total("streams_attached"),
                "streams that are up to date",
            ),
            "head": (self.hub.head, "sequence number of the newest sample"),
            "up": (snapshot.status == "ok", "1 while samples are fresh"),
            "waiting": (snapshot.status == WAITING, "1 before the first sample"),
        }
        for name, value in (self.hub.header.ledger if self.hub.header else {}).items():
            gauges[f"producer_{name}"] = (value, f"the producer's counter {name}")
        return render(scoreboard.counters(), gauges)
