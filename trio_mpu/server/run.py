"""The task tree of the server.

    run_server
    ├─ connections (outer nursery: gets GRACE_S when the server stops)
    │  ├─ one task per connection, and per refusal
    │  └─ service (inner nursery: cancelled at once when the server stops)
    │     ├─ follow_ring: ring → hub
    │     ├─ beat: counters → board
    │     └─ one acceptor per listener

To stop is: the listeners close, streams end with a proper last chunk, idle connections are sent
home, answers in progress get GRACE_S, and the rest is cancelled. The follower dies with the
listeners, because nobody is served any more; what subscribers have queued is still written.
"""

import contextlib
import errno
import logging
from typing import Final

import trio

from trio_mpu.fanout.hub import Hub
from trio_mpu.http import serve_connection
from trio_mpu.metrics.counters import Metrics
from trio_mpu.metrics.scoreboard import Slot, alone
from trio_mpu.server.follower import RingRecords, follow_ring
from trio_mpu.server.listeners import open_listeners
from trio_mpu.web.app import App
from trio_mpu.web.page import Page
from trio_mpu.web.refusal import refuse_connection
from trio_mpu.web.routes import respond

log = logging.getLogger(__name__)

# Bound "time to finish at a stop, s".
GRACE_S: Final = 3.0
BEAT_S: Final = 0.5  # how often it writes its numbers where the other workers see them; arbitrary
# Bound "refusals in progress".
MAX_REFUSALS: Final = 64  # at a time; arbitrary
# Bound "pause without descriptors, s".
DESCRIPTOR_PAUSE_S: Final = 0.1
_NO_ROOM: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


async def run_server(
    host: str | None,
    port: int,
    ring: str,
    max_clients: int,
    stop: trio.Event,
    *,
    slot: Slot | None = None,
    task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until `stop` is set, then finish within GRACE_S; when cancelled, at once.

    `host` None means all addresses of IPv4 and IPv6. With a `seat` it is one of several workers:
    they share the port, `max_clients` is for all together, and the counters go on from those of
    the seat. `started()` passes the listeners. Raises ServerError when it can't listen.
    """
    listeners = await open_listeners(host, port, shared=slot is not None)
    slot = slot or alone()
    metrics = Metrics(slot.counters())
    record_source = RingRecords()
    app = App(Hub(record_source, metrics), Page.load(), metrics, respond, slot)
    with contextlib.closing(app):
        async with trio.open_nursery() as connections:
            async with trio.open_nursery() as service:
                service.start_soon(follow_ring, ring, app.hub, record_source, metrics)
                service.start_soon(app.idle_connections.run)
                service.start_soon(beat, app)
                for listener in listeners:
                    acceptor = Acceptor(listener, app, max_clients)
                    service.start_soon(acceptor.run, connections)
                port = listeners[0].socket.getsockname()[1]
                log.info("serving ring %s on port %d, at most %d clients", ring, port, max_clients)
                task_status.started(listeners)
                await stop.wait()
                service.cancel_scope.cancel()
            app.stop()
            connections.cancel_scope.deadline = trio.current_time() + GRACE_S
        app.update_scoreboard()
    if connections.cancel_scope.cancelled_caught:
        log.warning("connections were cut that had not finished within %g s", GRACE_S)
    log.info("stopped")


async def beat(app: App) -> None:
    """Report to the board until cancelled."""
    while True:
        app.update_scoreboard()
        await trio.sleep(BEAT_S)


class Acceptor:
    """Accepts connections on one listener, up to a limit that all listeners of all workers share."""

    def __init__(self, listener: trio.SocketListener, app: App, max_clients: int) -> None:
        self._listener = listener
        self._app = app
        self._max_clients = max_clients
        self._refusals = 0
        self._full = False
        self._out_of_descriptors = False

    async def run(self, connections: trio.Nursery) -> None:
        """Accept until cancelled, and close the listener then."""
        async with self._listener:
            while True:
                stream = await self._accept()
                app = self._app
                app.metrics.count("connections")
                if app.slot.admit(self._max_clients):
                    self._full = False
                    connections.start_soon(self._serve, stream)
                elif self._refusals < MAX_REFUSALS:
                    self._refusals += 1
                    connections.start_soon(self._refuse, stream)
                else:
                    app.metrics.count("connections_dropped")
                    await trio.aclose_forcefully(stream)

    async def _accept(self) -> trio.SocketStream:
        while True:
            try:
                stream = await self._listener.accept()
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                self._app.metrics.count("descriptors_exhausted")
                if not self._out_of_descriptors:
                    log.warning("no new clients for now: %s", error.strerror)
                self._out_of_descriptors = True
                await trio.sleep(DESCRIPTOR_PAUSE_S)
            else:
                if self._out_of_descriptors:
                    log.warning("new clients again")
                self._out_of_descriptors = False
                return stream

    async def _serve(self, stream: trio.SocketStream) -> None:
        try:
            await serve_connection(stream, self._app)
        finally:
            self._app.slot.add("connections_open", -1)

    async def _refuse(self, stream: trio.SocketStream) -> None:
        self._app.metrics.count("connections_refused")
        if not self._full:
            log.warning("refusing clients: there are %d already", self._max_clients)
        self._full = True
        try:
            await refuse_connection(stream, f"{self._max_clients} clients are connected already")
        finally:
            self._refusals -= 1
