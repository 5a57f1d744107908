"""What all connections of a server share."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import trio

from trio_mpu import routes
from trio_mpu.errors import RequestError
from trio_mpu.frontdesk import FrontDesk
from trio_mpu.hub import Hub
from trio_mpu.metrics import Metrics, render
from trio_mpu.routes import Page
from trio_mpu.shape import EVERY_SAMPLE, Form
from trio_mpu.shortcut import Parsed, Shortcuts
from trio_mpu.snapshot import WAITING
from trio_mpu.subscription import Subscription, subscribe
from trio_mpu.wire import whole_answer


@dataclass
class Site:
    """The hub, the page and the counters; and who may be sent home when the server stops.

    To be closed at the end.
    """

    hub: Hub
    page: Page
    metrics: Metrics
    stopping: bool = False
    connections: int = 0
    streams: int = 0
    shortcuts: Shortcuts = field(default_factory=Shortcuts)
    _idle: set[trio.CancelScope] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.desk = FrontDesk(self._known_answer)

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
    def stream(self, last_event_id: str, form: Form = EVERY_SAMPLE) -> Iterator[Subscription]:
        """Open a subscription and count it."""
        self.streams += 1
        try:
            with subscribe(self.hub, last_event_id, form) as subscription:
                yield subscription
        finally:
            self.streams -= 1

    def stop(self) -> None:
        """End all streams in good order and send the idle connections home."""
        self.stopping = True
        self.hub.close()
        for scope in self._idle:
            scope.cancel()

    def close(self) -> None:
        """Give everything back, when no connection is left."""
        self.desk.close()

    def _known_answer(self, data: bytes) -> bytes:
        """Return the whole answer to a request whose bytes were parsed before, else b""."""
        if self.stopping:
            return b""
        known = self.shortcuts.answer(data, self.hub.snapshot, int(time.time()), self._made)
        if known:
            self.metrics.count("requests")
        return known

    def _made(self, request: bytes, parsed: Parsed) -> bytes:
        try:
            target, headers = parsed.target, parsed.headers
            plan = routes.route("GET", target, headers, self.hub.snapshot, self.page)
        except RequestError:
            return b""
        return whole_answer(request, plan) if isinstance(plan, routes.Answer) else b""

    def numbers(self) -> str:
        """Return the metrics as Prometheus text."""
        snapshot = self.hub.snapshot
        gauges: dict[str, tuple[float, str]] = {
            "connections_open": (self.connections, "connections now"),
            "streams_open": (self.streams, "streams now"),
            "streams_attached": (self.hub.attached, "streams that are up to date"),
            "head": (self.hub.head, "sequence number of the newest sample"),
            "up": (snapshot.status == "ok", "1 while samples are fresh"),
            "waiting": (snapshot.status == WAITING, "1 before the first sample"),
        }
        for name, value in self.hub.ledger.items():
            gauges[f"producer_{name}"] = (value, f"the producer's counter {name}")
        return render(self.metrics, gauges)
