"""One of several server processes: its place, and its end."""

import os
import time
from collections.abc import Iterator

import pytest
import trio

from tests.helpers.fakes import until
from tests.helpers.http_client import PATIENCE_S
from trio_mpu.errors import UsageError
from trio_mpu.metrics.scoreboard import Slot, Workers, scoreboard_bytes
from trio_mpu.server.worker import run_worker, take_slot


class Supervised:
    """What a supervisor of two gives: a board and a lifeline."""

    def __init__(self) -> None:
        self.scoreboard_fd = os.memfd_create("test")
        os.ftruncate(self.scoreboard_fd, scoreboard_bytes(2))
        self.lifeline_fd, self.other_end = os.pipe()

    async def run(self, number: int, stop: trio.Event) -> None:
        """Be that worker. Two of them in one process can't wait for the same descriptor."""
        lifeline_fd = os.dup(self.lifeline_fd)
        try:
            place = (number, self.scoreboard_fd, lifeline_fd)
            await run_worker(place, "127.0.0.1", 0, "no_such_ring", 5, stop)
        finally:
            os.close(lifeline_fd)

    def variant(self) -> None:
        """Be killed: the kernel closes what was open."""
        if self.other_end >= 0:
            os.close(self.other_end)
            self.other_end = -1


@pytest.fixture
def supervised() -> Iterator[Supervised]:
    """A supervisor of two."""
    supervisor = Supervised()
    yield supervisor
    supervisor.variant()
    os.close(supervisor.lifeline_fd)
    os.close(supervisor.scoreboard_fd)


async def up(slot: Slot, number: int) -> None:
    """Wait until so many workers are up."""
    await until(lambda: slot.scoreboard.workers(time.monotonic_ns()) == Workers(2, number))


async def test_a_worker_takes_its_seat_and_stops_when_told(supervised: Supervised) -> None:
    """All who have the board see that it is up; what its seat had counted goes on."""
    slot = take_slot(supervised.scoreboard_fd, 1)
    slot.report(0, 0, {"events": 7, "worker_restarts": 1})
    stop = trio.Event()
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervised.run, 1, stop)
            await up(slot, 1)
            nursery.start_soon(supervised.run, 0, stop)
            await up(slot, 2)
            stop.set()
    assert slot.scoreboard.counters()["events"] == 7
    assert slot.counters()["worker_restarts"] == 1


async def test_without_its_supervisor_it_stops(
    supervised: Supervised, caplog: pytest.LogCaptureFixture
) -> None:
    """In good order, and says why."""
    stop = trio.Event()
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervised.run, 0, stop)
            await up(take_slot(supervised.scoreboard_fd, 0), 1)
            assert not stop.is_set()
            supervised.variant()
    assert stop.is_set()
    assert caplog.messages == ["the supervisor is gone: stopping"]


async def test_a_place_that_is_none_is_refused(supervised: Supervised) -> None:
    """A seat too many, descriptors that are something else or nothing at all."""
    scoreboard_fd, lifeline_fd = supervised.scoreboard_fd, supervised.lifeline_fd
    for place in (
        (2, scoreboard_fd, lifeline_fd),
        (0, lifeline_fd, lifeline_fd),
        (0, 10_000, lifeline_fd),
        (0, scoreboard_fd, 10_000),
    ):
        with pytest.raises(UsageError, match="--worker is for a supervisor to give"):
            await run_worker(place, None, 0, "no_such_ring", 5, trio.Event())
