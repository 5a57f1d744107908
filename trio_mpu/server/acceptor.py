"""Accepting connections, up to the limit."""

import contextlib
import errno
import logging
import os
import socket
from collections.abc import Iterator
from typing import Final

import trio

from trio_mpu.errors import ClientGone
from trio_mpu.http import serve_connection
from trio_mpu.tls.session import TlsSession
from trio_mpu.web.app import App
from trio_mpu.web.handshake import shake_hands
from trio_mpu.web.refusal import answer_unasked
from trio_mpu.web.transport import Transport

log = logging.getLogger(__name__)

MAX_ACCEPTS: Final = 16  # in a row; each takes 0.1 ms
# Bound "refusals in progress".
MAX_REFUSALS: Final = 64  # at a time; arbitrary
# Bound "pause without descriptors, s".
DESCRIPTOR_PAUSE_S: Final = 0.1
_NO_ROOM: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Acceptor:
    """Accepts connections on one listener, up to a limit that all listeners of all workers share, and
    up to an address's share, which all listeners of this process know."""

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
            with socket.socket(fileno=os.dup(self._listener.socket.fileno())) as door:
                while True:
                    await self._take_in(await self._accept(), connections)
                    for stream in _more(door):
                        await self._take_in(stream, connections)

    async def _take_in(self, stream: trio.SocketStream, connections: trio.Nursery) -> None:
        app = self._app
        app.metrics.count("connections")
        address = Transport(stream).peer
        if not app.shares.take(address):
            reason = f"{app.shares.most} clients of your address are connected already"
            await self._turn_away(stream, connections, "shares_refused", reason)
        elif not app.slot.admit(self._max_clients):
            app.shares.give_back(address)
            if not self._full:
                log.warning("refusing clients: there are %d already", self._max_clients)
            self._full = True
            reason = f"{self._max_clients} clients are connected already"
            await self._turn_away(stream, connections, "connections_refused", reason)
        else:
            self._full = False
            connections.start_soon(self._serve, stream, address)

    async def _turn_away(
        self, stream: trio.SocketStream, connections: trio.Nursery, counter: str, reason: str
    ) -> None:
        if self._refusals < MAX_REFUSALS:
            self._refusals += 1
            self._app.metrics.count(counter)
            connections.start_soon(self._refuse, stream, reason)
        else:
            self._app.metrics.count("connections_dropped")
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

    async def _serve(self, stream: trio.SocketStream, address: str) -> None:
        try:
            await serve_connection(stream, self._app, self._tls())
        finally:
            self._app.slot.add("connections_open", -1)
            self._app.shares.give_back(address)

    async def _refuse(self, stream: trio.SocketStream, reason: str) -> None:
        app, tls = self._app, self._tls()
        try:
            async with stream:
                with contextlib.suppress(ClientGone):
                    if tls is None or await shake_hands(stream, tls, app):
                        transport = Transport(stream, tls)
                        await answer_unasked(transport, 503, reason, app.common_headers)
        finally:
            self._refusals -= 1

    def _tls(self) -> TlsSession | None:
        certificate = self._app.certificate
        return None if certificate is None else certificate.session()


def _more(door: socket.socket) -> Iterator[trio.SocketStream]:
    """Accept what else has come by now. One connection for each round of the event loop would let
    a crowd keep all who come after it waiting at the door."""
    for _ in range(MAX_ACCEPTS - 1):
        try:
            client, _ = door.accept()
        except OSError:  # nobody; or an error, which the next `_accept` meets, too
            return
        client.setblocking(False)
        yield trio.SocketStream(trio.socket.from_stdlib_socket(client))
