"""The fan-out under any interleaving: each client is complete, or was told what is missing.

Forms of all kinds, clients that stop taking, leave, and resume by the id they had last; samples,
statuses, new rings, a ring that can't be read, and a server too busy for all forms at a time.
"""

from contextlib import ExitStack
from unittest import mock

import pytest
import trio
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.helpers.fakes import FakeRecords, make_app
from tests.machines.loop import Loop
from tests.machines.profile import tries
from tests.machines.stream_client import StreamClient
from trio_mpu.errors import RingHeld
from trio_mpu.fanout import catch_up, direct_write, forms, subscription
from trio_mpu.fanout.catch_up import RETRY_RING_S
from trio_mpu.fanout.encoder import StreamOptions
from trio_mpu.fanout.hub import Hub
from trio_mpu.fanout.moving_average import AVERAGE_SAMPLES
from trio_mpu.formats import Notation

FORMS = [
    StreamOptions(),
    StreamOptions(),
    StreamOptions(flush_ms=100),
    StreamOptions(20.0),
    StreamOptions(7.0, stats=True, flush_ms=50),
    StreamOptions(notation=Notation(iso=True, si=True)),
    StreamOptions(format="csv"),
    StreamOptions(format="ndjson"),
]
DISTURBANCES = ["produce", "replace", "go over", "trouble", "status"]
MAX_CLIENTS = 6
WINDOWED = 32  # a ring of so many samples holds two windows of the longest means
QUEUE = 3  # and 8 samples at a time: so that few samples already fill a queue


class HubMachine(RuleBasedStateMachine):
    """A ring, a hub that follows it, and its clients."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = Loop()
        self.patches = ExitStack()
        for module, name, value in (
            (subscription, "QUEUE_CHUNKS", QUEUE),
            (catch_up, "CATCH_UP_SAMPLES", 8),
            (direct_write, "write", self.write),
        ):
            self.patches.enter_context(mock.patch.object(module, name, value))
        self.clients: list[StreamClient] = []
        self.by_fd: dict[int, StreamClient] = {}
        self.left: list[str] = []  # the ids that clients had when they left
        self.cursor = 0

    @initialize(capacity=st.sampled_from([2, 3, 8, 32, 33, 60]), count=st.integers(0, 10))
    def begin_with(self, capacity: int, count: int) -> None:
        """Start the server."""

        async def start() -> Hub:
            self.record_source = FakeRecords(capacity)
            if count:
                self.record_source.write(count)
            self.app = make_app(self.record_source)
            self.loop.spawn(self.app.hub.forms.feed_late)
            return self.app.hub

        self.hub = self.loop.call(start)
        self.cursor = self.hub.head

    def write(self, fd: int, data: bytes) -> int:
        """Write into the socket of a client."""
        return self.by_fd[fd].write(data)

    # -- the ring ---------------------------------------------------------------------------

    @rule(what=st.sampled_from(DISTURBANCES), number=st.integers(0, 10))
    def disturb(self, what: str, number: int) -> None:
        """Let one of these happen, which are rare: a rule each would leave too little for the rest."""
        match what:
            case "produce":
                self.produce(1 + 3 * number)
            case "replace":
                self.replace(number, at_once=bool(number % 2))
            case "go over":
                self.go_over()
            case "trouble":
                self.record_source.trouble = RingHeld("held") if number % 2 else None
            case _:
                self.change_status(("ok", "stale", "stopped")[number % 3])

    def produce(self, count: int) -> None:
        """Let the producer write while the server looks elsewhere."""
        self.record_source.write(count)

    @rule(count=st.integers(1, 30), together=st.booleans(), busy=st.booleans())
    def flow(self, count: int, *, together: bool, busy: bool) -> None:
        """Let samples come and the server follow, one by one or several at a time."""

        async def flow() -> None:
            for _ in range(count):
                self.record_source.write()
                if not together:
                    await self.follow()
            await self.follow()

        with mock.patch.object(forms, "LIVE_S", -1.0) if busy else ExitStack():
            self.loop.call(flow)

    @precondition(lambda self: self.clients)
    @rule(which=st.integers(0, MAX_CLIENTS), missed=st.integers(1, 12))
    def look_away(self, which: int, missed: int) -> None:
        """Let a client take nothing while some samples come, and then go on."""
        for count in (0, missed, 3):
            if count:
                self.flow(count, together=False, busy=False)
            if count != 3:
                self.pause_or_go_on(which)

    async def calm(self) -> None:
        """Let samples come so slowly that everybody has time for each, for some windows of a mean."""
        for _ in range(40):
            self.record_source.write()
            await self.follow()
            await trio.testing.wait_all_tasks_blocked()

    async def follow(self) -> None:
        """Publish as the follower does."""
        if self.record_source.trouble is not None:
            return
        if self.hub.origin.generation == self.record_source.generation:
            batch = await self.record_source.read(self.record_source.generation, self.cursor, 512)
            if batch.records:
                self.cursor = batch.records[-1].seq
                self.hub.publish(batch)

    def replace(self, count: int, *, at_once: bool) -> None:
        """Let a producer make a new ring, which the server notices now or later."""
        self.record_source.replace(self.record_source.generation + 1)
        if count:
            self.record_source.write(count)
        if at_once:
            self.go_over()

    def go_over(self) -> None:
        """Let the server open the ring that there is, for the first time or once more."""

        async def begin() -> None:
            newest = list(self.record_source.records.values())[-AVERAGE_SAMPLES:]
            self.hub.begin(self.record_source.origin, newest)
            self.cursor = self.hub.head

        self.loop.call(begin)

    def change_status(self, status: str) -> None:
        """Set another status."""

        async def change() -> None:
            if self.hub.snapshot.record is not None:
                self.hub.set_status(status, "")

        self.loop.call(change)

    @rule(seconds=st.sampled_from([RETRY_RING_S, 0.05, 1.0]))
    def pass_time(self, seconds: float) -> None:
        """Let time pass, and what has waited long enough be sent."""
        self.loop.pass_time(seconds)

        async def flush() -> None:
            self.hub.flush()

        self.loop.call(flush)

    # -- the clients ------------------------------------------------------------------------

    def join(self, options: StreamOptions, last_id: str, *, has_socket: bool) -> None:
        """Let a client come. Who has missed something reads means from the ring, which must hold a
        window of them."""
        if options.rate_hz and self.record_source.capacity < WINDOWED:
            options = StreamOptions()

        async def join() -> None:
            fd = 1000 + len(self.by_fd) if has_socket else None
            client = StreamClient(self.hub, options, last_id, fd)
            if fd is not None:
                self.by_fd[fd] = client
            self.clients.append(client)
            self.loop.spawn(client.take_all)

        self.loop.call(join)

    @precondition(lambda self: len(self.clients) < MAX_CLIENTS)
    @rule(options=st.sampled_from(FORMS), has_socket=st.booleans())
    def come(self, options: StreamOptions, *, has_socket: bool) -> None:
        """Begin with the newest sample."""
        self.join(options, "", has_socket=has_socket)

    @precondition(lambda self: self.left and len(self.clients) < MAX_CLIENTS)
    @rule(options=st.sampled_from(FORMS), which=st.integers(0, 9), has_socket=st.booleans())
    def resume(self, options: StreamOptions, which: int, *, has_socket: bool) -> None:
        """Come back with an id, in the same form or another, from whatever ring it is."""
        self.join(options, self.left[-1 - which % len(self.left)], has_socket=has_socket)

    @precondition(lambda self: self.clients)
    @rule(which=st.integers(0, MAX_CLIENTS))
    def leave(self, which: int) -> None:
        """Let a client leave, with the id it had last."""
        client = self.clients.pop(which % len(self.clients))

        async def leave() -> None:
            client.pause()
            await trio.testing.wait_all_tasks_blocked()
            client.leave()

        self.loop.call(leave)
        if client.last_id:
            self.left.append(client.last_id)

    @precondition(lambda self: self.clients)
    @rule(which=st.integers(0, MAX_CLIENTS))
    def pause_or_go_on(self, which: int) -> None:
        """Let a client take nothing, or take again."""
        client = self.clients[which % len(self.clients)]

        async def change() -> None:
            if client.is_taking:
                client.pause()
            else:
                self.loop.spawn(client.take_all)

        self.loop.call(change)

    # -- what must hold ---------------------------------------------------------------------

    def teardown(self) -> None:
        """Let everybody catch up, and see that all have arrived."""
        try:
            if hasattr(self, "hub"):
                self.finish()
        finally:
            for client in self.clients:
                self.loop.call(lambda client=client: _done(client.leave))  # type: ignore[misc]  # bound now
            if hasattr(self, "app"):
                self.app.close()
            self.loop.close()
            self.patches.close()

    def finish(self) -> None:
        """Go over to the newest ring, if need be, and take all that it has."""
        self.record_source.trouble = None
        if self.hub.origin.generation != self.record_source.generation:
            self.go_over()
        for place, client in enumerate(self.clients):
            if not client.is_taking:
                self.pause_or_go_on(place)
        for _ in range(6):
            self.pass_time(RETRY_RING_S)
        self.loop.call(self.calm)
        for _ in range(6):
            self.pass_time(1.0)
        for client in self.clients:
            wanted = client.last_complete(self.hub.head)
            assert client.last == (self.record_source.generation, wanted)
            assert client.status == self.hub.announced or not client.knows
        assert self.hub.attached == len(self.clients)


async def _done(function: object) -> None:
    assert callable(function)
    function()


# One that fails is looked for a short example of, which takes minutes.
pytestmark = pytest.mark.timeout(600)
HubMachine.TestCase.settings = tries(50, 30)
TestHub = HubMachine.TestCase
