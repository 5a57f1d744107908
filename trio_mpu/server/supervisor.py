"""Several server processes on one address: starts them, starts again those that die, stops all.

    run_supervisor
    └─ one keeper per seat: start a worker, wait for its end, pause, and again
       └─ while a worker runs: one task that waits to tell it to stop

What may happen, and what then:

- A worker dies: its connections are taken off the board at once, its counters stay, and another
  one takes its seat, after a pause that grows if that goes on.
- A worker fails before any has ever served: that will not get better by itself; all end.
- All workers are down: the port is still ours, since it is bound here.
- A stop: each worker is told, and what is left STOP_S later is killed.
- The supervisor is cancelled: the workers are killed.
- The supervisor is killed: the kernel closes its end of the lifeline, a pipe, whose other end each
  worker watches. (PR_SET_PDEATHSIG would tell of the death of a thread, and processes are started
  from one.)

Workers are in process groups of their own, so that Ctrl-C reaches the supervisor only.
"""

import contextlib
import logging
import mmap
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import trio

from trio_mpu.errors import ServerError
from trio_mpu.metrics.scoreboard import Scoreboard, scoreboard_bytes
from trio_mpu.server.listeners import reserve

log = logging.getLogger(__name__)

# Bound "time before a program is killed, s".
STOP_S: Final = 3.25  # the workers' own GRACE_S, and a little to end in; start.sh gives 3.5 s
REAP_S: Final = 0.2  # until a worker that was killed is gone: a formality of the kernel
# Bound "first pause before a restart, s".
MIN_PAUSE_S: Final = 0.5  # before a worker is started again…
# Bound "longest pause before a restart, s".
MAX_PAUSE_S: Final = 30.0  # …doubled each time up to this…
# Bound "run that resets the pause, s".
SOUND_S: Final = 10.0  # …until one has lived for so long


async def run_supervisor(
    command: Sequence[str], workers: int, host: str | None, port: int, stop: trio.Event
) -> None:
    """Keep so many workers running until `stop` is set, then end within STOP_S; when cancelled, at
    once.

    A worker is this command, with two options added: the port and its place. Raises ServerError
    when the address can't be had, or when the first workers fail. No worker is left in any case.
    """
    with contextlib.ExitStack() as stack:
        for socket in await reserve(host, port):
            port = stack.enter_context(socket).getsockname()[1]
        scoreboard_fd, lifeline_fd, scoreboard = stack.enter_context(_shared(workers))
        log.info("%d workers share port %d", workers, port)
        served = trio.Event()
        async with trio.open_nursery() as nursery:
            for number in range(workers):
                place = f"--worker={number}:{scoreboard_fd}:{lifeline_fd}"
                arguments = (*command, f"--port={port}", place)
                keeper = Keeper(
                    number, arguments, (scoreboard_fd, lifeline_fd), scoreboard, served, stop
                )
                nursery.start_soon(keeper.run)
            await stop.wait()
            nursery.cancel_scope.deadline = trio.current_time() + STOP_S
        if nursery.cancel_scope.cancelled_caught:
            log.warning("workers were killed that had not ended within %g s", STOP_S)
    log.info("stopped")


@contextlib.contextmanager
def _shared(workers: int) -> Iterator[tuple[int, int, Scoreboard]]:
    """What workers inherit: the board's descriptor, and the lifeline's end for reading."""
    with contextlib.ExitStack() as stack:
        scoreboard_fd = os.memfd_create("trio-mpu-board")
        stack.callback(os.close, scoreboard_fd)
        os.ftruncate(scoreboard_fd, scoreboard_bytes(workers))
        for end in (ends := os.pipe()):  # neither goes to a child that is not given it
            stack.callback(os.close, end)
        yield scoreboard_fd, ends[0], Scoreboard(memoryview(mmap.mmap(scoreboard_fd, 0)))


@dataclass
class Pauses:
    """How long to wait before a worker is started again."""

    _next_s: float = MIN_PAUSE_S

    def after(self, lived_s: float) -> float:
        """Return the pause after one that has lived for so long."""
        if lived_s >= SOUND_S:
            self._next_s = MIN_PAUSE_S
        pause_s, self._next_s = self._next_s, min(2 * self._next_s, MAX_PAUSE_S)
        return pause_s


@dataclass
class Keeper:
    """Keeps one seat taken."""

    number: int
    command: Sequence[str]
    descriptors: tuple[int, int]
    scoreboard: Scoreboard
    served: trio.Event  # whether any worker ever did
    stop: trio.Event
    _pauses: Pauses = field(default_factory=Pauses)

    async def run(self) -> None:
        """Run one worker after the other, until `stop` is set; when cancelled, kill it.

        Raises ServerError when it fails before any worker has ever served.
        """
        slot = self.scoreboard.slot(self.number)
        while True:
            began_s = trio.current_time()
            try:
                status = await self._run_worker()
            finally:
                if self.scoreboard.total("beat_ns"):
                    self.served.set()
                slot.clear()
            if self.stop.is_set():
                return
            how = _how(status)
            if status > 0 and not self.served.is_set():
                raise ServerError(f"worker {self.number} {how} before any could serve")
            pause_s = self._pauses.after(trio.current_time() - began_s)
            log.warning("worker %d %s; starting it again in %g s", self.number, how, pause_s)
            with trio.move_on_after(pause_s):
                await self.stop.wait()
                return
            slot.add("worker_restarts", 1)

    async def _run_worker(self) -> int:
        """Run a worker to its end; return its exit status, negative for a signal."""
        try:
            process = await trio.lowlevel.open_process(
                self.command, stdin=subprocess.DEVNULL, pass_fds=self.descriptors, process_group=0
            )
        except OSError as error:
            log.warning("worker %d can't be started: %s", self.number, error)
            return 1
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._tell, process)
                await process.wait()
                nursery.cancel_scope.cancel()
        finally:
            if process.returncode is None:
                process.kill()
                with trio.CancelScope(shield=True, deadline=trio.current_time() + REAP_S):
                    await process.wait()
        assert process.returncode is not None
        return process.returncode

    async def _tell(self, process: trio.Process) -> None:
        await self.stop.wait()
        process.terminate()


def _how(status: int) -> str:
    if status < 0:
        with contextlib.suppress(ValueError):  # most real-time signals have no name
            return f"was killed by {signal.Signals(-status).name}"
        return f"was killed by signal {-status}"
    return f"ended with exit status {status}"
