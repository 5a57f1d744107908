"""The shared segment, written by another program: any bytes in place of header and records."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fuzz.check import check_message
from trio_mpu.errors import RingError
from trio_mpu.record import Batch
from trio_mpu.ring import MAX_RECORDS_A_HOLD, RingReader
from trio_mpu.shm import layout

T = TypeVar("T")


class _Segment:
    """A segment in memory, of which nobody else has the semaphore."""

    def __init__(self, buffer: bytes, capacity: int) -> None:
        self.buffer = buffer
        self.capacity = capacity

    async def run(self, section: Callable[[], T]) -> T:
        """Call it."""
        return section()


def _done(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of what waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("it waits")


def segment(data: bytes) -> None:
    """A segment is refused in one line; or all that is read of it are whole records in order.

    The first ten bytes are the reader's cursor and how many records it asks for.
    """
    after, limit = int.from_bytes(data[:8], "little"), int.from_bytes(data[8:10], "little")
    buffer = data[10:]
    try:
        capacity = layout.check(buffer, "it")
    except RingError as error:
        check_message(error)
        return
    reader = RingReader.__new__(RingReader)
    reader._segment = _Segment(buffer, capacity)  # type: ignore[assignment]  # a part of one
    header = _done(reader.header())
    assert header.capacity == capacity
    _check(_done(reader.read(after, limit)), after, limit, buffer, capacity)
    near = max(0, header.head - 3)
    _check(_done(reader.read(near)), near, MAX_RECORDS_A_HOLD, buffer, capacity)


def _check(batch: Batch, after: int, limit: int, buffer: bytes, capacity: int) -> None:
    numbers = [record.seq for record in batch.records]
    assert len(numbers) <= min(limit, MAX_RECORDS_A_HOLD)
    for record in batch.records:
        place = layout.HEADER_BYTES + record.seq % capacity * layout.RECORD_BYTES
        # The last twenty bytes are for later versions.
        packed = layout.pack_records([record])[:-20]
        assert buffer[place : place + len(packed)] == packed
    if numbers:
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert after < numbers[0] <= numbers[-1] <= batch.head
    if batch.gap is not None:
        assert batch.gap.after == after
        assert batch.gap.lost == batch.gap.before - after - 1 > 0
        assert batch.gap.before == (numbers[0] if numbers else batch.gap.before) <= batch.head + 1
    elif numbers:
        assert numbers[0] == after + 1
