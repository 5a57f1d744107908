"""A recorder's file that a failing disk, or somebody, has changed."""

import atexit
import itertools
import sqlite3
import struct
import zlib
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from fuzz.check import FileInMemory, check_message
from tests.helpers.fakes import make_record
from trio_mpu.errors import StoreError, UsageError
from trio_mpu.sample import Flag, Gap, checked
from trio_mpu.sensors.replay.options import EVERYTHING, Bounds
from trio_mpu.sensors.replay.rows import Row, Unreadable
from trio_mpu.sensors.replay.stored import Stored
from trio_mpu.store import spans as of_archive
from trio_mpu.store.archive import Archive
from trio_mpu.store.chunk import Origin, chunks_of, decode, encode
from trio_mpu.store.database import Database

MAX_ROWS: Final = 500  # a damaged file may claim to have any number
_ORIGIN: Final = Origin("0123456789abcdef", "i2c:1", "MPU-6050", "", 10**7, "a boot")
_FILE: Final = FileInMemory(".db")
atexit.register(_FILE.close)


def seed() -> bytes:
    """Return a small file of three sessions, with a gap and a clock that was set."""
    path = _FILE.hold(b"")
    path.unlink()
    with closing(Database(str(path))) as database:
        later = [make_record(seq, flags=Flag.CLOCK_STEP * (seq == 60)) for seq in range(40, 90)]
        other = _ORIGIN._replace(generation="00000000000000aa", source="iio")
        for origin, records, gap in (
            (_ORIGIN, [make_record(seq) for seq in range(1, 31)], None),
            (_ORIGIN, later, Gap(30, 40, 9, "lapped")),
            (other, [make_record(seq) for seq in range(1, 5)], Gap(89, 1, None, "restart")),
        ):
            database.store([*chunks_of(origin, records, gap, 0)])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("VACUUM")
    return path.read_bytes()


def chunk(data: bytes) -> None:
    """A chunk is refused in one line, or has exactly the records that are asked for.

    The first eight bytes are the first number, the next two how many there are to be; then come
    records, and with an odd count what they are compressed to.
    """
    first, count = int.from_bytes(data[:8], "little"), int.from_bytes(data[8:10], "little")
    content = data[10:] if count % 2 else zlib.compress(data[10:], 1)
    try:
        records = decode(content, first, count)
    except StoreError as error:
        check_message(error)
        return
    assert [record.seq for record in records] == [*range(first, first + count)]
    assert decode(encode(records), first, count) == records


def file(data: bytes) -> None:
    """Whatever the bytes of the file, it is refused in one line, or played as far as it can be."""
    for suffix in ("-wal", "-shm", "-journal"):
        Path(f"{_FILE.path}{suffix}").unlink(missing_ok=True)
    _play(_FILE.hold(data))


_TABLES: Final = ("sessions", "chunks", "gaps", "ends")
_TEMPLATE: Final = seed()


def rows(data: bytes) -> None:
    """The same for a file whose cells have become others: 11 bytes each say which, and what."""
    path = _FILE.hold(_TEMPLATE)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = OFF")
        for place in range(0, min(len(data), 110) - 10, 11):
            _change(connection, data[place : place + 11])
    _play(path)


def _change(connection: sqlite3.Connection, how: bytes) -> None:
    table = _TABLES[how[0] % len(_TABLES)]
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    column = columns[how[1] % len(columns)]
    (raw,) = struct.unpack("<q", how[3:])
    values: tuple[object, ...] = (
        *(raw, raw % 100, raw / 3.0, f"{raw:x}", f"{raw % 2**64:016x}", how[3:], None, b"", ""),
        *(2**63 - 1, -(2**63), float("inf"), 0, -1),
    )
    value = values[how[2] % len(values)]
    statement = f"UPDATE {table} SET {column} = ? WHERE rowid % 3 = ?"  # noqa: S608 - names of ours
    if table == "ends":
        statement = statement.replace("rowid % 3", "last_seq % 3")
    with suppress(sqlite3.IntegrityError):
        connection.execute(statement, (value, how[2] // 64 % 3))


def _play(path: Path) -> None:
    for bounds in (EVERYTHING, Bounds(1_700_000_000_100_000_000, 1_700_000_000_700_000_000)):
        try:
            found = Stored(str(path), bounds)
        except (UsageError, StoreError) as error:
            check_message(error)
            continue
        for row in itertools.islice(found.rows(), MAX_ROWS):
            if isinstance(row, Row):
                checked(row.sample)
            else:
                assert isinstance(row, Unreadable)
                check_message(row)
    with suppress(StoreError), Archive(str(path)) as archive, archive.snapshot():
        everything = of_archive.everything(archive)
        held = of_archive.count(archive, everything)
        of_archive.without_gap(archive, everything)
        of_archive.newest_time_ns(archive)
        of_archive.first_time_ns(archive, everything)
        of_archive.after(archive, _ORIGIN.generation, 45)
        if 0 < held < MAX_ROWS:
            of_archive.newest(archive, everything, held // 2)
            of_archive.oldest(archive, everything, held // 2)
