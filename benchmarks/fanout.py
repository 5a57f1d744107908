"""Fan-out: one stream to many clients, ours beside others, at the same rate and event size.

CPU is the server process's own (utime and stime); "feed" is what fills it, for ours the producer.
"delivered" is of clients x rate x seconds; "in order" is judged for every client, over the whole
run. Latency is now less the event's t_ns, which for ours includes the way through the ring.
"""

import functools
import math
import re
from argparse import ArgumentTypeError
from typing import Final, NamedTuple

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

DEFAULT_LOADS: Final = "1x100,100x100,500x100,1000x100,1000x1000/20"


class Load(NamedTuple):
    """Clients x samples a second, and how many milliseconds share a write."""

    clients: int
    rate_hz: float
    flush_ms: int


def loads(text: str) -> list[Load]:
    """Return the loads of "1x100,1000x1000/20": CLIENTSxHZ[/FLUSH_MS]."""
    found = [re.fullmatch(r"(\d+)x([\d.]+)(?:/(\d+))?", part) for part in text.split(",")]
    if None in found:
        raise ArgumentTypeError(f"{text!r} is not CLIENTSxHZ[/FLUSH_MS],…")
    return [Load(int(m[1]), float(m[2]), int(m[3] or 0)) for m in found if m is not None]


def measure(name: str, load: Load, seconds: float) -> Row:
    """Run one server under one load."""
    with serving(name, Feed(load.rate_hz, load.flush_ms)) as server:
        reading = read_stream(server, load.clients, seconds, rate_hz=load.rate_hz)
    cpu_s = [process["cpu_s"] for process in reading["watched"]]
    due = load.clients * load.rate_hz * reading["seconds"]
    return {
        "per_s": reading["samples"] / reading["seconds"],
        "delivered": reading["samples"] / due,
        "fewest": reading["fewest"] * load.clients / due,
        "event_bytes": reading["bytes"] / max(1, reading["samples"]),
        "cpu": cpu_s[0] / reading["seconds"],
        "feed": sum(cpu_s[1:]) / reading["seconds"] if cpu_s[1:] else math.nan,
        "cpu_us_per_event": cpu_s[0] * 1e6 / max(1, reading["samples"]),
        "reader": reading["reader_cpu_s"] / reading["seconds"],
        "p50_us": reading["p50_us"],
        "p99_us": reading["p99_us"],
        **verdict_row(reading),
    }


def main() -> None:
    """Print a table for each load."""
    parser = options_of(__doc__, seconds=4, servers=STREAMING)
    parser.add_argument("--loads", type=loads, default=loads(DEFAULT_LOADS), help=DEFAULT_LOADS)
    options = parser.parse_args()
    announce("benchmarks.fanout")
    for load in options.loads:
        flush = f", flush_ms={load.flush_ms}" if load.flush_ms else ""
        heading(f"{load.clients:,} clients x {load.rate_hz:g} Hz{flush}", options)
        rows = rounds(options, functools.partial(measure, load=load, seconds=options.seconds))
        show(
            rows,
            ("delivered", number("delivered", ".1%")),
            ("worst client", number("fewest", ".1%")),
            ("whole, in order", verdict_text),
            ("CPU", number("cpu", ".1%")),
            ("feed", number("feed", ".1%")),
            ("µs/event", number("cpu_us_per_event", ".2f")),
            ("x floor", ratio(rows, "cpu_us_per_event", "floor")),
            ("x ours", ratio(rows, "cpu_us_per_event", "ours")),
            ("median ms", number("p50_us", ".2f", 1e-3)),
            ("p99 ms", number("p99_us", ".2f", 1e-3)),
            ("reader CPU", number("reader", ".1%")),
            ("bytes/event", number("event_bytes", ".0f")),
        )


if __name__ == "__main__":
    main()
