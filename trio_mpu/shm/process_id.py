"""The identity of a process, in a form that can be stored in shared memory and checked later."""

import os
from pathlib import Path

from trio_mpu.record import NOBODY, Process


def myself() -> Process:
    """Return this process's identity."""
    return find(os.getpid())


def find(pid: int) -> Process:
    """Return the identity of the process that has this pid now, NOBODY if none has.

    A process that has ended and was not yet waited for (a zombie) does not count.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return NOBODY
    # proc(5): the second field is the program's name in parentheses and may hold anything.
    fields = stat[stat.rindex(b")") + 2 :].split()
    state, start = fields[0], int(fields[19])
    return NOBODY if state in b"ZX" else Process(pid, start)


def is_alive(process: Process) -> bool:
    """Return whether exactly this process is still running."""
    return process != NOBODY and find(process.pid) == process
