"""Accepting, refusing, running out, and stopping: a real server on real sockets."""

import errno
import logging
import resource
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.helpers.fakes import FakeRecords, serving, until
from tests.helpers.http_client import PATIENCE_S, Client, Event, NoMore, connect, request
from trio_mpu.errors import ServerError
from trio_mpu.server import acceptor, listeners
from trio_mpu.server import run as server_run
from trio_mpu.server.listeners import open_listeners
from trio_mpu.settings import ServerSettings
from trio_mpu.web.page import Page
from trio_mpu.web.request import Request

# -- listening ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "addresses"),
    [(None, ["127.0.0.1", "::1"]), ("127.0.0.1", ["127.0.0.1"]), ("localhost", ["127.0.0.1"])],
)
async def test_every_address_is_served(host: str | None, addresses: list[str]) -> None:
    """IPv4 and IPv6 where no host is given."""
    async with serving(host=host) as served:
        ports = {
            listener.socket.family: listener.socket.getsockname()[1]
            for listener in served.listeners
        }
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            async with connect(ports[family], address) as client:
                assert (await client.get("/healthz")).status == 200


async def test_a_port_in_use_is_one_line() -> None:
    """It says what to do, and nothing stays open."""
    async with serving() as served:
        with pytest.raises(ServerError, match=f"port {served.port} is in use .* --port"):
            await open_listeners("127.0.0.1", served.port)
        settings = ServerSettings(host="127.0.0.1", port=served.port, ring="fake")
        with pytest.raises(ServerError, match="in use"):
            await server_run.run_server(settings, trio.Event())


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
async def test_an_address_of_another_machine_is_one_line(host: str) -> None:
    """It names the option."""
    with pytest.raises(ServerError, match=f"{host} is no address of this machine; see --host"):
        await open_listeners(host, 0)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EACCES, "Permission denied"), "no permission to listen on port 80;"),
        (OSError(errno.EMFILE, "Too many open files"), "can't listen on port 80: .*Too many"),
    ],
)
async def test_other_failures_are_one_line(
    monkeypatch: pytest.MonkeyPatch, error: OSError, words: str
) -> None:
    """Those that a test can't provoke."""

    async def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(trio.socket, "getaddrinfo", fail)
    with pytest.raises(ServerError, match=words):
        await open_listeners("127.0.0.1", 80)


async def test_dead_peers_are_found_by_the_kernel() -> None:
    """What is accepted has the listener's options."""
    (listener,) = await open_listeners("127.0.0.1", 0)
    async with listener:
        async with await trio.testing.open_stream_to_socket_listener(listener):
            accepted = await listener.accept()
        async with accepted:
            user_timeout = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            assert user_timeout == listeners.DEAD_PEER_MS
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            buffer_bytes = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
            assert buffer_bytes == 2 * listeners.SEND_BUFFER_BYTES


def test_the_page_is_there() -> None:
    """From the package itself."""
    page = Page.load().answer(Request("GET", "/"))
    assert page is not None
    assert page.body.lstrip().lower().startswith(b"<!doctype html>")


async def test_hundreds_may_connect_at_once() -> None:
    """Each gets its answer; none is refused by the kernel."""
    answers: list[int] = []

    async def ask() -> None:
        async with served.connect() as client:
            answers.append((await client.get("/json")).status)

    async with serving() as served:
        async with trio.open_nursery() as nursery:
            for _ in range(400):
                nursery.start_soon(ask)
        await served.quiet()
    assert answers == [200] * 400


async def test_clients_join_and_resume_while_others_stream() -> None:
    """Whoever comes when, by whichever way the bytes go: every sample once, in order."""
    streamed: list[int] = []  # how many samples each stream had
    resumed = 0

    async def stay() -> None:
        async with served.connect() as client:
            await client.open_events()
            first = seq = (await client.event()).json["seq"]
            while seq < last:
                event = await client.event()
                assert event.json["seq"] == seq + 1
                seq += 1
            streamed.append(seq - first)

    async def come_and_go(number: int) -> None:
        nonlocal resumed
        event: Event | None = None
        while event is None or event.json["seq"] < last:
            async with served.connect() as client:
                headers = [f"Last-Event-ID: {event.id}"] if event else []
                await client.open_events("/events", *headers)
                for _ in range(5 + number):
                    before, event = event, await client.event()
                    assert before is None or event.json["seq"] == before.json["seq"] + 1
                    if event.json["seq"] == last:
                        break
                resumed += bool(headers)

    last = 200
    async with serving() as served, trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(stay)
        for number in range(6):
            nursery.start_soon(come_and_go, number)
        await until(lambda: served.app.slot.get("streams_open") >= 26)
        while served.hub.head < last:
            served.publish(1 + served.hub.head % 3 % (last - served.hub.head))
            await trio.sleep(0.001)
    assert len(streamed) == 20
    assert min(streamed) > 100
    assert resumed > 30


# -- limits -------------------------------------------------------------------------


async def test_too_many_clients_are_told_so(caplog: pytest.LogCaptureFixture) -> None:
    """503 with Retry-After, readable also in the middle of an upload; later there is room again."""
    async with serving(max_clients=2) as served:
        async with served.connect() as one, served.connect() as two:
            await one.open_events()
            assert (await two.get("/json")).status == 200
            for data in (
                b"",
                request("/json"),
                request("/", "Content-Length: 400000"),
                b"\0garbage",
            ):
                async with served.connect() as refused:
                    with trio.fail_after(PATIENCE_S):
                        await refused.send(data + b"x" * (400_000 if b"400000" in data else 0))
                    answer = await refused.answer()
                    assert (answer.status, answer.closes) == (503, True)
                    assert int(answer.headers["retry-after"]) > 0
                    assert "date" in answer.headers
                    assert answer.json["reason"] == "2 clients are connected already"
                    await refused.stream.send_eof()
                    await refused.closed()
            assert (await one.event()).json["seq"] == 3
        await served.quiet()
        async with served.connect() as again:
            assert (await again.get("/json")).status == 200
            async with served.connect() as other, served.connect() as refused:
                assert (await refused.answer()).status == 503
                assert (await other.get("/json")).status == 200
        metrics = served.app.metrics
        assert (metrics["connections_refused"], metrics["connections"]) == (5, 9)
    assert caplog.text.count("refusing clients: there are 2 already") == 2, "once for each time"


async def test_an_address_has_its_share_of_the_connections() -> None:
    """503 for one more, as for too many in all; a place that is left is free again, and other addresses
    have theirs. Without the option there is no such limit."""
    async with serving(max_clients_per_address=2, max_clients=4) as served:
        async with served.connect() as one, served.connect() as two:
            for client in (one, two):
                assert (await client.get("/json")).status == 200
            async with served.connect() as refused:
                answer = await refused.answer()
                assert (answer.status, answer.closes) == (503, True)
                assert int(answer.headers["retry-after"]) > 0
                assert answer.json["reason"] == "2 clients of your address are connected already"
            async with await trio.open_tcp_stream(
                "127.0.0.1", served.port, local_address="127.0.0.2"
            ) as stream:
                assert (await Client(stream).get("/json")).status == 200
        await served.quiet()
        async with served.connect() as again:
            assert (await again.get("/json")).status == 200
        await served.quiet()
        assert len(served.app.shares) == 0
        assert served.app.metrics["shares_refused"] == 1
        assert served.app.metrics["connections_refused"] == 0


async def test_who_is_refused_for_too_many_in_all_takes_no_share() -> None:
    """It would never be given back."""
    async with serving(max_clients_per_address=3, max_clients=1) as served:
        async with served.connect() as client:
            assert (await client.get("/json")).status == 200
            for _ in range(5):
                async with served.connect() as refused:
                    assert (await refused.answer()).json["reason"] == (
                        "1 clients are connected already"
                    )
            assert served.app.metrics["shares_refused"] == 0
        await served.quiet()
        assert len(served.app.shares) == 0


async def test_even_refusals_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound a connection is closed unanswered."""
    monkeypatch.setattr(acceptor, "MAX_REFUSALS", 2)
    async with (
        serving(max_clients=1) as served,
        served.connect() as client,
        served.connect() as one,
        served.connect() as two,
        served.connect() as three,
    ):
        assert (await one.answer()).status == 503
        assert (await two.answer()).status == 503
        await three.closed()
        assert served.app.metrics["connections_dropped"] == 1
        for refused in (one, two):
            await refused.closed()
            await refused.stream.aclose()
        await trio.testing.wait_all_tasks_blocked(0.01)
        async with served.connect() as four:
            assert (await four.answer()).status == 503
        assert (await client.get("/json")).status == 200


class Exhausted(trio.abc.Listener[trio.SocketStream]):
    """A listener that fails for a while."""

    def __init__(self, listener: trio.SocketListener, code: int, times: int) -> None:
        self._listener = listener
        self.socket = listener.socket
        self.code = code
        self.times = times

    async def accept(self) -> trio.SocketStream:
        """Accept, or fail."""
        if self.times:
            self.times -= 1
            await trio.lowlevel.checkpoint()
            raise OSError(self.code, "no room")
        return await self._listener.accept()

    async def aclose(self) -> None:
        """Close."""
        await self._listener.aclose()


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_accepting_waits_while_there_is_no_room(
    code: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Quietly: one line when it begins, one when it is over."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(acceptor, "DESCRIPTOR_PAUSE_S", 0.005)

    async def listen(host: str, port: int, *, shared: bool) -> list[Any]:
        assert not shared
        return [Exhausted(listener, code, times=5) for listener in await open_listeners(host, port)]

    monkeypatch.setattr(server_run, "open_listeners", listen)
    async with serving() as served, served.connect() as client:
        assert (await client.get("/json")).status == 200
        assert served.app.metrics["descriptors_exhausted"] == 5
    assert caplog.text.count("no new clients for now: no room") == 1
    assert caplog.text.count("new clients again") == 1
    assert "Traceback" not in caplog.text


async def test_another_failure_of_accepting_is_an_error() -> None:
    """It would go on for ever, so somebody must see it."""
    (listener,) = await open_listeners("127.0.0.1", 0)
    broken: Any = Exhausted(listener, errno.EINVAL, 1)
    async with serving() as served:
        accepting = acceptor.Acceptor(broken, served.app, 1)
        async with trio.open_nursery() as connections:
            with pytest.raises(OSError, match="no room"):
                await accepting.run(connections)
    assert listener.socket.fileno() == -1


SHORT_OF_DESCRIPTORS = """
import resource, sys, trio
from tests.helpers.fakes import serving

async def main():
    async with serving() as served:
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
        print(served.port, flush=True)
        while not await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            pass
        print(served.app.metrics["descriptors_exhausted"], flush=True)

trio.run(main)
"""


async def test_without_descriptors_the_streams_go_on() -> None:
    """And service resumes by itself; nothing is said beyond two lines."""
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 200
    process = await trio.lowlevel.open_process(
        [sys.executable, "-c", SHORT_OF_DESCRIPTORS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    try:
        with trio.fail_after(20):
            port = int(await line_of(process.stdout))
            async with connect(port) as client:
                await client.open_events()
                assert (await client.event()).json["seq"] == 3
                crowd = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(60)]
                waiting = Client(crowd[-1])
                await waiting.send(request("/json"))
                with trio.move_on_after(0.3) as scope:
                    await waiting.answer()
                assert scope.cancelled_caught, "this one was to find no descriptor"
                assert (await client_works(crowd[0])) == 200
                for stream in crowd[:-1]:
                    await stream.aclose()
                assert (await waiting.answer()).status == 200
                await waiting.stream.aclose()
            await process.stdin.send_all(b"\n")
            pauses = int(await line_of(process.stdout))
            said = b"".join([data async for data in process.stderr])
    finally:
        process.kill()
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 5):
            await process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            await pipe.aclose()
    assert 0 < pauses < 200, "once in DESCRIPTOR_PAUSE_S, and not as fast as it can"
    assert b"Traceback" not in said
    assert said.count(b"no new clients for now: Too many open files") >= 1


async def line_of(stream: trio.abc.ReceiveStream) -> bytes:
    """Read a line, in however many pieces it comes."""
    line = b""
    while not line.endswith(b"\n"):
        data = await stream.receive_some()
        assert data, "the program has ended"
        line += data
    return line


async def client_works(stream: trio.SocketStream) -> int:
    """Ask on a connection that was accepted in time."""
    return (await Client(stream).get("/json")).status


# -- the end ------------------------------------------------------------------------


async def test_stopping_closes_the_listener_at_once() -> None:
    """And ends streams with a proper last chunk, and idle connections; then the server is done."""
    async with (
        serving() as served,
        served.connect() as stream,
        served.connect() as old,
        served.connect() as idle,
        served.connect() as silent,
    ):
        await stream.open_events()
        assert (await stream.event()).json["seq"] == 3
        await old.open_events(version="1.0")
        assert (await idle.get("/json")).status == 200
        await silent.send(b"")
        await until(lambda: served.hub.attached == 2)
        served.publish()
        served.stop.set()
        await until(lambda: served.listeners[0].socket.fileno() == -1)
        assert (await stream.event()).json["seq"] == 4
        with pytest.raises(NoMore, match="last chunk"):
            await stream.event()
        await stream.closed()
        assert b'"seq":4,' in await old.rest()
        await idle.closed()
        await silent.closed()
        for client in (stream, old):
            await client.stream.aclose()
        with trio.fail_after(2):
            await served.stopped.wait()


async def test_an_answer_in_progress_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    """It announces the close, though nobody had asked for one; nothing behind it is answered."""
    monkeypatch.setattr(
        server_run, "GRACE_S", 30
    )  # a busy machine may need longer than a user waits
    record_source = FakeRecords(capacity=100_000)
    record_source.write(20_000)
    async with (
        serving(record_source) as served,
        served.connect() as asking,
        served.connect() as reading,
    ):
        await asking.send(request("/json", "Content-Length: 3"))
        await reading.send(request("/history"))
        await reading.head()
        await until(lambda: served.app.metrics["requests"] == 2)
        served.stop.set()
        await until(lambda: served.app.stopping)
        await asking.send(b"abc" + request("/json"))
        answer = await asking.answer()
        assert (answer.status, answer.closes) == (200, True)
        await asking.stream.send_eof()
        await asking.closed()
        seqs = b""
        while (chunk := await reading.chunk()) is not None:
            seqs += chunk
        assert seqs.count(b'"seq"') == 20_000
        await reading.closed()
        for client in (asking, reading):  # or the server would linger for them
            await client.stream.aclose()
        with trio.fail_after(2):
            await served.stopped.wait()


async def test_what_is_not_finished_in_time_is_cut(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After GRACE_S: a client that takes nothing, and one whose request never comes."""
    monkeypatch.setattr(server_run, "GRACE_S", 0.1)
    record_source = FakeRecords(capacity=100_000)
    record_source.write(50_000)
    async with (
        serving(record_source) as served,
        served.connect() as stuck,
        served.connect() as slow,
    ):
        await stuck.send(request("/history"))
        await slow.send(b"GET /js")
        await until(
            lambda: served.app.slot.get("connections_open") == 2 and served.app.metrics["requests"]
        )
        served.stop.set()
        with trio.fail_after(2):
            await served.stopped.wait()
        assert not (await stuck.rest()).endswith(b"0\r\n\r\n")
        await slow.closed()
    assert "connections were cut" in caplog.text


async def test_a_client_that_comes_while_the_server_stops_is_sent_home() -> None:
    """One that was accepted just before."""
    async with serving() as served, served.connect() as client:
        # What the kernel alone has accepted is reset.
        while not served.app.slot.get("connections_open"):
            await trio.lowlevel.checkpoint()
        served.stop.set()
        await client.closed()
        with trio.fail_after(2):
            await served.stopped.wait()
