# Pure: no I/O, no clock, no waiting.
"""The tables of the file (docs/store.md describes each column), and the statements that fill them."""

from typing import Final

from trio_mpu.sample import AXES

APPLICATION_ID: Final = int.from_bytes(b"tMPU", "big")  # in the file's header: file(1) shows it
VERSION: Final = 2  # of the schema: PRAGMA user_version

_PARTS = ("min", "mean", "max")
_VALUES: Final = [f"{part}_{axis}" for axis in AXES for part in _PARTS]

TABLES: Final = (
    """CREATE TABLE sessions (
        id INTEGER PRIMARY KEY, generation TEXT NOT NULL, source TEXT NOT NULL, chip TEXT NOT NULL,
        calibration TEXT NOT NULL, period_ns INTEGER NOT NULL, boot_id TEXT NOT NULL,
        first_chunk_id INTEGER NOT NULL, boot_offset_ns INTEGER NOT NULL)""",
    """CREATE TABLE chunks (
        id INTEGER PRIMARY KEY, session_id INTEGER NOT NULL REFERENCES sessions,
        first_seq INTEGER NOT NULL, count INTEGER NOT NULL,
        first_t_ns INTEGER NOT NULL, last_t_ns INTEGER NOT NULL,
        first_time_ns INTEGER NOT NULL, last_time_ns INTEGER NOT NULL,
        format INTEGER NOT NULL, record_bytes INTEGER NOT NULL, data BLOB NOT NULL)""",
    """CREATE TABLE gaps (
        id INTEGER PRIMARY KEY, session_id INTEGER NOT NULL REFERENCES sessions,
        chunk_id INTEGER NOT NULL, after_seq INTEGER NOT NULL, before_seq INTEGER NOT NULL,
        lost INTEGER, reason TEXT NOT NULL, time_ns INTEGER NOT NULL)""",
    "CREATE INDEX gaps_by_chunk ON gaps (chunk_id)",
    f"""CREATE TABLE pyramid (
        level_s INTEGER NOT NULL, start_s INTEGER NOT NULL,
        session_id INTEGER NOT NULL REFERENCES sessions,
        count INTEGER NOT NULL, {", ".join(f"{name} REAL NOT NULL" for name in _VALUES)},
        PRIMARY KEY (level_s, start_s, session_id)) WITHOUT ROWID""",
    # The newest number of each generation: it outlives deleted chunks.
    """CREATE TABLE ends (
        generation TEXT PRIMARY KEY, last_seq INTEGER NOT NULL, chunk_id INTEGER NOT NULL)
        WITHOUT ROWID""",
    # What is to be added to a session's times, so that they are by the clock as it was set last.
    """CREATE VIEW clocks AS SELECT id AS session_id, last_value(boot_offset_ns) OVER (
        PARTITION BY boot_id ORDER BY id
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) - boot_offset_ns AS correction_ns
        FROM sessions""",
)

ADD_SESSION: Final = "INSERT INTO sessions VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)"
NEWEST_SESSION: Final = (
    "SELECT generation, source, chip, calibration, period_ns, boot_id, id, boot_offset_ns "
    "FROM sessions ORDER BY id DESC LIMIT 1"
)
ADD_CHUNK: Final = "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
ADD_GAP: Final = "INSERT INTO gaps VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)"
SET_END: Final = "INSERT OR REPLACE INTO ends VALUES (?, ?, ?)"
SETTLED: Final = "SELECT coalesce(max(chunk_id), 0) FROM ends"
# The newest chunk, too. Not as an OR of two conditions: SQLite would read the whole table for that.
UNSETTLED: Final = (
    "SELECT chunks.id, session_id, generation, first_seq, count, format, data "
    "FROM chunks JOIN sessions ON sessions.id = session_id "
    "WHERE chunks.id > min(?, (SELECT max(id) - 1 FROM chunks)) ORDER BY chunks.id"
)
# By the clock as it was set last: what was measured before that isn't older than it is.
OLDEST: Final = (
    "SELECT id, count, first_time_ns + correction_ns, length(data) FROM chunks "
    "JOIN clocks USING (session_id) ORDER BY id LIMIT ?"
)


def _merge(axis: str) -> str:
    low, mean, high = (f"{part}_{axis}" for part in _PARTS)
    return (
        f"{low} = min({low}, excluded.{low}), {high} = max({high}, excluded.{high}), "
        f"{mean} = ({mean} * count + excluded.{mean} * excluded.count) / (count + excluded.count)"
    )


ADD_WINDOW: Final = (
    f"INSERT INTO pyramid VALUES ({', '.join('?' * (4 + len(_VALUES)))}) "  # noqa: S608 - of names above
    f"ON CONFLICT DO UPDATE SET {', '.join(map(_merge, AXES))}, count = count + excluded.count"
)
