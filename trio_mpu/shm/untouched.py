# Pure: no I/O, no clock, no waiting.
"""Whether a ring's header still is as its producer left it.

Every program of the same user can write to the segment, and a broken one may. So both sides compare
the header with what they know, each time they have the semaphore:

- A reader knows what was written once; that `head` never goes back; and that the record which `head`
  names, or the one before it, is in its slot. (The newest slot alone may be damaged: that is found by
  its record's own check.)
- The producer knows all that it has written itself. What it writes anew each second (heartbeat,
  counters) and what every participant writes (holder) is not compared.

What this can't find: a change of the counters that lasts less than a second.
"""

from typing import Final

from trio_mpu.errors import RingDamaged
from trio_mpu.shm import layout
from trio_mpu.shm.layout import Buffer

_ONCE: Final = layout.span("magic", "head")
_UNTIL_HEAD: Final = layout.span("magic", "period_ns")
# What the producer writes at its start, when its device says something else, and at its end; and
# what means nothing yet.
_OWN: Final = (
    layout.span("period_ns", "holder"),
    layout.span("started_ns", "ledger"),
    layout.span("source", "attitude_resets"),
    layout.UNUSED,
)


class HeaderReader:
    """What one reader knows of a header."""

    def __init__(self, buffer: Buffer, capacity: int, what: str) -> None:
        """`what` names the ring in messages."""
        self._buffer = buffer
        self._capacity = capacity
        self._what = what
        self._once = bytes(buffer[_ONCE])
        self._first = layout.number(buffer, "first")
        self._head = self._first - 1

    def head(self) -> int:
        """Return `head`; raises RingDamaged. Call this under the semaphore."""
        head = layout.number(self._buffer, "head")
        if (
            head < self._head
            or self._buffer[_ONCE] != self._once
            or layout.number(self._buffer, "first") != self._first
            or (head > self._head and not self._is_believable(head))
        ):
            raise RingDamaged(overwritten(self._what))
        self._head = head
        return head

    def _is_believable(self, head: int) -> bool:
        return any(
            layout.holds(self._buffer, self._capacity, seq)
            for seq in (head, head - 1)
            if seq >= self._first  # a slot of zeros has number 0
        )


class HeaderWriter:
    """What the producer knows of its own ring's header."""

    def __init__(self, buffer: Buffer, what: str) -> None:
        """`what` names the ring in messages."""
        self._buffer = buffer
        self._what = what
        self._once = bytes(buffer[_ONCE])
        self._own = self._copied()

    def _copied(self) -> list[bytes]:
        return [bytes(self._buffer[part]) for part in _OWN]

    def note(self) -> None:
        """Remember the header as it is now: the producer has just changed it."""
        self._own = self._copied()

    def check(self, head: int) -> None:
        """Raise RingDamaged unless the ring still is this one and `head` the newest record."""
        if self._buffer[_UNTIL_HEAD] != self._once + layout.packed("head", head):
            raise RingDamaged(overwritten(self._what))

    def check_all(self, head: int) -> None:
        """Raise RingDamaged if anything was changed that only the producer writes."""
        self.check(head)
        if self._copied() != self._own:
            raise RingDamaged(overwritten(self._what))


def overwritten(what: str) -> str:
    """Return the message for a ring that something else has written to."""
    return f"{what} was overwritten by another program"
