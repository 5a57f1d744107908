"""The ring's code, broken in one place each: the explorer must see it."""

import contextlib
import fcntl
from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from unittest.mock import patch

import posix_ipc

from tests.schedules.explorer import Limits
from trio_mpu.record import NOBODY, Record
from trio_mpu.ring import RingWriter
from trio_mpu.shm import layout, semaphore
from trio_mpu.shm.segment import Segment
from trio_mpu.shm.semaphore import RobustSemaphore


class Mutant(NamedTuple):
    """A fault, and the scenario that shows it."""

    about: str
    scenario: str
    broken: list[Any]  # what unittest.mock.patch makes
    limits: Limits = Limits(preemptions=1, kills=1)


def _publish_first(buffer: memoryview, capacity: int, record: Record) -> None:
    layout.publish(buffer, record.seq)
    _put_record(buffer, capacity, record)


def _publish_torn(buffer: memoryview, seq: int) -> None:
    _put_torn(buffer, "head", seq)


def _put_torn(buffer: memoryview, name: str, *values: int) -> None:
    offset, packer = layout._STRUCTS[name]
    packer.pack_into(buffer, offset, *values)


def _lay_out_magic_first(buffer: memoryview, capacity: int, generation: int) -> None:
    layout.put(buffer, "magic", layout.MAGIC)
    _lay_out(buffer, capacity, generation)


def _flock(fd: int, operation: int) -> None:
    vars(semaphore)["fcntl"].flock(fd, operation)  # the stand-in


def _never_recover(_self: RobustSemaphore) -> bool:
    return False


def _recover_without_lock(self: RobustSemaphore) -> bool:
    if self._semaphore.value == 0:
        self._semaphore.release()
        self.recoveries += 1
    return True


def _recover_without_look(self: RobustSemaphore) -> bool:
    try:
        _flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    self._semaphore.release()
    self.recoveries += 1
    _flock(self._fd, fcntl.LOCK_UN)
    return True


def _take_without_lock(self: RobustSemaphore) -> bool:
    try:
        self._semaphore.acquire(0)
    except posix_ipc.BusyError:
        return False
    layout.put(self._buffer, "holder", *self._me)
    return True


def _lock_after_taking(self: RobustSemaphore) -> bool:
    if not _take_without_lock(self):
        return False
    try:
        _flock(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        self._semaphore.release()
        return False
    return True


def _unlock_before_posting(self: RobustSemaphore) -> None:
    layout.put(self._buffer, "holder", *NOBODY)
    _flock(self._fd, fcntl.LOCK_UN)
    self._semaphore.release()


def _use_without_second_look(self: Segment) -> None:
    self.capacity = layout.check(self.buffer, str(self.path))
    self.open_semaphore(create=False)


def _count_afterwards(self: RingWriter, samples: Any) -> Any:  # noqa: ANN401
    ledger, self._published_ledger = self._published_ledger, dict(self.ledger)
    section = _section(self, samples)

    def late() -> None:
        section()
        if self.ledger != ledger:
            self._publish_ledger()

    return late


_put_record, _lay_out = layout.put_record, layout.lay_out
_section = RingWriter._section

MUTANTS: Final = {
    "head-before-record": Mutant(
        "the head is moved before the record is whole",
        "reading",
        [patch.object(layout, "put_record", _publish_first)],
    ),
    "torn-head": Mutant(
        "the head is cleared before it is set",
        "reading",
        [patch.object(layout, "publish", _publish_torn)],
    ),
    "torn-ledger": Mutant(
        "the counts are cleared before they are set",
        "reading",
        [patch.object(layout, "put", _put_torn)],
        Limits(preemptions=0, kills=1),
    ),
    "count-after-head": Mutant(
        "losses are counted after the record that reports them is published",
        "reading",
        [patch.object(RingWriter, "_section", _count_afterwards)],
    ),
    "no-recovery": Mutant(
        "nobody posts the semaphore for a dead holder",
        "holders",
        [patch.object(RobustSemaphore, "_try_recover", _never_recover)],
        Limits(preemptions=0, kills=1),
    ),
    "recovery-without-lock": Mutant(
        "the semaphore is recovered after 20 ms, whoever holds it",
        "holders",
        [patch.object(RobustSemaphore, "_try_recover", _recover_without_lock)],
        Limits(preemptions=1, kills=0),
    ),
    "no-second-look": Mutant(
        "who recovers does not look whether the semaphore is still taken",
        "holders",
        [patch.object(RobustSemaphore, "_try_recover", _recover_without_look)],
        Limits(preemptions=2, kills=0),
    ),
    "take-without-lock": Mutant(
        "the holder has no lock that shows that it lives",
        "holders",
        [patch.object(RobustSemaphore, "_try_take", _take_without_lock)],
        Limits(preemptions=1, kills=0),
    ),
    "lock-after-taking": Mutant(
        "the lock is taken after the semaphore",
        "holders",
        [patch.object(RobustSemaphore, "_try_take", _lock_after_taking)],
        Limits(preemptions=1, kills=0),
    ),
    "unlock-before-posting": Mutant(
        "the lock is given back before the semaphore",
        "holders",
        [patch.object(RobustSemaphore, "_give_back", _unlock_before_posting)],
        Limits(preemptions=1, kills=0),
    ),
    "magic-first": Mutant(
        "the magic number is written before what it stands for",
        "birth",
        [patch.object(layout, "lay_out", _lay_out_magic_first)],
    ),
    "no-look-at-the-name": Mutant(
        "a segment is used although its name leads to another one by now",
        "replacement",
        [patch.object(Segment, "use", _use_without_second_look)],
        Limits(preemptions=1, kills=0),
    ),
}


@contextlib.contextmanager
def broken(name: str) -> Iterator[None]:
    """Break the code until the end of the block."""
    with contextlib.ExitStack() as stack:
        for fault in MUTANTS[name].broken:
            stack.enter_context(fault)
        yield
