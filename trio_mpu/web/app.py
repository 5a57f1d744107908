"""What all connections of a server share."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field
from functools import partial
from typing import Final

import trio

from trio_mpu.access.tokens import Token
from trio_mpu.errors import RequestError
from trio_mpu.fanout.encoder import EVERY_SAMPLE, StreamOptions
from trio_mpu.fanout.hub import Hub
from trio_mpu.fanout.places import Places
from trio_mpu.fanout.shares import Shares
from trio_mpu.fanout.subscription import Subscription, subscribe
from trio_mpu.history.past import Past
from trio_mpu.history.stored import Stored
from trio_mpu.metrics.counters import LEDGER, Metrics
from trio_mpu.metrics.scoreboard import Slot, Workers, alone
from trio_mpu.tls.certificate import Certificate
from trio_mpu.web.admission import Admission
from trio_mpu.web.answer import Answer, Headers
from trio_mpu.web.idle import IdleConnections
from trio_mpu.web.page import Page
from trio_mpu.web.pieces import Deferred, FromBody, Pieces
from trio_mpu.web.request import Request
from trio_mpu.web.request_cache import RequestCache
from trio_mpu.web.responses import whole_answer
from trio_mpu.web.spools import Spools

Reply = Answer | Pieces | Deferred | FromBody

# Bound "answers from history to an address".
MAX_HISTORIES: Final = 32  # at a time, of those that are sent as they are read; arbitrary


@dataclass
class App:
    """The hub, the page and the counters; and which connections end when the server stops.

    `handle` gives the answer to a request, as the table of routes has it; `common_headers` are part
    of every answer; `stored` is a recorder's file, if there is one. Where the server is one of
    several workers, they see each other's numbers through `slot`. `admission` says who may read,
    and `shares` how many connections an address may have. With a `certificate`, all of them have
    TLS. To be closed at the end.
    """

    hub: Hub
    page: Page
    metrics: Metrics
    handle: Callable[[Request, "App"], Reply]
    common_headers: Headers = ()
    stored: InitVar[Stored | None] = None
    slot: Slot = field(default_factory=alone)
    admission: Admission = field(default_factory=lambda: Admission(Metrics()))
    shares: Shares = field(default_factory=lambda: Shares(0))
    certificate: Certificate | None = None
    stopping: bool = False
    request_cache: RequestCache = field(default_factory=RequestCache)
    _idle: set[trio.CancelScope] = field(default_factory=set)

    def __post_init__(self, stored: Stored | None) -> None:
        self.past = Past(self.hub, stored)
        self.idle_connections = IdleConnections(self._known_answer)
        self.spools = Spools(self.metrics)
        self.histories = Places(MAX_HISTORIES, partial(self.metrics.count, "history_waited"))

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
        self,
        last_event_id: str,
        options: StreamOptions = EVERY_SAMPLE,
        address: str = "",
        token: Token | None = None,
    ) -> Iterator[Subscription]:
        """Open a subscription and count it; it ends when its token is taken out. Raises RequestError:
        503 where the address has too many forms of the stream already."""
        self.slot.add("streams_open", 1)
        try:
            with (
                subscribe(self.hub, last_event_id, options, address) as subscription,
                self.admission.readers.ended_by(token, subscription.end),
            ):
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
        if self.past.stored is not None:
            self.past.stored.close()
        self.spools.close()

    # -- requests -----------------------------------------------------------------------

    def admit(self, request: Request) -> Token | None:
        """Return whose token the client has shown, if one is needed. Raises RequestError if it may not
        have what it asks for.

        Everything passes here, what the request cache knows included, each time that it is
        answered.
        """
        return self.admission.reader(request)

    def respond(self, request: Request) -> Reply:
        """Return what to answer now. Raises RequestError where an error is the answer."""
        try:
            self.admit(request)
        except RequestError as error:
            return self.admission.refused(request, error)
        return self.handle(request, self)

    def _known_answer(self, data: bytes) -> bytes:
        """Return the whole answer to a request whose bytes were parsed before, else b""."""
        if self.stopping or (known := self.request_cache.find(data)) is None:
            return b""
        try:
            self.admit(known.request)
            answer = known.answer(self.hub.snapshot, int(time.time()), self._whole_answer)
        except RequestError:
            return b""  # the long way gives the client its error
        if answer:
            self.metrics.count("requests")
            self.metrics.count("sent_bytes", len(answer))
        return answer

    def _whole_answer(self, data: bytes, request: Request) -> bytes:
        reply = self.respond(request)
        return whole_answer(data, reply, self.common_headers) if isinstance(reply, Answer) else b""

    # -- what handlers ask --------------------------------------------------------------

    def update_scoreboard(self) -> Workers:
        """Write to the scoreboard how this process stands; return how all workers stand."""
        now_ns = time.monotonic_ns()
        self.slot.report(now_ns, self.hub.attached, self.metrics)
        return self.slot.scoreboard.workers(now_ns)

    def ledger(self) -> dict[str, int]:
        """Return the loss ledger of the producer and of all workers together."""
        self.update_scoreboard()
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
            "attitude_resets": header.attitude_resets,
        }
