"""Answers of which clients may ask for parts: over real connections, byte for byte."""

import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final
from unittest import mock

import pytest
import trio
import trio.testing

from tests.helpers.fakes import FakeRecords, Served, later, make_app, serving, until
from tests.helpers.http_client import PATIENCE_S, Answer, Client, NoMore, request
from trio_mpu.errors import RequestError, RingError, StoreError
from trio_mpu.fanout.direct_write import DirectSocket
from trio_mpu.fanout.group import Chunk
from trio_mpu.server import run
from trio_mpu.web.answer import Headers
from trio_mpu.web.app import App
from trio_mpu.web.known_file import canonical, known_file
from trio_mpu.web.pieces import Deferred, Pieces
from trio_mpu.web.request import Request
from trio_mpu.web.spools import KEEP_S, LOOK_S

CONTENT: Final = random.Random(2).randbytes(300_000)
SIZE: Final = len(CONTENT)
TYPE: Final = "application/vnd.mcap"
HEADERS: Final[Headers] = (
    ("Cache-Control", "no-cache"),
    ("Content-Disposition", 'attachment; filename="it.mcap"'),
)


class Endpoint:
    """A handler that answers everything with one file, by its path; `/livez` stays."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content = content
        self.made = 0
        self.error: Exception | None = None

    def __call__(self, asked: Request, app: App) -> Deferred:
        """Answer as `/history` does."""
        key = canonical(asked)
        return Deferred(partial(known_file, app, asked, key, TYPE, HEADERS, self.pieces))

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The content, in pieces; an error may stand at the end."""
        self.made += 1
        for first in range(0, len(self.content), 50_000):
            yield self.content[first : first + 50_000]
        if self.error is not None:
            raise self.error


def users(served: Served) -> list[int]:
    """How many clients read each file now."""
    return [entry.spool.users for entry in served.app.spools._entries.values()]


@asynccontextmanager
async def served_file(endpoint: Endpoint) -> AsyncIterator[tuple[Served, Client]]:
    """A real server that has the file, and a connection to it."""
    async with serving() as served, served.connect() as client:
        served.app.handle = endpoint
        yield served, client
        await until(lambda: users(served) == [0] * len(served.app.spools))


def fields(answer: Answer) -> dict[str, str]:
    """The header fields, but for those that every answer has."""
    return {
        name: value
        for name, value in answer.headers.items()
        if name not in ("date", "keep-alive", "etag")
    }


WHOLE: Final = {
    "content-type": TYPE,
    "cache-control": "no-cache",
    "content-disposition": 'attachment; filename="it.mcap"',
    "accept-ranges": "bytes",
    "content-length": str(SIZE),
}


@pytest.mark.parametrize("coding", [(), ("Accept-Encoding: gzip, br",)])
async def test_the_whole_file_has_its_length_and_no_coding(coding: tuple[str, ...]) -> None:
    """Viewers look for Accept-Ranges and Content-Length before they ask for parts."""
    async with served_file(Endpoint()) as (_, client):
        answer = await client.get("/history", *coding)
        assert answer.status == 200
        assert answer.body == CONTENT
        assert fields(answer) == WHOLE
        assert answer.headers["etag"].strip('"').isalnum()


@pytest.mark.parametrize(
    ("first", "last"),
    [(0, 0), (0, 7), (5, 65_540), (65_535, 65_536), (100_000, 299_999), (299_999, 299_999)],
)
async def test_a_part_is_that_slice_of_the_whole(first: int, last: int) -> None:
    """With Content-Range, and with all that the whole answer has."""
    async with served_file(Endpoint()) as (_, client):
        answer = await client.get("/history", f"Range: bytes={first}-{last}")
        assert answer.status == 206
        assert answer.reason == "Partial Content"
        assert answer.body == CONTENT[first : last + 1]
        assert fields(answer) == WHOLE | {
            "content-length": str(last + 1 - first),
            "content-range": f"bytes {first}-{last}/{SIZE}",
        }


async def test_parts_put_together_are_the_file() -> None:
    """As a viewer reads it: over one connection, one request after the other."""
    endpoint = Endpoint()
    async with served_file(endpoint) as (served, client):
        data = b""
        while len(data) < SIZE:
            answer = await client.get("/history", f"Range: bytes={len(data)}-{len(data) + 8191}")
            data += answer.body
        assert data == CONTENT
        assert endpoint.made == served.app.metrics["files_made"] == 1


async def test_the_same_query_in_another_order_is_the_same_file() -> None:
    """And `_`, which gets scripts past caches, makes no difference."""
    endpoint = Endpoint()
    async with served_file(endpoint) as (_, client):
        for path in ("/history?from=1&to=2", "/history?to=2&from=1", "/history?to=2&_=7&from=1"):
            assert (await client.get(path)).body == CONTENT
        assert endpoint.made == 1
        for path in ("/history?from=1&to=3", "/history?from=1%26to%3D2", "/other?from=1&to=2"):
            assert (await client.get(path)).body == CONTENT
        assert endpoint.made == 4


@pytest.mark.parametrize("headers", [(), ("Range: bytes=0-4",), ("Range: bytes=999999-",)])
async def test_head_has_the_head_of_the_whole(headers: tuple[str, ...]) -> None:
    """With its length; ranges are for GET."""
    async with served_file(Endpoint()) as (_, client):
        answer = await client.get("/history", *headers, method="HEAD")
        assert (answer.status, fields(answer)) == (200, WHOLE)
        assert (await client.get("/history")).body == CONTENT


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", "bytes=-0"])
async def test_a_part_that_there_is_not_is_a_416(asked: str) -> None:
    """Which says how long the file is; the connection stays."""
    async with served_file(Endpoint()) as (_, client):
        answer = await client.get("/history", f"Range: {asked}")
        assert answer.status == 416
        assert answer.json == {
            "status": "error",
            "reason": f"the file has {SIZE} bytes, and none of those that are asked for",
        }
        assert fields(answer) == {
            "content-type": "application/json",
            "content-length": str(len(answer.body)),
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
            "referrer-policy": "same-origin",
            "accept-ranges": "bytes",
            "content-range": f"bytes */{SIZE}",
        }
        assert (await client.get("/history", "Range: bytes=-3")).body == CONTENT[-3:]


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=5-4", "items=1-2", "nonsense"])
async def test_what_can_be_ignored_gives_the_whole(asked: str) -> None:
    """Several ranges, other units, and what makes no sense."""
    async with served_file(Endpoint()) as (_, client):
        answer = await client.get("/history", f"Range: {asked}")
        assert (answer.status, answer.body) == (200, CONTENT)
        assert fields(answer) == WHOLE


async def test_who_has_the_file_is_sent_no_other() -> None:
    """304 has the validator, no body and no length; and If-Match insists."""
    async with served_file(Endpoint()) as (_, client):
        etag = (await client.get("/history", method="HEAD")).headers["etag"]
        answer = await client.get("/history", f"If-None-Match: {etag}", "Range: bytes=0-4")
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)
        assert not answer.headers.keys() & {"content-length", "content-range", "transfer-encoding"}
        answer = await client.get("/history", 'If-Match: "other"')
        assert (answer.status, answer.json["reason"]) == (412, "the file is another one by now")
        assert (await client.get("/history", f"If-Match: {etag}")).status == 200


async def test_a_part_is_given_only_of_the_file_that_the_client_has() -> None:
    """After the file was made anew with another content, If-Range gets all of it."""
    endpoint = Endpoint()
    async with served_file(endpoint) as (served, client):
        etag = (await client.get("/history", method="HEAD")).headers["etag"]
        ranged = (f"If-Range: {etag}", "Range: bytes=7-9")
        assert (await client.get("/history", *ranged)).body == CONTENT[7:10]
        served.app.spools.close()
        served.app.spools._dropped.clear()
        assert (await client.get("/history", *ranged)).body == CONTENT[7:10]  # the same again
        served.app.spools.close()
        served.app.spools._dropped.clear()
        endpoint.content = CONTENT[::-1]
        answer = await client.get("/history", *ranged)
        assert (answer.status, answer.body) == (200, CONTENT[::-1])
        assert endpoint.made == 3


async def test_an_empty_file_is_an_answer() -> None:
    """Of no bytes."""
    async with served_file(Endpoint(b"")) as (_, client):
        for _ in range(2):
            answer = await client.get("/history", "Range: bytes=-5")
            assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")
        assert (await client.get("/history", "Range: bytes=0-")).status == 416


async def test_an_old_client_gets_its_length_too() -> None:
    """HTTP/1.0 has no chunks, so there this is the only sign of a whole answer."""
    async with served_file(Endpoint()) as (_, client):
        await client.send(request("/history", "Range: bytes=1-2", version="1.0"))
        answer = await client.answer()
        assert (answer.status, answer.body) == (206, CONTENT[1:3])
        await client.closed()


async def test_requests_on_the_heels_of_each_other_are_answered_in_order() -> None:
    """The framing holds: after a part comes the next answer's head."""
    async with served_file(Endpoint()) as (_, client):
        places = [0, 65_530, 131_072, 299_990]
        for first in places:
            await client.send(request("/history", f"Range: bytes={first}-{first + 9}"))
        for first in places:
            assert (await client.answer()).body == CONTENT[first : first + 10]


async def test_many_clients_read_one_file_at_the_same_time() -> None:
    """Each gets the bytes it asked for."""
    endpoint, dice = Endpoint(), random.Random(3)
    async with served_file(endpoint) as (served, _):

        async def read(first: int, last: int) -> None:
            async with served.connect() as client:
                for _ in range(5):
                    answer = await client.get("/history", f"Range: bytes={first}-{last}")
                    assert answer.body == CONTENT[first : last + 1]

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                first, last = sorted(dice.choices(range(SIZE), k=2))
                nursery.start_soon(read, first, last)
        assert endpoint.made == 1


@pytest.mark.parametrize(("length", "has_one"), [(4, False), (None, True)])
async def test_nothing_else_writes_into_an_answer_with_a_length(
    length: int | None, has_one: bool
) -> None:
    """Its bytes are counted on their way, so no socket is given away; to a chunked one it is."""
    given: list[DirectSocket | None] = []

    async def generate(socket: DirectSocket | None) -> AsyncGenerator[Chunk, None]:
        given.append(socket)
        yield Chunk(b"it")
        yield Chunk(b"is")

    async with serving() as served, served.connect() as client:
        served.app.handle = lambda _request, _app: Pieces(TYPE, generate, length=length)
        answer = await client.get("/")
        assert answer.body == b"itis"
        assert ("content-length" in answer.headers) is not has_one
    assert [fd is not None for fd in given] == [has_one]


@pytest.mark.parametrize(
    ("error", "status"),
    [(RequestError(409, "no"), 409), (RingError("no"), 503), (StoreError("no"), 503)],
)
@pytest.mark.parametrize("length", [None, 4])
async def test_an_error_before_the_head_has_a_status_and_a_later_one_breaks_off(
    error: Exception, status: int, length: int | None
) -> None:
    """The client sees both: by the status, or by an answer without its end."""

    async def generate(_: DirectSocket | None) -> AsyncGenerator[Chunk, None]:
        if begun:
            yield Chunk(b"it")
        raise error

    begun = False
    async with serving() as served, served.connect() as client:
        served.app.handle = lambda _request, _app: Pieces(TYPE, generate, length=length)
        answer = await client.get("/")
        assert (answer.status, answer.json["reason"]) == (status, "no")
        begun = True
        with pytest.raises(NoMore):
            await client.get("/")
        await served.quiet()
        assert served.app.metrics["handler_errors"] == 0


async def test_an_error_within_the_production_is_a_whole_answer() -> None:
    """Nothing was sent before: so the client sees its status, and the connection stays."""
    endpoint = Endpoint()
    endpoint.error = RingError("the ring is gone")
    async with served_file(endpoint) as (served, client):
        answer = await client.get("/history", "Range: bytes=0-4")
        assert (answer.status, answer.json["reason"]) == (503, "the ring is gone")
        assert answer.headers["retry-after"] == "2"
        assert served.app.metrics["files_refused"] == 1
        endpoint.error = None
        assert (await client.get("/history")).body == CONTENT


async def test_a_client_that_reads_nothing_is_in_nobodys_way() -> None:
    """It keeps its file, but no turn: others are served meanwhile. Its end frees the file."""
    endpoint = Endpoint(bytes(20_000_000))
    async with served_file(endpoint) as (served, client):
        async with served.connect() as stuck:
            await stuck.send(request("/history"))
            await stuck.head()
            await until(lambda: users(served) == [1])
            async with served.app.hub.turns.slice("192.0.2.7"):
                pass
            answer = await client.get("/history", "Range: bytes=0-4")
            assert answer.body == bytes(5)
        await until(lambda: users(served) == [0])


async def test_a_server_forgets_a_file_that_nobody_asks_for(
    mock_clock: trio.testing.MockClock,
) -> None:
    """It looks by itself; the next one who asks gets it made again."""
    endpoint, mock_clock.rate = Endpoint(), 1.0
    async with served_file(endpoint) as (served, client):
        await client.get("/history")
        await later(mock_clock, KEEP_S - PATIENCE_S)
        assert len(served.app.spools) == 1
        await later(mock_clock, PATIENCE_S + LOOK_S)
        await until(lambda: len(served.app.spools) == 0)
        async with served.connect() as another:
            assert (await another.get("/history")).body == CONTENT
        assert endpoint.made == 2


async def test_closing_the_app_gives_the_room_back() -> None:
    """Of all files."""
    app = make_app(FakeRecords())
    for key in ("one", "two"):
        await known_file(app, Request("GET", "/"), key, TYPE, (), Endpoint().pieces)
    files = [entry.spool for entry in app.spools._entries.values()]
    app.close()
    assert [file._file is not None and file._file.closed for file in files] == [True, True]


async def test_a_server_that_stops_cuts_off_what_is_not_taken() -> None:
    """With a length, the client sees that it was not all."""
    with mock.patch.object(run, "GRACE_S", 0.01):
        async with served_file(Endpoint(bytes(20_000_000))) as (served, client):
            await client.send(request("/history"))
            answer = await client.head()
            served.stop.set()
            await served.stopped.wait()
            with pytest.raises(NoMore):
                await client.exactly(int(answer.headers["content-length"]))
