"""The SQLite file, read beside the recorder that writes it.

Chunks are numbered in the order of writing, without holes: the oldest are deleted, and none in
between. All here blocks: call it in a thread, from one at a time.
"""

import contextlib
import os
import re
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from urllib.parse import quote

from trio_mpu.errors import StoreError
from trio_mpu.record import Record
from trio_mpu.sample import Gap
from trio_mpu.store.chunk import FORMAT, decode
from trio_mpu.store.connection import is_new, translated

_GENERATION: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)
_BUSY_S: Final = 2.0  # readers wait only while a recorder opens or closes the file

_SESSIONS: Final = (
    "SELECT id, generation, source, chip, calibration, period_ns, correction_ns, first_chunk_id, "
    "lead(first_chunk_id) OVER (ORDER BY id) FROM sessions JOIN clocks ON session_id = id"
)
# Not min() and max() together: SQLite would read the whole table for that.
_ENDS: Final = (
    "SELECT * FROM (SELECT id FROM chunks ORDER BY id LIMIT 1), "
    "(SELECT id FROM chunks ORDER BY id DESC LIMIT 1)"
)
# In a file that has replaced the one of which these chunks are, others have their numbers. The columns
# before the data can be read though the pages that it goes on in can't.
_CHUNK: Final = (
    "SELECT id, first_seq, count{more} FROM chunks WHERE id BETWEEN ? AND ? "
    "AND (SELECT generation FROM sessions WHERE id = session_id) = ? ORDER BY id LIMIT 1"
)
_WHOLE_CHUNK: Final = _CHUNK.format(more=", format, data")
_CHUNK_HEAD: Final = _CHUNK.format(more="")
# What the reader of the ring found missing. What the producer noted is in the records themselves.
_FOUND: Final = (
    "SELECT after_seq, before_seq, lost, reason FROM gaps WHERE chunk_id BETWEEN ? AND ? "
    "AND (reason IN ('lapped', 'store') OR lost IS NULL)"
)


class Session(NamedTuple):
    """Chunks by the same settings and the same setting of the clock, of which there is at least
    one. `correction_ns` is to be added to their times."""

    id: int
    generation: str  # 16 hexadecimal digits
    source: str
    chip: str
    calibration: str
    period_ns: int
    correction_ns: int
    first_chunk_id: int
    last_chunk_id: int


class Held(NamedTuple):
    """A chunk's samples, or those of them that were asked for, by the clock as it was set last.
    `gap` is what is missing before the first one, beyond what its own flags say.

    `numbers` are the samples' sequence numbers. If the chunk can't be read, there are no records, and
    `damage` says why, on one line that names the file."""

    chunk_id: int
    numbers: range
    records: list[Record]
    gap: Gap | None = None
    damage: str = ""


class Archive:
    """One open file. Each method raises StoreError, whose message names the file."""

    def __init__(self, path: str) -> None:
        """Open the file. Raises StoreError."""
        self._path = path
        try:
            self._status = Path(path).stat()
        except OSError as error:
            raise StoreError(f"can't read {path}: {error.strerror}") from error
        # To open a pipe would wait for somebody who writes into it.
        if not stat.S_ISREG(self._status.st_mode):
            raise StoreError(f"{path} is no regular file")
        # SQLite wants to write beside a file in WAL mode, unless somebody does. Where neither is so,
        # take the file as it is: without a log, which would be overlooked.
        can_write = os.access(Path(path).parent, os.W_OK)
        self._is_immutable = not can_write and not self._has_log()
        options = "&immutable=1" if self._is_immutable else ""
        with translated(path):
            self._connection = sqlite3.connect(
                f"file:{quote(path)}?mode=ro{options}",
                uri=True,
                timeout=_BUSY_S,
                isolation_level=None,
                check_same_thread=False,
            )
        try:
            with translated(path):
                if is_new(self._connection, path):
                    raise StoreError(f"{path} is empty: nothing has been recorded")
        except StoreError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def is_current(self) -> bool:
        """Return whether the path still leads to this file, and it can be read further as it is."""
        try:
            is_same = os.path.samestat(Path(self._path).stat(), self._status)
        except OSError:
            return False
        return is_same and not (self._is_immutable and self._has_log())

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read the file as it is now, whatever is written meanwhile."""
        self.rows("BEGIN")
        try:
            yield
        finally:
            self.rows("COMMIT")

    def rows(self, statement: str, *values: object, **named: object) -> list[tuple[Any, ...]]:
        """Return all that a statement gives with these values, or these named ones."""
        with translated(self._path):
            return self._connection.execute(statement, named or values).fetchall()

    def sessions(self) -> list[Session]:
        """Return the sessions of which there are chunks, in the order of recording."""
        found = []
        for oldest, newest in self.rows(_ENDS):
            for row in self.rows(_SESSIONS):
                session = Session(*row)
                if not _GENERATION.fullmatch(session.generation):
                    raise StoreError(f"{self._path} is damaged; move the file away")
                first_id = max(session.first_chunk_id, oldest)
                last_id = (session.last_chunk_id or newest + 1) - 1
                if first_id <= last_id:
                    found.append(session._replace(first_chunk_id=first_id, last_chunk_id=last_id))
        return found

    def read(self, session: Session, first_id: int, last_id: int, samples: int) -> list[Held]:
        """Return these chunks of a session, from the first one on, until they have so many samples
        or there are no more. Damaged ones are among them: see Held."""
        found: list[Held] = []
        while samples > 0 and first_id <= last_id:
            held = self._chunk(session, first_id, last_id)
            if held is None:
                break
            found.append(held)
            samples -= len(held.numbers)
            first_id = held.chunk_id + 1
        if not found:
            return []
        gaps = {
            before: Gap(after, before, lost, reason)
            for after, before, lost, reason in self.rows(
                _FOUND, found[0].chunk_id, found[-1].chunk_id
            )
        }
        return [each._replace(gap=gaps.get(each.numbers.start)) for each in found]

    def _chunk(self, session: Session, first_id: int, last_id: int) -> Held | None:
        """Return the first of these chunks; None if there is none."""
        bounds = (first_id, last_id, session.generation)
        try:
            for chunk_id, first, count, form, data in self.rows(_WHOLE_CHUNK, *bounds):
                numbers = range(first, first + count)
                try:
                    records = self._decoded(first, count, form, data, session.correction_ns)
                except StoreError as error:
                    return Held(chunk_id, numbers, [], damage=str(error))
                return Held(chunk_id, numbers, records)
        except StoreError as error:
            # What has a bad page may be this chunk alone, or the whole file.
            for chunk_id, first, count in self.rows(_CHUNK_HEAD, *bounds):
                return Held(chunk_id, range(first, first + count), [], damage=str(error))
            raise
        return None

    def _has_log(self) -> bool:
        return Path(f"{self._path}-wal").exists()

    def _decoded(self, first: int, count: int, form: int, data: bytes, add_ns: int) -> list[Record]:
        if form != FORMAT:
            raise StoreError(
                f"{self._path}: the chunk from sample {first} on has format {form}, but this "
                f"program knows format {FORMAT}"
            )
        try:
            records = decode(data, first, count)
        except StoreError as error:
            raise StoreError(f"{self._path}: {error}") from error
        if not add_ns:
            return records
        return [record._replace(time_ns=record.time_ns + add_ns) for record in records]
