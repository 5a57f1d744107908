"""The files of answers that clients read in parts, kept for a while: a small cache.

A viewer opens a file by its address with a request for all of it, which it breaks off, and then asks
for parts of it, dozens of times. So an answer is produced once, into a file. The first request
produces it; others for the same answer wait. When the first one is cancelled, the next one that
waits starts anew.

Each file being made counts with as many bytes as it may get, so that it never fails in the middle
because of others.
"""

import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Final

import trio

from trio_mpu.errors import RequestError, TrioMpuError
from trio_mpu.metrics.counters import Metrics
from trio_mpu.web.spool import MAX_SPOOL_BYTES, Spool

# Bound "files for ranges".
MAX_SPOOLS: Final = 4  # arbitrary
# Bound "files for ranges, bytes".
MAX_SPOOLS_BYTES: Final = 134_217_728  # two of the largest
# Bound "time a file for ranges is kept, s".
KEEP_S: Final = 60.0  # arbitrary: longer than a viewer pauses between two reads
LOOK_S: Final = 5.0  # how often to look for files that were kept long enough; arbitrary

MakePieces = Callable[[], AsyncGenerator[bytes, None]]


@dataclass(eq=False)
class _Entry:
    """A file, and how far it is: being made, made, failed (with status and reason), or given up."""

    spool: Spool = field(default_factory=Spool)
    made: bool = False
    failure: tuple[int, str] | None = None
    decided: trio.Event = field(default_factory=trio.Event)

    @property
    def bytes(self) -> int:
        return self.spool.size if self.made else MAX_SPOOL_BYTES


class Spools:
    """The files by what was asked for. To be closed when no connection is left."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._entries: dict[str, _Entry] = {}
        self._dropped: list[Spool] = []  # to be closed

    def __len__(self) -> int:
        return len(self._entries)

    def close(self) -> None:
        """Give all files' room back."""
        for key in [*self._entries]:
            self._drop(key)
        for spool in self._dropped:
            spool.close()

    async def run(self) -> None:
        """Drop files that nobody has used for KEEP_S, until cancelled."""
        while True:
            await trio.sleep(LOOK_S)
            now_s = trio.current_time()
            for key in self._unused():
                if now_s - self._entries[key].spool.used_s >= KEEP_S:
                    self._drop(key)
            await self._close_dropped()

    async def find(self, key: str, make: MakePieces) -> Spool:
        """Return the file of this key, made of `make`'s pieces unless it is there already.

        The caller has to enter its `in_use` before the next checkpoint, if it reads from it. Raises
        RequestError: 503 where too many others are in use, and, to all that wait, the error that ended
        the production.
        """
        while (entry := self._entries.get(key)) is not None:
            with entry.spool.in_use():
                await entry.decided.wait()
            if entry.failure is not None:
                raise RequestError(*entry.failure)
            if entry.made:
                return entry.spool
        return await self._produced(key, make)

    def has_room(self, key: str) -> bool:
        """Return whether `find` would not be refused because of other files."""
        if key in self._entries:
            return True
        in_use = [entry for entry in self._entries.values() if entry.spool.users]
        return (
            len(in_use) < MAX_SPOOLS
            and sum(entry.bytes for entry in in_use) + MAX_SPOOL_BYTES <= MAX_SPOOLS_BYTES
        )

    async def _produced(self, key: str, make: MakePieces) -> Spool:
        try:
            self._make_room()
            entry = self._entries[key] = _Entry()
            try:
                with entry.spool.in_use():
                    await self._close_dropped()
                    await self._fill(entry, make)
            finally:
                entry.decided.set()
                if not entry.made:
                    self._drop(key)
                    await self._close_dropped()
        except RequestError:
            self._metrics.count("files_refused")
            raise
        self._metrics.count("files_made")
        return entry.spool

    async def _fill(self, entry: _Entry, make: MakePieces) -> None:
        try:
            async with contextlib.aclosing(make()) as pieces:
                await entry.spool.fill(pieces)
        except TrioMpuError as error:
            status = error.status if isinstance(error, RequestError) else 503
            entry.failure = status, str(error)
            raise RequestError(*entry.failure) from error
        entry.made = True

    def _make_room(self) -> None:
        """Drop files until another may be made. Raises RequestError if that is not enough."""
        unused = self._unused()
        while len(self) >= MAX_SPOOLS or self._bytes() + MAX_SPOOL_BYTES > MAX_SPOOLS_BYTES:
            if not unused:
                raise RequestError(503, "other files are being made and read: try again later")
            self._drop(unused.pop(0))

    def _bytes(self) -> int:
        return sum(entry.bytes for entry in self._entries.values())

    def _unused(self) -> list[str]:
        """Return the keys of the files that may be dropped, those not used for longest first."""
        unused = [key for key, entry in self._entries.items() if not entry.spool.users]
        return sorted(unused, key=lambda key: self._entries[key].spool.used_s)

    def _drop(self, key: str) -> None:
        self._dropped.append(self._entries.pop(key).spool)

    async def _close_dropped(self) -> None:
        """In a thread: to free 64 MB takes a fast computer 3 ms."""
        dropped, self._dropped = self._dropped, []
        with trio.CancelScope(
            shield=True
        ):  # for as long as a thread takes, which can't be cancelled
            for spool in dropped:
                await trio.to_thread.run_sync(spool.close)
