"""The SQLite file: opened by one recorder at a time, written in whole transactions.

It is in WAL mode, so that others can read while it is written, and each transaction is on the disk
when it returns. All here blocks: call it in a thread.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

from trio_mpu.errors import StoreError
from trio_mpu.record import Record
from trio_mpu.store import schema
from trio_mpu.store.chunk import FORMAT, RECORD_BYTES, Chunk, Origin, decode
from trio_mpu.store.keep import Keep, Oldest, surplus
from trio_mpu.store.lock import locked
from trio_mpu.store.pyramid import Window, windows_of

_BUSY_S: Final = 2.0  # a reader that holds up the writer is a checkpoint's: it is over by then
_WAL_PAGES: Final = 1000  # SQLite's default: 4 MB
_ROW_BYTES: Final = 100  # of a chunk beside its data, rounded up
_PRUNE_CHUNKS: Final = 512  # at a time; arbitrary
_PRUNE_WINDOWS: Final = 3600  # likewise
_NS_PER_S: Final = 1_000_000_000


class Database:
    """One open file. Each method raises StoreError, whose message names the file."""

    def __init__(self, path: str) -> None:
        """Open the file, or make it."""
        self._path = path
        # Closed after SQLite: to close any descriptor of a file drops this process's locks on it.
        self._fd = locked(path)
        self._connection: sqlite3.Connection | None = None
        self._is_sound = False  # whether what is known here is what is in the file
        try:
            with self._translated():
                self._connection = sqlite3.connect(
                    path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
                )
                self._set_up(self._connection)
                # The newest number and the newest offset of each generation.
                self._ends: dict[str, tuple[int, int]] = {
                    generation: (last_seq, offset_ns)
                    for generation, last_seq, offset_ns, _ in self._rows("SELECT * FROM ends")
                }
                self._newest = ""  # the generation of the newest chunk
                # The newest chunk whose windows are in the file, and the windows of later ones.
                self._settled_id = self._last_id = self._number(schema.SETTLED)
                self._windows: list[tuple[object, ...]] = []
                self._read_unsettled()
            self._is_sound = True
        except BaseException:
            self.close()
            raise

    def store(self, chunks: Sequence[Chunk]) -> None:
        """Write chunks, or none of them. What the file has already is left out."""
        self._check_file()
        ends, newest, last_id = dict(self._ends), self._newest, self._last_id
        windows: list[tuple[object, ...]] = []
        with self._translated(), self._transaction():
            for chunk in chunks:
                generation = chunk.origin.generation
                if chunk.first.seq <= ends.get(generation, (0, 0))[0]:
                    continue
                if newest in ends and generation != newest:
                    self._execute(schema.SET_END, (newest, *ends[newest], self._settled_id))
                last_id += 1
                windows += self._add(last_id, chunk)
                newest = generation
                ends[generation] = chunk.last.seq, chunk.offset_ns
        self._ends, self._newest, self._last_id = ends, newest, last_id
        self._windows += windows

    @property
    def ends(self) -> dict[str, int]:
        """The newest number of each generation."""
        return {generation: last_seq for generation, (last_seq, _) in self._ends.items()}

    def prune(self, keep: Keep) -> int:
        """Delete what is beyond the bounds, the oldest first; return how many samples that were.

        Chunks go first. Only if none is left, and the file is still too large, windows go: of a
        second first, then of a minute.
        """
        with self._translated(), self._transaction():
            self._settle()
            page_bytes = self._number("PRAGMA page_size")
            pages = self._number("PRAGMA page_count") - self._number("PRAGMA freelist_count")
            if keep.size_bytes is not None:  # the write-ahead log is part of the size
                keep = keep._replace(size_bytes=keep.size_bytes - _WAL_PAGES * page_bytes)
            oldest = self._rows(
                schema.OLDEST,
                _PRUNE_CHUNKS,
            )
            now_ns = time.time_ns()
            # Rounded up to pages: rather too little is deleted now, and more the next time.
            sizes = (
                Oldest(time_ns, -(-(size + _ROW_BYTES) // page_bytes) * page_bytes)
                for _, _, time_ns, size in oldest
            )
            gone = surplus(keep, now_ns, pages * page_bytes, sizes)
            if gone:
                self._execute("DELETE FROM chunks WHERE id <= ?", (oldest[gone - 1][0],))
            elif keep.size_bytes is not None and pages * page_bytes > keep.size_bytes:
                self._prune_windows()
        self._settled_id, self._windows = self._last_id, []
        with self._translated():
            if keep.size_bytes is not None and self._number("PRAGMA freelist_count") > _WAL_PAGES:
                assert self._connection is not None
                # execute() would stop at the first page: this statement is one step for each.
                self._connection.executescript(f"PRAGMA incremental_vacuum({_WAL_PAGES})")
        return sum(count for _, count, _, _ in oldest[:gone])

    def close(self) -> None:
        """Close the file. What fails in that is found again in the chunks."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                if self._is_sound:
                    with self._transaction():
                        self._settle()
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None
        os.close(self._fd)

    def _set_up(self, connection: sqlite3.Connection) -> None:
        application, version = (
            self._number("PRAGMA application_id"),
            self._number("PRAGMA user_version"),
        )
        is_new = not application and not self._number("SELECT count(*) FROM sqlite_master")
        if not is_new and application != schema.APPLICATION_ID:
            raise StoreError(f"{self._path} is a database of another program; choose another file")
        if not is_new and version != schema.VERSION:
            raise StoreError(
                f"{self._path} has version {version} of the tables, but this program knows version "
                f"{schema.VERSION}; choose another file"
            )
        if is_new:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        # A power cut costs at most the transaction in progress: each is on the disk when it ends.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        if is_new:
            with self._transaction():
                for table in schema.TABLES:
                    connection.execute(table)
                connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {schema.VERSION}")

    def _read_unsettled(self) -> None:
        """Find where the file ends, and make the windows that it does not have yet.

        Raises StoreError if one of the newest chunks, where a failing disk shows, can't be read.
        """
        newest = self._rows(schema.NEWEST, self._settled_id)
        for chunk_id, generation_id, generation, first, count, offset_ns, form, data in newest:
            self._newest, self._last_id = generation, max(chunk_id, self._last_id)
            self._ends[generation] = first + count - 1, offset_ns
            if form != FORMAT:
                continue
            try:
                records = decode(data, first, count)
            except StoreError as error:
                raise StoreError(f"{self._path}: {error}; move the file away") from error
            if chunk_id > self._settled_id:
                self._windows += _window_rows(generation_id, windows_of(records), records[0])

    def _check_file(self) -> None:
        """Raise StoreError if the path leads elsewhere: SQLite would go on, into a lost file."""
        try:
            there = Path(self._path).stat()
        except OSError as error:
            raise StoreError(f"{self._path} is gone: {error.strerror}") from error
        if not os.path.samestat(there, os.fstat(self._fd)):
            raise StoreError(f"{self._path} is another file now")

    def _add(self, chunk_id: int, chunk: Chunk) -> list[tuple[object, ...]]:
        """Write all of a chunk but its windows; return those as rows."""
        generation_id = self._generation_id(chunk.origin)
        first, last = chunk.first, chunk.last
        times = (first.t_ns, last.t_ns, first.time_ns, last.time_ns, chunk.offset_ns)
        row = (
            chunk_id,
            generation_id,
            first.seq,
            chunk.samples,
            *times,
            FORMAT,
            RECORD_BYTES,
            chunk.data,
        )
        self._execute(schema.ADD_CHUNK, row)
        for gap in chunk.gaps:
            # The sample after it is in this chunk; its time to the chunk's own precision.
            share = (gap.before - first.seq) / chunk.samples
            time_ns = first.time_ns + int(share * (last.time_ns - first.time_ns))
            self._execute(schema.ADD_GAP, (generation_id, *gap, time_ns))
        return _window_rows(generation_id, chunk.windows, first)

    def _settle(self) -> None:
        """Write the windows of the chunks that have come since the last time.

        Not with each chunk: that would write three pages more a second, and wear out a memory card.
        A recorder that is killed before this makes them again, from the chunks.
        """
        for row in self._windows:
            self._execute(schema.ADD_WINDOW, row)
        if self._newest:
            end = (self._newest, *self._ends[self._newest], self._last_id)
            self._execute(schema.SET_END, end)

    def _generation_id(self, origin: Origin) -> int:
        self._execute(schema.ADD_GENERATION, origin)
        return self._number(schema.FIND_GENERATION, *origin)

    def _prune_windows(self) -> None:
        for level_s in (1, 60):
            oldest = self._rows(
                "SELECT start_s FROM pyramid WHERE level_s = ? ORDER BY start_s LIMIT ?",
                level_s,
                _PRUNE_WINDOWS,
            )
            if oldest:
                upto = (level_s, *oldest[-1])
                self._execute("DELETE FROM pyramid WHERE level_s = ? AND start_s <= ?", upto)
                return

    def _execute(self, statement: str, values: Sequence[object] = ()) -> None:
        assert self._connection is not None
        self._connection.execute(statement, values)

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        assert self._connection is not None
        return self._connection.execute(statement, values).fetchall()

    def _number(self, statement: str, *values: object) -> int:
        number: int = self._rows(statement, *values)[0][0]
        return number

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._execute("BEGIN IMMEDIATE")
        try:
            yield
            self._execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # a full disk has rolled back already
                self._execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            # Nobody knows whether the transaction that failed is in the file.
            self._is_sound = False
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code == sqlite3.SQLITE_NOTADB:
                raise StoreError(f"{self._path} is no SQLite file; choose another one") from error
            if code == sqlite3.SQLITE_CORRUPT:
                raise StoreError(f"{self._path} is damaged; move the file away") from error
            raise StoreError(f"can't write {self._path}: {error}") from error


def _window_rows(
    generation_id: int, windows: Sequence[Window], first: Record
) -> list[tuple[object, ...]]:
    """Return rows of the pyramid, for ADD_WINDOW."""
    offset_s = round((first.time_ns - first.t_ns) / _NS_PER_S)
    return [
        (
            *(each.level_s, each.start_s, generation_id, offset_s, each.samples),
            *chain(*zip(each.lows, each.means, each.highs, strict=True)),
        )
        for each in windows
    ]
