"""Producer and server as a user starts them, for tests."""

import contextlib
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import requests
import trio

from tests.helpers.metrics import metrics_of
from tests.helpers.processes import ROOT, killed, python

SHM = Path("/dev/shm")
PATIENCE_S = 20.0


def free_port() -> int:
    """A TCP port that nobody listens on, and that no outgoing connection is given either.

    A server that is started again would find one of those taken, be it by the very client that
    tries to reach it: Linux lets such a connection be answered by itself.
    """
    while True:
        port = random.randrange(10_000, 32_768)  # below Linux's ip_local_port_range
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait until the condition holds; fail after PATIENCE_S."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.01)


def left_behind(ring: str) -> list[str]:
    """What there is in /dev/shm of this ring."""
    return sorted(path.name for path in SHM.glob(f"*{ring}*"))


@contextlib.contextmanager
def fresh_ring() -> Iterator[str]:
    """The name of a ring that nobody else has; whatever was made of it is removed afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    try:
        yield name
    finally:
        # What a failing test has left: of a start.sh, or of a supervisor.
        for pid in (*programs(name).values(), *workers(name).values()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for path in (SHM / name, SHM / f"sem.{name}_sem"):
            path.unlink(missing_ok=True)


class System:
    """A producer and a server of one ring, each of which can be killed and started again."""

    def __init__(self, ring: str, *, device: str = "sim:seed=1", rate: float = 100) -> None:
        self.ring = ring
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.headers: dict[str, str] = {}  # of each request, such as a token
        self._options = {
            "producer": ["--device", device, "--rate", str(rate)],
            "server": ["--host", "127.0.0.1", "--port", str(self.port)],
        }
        self._stack = contextlib.ExitStack()
        self.processes: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, name: str, *options: str) -> None:
        """Start `producer` or `server`."""
        arguments = [f"{name}_main.py", "--ring", self.ring, *self._options[name], *options]
        process = python(*arguments, output=subprocess.DEVNULL)
        self.processes[name] = self._stack.enter_context(killed(process))

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to it and wait for its end; return its exit status."""
        self.processes[name].send_signal(number)
        return self.processes[name].wait(PATIENCE_S)

    def get(self, path: str) -> tuple[int, str]:
        """GET a path; status 0 while nobody answers."""
        return get(self.url + path, self.headers)

    def json(self) -> dict[str, Any]:
        """The latest sample."""
        status, text = self.get("/json")
        return json.loads(text) if status == 200 else {}

    def streams_open(self) -> int:
        """How many streams the server sends."""
        _, text = self.get("/metrics")
        return int(metrics_of(text)["streams_open"])

    def wait(self, status: str = "ok") -> None:
        """Wait until the stream has this status."""
        eventually(lambda: self.json().get("status") == status, f"never {status}")


@contextlib.contextmanager
def running(ring: str, *, device: str = "sim:seed=1", rate: float = 100) -> Iterator[System]:
    """A system that gives samples."""
    with System(ring, device=device, rate=rate) as system:
        system.start("producer")
        system.start("server")
        system.wait()
        yield system


def get(url: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    """GET a URL; status 0 while nobody answers."""
    try:
        answer = requests.get(url, timeout=PATIENCE_S, headers=headers)
    except requests.RequestException:
        return 0, ""
    return answer.status_code, answer.text


def start_script(*options: str, environ: dict[str, str] | None = None) -> "subprocess.Popen[str]":
    """Run start.sh with these options; its complaints are in its standard error."""
    return subprocess.Popen(
        [str(ROOT / "start.sh"), *options],
        env=environ,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=_heed_signals,  # noqa: PLW1509 - no threads
    )


def _heed_signals() -> None:
    # A shell can't trap a signal that was ignored when it started, as in a background job (SIGINT)
    # or under nohup (SIGHUP).
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def programs(ring: str) -> dict[str, int]:
    """The pids of producer, server and recorder (`record`) of this ring, not of workers."""
    found = {}
    for pid, command in _commands():
        name = _program(command)
        is_worker = any(word.startswith("--worker=") for word in command)
        if name in ("producer", "server", "record") and _has_ring(command, ring) and not is_worker:
            found[name] = pid
    return found


def workers(ring: str) -> dict[int, int]:
    """The pids of the server's workers of this ring, by their slots."""
    found = {}
    for pid, command in _commands():
        for word in command:
            if word.startswith("--worker=") and _has_ring(command, ring):
                found[int(word.removeprefix("--worker=").partition(":")[0])] = pid
    return found


def _has_ring(command: list[str], ring: str) -> bool:
    return f"--ring={ring}" in command or ring in command


def _program(command: list[str]) -> str:
    """Which of our programs a command is; "" for others."""
    for word, after in itertools.pairwise([*command, ""]):
        if word.endswith("trio_mpu/__main__.py"):
            return after
        if word.endswith("_main.py"):
            return Path(word).name.removesuffix("_main.py")
    return ""


def _commands() -> Iterator[tuple[int, list[str]]]:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            *command, _ = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if len(command) > 1:
                yield int(folder.name), command


async def follow(
    url: str, last_id: str, count: int, *, until_end: bool = False
) -> list[dict[str, Any]]:
    """Read `count` samples of the stream, or all to its end."""
    samples: list[dict[str, Any]] = []
    host, _, port = url.removeprefix("http://").partition(":")
    async with await trio.open_tcp_stream(host, int(port)) as stream:
        request = f"GET /events HTTP/1.0\r\nLast-Event-ID: {last_id}\r\n\r\n"
        await stream.send_all(request.encode())
        rest = b""
        with contextlib.suppress(trio.BrokenResourceError):
            while data := await stream.receive_some():
                *events, rest = (rest + data).split(b"\n\n")
                for event in events:
                    head, _, text = event.partition(b"data: ")
                    # In front of the first sample there may be the answer's head and `retry:`.
                    if any(line.startswith(b"id: ") for line in head.splitlines()):
                        samples.append(json.loads(text))
                if len(samples) >= count and not until_end:
                    break
    return samples


def numbers_of(samples: list[dict[str, Any]]) -> list[int]:
    """The sequence numbers of samples."""
    return [sample["seq"] for sample in samples]
