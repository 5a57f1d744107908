"""What the ring still holds, as text: over a ring in memory."""

import contextlib
import csv
import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.helpers.fakes import GENERATION, PERIOD_NS, FakeRecords, make_app
from trio_mpu.errors import RequestError, RingError
from trio_mpu.formats import COLUMNS, SI_COLUMNS, Notation
from trio_mpu.history.asked import History
from trio_mpu.history.past import select
from trio_mpu.history.reader import PIECE_SAMPLES
from trio_mpu.history.rows import row_pieces
from trio_mpu.sample import Flag
from trio_mpu.web import history
from trio_mpu.web.app import MAX_HISTORIES, App
from trio_mpu.web.pieces import Pieces
from trio_mpu.web.request import Request


def app_of(record_source: FakeRecords) -> App:
    """Return an app whose hub follows the ring."""
    return make_app(record_source)


def ring(count: int, capacity: int = 1000) -> FakeRecords:
    """Return a ring into which so many samples were written."""
    record_source = FakeRecords(capacity)
    record_source.write(count)
    return record_source


async def text_of(
    app: App, asked: History, between: Callable[[], object] = lambda: None
) -> list[str]:
    """Return all pieces of an answer; `between` is called after each."""
    pieces = []
    selection = await select(app.past, asked, "")
    async for piece in row_pieces(app.past, asked, selection, ""):
        pieces.append(piece.decode())
        between()
    return pieces


async def rows_of(
    app: App, asked: History, between: Callable[[], object] = lambda: None
) -> list[dict[str, Any]]:
    """Return the rows of an answer in JSON."""
    answer = json.loads("".join(await text_of(app, asked, between)))
    assert answer["generation"] == f"{app.hub.origin.generation:016x}"
    rows: list[dict[str, Any]] = answer["samples"]
    return rows


def numbers(rows: list[dict[str, Any]]) -> list[int]:
    """Return the sequence numbers."""
    return [row["seq"] for row in rows]


@pytest.mark.parametrize("count", [1, 2, PIECE_SAMPLES, PIECE_SAMPLES + 1, 500])
async def test_the_json_holds_every_sample_once(count: int) -> None:
    """In order, in pieces of a bounded size."""
    app = app_of(ring(count))
    rows = await rows_of(app, History())
    assert numbers(rows) == list(range(1, count + 1))
    assert rows[-1]["id"] == f"{GENERATION:016x}-{count}"
    assert "gap" not in rows[0]
    assert len(await text_of(app, History())) == 1 + -(-count // PIECE_SAMPLES)


async def test_an_empty_ring_gives_an_empty_list() -> None:
    """And it is valid JSON."""
    assert await rows_of(app_of(ring(0)), History(seconds=10)) == []


async def test_csv_and_ndjson_hold_the_same() -> None:
    """One line each, CSV with a head."""
    app = app_of(ring(300))
    table = list(csv.DictReader(io.StringIO("".join(await text_of(app, History("csv"))))))
    assert tuple(table[0]) == COLUMNS
    lines = "".join(await text_of(app, History("ndjson"))).splitlines()
    rows = [json.loads(line) for line in lines]
    assert rows == await rows_of(app, History())
    assert [int(row["seq"]) for row in table] == numbers(rows)
    assert [float(row["ax"]) for row in table] == [row["ax"] for row in rows]


async def test_all_forms_come_in_the_notation_that_was_asked_for() -> None:
    """The header of CSV names the units."""
    app, notation = app_of(ring(3)), Notation(iso=True, si=True)
    text = "".join(await text_of(app, History("csv", notation=notation)))
    table = list(csv.DictReader(io.StringIO(text)))
    assert tuple(table[0]) == SI_COLUMNS
    rows = await rows_of(app, History(notation=notation))
    for row, held in zip(rows, app.hub.record_source.records.values(), strict=True):  # type: ignore[attr-defined]
        assert row["ax_mss"] == pytest.approx(held.ax * 9.80665, rel=1e-8)
        assert row["time"].endswith("Z")
    assert [float(row["ax_mss"]) for row in table] == [row["ax_mss"] for row in rows]
    assert [row["time"] for row in table] == [row["time"] for row in rows]


async def test_a_lapped_ring_gives_what_it_has() -> None:
    """Who did not ask for more has lost nothing, so no gap is told."""
    rows = await rows_of(app_of(ring(100, capacity=32)), History())
    assert numbers(rows) == list(range(70, 101))
    assert "gap" not in rows[0]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (History(since=(GENERATION, 90)), range(91, 101)),
        (History(since=(GENERATION, 100)), range(0)),
        (History(since=(GENERATION, 10**19)), range(0)),
        (History(since=(GENERATION, 0)), range(1, 101)),
        (History(limit=3), range(98, 101)),
        (History(limit=0), range(0)),
        (History(limit=10**8), range(1, 101)),
        (History(since=(GENERATION, 90), limit=3), range(91, 94)),
        (History(since=(GENERATION, 90), limit=0), range(0)),
        (History(seconds=0), range(100, 101)),
        (History(seconds=0.05), range(95, 101)),
        (History(seconds=0.055), range(95, 101)),
        (History(seconds=1000), range(1, 101)),
        (History(seconds=0.05, limit=2), range(99, 101)),
        (History(seconds=0.05, since=(GENERATION, 98)), range(99, 101)),
        (History(seconds=0.05, since=(GENERATION, 10)), range(95, 101)),
    ],
)
async def test_bounds_are_kept(asked: History, expected: range) -> None:
    """By number, by count, by time, and by several at once."""
    rows = await rows_of(app_of(ring(100)), asked)
    assert numbers(rows) == list(expected)
    assert all("gap" not in row for row in rows)


@pytest.mark.parametrize(
    ("capacity", "seconds"), [(2, 0), (2, 5), (3, 0.01), (10, 0.01), (50, 0.3), (99, 0.3), (99, 5)]
)
async def test_seconds_are_found_in_a_lapped_ring(capacity: int, seconds: float) -> None:
    """What is lost counts as older than everything."""
    record_source = ring(100, capacity)
    oldest = min(record_source.records) if capacity < 100 else 1
    held = [seq for seq in range(1, 101) if seq > max(oldest, 100 - capacity + 1)]
    since_ns = 100 * PERIOD_NS - round(seconds * 1e9)
    expected = [seq for seq in held if seq * PERIOD_NS >= since_ns]
    assert numbers(await rows_of(app_of(record_source), History(seconds=seconds))) == expected


async def test_what_is_missing_after_since_is_told() -> None:
    """In the first row, with its number."""
    app = app_of(ring(100, capacity=32))
    rows = await rows_of(app, History(since=(GENERATION, 10)))
    assert numbers(rows) == list(range(70, 101))
    assert rows[0]["gap"] == {"from": 10, "to": 70, "lost": 59, "reason": "lapped"}
    assert all("gap" not in row for row in rows[1:])


async def test_seconds_do_not_hide_what_is_missing_after_since() -> None:
    """It may have been from within that time."""
    app = app_of(ring(100, capacity=32))
    rows = await rows_of(app, History(since=(GENERATION, 10), seconds=1000))
    assert numbers(rows) == list(range(70, 101))
    assert rows[0]["gap"] == {"from": 10, "to": 70, "lost": 59, "reason": "lapped"}


async def test_csv_reports_what_it_missed_as_the_other_formats_do() -> None:
    """In `lost`, with what the producer noted; the flag says what nobody can count."""
    app = app_of(ring(100, capacity=32))
    text = "".join(await text_of(app, History("csv", since=(GENERATION, 10))))
    first, second, *_ = csv.DictReader(io.StringIO(text))
    assert (first["seq"], first["lost"], first["flags"]) == ("70", "59", "")
    assert second["lost"] == "0"
    text = "".join(await text_of(app, History("csv", since=(7, 1234))))
    first, second, *_ = csv.DictReader(io.StringIO(text))
    assert (first["seq"], first["lost"], first["flags"]) == ("70", "0", "restart_gap")
    assert second["flags"] == ""


async def test_numbers_that_are_gone_do_not_count_against_the_limit() -> None:
    """Who asks for ten samples after one that is gone gets the ten oldest that there are."""
    app = app_of(ring(500, capacity=256))
    rows = await rows_of(app, History(since=(GENERATION, 10), limit=10))
    assert numbers(rows) == list(range(246, 256))
    assert rows[0]["gap"] == {"from": 10, "to": 246, "lost": 235, "reason": "lapped"}
    rows = await rows_of(app, History(since=(GENERATION, 300), limit=200))
    assert numbers(rows) == list(range(301, 501))


async def test_an_answer_is_compressed_for_who_accepts_that() -> None:
    """The same bytes after decompression, and the head says so."""
    app = make_app(ring(500))
    plain, packed = [
        await history.past(Request("GET", "/history", {"format": "csv"}, headers), app).make()
        for headers in ({}, {"accept-encoding": "br;q=1.0, gzip;q=0.8"})
    ]
    assert isinstance(plain, Pieces)
    assert isinstance(packed, Pieces)
    assert ("Content-Encoding", "gzip") in packed.headers
    assert ("Content-Encoding", "gzip") not in plain.headers
    bodies = [
        b"".join([chunk.payload async for chunk in reply.generate(None)])
        for reply in (plain, packed)
    ]
    assert gzip.decompress(bodies[1]) == bodies[0]
    assert len(bodies[1]) < len(bodies[0]) / 3
    headers = dict(plain.headers)
    assert headers["Vary"] == "Accept-Encoding"
    assert headers["Ring-Generation"] == f"{GENERATION:016x}"
    newest = "2023-11-14T22-13-25Z"  # of 500 samples at 100 Hz
    name = f"trio-mpu_until-{newest}.csv"
    assert headers["Content-Disposition"] == f'attachment; filename="{name}"'
    app.close()


async def test_since_of_another_ring_gives_all_and_tells_so() -> None:
    """Nobody can know how many are missing."""
    rows = await rows_of(app_of(ring(5)), History(since=(7, 1234)))
    assert numbers(rows) == [1, 2, 3, 4, 5]
    assert rows[0]["gap"] == {"from": 1234, "to": 1, "lost": None, "reason": "restart"}
    assert "gap" not in rows[1]


async def test_what_is_measured_meanwhile_is_left_out() -> None:
    """So that an answer ends however slowly it is read."""
    record_source = ring(300)
    rows = await rows_of(app_of(record_source), History(), lambda: record_source.write(50))
    assert numbers(rows) == list(range(1, 301))


async def test_being_lapped_in_the_middle_is_told() -> None:
    """In the first row after what is missing."""
    record_source = ring(300, capacity=302)
    writes = iter([200])
    rows = await rows_of(
        app_of(record_source), History(), lambda: record_source.write(next(writes, 0))
    )
    assert numbers(rows) == [*range(1, 129), *range(200, 301)]
    assert rows[128]["gap"] == {"from": 128, "to": 200, "lost": 71, "reason": "lapped"}
    assert [row["seq"] for row in rows if "gap" in row] == [200]


async def test_being_lapped_beyond_the_end_is_told_too() -> None:
    """By one row more than was asked for: an answer that just ended would hide it."""
    record_source = ring(300, capacity=302)
    rows = await rows_of(app_of(record_source), History(), lambda: record_source.write(1000))
    assert len(rows) == 129
    seq = rows[-1]["seq"]
    assert seq > 300
    assert rows[-1]["gap"] == {"from": 128, "to": seq, "lost": seq - 129, "reason": "lapped"}


async def test_a_producers_own_gap_is_told() -> None:
    """As it stands in the record."""
    record_source = ring(2)
    record_source.write(1, flags=int(Flag.DEVICE_GAP), lost=7)
    rows = await rows_of(app_of(record_source), History())
    assert rows[2]["gap"] == {"from": 2, "to": 3, "lost": 7, "reason": "device"}


async def test_a_ring_that_is_replaced_in_the_middle_is_an_error() -> None:
    """Its samples must not be mixed with another's."""
    record_source = ring(300)
    with pytest.raises(RingError, match="gone"):
        await text_of(app_of(record_source), History(), lambda: record_source.replace(7))


@pytest.mark.parametrize("asked", [History(), History(seconds=1)])
async def test_a_damaged_ring_is_an_error(asked: History) -> None:
    """An answer that just ended would hide it."""
    record_source = ring(300)
    record_source.damaged = {PIECE_SAMPLES, 300}
    with pytest.raises(RingError, match="damaged"):
        await text_of(app_of(record_source), asked)


# -- shares of an address ------------------------------------------------------------------


async def body_of(app: App, address: str, after_first: Callable[[], object]) -> bytes:
    """Return the answer to a request of this address; `after_first` is called after its first piece."""
    reply = history.past(Request("GET", "/history", {"format": "csv"}, {}, address), app)
    pieces = await reply.make()
    assert isinstance(pieces, Pieces)
    body = b""
    async with contextlib.aclosing(pieces.generate(None)) as chunks:
        async for chunk in chunks:
            if not body:
                after_first()
            body += chunk.payload
    return body


async def test_an_address_is_sent_so_many_answers_at_a_time(autojump_clock: MockClock) -> None:
    """One more waits for its place, or gets 503 in the end; another address does not wait."""
    app = app_of(ring(3))
    begun = list[str]()
    for _ in range(MAX_HISTORIES):
        await app.histories.take("192.0.2.1")
    with pytest.raises(RequestError, match="on their way to you") as caught:
        await body_of(app, "192.0.2.1", lambda: begun.append("never"))
    assert caught.value.status == 503
    assert trio.current_time() == pytest.approx(history.PLACE_S)
    assert (app.metrics["history_waited"], app.metrics["history_refused"]) == (1, 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(body_of, app, "192.0.2.1", lambda: begun.append("waited"))
        await trio.testing.wait_all_tasks_blocked()
        assert (await body_of(app, "192.0.2.2", lambda: begun.append("other"))).count(b"\n") == 4
        assert begun == ["other"]
        app.histories.give_back("192.0.2.1")
    assert begun == ["other", "waited"]
    for _ in range(MAX_HISTORIES - 1):
        app.histories.give_back("192.0.2.1")
    assert len(app.histories) == 0
    app.close()
