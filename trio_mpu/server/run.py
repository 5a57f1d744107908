"""The task tree of the server.

    run_server
    ├─ connections (outer nursery: gets GRACE_S when the server stops)
    │  ├─ one task per connection, and per refusal
    │  └─ service (inner nursery: cancelled at once when the server stops)
    │     ├─ follow_ring: ring → hub
    │     ├─ feed_late: hub → the forms of the stream that the live time has no room for
    │     ├─ beat: counters → scoreboard
    │     ├─ spools.run: files of answers that were kept long enough → nowhere
    │     ├─ reloader.run: at SIGHUP, files → what was read from them
    │     └─ one acceptor per listener

To stop is: the listeners close, streams end with a proper last chunk, idle connections are sent
home, answers in progress get GRACE_S, and the rest is cancelled. The follower dies with the
listeners, because nobody is served any more; what subscribers have queued is still written.
"""

import contextlib
import logging
import os
from functools import partial
from typing import Final

import trio

from trio_mpu.fanout.hub import Hub
from trio_mpu.fanout.shares import Shares
from trio_mpu.history.stored import Stored
from trio_mpu.home import with_home
from trio_mpu.metrics.counters import Metrics
from trio_mpu.server.acceptor import Acceptor
from trio_mpu.server.admission import open_admission, read_again
from trio_mpu.server.follower import RingRecords, follow_ring
from trio_mpu.server.listeners import open_listeners, urls
from trio_mpu.server.reload import Reloader
from trio_mpu.server.workers import slot_of
from trio_mpu.settings import ServerSettings
from trio_mpu.tls.certificate import Certificate
from trio_mpu.web import cors
from trio_mpu.web.app import App
from trio_mpu.web.page import Page
from trio_mpu.web.routes import respond

log = logging.getLogger(__name__)

# Bound "time to finish at a stop, s".
GRACE_S: Final = 3.0
BEAT_S: Final = 0.5  # how often it writes its numbers where the other workers see them; arbitrary


async def run_server(
    settings: ServerSettings,
    stop: trio.Event,
    *,
    task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until `stop` is set, then finish within GRACE_S; when cancelled, immediately.

    As one of several workers it shares the port, `max_clients` is for all together, and the
    counters go on from those of its slot. `started()` passes the listeners. Raises ServerError when
    it can't listen or use its certificate, UsageError for a worker without a supervisor and for a token
    file that can't be used.
    """
    slot = slot_of(settings)
    slot.begin(os.getpid())
    metrics = Metrics(slot.counters())
    admission = open_admission(settings, metrics)
    certificate = _certificate(settings)
    is_worker = settings.worker is not None
    listeners = await open_listeners(settings.host or None, settings.port, shared=is_worker)
    record_source, reloader = RingRecords(), Reloader()
    if certificate is not None:
        reloader.add("certificate", certificate.load)
    app = App(
        Hub(record_source, metrics),
        Page.load(),
        metrics,
        respond,
        cors.headers(settings.allow_origin),
        Stored(with_home(settings.store), metrics) if settings.store else None,
        slot,
        admission,
        Shares(settings.max_clients_per_address),
        certificate,
    )
    if settings.token_file:
        reloader.add("tokens", partial(read_again, admission, settings))
    with contextlib.closing(app):
        async with trio.open_nursery() as connections:
            async with trio.open_nursery() as service:
                service.start_soon(follow_ring, settings.ring, app.hub, record_source, metrics)
                service.start_soon(app.idle_connections.run)
                service.start_soon(app.hub.forms.feed_late)
                service.start_soon(beat, app)
                service.start_soon(app.spools.run)
                await service.start(reloader.run)
                for listener in listeners:
                    acceptor = Acceptor(listener, app, settings.max_clients)
                    service.start_soon(acceptor.run, connections)
                port = listeners[0].socket.getsockname()[1]
                if settings.worker is None or settings.worker[0] == 0:
                    found = urls(settings.host or None, port, "https" if certificate else "http")
                    log.info("open %s", " or ".join(found))
                log.info(
                    "serving ring %s on port %d, at most %d clients",
                    settings.ring,
                    port,
                    settings.max_clients,
                )
                task_status.started(listeners)
                await stop.wait()
                service.cancel_scope.cancel()
            app.stop()
            connections.cancel_scope.deadline = trio.current_time() + GRACE_S
        app.update_scoreboard()
    if connections.cancel_scope.cancelled_caught:
        log.warning("connections were cut that had not finished within %g s", GRACE_S)
    log.info("stopped")


def _certificate(settings: ServerSettings) -> Certificate | None:
    if not settings.tls_cert:
        return None
    return Certificate(with_home(settings.tls_cert), with_home(settings.tls_key))


async def beat(app: App) -> None:
    """Write to the scoreboard until cancelled."""
    while True:
        app.update_scoreboard()
        await trio.sleep(BEAT_S)
