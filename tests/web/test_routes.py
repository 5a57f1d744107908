"""A request and the state → what to answer: tables."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.fakes import GENERATION, LEDGER_NOW, FakeAccounts, make_record
from trio_mpu.errors import RequestError
from trio_mpu.fanout.encoder import StreamOptions
from trio_mpu.fanout.snapshot import WAITING, Snapshot
from trio_mpu.formats import Origin
from trio_mpu.sample import Flag
from trio_mpu.web.routes import (
    Answer,
    Events,
    History,
    Numbers,
    Page,
    Route,
    Target,
    error_answer,
    parse_target,
    route,
)

AVERAGE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
FRESH = Snapshot("ok", "", Origin(GENERATION, "fake"), make_record(42), AVERAGE)
EMPTY = Snapshot(WAITING, "no sample yet: the sensor has given none")
PAGE = Page.of({"index.html": b"<!doctype html>", "page.js": b"let x", "a.css": b"", "x.bin": b""})
ID = f"{GENERATION:016x}-7"


def routed(
    path: str,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    *,
    method: str = "GET",
    snapshot: Snapshot = FRESH,
) -> Route:
    """Route one request."""
    target = Target(path, query or {})
    return route(method, target, headers or {}, snapshot, PAGE, FakeAccounts())


def answered(path: str, snapshot: Snapshot = FRESH, **headers: str) -> Answer:
    """Route one request that is answered at once."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = routed(path, headers=names, snapshot=snapshot)
    assert isinstance(answer, Answer)
    return answer


# -- targets ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", {}),
        (b"/json", "/json", {}),
        (b"/json?", "/json", {}),
        (b"/json?x=1&y=2", "/json", {"x": "1", "y": "2"}),
        (b"/json?x=1&x=2", "/json", {"x": "2"}),
        (b"/json?x", "/json", {"x": ""}),
        (b"/json?/events", "/json", {"/events": ""}),
        (b"/json?x=a?b", "/json", {"x": "a?b"}),
        (b"/json?" + b"&".join(b"k%d=1" % n for n in range(500)), "/json", None),
        (b"/%6Ason", "/json", {}),
        (b"/json%3Fx=1", "/json?x=1", {}),
        (b"/%ff%00%zz", "/\ufffd\0%zz", {}),
        (b"/\xff", "/\ufffd", {}),
        (b"/events?last_event_id=a%2Db+c", "/events", {"last_event_id": "a-b c"}),
        (b"http://host/json?x=1", "/json", {"x": "1"}),
        (b"HTTP://host:3737/json", "/json", {}),
        (b"https://[::1]:80/events", "/events", {}),
        (b"http://host", "/", {}),
        (b"http://host?x=/events", "/", {"x": "/events"}),
        (b"//host/json", "//host/json", {}),
    ],
)
def test_a_target_is_taken_apart(target: bytes, path: str, query: dict[str, str] | None) -> None:
    """Path and query are told from each other, whatever the form of the target."""
    parsed = parse_target(target, [b"test"])
    assert parsed.path == path
    assert query is None or parsed.query == query


@pytest.mark.parametrize(
    "target",
    [
        b"*",
        b"host:80",
        b"json",
        b"ftp://host/json",
        b"http:/json",
        b"http:///json",
        b"http://:80/json",
        b"http://user@host/json",
        b"http://ho st/json",
        b"http://host:x/",
        b"file:///etc/passwd",
    ],
)
def test_a_target_of_another_form_is_refused(target: bytes) -> None:
    """What only a proxy, CONNECT or OPTIONS could mean is the client's error."""
    with pytest.raises(RequestError) as caught:
        parse_target(target, [b"test"])
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b"localhost",
        b"localhost:3737",
        b"localhost:",
        b"127.0.0.1:80",
        b"[::1]",
        b"[::1]:3737",
        b"[2001:db8::192.0.2.1]:1",
        b"raspberry-pi.local",
        b"a_b",
        b"%C3%A4",
    ],
)
def test_a_well_formed_host_is_taken(host: bytes) -> None:
    """Names, addresses of both kinds, with and without a port, and nothing at all."""
    assert parse_target(b"/json", [host]).path == "/json"


@pytest.mark.parametrize(
    "host",
    [
        b"a b",
        b"a/b",
        b"u@a",
        b"a:b",
        b"a:1:2",
        b"::1",
        b"[::1",
        b"[x]",
        b"a:123456",
        b"a,b?",
        b"\xe4",
    ],
)
@pytest.mark.parametrize("target", [b"/json", b"http://host/json"])
def test_a_malformed_host_is_refused(host: bytes, target: bytes) -> None:
    """RFC 9112, section 3.2 says so, for every form of target."""
    with pytest.raises(RequestError, match="malformed Host") as caught:
        parse_target(target, [host])
    assert caught.value.status == 400


@given(st.binary())
def test_no_target_is_an_unforeseen_error(target: bytes) -> None:
    """It is taken apart, or refused with 400."""
    status = 200
    try:
        parse_target(target, [])
    except RequestError as error:
        status = error.status
    assert status in (200, 400)


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=100))
def test_a_query_never_changes_the_path(query: str) -> None:
    """Whatever it holds."""
    assert parse_target(f"/json?{query}".encode(), []).path == "/json"


# -- routes -------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get"])
@pytest.mark.parametrize("path", ["/", "/json", "/events", "/nothing"])
def test_other_methods_are_not_allowed(method: str, path: str) -> None:
    """The answer says which are."""
    with pytest.raises(RequestError) as caught:
        routed(path, method=method)
    assert caught.value.status == 405
    assert ("Allow", "GET, HEAD") in error_answer(405, str(caught.value)).headers


@pytest.mark.parametrize(
    "path", ["/nothing", "/json/", "/JSON", "/static/", "//json", "/json?", ""]
)
def test_another_path_is_not_found(path: str) -> None:
    """Paths are compared whole."""
    with pytest.raises(RequestError) as caught:
        routed(path)
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
        "workers": 4,
        "workers_up": 3,
    }


def test_verbose_tells_the_ledger_and_the_device() -> None:
    """After the keys that are always there; also while there is no sample."""
    plain = json.loads(answered("/json").body)
    answer = routed("/json", {"verbose": "1"})
    assert isinstance(answer, Answer)
    more = {"ledger": LEDGER_NOW, "device": {"chip": "MPU-6050"}}
    assert json.loads(answer.body) == plain | more
    assert answer.body.count(b"\n") == 1
    assert answer.body.endswith(b"}\n")
    assert routed("/json", {"verbose": "0"}) == answered("/json")
    waiting = routed("/json", {"verbose": "1"}, snapshot=EMPTY)
    assert isinstance(waiting, Answer)
    assert json.loads(waiting.body) == {"status": "waiting", "reason": EMPTY.reason} | more


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
        {"status": "ok", "workers": 4, "workers_up": 3},
    )


@pytest.mark.parametrize(
    ("headers", "query", "expected"),
    [
        ({}, {}, ""),
        ({"last-event-id": "a"}, {}, "a"),
        ({}, {"last_event_id": "b"}, "b"),
        ({"last-event-id": "a"}, {"last_event_id": "b"}, "a"),
        ({"last-event-id": ""}, {"last_event_id": "b"}, "b"),
    ],
)
def test_the_stream_resumes_by_header_or_query(
    headers: dict[str, str], query: dict[str, str], expected: str
) -> None:
    """A browser that reconnects has both: the header is the newer one."""
    assert routed("/events", query, headers) == Events(expected)


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ({}, StreamOptions()),
        ({"rate": "10"}, StreamOptions(10.0)),
        ({"rate": "0.5", "stats": "1", "flush_ms": "20"}, StreamOptions(0.5, True, 20)),
        ({"stats": "1"}, StreamOptions()),
        ({"flush_ms": "1000"}, StreamOptions(flush_ms=1000)),
    ],
)
def test_the_stream_has_the_form_that_was_asked_for(
    query: dict[str, str], options: StreamOptions
) -> None:
    """Every sample at once, unless something else was asked for."""
    assert routed("/events", query) == Events("", options)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"rate": "0"}, "rate is a number from 0.01 to 8000"),
        ({"rate": "fast"}, "rate is a number"),
        ({"rate": "-1"}, "rate is a number"),
        ({"rate": "8001"}, "rate is a number"),
        ({"flush_ms": "1001"}, "flush_ms is a number from 0 to 1000"),
        ({"stats": "yes"}, "stats is 0 or 1"),
    ],
)
def test_a_form_that_there_is_not_is_a_bad_request(query: dict[str, str], names: str) -> None:
    """The reason says what may be asked for."""
    with pytest.raises(RequestError, match=names) as caught:
        routed("/events", query)
    assert caught.value.status == 400


def test_metrics_are_numbers() -> None:
    """Whoever has the counters fills them in."""
    assert routed("/metrics") == Numbers()


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
        ({"other": "x"}, History()),
    ],
)
def test_a_history_is_asked_for(query: dict[str, str], expected: History) -> None:
    """Each field of the query, and what it means."""
    assert routed("/history", query) == expected


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("format", ["", "xml", "JSON"]),
        ("since", ["", "7", "x-7", f"{GENERATION:016x}-", f"{GENERATION:016x}--1"]),
        ("seconds", ["", "-1", "1e3", "inf", "nan", "1000001", "٣", ".5", " 1"]),
        ("limit", ["", "-1", "1.5", "1000000000", "٣", "x"]),
    ],
)
def test_a_bad_value_is_refused(name: str, values: list[str]) -> None:
    """With 400, and words that say what would be a good one."""
    for value in values:
        with pytest.raises(RequestError, match=name) as caught:
            routed("/history", {name: value})
        assert caught.value.status == 400


@given(st.dictionaries(st.sampled_from(["format", "since", "seconds", "limit"]), st.text()))
def test_no_query_is_an_unforeseen_error(query: dict[str, str]) -> None:
    """It is understood, or refused with 400."""
    status = 200
    try:
        routed("/history", query)
    except RequestError as error:
        status = error.status
    assert status in (200, 400)


# -- the page, and errors -----------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("/", "text/html", b"<!doctype html>"),
        ("/static/page.js", "text/javascript", b"let x"),
        ("/static/a.css", "text/css", b""),
        ("/static/x.bin", "application/octet-stream", b""),
    ],
)
def test_the_page_is_served_as_what_it_is(path: str, kind: str, body: bytes) -> None:
    """With its type, and with a policy that lets it load nothing from elsewhere."""
    answer = answered(path)
    assert (answer.status, answer.body) == (200, body)
    assert answer.content_type == f"{kind}; charset=utf-8"
    headers = dict(answer.headers)
    assert headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert headers["Cache-Control"] == "no-cache"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_page_that_the_browser_has_is_not_sent_again() -> None:
    """304 for the ETag that it was given, 200 for another."""
    etag = dict(answered("/").headers)["ETag"]
    again = answered("/", if_none_match=etag)
    assert (again.status, again.body, dict(again.headers)["ETag"]) == (304, b"", etag)
    assert answered("/", if_none_match='"other"').status == 200
    assert dict(answered("/static/page.js").headers)["ETag"] != etag


@pytest.mark.parametrize("status", [400, 404, 405, 408, 413, 431, 501, 503, 505])
def test_an_error_is_json_with_its_reason(status: int) -> None:
    """One form for all; 503 says when to come back."""
    answer = error_answer(status, "why")
    assert answer.status == status
    word = "unavailable" if status == 503 else "error"
    assert json.loads(answer.body) == {"status": word, "reason": "why"}
    assert ("Retry-After" in dict(answer.headers)) == (status == 503)
    assert ("Allow" in dict(answer.headers)) == (status == 405)
