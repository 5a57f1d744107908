"""The semaphore and the death of its holder."""

import fcntl
import os
import signal
import subprocess
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import posix_ipc
import pytest
import trio

from tests.helpers.processes import killed, python
from trio_mpu.errors import RingHeld, RingMissing
from trio_mpu.record import NOBODY
from trio_mpu.ring import RingReader, RingWriter
from trio_mpu.shm import layout
from trio_mpu.shm.process_id import find
from trio_mpu.shm.segment import Segment
from trio_mpu.shm.semaphore import semaphore_name

# A participant that stops at a place of the protocol; the parent then does what it wants with it.
PARTICIPANT = """
    import sys, time, trio
    from trio_mpu.shm import layout, semaphore
    from trio_mpu.shm.segment import Segment

    name, place = sys.argv[1:]
    segment = Segment(name)
    segment.map()
    segment.use()

    def halt(*_):
        print("there", flush=True)
        time.sleep(60)

    if place == "taken":            # it has the semaphore, and has not noted itself
        semaphore.layout.put = halt
    elif place == "clearing":       # it is about to post, and its note is gone already
        posted = segment._semaphore._semaphore.release
        class Halting:
            acquire = segment._semaphore._semaphore.acquire
            release = halt
        segment._semaphore._semaphore = Halting()
    trio.run(segment.run, halt if place == "inside" else int)
"""


@asynccontextmanager
async def participant(name: str, place: str) -> AsyncIterator["subprocess.Popen[str]"]:
    with killed(python("-c", textwrap.dedent(PARTICIPANT), name, place)) as process:
        assert process.stdout is not None
        assert await trio.to_thread.run_sync(process.stdout.readline) == "there\n"
        yield process


@pytest.fixture
async def segment(ring_name: str) -> AsyncIterator[Segment]:
    """A ring's segment, as one participant has it open."""
    writer = await RingWriter.open(ring_name, 16)
    with Segment(ring_name) as opened:
        opened.map()
        opened.use()
        yield opened
    writer.close()


PLACES = ["taken", "inside", "clearing"]


@pytest.mark.parametrize("place", PLACES)
async def test_a_dead_holder_is_recovered_from_within_a_second(
    ring_name: str, segment: Segment, place: str
) -> None:
    """Wherever between taking and giving back it was killed, the next one posts for it, once."""
    async with participant(ring_name, place) as process:
        process.send_signal(signal.SIGKILL)
    with trio.fail_after(1):
        assert await segment.run(lambda: "mine") == "mine"
    assert segment.take_recoveries() == 1
    assert segment.take_recoveries() == 0
    assert posix_ipc.Semaphore(semaphore_name(ring_name)).value == 1
    assert layout.process(segment.buffer, "holder") == NOBODY


@pytest.mark.parametrize("place", PLACES)
async def test_a_living_holder_is_never_robbed(
    ring_name: str, segment: Segment, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even one that has been stopped before it could note itself."""
    monkeypatch.setattr("trio_mpu.shm.semaphore.RECOVER_AFTER_S", 0.0)
    async with participant(ring_name, place) as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(RingHeld, match="held by"):
            await segment._semaphore.run(int, patience_s=0.1)  # type: ignore[union-attr]
        assert posix_ipc.Semaphore(semaphore_name(ring_name)).value == 0
        assert segment.take_recoveries() == 0


async def test_the_refusal_names_the_holder(ring_name: str, segment: Segment) -> None:
    """A person can look that process up."""
    async with participant(ring_name, "inside") as process:
        with pytest.raises(RingHeld, match=f"process {process.pid}"):
            await segment._semaphore.run(int, patience_s=0.05)  # type: ignore[union-attr]


async def test_a_holder_that_cannot_be_seen_is_in_another_container(
    ring_name: str, segment: Segment
) -> None:
    """Its pid would mean nothing here."""
    async with participant(ring_name, "inside"):
        layout.put(segment.buffer, "holder", 2**22 + 1, 1)
        with pytest.raises(RingHeld, match=r"held by a process in another container$"):
            await segment._semaphore.run(int, patience_s=0.05)  # type: ignore[union-attr]


async def test_only_one_of_many_recovers(ring_name: str, segment: Segment) -> None:
    """The semaphore's value never exceeds one, however many find its holder dead at the same time."""
    async with participant(ring_name, "inside") as process:
        process.send_signal(signal.SIGKILL)
    inside = most = done = 0
    others = [RingReader(ring_name) for _ in range(20)]

    def section() -> None:
        nonlocal inside, most, done
        inside += 1
        most = max(most, inside)
        done += 1
        inside -= 1

    async with trio.open_nursery() as nursery:
        for other in others:
            nursery.start_soon(other._segment.run, section)
    assert (most, done) == (1, 20)
    assert sum(other._segment.take_recoveries() for other in others) == 1
    for other in others:
        other.close()


async def test_a_recovery_under_way_is_waited_for(ring_name: str, segment: Segment) -> None:
    """While a process has the exclusive lock, no other takes the semaphore."""
    fd = os.open(f"/dev/shm/{ring_name}", os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        with pytest.raises(RingHeld):
            await segment._semaphore.run(int, patience_s=0.05)  # type: ignore[union-attr]
        fcntl.flock(fd, fcntl.LOCK_UN)
        assert await segment.run(lambda: 5) == 5
    finally:
        os.close(fd)


async def test_an_error_inside_gives_the_semaphore_back(segment: Segment) -> None:
    """Whatever a critical section raises, the ring stays usable."""

    def fail() -> None:
        raise KeyError("inside")

    with pytest.raises(KeyError):
        await segment.run(fail)
    assert await segment.run(lambda: "again") == "again"


async def test_waiting_can_be_cancelled(ring_name: str, segment: Segment) -> None:
    """A cancelled waiter holds nothing and leaves nothing."""
    async with participant(ring_name, "inside"):
        with trio.move_on_after(0.01) as scope:
            await segment.run(int)
        assert scope.cancelled_caught


async def test_no_semaphore_is_a_ring_that_is_not_there(ring_name: str, segment: Segment) -> None:
    """Readers wait for the producer to make both anew."""
    assert segment.capacity == 16
    Path(f"/dev/shm/sem.{ring_name}_sem").unlink()
    with Segment(ring_name) as other:
        other.map()
        with pytest.raises(RingMissing, match="no semaphore"):
            other.use()


def test_processes_are_known_by_pid_and_start() -> None:
    """A zombie and a pid that nobody has are nobody."""
    me = find(os.getpid())
    assert me.pid == os.getpid()
    assert me.start > 0
    assert find(2**22 + 1) == NOBODY
    with killed(python("-c", "")) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert find(child.pid) == NOBODY
