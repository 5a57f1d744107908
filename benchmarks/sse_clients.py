"""Others' SSE clients with our server: what each gets while programs are restarted and connections
cut, and whether what it does not get is reported.

All clients read at the same time, each in a process of its own that uses its library as the
library's documentation shows (peers/sse_client.py and peers/sse_client.mjs). "unreported" counts
numbers that are missing without a `gap` for exactly that hole, and "behind" what a client had still
not got long after the last disturbance.
"""

import argparse
import contextlib
import functools
import gzip
import shutil
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from benchmarks.built import HERE, Missing, node, peers_python
from benchmarks.servers import NoAnswer, ring_of_ours
from benchmarks.sse_rig import PATIENCE_S, Client, CuttingProxy, Ours, fetch, nginx
from benchmarks.table import Row, announce, number, show

PYTHON: Final = ("httpx-sse", "sseclient-py", "requests-sse", "aiohttp-sse-client", "aiosseclient")
NODE: Final = (
    "eventsource",
    "event-source-polyfill",
    "fetch-event-source",
    "fetch-event-source-readme",  # without what its user has to add: see docs/protocol.md
)
RATE_HZ: Final = 100
DOWN_S: Final = 2.5  # from a program's end to its next start: clients are refused meanwhile
BACK_S: Final = 8.0  # until the slowest are back: some double `retry:` each time
FLAWS: Final = ("unreported", "twice", "empty", "behind")

Clients = dict[str, Client]
Disturbance = Callable[[Ours, Clients], None]


def command(library: str, port: int, options: argparse.Namespace) -> list[str]:
    """Return the command of a client."""
    url = f"http://127.0.0.1:{port}/events"
    if library in PYTHON:
        return [options.python or peers_python(), "-m", "benchmarks.peers.sse_client", library, url]
    return [node(), str(HERE / "peers" / "sse_client.mjs"), library, url, str(options.node_folder)]


def judge(client: Client, head: int) -> Row:
    """Count what is missing, with and without a report, and what came twice."""
    unreported = reported = twice = 0
    for before, sample in zip(client.samples, client.samples[1:], strict=False):
        missing = sample.seq - before.seq - 1
        told = sample.gap is not None and sample.gap[:2] == (before.seq, sample.seq)
        if sample.gap is not None and told:
            reported += sample.gap[2] or 0
        elif sample.generation != before.generation:
            unreported += 1  # of a new ring nobody can say how many
        elif missing < 0:
            twice += 1
        else:
            unreported += missing
    late_s = [sample.late_s for sample in client.samples] or [0.0]
    return {
        "events": len(client.samples),
        "unreported": unreported,
        "reported": reported,
        "twice": twice,
        "torn": client.counts["torn"],
        "empty": client.counts["empty"],
        "behind": max(0, head - client.last()),
        "late_s": statistics.median(late_s),
    }


# -- what happens to them ---------------------------------------------------------------------------


def wait_for(clients: Clients, head: int) -> None:
    """Wait until each has sample number `head`, or has had time enough for it."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        if all(client.last() >= head for client in clients.values() if not client.missing):
            return
        time.sleep(0.05)


def restart(name: str, *numbers: signal.Signals) -> Disturbance:
    """Return what ends one of our programs with each of the signals and starts it again."""

    def disturb(ours: Ours, clients: Clients) -> None:
        for signal_number in numbers:
            before = ours.head()
            ours.end(name, signal_number)
            time.sleep(DOWN_S)
            ours.start(name)
            ours.wait(before)
            wait_for(clients, ours.head())

    return disturb


def quiet_restarts(ours: Ours, _: Clients) -> None:
    """End the server twice while there are no samples: what it then sends first has no id."""
    before = ours.head()
    ours.end("producer", signal.SIGKILL)
    for signal_number in (signal.SIGKILL, signal.SIGTERM):
        ours.end("server", signal_number)
        time.sleep(DOWN_S)
        ours.start("server")
        time.sleep(BACK_S)
    ours.start("producer")
    ours.wait(before)


def nothing(_: Ours, __: Clients) -> None:
    """Leave them alone."""


_SERVER = restart("server", signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)
TRIALS: Final[dict[str, tuple[str, Disturbance]]] = {
    "stream": ("undisturbed", nothing),
    "server": ("server restarted after SIGKILL, SIGTERM and SIGKILL", _SERVER),
    "producer": ("producer restarted after SIGKILL", restart("producer", signal.SIGKILL)),
    "quiet": ("server restarted twice while the producer is gone", quiet_restarts),
    "nginx": ("through nginx with gzip", nothing),
    "nginx-server": ("through nginx with gzip, server restarted likewise", _SERVER),
    "cut": ("connection cut four times in the middle of an event", nothing),
    "cut-1.0": ("the same in HTTP/1.0, where a cut looks like a proper end", nothing),
}


@contextlib.contextmanager
def entrances(trial: str, ours: Ours, libraries: list[str]) -> Iterator[Callable[[str], int]]:
    """Yield what returns the port for a library."""
    if trial.startswith("nginx"):
        with nginx(ours.port) as port:
            yield lambda _: port
    elif trial.startswith("cut"):
        proxies = {name: CuttingProxy(ours.port, chunked=trial == "cut") for name in libraries}
        try:
            yield lambda library: proxies[library].port
            cuts = ", ".join(f"{name} {proxy.cuts}" for name, proxy in proxies.items())
            print(f"cuts: {cuts}")
        finally:
            for proxy in proxies.values():
                proxy.close()
    else:
        yield lambda _: ours.port


def run(trial: str, options: argparse.Namespace) -> None:
    """Run one trial and print the table of what the clients got. Raises Missing, NoAnswer."""
    _, disturb = TRIALS[trial]
    clients: Clients = {}
    with contextlib.ExitStack() as stack:
        ours = Ours(ring_of_ours(), RATE_HZ)
        stack.callback(ours.close)
        ours.start("producer")
        ours.start("server")
        ours.wait(0)
        port_of = stack.enter_context(entrances(trial, ours, options.libraries))
        if trial == "nginx":
            check_proxy(ours, port_of(""))
        for library in options.libraries:
            clients[library] = Client(command(library, port_of(library), options))
            stack.callback(clients[library].close)
        wait_for(clients, ours.head())
        time.sleep(options.seconds)
        disturb(ours, clients)
        wait_for(clients, ours.head())
        if trial.startswith("cut"):
            time.sleep(2 * BACK_S)
        time.sleep(options.seconds)
        head = ours.head()
        wait_for(clients, head)
        rows = {name: judge(client, head) for name, client in clients.items() if not client.missing}
    report(trial, clients, rows, options)


def report(trial: str, clients: Clients, rows: dict[str, Row], options: argparse.Namespace) -> None:
    """Print what the clients got, and which are left out from now on."""
    counts = ("unreported", "reported", "twice", "torn", "empty", "behind")
    columns = [(count, number(count, ",.0f")) for count in counts]
    if trial in ("stream", "nginx"):  # elsewhere they catch up, and are late on purpose
        columns.append(("median ms", number("late_s", ".1f", 1e3)))
    show(rows, ("events", number("events", ",.0f")), *columns)
    for name, client in clients.items():
        if client.missing:
            print(f"{name} is left out: {client.missing}")
            options.libraries.remove(name)
        elif client.said:
            said = ", ".join(f"{count} x {what}" for what, count in client.said.items())
            print(f"{name} left to its user: {said}")
    if trial == options.trials[0]:
        print("versions: " + ", ".join(f"{name} {clients[name].version}" for name in rows))
    for name, row in rows.items():
        if flaws := ", ".join(f"{row[flaw]:,.0f} {flaw}" for flaw in FLAWS if row[flaw]):
            options.flaws.append(f"{trial}, {name}: {flaws}")


def check_proxy(ours: Ours, port: int) -> None:
    """Print what the proxy compresses, and whether the history is the same through it."""
    while ours.head() < 100:
        time.sleep(0.05)
    path = "/history?format=ndjson&limit=100&since="
    path += f"{fetch(ours.port, '/history?limit=1')[0]['ring-generation']}-0"
    _, plain = fetch(ours.port, path)
    for encoding in ("identity", "gzip"):
        head, body = fetch(port, path, encoding)
        packed = head.get("content-encoding", "not compressed")
        same = (gzip.decompress(body) if packed == "gzip" else body) == plain
        print(f"/history, Accept-Encoding: {encoding}: {packed}, same rows: {same}")
    head, _ = fetch(port, "/events", "gzip", body=False)
    print(f"/events, Accept-Encoding: gzip: {head.get('content-encoding', 'not compressed')}\n")


def some(text: str, *, of: tuple[str, ...]) -> list[str]:
    """Return the names in a list with commas."""
    if unknown := set(text.split(",")) - set(of):
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: there are {', '.join(of)}")
    return text.split(",")


def main() -> None:
    """Print a table for each trial."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    libraries, trials = (*PYTHON, *NODE), tuple(TRIALS)
    parser.add_argument("--seconds", type=float, default=4, help="before and after (%(default)s)")
    for name, every in (("--libraries", libraries), ("--trials", trials)):
        kind = functools.partial(some, of=every)
        parser.add_argument(name, type=kind, default=list(every), help=",".join(every))
    parser.add_argument("--python", help="an interpreter that has the libraries for Python")
    folder = HERE / "build" / "node"
    parser.add_argument("--node-folder", type=Path, default=folder, help="it has node_modules")
    options = parser.parse_args()
    options.node_folder = options.node_folder.resolve()
    options.flaws = []
    announce("benchmarks.sse_clients")
    if shutil.which("node") is None and (left_out := set(NODE) & set(options.libraries)):
        print(f"{', '.join(left_out)}: left out: Node is needed (sudo apt install nodejs)")
        options.libraries = [name for name in options.libraries if name not in NODE]
    for trial in options.trials:
        print(f"\n{trial}: {TRIALS[trial][0]}, {RATE_HZ} Hz\n", flush=True)
        try:
            run(trial, options)
        except (Missing, NoAnswer) as error:
            print(f"left out: {error}")
    print("\nNothing unreported, twice, empty or behind" if not options.flaws else "\nNot whole:")
    print("\n".join(options.flaws))


if __name__ == "__main__":
    main()
