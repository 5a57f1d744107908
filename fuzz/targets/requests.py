"""What a client sends: whole connections, and each part of a request by itself."""

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Final, TypeVar
from unittest import mock

import h11
import trio
from trio._core import _run
from trio.testing import MockClock, memory_stream_pair

from fuzz.check import MAX_MESSAGE
from tests.helpers.fakes import FakeRecords, make_app
from tests.helpers.judge import answers_in, may_be_cut
from trio_mpu.access.tokens import Tokens
from trio_mpu.errors import RequestError
from trio_mpu.formats import event_id, parse_event_id
from trio_mpu.http import serve_connection
from trio_mpu.web.answer import Answer, Headers
from trio_mpu.web.app import App
from trio_mpu.web.event_stream import last_event_id as asked_for
from trio_mpu.web.file_name import file_name
from trio_mpu.web.history_query import history_of
from trio_mpu.web.page import Page
from trio_mpu.web.pieces import Pieces
from trio_mpu.web.ranges import matches, part_of
from trio_mpu.web.request import Request, parse_target
from trio_mpu.web.responses import response, response_head

T = TypeVar("T")

MAX_VIRTUAL_S: Final = 300.0  # all waits for a client together; each has its bound
_SAFE_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,120}")
_PAGE: Final = Page.of({"index.html": b"<!doctype html>", "a.js": b"let x;" * 50})


def app_with(tokens: Tokens | None = None) -> App:
    """Return a server's inside with some samples, and these tokens."""
    record_source = FakeRecords(capacity=32)
    record_source.write(100)
    app = make_app(record_source, _PAGE)
    app.admission.tokens = tokens
    return app


def request(data: bytes) -> None:
    """All that a client says is answered by whole answers, in bounded time.

    The first byte says in which pieces the rest comes.
    """
    with deterministic():
        trio.run(_serve, data[:1], data[1:], clock=MockClock(autojump_threshold=0))


@contextlib.contextmanager
def deterministic() -> Iterator[None]:
    """Let the same input have the same course: Trio shuffles tasks, and virtual time would not wait for
    a thread."""
    _run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]  # as Hypothesis does it
    _run._r.seed(0)
    with mock.patch.object(trio.to_thread, "run_sync", _at_once):
        yield


async def _at_once(function: Callable[..., T], *args: object, **_: object) -> T:
    await trio.lowlevel.checkpoint()
    return function(*args)


async def _serve(how: bytes, data: bytes) -> None:
    await conversation(app_with(), how, data)


async def conversation(app: App, how: bytes, data: bytes) -> bytes:
    """Send this to a server, in pieces of a size, then half close; return what it sends, which must
    be sound. The app is closed."""
    step = (how[0] if how else 0) or len(data) or 1
    server, client = memory_stream_pair()
    sent = bytearray()
    try:
        with trio.fail_after(MAX_VIRTUAL_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(serve_connection, server, app)
                nursery.start_soon(_receive, client, sent)
                with contextlib.suppress(trio.BrokenResourceError):
                    for place in range(0, len(data), step):
                        await client.send_all(data[place : place + step])
                    await client.send_eof()
    finally:
        app.close()
    assert not app.metrics["handler_errors"]
    answers, rest = answers_in(bytes(sent))
    assert may_be_cut(rest), f"the last answer has no end: {rest[:200]!r}"
    assert len(answers) <= data.count(b"\n") + 1
    assert b"HEAD" in data or all(answer.method == "GET" for answer in answers if answer.length)
    return bytes(sent)


async def _receive(client: trio.abc.ReceiveStream, sent: bytearray) -> None:
    with contextlib.suppress(trio.BrokenResourceError):
        async for piece in client:
            sent += piece


def query(data: bytes) -> None:
    """A target is answered with a head that h11 lets pass, or refused by a reason of one line."""
    try:
        path, asked = parse_target(data, [b"a"])
        _check_reply(Request("GET", path, asked))
    except RequestError as refused:
        _check_refusal(refused)


def _check_refusal(refused: RequestError) -> None:
    assert 400 <= refused.status < 600
    assert 0 < len(str(refused)) <= MAX_MESSAGE


def _check_reply(request: Request) -> None:
    app = app_with()
    try:
        reply = app.respond(request)
    finally:
        app.close()
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    connection.next_event()
    if isinstance(reply, Answer):
        assert connection.send(response(reply, (), close=False))
    elif isinstance(reply, Pieces):
        headers: Headers = (("Content-Type", reply.content_type), *reply.headers)
        assert connection.send(response_head(reply.status, headers, close=False))
    else:  # of /history, what has to be awaited
        asked = history_of(request)
        assert asked.limit is None or 0 <= asked.limit < 10**9
        name = file_name(asked, asked.to_ns)
        assert _SAFE_NAME.fullmatch(name), name


def last_event_id(data: bytes) -> None:
    """An id is one of ours, which comes back as it was, or none; the place is within the ring."""
    text = data[1:].decode("latin-1")
    name = ("", "last_event_id", "lastEventId", "evs_last_event_id")[(data or b"\0")[0] % 4]
    request = Request("GET", "/events", {name: text} if name else {}, {"last-event-id": text})
    asked = asked_for(request)
    parsed = parse_event_id(asked)
    if parsed is not None:
        assert event_id(*parsed) == f"{asked[:16].lower()}-{int(asked[17:])}"
    app = app_with()
    try:
        cursor, gap = app.hub.cursor_after(asked)
    finally:
        app.close()
    assert 0 <= cursor <= app.hub.head
    assert gap is None or (gap.before, gap.lost, gap.reason) == (cursor + 1, None, "restart")


def ranges(data: bytes) -> None:
    """A part is within the file, or there is none."""
    size, _, text = data.decode("latin-1").partition("\n")
    name, _, value = text.partition(":")
    length = len(size) * 7
    request = Request("GET", "/history", {}, {"range": text, name.lower(): value})
    part = part_of(request, '"tag"', length)
    assert part.status in (200, 206, 304, 412, 416)
    assert 0 <= part.first <= part.end <= length
    assert part.status != 206 or part.first < part.end
    assert not matches(text, '"tag"') or '"tag"' in text or text.strip() == "*"
