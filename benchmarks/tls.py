"""TLS: what it costs our server, and what its direct writes save; and nginx in front that does it.

`plain` is HTTP. `tls` is HTTPS as the server has it: records are made and written by the hub and by
what looks after idle connections. In `tls-waking` the task of each connection does it, in `tls-trio`
by trio.SSLStream. `tls-nginx` is nginx in front of `plain`; its CPU is that of both. The load is the
same for all, and its clients are Python.
"""

import functools
import json
import subprocess
import sys
import time
from typing import Any, Final

from benchmarks.load import WARM_UP_S, LoadFailed
from benchmarks.servers import SECURE, Feed, Server, serving
from benchmarks.table import Row, announce, heading, number, options_of, ratio, rounds, show

RATE_HZ: Final = 100
CONNECTIONS: Final = 16  # that ask for /json


def measure(name: str, what: str, clients: int, seconds: float) -> Row:
    """Run one server under one load."""
    with serving(name, Feed(RATE_HZ)) as server:
        command = ["-m", "benchmarks.tls_load", str(server.port), what, str(clients)]
        command += ["--tls"] if name != "plain" else []
        before_kb = server.rss_kb()
        with subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as load:
            try:
                if not _line(load):
                    raise LoadFailed("its clients could not connect")
                time.sleep(WARM_UP_S)
                row = _window(server, load, seconds)
                return row | {"client_kb": (server.rss_kb() - before_kb) / clients}
            finally:
                load.kill()


def _window(server: Server, load: "subprocess.Popen[str]", seconds: float) -> Row:
    begun_s, cpu_s, first = time.monotonic(), server.cpu_s(), _found(load)
    time.sleep(seconds)
    last, ended = _found(load), server.cpu_s()
    took_s = time.monotonic() - begun_s
    used_s = [after - before for before, after in zip(cpu_s, ended, strict=True)]
    received = last["received"] - first["received"]
    ours_s = used_s[0] + sum(used_s[2:])  # the second is the producer
    return {
        "per_s": received / took_s,
        "cpu": ours_s / took_s,
        "cpu_us": ours_s * 1e6 / max(1, received),
        "lost": last["lost"],
        "reader": (last["cpu_s"] - first["cpu_s"]) / took_s,
    }


def _found(load: "subprocess.Popen[str]") -> dict[str, Any]:
    assert load.stdin
    print(file=load.stdin, flush=True)
    if not (line := _line(load)):
        raise LoadFailed("a client was disconnected")
    found: dict[str, Any] = json.loads(line)
    return found


def _line(load: "subprocess.Popen[str]") -> str:
    assert load.stdout
    return load.stdout.readline()


def main() -> None:
    """Print a table for the stream, and one for /json."""
    parser = options_of(__doc__, seconds=5, servers=SECURE)
    parser.add_argument("--clients", type=int, default=100, help="of the stream (%(default)s)")
    options = parser.parse_args()
    announce("benchmarks.tls")
    for what, clients, title in (
        ("stream", options.clients, f"{options.clients} clients x {RATE_HZ} Hz"),
        ("json", CONNECTIONS, f"/json, {CONNECTIONS} connections"),
    ):
        heading(title, options)
        rows = rounds(
            options,
            functools.partial(measure, what=what, clients=clients, seconds=options.seconds),
        )
        show(
            rows,
            ("a second", number("per_s", ",.0f")),
            ("lost", number("lost", ".0f")),
            ("CPU", number("cpu", ".1%")),
            ("CPU µs each", number("cpu_us", ".1f")),
            ("x plain", ratio(rows, "cpu_us", "plain")),
            ("kB a client", number("client_kb", ".0f")),
            ("load CPU", number("reader", ".0%")),
        )


if __name__ == "__main__":
    main()
