"""Every byte that a client gets is counted, whichever way it goes."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from tests.helpers.fakes import FakeRecords, Served, serving, until
from tests.helpers.http_client import PATIENCE_S, request


class Received:
    """A connection, and how many bytes came."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.data = b""

    async def until(self, end: bytes) -> None:
        """Receive until this comes."""
        begin = len(self.data)
        with trio.fail_after(PATIENCE_S):
            while end not in self.data[begin:]:
                self.data += await self.stream.receive_some()

    async def rest(self) -> None:
        """Receive until the server closes."""
        with trio.fail_after(PATIENCE_S):
            while more := await self.stream.receive_some():
                self.data += more


@asynccontextmanager
async def received(served: Served, *, buffer_bytes: int = 0) -> AsyncIterator[Received]:
    """Connect, with a receive buffer of this size."""
    raw = trio.socket.socket()
    if buffer_bytes:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    await raw.connect(("127.0.0.1", served.port))
    async with trio.SocketStream(raw) as stream:
        yield Received(stream)


def counted(served: Served) -> int:
    """What the server says that it has sent."""
    return served.app.metrics["sent_bytes"]


async def test_answers_are_counted() -> None:
    """Those that are parsed, those that are known by their bytes, errors, and those in pieces."""
    async with serving() as served, received(served) as client:
        for path in ("/json", "/json", "/json", "/none", "/history?limit=2", "/history?format=csv"):
            await client.stream.send_all(request(path))
            await client.until(b"\r\n\r\n")
        await client.stream.send_all(request("/livez", "Connection: close"))
        await client.rest()
        assert served.app.metrics["requests"] == 7
        await served.quiet()
        assert counted(served) == len(client.data)


@pytest.mark.parametrize("clients", [1, 3])
async def test_direct_writes_are_counted_for_each_client(clients: int) -> None:
    """Samples that go straight into the sockets of tasks that sleep."""
    async with serving() as served, received(served) as one, received(served) as two:
        streams = [one, two][:clients]
        for client in streams:
            await client.stream.send_all(request("/events"))
        await until(lambda: served.hub.attached == len(streams))
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(20):
            served.publish()
        served.stop.set()
        for client in streams:
            await client.rest()
        await served.quiet()
        assert counted(served) == sum(len(client.data) for client in streams)


async def test_what_a_slow_client_is_sent_is_counted_once() -> None:
    """Half of a chunk directly, the rest by its task, and what it missed from the ring."""
    async with serving(FakeRecords(capacity=5000)) as served:
        served.publish(3)
        async with received(served, buffer_bytes=4096) as client:
            await client.stream.send_all(request("/events"))
            await until(lambda: served.hub.attached == 1)
            for _ in range(1500):
                served.publish()
            await until(lambda: served.app.metrics["overflows"] == 1)
            with trio.move_on_after(PATIENCE_S) as scope:
                while served.hub.attached == 0:
                    client.data += await client.stream.receive_some()
            assert not scope.cancelled_caught
            served.stop.set()
            await client.rest()
            await served.quiet()
            assert counted(served) == len(client.data)
