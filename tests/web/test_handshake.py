"""How connections with TLS begin, and how those end that never do."""

import contextlib
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair, wait_all_tasks_blocked

from tests.helpers.certificates import client_context, client_over, server_context, tls_client
from tests.helpers.fakes import FakeRecords, make_app
from tests.helpers.http_client import Client, NoMore
from trio_mpu.http import serve_connection
from trio_mpu.tls.session import TlsSession
from trio_mpu.web.app import App, Reply
from trio_mpu.web.handshake import HANDSHAKE_S
from trio_mpu.web.request import Request
from trio_mpu.web.responses import IDLE_S


@pytest.fixture
def app() -> App:
    """With three samples."""
    record_source = FakeRecords()
    record_source.write(3)
    return make_app(record_source)


@asynccontextmanager
async def served(app: App) -> AsyncIterator[trio.abc.HalfCloseableStream]:
    """A connection in memory to a server with TLS; check that it ends without an error."""
    server, client = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, server, app, TlsSession(server_context()))
        yield client
        await client.aclose()
    assert app.metrics["handler_errors"] == 0


def counted(app: App) -> dict[str, int]:
    """What went wrong, and how often."""
    names = ("tls_failed", "tls_missing", "requests", "requests_bad", "timeouts_idle")
    return {name: count for name in names if (count := app.metrics[name])}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_requests_are_answered(
    app: App, version: ssl.TLSVersion, autojump_clock: MockClock
) -> None:
    """And marked as secure; the idle connection is closed with a goodbye."""
    seen, handle = list[Request](), app.handle

    def see(request: Request, app: App) -> Reply:
        seen.append(request)
        return handle(request, app)

    app.handle = see
    async with served(app) as stream, tls_client(stream, client_context(version)) as secure:
        client = client_over(secure)
        for _ in range(2):
            assert (await client.get("/json")).status == 200
        began_s = trio.current_time()
        assert await secure.receive_some() == b"", "or there was no goodbye"
        assert trio.current_time() - began_s == pytest.approx(IDLE_S)
    assert all(request.secure for request in seen)
    assert counted(app) == {"requests": 2, "timeouts_idle": 1}


async def test_a_handshake_has_a_deadline(app: App, autojump_clock: MockClock) -> None:
    """From its beginning to its end, however slowly the bytes come; also for who says nothing."""
    hello = client_hello()
    for said in (b"", hello[:1], hello[:50], hello):
        async with served(app) as client:
            began_s = trio.current_time()
            with trio.move_on_after(1000):
                await client.send_all(said) if said else None
                while await client.receive_some():
                    pass
            assert trio.current_time() - began_s == pytest.approx(HANDSHAKE_S)
    async with served(app) as client:
        began_s = trio.current_time()
        with contextlib.suppress(trio.BrokenResourceError):
            for byte in hello:
                await client.send_all(bytes([byte]))
                await trio.sleep(0.5)
        assert trio.current_time() - began_s <= HANDSHAKE_S + 0.5
    assert counted(app) == {"tls_failed": 5}


def client_hello() -> bytes:
    """The first record of a client."""
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        client_context().wrap_bio(
            ssl.MemoryBIO(), outgoing, server_hostname="localhost"
        ).do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_http_without_tls_gets_a_word_it_understands(
    app: App, method: str, autojump_clock: MockClock
) -> None:
    """One line, in HTTP."""
    async with served(app) as stream:
        client = Client(stream)
        await client.send(f"{method} /json HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        answer = await client.answer()
        assert (answer.status, answer.closes) == (400, True)
        assert answer.json == {"status": "error", "reason": "this port speaks TLS: use https"}
        await client.closed()
    assert counted(app) == {"tls_missing": 1}


@pytest.mark.parametrize(
    "said", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\0" * 100, b"\x16\x03\x01\xff\xff" + b"x" * 100]
)
async def test_nonsense_is_counted(app: App, said: bytes, autojump_clock: MockClock) -> None:
    """And the connection closed."""
    async with served(app) as client:
        await client.send_all(said)
        while await client.receive_some():
            pass
    assert counted(app) == {"tls_failed": 1}


async def test_who_leaves_is_counted_unless_nothing_was_said(
    app: App, autojump_clock: MockClock
) -> None:
    """A look whether the port is open is no failure."""
    async with served(app) as client:
        await client.aclose()
    assert counted(app) == {}
    async with served(app) as client:
        await client.send_all(client_hello())
        await wait_all_tasks_blocked()
        await client.aclose()
    assert counted(app) == {"tls_failed": 1}


async def test_who_leaves_after_the_handshake_has_not_failed_in_it(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As programs do that only look at the certificate: the last records find nobody."""
    monkeypatch.setattr(TlsSession, "handshake", lambda *_: True)
    monkeypatch.setattr(TlsSession, "take", lambda _: b"tickets")
    server, client = memory_stream_pair()
    await client.send_all(b"the end of a handshake")
    await client.aclose()
    await serve_connection(server, app, TlsSession(server_context()))
    assert counted(app) == {}


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
async def test_old_versions_are_refused_with_an_alert(
    app: App, version: ssl.TLSVersion, autojump_clock: MockClock
) -> None:
    """The client can say why. (Which of the two alerts, Python's build and OpenSSL's settings decide.)"""
    context = client_context(version)
    context.set_ciphers("ALL:@SECLEVEL=0")  # as old clients are
    async with served(app) as stream:
        with pytest.raises(trio.BrokenResourceError) as caught:
            await tls_client(stream, context).do_handshake()
    assert re.search("ALERT_(PROTOCOL_VERSION|INTERNAL_ERROR)", str(caught.value.__cause__))
    assert counted(app) == {"tls_failed": 1}


async def test_a_client_that_does_not_trust_the_certificate_is_counted(
    app: App, autojump_clock: MockClock
) -> None:
    """As when a browser asks its user first."""
    async with served(app) as stream:
        with pytest.raises(trio.BrokenResourceError):
            await tls_client(stream, ssl.create_default_context()).do_handshake()
    assert counted(app) == {"tls_failed": 1}


async def test_a_stop_does_not_wait_for_handshakes(app: App, autojump_clock: MockClock) -> None:
    """Nor are they failures then."""
    async with served(app) as client:
        await client.send_all(client_hello()[:50])
        await wait_all_tasks_blocked()
        began_s = trio.current_time()
        app.stop()
        assert await client.receive_some() == b""
        assert trio.current_time() == began_s
    assert counted(app) == {}


async def test_a_stream_ends_with_its_last_chunk_and_a_goodbye(
    app: App, autojump_clock: MockClock
) -> None:
    """When the server stops."""
    async with served(app) as stream, tls_client(stream) as secure:
        client = client_over(secure)
        await client.open_events()
        assert (await client.event()).json["seq"] == 3
        app.stop()
        with pytest.raises(NoMore, match="the last chunk came"):
            await client.event()
        await client.closed()
