"""Clients that come and go: does the server's memory stay where it is?

Clients connect at a steady pace, stream for up to two seconds, and leave: a third closes, a third
resets the connection, a third says that it will send no more and closes then. After a first
quarter of the time, in which pools and caches fill, memory should not grow. Ours has a ring of
1,024 samples: pages of a mapped ring count as the server's memory once it has read them, and the
default ring has 6 MB of them.
"""

import random
import socket
import struct
from contextlib import suppress
from functools import partial
from typing import Final

import trio

from benchmarks.servers import STREAMING, Feed, Server, serving
from benchmarks.table import Row, announce, heading, number, options_of, rounds, show

RING_SAMPLES: Final = 1024
MAX_STAY_S: Final = 2.0
WARM_UP_PART: Final = 0.25
SETTLE_S: Final = 3.0  # until the last clients' ends have been noticed
RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close sends a reset


class Churn:
    """What has come of the clients so far."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.served = 0
        self.refused = 0

    async def client(self, number: int) -> None:
        """Come, stream for a while, and go."""
        try:
            stream = await trio.open_tcp_stream("127.0.0.1", self._server.port)
        except OSError:
            self.refused += 1
            return
        received = 0
        async with stream:
            with (
                suppress(trio.BrokenResourceError),
                trio.move_on_after(random.uniform(0, MAX_STAY_S)),
            ):
                request = f"GET {self._server.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
                await stream.send_all(request.encode())
                while data := await stream.receive_some(65536):
                    received += len(data)
                self.refused += 1  # a stream has no end
            await leave(stream, number % 3)
        self.served += received > 0

    async def run(self, clients_per_s: float, seconds: float) -> None:
        """Send clients at this pace, and wait for the last of them."""
        begin_s = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number in range(round(clients_per_s * seconds)):
                await trio.sleep_until(begin_s + number / clients_per_s)
                nursery.start_soon(self.client, number)


async def leave(stream: trio.SocketStream, manner: int) -> None:
    """Prepare a connection to be closed: as it is (0), by a reset (1), half-closed first (2)."""
    if manner == 1:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    elif manner == 2:
        with suppress(trio.BrokenResourceError):
            await stream.send_eof()


def measure(name: str, clients_per_s: float, rate_hz: float, seconds: float) -> Row:
    """Run one server."""
    with serving(name, Feed(rate_hz, capacity=RING_SAMPLES)) as server:
        empty_kb, files = server.rss_kb(), server.descriptors()
        churn = Churn(server)

        async def both_parts() -> float:
            await churn.run(clients_per_s, seconds * WARM_UP_PART)
            warm_kb = server.rss_kb()
            await churn.run(clients_per_s, seconds * (1 - WARM_UP_PART))
            await trio.sleep(SETTLE_S)
            return warm_kb

        warm_kb = trio.run(both_parts)
        end_kb, files = server.rss_kb(), server.descriptors() - files
    return {
        "served": churn.served,
        "refused": churn.refused,
        "empty_kb": empty_kb,
        "warm_kb": warm_kb,
        "end_kb": end_kb,
        "grown_kb": end_kb - warm_kb,
        "bytes_per_client": (end_kb - warm_kb)
        * 1024
        / (clients_per_s * seconds * (1 - WARM_UP_PART)),
        "files": files,
    }


def main() -> None:
    """Print the table."""
    parser = options_of(__doc__, seconds=60, servers=STREAMING)
    parser.set_defaults(runs=1)
    parser.add_argument("--per-second", type=float, default=50, help="clients (%(default)s)")
    parser.add_argument("--rate", type=float, default=100, help="(%(default)s Hz)")
    options = parser.parse_args()
    announce("benchmarks.churn")
    heading(f"{options.per_second:g} clients a second x {options.rate:g} Hz", options)
    rows = rounds(
        options,
        partial(
            measure,
            clients_per_s=options.per_second,
            rate_hz=options.rate,
            seconds=options.seconds,
        ),
    )
    show(
        rows,
        ("served", number("served", ",.0f")),
        ("refused", number("refused", ",.0f")),
        ("empty MB", number("empty_kb", ".1f", 1e-3)),
        ("after a quarter MB", number("warm_kb", ".1f", 1e-3)),
        ("end MB", number("end_kb", ".1f", 1e-3)),
        ("growth kB", number("grown_kb", "+,.0f")),
        ("bytes/client", number("bytes_per_client", "+,.0f")),
        ("files left open", number("files", "+,.0f")),
    )


if __name__ == "__main__":
    main()
