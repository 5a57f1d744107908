"""Stand-ins for the ring and for a whole server, all in memory and under a test's control."""

import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final
from unittest import mock

import trio
import trio.testing

from tests.helpers.http_client import PATIENCE_S, Client, connect
from trio_mpu.errors import RingMissing
from trio_mpu.fanout.hub import Hub
from trio_mpu.formats import Origin
from trio_mpu.metrics.counters import Metrics
from trio_mpu.record import Batch, Record, oldest_seq
from trio_mpu.ring import MAX_RECORDS_A_HOLD
from trio_mpu.sample import Gap
from trio_mpu.server import run as server_run
from trio_mpu.settings import ServerSettings
from trio_mpu.web.app import App
from trio_mpu.web.page import Page
from trio_mpu.web.routes import respond

GENERATION: Final = 0x0123456789ABCDEF
PERIOD_NS: Final = 10_000_000


def make_record(seq: int, **changes: Any) -> Record:  # noqa: ANN401 - fields of several types
    """Return the record with this number; its values tell it from its neighbours."""
    record = Record(
        seq=seq,
        t_ns=seq * PERIOD_NS,
        time_ns=1_700_000_000_000_000_000 + seq * PERIOD_NS,
        ax=seq % 16,
        ay=0.25,
        az=1.0,
        gx=-1.5,
        gy=0.5,
        gz=0.0,
        temp=25.0,
        flags=0,
        lost=0,
    )
    return record._replace(**changes)


class FakeRecords:
    """A ring in memory: the hub's Past, with a ring's manner of forgetting.

    `trouble` is raised by the next reads; `damaged` are numbers whose slots hold something else.
    """

    def __init__(self, capacity: int = 1000, generation: int = GENERATION) -> None:
        self.capacity = capacity
        self.generation = generation
        self.records: dict[int, Record] = {}
        self.head = 0
        self.reads = 0
        self.trouble: Exception | None = None
        self.damaged: set[int] = set()
        self.before_return: Callable[[], None] = lambda: None

    @property
    def origin(self) -> Origin:
        """As the follower takes it from the header."""
        return Origin(self.generation, "fake")

    def write(self, count: int = 1, **changes: Any) -> Batch:  # noqa: ANN401
        """Let a producer write; return what a reader that is up to date then reads."""
        records = [make_record(self.head + 1 + n, **changes) for n in range(count)]
        self.head += count
        for record in records:
            self.records[record.seq] = record
            self.records.pop(record.seq - self.capacity, None)
        return Batch(records, None, self.head)

    def replace(self, generation: int) -> None:
        """Let a producer make a new ring."""
        self.generation, self.head, self.records = generation, 0, {}

    async def read(self, generation: int, after: int, limit: int) -> Batch:
        """Read as RingReader.read does."""
        self.reads += 1
        await trio.lowlevel.checkpoint()
        if self.trouble is not None:
            raise self.trouble
        if generation != self.generation:
            raise RingMissing("that ring is gone")
        first = max(after + 1, oldest_seq(self.head, self.capacity))
        end = min(self.head + 1, first + min(limit, MAX_RECORDS_A_HOLD))
        first = max([first, *(seq + 1 for seq in self.damaged if first <= seq < end)])
        records = [self.records[seq] for seq in range(first, end)]
        gap = Gap(after, first, first - after - 1, "lapped") if after + 1 < first else None
        batch = Batch(records, gap, self.head)
        self.before_return()
        return batch


def make_app(record_source: FakeRecords, page: Page | None = None) -> App:
    """Return an app whose hub follows the ring, as far as it is written."""
    metrics = Metrics()
    app = App(Hub(record_source, metrics), page or Page(), metrics, respond)
    app.hub.begin(record_source.origin, record_source.records.values())
    app.hub.set_status("ok", "")
    return app


async def until(condition: Callable[[], object]) -> None:
    """Wait until the condition holds."""
    with trio.fail_after(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - a test looks from outside; nobody tells it
            await trio.sleep(0.001)


async def later(clock: trio.testing.MockClock, seconds: float) -> None:
    """Let everyone do what there is to do now; then let that much virtual time pass.

    What goes over real connections takes no virtual time, however busy the machine is. The
    cushion is for the kernel, which delivers it.
    """
    await trio.testing.wait_all_tasks_blocked(cushion=0.005)
    clock.jump(seconds)


class Served:
    """A real server on a free port, with a fake ring and no follower."""

    def __init__(self, record_source: FakeRecords) -> None:
        self.record_source = record_source
        self.stop = trio.Event()
        self.stopped = trio.Event()
        self.errors = 0  # how many unforeseen errors the test provokes
        self.app: App
        self.listeners: list[trio.SocketListener]

    @property
    def hub(self) -> Hub:
        """The server's hub."""
        return self.app.hub

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self.listeners[0].socket.getsockname()[1]
        return port

    def begin(self) -> None:
        """Let the hub follow the ring that there is now."""
        self.hub.begin(self.record_source.origin, self.record_source.records.values())
        if self.record_source.head:
            self.hub.set_status("ok", "")

    def publish(self, count: int = 1, **changes: Any) -> None:  # noqa: ANN401
        """Let the producer write and the follower publish."""
        self.hub.publish(self.record_source.write(count, **changes))

    def connect(self) -> AbstractAsyncContextManager[Client]:
        """Open a connection."""
        return connect(self.port)

    async def quiet(self) -> None:
        """Wait until no connection is left."""
        slot = self.app.slot
        await until(
            lambda: (
                not (slot.get("connections_open") or slot.get("streams_open") or self.hub.attached)
            )
        )


@asynccontextmanager
async def serving(
    record_source: FakeRecords | None = None,
    *,
    max_clients: int = 1000,
    host: str | None = "127.0.0.1",
    tls: tuple[str, str] = ("", ""),
    **options: Any,  # noqa: ANN401 - of several types
) -> AsyncIterator[Served]:
    """Run a server, with more `options`. Its ring holds three samples, unless one is given. `tls`: the
    files of a certificate and its key."""
    if record_source is None:
        record_source = FakeRecords()
        record_source.write(3)
    served = Served(record_source)

    def keep_app(*args: Any) -> App:  # noqa: ANN401
        served.app = App(*args)
        return served.app

    async def no_follower(*_: object) -> None:
        await trio.sleep_forever()

    async def run(*, task_status: trio.TaskStatus[list[trio.SocketListener]]) -> None:
        settings = ServerSettings(
            host=host or "",
            port=0,
            ring="fake",
            max_clients=max_clients,
            tls_cert=tls[0],
            tls_key=tls[1],
            **options,
        )
        await server_run.run_server(settings, served.stop, task_status=task_status)
        served.stopped.set()

    with mock.patch.multiple(
        server_run, App=keep_app, follow_ring=no_follower, RingRecords=lambda: record_source
    ):
        async with trio.open_nursery() as nursery:
            served.listeners = await nursery.start(run)
            served.begin()
            yield served
            assert served.app.metrics["handler_errors"] == served.errors
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def tcp_pair() -> AsyncIterator[tuple[trio.SocketStream, trio.SocketStream]]:
    """Open a real connection; the server's end comes first."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        client = await trio.testing.open_stream_to_socket_listener(listener)
        accepted = await listener.accept()
    async with accepted, client:
        yield accepted, client


def reset(stream: trio.SocketStream) -> None:
    """Close a connection in the way that a crash does: by RST, at once."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()
