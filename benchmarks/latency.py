"""Latency: from the making of a sample to its arrival at a client, beside the floor.

Latency is CLOCK_MONOTONIC on receipt less the event's t_ns. Ours takes t_ns when the simulator has
read the sample, so the way into the ring, the wake-up of the server and the JSON are in it; the
others take it as they make the event, right before they write it.
"""

import functools

from benchmarks.load import read_stream
from benchmarks.servers import STREAMING, Feed, serving
from benchmarks.table import (
    Row,
    announce,
    heading,
    number,
    options_of,
    ratio,
    rounds,
    show,
    verdict_row,
    verdict_text,
)


def measure(name: str, clients: int, rate_hz: float, seconds: float) -> Row:
    """Run one server; the age of every event counts."""
    with serving(name, Feed(rate_hz)) as server:
        reading = read_stream(server, clients, seconds, rate_hz=rate_hz)
    times = {"p50_us": reading["p50_us"], "p99_us": reading["p99_us"], "max_us": reading["max_us"]}
    return {**times, **verdict_row(reading)}


def main() -> None:
    """Print a table for each number of clients."""
    parser = options_of(__doc__, seconds=5, servers=STREAMING)
    parser.add_argument("--clients", default="1,100", help="(%(default)s)")
    parser.add_argument("--rate", type=float, default=100, help="(%(default)s Hz)")
    options = parser.parse_args()
    announce("benchmarks.latency")
    for clients in map(int, options.clients.split(",")):
        heading(f"{clients:,} clients x {options.rate:g} Hz", options)
        once = functools.partial(
            measure, clients=clients, rate_hz=options.rate, seconds=options.seconds
        )
        rows = rounds(options, once)
        show(
            rows,
            ("median ms", number("p50_us", ".3f", 1e-3)),
            ("x floor", ratio(rows, "p50_us", "floor")),
            ("x ours", ratio(rows, "p50_us", "ours")),
            ("p99 ms", number("p99_us", ".3f", 1e-3)),
            ("x floor", ratio(rows, "p99_us", "floor")),
            ("worst ms", number("max_us", ".2f", 1e-3)),
            ("whole, in order", verdict_text),
        )


if __name__ == "__main__":
    main()
