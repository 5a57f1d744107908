"""How long `/history` takes on a long file, and what memory the server needs for it.

Make a file with `python -m benchmarks.month FILE`. Each question is asked once after the kernel was
told to forget the file's pages ("cold": from the disk, unless that has a cache of its own), and then
`--runs` times, in all of the file and in the middle of it. "First" and "last" are the times from
the request to the answer's first and last byte; MB/s is of the answer, not compressed. RSS is the
server's, the most while it answered.
"""

import os
import socket
import sqlite3
import statistics
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.servers import Feed, Server, serving
from benchmarks.table import Row, announce, number, show

TIMEOUT_S: Final = 600.0
MINUTE_S: Final = 60
HOUR_S: Final = 3600
DAY_S: Final = 86_400
MONTH_S: Final = 30 * DAY_S
SPANS_S: Final = {
    "a month": MONTH_S,
    "a day": DAY_S,
    "an hour": HOUR_S,
    "10 minutes": 10 * MINUTE_S,
    "a second": 1,
}


class Took(NamedTuple):
    """Times in seconds from the request, and the answer's size."""

    first_s: float
    last_s: float
    size: int


def questions(file: str) -> dict[str, str]:
    """Return what is asked, by what it is called."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        newest, newest_ns = database.execute("SELECT max(id), last_time_ns FROM chunks").fetchone()
        generation, seq, middle_ns = database.execute(
            "SELECT generation, first_seq, first_time_ns FROM chunks "
            "JOIN sessions ON sessions.id = session_id WHERE chunks.id = ?",
            (newest * 3 // 7,),  # amid a session
        ).fetchone()
    middle_s, newest_s = middle_ns // 10**9, newest_ns // 10**9

    def window(span_s: float) -> str:
        from_s = max(newest_s - MONTH_S, middle_s - span_s / 2)
        return f"from={from_s:.1f}&to={min(newest_s, from_s + span_s):.1f}"

    found = {"points=2000, all": "points=2000"}
    for name, span_s in SPANS_S.items():
        found[f"points=2000, {name}"] = f"points=2000&{window(span_s)}"
    found["points=10000, a day"] = f"points=10000&{window(DAY_S)}"
    since = f"since={generation}-{seq}"
    return found | {
        "csv, an hour": f"format=csv&{window(HOUR_S)}",
        "csv, limit=100000": "format=csv&limit=100000",
        "csv, since=…&limit=1000": f"format=csv&{since}&limit=1000",
        "klipper, 10 minutes": f"format=klipper&{window(10 * MINUTE_S)}",
        "klipper, all, the head only": "format=klipper&from=0",
    }


def ask(port: int, query: str, *, head_only: bool = False) -> Took:
    """Ask once, and read the answer to its end."""
    begun_s = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as client:
        method = "HEAD" if head_only else "GET"
        client.sendall(f"{method} /history?{query} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        data = client.recv(262_144)
        first_s = time.monotonic() - begun_s
        assert data.split(b"\r\n")[0].endswith(b"200 OK"), data
        size = len(data)
        while data := client.recv(262_144):
            size += len(data)
    return Took(first_s, time.monotonic() - begun_s, size)


def forget(file: str) -> None:
    """Tell the kernel that the file's pages are not needed in memory."""
    descriptor = os.open(file, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def measure(server: Server, file: str, name: str, query: str, runs: int) -> Row:
    """Ask one question, cold and then warm."""
    forget(file)
    server.forget_peak()
    head_only = "head" in name
    cold = ask(server.port, query, head_only=head_only)
    warm = [ask(server.port, query, head_only=head_only) for _ in range(runs)]
    last_s = statistics.median(took.last_s for took in warm)
    return {
        "cold_s": cold.last_s,
        "first_s": statistics.median(took.first_s for took in warm),
        "last_s": last_s,
        "worst_s": max(took.last_s for took in warm),
        "kb": cold.size / 1e3,
        "mb_s": cold.size / 1e6 / last_s,
        "peak_mb": server.peak_kb() / 1024,
    }


def main() -> None:
    """Print a table: a row for each question."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--store", required=True, metavar="FILE", help="see benchmarks.month")
    parser.add_argument("--runs", type=int, default=5, help="of which the median (%(default)s)")
    parser.add_argument("--only", default="", help="questions whose name has this")
    options = parser.parse_args()
    announce("benchmarks.history")
    file = str(Path(options.store).resolve())
    table: dict[str, Row] = {}
    with serving("ours", Feed(store=file)) as server:
        before_mb = server.rss_kb() / 1024
        for name, query in questions(file).items():
            if options.only in name:
                table[name] = measure(server, file, name, query, options.runs)
        after_mb = server.rss_kb() / 1024
    size_gb = Path(file).stat().st_size / 1e9
    print(f"\n{size_gb:.1f} GB; RSS {before_mb:.0f} MB before, {after_mb:.0f} MB after\n")
    show(
        table,
        ("cold ms", number("cold_s", ",.0f", 1e3)),
        ("first ms", number("first_s", ",.0f", 1e3)),
        ("last ms", number("last_s", ",.0f", 1e3)),
        ("worst ms", number("worst_s", ",.0f", 1e3)),
        ("kB", number("kb", ",.0f")),
        ("MB/s", number("mb_s", ".1f")),
        ("most RSS, MB", number("peak_mb", ".0f")),
    )


if __name__ == "__main__":
    main()
