"""The history of a time that is over: a file of which clients may ask for parts."""

import io
import json
from pathlib import Path

import pytest
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory

from tests.helpers.fakes import GENERATION, FakeRecords, Served, make_app, serving
from tests.history.test_past import EARLIER, World, time_of, world
from trio_mpu.web import history
from trio_mpu.web.history import TYPES
from trio_mpu.web.pieces import Pieces
from trio_mpu.web.request import Request
from trio_mpu.web.spool import MAX_SPOOL_BYTES

WINDOW = f"from={time_of((EARLIER, 50)) // 10**9}&to={time_of((GENERATION, 950)) // 10**9}"


def serve(served: Served, it: World) -> None:
    """Let a real server have the ring and the file of a world."""
    served.app.past.stored = it.app.past.stored
    served.app.hub.begin(it.ring.origin, it.ring.records.values())


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("more", ["", "&points=30"])
async def test_any_part_is_that_of_the_whole(tmp_path: Path, kind: str, more: str) -> None:
    """In each format, by one file that was made once; HEAD says how long it is."""
    if more and kind not in ("json", "csv", "ndjson"):
        return
    with world(tmp_path / "h.db") as it:
        async with serving(it.ring) as served, served.connect() as client:
            serve(served, it)
            path = f"/history?format={kind}&{WINDOW}{more}"
            head = await client.get(path, method="HEAD")
            whole = await client.get(path)
            assert whole.status == 200
            assert int(head.headers["content-length"]) == len(whole.body) > 300
            assert whole.headers["accept-ranges"] == "bytes"
            assert whole.headers["content-type"] == TYPES[kind]
            part = await client.get(path, "Range: bytes=100-299")
            assert (part.status, part.body) == (206, whole.body[100:300])
            assert part.headers["content-range"] == f"bytes 100-299/{len(whole.body)}"
            assert part.headers["etag"] == whole.headers["etag"]
            last = await client.get(path, "Range: bytes=-7", "Accept-Encoding: gzip")
            assert last.body == whole.body[-7:]
            same = await client.get(path, f"If-None-Match: {whole.headers['etag']}")
            assert same.status == 304
            assert served.app.metrics["files_made"] == 1


@pytest.mark.parametrize(
    "query",
    [WINDOW.split("&", maxsplit=1)[0], "seconds=3", "to=2242-01-01&from=0", WINDOW.split("&")[1]],
)
async def test_what_is_still_measured_has_no_length(tmp_path: Path, query: str) -> None:
    """And is not compressed by a file's ETag: it is sent as it is read."""
    with world(tmp_path / "h.db") as it:
        async with serving(it.ring) as served, served.connect() as client:
            serve(served, it)
            answer = await client.get(f"/history?format=csv&{query}", "Range: bytes=0-9")
            assert answer.status == 200
            assert "content-length" not in answer.headers
            assert "accept-ranges" not in answer.headers
            assert answer.headers["cache-control"] == "no-store"


async def test_a_client_that_takes_gzip_gets_that(tmp_path: Path) -> None:
    """A sixth of the bytes; parts are of the plain ones, so there are none."""
    with world(tmp_path / "h.db") as it:
        async with serving(it.ring) as served, served.connect() as client:
            serve(served, it)
            answer = await client.get(f"/history?format=csv&{WINDOW}", "Accept-Encoding: gzip")
            assert answer.headers["content-encoding"] == "gzip"
            assert "accept-ranges" not in answer.headers
            answer = await client.get(f"/history?format=mcap&{WINDOW}", "Accept-Encoding: gzip")
            assert "content-encoding" not in answer.headers
            assert answer.headers["accept-ranges"] == "bytes"


async def test_what_is_too_large_for_a_file_is_sent_as_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it, without a length."""
    with world(tmp_path / "h.db") as it:
        query = dict(pair.split("=") for pair in WINDOW.split("&")) | {"format": "csv"}
        monkeypatch.setattr(history, "MAX_SPOOL_BYTES", 50_000)
        made = await history.past(Request("GET", "/history", query), it.app).make()
        assert isinstance(made, Pieces)
        assert made.length is None
        size = len(b"".join([chunk.payload async for chunk in made.generate(None)]))
        assert 50_000 < size < MAX_SPOOL_BYTES


async def test_the_mcap_has_all_of_ring_and_store(tmp_path: Path) -> None:
    """Each sample once, with the gaps between them and the settings of each session."""
    with world(tmp_path / "h.db") as it:
        async with serving(it.ring) as served, served.connect() as client:
            serve(served, it)
            answer = await client.get("/history?format=mcap&from=0")
            known = await client.get(f"/history?format=mcap&{WINDOW}")
    reader = make_reader(
        io.BytesIO(answer.body), validate_crcs=True, decoder_factories=[DecoderFactory()]
    )
    found: dict[str, list[object]] = {}
    for each in reader.iter_decoded_messages(log_time_order=False):
        message = each.decoded_message
        value = message.seq if each.channel.topic == "/imu/sample" else each.message.log_time
        if each.channel.topic == "/imu/gaps":
            value = (message.lost, message.reason)
        found.setdefault(each.channel.topic, []).append(value)
    assert found["/imu/sample"] == [seq for _, seq in it.ids]
    assert found["/imu/data_raw"] == found["/imu/temperature"] == [time_of(id_) for id_ in it.ids]
    assert found["/imu/gaps"] == [(50, "lapped"), (-1, "restart"), (51, "lapped")]
    metadata = [(each.name, each.metadata) for each in reader.iter_metadata()]
    sessions = [fields for name, fields in metadata if name == "trio_mpu.session"]
    assert [(each["generation"], each["calibration"]) for each in sessions] == [
        (f"{EARLIER:016x}", "cal"),
        (f"{GENERATION:016x}", "cal"),
        (f"{GENERATION:016x}", ""),
    ]
    assert "trio_mpu.ledger" in dict(metadata)
    names = [each.name for each in make_reader(io.BytesIO(known.body)).iter_metadata()]
    assert set(names) == {"trio_mpu.session"}


async def test_an_mcap_of_nothing_is_one(tmp_path: Path) -> None:
    """Its viewer shows that there is nothing."""
    app = make_app(FakeRecords())
    app.hub.record_source.write(3)  # type: ignore[attr-defined]
    async with serving() as served, served.connect() as client:
        served.record_source.write(3)
        served.app.hub.begin(served.record_source.origin, served.record_source.records.values())
        answer = await client.get("/history?format=mcap&from=5000000000")
    summary = make_reader(io.BytesIO(answer.body)).get_summary()
    assert summary is not None
    assert summary.statistics is not None
    assert summary.statistics.message_count == 0
    app.close()


@pytest.mark.parametrize("query", [{"iso": "1"}, {"units": "si"}, {"points": "9"}])
async def test_an_mcap_has_its_own_units(query: dict[str, str]) -> None:
    """Those of ROS; others are refused."""
    async with serving() as served, served.connect() as client:
        served.record_source.write(3)
        served.app.hub.begin(served.record_source.origin, served.record_source.records.values())
        pairs = "&".join(f"{name}={value}" for name, value in query.items())
        answer = await client.get(f"/history?format=mcap&{pairs}")
    assert answer.status == 400
    assert "format=mcap has its own" in json.loads(answer.body)["reason"]
