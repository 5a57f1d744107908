"""Heads of answers: what is understood, and what no client should have to."""

import pytest

from trio_mpu.conformance.answers import head_of
from trio_mpu.conformance.verdict import Failed, require, shown


def test_a_sound_head_is_understood() -> None:
    """With what follows from it about the body."""
    answer = head_of(
        [
            b"HTTP/1.1 200 OK",
            b"Content-Type: text/CSV; header=present",
            b"Content-Length: 5",
            b"A: 1",
            b"a: 2",
        ],
        "GET",
    )
    assert (answer.status, answer.type, answer.length, answer.field("a")) == (
        200,
        "text/csv",
        5,
        "1, 2",
    )
    assert answer.has_body
    assert not answer.is_chunked
    assert not answer.closes
    assert answer.require(200, "text/csv") is answer
    with pytest.raises(Failed, match="status 200, not 404"):
        answer.require(404)
    with pytest.raises(Failed, match="its type is text/csv, not a/b"):
        answer.require(200, "a/b")


@pytest.mark.parametrize(
    ("method", "status", "has_body"),
    [
        ("HEAD", 200, False),
        ("GET", 304, False),
        ("GET", 100, False),
        ("OPTIONS", 204, False),
        ("GET", 404, True),
    ],
)
def test_not_every_answer_has_a_body(method: str, status: int, has_body: bool) -> None:
    """RFC 9112, section 6.3."""
    answer = head_of([f"HTTP/1.1 {status} X".encode(), b"Connection: Close"], method)
    assert answer.has_body == has_body
    assert answer.closes
    assert answer.length is None


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b"HTTP/1.0 200 OK"],
        [b"HTTP/1.1 600 X"],
        [b"HTTP/1.1 200 OK", b"no colon"],
        [b"HTTP/1.1 200 OK", b"A : b"],
        [b"HTTP/1.1 200 OK", b"A: \x00"],
        [b"HTTP/1.1 200 OK", b"Content-Length: 5", b"Content-Length: 6"],
        [b"HTTP/1.1 200 OK", b"Content-Length: -5"],
        [b"HTTP/1.1 200 OK", b"Content-Length: 5", b"Transfer-Encoding: chunked"],
        [b"HTTP/1.1 200 OK", b"Transfer-Encoding: gzip"],
    ],
)
def test_a_malformed_head_is_a_failed_check(lines: list[bytes]) -> None:
    """It is never guessed where the body ends."""
    with pytest.raises(Failed):
        head_of(lines, "GET")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_object_is_a_failed_check(body: bytes) -> None:
    """Of an answer that is to be one."""
    answer = head_of([b"HTTP/1.1 200 OK"], "GET")
    answer.body = body
    with pytest.raises(Failed):
        answer.json()
    answer.body = b'{"a":1}'
    assert answer.json() == {"a": 1}


def test_a_message_is_not_too_long() -> None:
    """Whatever the server sends."""
    assert shown("x" * 1000) == "'" + "x" * 79 + "…"
    require(True, "")
    with pytest.raises(Failed, match="wrong"):
        require(False, "wrong")
