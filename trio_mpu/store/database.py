"""The SQLite file: opened by one recorder at a time, written in whole transactions.

It is in WAL mode, so that others can read while it is written, and each transaction is on the disk
when it returns. All here blocks: call it in a thread.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

from trio_mpu.errors import StoreError
from trio_mpu.store import schema
from trio_mpu.store.chunk import FORMAT, RECORD_BYTES, Chunk, Origin, decode
from trio_mpu.store.connection import is_new, number, translated
from trio_mpu.store.keep import Keep, Oldest, surplus
from trio_mpu.store.lock import locked
from trio_mpu.store.pyramid import Window, windows_of

_BUSY_S: Final = 2.0  # a reader that holds up the writer is a checkpoint's: it is over by then
_WAL_PAGES: Final = 1000  # SQLite's default: 4 MB
_ROW_BYTES: Final = 100  # of a chunk beside its data, rounded up
_PRUNE_CHUNKS: Final = 512  # at a time; arbitrary
_PRUNE_WINDOWS: Final = 3600  # likewise


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
                # The newest number of each generation.
                self._ends: dict[str, int] = dict(
                    self._rows("SELECT generation, last_seq FROM ends")
                )
                self._session = self._newest_session()
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
        ends, session, last_id = dict(self._ends), self._session, self._last_id
        windows: list[tuple[object, ...]] = []
        with self._translated(), self._transaction():
            for chunk in chunks:
                generation = chunk.origin.generation
                if chunk.first.seq <= ends.get(generation, 0):
                    continue
                last_id += 1
                if session is None or session.origin != chunk.origin or chunk.begins_with_step:
                    if session is not None and session.origin.generation != generation:
                        self._set_end(session.origin.generation, ends, self._settled_id)
                    session = self._begin_session(session, last_id, chunk)
                windows += self._add(last_id, session.id, chunk)
                ends[generation] = chunk.last.seq
        self._ends, self._session, self._last_id = ends, session, last_id
        self._windows += windows

    @property
    def ends(self) -> dict[str, int]:
        """The newest number of each generation."""
        return dict(self._ends)

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
        new = is_new(connection, self._path)
        if new:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        # A power cut costs at most the transaction in progress: each is on the disk when it ends.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        if new:
            with self._transaction():
                for table in schema.TABLES:
                    connection.execute(table)
                connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {schema.VERSION}")

    def _read_unsettled(self) -> None:
        """Find where the file ends, and make the windows that it does not have yet.

        Raises StoreError if one of the newest chunks, where a failing disk shows, can't be read.
        """
        unsettled = self._rows(schema.UNSETTLED, self._settled_id)
        for chunk_id, session_id, generation, first, count, form, data in unsettled:
            self._last_id = max(chunk_id, self._last_id)
            self._ends[generation] = first + count - 1
            if form != FORMAT:
                continue
            try:
                records = decode(data, first, count)
            except StoreError as error:
                raise StoreError(f"{self._path}: {error}; move the file away") from error
            if chunk_id > self._settled_id:
                self._windows += _window_rows(session_id, windows_of(records))

    def _check_file(self) -> None:
        """Raise StoreError if the path leads elsewhere: SQLite would go on, into a lost file."""
        try:
            there = Path(self._path).stat()
        except OSError as error:
            raise StoreError(f"{self._path} is gone: {error.strerror}") from error
        if not os.path.samestat(there, os.fstat(self._fd)):
            raise StoreError(f"{self._path} is another file now")

    def _newest_session(self) -> "_Session | None":
        for *origin, session_id, boot_offset_ns in self._rows(schema.NEWEST_SESSION):
            return _Session(session_id, Origin(*origin), boot_offset_ns)
        return None

    def _begin_session(self, last: "_Session | None", chunk_id: int, chunk: Chunk) -> "_Session":
        """Add the session that begins with a chunk, after the `last` one."""
        boot_offset_ns = chunk.boot_offset_ns
        # Nobody has set the clock: the same to the nanosecond, so that times remain as they are.
        if (
            last is not None
            and last.origin.boot_id == chunk.origin.boot_id
            and not chunk.begins_with_step
        ):
            boot_offset_ns = last.boot_offset_ns
        self._execute(schema.ADD_SESSION, (*chunk.origin, chunk_id, boot_offset_ns))
        session_id = self._number("SELECT last_insert_rowid()")
        return _Session(session_id, chunk.origin, boot_offset_ns)

    def _add(self, chunk_id: int, session_id: int, chunk: Chunk) -> list[tuple[object, ...]]:
        """Write all of a chunk but its windows; return those as rows."""
        first, last = chunk.first, chunk.last
        times = (first.t_ns, last.t_ns, first.time_ns, last.time_ns)
        row = (
            chunk_id,
            session_id,
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
            self._execute(schema.ADD_GAP, (session_id, chunk_id, *gap, time_ns))
        return _window_rows(session_id, chunk.windows)

    def _settle(self) -> None:
        """Write the windows of the chunks that have come since the last time.

        Not with each chunk: that would write three pages more a second, and wear out a memory card.
        A recorder that is killed before this makes them again, from the chunks.
        """
        for row in self._windows:
            self._execute(schema.ADD_WINDOW, row)
        if self._session is not None:
            self._set_end(self._session.origin.generation, self._ends, self._last_id)

    def _set_end(self, generation: str, ends: Mapping[str, int], chunk_id: int) -> None:
        self._execute(schema.SET_END, (generation, ends[generation], chunk_id))

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
        assert self._connection is not None
        return number(self._connection, statement, *values)

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
            with translated(self._path, writing=True):
                yield
        except StoreError:
            # Nobody knows whether the transaction that failed is in the file.
            self._is_sound = False
            raise


class _Session(NamedTuple):
    """A row of the table."""

    id: int
    origin: Origin
    boot_offset_ns: int


def _window_rows(session_id: int, windows: Sequence[Window]) -> list[tuple[object, ...]]:
    """Return rows of the pyramid, for ADD_WINDOW."""
    return [
        (
            *(each.level_s, each.start_s, session_id, each.samples),
            *chain(*zip(each.lows, each.means, each.highs, strict=True)),
        )
        for each in windows
    ]
