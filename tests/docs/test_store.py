"""docs/store.md, whose code must read what the recorder writes: its own SQL and Python, run."""

import re
import sqlite3
import textwrap
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import pandas as pd
import pytest

from tests.helpers.pages import code_blocks
from tests.store.test_chunk import cut, series
from trio_mpu.record import Record
from trio_mpu.sample import AXES, Gap
from trio_mpu.store.database import Database

PAGE: Final = (Path(__file__).parents[2] / "docs/store.md").read_text("utf-8")
COUNT: Final = 7000  # 70 s, in chunks of at most 150: two windows of a minute


@pytest.fixture(autouse=True)
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Record]:
    """What `history.db` holds; it is in the working directory, as in the page."""
    monkeypatch.chdir(tmp_path)
    records = series(1, COUNT)
    with closing(Database("history.db")) as database:
        database.store(cut(records, Gap(0, 1, None, "restart")))
    return records


def samples_of_the_page() -> "list[np.ndarray[Any, np.dtype[Any]]]":
    """What the page's code calls `samples`, for each chunk."""
    [code] = code_blocks(PAGE, "python")
    [indent] = re.findall(r"^ *(?=samples = )", code, re.MULTILINE)
    assert code.splitlines()[-1].startswith(f"{indent}samples = ")  # its loop ends there
    found: list[np.ndarray[Any, np.dtype[Any]]] = []
    names: dict[str, Any] = {"found": found}
    try:
        exec(code + textwrap.indent("found.append(samples)", indent), names)  # noqa: S102 - ours
    finally:
        names["db"].close()
    return found


def test_the_pages_code_finds_every_sample(recorded: list[Record]) -> None:
    """With numpy; each field of each record, in the order of the ring."""
    chunks = samples_of_the_page()
    assert len(chunks) > 10
    table = np.concatenate(chunks)
    for name in ("seq", "t_ns", "time_ns", *AXES, "flags", "lost"):
        assert table[name].tolist() == [getattr(record, name) for record in recorded]
    assert not any(table[part].any() for part in ("qw", "qx", "qy", "qz"))


def test_pandas_and_duckdb_go_on_from_there(recorded: list[Record]) -> None:
    """A frame of the samples, and a query over it that counts each second."""
    samples = pd.DataFrame(np.concatenate(samples_of_the_page()))
    assert samples["t_ns"].dtype == np.int64
    with duckdb.connect() as database:
        database.register("samples", samples)
        seconds = database.sql(
            "SELECT time_ns // 1000000000 AS second, count(*), avg(az) FROM samples "
            "GROUP BY second ORDER BY second"
        ).fetchall()
    begin = recorded[0].time_ns // 10**9
    assert seconds == [
        (begin + at, {0: 99, 70: 1}.get(at, 100), pytest.approx(1.0)) for at in range(71)
    ]


def test_the_pages_queries_give_a_row_a_minute_and_a_row_a_chunk() -> None:
    """In pandas, as they stand in the page."""
    minutes, chunks = re.findall(r'history\.db "(SELECT.+?)"', PAGE, re.DOTALL)
    with closing(sqlite3.connect("history.db")) as db:
        frame = pd.read_sql(minutes, db, parse_dates=["datetime(start_s, 'unixepoch')"])
        times = pd.read_sql(chunks, db).iloc[:, 0].tolist()
    assert times[0] == "1970-01-01 00:00:05"
    assert times == sorted(times)
    # The wall clock is 5 s ahead of the records' first second.
    assert [str(time) for time in frame.iloc[:, 0]] == [
        "1970-01-01 00:01:00",
        "1970-01-01 00:00:00",
    ]
    assert frame["mean_az"].tolist() == [1.0, 1.0]


def test_pandas_and_duckdb_read_gaps_and_windows() -> None:
    """A gap of unknown size is a missing number, and the windows hold each sample once."""
    with closing(sqlite3.connect("history.db")) as db:
        gaps = pd.read_sql("SELECT * FROM gaps", db)
        pyramid = pd.read_sql("SELECT * FROM pyramid", db)
    assert gaps["reason"].tolist() == ["restart"]
    assert gaps["lost"].isna().all()
    with duckdb.connect() as database:
        database.register("pyramid", pyramid)
        totals = database.sql(
            'SELECT level_s, sum("count")::BIGINT, min(min_ax), max(max_ax) FROM pyramid '
            "GROUP BY level_s ORDER BY level_s"
        ).fetchall()
    assert totals == [(level_s, COUNT, 0, 15) for level_s in (1, 60, 3600)]
