# Pure: no I/O, no clock, no waiting.
"""The tables of the file (docs/store.md describes each column), and the statements that fill them."""

from typing import Final

from trio_mpu.sample import AXES

APPLICATION_ID: Final = int.from_bytes(b"tMPU", "big")  # in the file's header: file(1) shows it
VERSION: Final = 1  # of the schema: PRAGMA user_version

_PARTS = ("min", "mean", "max")
_VALUES: Final = [f"{part}_{axis}" for axis in AXES for part in _PARTS]

TABLES: Final = (
    """CREATE TABLE generations (
        id INTEGER PRIMARY KEY, generation TEXT NOT NULL, source TEXT NOT NULL, chip TEXT NOT NULL,
        calibration TEXT NOT NULL, period_ns INTEGER NOT NULL,
        UNIQUE (generation, source, chip, calibration, period_ns))""",
    """CREATE TABLE chunks (
        id INTEGER PRIMARY KEY, generation_id INTEGER NOT NULL REFERENCES generations,
        first_seq INTEGER NOT NULL, count INTEGER NOT NULL,
        first_t_ns INTEGER NOT NULL, last_t_ns INTEGER NOT NULL,
        first_time_ns INTEGER NOT NULL, last_time_ns INTEGER NOT NULL,
        offset_ns INTEGER NOT NULL, format INTEGER NOT NULL, record_bytes INTEGER NOT NULL,
        data BLOB NOT NULL)""",
    """CREATE TABLE gaps (
        id INTEGER PRIMARY KEY, generation_id INTEGER NOT NULL REFERENCES generations,
        after_seq INTEGER NOT NULL, before_seq INTEGER NOT NULL, lost INTEGER,
        reason TEXT NOT NULL, time_ns INTEGER NOT NULL)""",
    f"""CREATE TABLE pyramid (
        level_s INTEGER NOT NULL, start_s INTEGER NOT NULL,
        generation_id INTEGER NOT NULL REFERENCES generations, offset_s INTEGER NOT NULL,
        count INTEGER NOT NULL, {", ".join(f"{name} REAL NOT NULL" for name in _VALUES)},
        PRIMARY KEY (level_s, start_s, generation_id, offset_s)) WITHOUT ROWID""",
    # The newest number of each generation, and the newest offset: they outlive deleted chunks.
    """CREATE TABLE ends (
        generation TEXT PRIMARY KEY, last_seq INTEGER NOT NULL, offset_ns INTEGER NOT NULL,
        chunk_id INTEGER NOT NULL)
        WITHOUT ROWID""",
)

ADD_GENERATION: Final = "INSERT OR IGNORE INTO generations VALUES (NULL, ?, ?, ?, ?, ?)"
FIND_GENERATION: Final = (
    "SELECT id FROM generations WHERE generation = ? AND source = ? AND chip = ? "
    "AND calibration = ? AND period_ns = ?"
)
ADD_CHUNK: Final = "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
ADD_GAP: Final = "INSERT INTO gaps VALUES (NULL, ?, ?, ?, ?, ?, ?)"
SET_END: Final = "INSERT OR REPLACE INTO ends VALUES (?, ?, ?, ?)"
SETTLED: Final = "SELECT coalesce(max(chunk_id), 0) FROM ends"
NEWEST: Final = (
    "SELECT chunks.id, generation_id, generation, first_seq, count, offset_ns, format, data "
    "FROM chunks JOIN generations ON generations.id = generation_id "
    "WHERE chunks.id > ?1 OR chunks.id = (SELECT max(id) FROM chunks) ORDER BY chunks.id"
)
# By the clock as it was set last: what was measured before that isn't older than it is.
OLDEST: Final = (
    "SELECT chunks.id, count, first_t_ns + ends.offset_ns, length(data) FROM chunks "
    "JOIN generations ON generations.id = generation_id "
    "JOIN ends USING (generation) ORDER BY chunks.id LIMIT ?"
)


def _merge(axis: str) -> str:
    low, mean, high = (f"{part}_{axis}" for part in _PARTS)
    return (
        f"{low} = min({low}, excluded.{low}), {high} = max({high}, excluded.{high}), "
        f"{mean} = ({mean} * count + excluded.{mean} * excluded.count) / (count + excluded.count)"
    )


ADD_WINDOW: Final = (
    f"INSERT INTO pyramid VALUES ({', '.join('?' * (5 + len(_VALUES)))}) "  # noqa: S608 - of names above
    f"ON CONFLICT DO UPDATE SET {', '.join(map(_merge, AXES))}, count = count + excluded.count"
)
