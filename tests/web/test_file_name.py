"""The names of files that browsers save."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.fakes import FakeRecords, make_app
from trio_mpu.history.asked import History
from trio_mpu.iso_time import MAX_MOMENT_NS
from trio_mpu.web import history
from trio_mpu.web.answer import Answer
from trio_mpu.web.file_name import file_name
from trio_mpu.web.pieces import Pieces
from trio_mpu.web.request import Request

NS = 10**9
AT_NS = 1_796_053_385 * NS  # 2026-11-30T15:43:05Z
AT = "2026-11-30T15-43-05Z"
END_NS = AT_NS + 60 * NS
END = "2026-11-30T15-44-05Z"
SINCE = (0x0123456789ABCDEF, 42)
AFTER = "after-0123456789abcdef-42"


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        (History("csv", from_ns=AT_NS, to_ns=END_NS), f"{AT}_60s.csv"),
        (History("mcap", from_ns=AT_NS), f"{AT}_60s.mcap"),
        (History("json", from_ns=AT_NS + NS // 2), f"{AT}_59.5s.json"),
        (History("ndjson", seconds=60), f"{AT}_60s.ndjson"),
        (History("csv", seconds=60, points=100), f"{AT}_60s.csv"),
        (History("csv", seconds=0.25, to_ns=END_NS), "2026-11-30T15-44-04Z_0.25s.csv"),
        (History("csv", seconds=1e6), "2026-11-19T01-57-25Z_1000000s.csv"),
        (History("csv", from_ns=END_NS + NS), "2026-11-30T15-44-06Z_0s.csv"),
        (History("csv", from_ns=AT_NS, limit=10), f"{AT}.csv"),
        (History("csv", seconds=60, limit=10), f"until-{END}.csv"),
        (History("csv", limit=10), f"until-{END}.csv"),
        (History("csv"), f"until-{END}.csv"),
        (History("csv", to_ns=END_NS), f"until-{END}.csv"),
        (History("csv", from_ns=0), f"until-{END}.csv"),
        (History("csv", since=SINCE), f"{AFTER}_until-{END}.csv"),
        (History("csv", since=SINCE, from_ns=AT_NS), f"{AFTER}_until-{END}.csv"),
        (History("csv", since=SINCE, limit=10), f"{AFTER}.csv"),
        (History("klipper", seconds=60), f"until-{END}.csv"),
        (History("gcsv", from_ns=AT_NS, to_ns=END_NS), f"until-{END}.gcsv"),
    ],
)
def test_a_name_says_which_time_was_asked_for(asked: History, name: str) -> None:
    """Where it begins and how long it is; or what bounds it, if only its samples can tell."""
    assert file_name(asked, END_NS) == f"trio-mpu_{name}"


def test_before_the_first_sample_there_is_only_what_was_asked_for() -> None:
    """No end is known."""
    assert file_name(History("csv"), None) == "trio-mpu.csv"
    assert file_name(History("csv", seconds=5), None) == "trio-mpu.csv"
    assert file_name(History("csv", from_ns=AT_NS), None) == f"trio-mpu_{AT}.csv"


@given(st.integers(0, MAX_MOMENT_NS - 1), st.integers(0, 10**17))
def test_every_name_is_one_for_every_file_system(from_ns: int, length_ns: int) -> None:
    """Letters, digits, dots, dashes and underscores; sorted by time."""
    name = file_name(History("csv", from_ns=from_ns), from_ns + length_ns)
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-_TZ")
    later = file_name(History("csv", from_ns=from_ns + NS), from_ns + length_ns)
    assert not from_ns or name.split("_")[1] < later.split("_")[1]


async def test_all_parts_of_a_file_have_one_name() -> None:
    """The head, a part, the whole and "not modified", while new samples come."""
    record_source = FakeRecords()
    record_source.write(500)
    app = make_app(record_source)
    first_ns, last_ns = (record_source.records[number].time_ns for number in (100, 400))
    query = {"format": "csv", "from": f"{first_ns / NS:.2f}", "to": f"{last_ns / NS:.2f}"}
    etag = ""
    found = set()
    for method, headers in (
        ("HEAD", {}),
        ("GET", {"range": "bytes=10-19"}),
        ("GET", {}),
        ("GET", {"if-none-match": "*"}),
    ):
        reply = await history.past(Request(method, "/history", query, headers), app).make()
        assert isinstance(reply, Answer | Pieces)
        etag = etag or dict(reply.headers)["ETag"]
        assert dict(reply.headers)["ETag"] == etag
        found.add(dict(reply.headers)["Content-Disposition"])
        app.hub.publish(record_source.write(100))
    app.close()
    assert found == {'attachment; filename="trio-mpu_2023-11-14T22-13-21Z_3s.csv"'}
