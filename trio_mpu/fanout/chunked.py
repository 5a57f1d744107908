"""One chunk of an answer in HTTP/1.1's chunked coding, framed once for all connections."""

from functools import lru_cache
from typing import Final

import h11


def _template() -> h11.Connection:
    """Return a connection in the middle of a chunked answer.

    A chunk of HTTP/1.1 is framed alike on all connections, so this one frames for them all.
    """
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    connection.next_event()
    connection.send(h11.Response(status_code=200, headers=[]))
    return connection


_FRAMER: Final = _template()


@lru_cache(maxsize=1024)
def _frame(size: int) -> tuple[bytes, bytes]:
    """Return what h11 puts before and after this many bytes; it depends on nothing else."""
    payload = bytes(size)
    before, _, after = (_FRAMER.send(h11.Data(data=payload)) or b"").partition(payload)
    return before, after


def framed(payload: bytes) -> bytes:
    """Return the payload, which must not be empty, as one chunk of an answer that continues."""
    before, after = _frame(len(payload))
    return before + payload + after
