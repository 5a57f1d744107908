"""What h11 makes of an answer, and what it leaves to us to check in a request."""

from email.utils import formatdate
from http import HTTPStatus

import h11

from trio_mpu.errors import RequestError
from trio_mpu.web.answer import Answer
from trio_mpu.web.request import Request, parse_target

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


def whole_answer(request: bytes, answer: Answer) -> bytes:
    """Return the bytes that answer this request, which is whole, sound and has no body."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(request)
    connection.next_event()
    connection.next_event()
    events = (response(answer, close=False), h11.Data(data=answer.body), h11.EndOfMessage())
    return b"".join(connection.send(event) or b"" for event in events)


def sound_request(request: h11.Request, max_body_bytes: int) -> Request:
    """Return a request that h11 has accepted, taken apart. Raises RequestError if it is none that
    we can serve."""
    if not request.http_version.startswith(b"1."):
        raise RequestError(505, "this is a server for HTTP/1.1")
    hosts = [value for name, value in request.headers if name == b"host"]
    path, query = parse_target(request.target, hosts)
    headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
    if int(headers.get("content-length", "0")) > max_body_bytes:
        raise RequestError(413, "the body is too large")
    return Request(request.method.decode(), path, query, headers)
