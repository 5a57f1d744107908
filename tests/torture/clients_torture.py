"""SIGKILL of every program at random instants, thousands of times, and what 50 clients see of it.

    python -m tests.torture.clients_torture [--kills 2000] [--clients 50] [--seed N]

Producer (1,000 Hz), server, recorder and a program that reads the ring are killed and started again, one
after the other in random order. An observer follows the ring itself, one client follows the stream and
checks every value, and the clients (stream_clients.py) read every sample or means, each over all its
reconnects.

Exit status 0 when nothing torn was seen; no number went back; each missing sample was told, to every
client; every client got to the end; nobody ended by itself; the ring was never without news for more than
a second, and the stream not for more than three, since the last kill (a server has to listen again
first); and nothing is left in /dev/shm.
"""

import argparse
import functools
import json
import os
import random
import signal
import sys
import tempfile
import time
import uuid
from pathlib import Path

import trio

from tests.helpers.processes import killed, python
from tests.helpers.programs import free_port, left_behind
from tests.torture.kill_torture import (
    KILL,
    MAX_HANG_S,
    MAX_RECONNECT_S,
    NEWS,
    RING_NEWS,
    Report,
    Task,
    kill_at_random,
    note,
    observe_ring,
    observe_stream,
    observer,
    produce,
    read_tightly,
    serve,
    settle,
)
from trio_mpu.ring import RingReader
from trio_mpu.settings import RecordSettings
from trio_mpu.shm.segment import remove
from trio_mpu.store.recorder import run_recorder

REST_S = 0.2  # at most, between two kills
BEHIND = 5000  # samples that a client may be behind in the end: 5 s


async def record(ring: str, file: Path) -> None:
    """Be a real recorder."""
    await run_recorder(RecordSettings(ring=ring, store=str(file)), trio.Event())


def newest(ring: str) -> int:
    """Return the number of the ring's newest record."""

    async def look() -> int:
        with RingReader(ring) as reader:
            return (await reader.header()).head

    return trio.run(look)


class Result:
    """What all have seen."""

    def __init__(self, ring: str) -> None:
        self.ring = ring
        self.reports: dict[str, Report] = {}
        self.clients: dict[str, int] = {}
        self.head = self.died = self.semaphore = 0
        self.seconds = 0.0

    def complaints(self) -> list[str]:
        """Return what is wrong, empty if nothing."""
        ring, stream, clients = self.reports["ring"], self.reports["stream"], self.clients
        left = left_behind(self.ring)
        checks = {
            f"torn: {ring}, {stream}": ring["torn"] + stream["torn"] == 0,
            f"numbers went back: {ring}, {stream}": ring["back"] + stream["back"] == 0,
            f"missing untold: {ring}, {stream}": ring["untold"] + stream["untold"] == 0,
            f"clients: {clients}": not clients.get("untold") and not clients.get("back"),
            f"the ring: nothing for {ring['hang_s']:.2f} s": ring["hang_s"] < MAX_HANG_S,
            f"the stream: nothing for {stream['hang_s']:.2f} s": stream["hang_s"] < MAX_RECONNECT_S,
            f"a client ends with {clients['last']}, not {self.head}": clients["last"]
            > self.head - BEHIND,
            f"{self.died} ended by themselves or did not come back": self.died == 0,
            f"the semaphore is at {self.semaphore}": self.semaphore == 1,
            f"left in /dev/shm: {left}": not left,
        }
        return [text for text, good in checks.items() if not good]


def torture(ring: str, folder: Path, options: argparse.Namespace) -> Result:
    """Kill them all, again and again."""
    for what in (NEWS, RING_NEWS, KILL):
        note(what)
    port, result = free_port(), Result(ring)
    tasks: dict[str, Task] = {
        "producer": functools.partial(produce, ring),
        "server": functools.partial(serve, ring, port),
        "recorder": functools.partial(record, ring, folder / "history.db"),
        "reader": functools.partial(read_tightly, ring),
    }
    begun_s = time.monotonic()
    clients = python("-m", "tests.torture.stream_clients", str(port), str(options.clients))
    with (
        killed(clients),
        observer(functools.partial(observe_ring, ring, news=RING_NEWS)) as of_ring,
        observer(functools.partial(observe_stream, port)) as of_stream,
    ):
        dice = random.Random(options.seed)
        result.died = kill_at_random(tasks, options.kills, REST_S, MAX_RECONNECT_S, dice)
        result.head = newest(ring)
        clients.send_signal(signal.SIGTERM)
        said, complaints = clients.communicate()
        sys.stdout.write(complaints)
        result.clients = json.loads(said)
    result.seconds = time.monotonic() - begun_s
    result.reports = {"ring": of_ring, "stream": of_stream}
    result.semaphore = settle(ring)
    return result


def main() -> int:
    """Run it, print what was seen, return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    ring = f"torture_{os.getpid()}_{uuid.uuid4().hex[:6]}"
    with tempfile.TemporaryDirectory() as folder:
        try:
            result = torture(ring, Path(folder), options)
        finally:
            remove(ring)
    for name, report in result.reports.items():
        print(f"{name}: " + ", ".join(f"{what} {value:g}" for what, value in report.items()))
    print(f"{options.clients} clients: {result.clients}")
    rate = options.kills / result.seconds * 60
    print(f"{options.kills} kills in {result.seconds:.0f} s, {rate:.0f} a minute")
    complaints = result.complaints()
    print(*complaints or ["no complaints"], sep="\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
