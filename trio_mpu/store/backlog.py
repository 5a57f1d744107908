# Pure: no I/O, no clock, no waiting.
"""What has been read from the ring and is not yet in the file: bounded, oldest first."""

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Final

from trio_mpu.store.chunk import Chunk

MAX_BYTES: Final = 16 * 2**20  # an hour at 100 Hz, six minutes at 1,000 Hz
MAX_CHUNKS_A_WRITE: Final = 64  # a transaction of a few hundred KB at most rates


class Backlog:
    """Chunks that wait to be written. When it is full, the ring keeps what comes."""

    def __init__(self) -> None:
        self._chunks = deque[Chunk]()
        self._bytes = 0

    def add(self, chunks: Iterable[Chunk]) -> None:
        """Append chunks."""
        for chunk in chunks:
            self._chunks.append(chunk)
            self._bytes += len(chunk.data)

    def is_full(self) -> bool:
        """Return whether no more is to be added."""
        return self._bytes >= MAX_BYTES

    def oldest(self) -> list[Chunk]:
        """Return the chunks for the next transaction; they stay here until `written`."""
        return [*islice(self._chunks, MAX_CHUNKS_A_WRITE)]

    def written(self, count: int) -> None:
        """Remove the oldest chunks."""
        for _ in range(count):
            self._bytes -= len(self._chunks.popleft().data)

    def samples(self) -> int:
        """Return how many samples are waiting."""
        return sum(chunk.samples for chunk in self._chunks)
