"""What h11 makes of an answer, and what it leaves to us to check in a request."""

from email.utils import formatdate
from http import HTTPStatus
from typing import Final

import h11

from trio_mpu.errors import RequestError
from trio_mpu.web.answer import Answer, Headers
from trio_mpu.web.request import Request, host_of, parse_target

# Bound "keep-alive, s".
IDLE_S: Final = 75.0  # between two requests; others poll each 30 or 60 s
_KEEP_ALIVE: Final = f"timeout={IDLE_S - 5:g}"  # said shorter: a request at the limit still arrives


def response(answer: Answer, common: Headers, *, close: bool) -> h11.Response:
    """Return the head of a complete answer; see `response_head`."""
    headers: Headers = answer.headers
    if answer.status != 204:
        headers = (("Content-Type", answer.content_type), *headers)
    # RFC 9110, section 8.6: a 204 must not have it, in a 304 it would be the length of a 200.
    if answer.status not in (204, 304):
        headers = (*headers, ("Content-Length", str(len(answer.body))))
    return response_head(answer.status, (*headers, *common), close=close)


def response_head(status: int, headers: Headers, *, close: bool) -> h11.Response:
    """Return the head of any answer, with the Date, and what becomes of the connection."""
    end = ("Connection", "close") if close else ("Keep-Alive", _KEEP_ALIVE)
    return h11.Response(
        status_code=status,
        headers=[("Date", formatdate(usegmt=True)), *headers, end],
        reason=HTTPStatus(status).phrase,
    )


def whole_answer(request: bytes, answer: Answer, common: Headers) -> bytes:
    """Return the bytes that answer this request, which is whole, sound and has no body."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(request)
    connection.next_event()
    connection.next_event()
    events = (response(answer, common, close=False), h11.Data(data=answer.body), h11.EndOfMessage())
    return b"".join(connection.send(event) or b"" for event in events)


def sound_request(
    request: h11.Request, max_body_bytes: int, address: str, *, secure: bool = False
) -> Request:
    """Return a request that h11 has accepted, taken apart; `secure`, if it came by TLS. Raises
    RequestError if it is none that we can serve."""
    if not request.http_version.startswith(b"1."):
        raise RequestError(505, "this is a server for HTTP/1.1")
    hosts = [value for name, value in request.headers if name == b"host"]
    path, query = parse_target(request.target, hosts)
    headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
    if int(headers.get("content-length", "0")) > max_body_bytes:
        raise RequestError(413, "the body is too large")
    host = host_of(request.target, hosts)
    return Request(request.method.decode(), path, query, headers, address, secure, host)
