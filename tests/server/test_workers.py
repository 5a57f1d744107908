"""One of several server processes: its slot, and its end."""

import os
import time
from collections.abc import Iterator

import pytest
import trio

from tests.helpers.fakes import until
from tests.helpers.http_client import PATIENCE_S
from trio_mpu.errors import UsageError
from trio_mpu.metrics.scoreboard import Slot, Workers, scoreboard_bytes
from trio_mpu.server.run import run_server
from trio_mpu.server.workers import slot_of
from trio_mpu.settings import ServerSettings


@pytest.fixture
def scoreboard_fd() -> Iterator[int]:
    """What a supervisor of two gives."""
    fd = os.memfd_create("test")
    os.ftruncate(fd, scoreboard_bytes(2))
    yield fd
    os.close(fd)


def worker(*descriptors: int) -> ServerSettings:
    """The settings of a worker."""
    number, fd = descriptors
    return ServerSettings(host="127.0.0.1", port=0, ring="no_such_ring", worker=(number, fd))


async def up(slot: Slot, number: int) -> None:
    """Wait until so many workers are up."""
    await until(lambda: slot.scoreboard.workers(time.monotonic_ns()) == Workers(2, number))


async def test_a_worker_gets_its_slot_and_stops_when_asked_to(scoreboard_fd: int) -> None:
    """All who have the scoreboard see that it is up; the slot's counters go on."""
    slot = slot_of(worker(1, scoreboard_fd))
    slot.report(0, 0, {"events": 7, "worker_restarts": 1})
    stop = trio.Event()
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_server, worker(1, scoreboard_fd), stop)
            await up(slot, 1)
            nursery.start_soon(run_server, worker(0, scoreboard_fd), stop)
            await up(slot, 2)
            assert slot.scoreboard.pids() == {0: os.getpid(), 1: os.getpid()}
            stop.set()
    assert slot.scoreboard.counters()["events"] == 7
    assert slot.counters()["worker_restarts"] == 1


def test_a_server_by_itself_has_a_scoreboard_of_its_own() -> None:
    """With one slot."""
    assert len(slot_of(ServerSettings()).scoreboard) == 1


def test_a_slot_that_is_none_is_refused(scoreboard_fd: int) -> None:
    """A slot too many, a descriptor that is something else or nothing at all."""
    other_fd, end = os.pipe()
    for descriptors in ((2, scoreboard_fd), (0, other_fd), (0, 10_000)):
        with pytest.raises(UsageError, match="--worker is internal"):
            slot_of(worker(*descriptors))
    os.close(other_fd)
    os.close(end)
