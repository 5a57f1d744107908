"""Requests and answers in general, and the errors."""

from email.utils import parsedate_to_datetime
from typing import Final

from trio_mpu.conformance.answers import Answer
from trio_mpu.conformance.check import Check
from trio_mpu.conformance.subject import STREAM, Subject
from trio_mpu.conformance.verdict import Failed, require, shown

LIVE: Final = "/livez"  # answers 200 whatever the sensor does
NOWHERE: Final = "/no-such-path"
_BAD_VALUES: Final = (
    "/events?rate=x",
    "/events?rate=0",
    "/events?format=xml",
    "/events?flush_ms=100000",
    "/events?iso=yes",
    "/history?limit=-1",
    "/history?seconds=x",
    "/history?since=x",
    "/history?format=xml",
    "/history?points=0",
)


def check_error(answer: Answer, status: int) -> str:
    """Return the reason in an error's answer. Raises Failed unless it has the form of all errors."""
    found = answer.require(status, "application/json").json()
    word = "error" if status != 503 else "unavailable"
    require(found.get("status") == word, f"status is {shown(found.get('status'))}, not {word}")
    reason = found.get("reason")
    require(isinstance(reason, str) and bool(reason), f"reason is {shown(reason)}")
    return str(reason)


def _answers(subject: Subject) -> None:
    found = subject.get(LIVE).require(200, "application/json").json()
    require(found.get("status") == "ok", f"the status of {LIVE} is {shown(found.get('status'))}")
    status = subject.get("/json").status
    require(status not in (401, 403), f"status {status} for /json: give --token, or another one")


def _date(subject: Subject) -> None:
    for path in (LIVE, NOWHERE):
        text = subject.get(path).field("date")
        try:
            parsedate_to_datetime(text)
        except ValueError as error:
            raise Failed(f"{path}: Date is {shown(text)}") from error


def _keep_alive(subject: Subject) -> None:
    with subject.connect() as connection:
        for path, status in ((LIVE, 200), (NOWHERE, 404), (LIVE, 200)):
            answer = connection.get(path).require(status)
            require(not answer.closes, f"it closes after {path}, which leaves a connection open")


def _pipelining(subject: Subject) -> None:
    asked = ((LIVE, 200), (NOWHERE, 404), (f"{LIVE}?x=1", 400), (LIVE, 200))
    with subject.connect() as connection:
        connection.send(b"".join(subject.target.request(path) for path, _ in asked))
        for _, status in asked:
            connection.take().require(status)


def _head(subject: Subject) -> None:
    with subject.connect() as connection:
        head = connection.get(LIVE, method="HEAD").require(200)
        whole = connection.get(LIVE).require(200)
        require(head.length in (None, whole.length), "HEAD and GET have different lengths")
    with subject.connect() as connection:
        answer = connection.get("/events", method="HEAD").require(200, STREAM)
        if answer.closes:
            connection.require_close()
        else:
            connection.get(LIVE).require(200)


def _close(subject: Subject) -> None:
    with subject.connect() as connection:
        answer = connection.get(LIVE, "Connection: close").require(200)
        require(answer.closes, "the last answer has no Connection: close")
        connection.require_close()


def _body(subject: Subject) -> None:
    with subject.connect() as connection:
        connection.send(subject.target.request(LIVE, "Content-Length: 5") + b"12345")
        connection.take().require(200)
        connection.send(
            subject.target.request(LIVE, "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n"
        )
        connection.take().require(200)
        connection.get(LIVE).require(200)


def _version(subject: Subject) -> None:
    with subject.connect() as connection:
        answer = connection.get(LIVE, version="1.0").require(200)
        require(not answer.is_chunked, "a client of HTTP/1.0 gets chunks, which it can't read")


def _malformed(subject: Subject) -> None:
    for request in (
        b"GET /livez HTTP/1.1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    ):
        with subject.connect() as connection:
            connection.send(request)
            answer = connection.take().require(400)
            require(
                answer.closes, "it does not close after a request of which nobody knows the end"
            )
            connection.require_close()


def _not_found(subject: Subject) -> None:
    check_error(subject.get(NOWHERE), 404)


def _method(subject: Subject) -> None:
    answer = subject.get(LIVE, "Content-Length: 0", method="POST")
    check_error(answer, 405)
    allowed = {name.strip() for name in answer.field("allow").split(",")}
    require({"GET", "HEAD"} <= allowed, f"Allow is {shown(answer.field('allow'))}")


def _parameter(subject: Subject) -> None:
    for path in ("/json", "/events", "/history", "/healthz"):
        reason = check_error(subject.get(f"{path}?no_such_thing=1"), 400)
        require("no_such_thing" in reason, f"{path}: the reason does not name it: {shown(reason)}")
    subject.get(f"{LIVE}?_=1234567890").require(200)


def _value(subject: Subject) -> None:
    with subject.connect() as connection:
        for path in _BAD_VALUES:
            answer = connection.get(path)
            require(answer.status == 400, f"{path}: status {answer.status}, not 400")
            check_error(answer, 400)


def _healthz(subject: Subject) -> None:
    answer = subject.get("/healthz")
    found = answer.json()
    require(answer.status in (200, 503), f"status {answer.status}, neither 200 nor 503")
    require(
        (answer.status == 200) == (found.get("status") == "ok"), f"{answer.status}: {shown(found)}"
    )
    for name in ("workers", "workers_up"):
        require(type(found.get(name)) is int, f"{name} is {shown(found.get(name))}")


CHECKS: Final = (
    Check("http.answers", "the server answers, and lets this client read", "Paths", _answers),
    Check("http.date", "every answer has a Date", "2. HTTP", _date),
    Check(
        "http.keep-alive", "a connection stays open after 200 and 404", "Status codes", _keep_alive
    ),
    Check(
        "http.pipelining",
        "requests sent together are answered in their order",
        "2. HTTP",
        _pipelining,
    ),
    Check("http.head", "HEAD returns only the head, of a stream too", "2. HTTP", _head),
    Check("http.close", "the last answer before a close announces it", "2. HTTP", _close),
    Check("http.body", "a request's body is passed over, to its exact end", "2. HTTP", _body),
    Check("http.version", "a client of HTTP/1.0 gets no chunks", "2. HTTP", _version),
    Check("http.malformed", "a malformed request is a 400 and a close", "Status codes", _malformed),
    Check(
        "error.path",
        "an unknown path is a 404, in JSON with the reason",
        "Status codes",
        _not_found,
    ),
    Check(
        "error.method", "another method is a 405 that lists the methods", "Status codes", _method
    ),
    Check(
        "error.parameter",
        "an unknown parameter is a 400 that names it; _ is ignored",
        "Paths",
        _parameter,
    ),
    Check(
        "error.value",
        "a wrong value is a 400, and the connection stays open",
        "Status codes",
        _value,
    ),
    Check("state.healthz", "/healthz is 200 exactly while the status is ok", "Status", _healthz),
)
