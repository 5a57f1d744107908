"""Backlog → file: one task that writes, in a thread, and tries again for as long as it fails."""

import logging
from typing import Final

import trio

from trio_mpu.errors import StoreError
from trio_mpu.store.backlog import Backlog
from trio_mpu.store.database import Database
from trio_mpu.store.keep import Keep

log = logging.getLogger(__name__)

RETRY_S: Final = 5.0  # arbitrary
PRUNE_WRITES: Final = 10  # arbitrary: to delete old chunks each second would write a page more


class Writer:
    """The only user of the database, which is opened again after each failure."""

    def __init__(self, path: str, keep: Keep, backlog: Backlog) -> None:
        self.backlog = backlog
        self._path = path
        self._keep = keep
        self._database: Database | None = None
        self._more = trio.Event()
        self._ended = trio.Event()
        self._trouble = ""
        self._writes = 0

    async def open(self) -> dict[str, int]:
        """Open the file; return the newest number of each generation in it. Raises StoreError."""
        return await trio.to_thread.run_sync(self._open)

    async def open_patiently(self, stop: trio.Event) -> dict[str, int]:
        """As `open`, but try again for as long as that fails, until `stop`: then StoreError is
        raised."""
        while True:
            try:
                return await self.open()
            except StoreError as error:
                self._failed(error)
                if stop.is_set():
                    raise
            with trio.move_on_after(RETRY_S):
                await stop.wait()

    def more(self) -> None:
        """Say that something was added to the backlog."""
        self._more.set()

    def end(self) -> None:
        """Say that nothing more will come: `run` returns when the backlog was tried once more."""
        self._ended.set()
        self._more.set()

    async def run(self) -> None:
        """Write until `end`; raise StoreError if something could not be written then.

        Cancellation waits for the transaction in progress.
        """
        try:
            while True:
                await self._more.wait()
                if not self._ended.is_set():
                    self._more = trio.Event()
                is_last_try = self._ended.is_set()
                while self.backlog.oldest():
                    if await self._write():
                        continue
                    if is_last_try:
                        raise StoreError(f"{self.backlog.samples()} samples are not in the file")
                    with trio.move_on_after(RETRY_S):
                        await self._ended.wait()
                    is_last_try = self._ended.is_set()
                if self._ended.is_set():
                    return
        finally:
            if self._database is not None:
                self._database.close()

    async def _write(self) -> bool:
        chunks = self.backlog.oldest()

        def write() -> int:
            if self._database is None:
                self._open()
            database = self._database
            assert database is not None
            try:
                database.store(chunks)
                self._writes += 1
                return database.prune(self._keep) if self._writes % PRUNE_WRITES == 0 else 0
            except StoreError:
                self._database = None
                database.close()
                raise

        try:
            await trio.to_thread.run_sync(write)
        except StoreError as error:
            self._failed(error)
            return False
        self.backlog.written(len(chunks))
        if self._trouble:
            log.info("%s can be written again", self._path)
            self._trouble = ""
        return True

    def _failed(self, error: StoreError) -> None:
        """Say so, unless it is the same as the last time."""
        if str(error) != self._trouble:
            self._trouble = str(error)
            log.warning("%s; trying again every %g s", error, RETRY_S)

    def _open(self) -> dict[str, int]:
        self._database = Database(self._path)
        return self._database.ends
