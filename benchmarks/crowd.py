"""A few healthy clients beside 2,000 streams, 200 connects a second, and hostile peers of each kind.

Healthy clients read every sample in each phase: alone; beside the crowd; beside the crowd and 50 hostile
peers (hostile.py), kind by kind; and alone again. Each row says what they got, what it cost the server,
and how many of the crowd's streams were whole. `--minutes` is of the phase with the crowd alone; the
others take `--seconds`.

Exit status 1 when a stream was not whole and in order, when a healthy one's p99 was above
`--max-p99-ms` or not all of its samples came in time, or when in the end more memory is taken than with
the crowd, or more files are open than before it.
"""

import argparse
import contextlib
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Final

import trio

from benchmarks.built import ROOT
from benchmarks.churn import Churn
from benchmarks.hostile import KINDS
from benchmarks.load import Reading, read_stream, run_program
from benchmarks.servers import Feed, Server, serving
from benchmarks.table import Row, announce, number, show, verdict_row, verdict_text

HEALTHY: Final = 10
CAPACITY: Final = 8192  # 82 s at 100 Hz: a small ring, whose pages count as the server's memory
SPARE_FILES: Final = 500
SETTLE_S: Final = 5.0
SETTLE_MOST_S: Final = 30.0  # until the ends of all have been noticed
MIN_DELIVERED: Final = 0.98  # of the samples, to a healthy client; the window has two edges
MAX_GROWTH: Final = 1.05  # when the crowd is gone, over the most that it took: pools stay


def descriptors_for(clients: int) -> None:
    """Raise the bound on open files as far as needed. Raises SystemExit when it may not be."""
    wanted = clients + SPARE_FILES
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < wanted:
        raise SystemExit(f"{wanted} open files are needed, and {most} allowed: ulimit -Hn {wanted}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


@contextlib.contextmanager
def beside(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a program of this folder until the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def healthy(server: Server, seconds: float, rate_hz: float) -> Row:
    """Let healthy clients read; return what they got, and what it cost."""
    reading: Reading = read_stream(server, HEALTHY, seconds, rate_hz=rate_hz)
    return {
        **verdict_row(reading),
        "delivered": reading["samples"] / (HEALTHY * rate_hz * reading["seconds"]),
        "p50_us": reading["p50_us"],
        "p99_us": reading["p99_us"],
        "max_us": reading["max_us"],
        "cpu": reading["watched"][0]["cpu_s"] / reading["seconds"],
        "rss_kb": server.rss_kb(),
        "files": server.descriptors(),
    }


class Crowd:
    """The streams that stay, in a process of their own."""

    def __init__(self, server: Server, clients: int, seconds: float) -> None:
        self._server, self._clients, self._seconds = server, clients, seconds

    def run(self) -> Reading:
        """Read; nobody measures the time of each sample."""
        options = {
            "port": self._server.port,
            "path": self._server.path,
            "clients": self._clients,
            "warm-up": 1,
            "seconds": self._seconds,
            "every": 10_007,
        }
        reading: Reading = run_program(
            "load_reader", *(f"--{name}={value}" for name, value in options.items())
        )
        return reading


def trial(server: Server, options: argparse.Namespace) -> tuple[dict[str, Row], Reading]:
    """Run all phases."""
    rows = {"alone": healthy(server, options.seconds, options.rate)}
    kinds = [kind for kind in KINDS if kind in options.kinds]
    long_s = options.minutes * 60
    # Warm-ups and processes that start: a phase takes some seconds more than it measures.
    all_s = long_s + len(kinds) * (options.seconds + 2 * SETTLE_S) + 2 * SETTLE_S
    crowd: list[Reading] = []

    async def run() -> None:
        churn = Churn(server)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_stay, Crowd(server, options.clients, all_s), crowd)
            nursery.start_soon(churn.run, options.per_second, all_s)
            await trio.sleep(SETTLE_S)

            async def phase(seconds: float) -> Row:
                return await trio.to_thread.run_sync(healthy, server, seconds, options.rate)

            rows["crowd"] = await phase(long_s)
            for kind in kinds:
                arguments = (kind, server.port, options.peers, options.seconds + SETTLE_S)
                with beside("benchmarks.hostile", *map(str, arguments)):
                    await trio.sleep(1)
                    rows[f"crowd, {kind}"] = await phase(options.seconds)
        print(f"connects: {churn.served:,} served, {churn.refused:,} not")

    trio.run(run)
    deadline_s = time.monotonic() + SETTLE_MOST_S
    while server.descriptors() > rows["alone"]["files"] and time.monotonic() < deadline_s:
        time.sleep(0.1)
    rows["alone again"] = healthy(server, options.seconds, options.rate)
    return rows, crowd[0]


async def _stay(crowd: Crowd, result: list[Reading]) -> None:
    result.append(await trio.to_thread.run_sync(crowd.run))


def violations(rows: dict[str, Row], crowd: Reading, options: argparse.Namespace) -> Iterator[str]:
    """What is not as it must be."""
    wrong = ("lost", "repeats", "lost_told", "changes", "closed")
    for name, row in rows.items():
        if any(row[key] for key in wrong):
            yield f"{name}: {verdict_text(row)}"
        if row["delivered"] < MIN_DELIVERED:
            yield f"{name}: only {row['delivered']:.1%} of the samples came in time"
        if row["p99_us"] > options.max_p99_ms * 1000:
            yield f"{name}: p99 {row['p99_us'] / 1000:.1f} ms"
    if any(verdict_row(crowd)[key] for key in wrong):
        yield f"the crowd: {verdict_text(verdict_row(crowd))}"
    first, last = rows["alone"], rows["alone again"]
    most_kb = max(row["rss_kb"] for row in rows.values() if row is not last)
    if last["rss_kb"] > MAX_GROWTH * most_kb:
        yield f"memory: {most_kb:,.0f} kB with the crowd, {last['rss_kb']:,.0f} kB after it"
    if last["files"] > first["files"]:
        yield f"open files: {first['files']:.0f} before, {last['files']:.0f} after"


def main() -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="with the crowd (%(default)s)")
    parser.add_argument("--seconds", type=float, default=20, help="other phases (%(default)s)")
    parser.add_argument("--clients", type=int, default=2000, help="that stay (%(default)s)")
    parser.add_argument("--per-second", type=float, default=200, help="that come (%(default)s)")
    parser.add_argument("--peers", type=int, default=50, help="of each kind (%(default)s)")
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=list(KINDS))
    parser.add_argument("--rate", type=float, default=100, help="(%(default)s Hz)")
    parser.add_argument("--max-p99-ms", type=float, default=50, help="(%(default)s)")
    options = parser.parse_args()
    announce("benchmarks.crowd")
    descriptors_for(2 * options.clients)
    with serving("ours", Feed(options.rate, capacity=CAPACITY)) as server:
        rows, crowd = trial(server, options)
    show(
        rows,
        ("delivered", number("delivered", ".1%")),
        ("whole, in order", verdict_text),
        ("median ms", number("p50_us", ".2f", 1e-3)),
        ("p99 ms", number("p99_us", ".1f", 1e-3)),
        ("worst ms", number("max_us", ".0f", 1e-3)),
        ("server's CPU", number("cpu", ".0%")),
        ("MB", number("rss_kb", ".1f", 1e-3)),
        ("open files", number("files", ",.0f")),
    )
    print(f"the crowd: {crowd['samples']:,} samples, {verdict_text(verdict_row(crowd))}")
    found = list(violations(rows, crowd, options))
    print(*(f"VIOLATION: {text}" for text in found), sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
