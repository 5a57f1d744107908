"""Peers that cost a server as much as they can, each kind in its own way.

    python -m benchmarks.hostile KIND PORT PEERS SECONDS

They ask from an address of their own (127.0.0.2). What a kind does is the docstring of its function. A
line of JSON in the end says how often they came.
"""

import contextlib
import itertools
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

import trio

ADDRESS: Final = "127.0.0.2"
FORMS: Final = 1000
PAUSE_S: Final = 0.5  # between two bytes of a slow head, and two reads of a slow reader; arbitrary
RECEIVE_BYTES: Final = 4096
AGAIN_S: Final = 0.05  # who was sent away comes back after that


class Peers:
    """All peers of one kind, and how often they came."""

    def __init__(self, port: int) -> None:
        self.counts: Counter[str] = Counter()
        self.numbers = itertools.count()
        self._port = port

    async def connect(self) -> trio.SocketStream:
        """Come."""
        client = trio.socket.socket()
        client.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, RECEIVE_BYTES)
        await client.bind((ADDRESS, 0))
        await client.connect(("127.0.0.1", self._port))
        self.counts["connections"] += 1
        return trio.SocketStream(client)

    async def again_and_again(self, behave: "Behaviour") -> None:
        """Behave like this for ever."""
        while True:
            with contextlib.suppress(OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                async with await self.connect() as stream:
                    await behave(self, stream)
            await trio.sleep(AGAIN_S)


Behaviour = Callable[[Peers, trio.SocketStream], Awaitable[None]]


async def slow_head(_peers: Peers, stream: trio.SocketStream) -> None:
    """Send a request byte by byte."""
    for byte in b"GET /events HTTP/1.1\r\nHost: x\r\nCookie: " + b"x" * 8000:
        await stream.send_all(bytes([byte]))
        await trio.sleep(PAUSE_S)


async def slow_reader(_peers: Peers, stream: trio.SocketStream) -> None:
    """Ask for the stream and read 8 kB a second."""
    await stream.send_all(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
    while await stream.receive_some(RECEIVE_BYTES):  # noqa: ASYNC110 - no condition, but a pace
        await trio.sleep(PAUSE_S)


async def half_closed(_peers: Peers, stream: trio.SocketStream) -> None:
    """Ask for the stream, say that no more will be sent, and read nothing."""
    await stream.send_all(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
    await stream.send_eof()
    await trio.sleep(10 * PAUSE_S)


async def forms(peers: Peers, stream: trio.SocketStream) -> None:
    """Ask for a form of the stream that nobody else has, and read it."""
    rate_hz = 0.05 * (1 + next(peers.numbers) % FORMS)
    await stream.send_all(f"GET /events?rate={rate_hz:.2f} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    while await stream.receive_some(65_536):
        pass


async def history(_peers: Peers, stream: trio.SocketStream) -> None:
    """Read all of the ring, again and again."""
    await stream.send_all(b"GET /history?format=ndjson HTTP/1.0\r\nHost: x\r\n\r\n")
    while await stream.receive_some(65_536):
        pass


KINDS: Final[dict[str, tuple[Behaviour, int]]] = {  # and how many peers one counts for
    "slow heads": (slow_head, 1),
    "slow readers": (slow_reader, 1),
    "half-closed": (half_closed, 1),
    "forms": (forms, 20),  # 50 of them have 1,000 forms
    "history": (history, 1),
}


async def be(kind: str, port: int, count: int, seconds: float) -> Counter[str]:
    """Be that many peers for that long."""
    behave, each = KINDS[kind]
    peers = Peers(port)
    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            for _ in range(count * each):
                nursery.start_soon(peers.again_and_again, behave)
    return peers.counts


if __name__ == "__main__":
    kind, port, count, seconds = sys.argv[1:]
    print(json.dumps(trio.run(be, kind, int(port), int(count), float(seconds))))
