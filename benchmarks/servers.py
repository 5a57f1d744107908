"""The servers to measure, ours among them: how each is started, watched and stopped."""

import contextlib
import http.client
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import posix_ipc

from benchmarks.built import (
    EVENT_FILE,
    HERE,
    ROOT,
    certificate,
    nginx,
    node,
    peers_python,
    program,
)

START_S: Final = 20.0
STOP_S: Final = 5.0
MAX_CLIENTS: Final = 10_000
_CLOCK_TICKS_HZ: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGESIZE")

Command = list[str]


class NoAnswer(Exception):
    """A server did not start; the message is its own."""


@dataclass(frozen=True)
class Feed:
    """What a server is to stream."""

    rate_hz: float = 100
    flush_ms: int = 0
    capacity: int = 65_536  # of our ring; the others have none
    store: str = ""  # a recorder's file that our server reads


@dataclass(frozen=True)
class Server:
    """A server that runs. `pids` are of the server itself and of what feeds it."""

    port: int
    path: str
    pids: tuple[int, ...]

    def cpu_s(self) -> list[float]:
        """Return the CPU time of each process so far (proc(5): utime and stime)."""
        return [_cpu_s(pid) for pid in self.pids]

    def rss_kb(self) -> float:
        """Return the memory of the server itself (proc(5): resident)."""
        statm = Path(f"/proc/{self.pids[0]}/statm").read_text()
        return int(statm.split()[1]) * _PAGE_BYTES / 1024

    def forget_peak(self) -> None:
        """Let `peak_kb` begin anew (proc(5): clear_refs)."""
        Path(f"/proc/{self.pids[0]}/clear_refs").write_text("5")

    def peak_kb(self) -> float:
        """Return the most memory of the server itself since then (proc(5): VmHWM)."""
        status = Path(f"/proc/{self.pids[0]}/status").read_text()
        return float(status.partition("VmHWM:")[2].split()[0])

    def descriptors(self) -> int:
        """Return how many files the server itself has open."""
        return len(list(Path(f"/proc/{self.pids[0]}/fd").iterdir()))


def _cpu_s(pid: int) -> float:
    stat = Path(f"/proc/{pid}/stat").read_bytes()
    # The second field is the program's name in parentheses and may hold anything.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS_HZ


# -- how each is started: the server's own command first, then what feeds it ----------------------


def _floor(port: int, _: str, feed: Feed) -> list[Command]:
    return [[program("floor"), str(port), str(feed.rate_hz), str(feed.flush_ms), str(EVENT_FILE)]]


def _ours(port: int, ring: str, feed: Feed) -> list[Command]:
    server = f"server_main.py --host 127.0.0.1 --port {port} --max-clients {MAX_CLIENTS}"
    stored = ["--store", feed.store] if feed.store else []
    producer = f"producer_main.py --device sim:seed=1 --rate {feed.rate_hz:g}"
    producer += f" --capacity {feed.capacity}"
    return [
        [sys.executable, *server.split(), *stored, "--ring", ring],
        [sys.executable, *producer.split(), "--ring", ring],
    ]


def _ours_with_tls(*way: str) -> Callable[[int, str, Feed], list[Command]]:
    def commands(port: int, ring: str, feed: Feed) -> list[Command]:
        server, producer = _ours(port, ring, feed)
        python, main, *options = server
        start = [python, "-m", "benchmarks.peers.tls_server", *way] if way else [python, main]
        return [[*start, *options, "--tls-cert", certificate()], producer]

    return commands


def _nginx_with_tls(port: int, ring: str, feed: Feed) -> list[Command]:
    behind = _free_port()
    return [*_ours(behind, ring, feed), nginx(port, behind)]


def _aiohttp(port: int, _: str, __: Feed) -> list[Command]:
    return [[peers_python(), "-m", "benchmarks.peers.aiohttp_server", str(port)]]


def _uvicorn(app: str, http_parser: str) -> Callable[[int, str, Feed], list[Command]]:
    options = f"--host 127.0.0.1 --loop uvloop --http {http_parser} --log-level warning"

    def commands(port: int, _: str, __: Feed) -> list[Command]:
        line = f"-m uvicorn benchmarks.peers.{app}:app {options} --no-access-log --port {port}"
        return [[peers_python(), *line.split()]]

    return commands


def _node(port: int, _: str, __: Feed) -> list[Command]:
    return [[node(), str(HERE / "peers" / "node_server.mjs"), str(port)]]


_COMMANDS: Final = {
    "floor": _floor,
    "ours": _ours,
    "aiohttp": _aiohttp,
    "starlette": _uvicorn("starlette_app", "httptools"),
    "node": _node,
    "plain": _ours,
    "tls": _ours_with_tls(),
    "tls-waking": _ours_with_tls("waking"),
    "tls-trio": _ours_with_tls("trio"),
    "tls-nginx": _nginx_with_tls,
    "uvicorn-httptools": _uvicorn("json_app", "httptools"),
    "uvicorn-h11": _uvicorn("json_app", "h11"),
}
STREAMING: Final = ("floor", "ours", "node", "aiohttp", "starlette")
SECURE: Final = ("plain", "tls", "tls-waking", "tls-trio", "tls-nginx")
ANSWERING: Final = ("floor", "ours", "uvicorn-httptools", "uvicorn-h11")


def ring_of_ours() -> str:
    """Return the name of the ring that our server is given."""
    return f"benchmark_{os.getpid()}"


@contextlib.contextmanager
def serving(name: str, feed: Feed) -> Iterator[Server]:
    """Run a server until the end of the block. Raises NoAnswer."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # not every peer does so itself
    port, ring = _free_port(), ring_of_ours()
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "BENCHMARK_RATE_HZ": f"{feed.rate_hz:g}",
        "BENCHMARK_FLUSH_MS": str(feed.flush_ms),
    }
    path = f"/events?flush_ms={feed.flush_ms}" if name == "ours" and feed.flush_ms else "/events"
    with contextlib.ExitStack() as stack:
        complaints = stack.enter_context(tempfile.TemporaryFile("w+"))
        stack.callback(remove_ring, ring)
        processes = [
            stack.enter_context(
                _stopped(subprocess.Popen(command, cwd=ROOT, env=environ, stderr=complaints))
            )
            for command in _COMMANDS[name](port, ring, feed)
        ]
        if not _answers(port, secure=name.startswith("tls")):
            complaints.seek(0)
            raise NoAnswer(f"it does not answer: {complaints.read()[-2000:]}")
        yield Server(port, path, tuple(process.pid for process in processes))


@contextlib.contextmanager
def _stopped(process: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _answers(port: int, *, secure: bool = False) -> bool:
    """Wait for an answer; 503 is none, it says that there is no sample yet, and 502 no server."""
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_S)
        if secure:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection = http.client.HTTPSConnection(
                "127.0.0.1", port, timeout=START_S, context=context
            )
        with (
            contextlib.suppress(OSError, http.client.HTTPException),
            contextlib.closing(connection),
        ):
            connection.request("GET", "/json")
            if connection.getresponse().status not in (502, 503):
                return True
        time.sleep(0.05)
    return False


def remove_ring(ring: str) -> None:
    """Remove what a producer leaves for the next one."""
    with contextlib.suppress(posix_ipc.ExistentialError):
        posix_ipc.unlink_shared_memory(ring)
    with contextlib.suppress(posix_ipc.ExistentialError):
        posix_ipc.unlink_semaphore(f"{ring}_sem")
