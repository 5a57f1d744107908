"""Who a process is, so that a note of it in shared memory can be trusted later."""

import os
from pathlib import Path

from trio_mpu.record import NOBODY, Process


def myself() -> Process:
    """Return this process's identity."""
    return find(os.getpid())


def find(pid: int) -> Process:
    """Return the identity of the process that has this pid now, NOBODY if none has.

    A process that was killed and not yet waited for (a zombie) counts as none: it runs no more.
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
    """Tell whether exactly this process still runs."""
    return process != NOBODY and find(process.pid) == process
