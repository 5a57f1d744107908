"""Between two requests: the wait for the first bytes of the next one."""

import trio

from trio_mpu.web.app import App
from trio_mpu.web.idle import IdleConnection
from trio_mpu.web.responses import IDLE_S
from trio_mpu.web.transport import Transport


async def first_bytes(transport: Transport, app: App, seconds: float) -> bytes:
    """Wait so long for the first bytes of a request; b"" if there are none to be expected.

    Requests that are known by their bytes are answered on the way. Raises ClientGone.
    """
    visitor, socket = IdleConnection(), transport.socket
    deadline_s = trio.current_time() + seconds
    while True:
        with app.idle(deadline_s) as scope:
            if socket is not None:
                await app.idle_connections.wait(socket, visitor)
            else:
                visitor.data = await transport.receive()
        if visitor.answered_s:
            deadline_s = visitor.answered_s + IDLE_S
        if scope.cancelled_caught:
            if not app.stopping and trio.current_time() < deadline_s:
                continue
            app.metrics.count("timeouts_idle", int(not app.stopping))
            return b""
        if visitor.rest is not None:
            await transport.send(visitor.rest)
            visitor.rest = None
        elif (data := without_empty_lines(visitor.data)) or not visitor.data:
            return data


def without_empty_lines(data: bytes) -> bytes:
    """Return what follows the empty lines before a request.

    RFC 9112, section 2.2: a server "SHOULD ignore at least one empty line (CRLF) received prior to
    the request-line".
    """
    return data.lstrip(b"\r\n")
