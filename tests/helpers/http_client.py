"""A raw HTTP client that hides nothing: what it sends is given byte by byte, what comes is kept."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import trio

from trio_mpu.metrics.counters import LEDGER

PATIENCE_S: Final = 20.0  # for whatever a test waits for; reached only when it fails


class NoMore(Exception):
    """The server closed the connection."""


@dataclass
class Answer:
    """A response as it came."""

    status: int
    reason: str
    fields: list[tuple[str, str]]
    body: bytes = b""

    @property
    def headers(self) -> dict[str, str]:
        """The header fields by lower-case names; each may come only once."""
        headers = {name.lower(): value for name, value in self.fields}
        assert len(headers) == len(self.fields), self.fields
        return headers

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever there is
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def closes(self) -> bool:
        """Whether the server announced that it will close."""
        return self.headers.get("connection") == "close"


@dataclass
class Event:
    """One server-sent event, a comment or a `retry:` line included."""

    data: str = ""
    id: str = ""
    name: str = ""
    retry: str = ""
    comments: list[str] = field(default_factory=list)

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever there is
        """The data, decoded."""
        return json.loads(self.data)


def plain_gap(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the gap of a sample's object without the ledger, which it must have."""
    gap = dict(told["gap"])
    assert {*gap.pop("ledger")} >= {*LEDGER}
    return gap


def parse_event(block: str) -> Event:
    """Parse the lines of one block by the rules of WHATWG HTML, section 9.2.6."""
    event, data = Event(), []
    for line in block.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if line.startswith(":"):
            event.comments.append(line[1:])
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                data.append(value)
            case "id":
                event.id = value
            case "event":
                event.name = value
            case "retry":
                event.retry = value
            case _:
                raise AssertionError(f"a client would ignore {line!r}")
    event.data = "\n".join(data)
    return event


def request(
    path: str, *headers: str, method: str = "GET", version: str = "1.1", body: bytes = b""
) -> bytes:
    """Return a well-formed request."""
    lines = [f"{method} {path} HTTP/{version}", "Host: test", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Client:
    """One connection."""

    def __init__(self, stream: trio.abc.HalfCloseableStream) -> None:
        self.stream = stream
        self.received = b""  # and not taken yet
        self.text = b""  # of a stream: what belongs to no event yet
        self.chunked = True

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        with trio.fail_after(PATIENCE_S):
            await self.stream.send_all(data)

    async def get(self, path: str, *headers: str, method: str = "GET") -> Answer:
        """Send a request and read its answer."""
        await self.send(request(path, *headers, method=method))
        return await self.answer(head_only=method == "HEAD")

    async def _more(self) -> None:
        with trio.fail_after(PATIENCE_S):
            data = await self.stream.receive_some(65_536)
        if not data:
            raise NoMore(f"after {self.received!r}")
        self.received += data

    async def until(self, end: bytes) -> bytes:
        """Take everything up to `end` and itself."""
        while end not in self.received:
            await self._more()
        taken, _, self.received = self.received.partition(end)
        return taken + end

    async def exactly(self, count: int) -> bytes:
        """Take so many bytes."""
        while len(self.received) < count:
            await self._more()
        taken, self.received = self.received[:count], self.received[count:]
        return taken

    async def rest(self) -> bytes:
        """Take everything until the server closes."""
        try:
            while True:
                await self._more()
        except NoMore:
            taken, self.received = self.received, b""
            return taken

    async def head(self) -> Answer:
        """Take the head of a response."""
        status_line, *lines = (await self.until(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        version, status, reason = status_line.split(" ", 2)
        assert version == "HTTP/1.1"
        fields = [(name, value.strip()) for name, _, value in (x.partition(":") for x in lines)]
        return Answer(int(status), reason, fields)

    async def answer(self, *, head_only: bool = False) -> Answer:
        """Take a whole response."""
        answer = await self.head()
        if head_only or answer.status in (100, 204, 304):
            return answer
        if answer.headers.get("transfer-encoding") == "chunked":
            while (chunk := await self.chunk()) is not None:
                answer.body += chunk
        elif "content-length" in answer.headers:
            answer.body = await self.exactly(int(answer.headers["content-length"]))
        else:
            answer.body = await self.rest()
        return answer

    async def chunk(self) -> bytes | None:
        """Take one chunk; None is the last."""
        size = int(await self.until(b"\r\n"), 16)
        data = await self.exactly(size + 2)
        assert data.endswith(b"\r\n")
        return data[:-2] if size else None

    async def open_events(
        self, path: str = "/events", *headers: str, version: str = "1.1"
    ) -> Answer:
        """Ask for the stream, and take its head and the `retry:` line."""
        await self.send(request(path, *headers, version=version))
        answer = await self.head()
        assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
        self.chunked = "transfer-encoding" in answer.headers
        assert (await self.event()).retry == "1000"
        return answer

    async def event(self) -> Event:
        """Take the stream's next event; a line of `retry:` or a comment between two events counts
        as one. Raises NoMore after a proper end."""
        while True:
            end = b"\n" if self.text.startswith((b":", b"retry:")) else b"\n\n"
            if end in self.text:
                break
            if not self.chunked:
                self.text += await self.exactly(1)
            elif (chunk := await self.chunk()) is not None:
                self.text += chunk
            else:
                assert not self.text
                raise NoMore("the last chunk came")
        block, _, self.text = self.text.partition(end)
        return parse_event(block.decode())

    async def closed(self) -> None:
        """Check that the server closes without another byte."""
        assert await self.rest() == b""


@asynccontextmanager
async def connect(port: int, host: str = "127.0.0.1") -> AsyncIterator[Client]:
    """Open a connection."""
    async with await trio.open_tcp_stream(host, port) as stream:
        yield Client(stream)
