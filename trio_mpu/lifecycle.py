"""Signals → cancellation, errors → exit statuses: what the programs' lives have in common."""

import contextlib
import gc
import logging
import os
import resource
import signal
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from trio_mpu import logs
from trio_mpu.errors import TrioMpuError, UsageError
from trio_mpu.terminal import Terminal

log = logging.getLogger(__name__)

# timeout(1) signals a program and then its process group: that is one wish to stop, not two.
ONE_WISH_S: Final = 0.05
BEAT_S: Final = (
    2.0  # how often a program says that its event loop runs; the supervisor waits for five
)
# Python looks for garbage after so many new objects, so many of those looks, so many of these.
GARBAGE_THRESHOLDS: Final = (5000, 5, 50)
SPARE_DESCRIPTORS: Final = 128  # for refusals, listeners, the ring, and Python itself


class Supervisor:
    """The process that has started this one, if it is to be heard: see the supervisor package.

    It waits for a byte in `ready_fd` and, from then on, for one every few seconds. It is gone when
    `lifeline_fd` can be read: nobody ever writes there, so that means that all who could are dead.
    """

    def __init__(self, descriptors: tuple[int, int] | None) -> None:
        """`descriptors` are those that the supervisor gave, None without one. Raises UsageError."""
        self._descriptors = descriptors
        self._is_ready = trio.Event()
        for fd in descriptors or ():
            try:
                os.fstat(fd)
            except OSError as error:
                raise UsageError("--supervisor is internal; use trio-mpu start") from error
        if descriptors is not None:
            os.set_blocking(descriptors[0], False)  # one that is stopped does not read

    def ready(self) -> None:
        """Say that this program does what it is for."""
        self._is_ready.set()
        self._say()

    async def live(self) -> None:
        """Say every BEAT_S that the event loop runs, from when this program is ready on."""
        await self._is_ready.wait()
        while True:
            await trio.sleep(BEAT_S)
            self._say()

    def _say(self) -> None:
        if self._descriptors is not None:
            with contextlib.suppress(OSError):
                os.write(self._descriptors[0], b"r")

    async def gone(self) -> None:
        """Wait until there is no supervisor any more: for ever, if there was none."""
        if self._descriptors is None:
            await trio.sleep_forever()
        else:
            await trio.lowlevel.wait_readable(self._descriptors[1])


Program = Callable[[trio.Event, Callable[[], None]], Awaitable[None]]


async def until_signal(program: Program, supervisor: Supervisor) -> None:
    """Run the program until it returns.

    SIGINT or SIGTERM, and the supervisor's end, set the event that it was given: it is to finish.
    A second signal, later than ONE_WISH_S after the first, cancels it.
    """
    stop = trio.Event()
    first_s = 0.0
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:

            async def run() -> None:
                await program(stop, supervisor.ready)
                nursery.cancel_scope.cancel()

            async def stop_without_supervisor() -> None:
                await supervisor.gone()
                log.warning("the supervisor is gone: stopping")
                stop.set()

            nursery.start_soon(run)
            nursery.start_soon(stop_without_supervisor)
            nursery.start_soon(supervisor.live)
            async for number in signals:
                if not stop.is_set():
                    log.info("%s: stopping", signal.Signals(number).name)
                    stop.set()
                    first_s = trio.current_time()
                elif trio.current_time() - first_s > ONE_WISH_S:
                    log.warning("%s again: stopping immediately", signal.Signals(number).name)
                    nursery.cancel_scope.cancel()
                    return


async def cancel_at(stop: trio.Event, scope: trio.CancelScope) -> None:
    """Cancel the scope when the event is set."""
    await stop.wait()
    scope.cancel()


def run(
    name: str,
    level: str,
    program: Program,
    descriptors: tuple[int, int] | None = None,
    log_format: str = "text",
) -> int:
    """Run a whole program and return its exit status; no error that can be foreseen shows a
    traceback.

    The program is given an event that is set when it is to finish, and a function to call when it
    does what it is for. `descriptors` are the supervisor's. SIGHUP ends nothing, unless the terminal
    was closed: a program that has files to read again listens to it itself.
    """
    logs.fill_standard_descriptors()
    logs.set_up(name, level, log_format)
    terminal = Terminal()

    def hang_up(*_: object) -> None:
        if terminal.is_closed():
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGHUP)
    if before != signal.SIG_IGN:  # as it is under nohup(1)
        signal.signal(signal.SIGHUP, hang_up)
    try:
        trio.run(until_signal, program, Supervisor(descriptors))
    except KeyboardInterrupt:  # before the signal receiver was there
        return 0
    except BaseException as error:
        causes = [_foreseen(cause) for cause in _leaves(error)]
        # Beside one that was not foreseen, the others don't matter.
        if not all(isinstance(cause, TrioMpuError) for cause in causes):
            raise
        return logs.failed(name, causes[0])
    finally:
        signal.signal(signal.SIGHUP, before)
    return 0


def _foreseen(error: BaseException) -> BaseException:
    """Return an error of our own in place of what is no defect."""
    return TrioMpuError("no memory left") if isinstance(error, MemoryError) else error


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for inner in error.exceptions for leaf in _leaves(inner)]


def allow_descriptors(clients: int) -> None:
    """Raise the soft limit on open files, as far as one may, so that each client has one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = clients + SPARE_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def look_for_garbage_rarely() -> None:
    """Let Python look through the old objects rarely, and never through those of now.

    Such a look stops everything, for some 90 ms with a thousand clients, and up to Python 3.13 one
    comes whenever a few hundred clients connect. What a connection leaves is freed without it;
    should anything need it, 1,250,000 new objects (some 100 MB) are the most that wait.
    """
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
