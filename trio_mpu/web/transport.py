"""One client's byte stream, with a deadline on every wait and a goodbye that arrives."""

import contextlib
import errno
import fcntl
import ssl
import struct
import termios
from typing import Final

import trio

from trio_mpu.errors import ClientGone
from trio_mpu.fanout.direct_write import DirectSocket
from trio_mpu.tls.session import TlsSession

# Bound "client that takes nothing, s".
WRITE_S: Final = 30.0  # a client that takes nothing for so long is gone
RECEIVE_BYTES: Final = 16_384
SLICE_BYTES: Final = 65_536
# Bound "reading on after an error, s".
LINGER_S: Final = 2.0  # how long a refused client may go on sending before it is cut off…
# Bound "the same while stopping, s".
STOPPING_LINGER_S: Final = 0.5  # …which is less when the server itself is waited for…
# Bound "the same, bytes".
LINGER_BYTES: Final = 1_048_576  # …and how much: more than an upload sends in a round trip
# Bound "TLS without data, bytes".
MAX_SILENT_BYTES: Final = 65_536  # in a row; arbitrary: a record with data has 16,709 at most


class Transport:
    """A stream as the HTTP connection needs it, with TLS or without. Any trio stream will do."""

    def __init__(self, stream: trio.abc.HalfCloseableStream, tls: TlsSession | None = None) -> None:
        """The handshake of `tls` is another's (web/handshake.py)."""
        self._stream = stream
        self._socket = stream.socket if isinstance(stream, trio.SocketStream) else None
        self._tls = tls

    @property
    def secure(self) -> bool:
        """Whether nobody on the way can read along."""
        return self._tls is not None

    async def receive(self) -> bytes:
        """Return the next bytes, b"" when the client sends no more. Raises ClientGone.

        With TLS too, a connection that just ends is the client's end: HTTP says by itself where a
        message ends. Cancellation loses nothing.
        """
        if self._tls is None:
            return await self.receive_records()
        silent = 0
        try:
            while (data := self._tls.read()) is None:
                if not (received := await self.receive_records()):
                    return b""
                self._tls.feed(received)
                silent += len(received)
                if silent > MAX_SILENT_BYTES:
                    raise ClientGone("the client sends TLS without data")
        except ssl.SSLError as error:
            raise ClientGone(f"TLS broke: {error}") from error
        return data

    async def receive_records(self) -> bytes:
        """Return what comes from the network, as it is."""
        try:
            if self._socket is not None:
                return await self._socket.recv(RECEIVE_BYTES)
            return bytes(await self._stream.receive_some(RECEIVE_BYTES))
        except (OSError, trio.BrokenResourceError) as error:
            raise ClientGone("the connection was reset") from error

    async def send(self, data: bytes) -> None:
        """Send all of it, however slowly the client takes it; with TLS, after what was made before.

        Raises ClientGone when it takes nothing for WRITE_S (`ClientGone.stuck`), or is gone.
        When cancelled, some of it has been sent.
        """
        if self._tls is None:
            await self._send(data)
            return
        rest = memoryview(data)
        while True:
            try:
                records = self._tls.protect(rest[:SLICE_BYTES])
            except ssl.SSLError as error:
                raise ClientGone(f"TLS broke: {error}") from error
            await self._send(records)
            rest = rest[SLICE_BYTES:]
            if not rest:
                return

    async def flush(self) -> None:
        """Send the records that TLS has made. Raises what `send` raises."""
        if self._tls is not None:
            await self._send(self._tls.take())

    async def _send(self, data: bytes) -> None:
        rest = memoryview(data)
        waiting = self._untaken()
        try:
            while rest:
                with trio.move_on_after(WRITE_S):
                    rest = rest[await self._send_some(rest[:SLICE_BYTES]) :]
                    waiting = self._untaken()
                    continue
                # The kernel takes no more for now, but does the client take what the kernel has?
                before, waiting = waiting, self._untaken()
                if waiting >= before:
                    raise ClientGone("the client takes nothing", stuck=True)
        finally:
            if rest and self._tls is not None:
                self._tls.put_back(bytes(rest))

    @property
    def peer(self) -> str:
        """The client's address; empty if there is none, or no longer."""
        with contextlib.suppress(OSError):
            if self._socket is not None:
                return str(self._socket.getpeername()[0])
        return ""

    @property
    def socket(self) -> DirectSocket | None:
        """What others may use while the connection's task sleeps, if there is a socket beneath."""
        return None if self._socket is None else DirectSocket(self._socket.fileno(), self._tls)

    async def _send_some(self, data: memoryview) -> int:
        try:
            if self._socket is not None:
                return await self._socket.send(data)
            await self._stream.send_all(data)
        except (OSError, trio.BrokenResourceError) as error:
            # The kernel gives up on a peer that acknowledges nothing, or has no room for long.
            stuck = isinstance(error, OSError) and error.errno == errno.ETIMEDOUT
            raise ClientGone(f"the connection broke: {error}", stuck=stuck) from error
        return len(data)

    def _untaken(self) -> int:
        """Return how many bytes the kernel has that the client's kernel has not acknowledged."""
        if self._socket is None:
            return 0
        answer = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, bytes(4))
        return int(struct.unpack("i", answer)[0])

    async def say_goodbye(self) -> None:
        """With TLS, say that nothing more will come: what was sent is all (RFC 8446, section 6.1).

        Not after an error: an answer that was cut off must not look whole. Raises what `send` raises.
        """
        if self._tls is not None:
            self._tls.close()
            await self.flush()

    async def linger(self, *, stopping: bool = False) -> None:
        """Say that nothing more will come, and let the client finish what it is sending.

        RFC 9112, section 9.6: a server that closes while data is on its way to it makes the
        client's kernel throw away an answer which the client has not read yet.
        """
        received = 0
        with (
            trio.move_on_after(STOPPING_LINGER_S if stopping else LINGER_S),
            contextlib.suppress(ClientGone, trio.BrokenResourceError),
        ):
            await self.say_goodbye()
            await self._stream.send_eof()
            while received < LINGER_BYTES and (data := await self.receive_records()):
                received += len(data)
