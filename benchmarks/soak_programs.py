"""The programs of a soak, what they log, and looks at the server while it lasts."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.built import ROOT
from benchmarks.servers import Server, remove_ring
from benchmarks.sse_rig import fetch, free_port, stop

CAPACITY: Final = 16_384  # 16 s: slow clients get gaps
LOOK_S: Final = 1.0
START_S: Final = 20.0
SETTLE_S: Final = 10.0


class Look(NamedTuple):
    """What was found at one look at the server."""

    rss_kb: float
    descriptors: int
    health_s: float
    health: int  # status


class Programs:
    """Producer and server, and what they log."""

    def __init__(self, folder: Path, rate_hz: float) -> None:
        self.port, self.ring = free_port(), f"soak_{os.getpid()}"
        self.log = folder / "said.txt"
        commands = {
            "server": f"server_main.py --host 127.0.0.1 --port {self.port}",
            "producer": f"producer_main.py --device sim:seed=1 --rate {rate_hz:g}"
            f" --capacity {CAPACITY}",
        }
        with self.log.open("wb") as log:
            self.processes = {
                name: subprocess.Popen(
                    [sys.executable, *command.split(), "--ring", self.ring], cwd=ROOT, stderr=log
                )
                for name, command in commands.items()
            }
        self.server = Server(
            self.port, "/events", tuple(one.pid for one in self.processes.values())
        )

    def wait(self) -> None:
        """Wait for samples. Raises TimeoutError."""
        deadline_s = time.monotonic() + START_S
        while self.look().health != 200:
            if time.monotonic() > deadline_s:
                raise TimeoutError(self.log.read_text())
            time.sleep(0.05)

    def look(self) -> Look:
        """Look at the server."""
        begun_s, status = time.monotonic(), 0
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_S)
            with contextlib.closing(connection):
                connection.request("GET", "/healthz")
                status = connection.getresponse().status
        took_s = time.monotonic() - begun_s
        return Look(self.server.rss_kb(), self.server.descriptors(), took_s, status)

    def files_left(self, before: int) -> int:
        """Return how many files the server has open when the last clients' ends have been noticed."""
        deadline_s = time.monotonic() + SETTLE_S
        while (files := self.server.descriptors()) > before and time.monotonic() < deadline_s:
            time.sleep(0.1)
        return files

    def ledger(self) -> dict[str, int]:
        """Return the loss ledger."""
        ledger: dict[str, int] = json.loads(fetch(self.port, "/json?verbose=1")[1])["ledger"]
        return ledger

    def lines(self) -> list[str]:
        """Return what both have logged."""
        return self.log.read_text().splitlines()

    def close(self) -> None:
        """Stop both and remove the ring."""
        for process in self.processes.values():
            stop(process)
        remove_ring(self.ring)


class Watch(threading.Thread):
    """Looks at the server until it is stopped."""

    def __init__(self, programs: Programs) -> None:
        super().__init__()
        self.looks: list[Look] = []
        self._programs = programs
        self._over = threading.Event()

    def run(self) -> None:
        """Look once a second."""
        while not self._over.wait(LOOK_S):
            self.looks.append(self._programs.look())

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self.join()

    def quarter(self, number: int) -> list[Look]:
        """Return the looks of one quarter of the time, 0 to 3."""
        size = max(1, len(self.looks) // 4)
        return self.looks[number * size : (number + 1) * size]
