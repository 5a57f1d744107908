"""The server that is checked: what is asked of it, and what was seen of its stream."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from trio_mpu.conformance.answers import Answer
from trio_mpu.conformance.events import Event, Parser
from trio_mpu.conformance.verdict import Failed, NotTried, require
from trio_mpu.conformance.wire import Connection, Silence, Target

TOTAL_S: Final = 28.0  # for all checks together: half a minute is what a person waits for
OBSERVED_S: Final = 2.5  # how long the stream is looked at; longer than a buffer is tolerated
STREAM: Final = "text/event-stream"


class Stream:
    """An open stream. `samples` are the objects of its samples so far, `arrivals` when each came,
    by time.monotonic(), and `events` are all events."""

    def __init__(self, connection: Connection, answer: Answer) -> None:
        self.answer = answer
        self.events: list[Event] = []
        self.samples: list[dict[str, Any]] = []
        self.arrivals: list[float] = []
        self.is_over = False  # it ended, or nothing more is read
        self._connection = connection
        self._parser = Parser()
        self._pieces = connection.pieces(answer)

    def read(self, count: int, seconds: float) -> list[dict[str, Any]]:
        """Read until there are `count` samples, or for so long; return the first `count`.

        Raises Failed for what is no stream of events.
        """
        end_s = time.monotonic() + seconds
        self._connection.limit(end_s)
        while len(self.samples) < count and time.monotonic() < end_s and not self.is_over:
            try:
                piece = next(self._pieces, b"")
            except Silence:
                piece = b""
            self.is_over = not piece
            self._take(piece)
        return self.samples[:count]

    def _take(self, piece: bytes) -> None:
        for event in self._parser.feed(piece):
            self.events.append(event)
            if event.is_sample:
                found = event.object()
                require(
                    event.id == found.get("id"),
                    f"id: is {event.id!r}, the sample's id is {found.get('id')!r}",
                )
                self.samples.append(found)
                self.arrivals.append(time.monotonic())


@dataclass
class Subject:
    """The server. Every wait ends at `deadline_s`, by time.monotonic(), at the latest."""

    target: Target
    deadline_s: float = field(default_factory=lambda: time.monotonic() + TOTAL_S)
    _trouble: Failed | None = None

    def connect(self) -> Connection:
        """Open a connection. Raises NotTried when the time is up, and Failed."""
        if time.monotonic() >= self.deadline_s:
            raise NotTried(f"the {TOTAL_S:g} s for all checks are over")
        return Connection(self.target, self.deadline_s)

    def get(self, path: str, *fields: str, method: str = "GET") -> Answer:
        """Return the answer to a request on a connection of its own."""
        with self.connect() as connection:
            return connection.get(path, *fields, method=method)

    @contextlib.contextmanager
    def stream(self, path: str = "/events", *fields: str) -> Iterator[Stream]:
        """Open a stream. Raises Failed."""
        with self.connect() as connection:
            answer = connection.ask(path, *fields)
            yield Stream(connection, answer.require(200, STREAM))

    def newest(self, query: str = "") -> dict[str, Any]:
        """Return the newest sample. Raises NotTried before there is one."""
        answer = self.get(f"/json{query}")
        if answer.status == 503:
            raise NotTried("there is no sample yet")
        return answer.require(200, "application/json").json()

    def next_samples(self, count: int, path: str, *fields: str) -> list[dict[str, Any]]:
        """Return the first samples of a stream. Raises Failed if the ring had them and they did not
        come."""
        with self.stream(path, *fields) as stream:
            found = stream.read(count, OBSERVED_S)
        require(
            len(found) == count, f"{path}: {len(found)} of {count} samples came in {OBSERVED_S:g} s"
        )
        return found

    def observed(self, count: int = 1) -> Stream:
        """Return what came in OBSERVED_S of a stream, the same for all checks.

        Raises Failed the first time if that is no stream, and NotTried if it has fewer than `count`
        samples, or if it was no stream before.
        """
        if self._trouble is not None:
            raise NotTried(f"the stream can't be read: {self._trouble}")
        try:
            stream = self._observed
        except Failed as error:
            self._trouble = error
            raise
        if len(stream.samples) < count:
            raise NotTried(f"only {len(stream.samples)} samples came in {OBSERVED_S:g} s")
        return stream

    @cached_property
    def _observed(self) -> Stream:
        with self.stream() as stream:
            stream.read(10**9, OBSERVED_S)
            return stream
