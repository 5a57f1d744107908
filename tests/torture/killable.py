"""Producer, server and recorder of one ring, which can be killed, and what all their runs cost."""

import os
import signal
import subprocess
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final, Self

import trio

from tests.helpers.processes import killed, python
from tests.helpers.programs import free_port, get

NAMES: Final = ("producer", "server", "record")
PATIENCE_S: Final = 30.0  # arbitrary: for a program to end


class Programs:
    """The programs, and what they have used, summed over all runs of each."""

    def __init__(self, ring: str, file: Path, log: Path, rate_hz: int, capacity: int) -> None:
        """The recorder is to write `file`; what they say goes into `log`."""
        self.port = free_port()
        self.file = file
        self.kills = dict.fromkeys(NAMES, 0)
        self.cpu_s = dict.fromkeys(NAMES, 0.0)
        self.written_bytes = dict.fromkeys(NAMES, 0)
        self._options = {
            "producer": ["--device=sim:seed=1", f"--rate={rate_hz}", f"--capacity={capacity}"],
            "server": ["--host=127.0.0.1", f"--port={self.port}"],
            "record": [f"--store={self.file}"],
        }
        self._ring = ring
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._stack = ExitStack()
        self._log_file = self._stack.enter_context(log.open("w"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, name: str) -> None:
        """Start one of them."""
        options = (f"--ring={self._ring}", *self._options[name])
        process = python("-m", "trio_mpu", name, *options, output=self._log_file.fileno())
        self._processes[name] = self._stack.enter_context(killed(process))

    async def kill(self, name: str) -> None:
        """Send it SIGKILL. Raises RuntimeError if it has ended by itself."""
        self.kills[name] += 1
        if (status := await self.end(name, signal.SIGKILL)) != -signal.SIGKILL:
            raise RuntimeError(f"{name} has ended by itself with status {status}")

    async def end(self, name: str, number: signal.Signals) -> int:
        """Send it a signal, wait for its end, add up what it has used, and return its status."""
        process = self._processes[name]
        process.send_signal(number)
        # It stays a zombie, which can be asked what it has used.
        wait = partial(os.waitid, os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with trio.fail_after(PATIENCE_S):
            await trio.to_thread.run_sync(wait, abandon_on_cancel=True)
        cpu_s, written_bytes = used(process.pid)
        self.cpu_s[name] += cpu_s
        self.written_bytes[name] += written_bytes
        return process.wait()

    def answers(self) -> bool:
        """Whether the server has samples."""
        return get(f"http://127.0.0.1:{self.port}/healthz")[0] == 200


def used(pid: int) -> tuple[float, int]:
    """Return a process's seconds of CPU, and how many bytes it had written to a disk: proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    io = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return cpu_s, int(io["write_bytes"])
