"""One of several server processes that a supervisor keeps."""

import logging
import mmap
import os

import trio

from trio_mpu.errors import UsageError
from trio_mpu.metrics.scoreboard import Scoreboard, Slot
from trio_mpu.server.run import run_server

log = logging.getLogger(__name__)


async def run_worker(
    place: tuple[int, int, int],
    host: str | None,
    port: int,
    ring: str,
    max_clients: int,
    stop: trio.Event,
) -> None:
    """Serve as run_server does, at the place that the supervisor gave: seat, the descriptor of the
    board, and that of the lifeline.

    Also stops when the supervisor is gone. When cancelled, ends at once. Raises ServerError as
    run_server does, UsageError when it has no supervisor.
    """
    number, scoreboard_fd, lifeline_fd = place
    try:
        os.fstat(lifeline_fd)
        slot = take_slot(scoreboard_fd, number)
    except (OSError, ValueError, TypeError, IndexError) as error:
        raise UsageError("--worker is for a supervisor to give; see --workers") from error
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_without_supervisor, lifeline_fd, stop)
        await run_server(host, port, ring, max_clients, stop, slot=slot)
        nursery.cancel_scope.cancel()


def take_slot(scoreboard_fd: int, number: int) -> Slot:
    """Map the board and return one of its seats.

    Raises OSError, ValueError, TypeError or IndexError if it is not there.
    """
    return Scoreboard(memoryview(mmap.mmap(scoreboard_fd, 0))).slot(number)


async def _stop_without_supervisor(lifeline_fd: int, stop: trio.Event) -> None:
    # Nobody ever writes there: that it is readable means that all who could are dead.
    await trio.lowlevel.wait_readable(lifeline_fd)
    log.warning("the supervisor is gone: stopping")
    stop.set()
