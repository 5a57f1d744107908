"""Signals → cancellation, errors → exit statuses: what both programs' lives have in common."""

import logging
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from trio_mpu.errors import TrioMpuError, UsageError

log = logging.getLogger(__name__)

# timeout(1) signals a program and then its process group: that is one wish to stop, not two.
ONE_WISH_S: Final = 0.05
SPARE_DESCRIPTORS: Final = 128  # for refusals, listeners, the ring, and Python itself


async def until_signal(program: Callable[[trio.Event], Awaitable[None]]) -> None:
    """Run the program until it returns.

    SIGINT or SIGTERM sets the event that it was given: it is to finish. A second signal, later
    than ONE_WISH_S after the first, cancels it.
    """
    stop = trio.Event()
    first_s = 0.0
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:

            async def run() -> None:
                await program(stop)
                nursery.cancel_scope.cancel()

            nursery.start_soon(run)
            async for number in signals:
                if not stop.is_set():
                    log.info("%s: stopping", signal.Signals(number).name)
                    stop.set()
                    first_s = trio.current_time()
                elif trio.current_time() - first_s > ONE_WISH_S:
                    log.warning("%s again: leaving at once", signal.Signals(number).name)
                    nursery.cancel_scope.cancel()
                    return


async def cancel_at(stop: trio.Event, scope: trio.CancelScope) -> None:
    """Cancel the scope when the event is set."""
    await stop.wait()
    scope.cancel()


def run(name: str, level: str, program: Callable[[trio.Event], Awaitable[None]]) -> int:
    """Run a whole program and return its exit status; no error that can be foreseen shows a
    traceback."""
    logging.basicConfig(
        stream=sys.stderr,
        level=level.upper(),
        format=f"%(asctime)s {name}: %(message)s",
        datefmt="%H:%M:%S",
    )
    try:
        trio.run(until_signal, program)
    except KeyboardInterrupt:  # before the signal receiver was there
        return 0
    except BaseException as error:
        causes = _leaves(error)
        # Beside one that was not foreseen, the others don't matter.
        if not all(isinstance(cause, TrioMpuError) for cause in causes):
            raise
        if isinstance(causes[0], UsageError):
            return usage(name, causes[0])
        print(f"{name}: {causes[0]}", file=sys.stderr)
        return 1
    return 0


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for inner in error.exceptions for leaf in _leaves(inner)]


def usage(name: str, error: UsageError) -> int:
    """Say what is wrong with the command line; return the exit status."""
    print(f"{name}: {error}", file=sys.stderr)
    return 2


def allow_descriptors(clients: int) -> None:
    """Raise the soft limit on open files, as far as one may, so that each client has one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = clients + SPARE_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
