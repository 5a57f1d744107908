"""Live streams beside readers of a long history: how late do samples come, and is any lost?

Make a file with `python -m benchmarks.month FILE`. A hundred clients read every sample; 50 readers ask
for all of the file at the same time, in each format, and again when they have it: all by one address,
and by as many addresses as there are. At the end come 200 readers by one address. Latency is
CLOCK_MONOTONIC on receipt less the event's `t_ns`, of all clients. "Read" is what all readers
together got.
"""

import multiprocessing
import statistics
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.fairness import ask_health, be_greedy
from benchmarks.load import WARM_UP_S, read_stream
from benchmarks.servers import Feed, serving
from benchmarks.table import (
    Row,
    announce,
    heading,
    number,
    options_of,
    rounds,
    show,
    verdict_row,
    verdict_text,
)

CLIENTS: Final = 100
RATE_HZ: Final = 100.0
READERS: Final = 50
MANY_READERS: Final = 200
SETTLE_S: Final = 2.0  # the readers begin before the clients, and end after them
QUERIES: Final = {
    **{name: f"from=0&format={name}" for name in ("csv", "ndjson", "json", "klipper")},
    "points": "points=2000",
}
ONE: Final = ["127.0.0.2"]
MANY: Final = [f"127.0.0.{last}" for last in range(2, 2 + READERS)]


def loads() -> dict[str, tuple[list[str], list[tuple[str, bool]]]]:
    """Return who asks for what, by what it is called."""
    found: dict[str, tuple[list[str], list[tuple[str, bool]]]] = {"none": (ONE, [])}
    for addresses in (ONE, MANY):
        for name, query in QUERIES.items():
            wanted = [(f"/history?{query}", True)] * READERS
            found[f"{name}, {len(addresses)} address{'es' * (addresses is MANY)}"] = (
                addresses,
                wanted,
            )
    for name in ("csv", "points"):
        wanted = [(f"/history?{QUERIES[name]}", True)] * MANY_READERS
        found[f"{name}, {MANY_READERS} readers"] = ONE, wanted
    return found


def measure(_: str, load: str, file: str, seconds: float) -> Row:
    """Run our server with clients and one load."""
    addresses, wanted = loads()[load]
    with serving("ours", Feed(RATE_HZ, store=file)) as server:
        whole_s = seconds + WARM_UP_S + SETTLE_S
        greedy = multiprocessing.Process(
            target=be_greedy, args=(server.port, wanted, addresses, whole_s)
        )
        pipe, end = multiprocessing.Pipe(duplex=False)
        health = multiprocessing.Process(
            target=ask_health, args=(server.port, seconds + WARM_UP_S, end)
        )
        greedy.start()
        health.start()
        reading = read_stream(server, CLIENTS, seconds, rate_hz=RATE_HZ)
        times = sorted(pipe.recv())
        rss_mb = server.rss_kb() / 1024
        for process in (health, greedy):
            process.join()
    return {
        "p50_us": reading["p50_us"],
        "p99_us": reading["p99_us"],
        "max_us": reading["max_us"],
        "delivered": reading["samples"] / (CLIENTS * RATE_HZ * reading["seconds"]),
        "health_s": statistics.median(times),
        "health_p99_s": times[int(0.99 * (len(times) - 1))],
        "rss_mb": rss_mb,
        **verdict_row(reading),
    }


def main() -> None:
    """Print a table: a row for each load."""
    parser = options_of(__doc__, seconds=10, servers=("ours",))
    parser.add_argument("--store", required=True, metavar="FILE", help="see benchmarks.month")
    parser.add_argument("--only", default="", help="loads whose name has this")
    options = parser.parse_args()
    announce("benchmarks.beside_history")
    heading(f"{CLIENTS} clients x {RATE_HZ:g} Hz beside readers of all of the history", options)
    file, table = str(Path(options.store).resolve()), dict[str, Row]()
    for load in loads():
        if options.only in load:
            once = partial(measure, load=load, file=file, seconds=options.seconds)
            table |= dict(zip((load,), rounds(options, once).values(), strict=False))
    show(
        table,
        ("delivered", number("delivered", ".1%")),
        ("whole, in order", verdict_text),
        ("median ms", number("p50_us", ".2f", 1e-3)),
        ("p99 ms", number("p99_us", ".1f", 1e-3)),
        ("worst ms", number("max_us", ".0f", 1e-3)),
        ("/healthz median ms", number("health_s", ".1f", 1e3)),
        ("p99 ms", number("health_p99_s", ".0f", 1e3)),
        ("RSS, MB", number("rss_mb", ".0f")),
    )


if __name__ == "__main__":
    main()
