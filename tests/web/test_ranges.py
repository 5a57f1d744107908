"""Conditions and ranges, by the sentences of RFC 9110."""

import pytest

from trio_mpu.web.ranges import Part, matches, part_of
from trio_mpu.web.request import Request

ETAG = '"abc"'
WHOLE = Part(200, 0, 1000)


def asked(method: str = "GET", size: int = 1000, **headers: str) -> Part:
    """The part for a request with these header fields."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return part_of(Request(method, "/history", {}, names), ETAG, size)


@pytest.mark.parametrize(
    ("text", "first", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-499", 0, 500),
        ("bytes=500-999", 500, 1000),
        ("bytes=500-", 500, 1000),
        ("bytes=0-", 0, 1000),
        ("bytes=999-", 999, 1000),
        ("bytes=999-999", 999, 1000),
        ("bytes=-1", 999, 1000),
        ("bytes=-500", 500, 1000),
        ("bytes=-1000", 0, 1000),
        ("bytes=-1001", 0, 1000),
        ("bytes=9-1000", 9, 1000),
        ("bytes=9-" + "9" * 10_000, 9, 1000),
        ("bytes=-" + "9" * 10_000, 0, 1000),
        ("bytes=007-008", 7, 9),
        ("bytes=" + "0" * 10_000 + "7-8", 7, 9),
        ("Bytes=1-2", 1, 3),
        ("bytes= 1-2 ", 1, 3),
        ("bytes=,1-2", 1, 3),
        ("bytes=\t1-2 , ,", 1, 3),
    ],
)
def test_one_range_is_answered_with_its_bytes(text: str, first: int, end: int) -> None:
    """Sections 14.1.2 and 14.2; the end is cut to what there is."""
    assert asked(range=text) == Part(206, first, end)


@pytest.mark.parametrize(
    "text",
    ["bytes=1000-", "bytes=1000-2000", "bytes=" + "9" * 10_000 + "-", "bytes=-0", "bytes=-00"],
)
def test_a_range_beyond_the_end_can_not_be_satisfied(text: str) -> None:
    """Section 15.5.17."""
    assert asked(range=text) == Part(416)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=1",
        "bytes=2-1",
        "bytes=1000-1",
        "bytes=a-b",
        "bytes=1-2-3",
        "bytes=--1",
        "bytes=+1-2",
        "bytes=1 - 2",
        "bytes=1-2;x",
        "bytes=\u0661-\u0662",
        "bytes=0-0,2-3",
        "bytes=0-0,-1",
        "items=0-0",
        "bytes:0-0",
        "0-0",
    ],
)
def test_a_range_that_is_malformed_or_of_another_kind_is_ignored(text: str) -> None:
    """Section 14.2 allows it, and demands it for unknown units."""
    assert asked(range=text) == WHOLE


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("bytes=0-", Part(416)),
        ("bytes=0-0", Part(416)),
        ("bytes=-0", Part(416)),
        ("bytes=-5", Part(200, 0, 0)),
    ],
)
def test_of_nothing_there_is_no_range(text: str, part: Part) -> None:
    """Its last five bytes are all of it, which Content-Range can't express."""
    assert asked(size=0, range=text) == part


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_only_get_has_ranges(method: str) -> None:
    """Section 14.2."""
    assert asked(method, range="bytes=0-0") == WHOLE


@pytest.mark.parametrize(
    ("validator", "status"),
    [
        (ETAG, 206),
        (f" {ETAG} ", 206),
        ('"abd"', 200),
        (f"W/{ETAG}", 200),
        (f'{ETAG}, "x"', 200),
        ("*", 200),
        ("Mon, 30 Nov 2026 12:00:00 GMT", 200),
        ("", 200),
    ],
)
def test_if_range_gives_the_part_only_of_the_same_file(validator: str, status: int) -> None:
    """Section 13.1.5: compared strongly; a date matches none, as there is no Last-Modified."""
    assert asked(range="bytes=0-0", if_range=validator).status == status
    assert asked(if_range=validator) == WHOLE
    # What is not satisfiable is not looked at where the file is another one.
    assert asked(range="bytes=5000-", if_range=validator).status == {206: 416}.get(status, 200)


@pytest.mark.parametrize(
    ("validators", "status"),
    [
        (ETAG, 304),
        (f"W/{ETAG}", 304),
        (f'"x", {ETAG}', 304),
        (f'"x",W/{ETAG},"y"', 304),
        ("*", 304),
        (" * ", 304),
        ('"x"', 200),
        ("abc", 200),
        ("", 200),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_has_the_file_gets_no_other(validators: str, status: int, method: str) -> None:
    """Section 13.1.2: compared weakly; before any range is looked at."""
    assert asked(method, if_none_match=validators).status == status
    ranged = asked(method, if_none_match=validators, range="bytes=0-0").status
    assert ranged == {200: 206 if method == "GET" else 200}.get(status, status)


@pytest.mark.parametrize(
    ("validators", "status"),
    [
        (ETAG, 206),
        ("*", 206),
        (f'"x", {ETAG}', 206),
        (f"W/{ETAG}", 412),
        ('"x"', 412),
        ("", 412),
    ],
)
def test_if_match_insists_on_a_file(validators: str, status: int) -> None:
    """Section 13.1.1: compared strongly, and looked at first of all."""
    assert asked(if_match=validators, range="bytes=0-0").status == status
    both = asked(if_match=validators, if_none_match=ETAG).status
    assert both == (412 if status == 412 else 304)


def test_a_validator_with_a_comma_is_one() -> None:
    """Section 8.8.3 allows nearly everything between the quotes."""
    assert matches('"a,b"', '"a,b"')
    assert not matches('"a,b"', '"b"')
