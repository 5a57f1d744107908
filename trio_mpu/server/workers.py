"""Several server processes on one address.

- All workers are down: the port is still ours, since it is bound here.
- A worker ends: its connections are taken off the scoreboard immediately, its counters stay, and
  another one gets its slot (supervisor package: when, and how often).
- A worker fails before any was ever ready: that won't get better by itself, and all end.
"""

import contextlib
import mmap
import os
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

import trio

from trio_mpu.errors import UsageError
from trio_mpu.metrics.scoreboard import Scoreboard, Slot, alone, scoreboard_bytes
from trio_mpu.server.listeners import reserve
from trio_mpu.settings import ServerSettings
from trio_mpu.supervisor.keeper import Supervisor
from trio_mpu.supervisor.program import Program, our_command

# Bound "time before a worker is killed, s".
STOP_S: Final = 3.25  # a worker's own 3 s, and a little to end in; `start` gives 3.5 s


def run_workers(settings: ServerSettings, argv: Sequence[str]) -> int:
    """Keep the workers running until a signal; return the exit status.

    `argv` are the options that `settings` were made of. Raises ServerError when the address can't
    be had. No worker is left in any case.
    """
    with contextlib.ExitStack() as stack:
        port = settings.port
        for socket in trio.run(reserve, settings.host or None, port):
            port = stack.enter_context(socket).getsockname()[1]
        scoreboard_fd, scoreboard = stack.enter_context(_shared(settings.workers))
        workers: list[Program] = []
        for number in range(settings.workers):
            slot = scoreboard.slot(number)
            options = (f"--port={port}", f"--worker={number}:{scoreboard_fd}")
            workers.append(
                Program(
                    f"worker {number}",
                    our_command("server", *argv, *options),
                    ended=slot.clear,
                    restarted=partial(slot.add, "worker_restarts", 1),
                )
            )
        return Supervisor(
            workers,
            STOP_S,
            is_hopeless=lambda _: not any(worker.was_ready for worker in workers),
            above=settings.supervisor,
        ).run()


@contextlib.contextmanager
def _shared(workers: int) -> Iterator[tuple[int, Scoreboard]]:
    """The scoreboard, and the descriptor by which workers inherit it."""
    fd = os.memfd_create("trio-mpu-scoreboard", 0)  # no close-on-exec
    try:
        os.ftruncate(fd, scoreboard_bytes(workers))
        yield fd, Scoreboard(memoryview(mmap.mmap(fd, 0)))
    finally:
        os.close(fd)


def slot_of(settings: ServerSettings) -> Slot:
    """Return the slot that a worker was given, or that of a server by itself.

    Raises UsageError if it is not there.
    """
    if settings.worker is None:
        return alone()
    number, scoreboard_fd = settings.worker
    try:
        return Scoreboard(memoryview(mmap.mmap(scoreboard_fd, 0))).slot(number)
    except (OSError, ValueError, TypeError, IndexError) as error:
        raise UsageError("--worker is internal; use --workers") from error
