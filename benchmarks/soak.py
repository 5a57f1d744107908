"""Minutes or hours at 1,000 Hz with clients that come and go: does anything grow, get lost or get late?

Steady clients (load_reader) read every sample for the whole time; visitors, resumers, slow clients and
history readers come and go beside them (soak_clients.py). Memory, open files, the answer to /healthz and
the lines of the logs are watched. In the end the producer is stopped, and the server's ledger is compared
with what the clients have seen.

Exit status 1 when something was missing unreported or out of order, the ledger does not fit, memory or
open files have grown, a log has an error or too many lines, or the steady clients' p99 was too late.
"""

import argparse
import contextlib
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.built import ROOT
from benchmarks.load import Reading, read_stream
from benchmarks.soak_programs import Programs, Watch
from benchmarks.sse_rig import stop
from benchmarks.table import announce

STEADY: Final = 20
MAX_GROWTH_KB: Final = 4096  # between the second and the last quarter; arbitrary
MAX_LINES_A_MINUTE: Final = 3  # of the logs, beyond those of the start; arbitrary
START_LINES: Final = 20
LOSSES: Final = ("device_lost", "ticks_lost", "backlog_lost", "restart_lost")


class Result(NamedTuple):
    """All that was found."""

    steady: Reading
    seen: dict[str, dict[str, int]]
    before: dict[str, int]  # ledgers: when the witness came…
    joined: dict[str, int]  # …a moment later…
    after: dict[str, int]  # …and in the end
    watch: Watch
    descriptors: tuple[int, int]  # before and after
    lines: list[str]


def soak(programs: Programs, seconds: float, rate_hz: float, seed: int) -> Result:
    """Run it."""
    programs.wait()
    before = programs.ledger()
    time.sleep(1.0)  # until the end of this connection has been noticed
    descriptors = programs.server.descriptors()
    with clients(programs.port, seed) as crowd:
        time.sleep(1.0)  # until the witness is there
        joined = programs.ledger()
        watch = Watch(programs)
        watch.start()
        steady = read_stream(programs.server, STEADY, seconds, rate_hz=rate_hz)
        watch.stop()
        programs.processes["producer"].send_signal(signal.SIGTERM)
        programs.processes["producer"].wait()
        crowd.send_signal(signal.SIGTERM)
        seen = json.loads(crowd.communicate()[0])
    left = programs.files_left(descriptors)
    return Result(
        steady,
        seen,
        before,
        joined,
        programs.ledger(),
        watch,
        (descriptors, left),
        programs.lines(),
    )


@contextlib.contextmanager
def clients(port: int, seed: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the clients that come and go, until the end of the block at the latest."""
    command = [sys.executable, "-m", "benchmarks.soak_clients", str(port), str(seed)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        stop(process)


def violations(result: Result, seconds: float, max_p99_ms: float) -> Iterator[str]:
    """What is not as it must be."""
    steady, after, descriptors = result.steady, result.after, result.descriptors
    yield from _client_faults(result)
    yield from _ledger_faults(result)
    growth_kb, lines = grown_kb(result.watch), len(result.lines)
    p99_ms = steady["p99_us"] / 1000
    bad = [line for line in result.lines if "error" in line.lower() or "Traceback" in line]
    checks = {
        f"p99 of the steady clients: {p99_ms:.1f} ms": p99_ms <= max_p99_ms,
        f"memory has grown by {growth_kb:,.0f} kB": growth_kb <= MAX_GROWTH_KB,
        f"open files: {descriptors[0]} before, {descriptors[1]} after": descriptors[1]
        <= descriptors[0],
        f"the server was lapped {after['gaps_lapped']} times": after["gaps_lapped"] == 0,
        f"{lines} lines in the logs": lines <= START_LINES + MAX_LINES_A_MINUTE * seconds / 60,
        f"logged: {bad}": not bad,
    }
    yield from (text for text, good in checks.items() if not good)


def _client_faults(result: Result) -> Iterator[str]:
    steady = result.steady
    if steady["lost"] or steady["repeats"] or steady["closed"] or steady["changes"]:
        yield f"steady clients: {steady}"
    for kind, counts in result.seen.items():
        if counts.get("untold") or counts.get("back") or counts.get("refused"):
            yield f"{kind}: {counts}"
        if not counts.get("samples"):
            yield f"{kind}: no samples"


def _ledger_faults(result: Result) -> Iterator[str]:
    told: dict[str, int] = {}
    for counts in result.seen.values():
        for name in ("gaps_slow", "lost_slow"):
            told[name] = told.get(name, 0) + counts.get(name, 0)
    # The steady clients' gaps are counted too, but not by reason.
    gaps = result.after["gaps_slow"] - result.before["gaps_slow"]
    if not told["gaps_slow"] <= gaps <= told["gaps_slow"] + result.steady["gaps_told"]:
        yield f"{gaps} slow gaps were counted, clients saw {told['gaps_slow']}"
    missing = result.after["slow_lost"] - result.before["slow_lost"]
    # What a client is told includes what the producer lost before the same sample.
    if not result.steady["gaps_told"] and missing > told["lost_slow"]:
        yield f"slow_lost: counted {missing}, clients were told {told['lost_slow']}"
    lost = result.seen["witness"].get("lost_device", 0)
    most, least = (
        sum(result.after[name] - first[name] for name in LOSSES)
        for first in (result.before, result.joined)
    )
    if not least <= lost <= most:
        yield f"the producer lost {least} to {most}, the witness was told of {lost}"


def grown_kb(watch: Watch) -> float:
    """Return how much more memory the last quarter took than the second."""
    second, last = (
        statistics.median(look.rss_kb for look in watch.quarter(number)) for number in (1, 3)
    )
    return last - second


def show(result: Result, seconds: float) -> None:
    """Print the table."""
    steady, watch = result.steady, result.watch
    rss = [statistics.median(look.rss_kb for look in watch.quarter(n)) / 1000 for n in range(4)]
    rows: dict[str, Any] = {
        "minutes": f"{seconds / 60:.1f}",
        "steady clients": f"{STEADY}: {steady['samples']:,} samples, {steady['lost']} lost unsaid, "
        f"{steady['repeats']} repeated, {steady['lost_told']} lost and reported",
        "latency": f"median {steady['p50_us'] / 1000:.2f} ms, p99 {steady['p99_us'] / 1000:.2f} ms, "
        f"worst {steady['max_us'] / 1000:.1f} ms",
        **result.seen,
        "ledger": {name: count for name, count in result.after.items() if count},
        "memory, MB": f"quarters {', '.join(f'{part:.1f}' for part in rss)}; "
        f"growth {grown_kb(watch):+,.0f} kB",
        "open files": f"{result.descriptors[0]} before, at most "
        f"{max(look.descriptors for look in watch.looks)}, {result.descriptors[1]} after",
        "/healthz": f"worst {1000 * max(look.health_s for look in watch.looks):.0f} ms, "
        f"{sum(look.health != 200 for look in watch.looks)} of {len(watch.looks)} not 200",
        "server's CPU": f"{steady['watched'][0]['cpu_s'] / steady['seconds']:.0%}",
        "log lines": len(result.lines),
    }
    for name, value in rows.items():
        print(f"| {name:16} | {value} |")


def main() -> int:
    """Run it, print what was found, return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=1000, help="(%(default)s Hz)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max-p99-ms", type=float, default=50)
    options = parser.parse_args()
    announce("benchmarks.soak")
    with tempfile.TemporaryDirectory() as folder:
        programs = Programs(Path(folder), options.rate)
        try:
            result = soak(programs, options.minutes * 60, options.rate, options.seed)
        finally:
            programs.close()
    show(result, options.minutes * 60)
    found = list(violations(result, options.minutes * 60, options.max_p99_ms))
    print(*(f"VIOLATION: {text}" for text in found), sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
