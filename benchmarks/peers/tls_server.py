"""Our server with TLS in other ways, for benchmarks.tls: what the way that it has saves.

`python -m benchmarks.peers.tls_server waking|trio OPTIONS…`. In `waking` nobody else may use a sleeping
task's socket: no direct writes, and requests are parsed each time. In `trio`, TLS is trio.SSLStream,
which has the same consequence.
"""

import sys

import trio

from trio_mpu import __main__ as main
from trio_mpu.http import serve_connection
from trio_mpu.server import acceptor
from trio_mpu.tls.certificate import Certificate
from trio_mpu.web.transport import Transport


class Stream(trio.abc.HalfCloseableStream):
    """A stream of trio's TLS that can be told to be closed on one side, which it can't."""

    def __init__(self, secure: "trio.SSLStream[trio.SocketStream]") -> None:
        self._secure = secure

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """As the stream beneath."""
        await self._secure.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """As the stream beneath."""
        await self._secure.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """As the stream beneath."""
        return bytes(await self._secure.receive_some(max_bytes))

    async def aclose(self) -> None:
        """As the stream beneath."""
        await self._secure.aclose()

    async def send_eof(self) -> None:
        """Nothing."""


def use_trio() -> None:
    """Let the server's connections be streams of trio's TLS."""

    async def serve(stream: trio.SocketStream, app: object, context: object) -> None:
        secure = trio.SSLStream(stream, context, server_side=True)  # type: ignore[arg-type]
        await serve_connection(Stream(secure), app)  # type: ignore[arg-type]

    acceptor.serve_connection = serve  # type: ignore[assignment, attr-defined]
    Certificate.session = lambda self: self._context  # type: ignore[assignment, method-assign, return-value]


if __name__ == "__main__":
    if sys.argv[1] == "trio":
        use_trio()
    else:
        Transport.socket = None  # type: ignore[assignment]
    sys.exit(main.run(main.server, sys.argv[2:], {}))
