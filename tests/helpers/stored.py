"""What is in a recorder's file, for tests."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from trio_mpu.record import Record
from trio_mpu.store.chunk import decode


class StoredGap(NamedTuple):
    """A row of the table of gaps."""

    generation: str
    after: int
    before: int
    lost: int | None
    reason: str


class Window(NamedTuple):
    """The samples of one window of the pyramid, over all generations, and what they reach."""

    samples: int
    low_ax: float
    high_ax: float


@contextlib.contextmanager
def stored(file: Path) -> Iterator["Stored"]:
    """The file, opened as any program opens it."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        yield Stored(connection)


class Stored:
    """Reads one file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def integrity(self) -> str:
        """What SQLite itself finds: "ok", or what is wrong."""
        try:
            found = self._connection.execute("PRAGMA integrity_check").fetchall()
        except sqlite3.DatabaseError as error:
            return str(error)
        return "; ".join(row[0] for row in found)

    def records(self) -> Iterator[tuple[str, Record]]:
        """Yield each record with its ring's generation, in the file's order."""
        chunks = self._connection.execute(
            "SELECT generation, first_seq, count, data FROM chunks "
            "JOIN sessions ON sessions.id = session_id ORDER BY chunks.id"
        )
        for generation, first, count, data in chunks:
            for record in decode(data, first, count):
                yield generation, record

    def gaps(self) -> list[StoredGap]:
        """Return all gaps."""
        gaps = self._connection.execute(
            "SELECT generation, after_seq, before_seq, lost, reason FROM gaps "
            "JOIN sessions ON sessions.id = session_id ORDER BY gaps.id"
        )
        return [StoredGap(*row) for row in gaps]

    def windows(self) -> dict[tuple[int, int], Window]:
        """Return the pyramid by level and beginning, in seconds."""
        windows = self._connection.execute(
            "SELECT level_s, start_s, sum(count), min(min_ax), max(max_ax) FROM pyramid "
            "GROUP BY level_s, start_s"
        )
        return {(level_s, start_s): Window(*rest) for level_s, start_s, *rest in windows}
