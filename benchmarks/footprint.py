"""What a server costs at rest, and what a client costs it in memory.

Idle: CPU with no client and with one, at 10 samples a second. Memory (resident, of the server
process; what sockets take in the kernel is not in it): empty; with 1,000 keep-alive connections
that have asked for /json once and stay; with 1,000 clients that stream at 100 Hz.
"""

import contextlib
import math
import socket
import time
from collections.abc import Iterator
from typing import Final

from benchmarks.load import read_stream
from benchmarks.servers import STREAMING, Feed, Server, serving
from benchmarks.table import Row, announce, heading, number, options_of, rounds, show

IDLE_HZ: Final = 10.0
SETTLE_S: Final = 1.0
# The promise: this, and so much for each client.
TARGET_KB: Final = 40_000
TARGET_KB_PER_CLIENT: Final = 20


@contextlib.contextmanager
def _idle_connections(server: Server, count: int) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", server.port))
            stack.enter_context(connection)
            connection.sendall(b"GET /json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            connection.recv(4096)
        time.sleep(SETTLE_S)
        yield


def _at_rest(name: str, seconds: float, clients: int) -> Row:
    with serving(name, Feed(IDLE_HZ)) as server:
        alone = read_stream(server, 0, seconds, rate_hz=IDLE_HZ)
        one = read_stream(server, 1, seconds, rate_hz=IDLE_HZ)
        empty_kb = server.rss_kb()
        with _idle_connections(server, clients):
            idle_kb = server.rss_kb()
    feeds = one["watched"][1:]
    return {
        "cpu_alone": alone["watched"][0]["cpu_s"] / alone["seconds"],
        "cpu_one": one["watched"][0]["cpu_s"] / one["seconds"],
        "feed": feeds[0]["cpu_s"] / one["seconds"] if feeds else math.nan,
        "idle_kb": idle_kb,
        "kb_per_idle": (idle_kb - empty_kb) / clients,
    }


def _streaming(name: str, seconds: float, clients: int) -> Row:
    with serving(name, Feed()) as server:
        empty_kb = server.rss_kb()
        reading = read_stream(server, clients, seconds, rate_hz=Feed.rate_hz)
    streaming_kb = reading["watched"][0]["rss_kb"]
    return {
        "empty_kb": empty_kb,
        "streaming_kb": streaming_kb,
        "kb_per_streaming": (streaming_kb - empty_kb) / clients,
    }


def main() -> None:
    """Print the table, and whether the promise holds."""
    parser = options_of(__doc__, seconds=5, servers=STREAMING)
    parser.add_argument("--clients", type=int, default=1000, help="(%(default)s)")
    options = parser.parse_args()
    announce("benchmarks.footprint")
    clients, seconds = options.clients, options.seconds
    heading(f"idle at {IDLE_HZ:g} Hz; memory with {clients:,} clients", options)
    rows = rounds(
        options,
        lambda name: {**_at_rest(name, seconds, clients), **_streaming(name, seconds, clients)},
    )
    show(
        rows,
        ("CPU, no client", number("cpu_alone", ".2%")),
        ("CPU, one client", number("cpu_one", ".2%")),
        ("feed", number("feed", ".2%")),
        ("empty MB", number("empty_kb", ".1f", 1e-3)),
        (f"{clients:,} idle MB", number("idle_kb", ".1f", 1e-3)),
        ("kB/idle", number("kb_per_idle")),
        (f"{clients:,} streaming MB", number("streaming_kb", ".1f", 1e-3)),
        ("kB/streaming", number("kb_per_streaming")),
    )
    if (ours := rows.get("ours")) is not None:
        allowed_kb = TARGET_KB + clients * TARGET_KB_PER_CLIENT
        most_kb = max(ours["idle_kb"], ours["streaming_kb"])
        word = "holds" if most_kb <= allowed_kb else "does NOT hold"
        print(f"\nthe promise of {allowed_kb / 1e3:g} MB {word}: {most_kb / 1e3:.1f} MB")


if __name__ == "__main__":
    main()
