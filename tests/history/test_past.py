"""Ring and store as one: over a ring in memory and a real file, held to a list of all samples."""

import contextlib
import errno
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.fakes import GENERATION, PERIOD_NS, FakeRecords, make_app, make_record, serving
from trio_mpu.errors import RequestError, StoreError
from trio_mpu.formats import event_id
from trio_mpu.history.asked import History
from trio_mpu.history.past import select
from trio_mpu.history.rows import row_pieces
from trio_mpu.history.stored import Stored
from trio_mpu.iso_time import moment
from trio_mpu.sample import Flag, Gap
from trio_mpu.store.chunk import Origin, chunks_of
from trio_mpu.store.database import Database
from trio_mpu.web import history, spools
from trio_mpu.web.app import App
from trio_mpu.web.history_query import history_of
from trio_mpu.web.pieces import Pieces
from trio_mpu.web.request import Request

EARLIER = GENERATION - 1
ORIGIN = Origin(f"{GENERATION:016x}", "fake", "chip", "cal", PERIOD_NS, "boot")
RESTART = Gap(0, 1, None, "restart")


def samples(first: int, count: int, *, later_s: int = 0) -> list[Any]:
    """Records at a constant rate; those of an earlier ring are earlier."""
    return [
        make_record(seq)._replace(
            t_ns=seq * PERIOD_NS, time_ns=(1_000_000 + later_s) * 10**9 + seq * PERIOD_NS
        )
        for seq in range(first, first + count)
    ]


class World(NamedTuple):
    """A server with a ring and a file, and the ids of all samples that either has."""

    app: App
    ring: FakeRecords
    database: Database
    ids: list[tuple[int, int]]


@contextlib.contextmanager
def world(
    path: Path, *, stored: int = 700, written: int = 1000, capacity: int = 250
) -> Iterator[World]:
    """An earlier ring's 300 samples, without 101 to 150; then the ring's, of which the file has the
    first `stored`. The ring holds the newest `capacity`."""
    ring = FakeRecords(capacity)
    for record in samples(1, written, later_s=1000):
        ring.head += 1
        ring.records[record.seq] = record
        ring.records.pop(record.seq - capacity, None)
    with contextlib.closing(Database(str(path))) as database:
        earlier = ORIGIN._replace(generation=f"{EARLIER:016x}")
        database.store([*chunks_of(earlier, samples(1, 100), None, 0)])
        database.store([*chunks_of(earlier, samples(151, 150), Gap(100, 151, 50, "lapped"), 0)])
        database.store([*chunks_of(ORIGIN, samples(1, stored, later_s=1000), RESTART, 0)])
        app = make_app(ring)
        app.past.stored = Stored(str(path), app.metrics)
        held = min(ring.records) + 1 if written > capacity else 1
        ids = [
            *((EARLIER, seq) for seq in (*range(1, 101), *range(151, 301))),
            *((GENERATION, seq) for seq in range(1, written + 1) if seq <= stored or seq >= held),
        ]
        yield World(app, ring, database, ids)
        app.close()


async def rows_of(
    app: App, asked: History, between: Callable[[], object] = lambda: None
) -> list[dict[str, Any]]:
    """The rows of an answer; `between` is called after each piece."""
    text = b""
    selection = await select(app.past, asked, "")
    async for piece in row_pieces(app.past, asked, selection, ""):
        text += piece
        between()
    rows: list[dict[str, Any]] = json.loads(text)["samples"]
    return rows


def ids_of(rows: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Their ids, taken apart."""
    return [(int(row["id"].split("-")[0], 16), row["seq"]) for row in rows]


def time_of(sample: tuple[int, int]) -> int:
    """When it was measured, in nanoseconds since 1970."""
    generation, seq = sample
    return (1_000_000 + (1000 if generation == GENERATION else 0)) * 10**9 + seq * PERIOD_NS


SEAM = {"from": 300, "to": 1, "lost": None, "reason": "restart"}
LAPPED = {"from": 100, "to": 151, "lost": 50, "reason": "lapped"}


async def test_all_that_there_is_comes_once_and_in_order(tmp_path: Path) -> None:
    """With the gaps between rings, within the file, and between file and ring."""
    with world(tmp_path / "h.db") as it:
        rows = await rows_of(it.app, History(from_ns=0))
    assert ids_of(rows) == it.ids
    assert [(row["seq"], row["gap"]) for row in rows if "gap" in row] == [
        (151, LAPPED),
        (1, SEAM),
        (752, {"from": 700, "to": 752, "lost": 51, "reason": "lapped"}),
    ]


async def test_the_seam_between_file_and_ring_is_no_gap(tmp_path: Path) -> None:
    """Where both have the same samples, each comes once."""
    with world(tmp_path / "h.db", stored=900) as it:
        rows = await rows_of(it.app, History(from_ns=0))
    assert ids_of(rows) == it.ids
    assert [row["gap"] for row in rows if "gap" in row] == [LAPPED, SEAM]


async def test_what_the_ring_has_is_not_read_from_the_file(tmp_path: Path) -> None:
    """A request for the last seconds needs no disk; without bounds it is what the ring holds."""
    with world(tmp_path / "h.db") as it:
        it.app.past.stored = Stored(str(tmp_path / "none.db"), it.app.metrics)
        for asked in (
            History(),
            History(seconds=1),
            History(limit=9),
            History(from_ns=time_of((GENERATION, 800))),
        ):
            rows = await rows_of(it.app, asked)
            assert ids_of(rows) == it.ids[-len(rows) :]
        with pytest.raises(StoreError, match=r"can't read .*none\.db: No such file"):
            await rows_of(it.app, History(seconds=5))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for many examples."""
    return tmp_path_factory.mktemp("past")


bounds = st.none() | st.integers(-5, 1500).map(
    lambda n: 1_000_000 * 10**9 + n * PERIOD_NS if n < 400 else time_of((GENERATION, n - 450))
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(
    stored=st.sampled_from([700, 751, 752, 900, 1000]),
    from_ns=bounds,
    to_ns=bounds,
    seconds=st.none() | st.sampled_from([0.0, 0.4, 2.51, 5.0, 999.0, 1003.5, 10.0**6]),
    limit=st.none() | st.sampled_from([0, 1, 200, 248, 249, 250, 600, 950, 10_000]),
    since=st.none() | st.tuples(st.sampled_from([EARLIER, GENERATION]), st.integers(0, 1100)),
)
def test_any_request_gives_what_a_list_of_all_would(
    file: Path,
    stored: int,
    from_ns: int | None,
    to_ns: int | None,
    seconds: float | None,
    limit: int | None,
    since: tuple[int, int] | None,
) -> None:
    """Each bound alone and with others."""
    if from_ns is not None:
        seconds = None
    asked = History("json", since, from_ns, to_ns, seconds, limit)
    with world(file / f"{stored}.db", stored=stored) as it:
        expected = (
            it.ids if not asked.is_unbounded else [id_ for id_ in it.ids if id_ > (GENERATION, 751)]
        )
        if since is not None:
            expected = [each for each in expected if each > since]
        begin_ns = from_ns
        if seconds is not None:
            end_ns = to_ns if to_ns is not None else time_of(it.ids[-1])
            begin_ns = end_ns - round(seconds * 1e9)
        expected = [
            each
            for each in expected
            if (begin_ns is None or time_of(each) >= begin_ns)
            and (to_ns is None or time_of(each) < to_ns)
        ]
        if limit is not None:
            expected = (
                expected[:limit]
                if asked.oldest_first
                else expected[max(0, len(expected) - limit) :]
            )
        assert ids_of(trio.run(rows_of, it.app, asked)) == expected


async def test_what_is_missing_after_since_is_told(tmp_path: Path) -> None:
    """Also where since is in a gap, or the last sample of its ring."""
    with world(tmp_path / "h.db") as it:
        for since, gap in [
            ((EARLIER, 300), SEAM),
            ((EARLIER, 120), {"from": 120, "to": 151, "lost": 30, "reason": "lapped"}),
            ((EARLIER, 100), LAPPED),
            ((GENERATION, 720), {"from": 720, "to": 752, "lost": 31, "reason": "lapped"}),
            ((7, 42), {"from": 42, "to": 752, "lost": None, "reason": "restart"}),
        ]:
            (row,) = await rows_of(it.app, History(since=since, limit=1))
            assert row["gap"] == gap
        (row,) = await rows_of(it.app, History(since=(EARLIER, 99), limit=1))
        assert "gap" not in row


async def test_what_a_slow_client_has_lost_in_the_ring_is_read_from_the_file(
    tmp_path: Path,
) -> None:
    """It has been recorded by then."""
    with world(tmp_path / "h.db", stored=1000) as it:
        more = iter([1])

        def go_on() -> None:
            if next(more, None):
                it.ring.write(500)
                later = samples(1001, 500, later_s=1000)
                it.database.store([*chunks_of(ORIGIN, later, None, 0)])

        rows = await rows_of(it.app, History(limit=240), go_on)
    assert [row["seq"] for row in rows] == [*range(761, 1001)]
    assert all("gap" not in row for row in rows)


@pytest.mark.parametrize(("stored", "last"), [(700, 888), (920, 920)])
async def test_what_neither_has_any_more_is_a_gap(tmp_path: Path, stored: int, last: int) -> None:
    """The recorder was not running, or not any more."""
    with world(tmp_path / "h.db", stored=stored) as it:
        more = iter([200])
        rows = await rows_of(it.app, History(limit=240), lambda: it.ring.write(next(more, 0)))
    assert [row["seq"] for row in rows] == [*range(761, last + 1), *range(952, 1001)]
    gap = {"from": last, "to": 952, "lost": 951 - last, "reason": "lapped"}
    assert [row["gap"] for row in rows if "gap" in row] == [gap]


async def test_what_the_ring_loses_before_the_first_sample_is_read_from_the_file(
    tmp_path: Path,
) -> None:
    """Others may have their turn between the choice of the samples and the first read."""
    with world(tmp_path / "h.db", stored=1000) as it:
        asked = History(from_ns=time_of((GENERATION, 900)))
        selection = await select(it.app.past, asked, "")
        assert selection.is_of_ring
        it.ring.write(200)
        text = b"".join([piece async for piece in row_pieces(it.app.past, asked, selection, "")])
    rows = json.loads(text)["samples"]
    assert [row["seq"] for row in rows] == [*range(900, 1001)]
    assert all("gap" not in row for row in rows)


async def test_without_a_file_that_is_a_gap(tmp_path: Path) -> None:
    """Samples that were there when the answer began are missing in it."""
    with world(tmp_path / "h.db") as it:
        it.app.past.stored = None
        asked = History(from_ns=time_of((GENERATION, 900)))
        selection = await select(it.app.past, asked, "")
        it.ring.write(200)
        text = b"".join([piece async for piece in row_pieces(it.app.past, asked, selection, "")])
    rows = json.loads(text)["samples"]
    assert [row["seq"] for row in rows] == [*range(952, 1001)]
    assert rows[0]["gap"] == {"from": 899, "to": 952, "lost": 52, "reason": "lapped"}


async def test_without_a_ring_the_file_is_served(tmp_path: Path) -> None:
    """The producer has not been started yet."""
    with world(tmp_path / "h.db") as it:
        app = make_app(FakeRecords())
        app.past.stored = it.app.past.stored
        assert app.hub.snapshot.record is None
        rows = await rows_of(app, History(seconds=0.5))
        assert [row["seq"] for row in rows] == [*range(650, 701)]


async def test_times_before_the_clock_was_set_are_put_right(tmp_path: Path) -> None:
    """In rows from the file, and to find them."""
    path = str(tmp_path / "h.db")
    early = [each._replace(time_ns=each.t_ns) for each in samples(1, 200)]
    late = samples(201, 100)
    late[0] = late[0]._replace(flags=int(Flag.CLOCK_STEP))
    with contextlib.closing(Database(path)) as database:
        database.store([*chunks_of(ORIGIN, early, None, 0), *chunks_of(ORIGIN, late, None, 0)])
    app = make_app(FakeRecords())
    app.past.stored = Stored(path, app.metrics)
    rows = await rows_of(
        app, History(from_ns=time_of((EARLIER, 150)), to_ns=time_of((EARLIER, 250)))
    )
    assert [row["seq"] for row in rows] == [*range(150, 250)]
    assert rows[0]["time"] == time_of((EARLIER, 150)) / 1e9
    app.close()


async def file_of(app: App, **query: str) -> tuple[list[str], int]:
    """The lines of a file of Klipper's, and how many samples are left out."""
    asked = Request("GET", "/history", {"format": "klipper", **query})
    made = await history.past(asked, app).make()
    if isinstance(made, Pieces):
        text = b"".join([chunk.payload async for chunk in made.generate(None)]).decode()
    return text.splitlines(), int(dict(made.headers)["Samples-Left-Out"])


@pytest.mark.parametrize(
    ("stored", "query", "given", "left_out"),
    [
        (900, {"from": "0"}, 1000, 250),
        (700, {"from": "0"}, 249, 950),
        (1000, {"from": "0"}, 1000, 250),
        (900, {"from": "0", "limit": "200"}, 100, 100),
        (900, {"from": "0", "limit": "240"}, 140, 100),
        (900, {"from": "0", "limit": "1100"}, 850, 250),
        (900, {"from": "0", "to": "1000500"}, 150, 100),
        (900, {"seconds": "9"}, 901, 0),
        (900, {"limit": "700"}, 700, 0),
        (900, {"since": event_id(EARLIER, 10)}, 1000, 240),
        (900, {}, 249, 0),
    ],
)
async def test_a_file_without_gaps_goes_back_to_the_newest_gap(
    tmp_path: Path, stored: int, query: dict[str, str], given: int, left_out: int
) -> None:
    """Over the seam between file and ring."""
    with world(tmp_path / "h.db", stored=stored) as it:
        lines, left = await file_of(it.app, **query)
        assert (len(lines) - 1, left) == (given, left_out)
        times = [float(line.split(",")[0]) for line in lines[1:]]
        assert times[-1] - times[0] == pytest.approx((given - 1) * PERIOD_NS / 1e9)


async def test_what_the_ring_loses_before_a_file_without_gaps_begins_is_in_the_store(
    tmp_path: Path,
) -> None:
    """As many samples are left out as the head says."""
    with world(tmp_path / "h.db", stored=1000) as it:
        asked = Request("GET", "/history", {"format": "klipper", "limit": "200"})
        made = await history.past(asked, it.app).make()
        assert isinstance(made, Pieces)
        it.ring.write(100)
        text = b"".join([chunk.payload async for chunk in made.generate(None)])
        assert len(text.splitlines()) == 1 + 200


async def headers_of(app: App, asked: Request) -> dict[str, str]:
    """The headers of an answer of which clients may ask for parts, or of one that has none."""
    made = await history.past(asked, app).make()
    assert isinstance(made, Pieces)
    async for _ in made.generate(None):
        pass
    return dict(made.headers)


@pytest.mark.parametrize(("to", "has_parts"), [("1001007", True), ("1001007.1", False)])
async def test_without_a_ring_an_answer_ends_where_the_file_does(
    tmp_path: Path, to: str, *, has_parts: bool
) -> None:
    """What is measured later would be missing in an answer that is kept."""
    with world(tmp_path / "h.db") as it:
        app = make_app(FakeRecords())
        app.past.stored = it.app.past.stored
        asked = Request("GET", "/history", {"from": "0", "to": to})
        assert ("ETag" in await headers_of(app, asked)) == has_parts
        app.spools.close()


async def test_an_empty_file_has_no_end(tmp_path: Path) -> None:
    """Nothing has been measured yet."""
    path = str(tmp_path / "h.db")
    Database(path).close()
    app = make_app(FakeRecords())
    app.past.stored = Stored(path, app.metrics)
    asked = Request("GET", "/history", {"from": "0", "to": "5"})
    assert "ETag" not in await headers_of(app, asked)
    app.close()


def full(**_: object) -> None:
    """A folder without room."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("method", "header", "is_refused"),
    [("GET", "", False), ("HEAD", "", True), ("GET", "range", True), ("GET", "if-match", True)],
)
async def test_without_room_for_a_file_all_of_an_answer_comes_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, header: str, *, is_refused: bool
) -> None:
    """Most clients never ask for parts: they would be refused for nothing."""
    headers = {header: "bytes=0-5"} if header else {}
    asked = Request(method, "/history", {"from": "0", "to": "1001000"}, headers)

    async def answer_is(refusal: str) -> None:
        with world(tmp_path / "h.db") as it:
            if is_refused:
                with pytest.raises(RequestError, match=refusal):
                    await headers_of(it.app, asked)
            else:
                assert "ETag" not in await headers_of(it.app, asked)

    with monkeypatch.context() as patch:
        patch.setattr(spools, "MAX_SPOOLS", 0)
        await answer_is("other files")
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    await answer_is("can't keep the answer in a file: No space left")


async def test_a_store_that_cant_be_read_is_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Never an answer that lacks what it has; and the next request tries again. The reason is
    logged: an answer that breaks off can't say it."""
    with world(tmp_path / "h.db") as it:
        it.app.past.stored = Stored(str(tmp_path / "other.db"), it.app.metrics)
        with pytest.raises(StoreError):
            await rows_of(it.app, History(from_ns=0))
        assert it.app.metrics["store_errors"] == 1
        assert caplog.messages == [
            f"history: can't read {tmp_path / 'other.db'}: No such file or directory"
        ]
        (tmp_path / "h.db").rename(tmp_path / "other.db")
        (tmp_path / "h.db-wal").rename(tmp_path / "other.db-wal")
        assert ids_of(await rows_of(it.app, History(from_ns=0))) == it.ids


@pytest.mark.parametrize("query", ["from=0", "from=0&format=klipper", "points=7"])
async def test_that_is_answered_with_the_reason(tmp_path: Path, query: str) -> None:
    """Over a real connection, which stays."""
    async with serving(FakeRecords()) as served, served.connect() as client:
        served.app.past.stored = Stored(str(tmp_path / "h.db"), served.app.metrics)
        answer = await client.get(f"/history?{query}")
        assert answer.status == 503
        assert "h.db: No such file or directory" in answer.body.decode()
        assert (await client.get("/livez")).status == 200


@pytest.mark.parametrize("name", ["from", "to"])
def test_times_are_unix_seconds_or_iso(name: str) -> None:
    """Anything else is refused, with an example."""
    for text, ns in (
        ("1764503616.5", 1764503616_500_000_000),
        ("2025-11-30T11:53:36Z", 1764503616 * 10**9),
    ):
        asked = history_of(Request("GET", "/history", {name: text}))
        assert (asked.from_ns if name == "from" else asked.to_ns) == ns
    for text in ("", "yesterday", "2025-13-01", "1e9", "-5"):
        with pytest.raises(RequestError, match=f"{name} is Unix seconds, or ISO 8601 such as"):
            history_of(Request("GET", "/history", {name: text}))


@pytest.mark.parametrize(
    ("text", "is_sound"),
    [("2242-01-01", True), ("9999999999", False), ("9999-12-31", False), ("1969-12-31", False)],
)
def test_times_that_no_clock_shows_are_refused(text: str, is_sound: bool) -> None:
    """SQLite has numbers of 64 bits, which in nanoseconds end in the year 2262."""
    request = Request("GET", "/history", {"to": text})
    if is_sound:
        assert history_of(request).to_ns == moment(text)
        return
    with pytest.raises(RequestError, match="to is a time from 1970 to 2242"):
        history_of(request)


@pytest.mark.parametrize(
    "query",
    [
        {"from": "5", "seconds": "5"},
        {"points": "0"},
        {"points": "10001"},
        {"points": "5", "since": event_id(7, 7)},
        {"points": "5", "limit": "7"},
        {"points": "5", "format": "klipper"},
    ],
)
def test_bounds_that_do_not_go_together_are_refused(query: dict[str, str]) -> None:
    """In one line, with 400."""
    with pytest.raises(RequestError) as caught:
        history_of(Request("GET", "/history", query))
    assert caught.value.status == 400
