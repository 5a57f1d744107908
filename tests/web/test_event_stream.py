"""A subscription → one client, in virtual time."""

import contextlib
import itertools
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import h11
import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair, memory_stream_pair, wait_all_tasks_blocked

from tests.helpers.fakes import FakeRecords, later, make_app, tcp_pair
from trio_mpu.errors import ClientGone
from trio_mpu.fanout import group, sse
from trio_mpu.fanout.chunked import framed
from trio_mpu.fanout.hub import Hub
from trio_mpu.web.app import App
from trio_mpu.web.event_stream import HEARTBEAT_S, events
from trio_mpu.web.pieces import MAX_EXTRA_BYTES, send_pieces
from trio_mpu.web.request import Request
from trio_mpu.web.transport import WRITE_S, Transport


class Streamed:
    """A client that reads a hub's stream."""

    def __init__(
        self, client: trio.abc.HalfCloseableStream, record_source: FakeRecords, hub: Hub
    ) -> None:
        self.client = client
        self.record_source = record_source
        self.hub = hub
        self.ended = False

    async def seqs(self) -> bytes:
        """Read what there is, until nothing more comes for a second."""
        text = b""
        with trio.move_on_after(1):
            while data := await self.client.receive_some():
                text += data
        return text


async def stream_from(
    app: App, server: trio.abc.HalfCloseableStream, *, chunked: bool = True
) -> None:
    """Stream to one client what follows the opening, until either side ends it."""
    transport = Transport(server)
    reply = events(Request("GET", "/events"), app)
    async with contextlib.aclosing(reply.generate(transport.socket if chunked else None)) as all_:
        assert (await anext(all_)).payload == sse.OPENING
        await send_pieces(transport, all_, app.metrics, chunked=chunked, endless=reply.endless)


@asynccontextmanager
async def streaming(
    *,
    chunked: bool = True,
    pair: tuple[trio.abc.HalfCloseableStream, trio.abc.HalfCloseableStream] | None = None,
) -> AsyncIterator[Streamed]:
    """Stream from a hub whose ring holds three samples."""
    server, client = pair or memory_stream_pair()
    record_source = FakeRecords()
    record_source.write(3)
    app = make_app(record_source)
    hub = app.hub
    streamed = Streamed(client, record_source, hub)

    async def run() -> None:
        await stream_from(app, server, chunked=chunked)
        streamed.ended = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await wait_all_tasks_blocked()
        yield streamed
        nursery.cancel_scope.cancel()
    assert hub.attached == 0


async def soon(awaitable: Awaitable[None]) -> None:
    """Wait for it, but not for long."""
    with trio.fail_after(1):
        await awaitable


async def test_a_chunk_is_one_chunk_of_http(autojump_clock: MockClock) -> None:
    """Its size in hexadecimal, the bytes, and a line end; the end of all is not ours to write."""
    async with streaming() as streamed:
        size, _, rest = (await streamed.seqs()).partition(b"\r\n")
        assert (len(rest) - 2, rest[-4:]) == (int(size, 16), b"\n\n\r\n")
        streamed.hub.publish(streamed.record_source.write(2))
        size, _, rest = (await streamed.seqs()).partition(b"\r\n")
        assert len(rest) - 2 == int(size, 16)
        assert rest.count(b"\n\n") == 2


async def test_without_chunks_the_bytes_are_the_events(autojump_clock: MockClock) -> None:
    """As HTTP/1.0 has it."""
    async with streaming(chunked=False) as streamed:
        text = await streamed.seqs()
        assert text.startswith(b"id: ")
        assert text.endswith(b"}\n\n")
        assert b"\r" not in text


@pytest.mark.parametrize(("chunked", "beat"), [(True, b"2\r\n:\n\r\n"), (False, b":\n")])
async def test_silence_is_broken_by_a_heartbeat(
    autojump_clock: MockClock, chunked: bool, beat: bytes
) -> None:
    """After HEARTBEAT_S without anything else, again and again; never earlier."""
    async with streaming(chunked=chunked) as streamed:
        await streamed.seqs()
        began_s = trio.current_time() - 1
        for count in (1, 2, 3):
            assert await streamed.client.receive_some() == beat
            assert trio.current_time() - began_s == pytest.approx(count * HEARTBEAT_S)
        for _ in range(20):
            await trio.sleep(HEARTBEAT_S - 1)
            streamed.hub.publish(streamed.record_source.write())
            await wait_all_tasks_blocked()
        assert beat not in await streamed.seqs()


async def test_nothing_is_lost_around_a_heartbeat(autojump_clock: MockClock) -> None:
    """Though each cancels a wait for the next sample."""
    async with streaming(chunked=False) as streamed:
        for number in range(30):
            await trio.sleep(HEARTBEAT_S * (1 + number / 30))
            streamed.hub.publish(streamed.record_source.write())
        text = await streamed.seqs()
        assert text.count(b"\n:\n") >= 29
        assert [f'"seq":{seq},'.encode() in text for seq in range(3, 34)] == [True] * 31


@pytest.mark.parametrize("shut", ["send_eof", "aclose"])
async def test_a_client_that_says_goodbye_ends_the_stream(
    autojump_clock: MockClock, shut: str
) -> None:
    """Without waiting for something to write."""
    async with streaming() as streamed:
        await streamed.seqs()
        await soon(getattr(streamed.client, shut)())
        await wait_all_tasks_blocked()
        assert streamed.ended


async def test_the_hubs_end_ends_the_stream(autojump_clock: MockClock) -> None:
    """After what was queued."""
    async with streaming() as streamed:
        await streamed.seqs()
        streamed.hub.publish(streamed.record_source.write())
        streamed.hub.close()
        assert b'"seq":4,' in await streamed.seqs()
        assert streamed.ended


async def test_extra_bytes_are_thrown_away_within_a_bound(autojump_clock: MockClock) -> None:
    """The stream goes on, until they are too many."""
    async with streaming() as streamed:
        await streamed.client.send_all(b"x" * MAX_EXTRA_BYTES)
        await wait_all_tasks_blocked()
        streamed.hub.publish(streamed.record_source.write())
        assert b'"seq":4,' in await streamed.seqs()
        assert not streamed.ended
        await streamed.client.send_all(b"x")
        await wait_all_tasks_blocked()
        assert streamed.ended


class Breaking(trio.abc.HalfCloseableStream):
    """A stream of which only reading notices that it is broken."""

    def __init__(self, stream: trio.abc.HalfCloseableStream) -> None:
        self._stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send."""
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait."""
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """Send the end."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close."""
        await self._stream.aclose()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Break as soon as anything comes."""
        await self._stream.receive_some(max_bytes)
        raise trio.BrokenResourceError


Pair = tuple[trio.abc.HalfCloseableStream, trio.abc.HalfCloseableStream]


async def failure_of(pair: Pair, then: Callable[[], Awaitable[None]]) -> ClientGone:
    """Stream to a client that takes nothing; return how that ends."""

    async def run() -> None:
        async with streaming(pair=pair):
            await then()
            await trio.sleep(2 * WRITE_S)

    with pytest.RaisesGroup(ClientGone) as caught:
        await run()
    (gone,) = caught.value.exceptions
    assert isinstance(gone, ClientGone)
    return gone


async def test_a_client_that_takes_nothing_is_given_up(autojump_clock: MockClock) -> None:
    """As stuck."""
    gone = await failure_of(lockstep_stream_pair(), wait_all_tasks_blocked)
    assert gone.stuck


async def test_a_client_that_leaves_in_the_middle_of_an_event_gets_no_end(
    autojump_clock: MockClock,
) -> None:
    """It would stand in the middle of that event."""
    server, client = lockstep_stream_pair()
    gone = await failure_of((server, client), client.send_eof)
    assert "in the middle" in str(gone)


async def test_a_reset_is_a_client_that_has_left(autojump_clock: MockClock) -> None:
    """Whether reading or writing notices it."""

    server, client = memory_stream_pair()
    gone = await failure_of((Breaking(server), client), partial(client.send_all, b"x"))
    assert "reset" in str(gone)


async def test_a_chunk_is_framed_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many clients it goes to."""
    framed: list[bytes] = []

    def counting(payload: bytes) -> bytes:
        framed.append(payload)
        return b"framed"

    monkeypatch.setattr(group, "framed", counting)
    record_source = FakeRecords()
    record_source.write(3)
    app = make_app(record_source)
    clients = []
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            server, client = memory_stream_pair()
            clients.append(client)
            nursery.start_soon(stream_from, app, server)
        await wait_all_tasks_blocked()
        framed.clear()
        for client in clients:
            await client.receive_some()
        app.hub.publish(record_source.write())
        for client in clients:
            assert await client.receive_some() == b"framed"
        assert len(framed) == 1
        nursery.cancel_scope.cancel()


def test_a_chunk_is_framed_as_h11_does() -> None:
    """Whatever its size and contents."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    connection.next_event()
    connection.send(h11.Response(status_code=200, headers=[]))
    for size in (1, 2, 9, 10, 15, 16, 17, 255, 256, 4096, 70_000):
        for payload in (bytes(size), b"\r\n" * size, b"0" * size):
            assert framed(payload) == connection.send(h11.Data(data=payload))


@asynccontextmanager
async def collected(client: trio.abc.ReceiveStream) -> AsyncIterator[bytearray]:
    """What this client receives while the block runs."""
    received = bytearray()

    async def read() -> None:
        while data := await client.receive_some():
            received.extend(data)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        yield received
        nursery.cancel_scope.cancel()


async def test_samples_that_are_handed_over_leave_no_heartbeat(mock_clock: MockClock) -> None:
    """The task sleeps while the hub writes into its socket; the stream is not silent for that."""
    async with (
        tcp_pair() as pair,
        streaming(pair=pair) as streamed,
        collected(streamed.client) as received,
    ):
        for _ in range(30):
            await later(mock_clock, HEARTBEAT_S / 5)
            streamed.hub.publish(streamed.record_source.write())
        while received.count(b"\nid: ") < 30:
            await wait_all_tasks_blocked()
        assert b"\n:\n" not in received
        while b"\n:\n" not in received:  # but a silent stream has one
            await later(mock_clock, HEARTBEAT_S)


async def test_a_client_that_is_slow_for_a_moment_gets_whole_chunks_in_order() -> None:
    """What did not fit into its socket comes first, then what was queued meanwhile."""
    async with tcp_pair() as pair, streaming(pair=pair) as streamed:
        for _ in range(3000):
            streamed.hub.publish(streamed.record_source.write())
            await trio.lowlevel.checkpoint()
        head = streamed.record_source.head
        received = bytearray()
        with trio.fail_after(10):
            while b"-%d\n" % head not in received:
                received += await streamed.client.receive_some()
        assert streamed.hub.metrics["overflows"] > 0
    # As a client decodes them: sizes and contents must fit.
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    reader.send(h11.EndOfMessage())
    reader.receive_data(b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n" + bytes(received))
    text = b""
    while (event := reader.next_event()) is not h11.NEED_DATA:
        if isinstance(event, h11.Data):
            text += event.data
    seqs = [int(line.rpartition(b"-")[2]) for line in text.split(b"\n") if line[:4] == b"id: "]
    # On a busy machine it may be slow more than once: each time is told.
    jumps = [(last, seq) for last, seq in itertools.pairwise(seqs) if seq != last + 1]
    told = re.findall(rb'"gap":{"from":(\d+),"to":(\d+)', text)
    assert [(int(start), int(end)) for start, end in told] == jumps
    assert (seqs[0], seqs[-1]) == (3, head)


async def test_a_heartbeat_comes_so_long_after_the_last_sample(mock_clock: MockClock) -> None:
    """Also after one that the hub wrote itself while the task slept: a proxy counts from there."""
    async with (
        tcp_pair() as pair,
        streaming(pair=pair) as streamed,
        collected(streamed.client) as received,
    ):
        await later(mock_clock, HEARTBEAT_S - 1)
        streamed.hub.publish(streamed.record_source.write())
        await later(mock_clock, HEARTBEAT_S - 1)
        assert received.count(b"\n:\n") == 0
        await later(mock_clock, 1)
        while b"\n:\n" not in received:
            await wait_all_tasks_blocked()
