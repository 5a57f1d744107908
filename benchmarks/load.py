"""The load programs, run against a server, and what they found."""

import json
import subprocess
from typing import Any, Final, TypedDict

from benchmarks.built import program
from benchmarks.servers import Server

WARM_UP_S: Final = 1.5
CONNECTIONS: Final = 16  # that ask for /json; more than one process can answer at a time
# Above that many events a second, the age of every 101st only: a prime, so that the events that
# share a write have their turns.
ALL_AGES_HZ: Final = 20_000
SAMPLED_EVERY: Final = 101


class LoadFailed(Exception):
    """A load program gave up on a server; the message is its own."""


class Watched(TypedDict):
    """What a process cost while measuring."""

    cpu_s: float
    rss_kb: int


class Measured(TypedDict):
    """What both programs measure; `p50_us` and so on are NaN when there was nothing."""

    seconds: float
    reader_cpu_s: float
    p50_us: float
    p99_us: float
    max_us: float
    watched: list[Watched]


class Verdict(TypedDict):
    """What became of the samples; stream.h says what each means."""

    samples: int
    bytes: int
    lost: int
    repeats: int
    gaps_told: int
    lost_told: int
    unmeasured: int
    changes: int
    closed: int


class SlowReading(Verdict):
    """Of one slow client, with what it could still get in the end."""

    behind: int


class Reading(Measured, Verdict):
    """Of all clients together; `fewest`: samples of the one that got the fewest."""

    fewest: int
    slow: list[SlowReading]


class Requests(Measured):
    """Of keep-alive connections."""

    answers: int
    bytes: int


def read_stream(
    server: Server,
    clients: int,
    seconds: float,
    *,
    rate_hz: float,
    paces: tuple[int, ...] = (),
    drain_s: float = 0,
) -> Reading:
    """Stream to that many clients, and to a slow one for each of `paces`. Raises LoadFailed."""
    every = 1 if clients * rate_hz <= ALL_AGES_HZ else SAMPLED_EVERY
    options: dict[str, object] = {
        "port": server.port,
        "path": server.path,
        "clients": clients,
        "warm-up": WARM_UP_S,
        "seconds": seconds,
        "every": every,
        "drain": drain_s,
    }
    command = [f"--{name}={value}" for name, value in options.items()]
    command += [f"--watch={pid}" for pid in server.pids]
    command += [f"--slow={pace}" for pace in paces]
    reading: Reading = run_program("load_reader", *command)
    return reading


def request_json(server: Server, seconds: float) -> Requests:
    """Ask for /json as fast as the server answers. Raises LoadFailed."""
    numbers = (server.port, "/json", CONNECTIONS, WARM_UP_S, seconds, *server.pids)
    requests: Requests = run_program("load_requests", *map(str, numbers))
    return requests


def run_program(name: str, *options: str) -> Any:  # noqa: ANN401 - the callers say what it is
    """Run a load program and return the JSON that it prints. Raises LoadFailed."""
    run = subprocess.run([program(name), *options], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise LoadFailed(run.stderr.strip() or f"{name} ended with status {run.returncode}")
    return json.loads(run.stdout)
