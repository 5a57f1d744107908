"""Bytes for many sockets at once, from outside the tasks that own them."""

import ssl

import pytest
import trio

from tests.helpers.certificates import tls_pair
from tests.helpers.fakes import reset, tcp_pair
from trio_mpu.errors import ClientGone
from trio_mpu.fanout.direct_write import DirectSocket, DirectWriters
from trio_mpu.web.transport import Transport

BIG = bytes(8_000_000)


def socket_of(stream: trio.SocketStream) -> DirectSocket:
    """What its task leaves when it sleeps."""
    return DirectSocket(stream.socket.fileno())


async def test_all_who_sleep_are_given_the_same() -> None:
    """And stay, as long as the kernel takes it all."""
    async with tcp_pair() as (one, client_one), tcp_pair() as (two, client_two):
        sleepers: DirectWriters[str] = DirectWriters()
        sleepers.add(socket_of(one), "one")
        sleepers.add(socket_of(two), "two")
        for _ in range(3):
            assert sleepers.give(b"abc") == []
        assert len(sleepers) == 2
        assert sleepers.remove(socket_of(one))
        assert not sleepers.remove(socket_of(one))
        assert sleepers.give(b"def") == []
        await one.send_eof()
        await two.send_eof()
        assert b"".join([data async for data in client_one]) == b"abc" * 3
        assert b"".join([data async for data in client_two]) == b"abc" * 3 + b"def"
        assert sleepers.remove_all() == ["two"]
        assert len(sleepers) == 0


async def test_who_does_not_take_all_is_woken_with_the_rest() -> None:
    """What the kernel has taken and the rest are the whole, in order."""
    async with tcp_pair() as (server, client):
        sleepers: DirectWriters[str] = DirectWriters()
        sleepers.add(socket_of(server), "slow")
        ((sleeper, rest),) = sleepers.give(BIG + b"end")
        assert sleeper == "slow"
        assert 0 < len(rest) < len(BIG)
        assert sleepers.give(b"x") == [], "nobody writes before the rest is sent"
        received = bytearray()
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                await server.send_all(rest)
                await server.send_eof()

            nursery.start_soon(send)
            async for data in client:
                received += data
        assert received == BIG + b"end"


async def test_who_is_gone_is_woken_and_the_others_are_served() -> None:
    """The one who sends the rest sees the error."""
    async with tcp_pair() as (gone, client_gone), tcp_pair() as (here, client_here):
        reset(client_gone)
        await client_gone.aclose()
        await trio.lowlevel.wait_readable(gone.socket)
        sleepers: DirectWriters[str] = DirectWriters()
        sleepers.add(socket_of(gone), "gone")
        sleepers.add(socket_of(here), "here")
        assert sleepers.give(b"abc") == [("gone", b"abc")]
        assert await client_here.receive_some() == b"abc"


async def test_with_tls_each_is_given_its_own_records() -> None:
    """All read the same, beside those without TLS."""
    async with tcp_pair() as (plain, client), tls_pair() as one, tls_pair() as two:
        sleepers: DirectWriters[str] = DirectWriters()
        sockets = [DirectSocket(stream.socket.fileno(), tls) for stream, tls, _ in (one, two)]
        sleepers.add(socket_of(plain), "plain")
        sleepers.add(sockets[0], "one")
        sleepers.add(sockets[1], "two")
        for number in range(3):
            assert sleepers.give(b"abc%d" % number) == []
            for reader in (client, one[2], two[2]):
                assert await reader.receive_some() == b"abc%d" % number
        assert len(sleepers) == 3
        assert sleepers.remove(sockets[0])
        assert not sleepers.remove(sockets[0])
        assert sleepers.remove_all() == ["plain", "two"]
        assert len(sleepers) == 0


async def test_with_tls_the_rest_stays_with_the_session() -> None:
    """It is sent before anything else, whoever sends that: the client reads all of it, in order."""
    async with tls_pair() as (server, tls, client):
        sleepers: DirectWriters[str] = DirectWriters()
        socket = DirectSocket(server.socket.fileno(), tls)
        sleepers.add(socket, "slow")
        assert sleepers.give(BIG) == [("slow", b"")]
        assert sleepers.give(b"x") == [], "nobody writes before the rest is sent"
        received = bytearray()
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                await Transport(server, tls).send(b"next")
                await Transport(server, tls).send(b"end")

            nursery.start_soon(send)
            while not received.endswith(b"end"):
                received += await client.receive_some()
        assert received == BIG + b"nextend"


async def test_with_tls_who_is_gone_is_woken() -> None:
    """Gone, or not to be spoken with: the task sees the error when it sends."""
    async with tls_pair() as (gone, tls_gone, client), tls_pair() as (broken, tls_broken, mean):
        reset(client.transport_stream)
        await trio.lowlevel.wait_readable(gone.socket)
        await mean.transport_stream.send_all(b"nonsense")
        tls_broken.feed(await broken.receive_some())
        with pytest.raises(ssl.SSLError):
            tls_broken.read()
        sleepers: DirectWriters[str] = DirectWriters()
        sleepers.add(DirectSocket(gone.socket.fileno(), tls_gone), "gone")
        sleepers.add(DirectSocket(broken.socket.fileno(), tls_broken), "broken")
        assert sleepers.give(b"abc") == [("gone", b""), ("broken", b"abc")]
        for stream, tls in ((gone, tls_gone), (broken, tls_broken)):
            with pytest.raises(ClientGone):
                await Transport(stream, tls).send(b"abc")
