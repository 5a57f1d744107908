"""Events as bytes, read back by the standard's rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.http_client import parse_event
from trio_mpu.fanout import sse


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"data": "{}"}, b"data: {}\n\n"),
        ({"data": "{}", "event_id": "a-1"}, b"id: a-1\ndata: {}\n\n"),
        ({"data": "{}", "name": "status"}, b"event: status\ndata: {}\n\n"),
        (
            {"data": "{}", "name": "status", "event_id": "a-1"},
            b"event: status\nid: a-1\ndata: {}\n\n",
        ),
        ({"data": ""}, b"data: \n\n"),
        ({"data": " x"}, b"data:  x\n\n"),
        ({"data": "a\nb"}, b"data: a\ndata: b\n\n"),
        ({"data": "a\r\nb\rc\n"}, b"data: a\ndata: b\ndata: c\ndata: \n\n"),
        ({"data": "°"}, b"data: \xc2\xb0\n\n"),
    ],
)
def test_an_event_has_exactly_these_bytes(arguments: dict[str, str], expected: bytes) -> None:
    """Name, id and data, in that order, and an empty line."""
    assert sse.event(**arguments) == expected


@pytest.mark.parametrize("character", ["\x0b", "\x0c", "\x1c", "\x1e", "\x85", "\u2028", "\u2029"])
def test_only_the_standards_line_ends_split_a_line(character: str) -> None:
    """What str.splitlines() takes for a line end in addition would put a newline into JSON."""
    assert sse.event(f"a{character}b") == f"data: a{character}b\n\n".encode()


@given(st.text(st.characters(codec="utf-8")))
def test_any_data_comes_back(data: str) -> None:
    """A client gets the data as it was; line ends all as LF."""
    block = sse.event(data, event_id="a-1", name="status").decode()
    assert block.endswith("\n\n")
    event = parse_event(block[:-2])
    assert (event.id, event.name) == ("a-1", "status")
    assert event.data == data.replace("\r\n", "\n").replace("\r", "\n")
    assert not any("\n\n" in part for part in [block[:-2]])


def test_opening_and_heartbeat_are_no_events() -> None:
    """Neither ends a block: for one without data, some clients give their users an empty event."""
    for line in (sse.OPENING, sse.HEARTBEAT):
        assert line.count(b"\n") == 1
        assert line.endswith(b"\n")
    opening = parse_event(sse.OPENING.decode().removesuffix("\n"))
    assert (opening.retry, opening.data) == (str(sse.RETRY_MS), "")
    heartbeat = parse_event(sse.HEARTBEAT.decode().removesuffix("\n"))
    assert (heartbeat.comments, heartbeat.data) == ([""], "")
