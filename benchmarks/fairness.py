"""One healthy client beside one greedy host: how late do its samples come, and does /healthz answer?

The greedy host asks from sixteen addresses of its own, since one may have 64 forms: for a thousand
distinct forms of the stream, for the whole history two hundred times at once and again and again, with five hundred
clients that resume from the oldest sample and again when they have caught up, and for all of that
together. The ring is full before it begins. The healthy client reads every sample; latency is the
wall clock on receipt less the sample's time.
"""

import contextlib
import http.client
import itertools
import json
import multiprocessing
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from multiprocessing.connection import Connection
from typing import Final

from benchmarks.built import ROOT
from benchmarks.servers import Feed, ring_of_ours, serving
from benchmarks.table import Row, announce, heading, number, options_of, rounds, show

GREEDY: Final = [f"127.0.0.{last}" for last in range(2, 18)]
FORMS: Final = 1000
READERS: Final = 200
RESUMING: Final = 500
CAPACITY: Final = 32_768
RATE_HZ: Final = 100.0
SETTLE_S: Final = 2.0
TIMEOUT_S: Final = 60.0


def forms() -> Iterator[tuple[str, bool]]:
    """Paths of streams that are all different, and whether each is asked for again at its end."""
    for index in range(FORMS):
        yield f"/events?rate={0.05 + index * 0.05:.2f}", False


def histories() -> Iterator[tuple[str, bool]]:
    """Everything that the ring holds, for ever."""
    yield from itertools.repeat(("/history?format=ndjson", True), READERS)


def resuming() -> Iterator[tuple[str, bool]]:
    """Clients that begin with the oldest sample that there is."""
    yield from itertools.repeat(("/events?last_event_id={oldest}", False), RESUMING)


LOADS: Final[dict[str, tuple[Callable[[], Iterator[tuple[str, bool]]], ...]]] = {
    "none": (),
    "forms": (forms,),
    "history": (histories,),
    "resuming": (resuming,),
    "all": (forms, histories, resuming),
}


def oldest_id(port: int) -> str:
    """The id of the oldest sample that the ring holds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    connection.request("GET", "/json")
    newest = json.loads(connection.getresponse().read())
    generation, _, seq = newest["id"].partition("-")
    return f"{generation}-{max(1, int(seq) - CAPACITY + 10)}"


def be_greedy(
    port: int, wanted: Iterable[tuple[str, bool]], addresses: Sequence[str], seconds: float
) -> None:
    """Ask for all that is wanted, by these addresses in turn, and read whatever comes as fast as it
    comes."""
    oldest, selector = oldest_id(port), selectors.DefaultSelector()
    next_address = itertools.cycle(addresses)

    def ask(path: str, again: bool) -> None:
        with contextlib.suppress(OSError):
            client = socket.create_connection(
                ("127.0.0.1", port), TIMEOUT_S, source_address=(next(next_address), 0)
            )
            target = path.replace("{oldest}", oldest)
            client.sendall(f"GET {target} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
            client.setblocking(False)
            selector.register(client, selectors.EVENT_READ, (path, again))

    for path, again in wanted:
        ask(path, again)
    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        for key, _ in selector.select(min(left_s, 0.5)):
            client = key.fileobj
            assert isinstance(client, socket.socket)
            with contextlib.suppress(BlockingIOError):
                try:
                    data = client.recv(262_144)
                except ConnectionError:
                    data = b""
                if not data:
                    selector.unregister(client)
                    client.close()
                    path, again = key.data
                    if again:
                        ask(path, again)


def be_healthy(port: int, seconds: float, result: Connection) -> None:
    """Read every sample; report latencies in seconds, and what is missing."""
    latencies, lost, told, last = [], 0, 0, None
    client = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
    client.sendall(b"GET /events HTTP/1.0\r\nHost: x\r\n\r\n")
    end_s = time.monotonic() + seconds
    with client.makefile("rb") as lines:
        while time.monotonic() < end_s:
            line = lines.readline()
            now_s = time.time()
            if not line:
                break
            if line.startswith(b"data: "):
                sample = json.loads(line[6:])
                if last is not None and sample["seq"] > last:
                    lost += sample["seq"] - last - 1
                    told += sample.get("gap", {}).get("lost", 0) or 0
                    latencies.append(now_s - sample["time"])
                last = sample["seq"]
    result.send((latencies, lost, told))


def ask_health(port: int, seconds: float, result: Connection) -> None:
    """Ask for /healthz ten times a second, each time by a new connection; report the times."""
    times, end_s = [], time.monotonic() + seconds
    while time.monotonic() < end_s:
        begun_s = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        connection.close()
        times.append(time.monotonic() - begun_s)
        time.sleep(0.1)
    result.send(times)


def measure(_: str, load: str, seconds: float) -> Row:
    """Run our server with a full ring and one load."""
    fill(ring_of_ours())
    with serving("ours", Feed(RATE_HZ, capacity=CAPACITY)) as server:
        begun = server.cpu_s()[0]
        wanted = [each for part in LOADS[load] for each in part()]
        greedy = multiprocessing.Process(
            target=be_greedy, args=(server.port, wanted, GREEDY, seconds + SETTLE_S + 1)
        )
        pipes = [multiprocessing.Pipe(duplex=False) for _ in range(2)]
        watchers = [
            multiprocessing.Process(target=each, args=(server.port, seconds + SETTLE_S, end))
            for each, (_, end) in zip((be_healthy, ask_health), pipes, strict=True)
        ]
        for process in (*watchers, greedy):
            process.start()
        latencies, lost, told = pipes[0][0].recv()
        health = pipes[1][0].recv()
        used_s = server.cpu_s()[0] - begun
        for process in (*watchers, greedy):
            process.join()
    latencies.sort()
    return {
        "p50_ms": 1e3 * statistics.median(latencies),
        "p99_ms": 1e3 * latencies[int(0.99 * (len(latencies) - 1))],
        "max_ms": 1e3 * latencies[-1],
        "health_ms": 1e3 * max(health),
        "samples": len(latencies),
        "lost": lost,
        "lost_told": told,
        "cpu": used_s / (seconds + SETTLE_S),
    }


def fill(ring: str) -> None:
    """Let a fast producer fill the ring; the server's own will continue it."""
    command = f"producer_main.py --device sim:seed=1 --rate 8000 --capacity {CAPACITY}"
    with subprocess.Popen(
        [sys.executable, *command.split(), "--ring", ring], cwd=ROOT, stderr=subprocess.DEVNULL
    ) as producer:
        time.sleep(1.5 + CAPACITY / 4000)  # on a slow computer it makes half of what it should
        producer.terminate()


def main() -> None:
    """Print a table: a row for each load."""
    parser = options_of(__doc__, seconds=10, servers=("ours",))
    parser.add_argument("--loads", default=",".join(LOADS), help="(%(default)s)")
    options = parser.parse_args()
    announce("benchmarks.fairness")
    heading(f"one healthy client x {RATE_HZ:g} Hz beside a greedy host", options)
    table: dict[str, Row] = {}
    for load in options.loads.split(","):
        rows = rounds(options, partial(measure, load=load, seconds=options.seconds))
        table |= dict(zip((load,), rows.values(), strict=False))
    show(
        table,
        ("median ms", number("p50_ms", ".2f")),
        ("p99 ms", number("p99_ms", ".1f")),
        ("worst ms", number("max_ms", ".0f")),
        ("worst /healthz ms", number("health_ms", ".0f")),
        ("samples", number("samples", ",.0f")),
        ("lost", number("lost", ".0f")),
        ("of them reported", number("lost_told", ".0f")),
        ("server's CPU", number("cpu", ".0%")),
    )


if __name__ == "__main__":
    main()
