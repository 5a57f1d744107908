"""The shared segment, written by another program: any bytes in place of header and records."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from unittest import mock

from fuzz.check import check_message
from trio_mpu import ring
from trio_mpu.errors import RingError
from trio_mpu.record import Batch
from trio_mpu.ring import MAX_RECORDS_A_HOLD, RingReader
from trio_mpu.shm import layout

T = TypeVar("T")


class _Segment:
    """A segment in memory, of which nobody else has the semaphore."""

    def __init__(self, buffer: bytes) -> None:
        self.buffer = buffer
        self.capacity = 0

    def map(self) -> None:
        """Have it mapped."""

    def use(self) -> None:
        """Check it. Raises RingError."""
        self.capacity = layout.check(self.buffer, "it")

    async def run(self, section: Callable[[], T]) -> T:
        """Call it."""
        return section()

    def close(self) -> None:
        """Close it."""


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
    found = _Segment(data[10:])
    try:
        with (
            mock.patch.object(ring, "Segment", return_value=found),
            mock.patch.object(ring, "Bell"),
        ):
            reader = RingReader("it")
        header = _done(reader.header())
        near = max(0, header.head - 3)
        batches = [
            (after, limit, _done(reader.read(after, limit))),
            (near, MAX_RECORDS_A_HOLD, _done(reader.read(near))),
        ]
    except RingError as error:
        check_message(error)
        return
    assert header.capacity == found.capacity
    for begin, most, batch in batches:
        _check(batch, begin, most, found)


def _check(batch: Batch, after: int, limit: int, found: _Segment) -> None:
    numbers = [record.seq for record in batch.records]
    assert len(numbers) <= min(limit, MAX_RECORDS_A_HOLD)
    for record in batch.records:
        place = layout.HEADER_BYTES + record.seq % found.capacity * layout.RECORD_BYTES
        # The last twenty bytes are no field's.
        packed = layout.pack_records([record])[:-20]
        assert found.buffer[place : place + len(packed)] == packed
    if numbers:
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert after < numbers[0] <= numbers[-1] <= batch.head
    if batch.gap is not None:
        assert batch.gap.after == after
        assert batch.gap.lost == batch.gap.before - after - 1 > 0
        assert batch.gap.before == (numbers[0] if numbers else batch.gap.before) <= batch.head + 1
    elif numbers:
        assert numbers[0] == after + 1
