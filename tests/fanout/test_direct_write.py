"""Bytes for many sockets at once, from outside the tasks that own them."""

import trio

from tests.helpers.fakes import reset, tcp_pair
from trio_mpu.fanout.direct_write import DirectWriters

BIG = bytes(8_000_000)


async def test_all_who_sleep_are_given_the_same() -> None:
    """And stay, as long as the kernel takes it all."""
    async with tcp_pair() as (one, client_one), tcp_pair() as (two, client_two):
        sleepers: DirectWriters[str] = DirectWriters()
        sleepers.add(one.socket.fileno(), "one")
        sleepers.add(two.socket.fileno(), "two")
        for _ in range(3):
            assert sleepers.give(b"abc") == []
        assert len(sleepers) == 2
        assert sleepers.remove(one.socket.fileno())
        assert not sleepers.remove(one.socket.fileno())
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
        sleepers.add(server.socket.fileno(), "slow")
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
        sleepers.add(gone.socket.fileno(), "gone")
        sleepers.add(here.socket.fileno(), "here")
        assert sleepers.give(b"abc") == [("gone", b"abc")]
        assert await client_here.receive_some() == b"abc"
