"""Chunks of the store that can't be read: an answer goes without them, and says so."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.fakes import GENERATION
from tests.history.test_past import (
    EARLIER,
    LAPPED,
    SEAM,
    World,
    file_of,
    ids_of,
    rows_of,
    time_of,
    world,
)
from trio_mpu.errors import RequestError
from trio_mpu.history.asked import History
from trio_mpu.history.past import select
from trio_mpu.history.rows import row_pieces
from trio_mpu.web import history
from trio_mpu.web.pieces import Pieces
from trio_mpu.web.request import Request

# The chunks of the file, by their numbers: a second and a half each.
NUMBERS = {
    1: (EARLIER, range(1, 101)),
    2: (EARLIER, range(151, 301)),
    3: (GENERATION, range(1, 151)),
    4: (GENERATION, range(151, 301)),
    5: (GENERATION, range(301, 451)),
    6: (GENERATION, range(451, 601)),
    7: (GENERATION, range(601, 701)),
}


def damaged(it: World, *chunk_ids: int) -> list[tuple[int, int]]:
    """Damage these chunks; return the ids of the samples that are left."""
    for chunk_id in chunk_ids:
        it.database._execute("UPDATE chunks SET data = x'00' WHERE id = ?", (chunk_id,))
    gone = {(NUMBERS[each][0], seq) for each in chunk_ids for seq in NUMBERS[each][1]}
    return [each for each in it.ids if each not in gone]


def gap(after: int, before: int, lost: int | None = -1, reason: str = "store") -> dict[str, Any]:
    lost = before - after - 1 if lost == -1 else lost
    return {"from": after, "to": before, "lost": lost, "reason": reason}


@pytest.mark.parametrize(
    ("chunk_ids", "gaps"),
    [
        ([4], [LAPPED, SEAM, gap(150, 301), gap(700, 752, 51, "lapped")]),
        ([4, 5], [LAPPED, SEAM, gap(150, 451), gap(700, 752, 51, "lapped")]),
        ([4, 6], [LAPPED, SEAM, gap(150, 301), gap(450, 601), gap(700, 752, 51, "lapped")]),
        ([1], [gap(0, 151), SEAM, gap(700, 752, 51, "lapped")]),
        ([2], [gap(100, 1, None, "restart"), gap(700, 752, 51, "lapped")]),
        ([1, 2], [gap(0, 1, None, "restart"), gap(700, 752, 51, "lapped")]),
        ([3], [LAPPED, gap(300, 151, None, "restart"), gap(700, 752, 51, "lapped")]),
        ([7], [LAPPED, SEAM, gap(600, 752)]),
        ([1, 2, 3, 4, 5, 6, 7], [gap(0, 752, None, "restart")]),
    ],
)
async def test_a_damaged_chunk_is_a_gap(
    tmp_path: Path, chunk_ids: list[int], gaps: list[dict[str, Any]]
) -> None:
    """With its reason and the samples that it had; all others come."""
    with world(tmp_path / "h.db") as it:
        left = damaged(it, *chunk_ids)
        rows = await rows_of(it.app, History(from_ns=0))
        assert ids_of(rows) == left
        assert [row["gap"] for row in rows if "gap" in row] == gaps


async def test_it_is_logged_once_and_counted_each_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By a counter of its own: no answer was broken off."""
    with world(tmp_path / "h.db") as it:
        left = damaged(it, 4, 6)
        for _ in range(3):
            assert ids_of(await rows_of(it.app, History(from_ns=0))) == left
        assert caplog.messages == [
            f"history: {tmp_path / 'h.db'}: the chunk from sample {first} on is damaged; "
            "answers go without it"
            for first in (151, 451)
        ]
        assert (it.app.metrics["store_skipped"], it.app.metrics["store_errors"]) == (6, 0)


@pytest.mark.parametrize(
    ("asked", "seqs", "gaps"),
    [
        (History(from_ns=time_of((GENERATION, 200))), [*range(301, 701)], [gap(199, 301)]),
        (History(to_ns=time_of((GENERATION, 200)), seconds=1.9), [*range(10, 151)], []),
        (
            History(from_ns=time_of((GENERATION, 160)), to_ns=time_of((GENERATION, 310))),
            [*range(301, 310)],
            [gap(159, 301)],
        ),
        (History(from_ns=time_of((GENERATION, 160)), to_ns=time_of((GENERATION, 200))), [], []),
        (History(since=(GENERATION, 140)), [*range(141, 151), *range(301, 701)], [gap(150, 301)]),
        (History(since=(GENERATION, 150)), [*range(301, 701)], [gap(150, 301)]),
        (
            History(since=(GENERATION, 140), limit=20),
            [*range(141, 151), *range(301, 311)],
            [gap(150, 301)],
        ),
    ],
)
async def test_an_answer_may_begin_and_end_in_a_damaged_chunk(
    tmp_path: Path, asked: History, seqs: list[int], gaps: list[dict[str, Any]]
) -> None:
    """The gap begins where the answer does; after the last sample there is none."""
    with world(tmp_path / "h.db", capacity=250) as it:
        damaged(it, 4)
        rows = [row for row in await rows_of(it.app, asked) if row["seq"] <= 700]
        assert [row["seq"] for row in rows] == seqs
        assert [row["gap"] for row in rows if "gap" in row] == gaps


async def test_all_that_is_asked_for_may_be_damaged(tmp_path: Path) -> None:
    """And then nothing comes, in good order."""
    with world(tmp_path / "h.db", written=0) as it:
        damaged(it, *NUMBERS)
        assert await rows_of(it.app, History(from_ns=0)) == []
        assert await rows_of(it.app, History(seconds=3)) == []


@pytest.mark.parametrize(
    ("chunk_id", "first", "seqs", "lapped"),
    [
        (9, 900, [900, *range(952, 1001)], gap(900, 952, 51, "lapped")),
        (8, 800, [*range(901, 1001)], gap(799, 901, 101, "lapped")),
    ],
)
async def test_what_the_ring_has_lost_meanwhile_may_be_damaged(
    tmp_path: Path, chunk_id: int, first: int, seqs: list[int], lapped: dict[str, Any]
) -> None:
    """It is looked for once; what the ring still has comes from there."""
    with world(tmp_path / "h.db", stored=1000) as it:
        it.database._execute("UPDATE chunks SET data = x'00' WHERE id = ?", (chunk_id,))
        asked = History(from_ns=time_of((GENERATION, first)))
        selection = await select(it.app.past, asked, "")
        assert selection.is_of_ring
        it.ring.write(200)
        text = b"".join([piece async for piece in row_pieces(it.app.past, asked, selection, "")])
        rows = json.loads(text)["samples"]
        assert [row["seq"] for row in rows] == seqs
        assert [row["gap"] for row in rows if "gap" in row] == [lapped]
        assert it.app.metrics["store_skipped"] == 1


async def body_of(it: World, **query: str) -> bytes:
    """An answer's bytes."""
    made = await history.past(Request("GET", "/history", query), it.app).make()
    assert isinstance(made, Pieces)
    return b"".join([chunk.payload async for chunk in made.generate(None)])


async def test_rows_of_all_forms_say_so(tmp_path: Path) -> None:
    """CSV in `lost`; and each file is the same every time."""
    bounds = {"from": "1001001", "to": "1001004"}
    with world(tmp_path / "h.db") as it:
        damaged(it, 4)
        text = (await body_of(it, format="csv", **bounds)).decode()
        lost = {int(row["seq"]): int(row["lost"]) for row in csv.DictReader(io.StringIO(text))}
        assert [*lost] == [*range(100, 151), *range(301, 400)]
        assert {seq: number for seq, number in lost.items() if number} == {301: 150}
        lines = (await body_of(it, format="ndjson", **bounds)).splitlines()
        assert [json.loads(line)["seq"] for line in lines] == [*lost]
        for form in ("csv", "ndjson", "mcap"):
            assert await body_of(it, format=form, **bounds) == await body_of(
                it, format=form, **bounds
            )


async def test_points_count_it_as_a_gap(tmp_path: Path) -> None:
    """Where they are made of samples; the pyramid has what was in the chunk."""
    with world(tmp_path / "h.db") as it:
        damaged(it, 4)
        short = json.loads(await body_of(it, points="60", **{"from": "1001001", "to": "1001004"}))
        assert sum(point["n"] for point in short["points"]) == 150
        assert [(p["gaps"], p["lost"]) for p in short["points"] if p["gaps"]] == [(1, 150)]


@pytest.mark.parametrize(
    ("chunk_ids", "query", "given", "left_out"),
    [
        ([4], {"from": "0"}, 700, 550),
        ([4, 8], {"from": "0"}, 100, 1150),
        ([1, 2], {"from": "0"}, 1000, 250),
        ([4], {"from": "0", "to": "1001004"}, 99, 550),
        ([5], {"from": "0", "to": "1001004"}, 300, 349),
        ([5, 4], {"from": "0", "to": "1001004"}, 150, 499),
        ([5, 3], {"from": "0", "to": "1001004"}, 150, 499),
        ([5, 4, 3], {"from": "0", "to": "1001004"}, 150, 499),
        ([5, 4, 3, 2], {"from": "0", "to": "1001004"}, 100, 549),
        ([5, 4, 3, 2, 1], {"from": "0", "limit": "270"}, 0, 0),
    ],
)
async def test_a_file_without_gaps_begins_after_the_newest_damaged_chunk(
    tmp_path: Path, chunk_ids: list[int], query: dict[str, str], given: int, left_out: int
) -> None:
    """Or ends before it, if nothing comes after it. What it had is counted as left out."""
    with world(tmp_path / "h.db", stored=900) as it:
        for chunk_id in chunk_ids:
            it.database._execute("UPDATE chunks SET data = x'00' WHERE id = ?", (chunk_id,))
        if not given:
            with pytest.raises(RequestError, match="what was asked for ends with 0"):
                await file_of(it.app, **query)
            return
        lines, left = await file_of(it.app, **query)
        assert (len(lines) - 1, left) == (given, left_out)
        times = [float(line.split(",")[0]) for line in lines[1:]]
        assert times[-1] - times[0] == pytest.approx((given - 1) * 0.01)
