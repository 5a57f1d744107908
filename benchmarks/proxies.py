"""How late samples come through a proxy: nginx, Caddy, Apache and HAProxy, as deploy/proxy has them.

A stream at 100 Hz, directly and through each proxy, one after the other; "late" is from the reading of a
sensor to the arrival of its sample. Then, with --silence, a stream of which nothing but heartbeats comes
for so long: it has to be open still when there are samples again.
"""

import argparse
import contextlib
import http.client
import signal
import statistics
import time
from collections.abc import Iterator
from typing import Final

from benchmarks.built import Missing
from benchmarks.proxy_rig import KINDS, proxy
from benchmarks.servers import NoAnswer, ring_of_ours
from benchmarks.sse_rig import PATIENCE_S, Ours
from benchmarks.table import Row, announce, number, show

RATE_HZ: Final = 100
SETTLE: Final = 50  # events before those that count
KINDS_OF_STREAM: Final = ("sse", "ndjson")


@contextlib.contextmanager
def stream(port: int, path: str) -> Iterator[Iterator[bytes]]:
    """Open a stream; yield its lines."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status != 200:
            raise NoAnswer(f"{path} is answered by {answer.status}")
        yield iter(answer.readline, b"")


def late_ms(port: int, path: str, count: int, settle: int = SETTLE) -> list[float]:
    """Return how late each of so many samples came; `settle` before them don't count."""
    found = []
    with stream(port, path) as lines:
        for line in lines:
            now_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            _, mark, rest = line.partition(b'"t_ns":')
            if mark:
                read_ns = int(rest.partition(b",")[0])
                found.append((now_ns - read_ns) / 1e6)
            if len(found) == settle + count:
                break
    return found[settle:]


def summary(late: list[float]) -> Row:
    """Return the figures of the table."""
    ordered = sorted(late)
    return {
        "median": statistics.median(ordered),
        "p99": ordered[len(ordered) * 99 // 100],
        "worst": ordered[-1],
    }


def survives(ours: Ours, port: int, path: str, silence_s: float) -> Row:
    """Hold a stream without samples for so long; count its heartbeats, and the samples after that."""
    row: Row = {"heartbeats": 0, "samples": 0}
    with stream(port, path) as lines:
        for line in lines:
            if b'"t_ns":' in line:
                break
        ours.end("producer", signal.SIGTERM)
        until_s = time.monotonic() + silence_s
        is_silent = True
        for line in lines:
            row["heartbeats"] += line.startswith(b":")
            if is_silent and time.monotonic() > until_s:
                is_silent = False
                ours.start("producer")
            elif not is_silent and b'"t_ns":' in line:
                row["samples"] += 1
                if row["samples"] == RATE_HZ:
                    break
    return row


def main() -> None:
    """Print a table for each kind of stream."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200, help="a run takes (%(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="of which the median (%(default)s)")
    parser.add_argument("--silence", type=float, default=0, help="seconds; 0: not tried")
    parser.add_argument("--proxies", type=lambda text: text.split(","), default=[*KINDS])
    options = parser.parse_args()
    announce("benchmarks.proxies")
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(contextlib.closing(Ours(ring_of_ours(), RATE_HZ)))
        ours.start("producer")
        ours.start("server")
        ours.wait(0)
        ports = {"direct": (ours.port, "")}
        for name in options.proxies:
            try:
                ports[name] = (stack.enter_context(proxy(name, ours.port)), "/imu")
            except Missing as missing:
                print(missing)
        for kind in KINDS_OF_STREAM:
            rows: dict[str, list[Row]] = {name: [] for name in ports}
            for _ in range(options.runs):
                for name, (port, prefix) in ports.items():
                    late = late_ms(port, f"{prefix}/events?format={kind}", options.events)
                    rows[name].append(summary(late))
            print(f"\n{kind}, {options.events} samples at {RATE_HZ} Hz\n")
            medians = {
                name: {key: statistics.median(row[key] for row in found) for key in found[0]}
                for name, found in rows.items()
            }
            show(
                medians, *((f"{key} ms", number(key, ".2f")) for key in ("median", "p99", "worst"))
            )
        if options.silence:
            print(f"\nsilent for {options.silence:g} s\n")
            held = {
                name: survives(ours, port, f"{prefix}/events", options.silence)
                for name, (port, prefix) in ports.items()
            }
            show(held, *((key, number(key, ".0f")) for key in ("heartbeats", "samples")))


if __name__ == "__main__":
    main()
