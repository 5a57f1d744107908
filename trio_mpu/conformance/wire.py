"""One connection to the server: what is sent is given byte by byte, and all that comes is judged.

The standard library's HTTP client overlooks too much. Here an answer that is not framed exactly as
RFC 9112 has it is a failed check.
"""

import contextlib
import math
import re
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from trio_mpu.conformance.answers import Answer, head_of
from trio_mpu.conformance.verdict import Failed, require, shown

WAIT_S: Final = 5.0  # for the next bytes; a server answers in milliseconds, a proxy in some more
MAX_HEAD_BYTES: Final = 65_536  # four times what the server itself takes; arbitrary
MAX_BODY_BYTES: Final = 64_000_000  # nothing that is asked for has a thousandth of it; arbitrary
_PIECE_BYTES: Final = 65_536
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")


class Closed(Failed):
    """The server has closed the connection."""


class Silence(Failed):
    """Nothing came for as long as one waits."""


@dataclass(frozen=True)
class Target:
    """The server to be checked. `prefix` is the path that a proxy has it under, without a slash at
    its end; `token` is sent with each request unless it is empty."""

    host: str
    port: int
    prefix: str = ""
    tls: ssl.SSLContext | None = None
    token: str = ""

    def request(self, path: str, *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
        """Return a well-formed request."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        lines = [f"{method} {self.prefix}{path} HTTP/{version}", f"Host: {host}:{self.port}"]
        if self.token:
            lines.append(f"Authorization: Bearer {self.token}")
        return "\r\n".join([*lines, *fields, "", ""]).encode()

    def open(self, seconds: float) -> socket.socket:
        """Return a connection. Raises Failed."""
        try:
            plain = socket.create_connection((self.host, self.port), seconds)
            if self.tls is None:
                return plain
            return self.tls.wrap_socket(plain, server_hostname=self.host)
        except OSError as error:
            raise Failed(f"can't connect to {self.host}, port {self.port}: {error}") from error


class Connection:
    """A connection that is open until `deadline_s`, by time.monotonic(), at most.

    All methods raise Failed, with what came instead of what should have come.
    """

    def __init__(self, target: Target, deadline_s: float) -> None:
        self.target = target
        self._deadline_s = deadline_s
        self._wait_s = WAIT_S
        self._socket = target.open(self._patience())
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    # -- bytes ----------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self._socket.settimeout(self._patience())
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise Closed(f"the server takes no request: {error}") from error

    def end(self) -> None:
        """Say that no more requests will come (of TLS, nothing: it has no such half)."""
        if self.target.tls is None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)

    def limit(self, deadline_s: float) -> None:
        """Let it be open until then at most, however long nothing comes."""
        self._deadline_s, self._wait_s = min(self._deadline_s, deadline_s), math.inf

    def _more(self) -> None:
        self._socket.settimeout(self._patience())
        try:
            data = self._socket.recv(_PIECE_BYTES)
        except TimeoutError as error:
            raise Silence("nothing came for as long as a client waits") from error
        except OSError as error:
            raise Closed(f"the connection broke: {error}") from error
        if not data:
            raise Closed("the server closed the connection")
        self._received += data

    def _patience(self) -> float:
        return max(0.001, min(self._wait_s, self._deadline_s - time.monotonic()))

    def _line(self) -> bytes:
        while b"\r\n" not in self._received:
            require(len(self._received) < MAX_HEAD_BYTES, "a line without an end")
            self._more()
        line, _, self._received = self._received.partition(b"\r\n")
        return line

    def _exactly(self, count: int) -> bytes:
        while len(self._received) < count:
            self._more()
        taken, self._received = self._received[:count], self._received[count:]
        return taken

    # -- answers --------------------------------------------------------------------------

    def ask(self, path: str, *fields: str, method: str = "GET", version: str = "1.1") -> Answer:
        """Send a request and take the head of its answer."""
        self.send(self.target.request(path, *fields, method=method, version=version))
        return self.head(method)

    def get(self, path: str, *fields: str, method: str = "GET", version: str = "1.1") -> Answer:
        """Send a request and take its whole answer."""
        self.send(self.target.request(path, *fields, method=method, version=version))
        return self.take(method)

    def take(self, method: str = "GET") -> Answer:
        """Take the whole answer to a request of this method."""
        answer, body = self.head(method), bytearray()
        for piece in self.pieces(answer):
            body += piece
            require(len(body) <= MAX_BODY_BYTES, f"a body of more than {MAX_BODY_BYTES:,} bytes")
        answer.body = bytes(body)
        return answer

    def head(self, method: str = "GET") -> Answer:
        """Take the head of the answer to a request of this method."""
        lines = []
        while line := self._line():
            lines.append(line)
        return head_of(lines, method)

    def pieces(self, answer: Answer) -> Iterator[bytes]:
        """Yield the body as it comes, to its end."""
        if not answer.has_body:
            return
        if answer.is_chunked:
            while chunk := self._chunk():
                yield chunk
        elif answer.length is not None:
            left = answer.length
            while left:
                piece = self._some(left)
                left -= len(piece)
                yield piece
        else:
            with contextlib.suppress(Closed):
                while True:
                    yield self._some(_PIECE_BYTES)

    def _some(self, most: int) -> bytes:
        if not self._received:
            self._more()
        return self._exactly(min(most, len(self._received)))

    def _chunk(self) -> bytes:
        """Take one chunk; b"" is the last one, with its trailers."""
        line = self._line()
        found = _CHUNK.fullmatch(line)
        if found is None:
            raise Failed(f"where the size of a chunk must stand there is {shown(line)}")
        if size := int(found[1], 16):
            data = self._exactly(size + 2)
            require(data.endswith(b"\r\n"), "a chunk is not as long as its size says")
            return data[:-2]
        while self._line():
            pass
        return b""

    def require_close(self) -> None:
        """Raise Failed unless the server closes the connection without another byte."""
        require(not self._received, f"behind the last answer there is {shown(self._received)}")
        try:
            self._more()
        except Closed:
            return
        raise Failed(f"behind the last answer there is {shown(self._received)}")
