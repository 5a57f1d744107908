"""One connection, by what goes over the wire: in memory byte by byte, and over real sockets."""

import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from email.utils import parsedate_to_datetime

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, memory_stream_pair

from tests.helpers.fakes import FakeRecords, later, make_app, reset, serving, until
from tests.helpers.http_client import Answer, Client, NoMore, connect, plain_gap, request
from trio_mpu import http
from trio_mpu.errors import RingHeld
from trio_mpu.formats import event_id
from trio_mpu.http import MAX_BODY_BYTES, MAX_HEAD_BYTES, REQUEST_S, serve_connection
from trio_mpu.web import cors, transport
from trio_mpu.web.app import App, Reply
from trio_mpu.web.event_stream import HEARTBEAT_S
from trio_mpu.web.page import Page
from trio_mpu.web.request import Request
from trio_mpu.web.responses import IDLE_S
from trio_mpu.web.routes import ROUTES, Route

PAGE = Page.of({"index.html": b"<!doctype html>"})
HEALTHY = {"status": "ok", "workers": 1, "workers_up": 1}
PATHS = [
    "/",
    "/json",
    "/events",
    "/history",
    "/healthz",
    "/metrics",
    "/nothing",
    "/history?limit=x",
]


@asynccontextmanager
async def in_memory(app: App | None = None) -> AsyncIterator[Client]:
    """Talk to one connection over streams in memory; check that it ends without an error."""
    if app is None:
        record_source = FakeRecords()
        record_source.write(3)
        app = make_app(record_source, PAGE)
    server, client = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, server, app)
        yield Client(client)
        await client.aclose()
    assert app.metrics["handler_errors"] == 0


# -- what each request is answered --------------------------------------------------


def head(*lines: str) -> bytes:
    """Return a head with nothing added."""
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def get(*headers: str, path: str = "/json", version: str = "1.1") -> bytes:
    """Return the head of a GET with these header fields only."""
    return head(f"GET {path} HTTP/{version}", *headers)


OPEN, CLOSED = False, True
CHUNKED = "Transfer-Encoding: chunked"
EXCHANGES: dict[str, tuple[bytes, int, bool]] = {
    "plain": (get("Host: a"), 200, OPEN),
    "bare line feeds": (get("Host: a").replace(b"\r\n", b"\n"), 200, OPEN),
    "empty lines before": (b"\r\n\r\n\n" + get("Host: a"), 200, OPEN),
    "close is asked for": (get("Host: a", "Connection: close"), 200, CLOSED),
    "another path": (get("Host: a", path="/nothing"), 404, OPEN),
    "a bad query": (get("Host: a", path="/history?seconds=x"), 400, OPEN),
    "another method": (head("POST /json HTTP/1.1", "Host: a"), 405, OPEN),
    "an upgrade": (get("Host: a", "Connection: upgrade", "Upgrade: h2c"), 200, OPEN),
    "version 1.0": (get(version="1.0"), 200, CLOSED),
    "version 1.0, not found": (get(path="/x", version="1.0"), 404, CLOSED),
    "version 1.0, keep-alive": (get("Connection: keep-alive", version="1.0"), 200, CLOSED),
    "version 1.9": (get("Host: a", version="1.9"), 200, OPEN),
    "version 2.0": (get("Host: a", version="2.0"), 505, CLOSED),
    "version 0.9": (get(version="0.9"), 505, CLOSED),
    "preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, CLOSED),
    "no version": (b"GET /json\r\n\r\n", 400, CLOSED),
    "no host": (get(), 400, CLOSED),
    "two hosts": (get("Host: a", "Host: a"), 400, CLOSED),
    "a malformed host": (get("Host: a/b"), 400, CLOSED),
    "two hosts in one": (get("Host: a, b?"), 400, CLOSED),
    "an empty host": (get("Host:"), 200, OPEN),
    "an address of IPv6": (get("Host: [::1]:3737"), 200, OPEN),
    "absolute form": (get("Host: a", path="http://b:1/json"), 200, OPEN),
    "absolute options, bad host": (get("Host: a/b", path="http://b/json"), 400, CLOSED),
    "asterisk form": (head("OPTIONS * HTTP/1.1", "Host: a"), 400, CLOSED),
    "authority form": (head("CONNECT a:80 HTTP/1.1", "Host: a"), 400, CLOSED),
    "two spaces": (b"GET  /json HTTP/1.1\r\nHost: a\r\n\r\n", 400, CLOSED),
    "no colon": (get("Host: a", "x"), 400, CLOSED),
    "a space before the colon": (get("Host : a"), 400, CLOSED),
    "a folded line": (get("Host: a", "X: 1", " 2"), 200, OPEN),
    "a folded first line": (get(" Host: a"), 400, CLOSED),
    "NUL in a value": (get("Host: a", "X: \0"), 400, CLOSED),
    "a value in Latin-1": (get("Host: a", "X: \xe4"), 200, OPEN),
    "TLS": (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", 400, CLOSED),
    "length 0": (get("Host: a", "Content-Length: 0"), 200, OPEN),
    "length 5": (get("Host: a", "Content-Length: 5") + b"12345", 200, OPEN),
    "length 5 with zeros": (get("Host: a", "Content-Length: 000000000005") + b"12345", 200, OPEN),
    "the same length twice": (get("Host: a", "Content-Length: 5, 5") + b"12345", 200, OPEN),
    "different lengths": (get("Host: a", "Content-Length: 5", "Content-Length: 6"), 400, CLOSED),
    "different lengths in one": (get("Host: a", "Content-Length: 5, 6"), 400, CLOSED),
    "length abc": (get("Host: a", "Content-Length: abc"), 400, CLOSED),
    "length -1": (get("Host: a", "Content-Length: -1"), 400, CLOSED),
    "length +5": (get("Host: a", "Content-Length: +5") + b"12345", 400, CLOSED),
    "length 0x5": (get("Host: a", "Content-Length: 0x5"), 400, CLOSED),
    "no length": (get("Host: a", "Content-Length:"), 400, CLOSED),
    "length of 30 digits": (get("Host: a", "Content-Length: " + "9" * 30), 400, CLOSED),
    "length of 20 digits": (get("Host: a", "Content-Length: " + "9" * 20), 413, CLOSED),
    "length over the bound": (get("Host: a", f"Content-Length: {MAX_BODY_BYTES + 1}"), 413, CLOSED),
    "chunked": (get("Host: a", CHUNKED) + b"3\r\nabc\r\n0\r\n\r\n", 200, OPEN),
    "chunked with extension": (get("Host: a", CHUNKED) + b"3;x=y\r\nabc\r\n0\r\n\r\n", 200, OPEN),
    "chunked with trailer": (get("Host: a", CHUNKED) + b"0\r\nX: y\r\n\r\n", 200, OPEN),
    "chunked, not allowed": (head("POST / HTTP/1.1", "Host: a", CHUNKED), 405, CLOSED),
    "length and chunked": (
        get("Host: a", "Content-Length: 5", CHUNKED) + b"0\r\n\r\n",
        200,
        CLOSED,
    ),
    "length and chunked, not found": (
        get("Host: a", "Content-Length: 5", CHUNKED, path="/x") + b"0\r\n\r\n",
        404,
        CLOSED,
    ),
    "version 1.0, chunked": (get(CHUNKED, version="1.0") + b"0\r\n\r\n", 200, CLOSED),
    "another coding": (get("Host: a", "Transfer-Encoding: gzip"), 501, CLOSED),
    "two codings": (get("Host: a", "Transfer-Encoding: gzip, chunked"), 501, CLOSED),
    "coding twice": (get("Host: a", CHUNKED, CHUNKED), 501, CLOSED),
    "a bad chunk size": (get("Host: a", CHUNKED) + b"x\r\n", 400, CLOSED),
    "a bad chunk end": (get("Host: a", CHUNKED) + b"3\r\nabcde0\r\n\r\n", 400, CLOSED),
    "a bad trailer": (get("Host: a", CHUNKED) + b"0\r\nx\r\n\r\n", 400, CLOSED),
    "a chunk size of 30 digits": (get("Host: a", CHUNKED) + b"f" * 30 + b"\r\n", 400, CLOSED),
}


# One exchange of each kind, for what does not depend on what exactly is asked.
SAMPLE = [
    "plain",
    "bare line feeds",
    "version 1.0",
    "TLS",
    "length 5",
    "length over the bound",
    "chunked with trailer",
    "a bad chunk end",
]


@pytest.mark.parametrize("name", EXCHANGES)
async def test_each_request_has_its_answer(name: str, autojump_clock: MockClock) -> None:
    """Whether the connection goes on is announced and kept, though the next request came with it."""
    data, status, closes = EXCHANGES[name]
    async with in_memory() as client:
        await client.send(data + request("/healthz"))
        answer = await client.answer()
        assert (answer.status, answer.closes) == (status, closes)
        assert abs(parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()) < 10
        if closes:
            await client.closed()
        else:
            assert (await client.answer()).json == HEALTHY


@pytest.mark.parametrize("name", SAMPLE)
async def test_a_request_may_come_byte_by_byte(name: str, autojump_clock: MockClock) -> None:
    """And the next one only after the answer."""
    data, status, closes = EXCHANGES[name]
    async with in_memory() as client:
        for byte in data:
            await client.send(bytes([byte]))
        answer = await client.answer()
        assert (answer.status, answer.closes) == (status, closes)
        if closes:
            await client.closed()
        else:
            assert (await client.get("/healthz")).json == HEALTHY


@pytest.mark.parametrize("name", SAMPLE)
async def test_an_answer_reaches_its_client_over_tcp(name: str) -> None:
    """A close arrives as an end, not as a reset, though the client had sent more."""
    data, status, closes = EXCHANGES[name]
    async with serving() as served, served.connect() as client:
        await client.send(data + request("/healthz"))
        answer = await client.answer()
        assert (answer.status, answer.closes) == (status, closes)
        await client.stream.send_eof()
        if not closes:
            assert (await client.answer()).json == HEALTHY
        await client.closed()


@pytest.mark.parametrize(
    ("status", "reason"),
    [(200, "OK"), (404, "Not Found"), (405, "Method Not Allowed"), (505, None), (431, None)],
)
async def test_a_status_has_its_phrase(status: int, reason: str | None) -> None:
    """Some clients show nothing else."""
    data = {
        200: get("Host: a"),
        404: get("Host: a", path="/x"),
        405: head("POST / HTTP/1.1", "Host: a"),
        505: get("Host: a", version="3.0"),
        431: get("Host: a", "X: " + "y" * MAX_HEAD_BYTES),
    }[status]
    async with serving() as served, served.connect() as client:
        await client.send(data)
        answer = await client.answer()
    assert answer.status == status
    assert answer.reason == reason or (reason is None and answer.reason)


async def test_the_json_keys_are_those_of_the_original_and_the_new_ones() -> None:
    """In the body that a client of the original reads."""
    async with serving() as served, served.connect() as client:
        answer = await client.get("/json?_=123")
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json) == {
        *("status", "sample", "average", "timestamp"),
        *("seq", "id", "time", "t_ns", "source", "flags"),
    }
    assert set(answer.json["sample"]) == {"ax", "ay", "az", "gx", "gy", "gz", "temp"}
    assert set(answer.json["average"]) == {"ax", "ay", "az", "gx", "gy", "gz", "temp"}


@pytest.mark.parametrize("path", PATHS)
async def test_head_is_get_without_a_body(path: str) -> None:
    """Status and headers are the same, and the next answer follows at once."""
    async with serving() as served, served.connect() as client:
        answer = await client.get(path, method="HEAD")
        if path == "/events":
            assert answer.closes
            await client.closed()
            return
        again = await client.get("/healthz")
        assert again.json == HEALTHY
        await client.send(request(path))
        full = await client.answer()
    # The time goes on, and so do the counters.
    changing = {"date", "content-disposition", "content-length" if path == "/metrics" else ""}
    assert answer.status == full.status
    for name in {*answer.headers, *full.headers} - changing:
        assert answer.headers[name] == full.headers[name]


@pytest.mark.parametrize("path", PATHS)
async def test_http_1_0_is_never_chunked(path: str) -> None:
    """An answer ends with its length or with the connection."""
    async with serving() as served, served.connect() as client:
        await client.send(request(path, version="1.0"))
        answer = await client.head()
        assert "transfer-encoding" not in answer.headers
        assert answer.closes
        assert "keep-alive" not in answer.headers
        if path == "/events":
            client.chunked = False
            assert (await client.event()).retry
            assert (await client.event()).json["seq"] == 3
            served.publish()
            assert (await client.event()).json["seq"] == 4
        else:
            body = await client.rest()
            assert len(body) == int(answer.headers.get("content-length", len(body))) > 0


async def test_a_preflight_has_no_body_and_claims_no_length_of_one() -> None:
    """RFC 9110, section 8.6. The connection goes on."""
    async with serving() as served, served.connect() as client:
        served.app.common_headers = cors.headers("*")
        answer = await client.get("/json", method="OPTIONS")
        assert (answer.status, answer.body) == (204, b"")
        assert not {"content-length", "transfer-encoding", "content-type"} & set(answer.headers)
        assert (await client.get("/healthz")).headers["access-control-allow-origin"] == "*"


async def test_a_request_waits_for_its_turn() -> None:
    """To understand it is work, too; what is known by its bytes needs no turn."""
    async with serving() as served, served.connect() as known, served.connect() as client:
        assert (await known.get("/healthz")).status == 200
        async with served.hub.turns.slice("other"):
            await client.send(request("/livez"))
            await until(lambda: served.hub.turns.waiting)
            assert (await known.get("/healthz")).status == 200
        assert (await client.answer()).status == 200


async def test_what_the_client_wants_to_close_is_not_said_to_be_kept() -> None:
    """An answer that closes has no Keep-Alive; any other one has."""
    async with serving() as served, served.connect() as client:
        assert "keep-alive" in (await client.get("/healthz")).headers
        answer = await client.get("/healthz", "Connection: close")
        assert (answer.closes, "keep-alive" in answer.headers) == (True, False)


async def test_a_page_is_not_sent_again() -> None:
    """304 has no body, and claims no length of one."""
    async with serving() as served, served.connect() as client:
        etag = (await client.get("/")).headers["etag"]
        answer = await client.get("/", f"If-None-Match: {etag}")
        assert (answer.status, answer.headers["etag"]) == (304, etag)
        assert "content-length" not in answer.headers
        assert (await client.get("/healthz")).status == 200


@pytest.mark.parametrize("path", ["/json", "/healthz", "/history"])
async def test_before_the_first_sample_the_answer_is_503(path: str) -> None:
    """With a reason, and with when to come again; the connection goes on."""
    async with serving(FakeRecords()) as served, served.connect() as client:
        answer = await client.get(path)
        assert (answer.status, answer.reason) == (503, "Service Unavailable")
        assert (answer.headers["retry-after"], answer.closes) == ("2", False)
        assert answer.json["reason"] == "no sample yet"
        served.publish()
        served.hub.set_status("ok", "")
        assert (await client.get(path)).status == 200


# -- many requests on a connection --------------------------------------------------


async def test_pipelined_requests_are_answered_in_order() -> None:
    """Also with empty lines between them, bodies in them, errors among them, and an end at once."""
    requests = [
        request("/json?_=1"),
        request("/nothing"),
        b"\r\n\r\n",
        request("/history?limit=1"),
        request("/json", "Content-Length: 3", body=b"abc"),
        b"\r\n",
        request("/healthz", method="HEAD"),
        request("/metrics"),
    ]
    async with serving() as served, served.connect() as client:
        await client.send(b"".join(requests) * 20)
        await client.stream.send_eof()
        for _ in range(20):
            answers = [await client.answer(head_only=number == 4) for number in range(6)]
            assert [answer.status for answer in answers] == [200, 404, 200, 200, 200, 200]
            assert answers[5].body.startswith(b"# HELP")
        await client.closed()
        assert served.app.metrics["requests"] == 120
        assert served.app.metrics["connections"] == 1


async def test_nothing_behind_a_last_request_is_answered() -> None:
    """One that asked for a close, or for the stream."""
    for data, events in [
        (get("Host: a", "Connection: close"), False),
        (request("/events"), True),
    ]:
        async with serving() as served, served.connect() as client:
            await client.send(data + request("/json") * 3)
            answer = await client.head()
            assert answer.closes
            if events:
                served.stop.set()
            else:
                await client.exactly(int(answer.headers["content-length"]))
            await client.stream.send_eof()
            assert b"HTTP/1.1" not in await client.rest()


# -- bodies -------------------------------------------------------------------------


async def test_a_body_is_asked_for_when_it_is_expected() -> None:
    """Once, and the answer comes after it; for an error it isn't asked for at all."""
    async with serving() as served, served.connect() as client:
        await client.send(request("/json", "Content-Length: 5", "Expect: 100-continue"))
        answer = await client.answer()
        assert (answer.status, answer.reason, answer.fields) == (100, "Continue", [])
        await client.send(b"12")
        await client.send(b"345")
        assert (await client.answer()).status == 200
        await client.send(
            request("/json", "Content-Length: 5", "Expect: 100-continue", method="POST")
        )
        answer = await client.answer()
        assert (answer.status, answer.closes) == (405, True)
        await client.stream.send_eof()
        await client.closed()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_body_up_to_the_bound_is_read(method: str) -> None:
    """And forgotten; what counts is what it was sent with."""
    body = b"x" * MAX_BODY_BYTES
    async with serving() as served, served.connect() as client:
        await client.send(
            request("/json", f"Content-Length: {len(body)}", method=method, body=body)
        )
        answer = await client.answer()
        assert answer.status == (200 if method == "GET" else 405)
        await client.stream.send_eof()
        await client.closed()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"%x\r\n" % (MAX_BODY_BYTES + 1) + b"x" * (MAX_BODY_BYTES + 1) + b"\r\n0\r\n\r\n", 413),
        (b"%x\r\n" % 65_000 + b"x" * 65_000 + b"\r\n0\r\nX: " + b"y" * 1000 + b"\r\n\r\n", 413),
        (b"fffffffffffffffffff\r\n" + b"x" * (MAX_BODY_BYTES + 1), 413),
        (b"1\r\nx\r\n" * MAX_BODY_BYTES, 413),
        (b"1;" + b"y" * 8000 + b"\r\nx\r\n", 413),
        (b"1;" + b"y" * (MAX_HEAD_BYTES + 10), 431),
        (b"0\r\n" + b"X: y\r\n" * MAX_HEAD_BYTES, 431),
    ],
)
async def test_everything_about_a_chunked_body_is_bounded(body: bytes, status: int) -> None:
    """Its bytes, its framing, extensions and trailers."""
    data = request("/json", CHUNKED, body=body * (10 if len(body) < 10_000 else 1))
    async with serving() as served, served.connect() as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, data)
            answer = await client.answer()
        assert (answer.status, answer.closes) == (status, True)
        await client.stream.send_eof()
        await client.closed()
        assert served.app.metrics["requests_bad"] == 1


@pytest.mark.parametrize(
    ("extra", "at_once", "method"),
    [
        (0, True, "GET"),
        (0, False, "HEAD"),
        (1, True, "HEAD"),
        (1, False, "GET"),
        (10**6, True, "GET"),
        (10**6, False, "GET"),
    ],
)
async def test_a_head_is_bounded_to_the_byte(extra: int, at_once: bool, method: str) -> None:
    """In whatever pieces it comes."""
    short = request("/json", "X: ", method=method)
    padding = "y" * (MAX_HEAD_BYTES + extra - len(short))
    data = request("/json", f"X: {padding}", method=method)
    assert len(data) == MAX_HEAD_BYTES + extra
    async with serving() as served, served.connect() as client, trio.open_nursery() as nursery:

        @nursery.start_soon
        async def send() -> None:
            if not at_once:
                await client.send(data[:10_000])
                await trio.sleep(0.005)
            await client.send(data[0 if at_once else 10_000 :])

        answer = await client.head()
        assert (answer.status, answer.closes) == ((431, True) if extra else (200, False))


@pytest.mark.parametrize(
    ("headers", "status"),
    [(["Content-Length: 60000"], 405), ([CHUNKED], 405), (["Content-Length: 600000"], 413)],
)
async def test_a_client_in_the_middle_of_an_upload_reads_its_refusal(
    headers: list[str], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which came with the head already; though it reads only after it has sent everything."""
    monkeypatch.setattr(transport, "LINGER_S", 30)  # a busy machine may be slow with its upload
    data = request("/json", *headers, method="POST" if status == 405 else "GET")
    async with serving() as served, served.connect() as client:
        await client.send(data)
        for _ in range(60):
            await client.send(b"x" * 10_000)
            await trio.sleep(0.001)
        answer = await client.answer()
        assert (answer.status, answer.closes) == (status, True)
        await client.stream.send_eof()
        await client.closed()


# -- deadlines ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [b"G", b"GET /json HTTP/1.1\r\nHost: a\r\n", request("/json", "Content-Length: 5") + b"1"],
)
async def test_a_request_that_does_not_arrive_in_time_gets_408(
    data: bytes, mock_clock: MockClock
) -> None:
    """Head or body, whatever is missing of it."""
    async with serving() as served, served.connect() as client:
        await client.send(data)
        await later(mock_clock, REQUEST_S)
        answer = await client.answer()
        assert (answer.status, answer.reason, answer.closes) == (408, "Request Timeout", True)
        await client.closed()
        assert served.app.metrics["timeouts_request"] == 1
        assert served.app.metrics["requests_bad"] == 0


async def test_a_request_that_trickles_has_no_more_time(mock_clock: MockClock) -> None:
    """A byte now and then doesn't move the deadline."""
    async with serving() as served, served.connect() as client:
        for byte in b"GET /json HTTP/1.1\r\n":
            await client.send(bytes([byte]))
            await later(mock_clock, REQUEST_S / 20)
        assert (await client.answer()).status == 408


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\n\n\r\n"])
async def test_who_says_nothing_is_told_nothing(data: bytes, mock_clock: MockClock) -> None:
    """A quiet close: at the beginning and between two requests."""
    async with serving() as served:
        async with served.connect() as client:
            await client.send(data)
            await later(mock_clock, REQUEST_S)
            await client.closed()
        async with served.connect() as client:
            assert (await client.get("/json")).status == 200
            await later(mock_clock, (REQUEST_S + IDLE_S) / 2)
            assert (await client.get("/json")).status == 200
            await client.send(data)
            await later(mock_clock, IDLE_S)
            await client.closed()
        assert served.app.metrics["timeouts_idle"] == 2
        assert served.app.metrics["timeouts_request"] == 0


async def test_who_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that pipelines for ever and reads nothing costs a bounded amount of memory."""
    monkeypatch.setattr(transport, "WRITE_S", 0.1)
    async with serving() as served, served.connect() as client:
        with pytest.raises(trio.BrokenResourceError):
            await client.send(request("/metrics") * 20_000)
        await served.quiet()
        assert served.app.metrics["timeouts_write"] == 1


async def test_a_stream_that_takes_nothing_is_cut_off(mock_clock: MockClock) -> None:
    """While another one loses nothing."""
    record_source = FakeRecords(capacity=100_000)
    async with (
        serving(record_source) as served,
        served.connect() as client,
        served.connect() as stuck,
    ):
        await client.open_events()
        await stuck.open_events()
        seqs: list[int] = []

        written = trio.Event()

        async def write() -> None:
            while not served.app.metrics["timeouts_write"]:
                served.publish(500)
                await later(mock_clock, transport.WRITE_S / 4)
            # One more, for a reader that has had all before the other was cut off.
            served.publish()
            written.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            while not written.is_set() or seqs[-1] < served.hub.head:
                seqs.append((await client.event()).json["seq"])
        assert seqs == list(range(1, served.hub.head + 1))
        await until(lambda: served.app.slot.get("streams_open") == 1)


# -- the stream ---------------------------------------------------------------------


async def test_the_stream_begins_at_once() -> None:
    """Headers and the `retry:` line come before there is any sample."""
    async with serving(FakeRecords()) as served, served.connect() as client:
        answer = await client.open_events()
        assert answer.headers["cache-control"] == "no-store, no-transform"
        assert answer.headers["x-accel-buffering"] == "no"
        assert answer.closes
        await until(lambda: served.hub.attached)
        served.publish(2)
        event = await client.event()
        assert event.id == event_id(served.record_source.generation, 1)
        assert (event.name, event.json["seq"], "gap" in event.json) == ("", 1, False)
        assert (await client.event()).json["seq"] == 2


@pytest.mark.parametrize("by", ["header", "query", "both", "two headers"])
async def test_a_stream_resumes_after_its_last_event(by: str) -> None:
    """By the header that a browser sends, or by the query of a first connection. aiohttp-sse-client
    sends the header twice if its user gave one: its own, the newer, comes last."""
    record_source = FakeRecords()
    record_source.write(300)
    last = event_id(record_source.generation, 10)
    headers = [] if by == "query" else [f"Last-Event-ID: {last}"]
    if by == "two headers":
        headers.insert(0, f"Last-Event-Id: {event_id(record_source.generation, 2)}")
    path = {"header": "/events", "query": f"/events?last_event_id={last}"}.get(
        by, f"/events?last_event_id={event_id(record_source.generation, 2)}"
    )
    async with serving(record_source) as served, served.connect() as client:
        await client.open_events(path, *headers)
        seqs = [(await client.event()).json["seq"] for _ in range(290)]
        served.publish()
        seqs.append((await client.event()).json["seq"])
    assert seqs == list(range(11, 302))


async def test_a_stream_that_resumes_after_another_rings_sample_says_so() -> None:
    """With its first sample."""
    async with serving() as served, served.connect() as client:
        await client.open_events("/events", "Last-Event-ID: 00000000000000ff-7")
        first = await client.event()
        assert plain_gap(first.json) == {"from": 7, "to": 3, "lost": None, "reason": "restart"}


@pytest.mark.parametrize(
    "last",
    ["x", "9" * 4000, "0123456789abcdef-" + "9" * 30, "-1", "\x80\xff", "0123456789abcdef-9"],
)
async def test_a_hostile_last_event_id_starts_now(last: str) -> None:
    """Over the wire too."""
    async with serving() as served, served.connect() as client:
        await client.send(b"GET /events HTTP/1.1\r\nHost: a\r\nLast-Event-ID: ")
        await client.send(last.encode("latin-1") + b"\r\n\r\n")
        assert (await client.head()).status == 200
        await client.event()
        event = await client.event()
        assert (event.json["seq"], "gap" in event.json) == (3, False)


async def test_gaps_and_status_are_told_in_the_stream() -> None:
    """And a heartbeat, when there is nothing to tell."""
    record_source = FakeRecords(capacity=32)
    record_source.write(100)
    async with serving(record_source) as served, served.connect() as client:
        await client.open_events(
            "/events", f"Last-Event-ID: {event_id(record_source.generation, 10)}"
        )
        first = await client.event()
        assert plain_gap(first.json) == {"from": 10, "to": 70, "lost": 59, "reason": "lapped"}
        while (await client.event()).json["seq"] < 100:
            pass
        served.hub.set_status("stale", "")
        event = await client.event()
        assert (event.name, event.id, event.json["status"]) == ("status", "", "stale")


async def test_a_silent_stream_beats(mock_clock: MockClock) -> None:
    """With a comment."""
    async with serving() as served, served.connect() as client:
        await client.open_events()
        assert (await client.event()).json["seq"] == 3
        for _ in range(3):
            await later(mock_clock, HEARTBEAT_S)
            event = await client.event()
            assert (event.comments, event.data) == ([""], "")
        assert served.app.slot.get("streams_open") == 1


class Steps(trio.abc.Instrument):
    """Counts the steps of all tasks."""

    def __init__(self) -> None:
        self.count = 0

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count."""
        del task
        self.count += 1


async def assert_quiet() -> None:
    """Check that nothing spins."""
    steps = Steps()
    trio.lowlevel.add_instrument(steps)
    await trio.sleep(0.01)
    trio.lowlevel.remove_instrument(steps)
    assert steps.count < 20


async def leave_half(client: Client) -> None:
    """Say that nothing more will come, but go on reading."""
    await client.stream.send_eof()
    assert (await client.rest()).endswith(b"0\r\n\r\n")


async def leave_by_reset(client: Client) -> None:
    """Crash."""
    assert isinstance(client.stream, trio.SocketStream)
    reset(client.stream)
    await trio.lowlevel.checkpoint()


async def leave(client: Client) -> None:
    """Close."""
    await client.stream.aclose()


async def talk_too_much(client: Client) -> None:
    """Send more than a stream takes, and be sent away in good order."""
    await client.send(b"x" * 100_000)
    assert (await client.rest()).endswith(b"0\r\n\r\n")
    await client.stream.aclose()


@pytest.mark.parametrize(
    ("how", "extra"),
    [
        (leave_half, b""),
        (leave_half, b"garbage"),
        (leave_by_reset, b""),
        (leave_by_reset, request("/json")),
        (leave, request("/json")),
        (talk_too_much, b""),
    ],
)
async def test_a_stream_that_is_left_leaves_nothing_behind(
    how: Callable[[Client], Awaitable[None]], extra: bytes
) -> None:
    """No task, no subscriber, no connection; and nothing spins before or after."""
    async with serving() as served:
        tasks = trio.lowlevel.current_statistics().tasks_living
        async with served.connect() as client:
            await client.send(request("/events") + extra)
            await until(lambda: served.hub.attached)
            await assert_quiet()
            await how(client)
            with trio.fail_after(3):
                await served.quiet()
            await until(lambda: trio.lowlevel.current_statistics().tasks_living == tasks)
            await assert_quiet()


async def test_extra_bytes_behind_a_stream_do_not_disturb_it() -> None:
    """They are never answered."""
    async with serving() as served, served.connect() as client:
        await client.open_events()
        assert (await client.event()).json["seq"] == 3
        await client.send(request("/json") * 10)
        await assert_quiet()
        served.publish()
        assert (await client.event()).json["seq"] == 4


# -- history ------------------------------------------------------------------------


async def test_history_comes_in_three_forms() -> None:
    """Each with its type, and on a connection that goes on."""
    record_source = FakeRecords()
    record_source.write(300)
    async with serving(record_source) as served, served.connect() as client:
        answer = await client.get("/history")
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        assert [row["seq"] for row in answer.json["samples"]] == list(range(1, 301))
        answer = await client.get(
            f"/history?since={event_id(record_source.generation, 298)}&format=ndjson"
        )
        assert answer.headers["content-type"] == "application/x-ndjson"
        assert [json.loads(line)["seq"] for line in answer.body.splitlines()] == [299, 300]
        answer = await client.get("/history?format=csv&seconds=0.02")
        assert answer.headers["content-type"].startswith("text/csv")
        assert [line.split(b",")[0] for line in answer.body.splitlines()[1:]] == [
            *(b"298", b"299", b"300")
        ]


async def test_a_ring_that_cannot_be_read_is_503() -> None:
    """As long as nothing has been answered; the connection goes on."""
    async with serving() as served, served.connect() as client:
        served.record_source.trouble = RingHeld("a process holds it")
        answer = await client.get("/history")
        assert (answer.status, answer.json["reason"]) == (503, "a process holds it")
        served.record_source.trouble = None
        assert (await client.get("/history")).status == 200


async def test_a_ring_that_goes_away_within_an_answer_leaves_it_without_an_end() -> None:
    """Nothing else can tell the client that it has not got all."""
    record_source = FakeRecords(capacity=100_000)
    record_source.write(20_000)
    async with serving(record_source) as served, served.connect() as client:
        await client.send(request("/history"))
        assert (await client.head()).status == 200
        await client.chunk()
        served.record_source.trouble = RingHeld("a process holds it")
        assert not (await client.rest()).endswith(b"0\r\n\r\n")
        assert served.app.metrics["handler_errors"] == 0


async def test_a_slow_reader_of_history_is_told_that_it_was_lapped() -> None:
    """In the row after it; and a client that leaves in the middle leaves nothing behind."""
    record_source = FakeRecords(capacity=20_002)
    record_source.write(20_000)
    async with serving(record_source) as served, served.connect() as client:
        await client.send(request("/history?format=ndjson"))
        await client.head()
        await client.chunk()
        record_source.write(19_000)
        seqs, told = [], []
        while (chunk := await client.chunk()) is not None:
            for line in chunk.splitlines():
                row = json.loads(line)
                seqs.append(row["seq"])
                told += [row["gap"]] if "gap" in row else []
        (gap,) = told
        assert gap["reason"] == "lapped"
        assert gap["lost"] == gap["to"] - gap["from"] - 1 > 0
        assert seqs == [*range(129, gap["from"] + 1), *range(gap["to"], seqs[-1] + 1)]
        await client.send(request("/history?format=ndjson"))
        await client.head()
        await client.stream.aclose()
        await served.quiet()


# -- unforeseen ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", [ZeroDivisionError, MemoryError])
async def test_an_error_in_one_handler_ends_that_connection_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kind: type[Exception]
) -> None:
    """Its text goes to the log and not to the client."""

    def fail(_: Request, __: App) -> Reply:
        raise kind("a secret")

    monkeypatch.setitem(ROUTES, "/metrics", Route(fail))
    async with serving() as served, served.connect() as other:
        await other.open_events()
        async with served.connect() as client:
            await client.send(request("/metrics"))
            assert b"secret" not in await client.rest()
        assert (await other.event()).json["seq"] == 3
        async with served.connect() as client:
            assert (await client.get("/json")).status == 200
        served.errors = 1
    assert "a secret" in caplog.text


@pytest.mark.parametrize("data", [b"", b"GET /json HT", request("/json"), request("/events")])
async def test_a_client_that_crashes_is_no_error(
    data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever it is with its request."""
    caplog.set_level(logging.INFO)
    async with serving() as served:
        async with connect(served.port) as client:
            await client.send(data)
            await leave_by_reset(client)
        await served.quiet()
    assert "Traceback" not in caplog.text


FRAGMENTS = st.sampled_from(
    [part for data, _, _ in EXCHANGES.values() for part in data.splitlines(keepends=True)]
    + [b"\r\n", b"\n", b"\0", b"\xff" * 9, b"0\r\n\r\n", b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n"]
    + [request(path) for path in PATHS]
    + [request(path, method="HEAD") for path in PATHS]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(FRAGMENTS, st.binary(max_size=20)), max_size=12), st.booleans())
def test_whatever_comes_each_answer_is_whole_and_the_end_is_clean(
    parts: list[bytes], half_close: bool
) -> None:
    """No error that nobody foresaw, and no wait without end."""

    async def main() -> None:
        async with in_memory() as client:
            for part in parts:
                with suppress(trio.BrokenResourceError):
                    await client.send(part)
            if half_close:
                with suppress(trio.BrokenResourceError):
                    await client.stream.send_eof()
                while True:
                    try:
                        await answer_whole(client)
                    except NoMore:
                        break

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def answer_whole(client: Client) -> Answer:
    """Take one answer; HEAD is told by what follows."""
    answer = await client.head()
    assert 100 <= answer.status < 600
    rest = await client.rest()
    client.received = rest[rest.find(b"HTTP/1.1 ") :] if b"HTTP/1.1 " in rest else b""
    return answer


# -- requests that were parsed before -----------------------------------------------


def bytes_of(answer: Answer) -> object:
    """What must be the same, however it was made."""
    # A file name has the time, too.
    changing = ("date", "content-disposition")
    headers = {name: value for name, value in answer.headers.items() if name not in changing}
    return answer.status, headers, answer.body


@pytest.mark.parametrize(
    "path", ["/json", "/", "/healthz", "/history?limit=2", "/metrics", "/none"]
)
async def test_a_request_that_is_known_is_answered_as_if_it_were_parsed(path: str) -> None:
    """The first one by h11, the others by their bytes: nobody can tell which."""
    async with serving() as served:
        async with served.connect() as one, served.connect() as other:
            for number in range(3):
                served.publish()
                answers = [await client.get(path) for client in (one, other, one)]
                assert "date" in answers[1].headers
                if path != "/metrics":  # which counts these very requests
                    assert bytes_of(answers[0]) == bytes_of(answers[1]) == bytes_of(answers[2])
                if path == "/json":
                    assert answers[2].json["seq"] == 4 + number
        assert served.app.metrics["requests"] == 9


async def test_a_known_request_has_todays_answer() -> None:
    """Also when that is an error now, or the server is about to stop."""
    async with serving() as served, served.connect() as client:
        for path in ("/json", "/history"):
            assert (await client.get(path)).status == 200
        served.hub.set_status("stale", "no sample")
        assert (await client.get("/json")).json["status"] == "stale"
        served.record_source.replace(7)
        served.begin()
        for path in ("/json", "/history"):
            assert (await client.get(path)).status == 503
        served.publish()
        served.hub.set_status("ok", "")
        assert (await client.get("/json")).json["seq"] == 1
        served.app.stopping = True
        answer = await client.get("/json")
        assert (answer.status, answer.closes) == (200, True)


async def test_only_the_very_same_bytes_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another header, a second request behind it, or half of it: that is h11's to judge."""
    parsed: list[bytes] = []
    feed = http.Connection._feed

    def counted(connection: http.Connection, data: bytes) -> None:
        parsed.append(data)
        feed(connection, data)

    monkeypatch.setattr(http.Connection, "_feed", counted)
    async with serving() as served, served.connect() as client:
        for _ in range(3):
            await client.get("/json")
        assert len(parsed) == 1
        await client.get("/json", "X-Other: 1")
        assert len(parsed) == 2
        await client.send(request("/json") * 2)
        assert [(await client.answer()).status for _ in range(2)] == [200, 200]
        assert len(parsed) == 4
        whole = request("/json")
        await client.send(whole[:9])
        await until(lambda: len(parsed) == 5)
        await client.send(whole[9:])
        assert (await client.answer()).status == 200
        for headers in (("Connection: close",), ("Content-Length: 0",)):
            async with served.connect() as other:
                for _ in range(1 + ("Content" in headers[0])):
                    before = len(parsed)
                    assert (await other.get("/json", *headers)).status == 200
                    assert len(parsed) == before + 1


async def test_a_known_answer_waits_for_a_client_that_takes_it_slowly() -> None:
    """It asks faster than it reads; each answer arrives whole, in order."""
    count = 3000
    async with serving() as served:
        small = trio.socket.socket()
        small.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, 4096)
        await small.connect(("127.0.0.1", served.port))
        async with trio.SocketStream(small) as stream, trio.open_nursery() as nursery:
            client = Client(stream)
            first = await client.get("/json")

            async def ask() -> None:
                for _ in range(count):
                    await client.send(request("/json"))
                    await trio.lowlevel.checkpoint()

            nursery.start_soon(ask)
            await until(lambda: served.app.metrics["requests"] > 50)
            for _ in range(count):
                assert bytes_of(await client.answer()) == bytes_of(first)
