"""A request's target, taken apart: tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mpu.errors import RequestError
from trio_mpu.web.request import Request, accepts_gzip, check_parameters, parse_target, shown


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
    found_path, found_query = parse_target(target, [b"test"])
    assert found_path == path
    assert query is None or found_query == query


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
        b"[fe80::1%25eth0]:3737",
        b"[fe80::1%eth0]",
        b"[2001:db8::192.0.2.1]:1",
        b"raspberry-pi.local",
        b"a_b",
        b"%C3%A4",
    ],
)
def test_a_well_formed_host_is_taken(host: bytes) -> None:
    """Names, addresses of both kinds, with and without a port, and nothing at all."""
    assert parse_target(b"/json", [host])[0] == "/json"


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
    assert parse_target(f"/json?{query}".encode(), [])[0] == "/json"


@pytest.mark.parametrize(
    ("known", "query", "complaint"),
    [
        (("a", "b"), {"c": ""}, "/x has no parameter 'c': it has a, b"),
        (("a",), {"a": "1", "b": "", "c": ""}, "/x has no parameter 'b', 'c': it has a"),
        ((), {"a": "1"}, "/x has no parameter 'a': it has none"),
    ],
)
def test_an_unknown_parameter_is_refused(
    known: tuple[str, ...], query: dict[str, str], complaint: str
) -> None:
    """By its name, with those that there are."""
    with pytest.raises(RequestError) as caught:
        check_parameters(Request("GET", "/x", query), known)
    assert (caught.value.status, str(caught.value)) == (400, complaint)


def test_a_clients_words_are_not_repeated_without_end() -> None:
    """An error stays a line that can be read."""
    assert (shown("x" * 100), shown("x" * 101)) == ("x" * 100, "x" * 100 + "…")


@pytest.mark.parametrize(
    ("header", "accepts"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*;q=0", False),
        ("br", False),
        ("", False),
    ],
)
def test_gzip_is_for_who_accepts_it(header: str, accepts: bool) -> None:
    """RFC 9110, section 12.5.3."""
    assert accepts_gzip(Request("GET", "/", {}, {"accept-encoding": header})) == accepts
    assert not accepts_gzip(Request("GET", "/"))


def test_bytes_beyond_ascii_are_never_letters() -> None:
    """A target is ASCII (RFC 9112, section 3.2): what is not is shown as unknown, byte by byte."""
    assert parse_target("/é".encode(), [b"test"])[0] == "/\ufffd\ufffd"


def test_a_refusal_says_what_was_wrong_with_the_target() -> None:
    """The reason reaches the client as it is here."""
    with pytest.raises(RequestError, match=r"^the request's target is not a path$"):
        parse_target(b"*", [b"test"])
    with pytest.raises(RequestError, match=r"^malformed Host$"):
        parse_target(b"/", [b"a b"])


def test_a_script_may_append_an_underscore_to_get_past_caches() -> None:
    """It is a parameter of no path, and no path refuses it."""
    check_parameters(Request("GET", "/json", {"_": "1700000000"}), ())
    with pytest.raises(RequestError, match="no parameter '__'"):
        check_parameters(Request("GET", "/json", {"__": "1"}), ())
