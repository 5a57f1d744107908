"""The file of `benchmarks/month.py` against one that the recorder's own code writes."""

import sqlite3
from contextlib import closing
from itertools import groupby
from pathlib import Path

import pytest

from benchmarks.month import make, script
from tests.helpers.fakes import make_record
from tests.helpers.stored import stored
from trio_mpu.formats import gap_of
from trio_mpu.record import Record
from trio_mpu.store.chunk import Chunk, chunks_of
from trio_mpu.store.database import Database
from trio_mpu.store.keep import Keep

DAYS = 0.002  # 24 samples from gap to gap
COLUMNS = (  # of the chunks: their bytes are compressed differently
    "id, session_id, first_seq, count, first_t_ns, last_t_ns, first_time_ns, last_time_ns, format, "
    "record_bytes"
)
ORDERED = (
    "SELECT * FROM sessions ORDER BY id",
    f"SELECT {COLUMNS} FROM chunks ORDER BY id",  # noqa: S608 - of names above
    "SELECT * FROM gaps ORDER BY id",
    "SELECT * FROM ends ORDER BY generation",
    "SELECT * FROM clocks ORDER BY session_id",
)
PYRAMID = "SELECT * FROM pyramid ORDER BY level_s, start_s, session_id"


def test_its_rows_are_those_that_the_recorder_writes(tmp_path: Path) -> None:
    """From the same records; the means up to rounding."""
    made, written = tmp_path / "made.db", tmp_path / "written.db"
    make(str(made), DAYS, level=1)
    with stored(made) as file:
        assert file.integrity() == "ok"
        records = [record for _, record in file.records()]
    with closing(Database(str(written))) as database:
        for chunk in again(records):
            database.store([chunk])
            database.prune(Keep())  # settles: adds the windows
    with closing(sqlite3.connect(made)) as one, closing(sqlite3.connect(written)) as other:
        for statement in ORDERED:
            assert one.execute(statement).fetchall() == other.execute(statement).fetchall()
        for mine, its in zip(one.execute(PYRAMID), other.execute(PYRAMID), strict=True):
            assert mine == pytest.approx(its, rel=1e-9, abs=1e-9)


def test_it_has_what_a_long_file_has() -> None:
    """Starts, settings, a clock that was set, and gaps of each reason."""
    blocks = [*script(DAYS, 10**18)]
    assert blocks[-1].session_id == 62
    reasons = [block.gap.reason for block in blocks if block.gap is not None]
    counts = {reason: len([*group]) for reason, group in groupby(sorted(reasons))}
    assert counts == {"device": 540, "lapped": 60, "restart": 59, "store": 60}


def test_a_recorder_goes_on_with_it(tmp_path: Path) -> None:
    """Its end is known, and the next chunk comes after it."""
    file = str(tmp_path / "made.db")
    make(file, DAYS, level=1)
    *_, last = script(DAYS, 0)
    end = last.first + last.samples - 1
    with closing(Database(file)) as database:
        assert database.ends[last.origin.generation] == end
        record = make_record(end + 1)
        database.store([*chunks_of(last.origin, [record], None, 0)])
        assert database.ends[last.origin.generation] == end + 1


def again(records: list[Record]) -> "list[Chunk]":
    """The same chunks, by the recorder's code. What was not in the records is from the script."""
    chunks, place = list[Chunk](), 0
    for block in script(DAYS, 0):
        piece = records[place : place + block.samples]
        place += block.samples
        noted = gap_of(piece[0])
        gap = None if noted is not None else block.gap
        [chunk] = chunks_of(block.origin, piece, gap, 0)
        assert noted is None or noted == block.gap
        chunks.append(chunk)
    return chunks
