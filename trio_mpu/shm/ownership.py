"""A segment's only writer: how it takes over what a dead one has left, or makes a new one."""

import logging
import secrets
import time
from datetime import UTC, datetime

from trio_mpu.errors import RingDamaged, RingError, RingMissing
from trio_mpu.record import Header, Record, State
from trio_mpu.shm import layout
from trio_mpu.shm.process_id import myself
from trio_mpu.shm.segment import Segment
from trio_mpu.shm.untouched import overwritten

log = logging.getLogger(__name__)


def own(name: str, capacity: int) -> Segment:
    """Open or make the segment of this name, as its only writer."""
    while True:
        segment = Segment(name, create=True)
        try:
            if not segment.lock_as_writer():
                raise RingError(_taken(segment))
            # Between opening and locking, the last writer may have removed the name.
            if segment.is_named() and _prepare(segment, capacity):
                return segment
        except BaseException:
            segment.close()
            raise
        segment.close()


def _prepare(segment: Segment, capacity: int) -> bool:
    """Make an owned segment ready for use; False: it was removed, and has to be made again."""
    if segment.size == 0:
        try:
            segment.allocate(capacity)
        except RingError:
            segment.unlink()
            raise
        segment.map()
        # The semaphore is there before the magic number lets anybody look for it.
        segment.open_semaphore(create=True)
        layout.lay_out(segment.buffer, capacity, secrets.randbits(63) + 1)
        segment.capacity = capacity
        return True
    segment.map()
    try:
        segment.use()
    except RingMissing:  # half made, or its semaphore was removed
        pass
    except RingDamaged as error:
        log.warning("%s: removing it", error)
    else:
        if segment.capacity == capacity:
            return True
    segment.unlink()
    return False


def sign(segment: Segment) -> tuple[Header, Record | None]:
    """Enter this process as the producer; return the header and the newest record.

    Raises RingDamaged if the ring can't be continued.
    """
    buffer = segment.buffer
    head, first = layout.number(buffer, "head"), layout.number(buffer, "first")
    last = _record(segment, head) if head >= first else None
    if head + 1 != first and last is None and _record(segment, head - 1) is None:
        raise RingDamaged(overwritten(str(segment.path)))
    layout.put(buffer, "producer", *myself())
    layout.put(buffer, "state", State.STARTING)
    layout.put(buffer, "started_ns", time.time_ns())
    return layout.read_header(buffer), last


def _record(segment: Segment, seq: int) -> Record | None:
    """Return the record of this number, if it is whole."""
    copied = layout.copy_records(segment.buffer, segment.capacity, seq, 1)
    return next(iter(layout.parse_records(copied, seq, checked=True)), None)


def _taken(segment: Segment) -> str:
    """Say whose ring it is; raises RingError when its producer is one of another version."""
    segment.map()
    try:
        layout.check(segment.buffer, str(segment.path))
    except RingMissing:
        return f"{segment.path} is being made by another producer"
    header = layout.read_header(segment.buffer)
    since = datetime.fromtimestamp(header.started_ns // 10**9, UTC)
    return (
        f"{segment.path} has a producer already: process {header.producer.pid}, "
        f"since {since:%Y-%m-%d %H:%M:%S} UTC; stop it or choose another --ring"
    )
