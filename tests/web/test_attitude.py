"""`attitude=1` on every path, over a ring in memory."""

import csv
import io
import json
from itertools import count
from typing import Any

import pytest

from tests.helpers.fakes import GENERATION, FakeRecords, make_app
from tests.helpers.replies import text_of
from trio_mpu.attitude import attitude_of
from trio_mpu.errors import RequestError
from trio_mpu.formats import COLUMNS, STANDARD_GRAVITY, Notation
from trio_mpu.web.app import App
from trio_mpu.web.request import Request
from trio_mpu.web.request_cache import RequestCache

NONE = dict.fromkeys(("qw", "qx", "qy", "qz"), 0.0)
FROM_THE_BEGINNING = f"{GENERATION:016x}-0"


@pytest.fixture
def app() -> App:
    """A server with 30 samples in its ring; the last 20 have an attitude, each another one."""
    records = FakeRecords()
    records.write(10)
    for number in range(20):
        half = (1 - (number / 40) ** 2) ** 0.5
        records.write(1, qw=half, qx=number / 40, qy=0.0, qz=0.0, ax=0.25)
    return make_app(records)


def data_of(text: str) -> list[dict[str, Any]]:
    """The objects of a stream."""
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


def expected(app: App, seq: int, factor: float = 1.0, suffix: str = "") -> dict[str, Any]:
    """What a record's object should have, from the record itself."""
    found = attitude_of(app.hub.record_source.records[seq])  # type: ignore[attr-defined]
    assert found is not None
    axes = (f"ax{suffix}", f"ay{suffix}", f"az{suffix}")
    linear = (value * factor for value in found.linear)
    return {
        "q": pytest.approx(found.q, rel=1e-6),
        "roll": pytest.approx(found.roll, abs=1e-4),
        "pitch": pytest.approx(found.pitch, abs=1e-4),
        "yaw": pytest.approx(found.yaw, abs=1e-4),
        "linear": pytest.approx(dict(zip(axes, linear, strict=True)), abs=1e-5),
    }


async def test_the_newest_sample_has_its_attitude(app: App) -> None:
    """Only if it is asked for; in SI units the acceleration has other names."""
    plain = json.loads(await text_of(app, "/json", {}))
    assert "attitude" not in plain
    found = json.loads(await text_of(app, "/json", {"attitude": "1"}))
    assert found == plain | {"attitude": expected(app, 30)}
    si = json.loads(await text_of(app, "/json", {"attitude": "1", "units": "si"}))
    assert si["attitude"] == expected(app, 30, STANDARD_GRAVITY, "_mss")


async def test_without_an_attitude_there_is_no_key(app: App) -> None:
    """Nor a row of zeros that looks like one."""
    query = {"attitude": "1", "format": "ndjson", "limit": "11", "since": FROM_THE_BEGINNING}
    rows = [json.loads(row) for row in (await text_of(app, "/history", query)).splitlines()]
    assert ["attitude" in row for row in rows] == [False] * 10 + [True]


async def test_the_stream_has_the_attitude_of_each_sample(app: App) -> None:
    """Beside all that it has without."""
    query = {"last_event_id": f"{GENERATION:016x}-10"}
    plain = data_of(await text_of(app, "/events", query, 3 * 20))
    found = data_of(await text_of(app, "/events", query | {"attitude": "1"}, 3 * 20))
    assert found == [
        sample | {"attitude": expected(app, seq)} for seq, sample in zip(count(11), plain)
    ]
    assert len(found) == 20


async def test_a_window_has_the_attitude_of_its_newest_sample(app: App) -> None:
    """Angles have no mean; the acceleration without gravity is of the same instant."""
    query = {"last_event_id": FROM_THE_BEGINNING, "rate": "10", "attitude": "1"}
    found = data_of(await text_of(app, "/events", query, 6))
    assert [event["seq"] for event in found][:2] == [9, 19]
    assert "attitude" not in found[0]
    assert found[1]["attitude"] == expected(app, 19)


@pytest.mark.parametrize("kind", ["csv", "ndjson"])
@pytest.mark.parametrize("units", [{}, {"units": "si"}])
async def test_the_rows_of_the_stream_are_those_of_the_history(
    app: App, kind: str, units: dict[str, str]
) -> None:
    """Byte for byte."""
    query = {"format": kind, "attitude": "1", **units}
    rows = await text_of(app, "/history", query | {"since": FROM_THE_BEGINNING})
    lines = rows.count("\n")
    assert rows == await text_of(
        app, "/events", query | {"last_event_id": FROM_THE_BEGINNING}, lines
    )


@pytest.mark.parametrize("si", [False, True])
async def test_csv_has_ten_more_columns(app: App, si: bool) -> None:
    """Empty where there is no attitude; the units stay the last one."""
    units = {"units": "si"} if si else {}
    query = {"format": "csv", "since": FROM_THE_BEGINNING, **units}
    plain = list(csv.reader(io.StringIO(await text_of(app, "/history", query))))
    table = list(csv.reader(io.StringIO(await text_of(app, "/history", query | {"attitude": "1"}))))
    first, end = len(COLUMNS), len(COLUMNS) + 10
    assert [row[:first] + row[end:] for row in table] == plain
    assert tuple(table[0]) == Notation(si=si, attitude=True).columns
    assert {cell for row in table[1:11] for cell in row[first:end]} == {""}
    factor, suffix = (STANDARD_GRAVITY, "_mss") if si else (1.0, "")
    for seq, row in enumerate(table[11:], start=11):
        numbers = [float(cell) for cell in row[first:end]]
        want = expected(app, seq, factor, suffix)
        assert numbers[:4] == want["q"]
        assert numbers[4:7] == [want["roll"], want["pitch"], want["yaw"]]
        names = dict(zip(want["linear"].expected, numbers[7:], strict=True))
        assert names == want["linear"]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"points": "9"}, "points are of many samples, which have no attitude in common"),
        (
            {"format": "klipper"},
            "format=klipper has its own times, units and rows, without attitude",
        ),
        ({"format": "gcsv"}, "format=gcsv has its own times, units and rows, without attitude"),
        ({"format": "mcap"}, "format=mcap has the attitude anyway, without attitude=1"),
        ({"attitude": "yes"}, "attitude is 0 or 1"),
    ],
)
async def test_where_there_is_no_place_for_it_the_reason_says_so(
    app: App, query: dict[str, str], reason: str
) -> None:
    """400, as for other notations."""
    with pytest.raises(RequestError, match=reason) as refused:
        await text_of(app, "/history", {"attitude": "1"} | query)
    assert refused.value.status == 400


async def test_by_default_not_a_byte_changes(app: App) -> None:
    """On each path and in each format, the bytes are those of samples that have no attitude."""

    async def texts() -> list[str]:
        return [
            await text_of(app, "/json", {}),
            await text_of(app, "/events", {"last_event_id": FROM_THE_BEGINNING}, 90),
            await text_of(app, "/events", {"last_event_id": FROM_THE_BEGINNING, "rate": "10"}, 6),
            *[
                await text_of(app, "/history", {"format": kind, "since": FROM_THE_BEGINNING} | more)
                for kind in ("json", "csv", "ndjson")
                for more in ({}, {"units": "si", "iso": "1"}, {"attitude": "0"})
            ],
        ]

    with_attitude = await texts()
    records = app.hub.record_source.records  # type: ignore[attr-defined]
    for seq, record in records.items():
        records[seq] = record._replace(**NONE)
    app.hub.snapshot = app.hub.snapshot._replace(record=records[30])
    assert await texts() == with_attitude
    assert len("".join(with_attitude)) > 30_000


def test_requests_with_and_without_it_are_known_apart() -> None:
    """By their bytes, as all requests are."""
    cache = RequestCache()
    for number, query in enumerate(({}, {"attitude": "1"})):
        cache.learn(b"GET %d" % number, Request("GET", "/json", query))
    known = cache.find(b"GET 1")
    assert known is not None
    assert known.request.query == {"attitude": "1"}
