"""The files of /history and /events, opened by other people's programs: over real HTTP, and a ring in
memory whose numbers are hard to read."""

import io
import json
import math
import random
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import duckdb
import numpy as np
import pandas as pd
import pytest
import requests
import trio

from tests.helpers.fakes import GENERATION, PERIOD_NS, FakeRecords, serving
from trio_mpu.formats import COLUMNS, SI_COLUMNS, SI_FACTORS, SI_NAMES, Origin
from trio_mpu.record import Record
from trio_mpu.sample import AXES, Flag

T = TypeVar("T")

COUNT: Final = 300
BOOTED_NS: Final = 2**53 + 1  # a float64 has no such t_ns: it must be read as an integer
SOURCE: Final = 'replay:a, "b"; c.csv'
DIGITS: Final = 5e-7  # relative: what seven digits of a float32 leave out


class HardRecords(FakeRecords):
    """Samples of all sizes, with flags, in a ring whose source has all that CSV must quote."""

    def __init__(self) -> None:
        super().__init__()
        source = random.Random(1)
        for seq in range(1, COUNT + 1):
            flags = Flag.SIMULATED * (seq % 2) | Flag.CLIPPED * (seq % 3 == 0)
            axes: dict[str, Any] = {
                axis: float32(source.choice((1e-7, 0.1, 100)) * source.gauss(0, 1)) for axis in AXES
            }
            self.write(flags=int(flags), t_ns=BOOTED_NS + seq * PERIOD_NS, **axes)

    @property
    def origin(self) -> Origin:
        return Origin(self.generation, SOURCE)

    @property
    def truth(self) -> list[Record]:
        """What the ring holds."""
        return list(self.records.values())


def float32(value: float) -> float:
    """The number as the ring has it."""
    [found] = struct.unpack("f", struct.pack("f", value))
    return float(found)


class Saved(NamedTuple):
    """A file that was downloaded, and what it should hold."""

    text: str
    truth: list[Record]

    def column(self, name: str) -> list[Any]:
        """A column of the truth."""
        return [getattr(record, name) for record in self.truth]

    def at(self, path: Path) -> str:
        """The file, under this path."""
        path.write_text(self.text)
        return str(path)


async def from_server(path: str, get: Callable[[str], T]) -> tuple[T, list[Record]]:
    """What `get` returns for this path of a server, called with the URL in a thread."""
    record_source = HardRecords()
    async with serving(record_source) as served:
        url = f"http://127.0.0.1:{served.port}{path}"
        return await trio.to_thread.run_sync(partial(get, url)), record_source.truth


async def saved(path: str) -> Saved:
    """A file of the history."""
    return Saved(*await from_server(path, downloaded))


def downloaded(url: str) -> str:
    """The text behind a URL."""
    return requests.get(url, timeout=5).content.decode()


def first_lines(count: int, url: str) -> str:
    """The beginning of a file that grows."""
    with requests.get(url, stream=True, timeout=5) as answer:
        lines = answer.iter_lines(chunk_size=None)
        return "".join(f"{next(lines).decode()}\n" for _ in range(count))


# -- pandas -----------------------------------------------------------------------------------------


def check(frame: pd.DataFrame, truth: list[Record]) -> None:
    """The frame has the truth, in the units of the ring, integers as integers."""
    held = pd.DataFrame(truth)
    for name in ("seq", "t_ns", "lost"):
        assert frame[name].dtype == np.int64
        assert frame[name].tolist() == held[name].tolist()
    for axis in AXES:
        assert frame[axis].dtype == np.float64
        assert frame[axis].to_numpy() == pytest.approx(held[axis].to_numpy(), rel=DIGITS)
    assert set(frame["source"]) == {SOURCE}


async def test_pandas_opens_the_address_of_the_csv() -> None:
    """Without a word about columns, separators or types; empty flags are missing values to it."""
    frame, truth = await from_server("/history?format=csv", pd.read_csv)
    assert tuple(frame.columns) == COLUMNS
    check(frame, truth)
    assert frame["time"].dtype == np.float64
    assert (frame["time"] * 1e6).round().tolist() == [record.time_ns // 1000 for record in truth]
    flags = frame["flags"].fillna("").tolist()
    assert flags[:6] == ["simulated", "", "simulated+clipped", "", "simulated", "clipped"]


async def test_to_pandas_iso_times_are_times_in_utc() -> None:
    """To the microsecond, and they can be the index: a mean for each second is one line."""
    file = await saved("/history?format=csv&iso=1")
    frame = pd.read_csv(io.StringIO(file.text), parse_dates=["time"], index_col="time")
    assert isinstance(frame.index, pd.DatetimeIndex)
    assert str(frame.index.tz) == "UTC"
    microseconds = (frame.index - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(microseconds=1)
    assert microseconds.tolist() == [time_ns // 1000 for time_ns in file.column("time_ns")]
    counts = frame["ax"].resample("1s").count()
    assert counts.tolist() == [99, 100, 100, 1]


async def test_to_pandas_si_units_have_names_of_their_own() -> None:
    """A program that expects g finds nothing."""
    file = await saved("/history?format=csv&units=si")
    frame = pd.read_csv(io.StringIO(file.text))
    assert tuple(frame.columns) == SI_COLUMNS
    for axis, name, factor in zip(AXES, SI_NAMES, SI_FACTORS, strict=True):
        expected = [value * factor for value in file.column(axis)]
        assert frame[name].tolist() == pytest.approx(expected, rel=DIGITS)


async def test_pandas_opens_ndjson() -> None:
    """Flags are lists, and t_ns keeps its last digit; ISO times become times in UTC."""
    file = await saved("/history?format=ndjson")
    frame = pd.read_json(io.StringIO(file.text), lines=True)
    check(frame, file.truth)
    assert frame["flags"].tolist()[:3] == [["simulated"], [], ["simulated", "clipped"]]
    assert frame["id"].tolist()[-1] == f"{GENERATION:016x}-{COUNT}"
    file = await saved("/history?format=ndjson&iso=1")
    times = pd.to_datetime(pd.read_json(io.StringIO(file.text), lines=True)["time"])
    assert str(times.dt.tz) == "UTC"
    microseconds = (times - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(microseconds=1)
    assert microseconds.tolist() == [time_ns // 1000 for time_ns in file.column("time_ns")]


@pytest.mark.parametrize("kind", ["csv", "ndjson"])
async def test_pandas_opens_what_a_growing_file_has_so_far(kind: str) -> None:
    """The rows of /events are those of the history."""
    path = f"/events?format={kind}&last_event_id={GENERATION:016x}-0"
    text, truth = await from_server(path, partial(first_lines, COUNT + (kind == "csv")))
    if kind == "csv":
        frame = pd.read_csv(io.StringIO(text))
        assert tuple(frame.columns) == COLUMNS
    else:
        frame = pd.read_json(io.StringIO(text), lines=True)
    check(frame, truth)


async def test_pandas_makes_a_frame_of_the_events_json() -> None:
    """json_normalize, as people do with the stream: the sample's keys become columns."""
    path = f"/events?last_event_id={GENERATION:016x}-0"
    text, truth = await from_server(path, partial(first_lines, 3 * COUNT))
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    frame = pd.json_normalize(events)
    assert frame["t_ns"].tolist() == [record.t_ns for record in truth][: len(events)]
    assert frame["sample.ax"].to_numpy() == pytest.approx(
        [record.ax for record in truth][: len(events)], rel=DIGITS
    )


# -- numpy ------------------------------------------------------------------------------------------


async def test_numpy_reads_columns_of_the_csv() -> None:
    """genfromtxt by their names; loadtxt, which knows quotes, by their places."""
    file = await saved("/history?format=csv")
    columns = range(COLUMNS.index("temp") + 1)
    table = np.genfromtxt(
        io.StringIO(file.text),
        delimiter=",",
        names=True,
        dtype=None,
        encoding="utf-8",
        usecols=columns,
    )
    assert table["t_ns"].tolist() == file.column("t_ns")
    for axis in AXES:
        assert table[axis] == pytest.approx(np.array(file.column(axis)), rel=DIGITS)
    values = np.loadtxt(
        io.StringIO(file.text), delimiter=",", quotechar='"', skiprows=1, usecols=columns
    )
    assert values.shape == (COUNT, len(columns))
    assert values[:, -1] == pytest.approx(np.array(file.column("temp")), rel=DIGITS)


# -- DuckDB -----------------------------------------------------------------------------------------


def types_of(relation: "duckdb.DuckDBPyRelation") -> dict[str, str]:
    """The types that DuckDB has found."""
    return dict(zip(relation.columns, map(str, relation.types), strict=True))


EXPECTED_TYPES: Final = {
    "seq": "BIGINT",
    "time": "DOUBLE",
    "t_ns": "BIGINT",
    **dict.fromkeys(AXES, "DOUBLE"),
    "lost": "BIGINT",
    "source": "VARCHAR",
}


FROM_CSV: Final = "CREATE TABLE history AS FROM read_csv_auto(?)"
FROM_NDJSON: Final = "CREATE TABLE history AS FROM read_json_auto(?)"
FROM_JSON: Final = (
    "CREATE TABLE history AS SELECT unnest(samples, recursive := true) FROM read_json_auto(?)"
)


@pytest.mark.parametrize("iso", ["", "&iso=1"])
@pytest.mark.parametrize(
    ("kind", "read", "more", "clipped"),
    [
        ("csv", FROM_CSV, {"flags": "VARCHAR"}, "flags LIKE '%clipped'"),
        (
            "ndjson",
            FROM_NDJSON,
            {"flags": "VARCHAR[]", "id": "VARCHAR"},
            "list_contains(flags, 'clipped')",
        ),
    ],
)
async def test_duckdb_finds_the_types_and_answers_a_query(
    kind: str, read: str, more: dict[str, str], clipped: str, iso: str, tmp_path: Path
) -> None:
    """Nanoseconds are integers, ISO times are times, and the last digit of t_ns is there."""
    file = await saved(f"/history?format={kind}{iso}")
    expected = {**EXPECTED_TYPES, **more}
    if iso:
        expected["time"] = "TIMESTAMP WITH TIME ZONE"
    with duckdb.connect() as database:
        database.execute(read, [file.at(tmp_path / f"history.{kind}")])
        assert types_of(database.table("history")) == expected
        check(database.table("history").df(), file.truth)
        second = "epoch(time)" if iso else "time"
        counted = database.table("history").aggregate(
            f"floor({second}) AS second, count(*), count(*) FILTER ({clipped})"
        )
        seconds, counts, clips = zip(*counted.order("second").fetchall(), strict=True)
    begin = file.truth[0].time_ns // 10**9
    assert (seconds, counts) == (tuple(range(begin, begin + 4)), (99, 100, 100, 1))
    assert sum(clips) == COUNT // 3


async def test_duckdb_reads_json_in_one_object(tmp_path: Path) -> None:
    """As the history is without `format`: the samples are a list to be taken apart."""
    file = await saved("/history")
    with duckdb.connect() as database:
        database.execute(FROM_JSON, [file.at(tmp_path / "history.json")])
        check(database.table("history").df(), file.truth)


# -- Klipper and Gyroflow ---------------------------------------------------------------------------


async def test_klippers_scripts_take_the_file() -> None:
    """Their look at the first line, their loadtxt, and their way to the sampling rate."""
    file = await saved("/history?format=klipper")
    assert file.text.splitlines()[0] == "#time,accel_x,accel_y,accel_z"
    data = np.loadtxt(io.StringIO(file.text), delimiter=",", comments="#")
    assert data.shape == (COUNT, 4)
    rate_hz = len(data) / (data[-1, 0] - data[0, 0])  # one period more than there is between them
    assert rate_hz == pytest.approx(1e9 / PERIOD_NS * COUNT / (COUNT - 1), rel=1e-6)
    for at, axis in enumerate(("ax", "ay", "az"), start=1):
        expected = np.array(file.column(axis)) * 9806.65
        assert data[:, at] == pytest.approx(expected, abs=1e-6, rel=1e-9)


async def test_gyroflows_own_parser_takes_the_file(tmp_path: Path) -> None:
    """It finds the format by itself, and ends with °/s, m/s² and ms."""
    parser = pytest.importorskip(
        "telemetry_parser", reason="telemetry-parser: no wheel for this Python"
    )
    file = await saved("/history?format=gcsv")
    parsed = parser.Parser(file.at(tmp_path / "history.gcsv"))
    assert (parsed.camera, parsed.model) == ("gcsv", "trio-mpu")
    readings = parsed.normalized_imu()
    begin_ns = file.truth[0].t_ns
    for reading, record in zip(readings, file.truth, strict=True):
        assert reading["timestamp_ms"] == pytest.approx((record.t_ns - begin_ns) / 1e6, abs=0.001)
        gyro, accel = (record.gx, record.gy, record.gz), (record.ax, record.ay, record.az)
        assert reading["gyro"] == pytest.approx(gyro, rel=DIGITS)
        assert reading["accl"] == pytest.approx([g * 9.80665 for g in accel], rel=DIGITS)
    assert math.isclose(readings[-1]["timestamp_ms"], (COUNT - 1) * PERIOD_NS / 1e6)
