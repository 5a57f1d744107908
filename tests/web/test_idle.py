"""Who looks after idle connections."""

import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.helpers.certificates import tls_pair
from tests.helpers.fakes import reset, tcp_pair
from trio_mpu.fanout.direct_write import DirectSocket
from trio_mpu.web.idle import IdleConnection, IdleConnections
from trio_mpu.web.transport import Transport

BIG = bytes(8_000_000)


def known(request: bytes) -> bytes:
    """Answer some requests."""
    return {b"small?": b"small!", b"big?": BIG}.get(request, b"")


@asynccontextmanager
async def open_desk(answer: Callable[[bytes], bytes] = known) -> AsyncIterator[IdleConnections]:
    """A desk at work."""
    with closing(IdleConnections(answer)) as idle_connections:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(idle_connections.run)
            yield idle_connections
            nursery.cancel_scope.cancel()


async def test_what_is_known_is_answered_without_waking_anybody() -> None:
    """And what is not wakes the one who waits, with the bytes."""
    async with open_desk() as idle_connections, tcp_pair() as (server, client):
        visitor = IdleConnection()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(idle_connections.wait, DirectSocket(server.socket.fileno()), visitor)
            for _ in range(3):
                await client.send_all(b"small?")
                assert await client.receive_some() == b"small!"
            assert visitor.answered_s <= trio.current_time()
            assert len(nursery.child_tasks) == 1
            await client.send_all(b"what?")
        assert (visitor.data, visitor.rest) == (b"what?", None)


async def test_an_answer_that_is_not_taken_at_once_is_for_the_task() -> None:
    """The rest of it."""
    async with open_desk() as idle_connections, tcp_pair() as (server, client):
        visitor = IdleConnection()
        await client.send_all(b"big?")
        await idle_connections.wait(DirectSocket(server.socket.fileno()), visitor)
        assert visitor.rest is not None
        taken = len(BIG) - len(visitor.rest)
        assert 0 < taken < len(BIG)
        received = 0
        while received < taken:
            received += len(await client.receive_some())
        assert received == taken


async def test_the_end_and_a_reset_wake_the_task_with_nothing() -> None:
    """There is no more to be said."""
    async with open_desk() as idle_connections:
        for how in ("end", "close", "reset"):
            async with tcp_pair() as (server, client):
                visitor = IdleConnection(data=b"old")
                if how == "end":
                    await client.send_eof()
                else:
                    if how == "reset":
                        reset(client)
                    await client.aclose()
                with trio.fail_after(5):
                    await idle_connections.wait(DirectSocket(server.socket.fileno()), visitor)
                assert visitor.data == b""


async def test_who_is_cancelled_has_lost_nothing() -> None:
    """What the client says later, or has said, can still be read."""
    async with open_desk() as idle_connections, tcp_pair() as (server, client):
        socket = DirectSocket(server.socket.fileno())
        for _ in range(2):  # the place is free again
            with trio.move_on_after(0.001) as scope:
                await idle_connections.wait(socket, IdleConnection())
            assert scope.cancelled_caught
        await client.send_all(b"small?")
        await wait_all_tasks_blocked()
        assert await server.receive_some() == b"small?"


async def test_a_wake_up_for_nothing_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel may say that there is something to read when there is not."""
    async with open_desk() as idle_connections, tcp_pair() as (server, client):
        visitor = IdleConnection()
        read, tries = os.read, list[int]()

        def nothing_at_first(fd: int, size: int) -> bytes:
            tries.append(fd)
            if len(tries) == 1:
                raise BlockingIOError
            return bytes(read(fd, size))

        monkeypatch.setattr("os.read", nothing_at_first)
        await client.send_all(b"what?")
        with trio.fail_after(5):
            await idle_connections.wait(DirectSocket(server.socket.fileno()), visitor)
        assert (visitor.data, len(tries)) == (b"what?", 2)


async def test_an_error_that_nobody_foresaw_is_for_its_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The desk goes on, and the task is given the bytes."""

    def broken(request: bytes) -> bytes:
        raise ZeroDivisionError(request)

    async with open_desk(broken) as idle_connections, tcp_pair() as (server, client):
        visitor = IdleConnection()
        for _ in range(2):
            await client.send_all(b"small?")
            await idle_connections.wait(DirectSocket(server.socket.fileno()), visitor)
            assert visitor.data == b"small?"
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2


async def test_with_tls_the_known_is_answered_without_waking_anybody() -> None:
    """However its records come: alone, two together, or in parts."""
    async with open_desk() as idle_connections, tls_pair() as (server, tls, client):
        visitor = IdleConnection()
        socket = DirectSocket(server.socket.fileno(), tls)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(idle_connections.wait, socket, visitor)
            for _ in range(3):
                await client.send_all(b"small?")
                assert await client.receive_some() == b"small!"
            records = b""
            for question in (b"small?", b"small?", b"what?"):
                records += await records_of(client, question)
            await client.transport_stream.send_all(records[:-3])
            assert await client.receive_some() == b"small!"
            assert await client.receive_some() == b"small!"
            assert len(nursery.child_tasks) == 1
            await client.transport_stream.send_all(records[-3:])
        assert (visitor.data, visitor.rest) == (b"what?", None)


async def records_of(client: "trio.SSLStream[trio.SocketStream]", data: bytes) -> bytes:
    """The records in which a client would send this, which it does not."""
    kept = bytearray()

    class Keeper(trio.abc.SendStream):
        async def send_all(self, data: bytes | bytearray | memoryview) -> None:
            kept.extend(data)

        async def wait_send_all_might_not_block(self) -> None:
            pass

        async def aclose(self) -> None:
            pass

    real = client.transport_stream
    client.transport_stream = Keeper()  # type: ignore[assignment]
    await client.send_all(data)
    client.transport_stream = real
    return bytes(kept)


async def test_with_tls_what_came_behind_a_request_is_not_waited_for() -> None:
    """The kernel would never speak of it again."""
    async with open_desk() as idle_connections, tls_pair() as (server, tls, client):
        await client.send_all(b"what?")
        tls.feed(await server.receive_some())
        visitor = IdleConnection()
        with trio.fail_after(5):
            await idle_connections.wait(DirectSocket(server.socket.fileno(), tls), visitor)
        assert visitor.data == b"what?"


async def test_with_tls_the_rest_of_an_answer_is_the_session_s() -> None:
    """The task sends it."""
    async with open_desk() as idle_connections, tls_pair() as (server, tls, client):
        visitor = IdleConnection()
        await client.send_all(b"big?")
        await idle_connections.wait(DirectSocket(server.socket.fileno(), tls), visitor)
        assert (visitor.data, visitor.rest) == (b"", b"")
        received = 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Transport(server, tls).send, b"")
            while received < len(BIG):
                received += len(await client.receive_some())
        assert received == len(BIG)


async def test_with_tls_an_end_damage_and_a_reset_wake_the_task_with_nothing() -> None:
    """There is no more to be said; damage that was read before, too."""
    async with open_desk() as idle_connections:
        for how in ("goodbye", "end", "damage", "reset", "damage before"):
            async with tls_pair() as (server, tls, client):
                visitor = IdleConnection(data=b"old")
                if how == "goodbye":
                    await client.aclose()
                elif how == "reset":
                    reset(client.transport_stream)
                elif how == "damage":
                    await client.transport_stream.send_all(b"no record")
                elif how == "damage before":
                    tls.feed(b"no record")
                else:
                    await client.transport_stream.send_eof()
                with trio.fail_after(5):
                    await idle_connections.wait(DirectSocket(server.socket.fileno(), tls), visitor)
                assert visitor.data == b""
