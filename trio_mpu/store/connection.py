"""SQLite's errors as our own, and whether a file is one of ours."""

import contextlib
import sqlite3
from collections.abc import Iterator

from trio_mpu.errors import StoreError
from trio_mpu.store import schema


@contextlib.contextmanager
def translated(path: str, *, writing: bool = False) -> Iterator[None]:
    """Raise StoreError, which names the file, for each of SQLite's errors."""
    try:
        yield
    except (OverflowError, UnicodeDecodeError) as error:
        # A number that was calculated from one in the file, and is beyond SQLite's. Or a message of
        # SQLite that quotes the file's own statements, in which a byte has become another.
        raise StoreError(f"{path} is damaged; move the file away") from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_NOTADB:
            raise StoreError(f"{path} is no SQLite file; choose another one") from error
        if code == sqlite3.SQLITE_CORRUPT:
            raise StoreError(f"{path} is damaged; move the file away") from error
        raise StoreError(
            f"can't write {path}: {error}" if writing else f"can't read {path}: {error}"
        ) from error


def number(connection: sqlite3.Connection, statement: str, *values: object) -> int:
    """Return the one number that a statement gives."""
    found: int = connection.execute(statement, values).fetchone()[0]
    return found


def is_new(connection: sqlite3.Connection, path: str) -> bool:
    """Return whether the file is still empty. Raises StoreError if it is another program's, or of
    another version."""
    application = number(connection, "PRAGMA application_id")
    if not application and not number(connection, "SELECT count(*) FROM sqlite_master"):
        return True
    if application != schema.APPLICATION_ID:
        raise StoreError(f"{path} is a database of another program; choose another file")
    if (version := number(connection, "PRAGMA user_version")) != schema.VERSION:
        raise StoreError(
            f"{path} has version {version} of the tables, but this program knows version "
            f"{schema.VERSION}; choose another file"
        )
    return False
