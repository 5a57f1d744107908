"""Files for programs that know no gaps: over a ring in memory."""

import math
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.helpers.fakes import GENERATION, PERIOD_NS, FakeRecords, make_app, serving
from trio_mpu.errors import RequestError, RingError
from trio_mpu.history.reader import PIECE_SAMPLES
from trio_mpu.sample import Flag
from trio_mpu.web import history
from trio_mpu.web.app import App
from trio_mpu.web.pieces import Pieces
from trio_mpu.web.request import Request

FIRST_LINE = "#time,accel_x,accel_y,accel_z"


async def reply_of(app: App, **query: str) -> Pieces:
    """The answer to a request for a file of Klipper's."""
    reply = history.past(Request("GET", "/history", {"format": "klipper", **query}), app)
    made = await reply.make()
    assert isinstance(made, Pieces)
    return made


def left_out_of(reply: Pieces) -> str:
    """How many samples the head says are left out."""
    return dict(reply.headers)["Samples-Left-Out"]


async def file_of(reply: Pieces) -> str:
    """The file."""
    return b"".join([chunk.payload async for chunk in reply.generate(None)]).decode()


async def exported(record_source: FakeRecords, **query: str) -> tuple[range, int]:
    """Which samples the file has, and how many the head says are left out."""
    app = make_app(record_source)
    reply = await reply_of(app, **query)
    left_out = int(left_out_of(reply))
    first_line, *rows = (await file_of(reply)).splitlines()
    app.close()
    assert first_line == FIRST_LINE
    seqs = [round(float(row.split(",")[0]) * 1e9 / PERIOD_NS) for row in rows]
    assert seqs == list(range(seqs[0], seqs[-1] + 1))
    return range(seqs[0], seqs[-1] + 1), left_out


def ring(*counts: int, capacity: int = 2000, **gap: Any) -> FakeRecords:  # noqa: ANN401
    """A ring with so many samples before, between and after gaps."""
    record_source = FakeRecords(capacity)
    for number, count in enumerate(counts):
        changes = (gap or {"flags": int(Flag.DEVICE_GAP), "lost": 7}) if number else {}
        record_source.write(min(count, 1), **changes)
        record_source.write(count - 1)
    return record_source


async def test_the_rows_are_what_the_ring_holds_in_klippers_units() -> None:
    """Seconds and mm/s² with six decimals; the rate from the file's ends is the sensor's."""
    record_source = ring(300)
    app = make_app(record_source)
    reply = await reply_of(app)
    assert left_out_of(reply) == "0"
    first_line, *rows = (await file_of(reply)).splitlines()
    app.close()
    assert first_line == FIRST_LINE
    held = list(record_source.records.values())
    assert rows == [
        f"{record.t_ns / 1e9:.6f},{record.ax * 9806.65:.6f},{record.ay * 9806.65:.6f},"
        f"{record.az * 9806.65:.6f}"
        for record in held
    ]
    times = [float(row.split(",")[0]) for row in rows]
    rate = (len(rows) - 1) / (times[-1] - times[0])
    assert rate == pytest.approx(1e9 / PERIOD_NS, rel=1e-6)
    assert all(b > a for a, b in pairwise(times))
    assert dict(reply.headers)["Content-Disposition"].endswith('.csv"')


async def test_gyroflows_file_has_the_rings_values_by_its_own_scales() -> None:
    """Read as Gyroflow reads it: lines of two columns, then those after the names."""
    record_source = ring(3, 300)
    app = make_app(record_source)
    reply = await reply_of(app, format="gcsv")
    assert left_out_of(reply) == "3"
    lines = [line.split(",") for line in (await file_of(reply)).splitlines()]
    app.close()
    assert lines[0] == ["GYROFLOW IMU LOG"]
    names = lines.index(["t", "gx", "gy", "gz", "ax", "ay", "az"])
    head = dict(lines[1:names])
    assert (head["version"], head["id"], head["orientation"]) == ("1.3", "trio-mpu", "XYZ")
    held = list(record_source.records.values())[3:]
    assert int(head["timestamp"]) == held[0].time_ns // 10**9
    assert len(",".join(map(",".join, lines[: names + 1]))) < 500
    t, g, a = (float(head[name]) for name in ("tscale", "gscale", "ascale"))
    scales = (t, g, g, g, a, a, a)
    for row, record in zip(lines[names + 1 :], held, strict=True):
        found = [float(cell) * scale for cell, scale in zip(row, scales, strict=True)]
        rates = [math.radians(rate) for rate in (record.gx, record.gy, record.gz)]
        seconds = (record.t_ns - held[0].t_ns) / 1e9
        expected = [seconds, *rates, record.ax, record.ay, record.az]
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert lines[names + 1][0] == "0"
    assert dict(reply.headers)["Content-Disposition"].endswith('.gcsv"')


@pytest.mark.parametrize("newest", [2, PIECE_SAMPLES - 1, PIECE_SAMPLES, PIECE_SAMPLES + 1, 400])
@pytest.mark.parametrize("flag", [Flag.DEVICE_GAP, Flag.RESTART_GAP])
async def test_only_what_comes_after_the_newest_gap_is_given(newest: int, flag: Flag) -> None:
    """Even if nobody counted what is missing; the head says how much is left out."""
    found = await exported(ring(10, 300, newest, flags=int(flag), lost=0))
    assert found == (range(311, 311 + newest), 310)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"limit": "3"}, (range(598, 601), 0)),
        ({"limit": "450"}, (range(301, 601), 150)),
        ({"seconds": "0.05"}, (range(595, 601), 0)),
        ({"since": f"{GENERATION:016x}-100"}, (range(301, 601), 200)),
        ({"since": f"{GENERATION:016x}-100", "limit": "200"}, (range(101, 301), 0)),
        ({"since": f"{GENERATION:016x}-100", "limit": "210"}, (range(301, 311), 200)),
        ({"since": f"{7:016x}-100"}, (range(301, 601), 300)),
    ],
)
async def test_the_stretch_is_within_what_was_asked_for(
    query: dict[str, str], expected: tuple[range, int]
) -> None:
    """An older stretch is given if what was asked for ends before the gap."""
    assert await exported(ring(300, 300), **query) == expected


async def test_what_the_ring_has_lost_is_no_part_of_it() -> None:
    """Neither given nor counted; a limit counts from the oldest that there is."""
    assert await exported(ring(600, capacity=256)) == (range(346, 601), 0)
    since = f"{GENERATION:016x}-5"
    found = await exported(ring(600, capacity=256), since=since, limit="10")
    assert found == (range(346, 356), 0)


@pytest.mark.parametrize(
    ("counts", "query"),
    [
        ((300, 1), {}),
        ((1,), {}),
        ((300,), {"limit": "1"}),
        ((300,), {"limit": "0"}),
        ((300,), {"since": f"{GENERATION:016x}-300"}),
    ],
)
async def test_a_stretch_without_a_rate_is_refused(
    counts: tuple[int, ...], query: dict[str, str]
) -> None:
    """In one line."""
    app = make_app(ring(*counts))
    with pytest.raises(RequestError, match="it needs 2 samples without a gap") as caught:
        await reply_of(app, **query)
    assert caught.value.status == 409
    assert "\n" not in str(caught.value)
    app.close()


@pytest.mark.parametrize("query", [{"iso": "1"}, {"units": "si"}])
async def test_other_notations_are_refused(query: dict[str, str]) -> None:
    """The file's units are those that its readers expect."""
    app = make_app(ring(3))
    with pytest.raises(RequestError, match="has its own times, units and rows"):
        await reply_of(app, **query)
    app.close()


async def test_what_the_ring_loses_before_the_first_row_is_left_out() -> None:
    """There is no gap before a first row."""
    record_source = ring(600, capacity=602)
    app = make_app(record_source)
    reply = await reply_of(app)
    record_source.write(100)
    rows = (await file_of(reply)).splitlines()[1:]
    assert len(rows) == 600 - 99
    app.close()


@pytest.mark.parametrize("written", [300, 10_000])
async def test_an_answer_that_would_have_a_gap_breaks_off(written: int) -> None:
    """A slow client must not take it for a whole file."""
    record_source = ring(600, capacity=602)
    app = make_app(record_source)
    reply = await reply_of(app)
    pieces = reply.generate(None)
    await anext(pieces)
    record_source.write(written)
    with pytest.raises(RingError, match="overwritten"):
        await anext(pieces)
    app.close()


@pytest.mark.parametrize("is_replaced", [False, True])
async def test_what_is_lost_at_the_start_is_an_error(is_replaced: bool) -> None:
    """All that was found is gone, or the ring is, and another has the same numbers."""
    record_source = ring(600, capacity=602)
    app = make_app(record_source)
    reply = await reply_of(app)
    if is_replaced:
        record_source.replace(7)
        app.hub.begin(record_source.origin, record_source.write(600).records)
    else:
        record_source.write(10_000)
    with pytest.raises(RingError):
        await file_of(reply)
    app.close()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_head_says_what_is_left_out(method: str) -> None:
    """Over a real connection, to HEAD too; a refusal leaves the connection open."""
    async with serving(ring(300, 200)) as served, served.connect() as client:
        answer = await client.get("/history?format=klipper", method=method)
        assert (answer.status, answer.headers["samples-left-out"]) == (200, "300")
        answer = await client.get("/history?format=klipper&limit=1", method=method)
        assert answer.status == 409
        served.record_source.trouble = RingError("a process holds it")
        answer = await client.get("/history?format=klipper", method=method)
        assert answer.status == 503


async def test_the_ring_is_read_in_turn_from_the_first_read_on() -> None:
    """Also to find the first sample, which may take twenty reads."""
    record_source = ring(300)
    app = make_app(record_source)
    before = record_source.reads
    async with trio.open_nursery() as nursery, app.hub.turns.slice("192.0.2.7"):
        nursery.start_soon(partial(reply_of, app, seconds="1"))
        await wait_all_tasks_blocked()
        assert record_source.reads == before
    assert record_source.reads > before
    app.close()
