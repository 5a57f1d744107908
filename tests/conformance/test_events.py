"""The suite's own parser of a stream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mpu.conformance import events
from trio_mpu.conformance.events import Event, Parser
from trio_mpu.conformance.verdict import Failed

STREAM = b'retry: 1000\nid: a-1\ndata: {"x":1}\n\n:\nevent: status\ndata: {"y":\ndata: 2}\n\ndata:3\r\n\r\n'
EVENTS = [
    Event("retry", "1000"),
    Event("event", '{"x":1}', "a-1"),
    Event("comment"),
    Event("event", '{"y":\n2}', "", "status"),
    Event("event", "3"),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=9).map(sorted))
def test_events_are_the_same_in_any_pieces(places: list[int]) -> None:
    """Cut at any bytes."""
    parser, found = Parser(), list[Event]()
    for begin, end in zip([0, *places], [*places, len(STREAM)], strict=True):
        found += parser.feed(STREAM[begin:end])
    assert found == EVENTS
    assert [event.is_sample for event in found] == [False, True, False, False, True]


@pytest.mark.parametrize(
    "stream", [b"\n", b"id: 1\n\n", b"data: \xff\n", b"dat: 1\n", b"retry: x\n", b"retry: \n"]
)
def test_what_clients_understand_differently_is_a_failed_check(stream: bytes) -> None:
    """Or not at all."""
    with pytest.raises(Failed):
        Parser().feed(stream)


def test_a_line_without_end_is_a_failed_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not kept for ever."""
    monkeypatch.setattr(events, "MAX_LINE_BYTES", 10)
    parser = Parser()
    assert parser.feed(b"data: 1234") == []
    with pytest.raises(Failed):
        parser.feed(b"5")


@pytest.mark.parametrize("data", ["", "{", "[1]"])
def test_data_must_be_an_object(data: str) -> None:
    """Of JSON."""
    with pytest.raises(Failed):
        Event("event", data).object()
    assert Event("event", '{"a":1}').object() == {"a": 1}
