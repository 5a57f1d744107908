"""The bytes of one answer in a file without a name: written once, then read in any part.

All that touches the file is done in threads: a card that is busy with other writes can keep one
waiting for a tenth of a second, and the live samples must not wait with it.
"""

import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from io import FileIO
from typing import Final

import trio

from trio_mpu.errors import RequestError

# Bound "file for ranges, bytes".
MAX_SPOOL_BYTES: Final = 67_108_864  # an hour at 100 Hz as MCAP; in memory where /tmp is
NO_ROOM_STATUS: Final = 507  # Insufficient Storage: RFC 4918, section 11.5
WRITE_BYTES: Final = 262_144  # pieces are gathered to so many: a thread costs 0.1 ms each time
READ_BYTES: Final = 65_536  # as much as one send takes; arbitrary
_ETAG_BYTES: Final = 16  # as many as in a UUID: no two files have the same by chance


class Spool:
    """A file that is filled and then read; to be closed at the end, when nobody uses it.

    `etag` is made of the content: equal bytes have equal ones, whichever process wrote them.
    """

    def __init__(self) -> None:
        self.size = 0
        self.etag = ""
        self.users = 0  # tasks that wait for it or read it
        self.used_s = trio.current_time()
        self._file: FileIO | None = None
        self._digest = blake2b(digest_size=_ETAG_BYTES)

    def close(self) -> None:
        """Give the file's room back."""
        if self._file is not None:
            self._file.close()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep the file while this lasts, and for a while longer."""
        self.users += 1
        try:
            yield
        finally:
            self.users -= 1
            self.used_s = trio.current_time()

    async def fill(self, pieces: AsyncIterator[bytes]) -> None:
        """Write all pieces. Raises RequestError if they are too many, or there is no room on the
        disk, and what the pieces raise; the file is good for nothing then, as after Cancelled."""
        waiting: list[bytes] = []
        waiting_bytes = 0
        async for piece in pieces:
            waiting.append(piece)
            waiting_bytes += len(piece)
            if self.size + waiting_bytes > MAX_SPOOL_BYTES:
                raise RequestError(
                    400, f"the answer has more than {MAX_SPOOL_BYTES} bytes: ask for less of it"
                )
            if waiting_bytes >= WRITE_BYTES:
                await self._write(b"".join(waiting))
                waiting, waiting_bytes = [], 0
        await self._write(b"".join(waiting))
        self.etag = f'"{self._digest.hexdigest()}"'

    async def read(self, first: int, end: int) -> AsyncGenerator[bytes, None]:
        """Yield the bytes from `first` on, up to but without `end`, in pieces."""
        assert self._file is not None
        fd = self._file.fileno()
        while first < end:
            piece = await trio.to_thread.run_sync(os.pread, fd, min(READ_BYTES, end - first), first)
            assert piece  # nobody else has the file, so it is as long as it was
            yield piece
            first += len(piece)

    async def _write(self, data: bytes) -> None:
        try:
            await trio.to_thread.run_sync(self._write_all, data)
        except OSError as error:
            raise RequestError(
                NO_ROOM_STATUS,
                f"can't keep the answer in a file: {error.strerror}; TMPDIR says in which folder",
            ) from error
        self.size += len(data)

    def _write_all(self, data: bytes) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - `close` closes it
        self._digest.update(data)
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
