"""The addresses of the server: listening there, alone or together with others."""

import contextlib
import errno
import socket
from typing import Final

import trio

from trio_mpu.errors import ServerError

# Bound "dead peer, ms".
DEAD_PEER_MS: Final = 30_000  # data or probes unanswered for so long: tcp(7), TCP_USER_TIMEOUT
# Bound "TCP keep-alive probe, s".
KEEPALIVE_S: Final = 15
# Bound "kernel's send buffer, bytes".
SEND_BUFFER_BYTES: Final = 131_072  # bounds the kernel's memory per client; 0.4 s at 1,000 Hz
BACKLOG: Final = 65_535  # the kernel cuts it down to its own limit, net.core.somaxconn
ANY_OTHER: Final = "192.0.2.1"  # an address that is nobody's: RFC 5737
PORT_TRIES: Final = 10  # for a port that is free on all addresses; arbitrary


async def open_listeners(
    host: str | None, port: int, *, shared: bool = False
) -> list[trio.SocketListener]:
    """Listen on all addresses of `host`; `shared`, beside others who do that too.

    None means all addresses of IPv4 and IPv6. Port 0 becomes one that is free, the same on all
    addresses. Raises ServerError; then, and when cancelled, nothing stays open.
    """
    sockets = await _bind(host, port, shared=shared)
    try:
        for each in sockets:
            # Accepted sockets inherit these.
            for level, option, value in (
                (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
                (socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES),
                (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S),
                (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_S),
                (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_PEER_MS),
            ):
                each.setsockopt(level, option, value)
            each.listen(BACKLOG)
    except OSError as error:
        for each in sockets:
            each.close()
        raise ServerError(_why_not(host, port, error)) from error
    return [trio.SocketListener(each) for each in sockets]


async def reserve(host: str | None, port: int) -> list[trio.socket.SocketType]:
    """Take all addresses of `host` without listening, for our own processes alone.

    As long as these sockets are open, only `shared` listeners of the same user get there; anybody
    else, another reservation too, finds the port in use. All have the same port. Raises
    ServerError; then, and when cancelled, nothing stays open.
    """
    sockets = await _bind(host, port, shared=False)
    for each in sockets:
        # They are bound now, and were alone. The kernel asks these two again of every socket that
        # others bring: the first lets ours in, the second keeps strangers out.
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    return sockets


async def _bind(host: str | None, port: int, *, shared: bool) -> list[trio.socket.SocketType]:
    tries = PORT_TRIES if port == 0 else 1
    while True:
        tries -= 1
        try:
            return await _bind_once(host, port, shared=shared)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not tries:
                raise ServerError(_why_not(host, port, error)) from error


async def _bind_once(host: str | None, port: int, *, shared: bool) -> list[trio.socket.SocketType]:
    """Do what trio.open_tcp_listeners does, which can't share a port, nor find one for all."""
    sockets = []
    unavailable: OSError | None = None
    with contextlib.ExitStack() as stack:
        for family, kind, protocol, _, address in await trio.socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            try:
                each = stack.enter_context(trio.socket.socket(family, kind, protocol))
            except OSError as error:
                # A machine without IPv6 may know its addresses all the same.
                if error.errno != errno.EAFNOSUPPORT:
                    raise
                unavailable = error
                continue
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
            if family == socket.AF_INET6:
                each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                await each.bind((address[0], port or address[1], *address[2:]))
            except OSError as error:
                # `localhost` is ::1 too, also where the loopback interface has no IPv6.
                if error.errno != errno.EADDRNOTAVAIL:
                    raise
                each.close()
                unavailable = error
                continue
            port = each.getsockname()[1]
            sockets.append(each)
        if unavailable and not sockets:
            raise unavailable
        stack.pop_all()
    return sockets


def _why_not(host: str | None, port: int, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"port {port} is in use by another program; choose another with --port"
        case errno.EACCES:
            return f"no permission to listen on port {port}; choose one above 1023 with --port"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine; see --host"
    return f"can't listen on port {port}: {error}"


def urls(host: str | None, port: int, scheme: str = "http") -> list[str]:
    """Return where people find the page: on this computer, and on its network if it serves that.

    Nothing is sent: the kernel is asked which address it would use for the way out.
    """
    if host is not None:
        return [f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"]
    found = [f"{scheme}://localhost:{port}/"]
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way_out:
        way_out.connect((ANY_OTHER, 9))
        address = way_out.getsockname()[0]
        found += [] if address.startswith("127.") else [f"{scheme}://{address}:{port}/"]
    return found
