"""What all connections of a server share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import trio

from trio_mpu.hub import Hub
from trio_mpu.metrics import Metrics, render
from trio_mpu.routes import Page
from trio_mpu.shape import EVERY_SAMPLE, Form
from trio_mpu.shortcut import Shortcuts
from trio_mpu.snapshot import WAITING
from trio_mpu.subscription import Subscription, subscribe


@dataclass
class Site:
    """The hub, the page and the counters; and who may be sent home when the server stops."""

    hub: Hub
    page: Page
    metrics: Metrics
    stopping: bool = False
    connections: int = 0
    streams: int = 0
    shortcuts: Shortcuts = field(default_factory=Shortcuts)
    _idle: set[trio.CancelScope] = field(default_factory=set)

    @contextmanager
    def idle(self, seconds: float) -> Iterator[trio.CancelScope]:
        """Mark a connection that waits for its client to begin a request: at most `seconds`, and
        no longer than the server runs."""
        with trio.move_on_after(0 if self.stopping else seconds) as scope:
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
