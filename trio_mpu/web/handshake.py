"""How a connection with TLS begins: the handshake, or a word to a client that speaks without TLS.

A handshake is mostly one signature, which takes a small computer milliseconds: a crowd that comes at
the same time takes turns, as it does for requests (fanout/turns.py).
"""

import logging
import ssl
from typing import Final

import trio

from trio_mpu.errors import ClientGone
from trio_mpu.tls.session import TlsSession
from trio_mpu.web.app import App
from trio_mpu.web.refusal import answer_unasked
from trio_mpu.web.transport import Transport

log = logging.getLogger(__name__)

# Bound "time for a TLS handshake, s".
HANDSHAKE_S: Final = 10.0  # as long as a request may take
USE_HTTPS: Final = "this port speaks TLS: use https"
_DONE: Final = ""


async def shake_hands(stream: trio.abc.HalfCloseableStream, tls: TlsSession, app: App) -> bool:
    """Do the handshake, for HANDSHAKE_S at most, and no longer than the server runs; tell whether
    the connection can be used. Raises ClientGone when it said nothing at all."""
    outcome = "tls_failed"
    with app.idle(trio.current_time() + HANDSHAKE_S):
        outcome = await _outcome(stream, tls, app)
    if outcome and not app.stopping:
        app.metrics.count(outcome)
    return outcome == _DONE


async def _outcome(stream: trio.abc.HalfCloseableStream, tls: TlsSession, app: App) -> str:
    """Return _DONE, or what to count."""
    transport = Transport(stream, tls)
    received = await transport.receive_records()
    if not received:
        raise ClientGone("the client said nothing")  # a port scan, or a check of its own kind
    try:
        while received:
            async with app.hub.turns.slice(transport.peer):
                done = tls.handshake(received)
            await transport.flush()
            if done:
                return _DONE
            received = await transport.receive_records()
    except ClientGone:
        pass
    except ssl.SSLError as error:
        log.debug("no TLS: %s", error)
        if error.reason == "HTTP_REQUEST":
            await answer_unasked(Transport(stream), 400, USE_HTTPS, app.common_headers)
            return "tls_missing"
        await transport.linger()  # the alert that says why is among the records that it made
    return "tls_failed"
