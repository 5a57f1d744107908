"""Windows of any length, held to those made of all samples in one go."""

import contextlib
import csv
import io
import json
import random
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from tests.helpers.fakes import FakeRecords, make_app, make_record
from tests.history.test_past import ORIGIN, RESTART
from trio_mpu.formats import SI_NAMES
from trio_mpu.history import points
from trio_mpu.history.stored import Stored
from trio_mpu.record import Record
from trio_mpu.sample import AXES, Flag, Gap
from trio_mpu.store import summary
from trio_mpu.store.chunk import chunks_of
from trio_mpu.store.database import Database
from trio_mpu.store.keep import Keep
from trio_mpu.web import history
from trio_mpu.web.app import App
from trio_mpu.web.pieces import Pieces
from trio_mpu.web.request import Request

BEGUN_S = 3600 * 500 + 1234.5
SETTLED, STORED, ALL = 70_000, 71_000, 71_500  # samples in the pyramid, in the file, in all
PERIOD_S = 0.1


def all_samples() -> list[Record]:
    """Two hours at 10 Hz, without 40,001 to 40,600; the producer has lost 3 before 50,000."""
    dice = random.Random(7)
    records = []
    for seq in range(1, ALL + 1):
        time_ns = round((BEGUN_S + seq * PERIOD_S) * 1e9)
        ax = float(dice.randrange(-1000, 1000))
        records.append(make_record(seq, time_ns=time_ns, t_ns=seq * 10**8)._replace(ax=ax))
    records[49_999] = records[49_999]._replace(flags=int(Flag.DEVICE_GAP), lost=3)
    return [record for record in records if not 40_000 < record.seq <= 40_600]


SAMPLES = all_samples()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file, of which the newest chunks are not in the pyramid."""
    path = tmp_path_factory.mktemp("points") / "history.db"
    with contextlib.closing(Database(str(path))) as database:
        origin = ORIGIN._replace(period_ns=10**8)
        database.store([*chunks_of(origin, SAMPLES[:40_000], RESTART, 0)])
        rest = [record for record in SAMPLES[40_000:] if record.seq <= SETTLED]
        database.store([*chunks_of(origin, rest, Gap(40_000, 40_601, 600, "lapped"), 0)])
        database.prune(Keep())
        rest = [record for record in SAMPLES if SETTLED < record.seq <= STORED]
        database.store([*chunks_of(origin, rest, None, 0)])
        database._is_sound = False  # as if killed: the pyramid stays as it is
    return path


def app_of(path: Path | None) -> App:
    """A server whose ring has the newest 2,000."""
    ring = FakeRecords(2000)
    ring.head = ALL
    ring.records = {record.seq: record for record in SAMPLES[-2000:]}
    app = make_app(ring)
    app.past.stored = Stored(str(path), app.metrics) if path is not None else None
    return app


async def answer(path: Path | None, **query: str) -> str:
    """The text of an answer."""
    app = app_of(path)
    reply = await history.past(Request("GET", "/history", query), app).make()
    assert isinstance(reply, Pieces)
    text = b"".join([chunk.payload async for chunk in reply.generate(None)]).decode()
    app.close()
    return text


async def points_of(path: Path | None, **query: str) -> tuple[float, list[dict[str, Any]]]:
    """The length of the windows, and the windows."""
    found = json.loads(await answer(path, **query))
    return found["window_s"], found["points"]


def expected(samples: Sequence[Record], start_s: float, window_s: float) -> list[dict[str, Any]]:
    """The windows of samples, as anyone would make them."""
    cells: dict[int, list[Record]] = {}
    for record in samples:
        place = (record.time_ns - round(start_s * 1e9)) // round(window_s * 1e9)
        cells.setdefault(place, []).append(record)
    return [
        {
            "time": pytest.approx(start_s + place * window_s),
            "n": len(of_it),
            "min": min(record.ax for record in of_it),
            "mean": pytest.approx(fmean(record.ax for record in of_it), rel=1e-6, abs=1e-4),
            "max": max(record.ax for record in of_it),
        }
        for place, of_it in sorted(cells.items())
    ]


def plain(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Windows with one axis only, and without gaps."""
    return [
        {key: row[key] for key in ("time", "n")}
        | {key: row[key]["ax"] for key in ("min", "mean", "max")}
        for row in found
    ]


HOUR_START = BEGUN_S // 3600 * 3600


@pytest.mark.parametrize(
    ("count", "window_s", "start_s"),
    [
        (1, 10_800, HOUR_START),
        (2, 3600, BEGUN_S // 60 * 60),
        (3, 2400, BEGUN_S // 60 * 60),
        (100, 120, BEGUN_S // 60 * 60),
        (500, 15, BEGUN_S // 1),
        (5000, 2, BEGUN_S // 1),
    ],
)
async def test_the_windows_are_those_of_all_samples(
    path: Path, count: int, window_s: float, start_s: float
) -> None:
    """Of the pyramid, of the chunks that it does not have, and of the ring together."""
    found_s, found = await points_of(path, points=str(count), **{"from": "0"} if count == 1 else {})
    if count > 1:
        assert found_s == window_s
    assert len(found) <= count
    assert plain(found) == expected(SAMPLES, found[0]["time"] if count == 1 else start_s, found_s)


async def test_gaps_are_in_their_windows(path: Path) -> None:
    """Those in the file and those that the producer noted; each in one window."""
    _, found = await points_of(path, points="100")
    gaps = [(row["gaps"], row["lost"]) for row in found if row["gaps"]]
    assert gaps == [(1, 0), (1, 600), (1, 3)]
    _, found = await points_of(path, points="100", seconds="60")
    assert all(row["gaps"] == row["lost"] == 0 for row in found)


@pytest.mark.parametrize(
    ("first", "count", "points_"),
    [(1, 400, 100), (300, 60, 60), (71_000, 500, 300), (69_900, 1200, 400)],
)
async def test_short_windows_are_made_of_samples(
    path: Path, first: int, count: int, points_: int
) -> None:
    """From the file, from the ring and over the seam."""
    begin_s = BEGUN_S + first * PERIOD_S
    bounds = {"from": f"{begin_s:.6f}", "to": f"{begin_s + count * PERIOD_S:.6f}"}
    window_s, found = await points_of(path, points=str(points_), **bounds)
    assert window_s == pytest.approx(count * PERIOD_S / points_)
    of_it = [record for record in SAMPLES if first <= record.seq < first + count]
    assert plain(found) == expected(of_it, begin_s, window_s)
    assert len(found) <= points_


async def test_without_a_file_the_ring_is_what_there_is() -> None:
    """As many windows as are wanted, of all that it holds."""
    _, found = await points_of(None, points="50")
    held = SAMPLES[-1999:]
    window_ns = -(-(held[-1].time_ns + 1 - held[0].time_ns) // 50)
    assert plain(found) == expected(held, held[0].time_ns / 1e9, window_ns / 1e9)
    assert sum(row["n"] for row in found) == 1999


async def test_too_many_samples_are_taken_from_the_pyramid(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows of a second do then: fewer than were asked for."""
    monkeypatch.setattr(points, "MAX_SAMPLES", 1000)
    begin_s = BEGUN_S // 1 + 100
    bounds = {"from": str(begin_s), "to": str(begin_s + 200)}
    window_s, found = await points_of(path, points="1000", **bounds)
    assert (window_s, len(found)) == (1, 200)


async def test_too_many_windows_are_taken_from_the_next_level(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fewer and longer windows than were asked for; where they are not too many, nothing changes."""
    monkeypatch.setattr(summary, "MAX_WINDOWS", 5000)
    window_s, found = await points_of(path, points="7000")
    assert (window_s, sum(row["n"] for row in found)) == (60, len(SAMPLES))
    window_s, _ = await points_of(path, points="1000", **{"from": str(BEGUN_S + 3600)})
    assert window_s == 4


async def test_windows_outlive_their_samples(path: Path, tmp_path: Path) -> None:
    """Where chunks, or windows of a second, have been deleted, coarser windows answer."""
    copy = copy_of(path, tmp_path)
    bounds = {"from": str(BEGUN_S + 1000), "to": str(BEGUN_S + 1100)}
    with contextlib.closing(Database(str(copy))) as database:
        database._execute("DELETE FROM chunks WHERE id <= 3000")
        window_s, found = await points_of(copy, points="1000", **bounds)
        assert (window_s, sum(row["n"] for row in found)) == (1, 1010)
        limit = BEGUN_S + 5000
        delete = "DELETE FROM pyramid WHERE level_s = ? AND start_s < ?"
        database._execute(delete, (1, limit))
        window_s, found = await points_of(copy, points="1000", **bounds)
        assert (window_s, len(found)) == (60, 2)
        database._execute(delete, (60, limit))
        window_s, found = await points_of(copy, points="1000", **bounds)
        assert (window_s, len(found)) == (3600, 1)


def copy_of(path: Path, folder: Path) -> Path:
    """A copy of the file, to be changed."""
    copy = folder / "history.db"
    for name in ("", "-wal"):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{copy}{name}").write_bytes(Path(f"{path}{name}").read_bytes())
    return copy


@pytest.mark.parametrize("settles", [False, True])
async def test_what_is_recorded_meanwhile_is_counted_once(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, settles: bool
) -> None:
    """Between the question which samples there are and the one for their windows, the recorder
    writes what the ring has too, with or without its windows."""
    copy = copy_of(path, tmp_path)
    with contextlib.closing(Database(str(copy))) as database:

        def record(*asked: Any) -> Any:  # noqa: ANN401 - whatever the question answers
            rest = [record for record in SAMPLES if record.seq > STORED]
            database.store([*chunks_of(ORIGIN._replace(period_ns=10**8), rest, None, 0)])
            if settles:
                database.prune(Keep())
            return from_pyramid(*asked)

        from_pyramid = points._from_pyramid
        monkeypatch.setattr(points, "_from_pyramid", record)
        _, found = await points_of(copy, points="100")
    assert sum(row["n"] for row in found) == len(SAMPLES)


async def test_times_before_the_clock_was_set_are_put_right(tmp_path: Path) -> None:
    """Windows by the old clock are where they belong, and none is counted twice."""
    path = tmp_path / "history.db"
    early = [each._replace(time_ns=each.t_ns) for each in SAMPLES[:6000]]
    late = SAMPLES[6000:12_000]
    late = [late[0]._replace(flags=int(Flag.CLOCK_STEP)), *late[1:]]
    with contextlib.closing(Database(str(path))) as database:
        database.store([*chunks_of(ORIGIN, early, None, 0), *chunks_of(ORIGIN, late, None, 0)])
    app = make_app(FakeRecords())
    app.past.stored = Stored(str(path), app.metrics)
    reply = await history.past(Request("GET", "/history", {"points": "40"}), app).make()
    assert isinstance(reply, Pieces)
    text = b"".join([chunk.payload async for chunk in reply.generate(None)])
    found = json.loads(text)["points"]
    assert sum(row["n"] for row in found) == 12_000
    assert found[0]["time"] == pytest.approx(BEGUN_S, abs=60)
    assert len(found) <= 40
    app.close()


async def test_nothing_is_an_empty_list() -> None:
    """A window in the future, or one that ends before it begins."""
    for bounds in ({"from": "7999999999"}, {"from": "200", "to": "100"}, {"to": "5"}):
        assert (await points_of(None, points="10", **bounds))[1] == []


async def test_all_forms_have_the_same(path: Path) -> None:
    """In the units that are asked for, with names that say so."""
    query = {"points": "7", "units": "si", "iso": "1"}
    _, found = await points_of(path, **query)
    lines = (await answer(path, format="ndjson", **query)).splitlines()
    assert [json.loads(line) for line in lines] == found
    table = list(csv.DictReader(io.StringIO(await answer(path, format="csv", **query))))
    names = [f"{part}_{name}" for name in SI_NAMES for part in ("min", "mean", "max")]
    assert list(table[0]) == ["time", "n", *names, "gaps", "lost", "units"]
    for row, cells in zip(found, table, strict=True):
        assert cells["time"] == row["time"]
        assert (cells["n"], cells["units"], row["units"]) == (str(row["n"]), "si", "si")
        for part in ("min", "mean", "max"):
            assert {name: float(cells[f"{part}_{name}"]) for name in SI_NAMES} == row[part]
    header = (await answer(path, format="csv", points="1")).splitlines()[0]
    assert header.startswith(f"time,n,min_{AXES[0]},mean_{AXES[0]},max_{AXES[0]},min_ay")
    assert header.endswith("max_temp,gaps,lost")
