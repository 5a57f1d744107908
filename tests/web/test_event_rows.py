"""The stream as rows: over a ring in memory, in virtual time."""

import contextlib
import csv
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.helpers.fakes import GENERATION, FakeRecords, make_app, serving
from trio_mpu.formats import COLUMNS, SI_COLUMNS
from trio_mpu.history.asked import History
from trio_mpu.history.past import select
from trio_mpu.history.rows import row_pieces
from trio_mpu.sample import Flag
from trio_mpu.web import history
from trio_mpu.web.app import App
from trio_mpu.web.event_stream import HEARTBEAT_S, events
from trio_mpu.web.request import Request


class Growing:
    """A client whose file grows."""

    def __init__(self) -> None:
        self.text = ""

    async def follow(self, app: App, query: dict[str, str]) -> None:
        """Append what the stream sends, until cancelled."""
        reply = events(Request("GET", "/events", query), app)
        async with contextlib.aclosing(reply.generate(None)) as chunks:
            async for chunk in chunks:
                self.text += chunk.payload.decode()


@asynccontextmanager
async def growing(app: App, **query: str) -> AsyncIterator[Growing]:
    """Let a client follow; its file has what there is when the block begins."""
    file = Growing()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(file.follow, app, query)
        await wait_all_tasks_blocked()
        yield file
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()


async def of_history(app: App, kind: str, after: int = 0) -> str:
    """What the history has of the same samples."""
    asked = History(kind, (GENERATION, after))
    selection = await select(app.past, asked, "")
    return b"".join([piece async for piece in row_pieces(app.past, asked, selection, "")]).decode()


def ring(count: int, capacity: int = 1000) -> FakeRecords:
    """A ring into which so many samples were written."""
    record_source = FakeRecords(capacity)
    record_source.write(count)
    return record_source


@pytest.mark.parametrize("kind", ["csv", "ndjson"])
async def test_the_rows_are_those_of_the_history(kind: str) -> None:
    """From the past and as they come, with the producer's gaps; beside a stream of events."""
    record_source = ring(300)
    app = make_app(record_source)
    async with (
        growing(app, format=kind, last_event_id="earliest") as file,
        growing(app, format=kind, last_event_id="earliest", flush_ms="5") as other,
        growing(app, last_event_id="earliest") as stream,
    ):
        app.hub.publish(record_source.write(1, flags=int(Flag.DEVICE_GAP), lost=7))
        for _ in range(20):
            app.hub.publish(record_source.write())
        app.hub.flush(now=True)
    assert file.text == other.text == await of_history(app, kind)
    assert stream.text.count("data: ") == 321
    app.close()


async def test_the_header_of_csv_names_the_units() -> None:
    """It comes first, whether there is a sample or not; NDJSON has none."""
    app = make_app(FakeRecords())
    async with (
        growing(app, format="csv") as plain,
        growing(app, format="csv", units="si", iso="1") as si,
        growing(app, format="ndjson") as lines,
    ):
        pass
    assert plain.text == ",".join(COLUMNS) + "\n"
    assert si.text == ",".join(SI_COLUMNS) + "\n"
    assert lines.text == ""
    app.close()


@pytest.mark.parametrize("kind", ["csv", "ndjson"])
async def test_a_stream_of_rows_resumes_after_an_id(kind: str) -> None:
    """Nothing is missing and nothing comes twice."""
    record_source = ring(50)
    app = make_app(record_source)
    async with growing(app, format=kind, last_event_id=f"{GENERATION:016x}-20") as file:
        app.hub.publish(record_source.write(3))
    assert file.text == await of_history(app, kind, 20)
    assert len(file.text.splitlines()) == 33 + (kind == "csv")
    app.close()


async def test_what_the_ring_has_lost_is_in_the_first_row() -> None:
    """With what the producer noted before the same sample; the reason is in NDJSON."""
    record_source = ring(69)
    record_source.write(1, flags=int(Flag.DEVICE_GAP), lost=3)
    record_source.capacity = 32
    record_source.write(30)
    app = make_app(record_source)
    after = f"{GENERATION:016x}-10"
    async with (
        growing(app, format="csv", last_event_id=after) as table,
        growing(app, format="ndjson", last_event_id=after) as lines,
    ):
        pass
    first, second, *_ = csv.DictReader(io.StringIO(table.text))
    assert (first["seq"], first["lost"], second["lost"]) == ("70", "62", "0")
    row = json.loads(lines.text.splitlines()[0])
    assert row["gap"] == {"from": 10, "to": 70, "lost": 59, "reason": "lapped"}
    assert row["lost"] == 3
    app.close()


async def test_a_new_ring_is_marked_in_the_first_row() -> None:
    """Nobody knows how much is missing."""
    record_source = ring(3)
    app = make_app(record_source)
    async with growing(app, format="csv") as table, growing(app, format="ndjson") as lines:
        record_source.replace(7)
        app.hub.begin(record_source.origin, ())
        app.hub.publish(record_source.write(2))
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [(row["seq"], row["flags"]) for row in rows] == [
        ("3", ""),
        ("1", "restart_gap"),
        ("2", ""),
    ]
    ids = [json.loads(line)["id"] for line in lines.text.splitlines()]
    assert ids == [f"{GENERATION:016x}-3", f"{7:016x}-1", f"{7:016x}-2"]
    app.close()


@pytest.mark.parametrize("kind", ["csv", "ndjson"])
async def test_nothing_but_rows_is_sent(kind: str, autojump_clock: MockClock) -> None:
    """No heartbeat in the longest silence, and no status, to whoever was there or comes later."""
    record_source = ring(3)
    app = make_app(record_source)
    async with growing(app, format=kind) as file, growing(app) as stream:
        app.hub.set_status("stale", "")
        await trio.sleep(10 * HEARTBEAT_S)
        async with growing(app, format=kind) as later:
            app.hub.publish(record_source.write())
            app.hub.set_status("ok", "")
            app.hub.publish(record_source.write())
    header = ",".join(COLUMNS) + "\n" if kind == "csv" else ""
    rows = (await of_history(app, kind, 2)).removeprefix(header)
    assert file.text == later.text == header + rows
    assert stream.text.count("event: status") == 2
    assert "\n:\n" in stream.text
    assert autojump_clock.autojump_threshold == 0
    app.close()


async def test_rows_come_over_a_connection_as_the_samples_do() -> None:
    """The head and the header immediately; then each row, whole, in the history's type."""
    async with serving() as served:
        for kind, opening in (("csv", ",".join(COLUMNS) + "\n"), ("ndjson", "")):
            async with served.connect() as client:
                path = f"/events?format={kind}&last_event_id={GENERATION:016x}-{served.hub.head}"
                await client.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                answer = await client.head()
                assert answer.headers["content-type"] == history.TYPES[kind]
                if opening:
                    assert await client.chunk() == opening.encode()
                served.publish()
                row = (await client.chunk() or b"").decode()
                whole = await of_history(served.app, kind, served.hub.head - 1)
                assert row == whole.removeprefix(opening)
