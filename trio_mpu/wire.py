"""What h11 makes of an answer, and what it leaves to us to check in a request."""

from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final

import h11

from trio_mpu import routes
from trio_mpu.errors import RequestError
from trio_mpu.routes import Answer

Headers = list[tuple[str, str]]


def response(answer: Answer, *, close: bool) -> h11.Response:
    """Return the head of a complete answer; `close` announces the connection's end."""
    headers = [("Content-Type", answer.content_type), *answer.headers]
    # RFC 9110, section 8.6: in a 304 it would have to be the length that a 200 has.
    if answer.status != 304:
        headers.append(("Content-Length", str(len(answer.body))))
    return response_head(answer.status, headers, close=close)


def response_head(status: int, headers: Headers, *, close: bool) -> h11.Response:
    """Return the head of any answer: with the Date, and the close if there is to be one."""
    headers = [("Date", formatdate(usegmt=True)), *headers]
    if close:
        headers.append(("Connection", "close"))
    return h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase)


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
    """Return what h11 puts before and after so many bytes: nothing else decides on it."""
    payload = bytes(size)
    before, _, after = (_FRAMER.send(h11.Data(data=payload)) or b"").partition(payload)
    return before, after


def framed(payload: bytes) -> bytes:
    """Return the payload, which is not empty, as one chunk of an answer whose end is open."""
    before, after = _frame(len(payload))
    return before + payload + after


def whole_answer(request: bytes, answer: Answer) -> bytes:
    """Return the bytes that answer this request, which is whole, sound and has no body."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(request)
    connection.next_event()
    connection.next_event()
    events = (response(answer, close=False), h11.Data(data=answer.body), h11.EndOfMessage())
    return b"".join(connection.send(event) or b"" for event in events)


def sound_target(
    request: h11.Request, headers: dict[str, str], max_body_bytes: int
) -> routes.Target:
    """Return the target of a request that h11 has accepted, if it is one that we can serve."""
    if not request.http_version.startswith(b"1."):
        raise RequestError(505, "this is a server for HTTP/1.1")
    hosts = [value for name, value in request.headers if name == b"host"]
    target = routes.parse_target(request.target, hosts)
    if int(headers.get("content-length", "0")) > max_body_bytes:
        raise RequestError(413, "the body is too large")
    return target
