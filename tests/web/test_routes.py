"""Requests → answers: the whole table."""

import gzip
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.fakes import GENERATION, FakeRecords, make_app, make_record
from trio_mpu.errors import RequestError
from trio_mpu.fanout.encoder import StreamOptions
from trio_mpu.fanout.snapshot import WAITING, Snapshot
from trio_mpu.formats import Notation, Origin
from trio_mpu.history.asked import History
from trio_mpu.metrics.counters import LEDGER
from trio_mpu.sample import Flag
from trio_mpu.web import cors
from trio_mpu.web.answer import Answer, error_answer
from trio_mpu.web.app import Reply
from trio_mpu.web.event_stream import last_event_id, stream_options
from trio_mpu.web.history_query import history_of
from trio_mpu.web.page import Page
from trio_mpu.web.pieces import Deferred, Pieces
from trio_mpu.web.request import Request
from trio_mpu.web.routes import ROUTES

AVERAGE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
FRESH = Snapshot("ok", "", Origin(GENERATION, "fake"), make_record(42), AVERAGE)
EMPTY = Snapshot(WAITING, "no sample yet: the sensor has given none")
LONG_SCRIPT = b"let x = 1;\n" * 100
PAGE = Page.of(
    {
        "index.html": b"<!doctype html>",
        "page.js": b"let x",
        "a.css": b"",
        "x.bin": b"",
        "net/long.js": LONG_SCRIPT,
    }
)
LEDGER_NOW = {**dict.fromkeys(LEDGER, 0), "slow_lost": 9}
ID = f"{GENERATION:016x}-7"


def replied(
    path: str,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    *,
    method: str = "GET",
    snapshot: Snapshot = FRESH,
) -> Reply:
    """The reply to one request."""
    app = make_app(FakeRecords(), PAGE)
    app.hub.snapshot = snapshot
    app.metrics.count("slow_lost", 9)
    try:
        return app.respond(Request(method, path, query or {}, headers or {}))
    finally:
        app.close()


def answered(path: str, snapshot: Snapshot = FRESH, **headers: str) -> Answer:
    """The complete answer to one request."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = replied(path, headers=names, snapshot=snapshot)
    assert isinstance(answer, Answer)
    return answer


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/"),
        ("PUT", "/json"),
        ("DELETE", "/events"),
        ("OPTIONS", "/nothing"),
        ("TRACE", "/json"),
        ("CONNECT", "/"),
        ("get", "/json"),
    ],
)
def test_other_methods_are_not_allowed(method: str, path: str) -> None:
    """The answer says which are."""
    with pytest.raises(RequestError) as caught:
        replied(path, method=method)
    assert caught.value.status == 405
    assert ("Allow", "GET, HEAD") in error_answer(405, str(caught.value)).headers


@pytest.mark.parametrize(
    "path", ["/nothing", "/json/", "/JSON", "/static/", "//json", "/json?", ""]
)
def test_another_path_is_not_found(path: str) -> None:
    """Paths are compared whole."""
    with pytest.raises(RequestError) as caught:
        replied(path)
    assert caught.value.status == 404


def test_the_latest_sample_has_exactly_these_keys() -> None:
    """Those of the original first, with its meanings; the new ones beside them."""
    answer = answered("/json")
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert ("Cache-Control", "no-store") in answer.headers
    assert answer.body.endswith(b"}\n")
    record = make_record(42)
    axes = ["ax", "ay", "az", "gx", "gy", "gz", "temp"]
    assert json.loads(answer.body) == {
        "status": "ok",
        "sample": dict(zip(axes, record[3:10], strict=True)),
        "average": dict(zip(axes, AVERAGE, strict=True)),
        "timestamp": 1_700_000_000,
        "seq": 42,
        "id": f"{GENERATION:016x}-42",
        "time": 1_700_000_000.42,
        "t_ns": 420_000_000,
        "source": "fake",
        "flags": [],
    }


@pytest.mark.parametrize("status", ["stale", "stopped"])
def test_an_old_sample_says_so(status: str) -> None:
    """The latest sample is still given; a health check fails."""
    old = FRESH._replace(status=status, reason="the producer has died")
    assert json.loads(answered("/json", old).body)["status"] == status
    health = answered("/healthz", old)
    assert (health.status, dict(health.headers)["Retry-After"]) == (503, "2")
    assert json.loads(health.body) == {
        "status": status,
        "reason": "the producer has died",
        "workers": 1,
        "workers_up": 1,
    }


def test_verbose_tells_the_ledger_and_the_device() -> None:
    """After the keys that are always there; also while there is no sample."""
    plain = json.loads(answered("/json").body)
    answer = replied("/json", {"verbose": "1"})
    assert isinstance(answer, Answer)
    more = {"ledger": LEDGER_NOW, "device": {}}
    found = json.loads(answer.body)
    # The wall clock less the monotonic one, whose beginning is the computer's.
    assert found.pop("clock_offset") == pytest.approx(time.time() - time.monotonic(), abs=0.5)
    assert found.pop("now") == pytest.approx(time.time(), abs=0.5)
    assert not answer.reusable  # a clock that is repeated is wrong
    assert found == plain | more
    assert answer.body.count(b"\n") == 1
    assert answer.body.endswith(b"}\n")
    assert replied("/json", {"verbose": "0"}) == answered("/json")
    waiting = replied("/json", {"verbose": "1"}, snapshot=EMPTY)
    assert isinstance(waiting, Answer)
    found = json.loads(waiting.body)
    assert found.pop("clock_offset") > 0
    assert found.pop("now") > 0
    assert not waiting.reusable
    assert found == {"status": "waiting", "reason": EMPTY.reason} | more


def test_the_newest_sample_tells_its_gap_with_the_ledger() -> None:
    """As the stream does."""
    record = make_record(7, flags=int(Flag.DEVICE_GAP), lost=2)
    told = json.loads(answered("/json", FRESH._replace(record=record)).body)
    assert told["gap"]["ledger"] == LEDGER_NOW


@pytest.mark.parametrize("path", ["/json", "/healthz"])
@pytest.mark.parametrize(
    "snapshot", [EMPTY, FRESH._replace(status=WAITING, reason="no sample yet")]
)
def test_before_the_first_sample_there_is_a_reason(path: str, snapshot: Snapshot) -> None:
    """503 with Retry-After, and in words why; also for a sample that is not judged yet."""
    answer = answered(path, snapshot)
    assert (answer.status, dict(answer.headers)["Retry-After"]) == (503, "2")
    told = json.loads(answer.body)
    assert (told["status"], told["reason"]) == ("waiting", snapshot.reason)
    assert ("workers_up" in told) == (path == "/healthz")


def test_health_is_200_while_samples_are_fresh() -> None:
    """And the body says the same, and how many processes serve."""
    answer = answered("/healthz")
    assert (answer.status, json.loads(answer.body)) == (
        200,
        {"status": "ok", "workers": 1, "workers_up": 1},
    )


@pytest.mark.parametrize(
    ("headers", "query", "expected"),
    [
        ({}, {}, ""),
        ({"last-event-id": "a"}, {}, "a"),
        ({}, {"last_event_id": "b"}, "b"),
        ({"last-event-id": "a"}, {"last_event_id": "b"}, "a"),
        ({"last-event-id": ""}, {"last_event_id": "b"}, "b"),
        ({"last-event-id": "a, b"}, {}, "b"),
        ({"last-event-id": "a,b"}, {"last_event_id": "c"}, "b"),
        ({}, {"lastEventId": "b"}, "b"),
        ({}, {"Last-Event-ID": "b"}, "b"),
        ({}, {"evs_last_event_id": "b"}, "b"),
        ({}, {"last_event_id": "", "lastEventId": "b"}, "b"),
        ({}, {"last_event_id": "b", "lastEventId": "b"}, "b"),
        ({"last-event-id": "a"}, {"last_event_id": "b", "lastEventId": "c"}, "a"),
    ],
)
def test_the_stream_resumes_by_header_or_query(
    headers: dict[str, str], query: dict[str, str], expected: str
) -> None:
    """A browser that reconnects has both: the header is the newer one."""
    assert last_event_id(Request("GET", "/events", query, headers)) == expected


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ({}, StreamOptions()),
        ({"rate": "10"}, StreamOptions(10.0)),
        ({"rate": "0.5", "stats": "1", "flush_ms": "20"}, StreamOptions(0.5, True, 20)),
        ({"stats": "1"}, StreamOptions()),
        ({"flush_ms": "1000"}, StreamOptions(flush_ms=1000)),
        ({"format": "sse"}, StreamOptions()),
        ({"format": "csv", "flush_ms": "5"}, StreamOptions(flush_ms=5, format="csv")),
        ({"format": "ndjson"}, StreamOptions(format="ndjson")),
        ({"iso": "1"}, StreamOptions(notation=Notation(iso=True))),
        ({"units": "si", "rate": "10"}, StreamOptions(10.0, notation=Notation(si=True))),
    ],
)
def test_the_stream_has_the_form_that_was_asked_for(
    query: dict[str, str], options: StreamOptions
) -> None:
    """Every sample at once, unless something else was asked for."""
    assert stream_options(Request("GET", "/events", query)) == options


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"rate": "0"}, "rate is a number from 0.01 to 8000"),
        ({"rate": "fast"}, "rate is a number"),
        ({"rate": "-1"}, "rate is a number"),
        ({"rate": "8001"}, "rate is a number"),
        ({"flush_ms": "1001"}, "flush_ms is a number from 0 to 1000"),
        ({"stats": "yes"}, "stats is 0 or 1"),
        ({"format": "json"}, "format is one of sse, csv, ndjson"),
        ({"format": "csv", "rate": "10"}, "format=csv has every sample, without rate"),
        ({"iso": "yes"}, "iso is 0 or 1"),
        ({"units": "g"}, "units is si"),
        ({"units": ""}, "units is si"),
    ],
)
def test_a_form_that_there_is_not_is_a_bad_request(query: dict[str, str], names: str) -> None:
    """The reason says what may be asked for."""
    with pytest.raises(RequestError, match=names) as caught:
        replied("/events", query)
    assert caught.value.status == 400


def test_the_newest_sample_comes_in_the_notation_that_was_asked_for() -> None:
    """With the values that the ring has."""
    plain = json.loads(answered("/json").body)
    answer = replied("/json", {"units": "si", "iso": "1"})
    assert isinstance(answer, Answer)
    found = json.loads(answer.body)
    assert found["sample"]["az_mss"] == pytest.approx(plain["sample"]["az"] * 9.80665)
    assert found["average"]["ax_mss"] == pytest.approx(plain["average"]["ax"] * 9.80665)
    assert "ax" not in found["sample"]
    assert found["time"].endswith("Z")
    assert "units" not in plain


def test_the_stream_is_an_answer_without_end() -> None:
    """Of its own type, for no cache to keep."""
    reply = replied("/events")
    assert isinstance(reply, Pieces)
    assert (reply.content_type, reply.endless) == ("text/event-stream", True)
    headers = dict(reply.headers)
    assert headers["Cache-Control"] == "no-store, no-transform"
    assert headers["X-Accel-Buffering"] == "no"


def test_metrics_are_made_anew_for_each_request() -> None:
    """They change between two samples, too."""
    answer = answered("/metrics")
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    assert not answer.reusable
    assert answered("/json").reusable


@pytest.mark.parametrize("path", sorted(ROUTES))
def test_a_parameter_that_a_path_does_not_have_is_refused(path: str) -> None:
    """A misspelt one that was ignored would give a wrong answer that looks right."""
    with pytest.raises(RequestError, match="has no parameter 'rte'") as caught:
        replied(path, {"rte": "10"})
    assert caught.value.status == 400
    for name in ROUTES[path].parameters:
        assert name in str(caught.value)


@pytest.mark.parametrize("path", sorted(ROUTES))
def test_what_scripts_append_to_get_past_caches_is_ignored(path: str) -> None:
    """As if it were not there."""
    reply = replied(path, {"_": "1700000000000"})
    assert not isinstance(reply, Answer) or reply.status == 200


@pytest.mark.parametrize("path", ["/", "/static/page.js"])
def test_the_page_accepts_any_query(path: str) -> None:
    """It is for the page's own script."""
    answer = replied(path, {"window": "10"})
    assert isinstance(answer, Answer)
    assert answer.status == 200


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, History()),
        ({"format": "csv"}, History("csv")),
        ({"format": "ndjson", "limit": "0"}, History("ndjson", limit=0)),
        ({"since": ID}, History(since=(GENERATION, 7))),
        ({"seconds": "10"}, History(seconds=10.0)),
        ({"seconds": "0.5"}, History(seconds=0.5)),
        ({"seconds": "1000000", "limit": "999999999"}, History(seconds=1e6, limit=999_999_999)),
    ],
)
def test_a_history_is_asked_for(query: dict[str, str], expected: History) -> None:
    """Each field of the query, and what it means."""
    assert history_of(Request("GET", "/history", query)) == expected
    assert isinstance(replied("/history", query), Deferred)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("format", ["", "xml", "JSON"]),
        ("since", ["", "7", "x-7", f"{GENERATION:016x}-", f"{GENERATION:016x}--1"]),
        ("seconds", ["", "-1", "1e3", "inf", "nan", "100000001", "٣", ".5", " 1"]),
        ("limit", ["", "-1", "1.5", "1000000000", "٣", "x"]),
    ],
)
def test_a_bad_value_is_refused(name: str, values: list[str]) -> None:
    """With 400, and words that say what would be a good one."""
    for value in values:
        with pytest.raises(RequestError, match=name) as caught:
            replied("/history", {name: value})
        assert caught.value.status == 400


@given(st.dictionaries(st.sampled_from(["format", "since", "seconds", "limit"]), st.text()))
def test_no_query_is_an_unforeseen_error(query: dict[str, str]) -> None:
    """It is understood, or refused with 400."""
    status = 200
    try:
        replied("/history", query)
    except RequestError as error:
        status = error.status
    assert status in (200, 400)


def test_two_cursors_that_disagree_are_refused() -> None:
    """Nobody can know which one was meant."""
    with pytest.raises(RequestError, match="last_event_id and lastEventId disagree") as caught:
        replied("/events", {"last_event_id": "a", "lastEventId": "b"})
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("query", "after"),
    [
        ({}, 41),
        ({"last_event_id": f"{GENERATION:016x}-7"}, 7),
        ({"lastEventId": f"{GENERATION:016x}-43"}, 41),
        ({"last_event_id": "garbage"}, 41),
        ({"evs_last_event_id": "0000000000000001-7"}, 41),
        ({"last_event_id": "earliest"}, 0),
    ],
)
def test_the_head_says_after_which_id_the_stream_starts(query: dict[str, str], after: int) -> None:
    """A client can compare it with what it asked for."""
    app = make_app(FakeRecords(), PAGE)
    app.hub.snapshot, app.hub.head = FRESH, 42
    reply = app.respond(Request("GET", "/events", query))
    app.close()
    assert isinstance(reply, Pieces)
    assert dict(reply.headers)["Last-Event-ID"] == f"{GENERATION:016x}-{after}"


@pytest.mark.parametrize(("age_s", "status"), [(1.5, 200), (3.0, 503)])
def test_an_old_sample_is_a_503_for_who_asks_for_that(age_s: float, status: int) -> None:
    """Home automation looks at the status line only."""
    record = make_record(42, t_ns=time.monotonic_ns() - round(age_s * 1e9))
    answer = replied("/json", {"max_age": "2"}, snapshot=FRESH._replace(record=record))
    assert isinstance(answer, Answer)
    assert (answer.status, answer.reusable) == (status, False)
    if status == 503:
        assert (
            json.loads(answer.body)["reason"]
            == "the newest sample is 3.0 s old, and max_age is 2 s"
        )
        assert dict(answer.headers)["Retry-After"] == "2"
        assert json.loads(answer.body)["status"] == "stale"
    plain = replied("/json", snapshot=FRESH._replace(record=record))
    assert isinstance(plain, Answer)
    assert plain.status == 200


@pytest.mark.parametrize("snapshot", [EMPTY, FRESH._replace(status="stopped"), FRESH])
def test_the_server_lives_whatever_the_sensor_does(snapshot: Snapshot) -> None:
    """A load balancer would take it away just when its status should be seen."""
    assert answered("/livez", snapshot).status == 200


def test_a_page_of_another_origin_asks_first_and_may_read() -> None:
    """Only with the option; errors are for it, too."""
    app = make_app(FakeRecords(), PAGE)
    with pytest.raises(RequestError, match="only GET, HEAD"):
        app.respond(Request("OPTIONS", "/events"))
    app.common_headers = cors.headers("https://example.org")
    answer = app.respond(Request("OPTIONS", "/events"))
    app.close()
    assert isinstance(answer, Answer)
    headers = dict(answer.headers)
    assert (answer.status, answer.body) == (204, b"")
    assert "OPTIONS" in headers["Access-Control-Allow-Methods"]
    for name in ("Last-Event-ID", "Cache-Control"):
        assert name in headers["Access-Control-Allow-Headers"]
    common = dict(app.common_headers)
    assert common["Access-Control-Allow-Origin"] == "https://example.org"
    assert "Last-Event-ID" in common["Access-Control-Expose-Headers"]
    assert common["Vary"] == "Origin"
    assert "Vary" not in dict(cors.headers("*"))
    assert cors.headers("") == ()


@pytest.mark.parametrize("form", ["{}", "W/{}", '"a", W/{}', "*", ' "b" ,{} '])
def test_a_validator_in_any_form_is_understood(form: str) -> None:
    """Weak ones, lists and a star."""
    etag = dict(answered("/").headers)["ETag"]
    assert answered("/", if_none_match=form.format(etag)).status == 304
    assert answered("/", if_none_match='W/"other", "more"').status == 200


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("/", "text/html", b"<!doctype html>"),
        ("/static/page.js", "text/javascript", b"let x"),
        ("/static/a.css", "text/css", b""),
        ("/static/x.bin", "application/octet-stream", b""),
        ("/static/net/long.js", "text/javascript", LONG_SCRIPT),
    ],
)
def test_the_page_is_served_as_what_it_is(path: str, kind: str, body: bytes) -> None:
    """With its type, and with a policy that lets it load nothing from elsewhere."""
    answer = answered(path)
    assert (answer.status, answer.body) == (200, body)
    assert answer.content_type == f"{kind}; charset=utf-8"
    headers = dict(answer.headers)
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert headers["Cache-Control"] == "no-cache"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_page_that_the_browser_has_is_not_sent_again() -> None:
    """304 for the ETag that it was given, 200 for another."""
    etag = dict(answered("/").headers)["ETag"]
    again = answered("/", if_none_match=etag)
    assert (again.status, again.body, dict(again.headers)["ETag"]) == (304, b"", etag)
    assert answered("/", if_none_match='"other"').status == 200
    assert dict(answered("/static/page.js").headers)["ETag"] != etag


def test_a_file_of_the_page_is_compressed_for_those_who_accept_it() -> None:
    """Under a validator of its own: the other one is that of other bytes."""
    plain, gzipped = (
        answered("/static/net/long.js", accept_encoding=coding)
        for coding in ("gzip;q=0", "br, gzip")
    )
    assert "Content-Encoding" not in dict(plain.headers)
    assert dict(gzipped.headers)["Content-Encoding"] == "gzip"
    assert gzip.decompress(gzipped.body) == plain.body == LONG_SCRIPT
    for answer, other in ((plain, gzipped), (gzipped, plain)):
        assert dict(answer.headers)["Vary"] == "Accept-Encoding"
        etag, others = (dict(each.headers)["ETag"] for each in (answer, other))
        coding = "gzip" if answer is gzipped else "identity"
        path = "/static/net/long.js"
        again = answered(path, accept_encoding=coding, if_none_match=etag)
        assert (again.status, again.body, dict(again.headers)["ETag"]) == (304, b"", etag)
        assert dict(again.headers)["Vary"] == "Accept-Encoding"
        assert "Content-Encoding" not in dict(again.headers)
        assert answered(path, accept_encoding=coding, if_none_match=others).status == 200


def test_a_file_that_gzip_makes_no_smaller_is_sent_as_it_is() -> None:
    """Nothing is gained by a detour."""
    answer = answered("/static/page.js", accept_encoding="gzip")
    assert answer.body == b"let x"
    assert "Content-Encoding" not in dict(answer.headers)
