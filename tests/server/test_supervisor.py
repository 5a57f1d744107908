"""Keeping workers: the supervisor with workers that are fakes, in virtual time."""

import errno
import gc
import itertools
import logging
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_mpu.errors import ServerError
from trio_mpu.server.supervisor import (
    MAX_PAUSE_S,
    MIN_PAUSE_S,
    SOUND_S,
    STOP_S,
    Pauses,
    run_supervisor,
)
from trio_mpu.server.worker import take_slot

# -- pauses -------------------------------------------------------------------------


def test_the_pause_doubles_up_to_its_limit() -> None:
    """As long as none lives long enough."""
    pauses = Pauses()
    assert [pauses.after(SOUND_S - 0.01) for _ in range(9)] == [
        *(0.5, 1, 2, 4, 8, 16),
        *(30, 30, 30),
    ]


def test_one_that_lived_long_enough_begins_anew() -> None:
    """What was wrong then is over."""
    pauses = Pauses()
    assert [pauses.after(lived_s) for lived_s in (0, 0, SOUND_S, 0, 100, 100)] == [
        *(0.5, 1, 0.5, 1),
        *(0.5, 0.5),
    ]


# -- workers that are fakes -----------------------------------------------------------


class FakeWorker:
    """A process that lives until it is told to end, or by itself for so many seconds."""

    def __init__(self, host: "FakeSystem", command: Sequence[str], options: Any) -> None:  # noqa: ANN401
        self.host = host
        self.command = command
        self.options = options
        self.began_s = trio.current_time()
        self.returncode: int | None = None
        self.told: list[str] = []
        number, scoreboard_fd, _ = (
            int(part) for part in command[-1].removeprefix("--worker=").split(":")
        )
        self.number = number
        self.slot = take_slot(scoreboard_fd, number)
        self._ended = trio.Event()
        if host.serves:
            self.slot.report(1, 0, {"requests": self.slot.counters()["requests"] + 5})
            self.slot.add("connections_open", 3)

    def end(self, status: int) -> None:
        """End with this status."""
        if self.returncode is None:
            self.returncode = status
            self._ended.set()

    async def wait(self) -> int:
        """As trio.Process does."""
        with trio.move_on_after(self.host.lives_s):
            await self._ended.wait()
        self.end(self.host.status)
        assert self.returncode is not None
        return self.returncode

    def terminate(self) -> None:
        """As trio.Process does."""
        self.told.append("terminate")
        if not self.host.deaf:
            self.end(0)

    def kill(self) -> None:
        """As trio.Process does."""
        self.told.append("kill")
        self.end(-signal.SIGKILL)


class FakeSystem:
    """Starts fake workers; how they are can be changed on the way."""

    def __init__(self) -> None:
        self.serves = True
        self.deaf = False
        self.lives_s = float("inf")
        self.status = 1
        self.refusal: OSError | None = None
        self.workers: list[FakeWorker] = []

    async def open_process(self, command: Sequence[str], **options: Any) -> FakeWorker:  # noqa: ANN401
        """As trio.lowlevel does."""
        await trio.lowlevel.checkpoint()
        if self.refusal:
            raise self.refusal
        self.workers.append(FakeWorker(self, command, options))
        return self.workers[-1]

    def of(self, number: int) -> list[FakeWorker]:
        """All who had this seat."""
        return [worker for worker in self.workers if worker.number == number]


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> FakeSystem:
    """In place of real processes."""
    caplog.set_level(logging.INFO)
    fake = FakeSystem()
    monkeypatch.setattr(trio.lowlevel, "open_process", fake.open_process)
    return fake


async def supervise(stop: trio.Event, workers: int = 2) -> None:
    """Run the supervisor at a port that is free."""
    await run_supervisor(["program", "option"], workers, "127.0.0.1", 0, stop)


@asynccontextmanager
async def supervised(workers: int = 2) -> AsyncIterator[trio.Event]:
    """A supervisor whose workers have had the time to serve; the event stops it."""
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervise, stop, workers)
        await trio.sleep(5)
        yield stop


async def test_each_worker_has_the_options_a_place_and_nothing_else(
    system: FakeSystem, autojump_clock: MockClock
) -> None:
    """The same port, the board and the lifeline, and no terminal."""
    async with supervised(3) as stop:
        assert sorted(worker.number for worker in system.workers) == [0, 1, 2]
        commands = [worker.command for worker in system.workers]
        assert {tuple(command[:2]) for command in commands} == {("program", "option")}
        (port,) = {command[2] for command in commands}
        assert 1024 <= int(port.removeprefix("--port=")) < 65_536
        for worker in system.workers:
            descriptors = tuple(int(part) for part in worker.command[-1].split(":")[1:])
            assert worker.options["pass_fds"] == descriptors
            assert worker.options["process_group"] == 0
            assert not any(os.get_inheritable(descriptor) for descriptor in descriptors)
        stop.set()
    assert [worker.told for worker in system.workers] == [["terminate"]] * 3


async def test_one_that_dies_is_started_again(
    system: FakeSystem, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """After its pause, said in one line; what it had open is off the board, its counters are not."""
    async with supervised() as stop:
        (first,), (other,) = system.of(1), system.of(0)
        scoreboard = other.slot.scoreboard
        assert scoreboard.total("connections_open") == 6
        first.end(-signal.SIGKILL)
        await trio.sleep(MIN_PAUSE_S / 2)
        assert len(system.of(1)) == 1
        assert scoreboard.total("connections_open") == 3
        assert scoreboard.total("beat_ns") == 1
        assert scoreboard.counters()["requests"] == 10
        await trio.sleep(MIN_PAUSE_S)
        _, second = system.of(1)
        assert second.began_s - first.began_s == 5 + MIN_PAUSE_S
        assert scoreboard.counters()["requests"] == 15
        assert scoreboard.counters()["worker_restarts"] == 1
        second.end(3)
        await trio.sleep(100)
        assert scoreboard.counters()["worker_restarts"] == 2
        system.of(1)[2].end(-60)
        await trio.sleep(100)
        stop.set()
    assert caplog.messages[1:-1] == [
        "worker 1 was killed by SIGKILL; starting it again in 0.5 s",
        "worker 1 ended with exit status 3; starting it again in 1 s",
        "worker 1 was killed by signal 60; starting it again in 0.5 s",
    ]
    assert len(system.of(0)) == 1
    assert other.told == ["terminate"]


async def test_one_that_dies_again_and_again_is_started_less_often(
    system: FakeSystem, autojump_clock: MockClock
) -> None:
    """And for ever."""
    system.lives_s = 1
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervise, stop, 2)
        await trio.sleep(500)
        stop.set()
    times = [worker.began_s for worker in system.of(0)]
    pauses = [later - earlier - 1 for earlier, later in itertools.pairwise(times)]
    assert pauses[:8] == pytest.approx([0.5, 1, 2, 4, 8, 16, 30, 30])
    assert len(pauses) > 15
    assert max(pauses) == pytest.approx(MAX_PAUSE_S)


@pytest.mark.parametrize("status", [1, 2])
async def test_a_failure_before_any_has_served_ends_all(
    system: FakeSystem, autojump_clock: MockClock, status: int
) -> None:
    """It would not get better by itself; nobody is left."""
    system.serves = False
    stop = trio.Event()

    async def fail() -> None:
        await trio.sleep(5)
        system.workers[0].end(status)

    with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012 - two tasks are one statement
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervise, stop)
            nursery.start_soon(fail)
    assert caught.group_contains(
        ServerError, match=f"worker . ended with exit status {status} before any could serve"
    )
    assert all(worker.returncode is not None for worker in system.workers)
    assert system.workers[1].told == ["kill"]


async def test_a_failure_is_no_end_if_another_serves_or_has_served(
    system: FakeSystem, autojump_clock: MockClock
) -> None:
    """Then it may be over later."""
    async with supervised() as stop:
        system.serves = False
        for worker in list(system.workers):
            worker.end(-signal.SIGKILL)
        await trio.sleep(5)
        assert len(system.workers) == 4
        for worker in list(system.workers):
            worker.end(1)
        await trio.sleep(5)
        assert len(system.workers) == 6
        stop.set()


async def test_a_signal_is_no_failure(system: FakeSystem, autojump_clock: MockClock) -> None:
    """One that was killed before it served is started again, as is one that was told to end."""
    system.serves = False
    async with supervised() as stop:
        system.workers[0].end(-signal.SIGTERM)
        system.workers[1].end(0)
        await trio.sleep(5)
        assert len(system.workers) == 4
        stop.set()


async def test_a_machine_without_room_is_tried_again(
    system: FakeSystem, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Where a process can't be started, one may later; at the very beginning that ends all."""
    async with supervised() as stop:
        system.refusal = OSError(errno.EAGAIN, "no room")
        system.workers[0].end(-signal.SIGKILL)
        await trio.sleep(2)
        system.refusal = None
        await trio.sleep(2)
        assert len(system.workers) == 3
        stop.set()
    assert "can't be started: [Errno 11] no room" in caplog.text
    system.refusal = OSError(errno.EAGAIN, "no room")
    with pytest.raises(ExceptionGroup) as caught:
        await supervise(trio.Event())
    assert caught.group_contains(ServerError)


async def test_a_stop_is_told_to_all_and_waits_for_them(
    system: FakeSystem, autojump_clock: MockClock
) -> None:
    """Also to one that is just being started; and nobody is started again."""
    async with supervised(3) as stop:
        system.workers[0].end(-signal.SIGKILL)  # its successor would come 0.5 s later
        await trio.sleep(0.1)
        stop.set()
    assert [worker.told for worker in system.workers] == [[], ["terminate"], ["terminate"]]
    early = trio.Event()
    early.set()
    system.workers.clear()
    await supervise(early)
    assert [worker.told for worker in system.workers] == [["terminate"]] * 2


async def test_who_does_not_stop_in_time_is_killed(
    system: FakeSystem, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """After STOP_S, and it is said."""
    system.deaf = True
    async with supervised() as stop:
        began_s = trio.current_time()
        stop.set()
    assert trio.current_time() - began_s == pytest.approx(STOP_S)
    assert [worker.told for worker in system.workers] == [["terminate", "kill"]] * 2
    assert caplog.messages[-2:] == [
        "workers were killed that had not ended within 3.25 s",
        "stopped",
    ]


async def test_when_cancelled_it_kills_them(system: FakeSystem, autojump_clock: MockClock) -> None:
    """At once, also in the middle of a stop."""
    system.deaf = True
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervise, stop)
        await trio.sleep(5)
        stop.set()
        await trio.sleep(1)
        began_s = trio.current_time()
        nursery.cancel_scope.cancel()
    assert trio.current_time() == began_s
    assert [worker.told for worker in system.workers] == [["terminate", "kill"]] * 2


async def test_nothing_stays_open(system: FakeSystem, autojump_clock: MockClock) -> None:
    """Board, lifeline and reserved addresses go with it."""
    before = descriptors()
    stop = trio.Event()
    stop.set()
    await supervise(stop)
    assert len(system.workers) == 2
    assert descriptors() > before  # the fakes have the board mapped
    system.workers.clear()
    assert descriptors() == before


def descriptors() -> int:
    """How many this process has open, when what nobody needs is gone."""
    gc.collect()
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
