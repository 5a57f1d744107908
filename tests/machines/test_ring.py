"""The ring under any interleaving of writes, reads and deaths, against a model of what it must hold.

The shared memory and the semaphore are real. A death is simulated within one process: the step ends in
the middle, gives nothing back, and its descriptors are closed, as the kernel does for a dead process.
"""

import contextlib
import itertools
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from unittest import mock

import pytest
import trio
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from trio.testing import MockClock

from tests.machines.profile import tries
from tests.test_ring import begin_at
from trio_mpu.errors import RingError, RingMissing
from trio_mpu.record import Record
from trio_mpu.ring import MAX_RECORDS_A_HOLD, RingReader, RingWriter
from trio_mpu.sample import Gap, Sample
from trio_mpu.shm import layout
from trio_mpu.shm.semaphore import RobustSemaphore

T = TypeVar("T")

SHM = Path("/dev/shm")
MAX_READERS = 4
# Where a writer dies: with the semaphore and nothing written, within a slot, with all slots written,
# with the head moved, and with the semaphore posted but its lock not yet given back.
DEATHS = ["taken", "slot", "slots", "head", "posted"]


class Killed(BaseException):
    """The process ended here."""


def run(function: Callable[[], Awaitable[T]]) -> T:
    """Let the function wait for the semaphore, in virtual time."""
    return trio.run(function, clock=MockClock(autojump_threshold=0))


@dataclass
class Model:
    """What one segment must hold: the value of each record up to `head`. Slots up to that of
    `damaged` have been overwritten by a writer that died before it moved the head."""

    capacity: int
    first: int = 1
    head: int = 0
    values: dict[int, float] = field(default_factory=dict)
    damaged: int = 0

    @property
    def oldest(self) -> int:
        """The oldest record that a reader may ask for."""
        return max(self.first, self.head - self.capacity + 2)

    def read(self, after: int, limit: int) -> tuple[list[int], Gap | None]:
        """Return which records a reader gets, and what it is told to have missed."""
        start = max(after + 1, self.oldest)
        count = max(0, min(limit, MAX_RECORDS_A_HOLD, self.head - start + 1))
        whole = [seq for seq in range(start, start + count) if seq > self.damaged]
        begin = whole[0] if whole else start + count
        missed = after + 1 < begin <= self.head + 1
        return whole, Gap(after, begin, begin - after - 1, "lapped") if missed else None


@dataclass
class Follower:
    """A reader, the segment that it has open, and how far it has got."""

    ring: RingReader
    model: Model
    cursor: int


@contextlib.contextmanager
def death(at: str, slots: int) -> Iterator[list[int]]:
    """Let whoever holds the semaphore die, after so many slots; count the slots that it touches."""
    touched = [0]
    put, publish = layout.put_record, layout.publish

    def put_record(buffer: memoryview, capacity: int, record: Record) -> None:
        if at == "taken":
            raise Killed
        touched[0] += 1
        if at == "slot" and touched[0] > slots:
            low = layout.HEADER_BYTES + record.seq % capacity * layout.RECORD_BYTES
            buffer[low : low + 44] = layout.pack_records([record])[:44]
            raise Killed
        put(buffer, capacity, record)

    def move_head(buffer: memoryview, seq: int) -> None:
        if at in ("slot", "slots"):
            raise Killed
        publish(buffer, seq)
        if at == "head":
            raise Killed

    def copy(*_: object) -> bytes:
        raise Killed

    def give_back(semaphore: RobustSemaphore) -> None:
        if at == "posted":
            semaphore._semaphore.release()
            raise Killed

    with (
        mock.patch.object(layout, "put_record", put_record),
        mock.patch.object(layout, "publish", move_head),
        mock.patch.object(layout, "copy_records", copy),
        mock.patch.object(RobustSemaphore, "_give_back", give_back),
        pytest.raises(Killed),
    ):
        yield touched


class RingMachine(RuleBasedStateMachine):
    """Writers and readers of one name."""

    def __init__(self) -> None:
        super().__init__()
        self.name = f"test_{uuid.uuid4().hex[:12]}"
        self.count = 0
        self.writer: RingWriter | None = None
        self.followers: list[Follower] = []
        self.models: dict[int, Model] = {}
        self.current: Model  # of the segment that the name leads to…
        self.is_named = True  # …if it leads anywhere

    @initialize(capacity=st.integers(2, 12), first=st.sampled_from([1, 1, 41]))
    def begin(self, capacity: int, first: int) -> None:
        """Make a ring; one that mirrors another begins with a later number."""
        self.open(capacity)
        assert self.writer is not None
        begin_at(self.writer, first)
        self.current.head = first - 1
        self.current.first = first

    def open(self, capacity: int) -> None:
        """Open the ring as its writer."""
        self.writer = run(lambda: RingWriter.open(self.name, capacity))
        generation = self.writer.generation
        if generation not in self.models:
            self.models[generation] = Model(capacity)
        self.current, self.is_named = self.models[generation], True
        run(lambda: self.started(self.writer))

    @staticmethod
    async def started(writer: RingWriter | None) -> None:
        """Say what is read."""
        assert writer is not None
        await writer.start("machine", 10**7)

    def samples(self, count: int) -> list[Sample]:
        """Return samples that can be told apart."""
        now_ns = time.monotonic_ns()
        numbers = range(self.count, self.count + count)
        self.count += count
        return [Sample(now_ns, n % 16_384 / 1024, -1.5, 1, 0, 0, 0, 25) for n in numbers]

    def published(self, samples: list[Sample]) -> None:
        """Note what readers can find from now on."""
        for sample in samples:
            self.current.head += 1
            self.current.values[self.current.head] = sample.ax

    # -- the writer -------------------------------------------------------------------------

    @precondition(lambda self: self.writer is not None)
    @rule(count=st.integers(1, 9), patiently=st.booleans())
    def write(self, count: int, *, patiently: bool) -> None:
        """Write; without patience, what a dead reader has taken is left for the next time."""
        writer, samples = self.writer, self.samples(count)
        assert writer is not None
        if patiently:
            run(lambda: writer.write(samples))
            self.published(samples)
        elif writer.write_now(samples):
            self.published(samples)

    @precondition(lambda self: self.writer is not None)
    @rule(count=st.integers(1, 9), at=st.sampled_from(DEATHS), slots=st.integers(0, 8))
    def die(self, count: int, at: str, slots: int) -> None:
        """Kill the writer in the middle of a write. It has not overwritten all of the ring: of such a
        one nothing would be left."""
        writer, samples = self.writer, self.samples(min(count, self.current.capacity - 1))
        assert writer is not None
        run(lambda: self.started(writer))  # a dead reader's semaphore is free again
        with death(at, slots) as touched:
            run(lambda: writer.write(samples))
        if at in ("head", "posted"):
            self.published(samples)
        elif touched[0]:
            model = self.current
            damaged = min(model.head, model.head + touched[0] - model.capacity)
            model.damaged = max(model.damaged, damaged)
        self.stop()

    @precondition(lambda self: self.writer is not None)
    @rule()
    def stop(self) -> None:
        """End the writer: what was in the ring stays."""
        assert self.writer is not None
        self.writer.close()
        self.writer = None

    @precondition(lambda self: self.writer is None)
    @rule()
    def restart(self) -> None:
        """Start a writer, which takes over what there is."""
        model, was_named = self.current, self.is_named
        self.open(model.capacity)
        assert self.writer is not None
        assert (self.current is model) == was_named
        if was_named:
            assert self.writer.head == model.head
            last, value = self.writer.last, model.values.get(model.head)
            is_whole = model.head > model.damaged
            assert (last.ax if last else None) == (value if is_whole else None)

    @precondition(lambda self: self.writer is None)
    @rule(more=st.integers(1, 5))
    def replace(self, more: int) -> None:
        """Start a writer that wants another capacity: it makes a new ring."""
        model = self.current
        self.open(model.capacity + more)
        assert self.current is not model

    @precondition(lambda self: self.writer is not None)
    @rule(capacity=st.integers(2, 12))
    def a_second_writer_is_refused(self, capacity: int) -> None:
        """As long as the first one lives, and its name leads to its ring."""
        if self.is_named:
            with pytest.raises(RingError, match="has a producer already"):
                run(lambda: RingWriter.open(self.name, capacity))

    @precondition(lambda self: self.is_named)
    @rule()
    def lose_the_names(self) -> None:
        """Let something remove both names, as systemd-logind does."""
        (SHM / self.name).unlink()
        (SHM / f"sem.{self.name}_sem").unlink()
        self.is_named = False
        assert self.writer is None or not self.writer.is_current()

    # -- the readers ------------------------------------------------------------------------

    @precondition(lambda self: len(self.followers) < MAX_READERS)
    @rule(back=st.integers(-3, 20))
    def follow(self, back: int) -> None:
        """Open a reader with any cursor, one from the future included."""
        if not self.is_named:
            with pytest.raises(RingMissing):
                RingReader(self.name)
            return
        ring = RingReader(self.name)
        assert self.models[ring.generation] is self.current
        cursor = max(0, self.current.head - back)
        self.followers.append(Follower(ring, self.current, cursor))

    @precondition(lambda self: self.followers)
    @rule(which=st.integers(0, MAX_READERS), limit=st.sampled_from([1, 2, 3, 512]))
    def read(self, which: int, limit: int) -> None:
        """Let a reader read, as much as it likes."""
        follower = self.followers[which % len(self.followers)]
        self.check_read(follower, limit)

    def check_read(self, follower: Follower, limit: int) -> bool:
        """Read once; return whether anything came."""
        batch = run(lambda: follower.ring.read(follower.cursor, limit))
        model = follower.model
        numbers, gap = model.read(follower.cursor, limit)
        assert [record.seq for record in batch.records] == numbers
        assert [record.ax for record in batch.records] == [model.values[seq] for seq in numbers]
        assert (batch.gap, batch.head) == (gap, model.head)
        before = follower.cursor
        if numbers:
            follower.cursor = numbers[-1]
        elif gap is not None:
            follower.cursor = gap.before - 1
        return follower.cursor != before

    @precondition(lambda self: self.followers)
    @rule(which=st.integers(0, MAX_READERS))
    def kill_reader(self, which: int) -> None:
        """Kill a reader that holds the semaphore."""
        follower = self.followers.pop(which % len(self.followers))
        run(follower.ring.header)
        with death("copy", 0):
            run(lambda: follower.ring.read(follower.cursor))
        follower.ring.close()

    @precondition(lambda self: self.followers)
    @rule(which=st.integers(0, MAX_READERS))
    def look_at_the_names(self, which: int) -> None:
        """Let a reader find out whether its ring was replaced, and go over to the new one."""
        follower = self.followers[which % len(self.followers)]
        is_current = self.is_named and follower.model is self.current
        assert follower.ring.is_current() == is_current
        assert follower.ring.producer_lives() == (
            self.writer is not None and self.models[self.writer.generation] is follower.model
        )
        if not is_current and self.is_named:
            while self.check_read(follower, 512):
                pass
            follower.ring.close()
            follower.ring, follower.model, follower.cursor = RingReader(self.name), self.current, 0

    def teardown(self) -> None:
        """Let everybody read to the end, and remove what is left."""
        try:
            for follower, limit in itertools.product(self.followers, (3, 512)):
                while self.check_read(follower, limit):
                    pass
                assert follower.cursor >= follower.model.head
        finally:
            for follower in self.followers:
                follower.ring.close()
            if self.writer is not None:
                self.writer.close()
            for path in (SHM / self.name, SHM / f"sem.{self.name}_sem"):
                path.unlink(missing_ok=True)


# One that fails is looked for a short example of, which takes minutes.
pytestmark = pytest.mark.timeout(600)
RingMachine.TestCase.settings = tries(40, 30)
TestRing = RingMachine.TestCase
