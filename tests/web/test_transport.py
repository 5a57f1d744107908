"""Deadlines on every wait, and a goodbye that arrives: over real connections where they matter."""

import socket

import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair, memory_stream_pair

from tests.helpers.certificates import tls_pair
from tests.helpers.fakes import reset, tcp_pair
from trio_mpu.errors import ClientGone
from trio_mpu.tls.session import TlsSession
from trio_mpu.web import transport
from trio_mpu.web.transport import LINGER_S, WRITE_S, Transport

BIG = bytes(range(256)) * 8192  # 2 MiB: more than all buffers of a connection


async def receive_all(stream: trio.abc.ReceiveStream) -> bytes:
    """Read to the end."""
    received = bytearray()
    async for data in stream:
        received += data
    return bytes(received)


async def test_what_is_sent_is_received() -> None:
    """In both directions, and the end too."""
    async with tcp_pair() as (server, client):
        await client.send_all(b"question")
        assert await Transport(server).receive() == b"question"
        await Transport(server).send(b"answer")
        assert await client.receive_some() == b"answer"
        await client.send_eof()
        assert await Transport(server).receive() == b""


async def test_a_big_answer_arrives_whole() -> None:
    """However often the kernel has no room."""
    async with tcp_pair() as (server, client), trio.open_nursery() as nursery:

        async def send() -> None:
            await Transport(server).send(BIG)
            await server.send_eof()

        nursery.start_soon(send)
        assert await receive_all(client) == BIG


async def test_a_reset_is_no_unforeseen_error() -> None:
    """Neither for reading nor for writing."""
    async with tcp_pair() as (server, client):
        reset(client)
        with pytest.raises(ClientGone) as caught:
            await Transport(server).receive()
        assert not caught.value.stuck
        with pytest.raises(ClientGone) as caught:
            await Transport(server).send(b"answer")
        assert not caught.value.stuck
        await Transport(server).linger()


async def test_a_client_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """When it has taken nothing for WRITE_S."""
    monkeypatch.setattr(transport, "WRITE_S", 0.05)
    async with tcp_pair() as (server, _):
        with trio.fail_after(5), pytest.raises(ClientGone) as caught:
            await Transport(server).send(BIG)
    assert caught.value.stuck


async def test_a_client_that_the_kernel_gives_up_counts_as_stuck() -> None:
    """The kernel's own deadline for a full window is as long as ours, and may come first."""
    async with tcp_pair() as (server, _):
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 50)
        with trio.fail_after(5), pytest.raises(ClientGone, match="timed out") as caught:
            await Transport(server).send(BIG)
    assert caught.value.stuck


class FullStream(trio.abc.HalfCloseableStream):
    """A stream that has no room, and never gets any."""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.sleep_forever()

    async def wait_send_all_might_not_block(self) -> None:
        pass

    async def aclose(self) -> None:
        pass

    async def send_eof(self) -> None:
        pass

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return b""


async def test_a_client_that_takes_little_is_not_given_up(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """Each wait in which its kernel acknowledges anything is followed by another one."""
    untaken = [*range(20, 0, -1), 1]
    monkeypatch.setattr(Transport, "_untaken", lambda _: untaken.pop(0))
    with pytest.raises(ClientGone) as caught:
        await Transport(FullStream()).send(BIG)
    assert caught.value.stuck
    assert untaken == []
    assert trio.current_time() == pytest.approx(20 * WRITE_S)


async def test_what_a_client_takes_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the kernel's count of bytes that the other side has not acknowledged."""
    monkeypatch.setattr(transport, "WRITE_S", 0.05)
    async with tcp_pair() as (server, client):
        transported = Transport(server)
        assert transported._untaken() == 0
        with pytest.raises(ClientGone):
            await transported.send(BIG)
        full = transported._untaken()
        assert full > 0
        with trio.fail_after(5):
            while transported._untaken() >= full:
                await client.receive_some()


async def test_any_stream_will_do(autojump_clock: MockClock) -> None:
    """A stream in memory has no kernel that could tell what was taken."""
    server: trio.abc.HalfCloseableStream
    server, client = memory_stream_pair()
    await Transport(server).send(BIG)
    assert await client.receive_some() == BIG
    await client.send_all(b"question")
    assert await Transport(server).receive() == b"question"
    server = lockstep_stream_pair()[0]
    began_s = trio.current_time()
    with pytest.raises(ClientGone) as caught:
        await Transport(server).send(b"answer")
    assert caught.value.stuck
    assert trio.current_time() - began_s == pytest.approx(WRITE_S)


async def test_a_client_in_the_middle_of_sending_reads_the_answer() -> None:
    """Closing at once would make its kernel throw the answer away."""
    async with tcp_pair() as (server, client), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def refuse() -> None:
            await Transport(server).receive()
            await Transport(server).send(b"no")
            await Transport(server).linger()
            await server.aclose()

        for _ in range(10):
            await client.send_all(BIG[:50_000])
            await trio.sleep(0.002)
        await client.send_eof()
        assert await receive_all(client) == b"no"


async def test_lingering_has_an_end_in_time(autojump_clock: MockClock) -> None:
    """For a client that leaves its side open and says nothing."""
    server, client = memory_stream_pair()
    began_s = trio.current_time()
    await Transport(server).linger()
    assert trio.current_time() - began_s == pytest.approx(LINGER_S)
    assert await client.receive_some() == b""


async def test_lingering_has_an_end_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a client that never stops sending."""
    monkeypatch.setattr(transport, "LINGER_BYTES", 100_000)
    async with tcp_pair() as (server, client), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def flood() -> None:
            with pytest.raises(trio.BrokenResourceError):
                await client.send_all(BIG * 4)

        with trio.fail_after(LINGER_S * 0.9):
            await Transport(server).linger()
        await server.aclose()
    assert server.socket.fileno() == -1


async def test_only_sockets_can_be_handed_anything() -> None:
    """Streams of other kinds are written by their own task."""
    server, _ = memory_stream_pair()
    assert Transport(server).socket is None


async def test_with_tls_what_is_sent_is_received() -> None:
    """In both directions, big things too, and a proper end."""
    async with tls_pair() as (server, tls, client), trio.open_nursery() as nursery:
        transported = Transport(server, tls)
        assert transported.secure
        assert not Transport(server).secure
        await client.send_all(b"question")
        assert await transported.receive() == b"question"

        @nursery.start_soon
        async def answer() -> None:
            await transported.send(BIG)
            await transported.linger()
            await server.aclose()

        received = bytearray()
        while data := await client.receive_some():
            received += data
        assert received == BIG
        await client.aclose()


async def test_with_tls_a_cancelled_send_leaves_nothing_out_of_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it had made is sent before anything else."""
    async with tls_pair() as (server, tls, client), trio.open_nursery() as nursery:
        transported = Transport(server, tls)
        with trio.move_on_after(0.005) as scope:
            while True:
                await transported.send(BIG)
        assert scope.cancelled_caught
        nursery.start_soon(transported.send, b"end")
        received = bytearray()
        while not received.endswith(b"end"):
            received += await client.receive_some()
        sent = BIG * (len(received) // len(BIG) + 1)
        assert received[:-3] == sent[: len(received) - 3]


async def test_with_tls_a_client_may_leave_without_a_goodbye() -> None:
    """HTTP knows by itself whether a message is whole; damage is another thing."""
    async with tls_pair() as (server, tls, client):
        await client.transport_stream.send_eof()
        assert await Transport(server, tls).receive() == b""
    async with tls_pair() as (server, tls, client):
        await client.aclose()
        assert await Transport(server, tls).receive() == b""
    async with tls_pair() as (server, tls, client):
        await client.transport_stream.send_all(b"no record")
        with pytest.raises(ClientGone, match="TLS broke"):
            await Transport(server, tls).receive()
        with pytest.raises(ClientGone, match="TLS broke"):
            await Transport(server, tls).send(b"answer")


async def test_with_tls_what_is_cut_off_does_not_look_whole() -> None:
    """A connection that is only closed has no goodbye, so its client sees that something is missing."""
    async with tls_pair() as (server, tls, client):
        await Transport(server, tls).send(b"half an ans")
        assert await client.receive_some() == b"half an ans"
        await server.aclose()
        with pytest.raises(trio.BrokenResourceError):
            await client.receive_some()


async def test_with_tls_who_only_changes_keys_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs the server something, and says nothing."""
    monkeypatch.setattr(TlsSession, "read", lambda _: None)  # no Python client can change its keys
    async with tls_pair() as (server, tls, client), trio.open_nursery() as nursery:
        nursery.start_soon(client.transport_stream.send_all, bytes(transport.MAX_SILENT_BYTES + 1))
        with pytest.raises(ClientGone, match="without data"):
            await Transport(server, tls).receive()
