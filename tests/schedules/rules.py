"""What must hold after each step, whatever the order."""

import fcntl
import functools
import sys
from typing import TYPE_CHECKING, Final

from trio_mpu.record import Batch, Record, oldest_seq
from trio_mpu.sample import Sample
from trio_mpu.shm import layout

if TYPE_CHECKING:
    from tests.schedules.machine import Machine, Participant

_put_record: Final = layout.put_record  # the real one, in whatever way the code is broken
_HEAD, _HOLDER, _AFTER_HOLDER, _FIRST, _AFTER_FIRST = (
    layout._FIELDS[name][0]
    for name in ("head", "holder", "heartbeat_ns", "first", "attitude_resets")
)
_MAGIC: Final = layout.MAGIC.to_bytes(8, sys.byteorder)
CLOCK_NS: Final = 10**18  # the wall clock less the monotonic one
BATCH: Final = 2  # the most records that a scenario writes under one hold
LOST_EVERY: Final = 2  # every second sample reports a lost one before it


class Violation(Exception):
    """A rule was broken; the message says which and by whom."""


def sample_of(seq: int) -> Sample:
    """Return the sample that is to have this number: all that is in it follows from that."""
    k = float(seq % 64)
    lost = int(seq % LOST_EVERY == 0)
    return Sample(seq, k, k + 1, k + 2, k + 3, k + 4, k + 5, k + 6, lost=lost)


def record_of(seq: int) -> Record:
    """Return the record of this number."""
    return Record.of(seq, CLOCK_NS + seq, sample_of(seq))


@functools.cache
def slot_of(seq: int) -> bytes:
    """Return the bytes that this record is to have in its slot."""
    ring = bytearray(layout.segment_bytes(1))
    _put_record(ring, 1, record_of(seq))
    return bytes(ring[layout.HEADER_BYTES :])


def lost_up_to(seq: int) -> int:
    """Return how many lost samples the records up to this one report."""
    return seq // LOST_EVERY


class Rules:
    """Watches all steps of one run. Each method raises Violation."""

    def __init__(self, machine: "Machine") -> None:
        self._machine = machine
        self._holders: dict[int, Participant | None] = {}  # of each semaphore
        self._segments: dict[int, set[int]] = {}  # that each semaphore was made for
        self._heads: dict[int, int] = {}  # of each segment

    # -- the semaphore ------------------------------------------------------------------------

    def made(self, me: "Participant", semaphore: int) -> None:
        """A semaphore was made, for the segment that its maker has open."""
        self._segments[semaphore] = {file.inode for file in me.files.values()}

    def took(self, me: "Participant", semaphore: int) -> None:
        """The semaphore was acquired: by one at a time."""
        other = self._holders.get(semaphore)
        if other is not None:
            raise Violation(f"{me.name} holds the semaphore beside {other.name}")
        locked = {file.inode for file in me.files.values()}
        if not locked <= self._segments[semaphore]:
            raise Violation(f"{me.name} holds the semaphore of another ring than it has locked")
        self._holders[semaphore] = me
        me.holds.add(semaphore)

    def posts(self, me: "Participant", semaphore: int) -> None:
        """The semaphore is about to be posted: by its holder, or once for a dead one."""
        holder = self._holders.get(semaphore)
        if holder is me:
            me.holds.discard(semaphore)
        elif holder is None:
            raise Violation(f"{me.name} posts a semaphore that nobody holds")
        elif holder.alive:
            raise Violation(f"{me.name} posts the semaphore for {holder.name}, which lives")
        else:
            me.recovered += 1
        self._holders[semaphore] = None

    # -- the bytes ----------------------------------------------------------------------------

    def begin(self, segment: int, view: memoryview) -> None:
        """Note what a segment has before the run begins."""
        self._heads[segment] = layout.number(view, "head")

    @staticmethod
    def is_constant(view: memoryview, begin: int, end: int) -> bool:
        """Return whether these bytes may never change again: after the magic number is there."""
        return (end <= _HEAD or (begin >= _FIRST and end <= _AFTER_FIRST)) and _is_made(view)

    def loads(self, me: "Participant", view: memoryview, begin: int, end: int) -> None:
        """Bytes were loaded: under the semaphore, if they can change. What only the writer writes, it
        may read at any time."""
        if me.holds or me.looks or not _is_made(view) or self.is_constant(view, begin, end):
            return
        is_writer = any(file.writer for file in me.files.values())
        if is_writer and (end <= _HOLDER or begin >= _AFTER_HOLDER):
            return
        raise Violation(f"{me.name} reads bytes {begin} to {end} without the semaphore")

    def stores(self, me: "Participant", view: memoryview, begin: int, end: int) -> None:
        """Bytes are about to change: under the semaphore, if the ring is made."""
        if self.is_constant(view, begin, end):
            raise Violation(f"{me.name} changes bytes {begin} to {end} after the magic number")
        if me.holds or not _is_made(view):
            return
        if not any(file.shared == fcntl.LOCK_EX for file in me.files.values()):
            raise Violation(f"{me.name} changes bytes {begin} to {end} without the semaphore")

    def stored(self, segment: int, view: memoryview, begin: int) -> None:
        """Bytes have changed: the head only grows, and what it publishes is whole."""
        if begin != _HEAD or not _is_made(view):
            return
        before, head = self._heads.get(segment, 0), layout.number(bytes(view), "head")
        if head < before:
            raise Violation(f"the head went from {before} back to {head}")
        self._heads[segment] = head
        capacity = layout.number(bytes(view), "capacity")
        for seq in range(before + 1, head + 1):
            begin = layout.HEADER_BYTES + seq % capacity * layout.RECORD_BYTES
            if view[begin : begin + layout.RECORD_BYTES] != slot_of(seq):
                raise Violation(f"record {seq} is published before it is whole")
        if layout.read_header(bytes(view)).ledger["device_lost"] < lost_up_to(head):
            raise Violation(f"record {head} is published before the losses are counted")

    # -- what participants find ---------------------------------------------------------------

    def batch(self, who: str, after: int, batch: Batch, capacity: int) -> None:
        """Records were read: each whole, in order, and what is missing is reported and was lapped."""
        begin = batch.gap.before if batch.gap else after + 1
        for seq, record in enumerate(batch.records, start=begin):
            if record != record_of(seq):
                raise Violation(f"{who} reads {record.seq} where {seq} should be, or a torn one")
        # A writer that was killed in a batch has filled slots after the one that it may have.
        spoiled = 0 if all(one.alive for one in self._machine.participants.values()) else BATCH - 1
        late = begin - oldest_seq(batch.head, capacity)
        if batch.gap and (batch.gap.after != after or not 0 <= late <= spoiled):
            raise Violation(f"{who} is told {batch.gap}, with the head at {batch.head}")
        if batch.records and batch.records[-1].seq > batch.head:
            raise Violation(f"{who} reads {batch.records[-1].seq} before it is published")


def _is_made(view: memoryview) -> bool:
    return view[:8] == _MAGIC
