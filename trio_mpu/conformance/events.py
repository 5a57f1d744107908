# Pure: no I/O, no clock, no waiting.
"""The bytes of a stream → its events, by the rules of WHATWG HTML, section 9.2.6.

Stricter than a browser, which ignores what it does not know: a line that no client understands is a
failed check here.
"""

from typing import Any, Final, NamedTuple

from trio_mpu.conformance.verdict import Failed, json_object, require, shown

MAX_LINE_BYTES: Final = 1_000_000  # an event has some 500; arbitrary
_KNOWN: Final = ("data", "id", "event", "retry")


class Event(NamedTuple):
    """An event; `retry` and `comment` are lines that stand alone, and have no data."""

    kind: str  # "event", "retry" or "comment"
    data: str = ""
    id: str = ""
    name: str = ""

    @property
    def is_sample(self) -> bool:
        """Whether `onmessage` gets it."""
        return self.kind == "event" and self.name in ("", "message")

    def object(self) -> dict[str, Any]:
        """Return the object of JSON in its data. Raises Failed."""
        return json_object(self.data, "an event's data")


class Parser:
    """Takes the stream in pieces of any size."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []
        self._id = ""
        self._name = ""

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that are complete now. Raises Failed."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        require(len(self._rest) <= MAX_LINE_BYTES, "a line of the stream has no end")
        found = []
        for line in lines:
            event = self._line(line.removesuffix(b"\r"))
            if event is not None:
                found.append(event)
        return found

    def _line(self, line: bytes) -> Event | None:
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise Failed(f"a line of the stream is no UTF-8: {shown(line)}") from error
        if not text:
            return self._dispatched()
        name, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if not name:
            return Event("comment", value)
        require(name in _KNOWN, f"a client ignores the line {shown(text)}")
        if name == "retry":
            require(value.isascii() and value.isdigit(), f"retry is {shown(value)}")
            return Event("retry", value)
        if name == "data":
            self._data.append(value)
        elif name == "id":
            self._id = value
        else:
            self._name = value
        return None

    def _dispatched(self) -> Event:
        require(
            bool(self._data),
            "an empty line without data before it: some clients take it for an event",
        )
        event = Event("event", "\n".join(self._data), self._id, self._name)
        self._data, self._id, self._name = [], "", ""
        return event
