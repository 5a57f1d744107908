"""One connection, given requests of all kinds in any pieces: what it sends is always sound.

Time is virtual and passes by a rule, so that deadlines are met in every state.
"""

from contextlib import suppress
from typing import Any

import pytest
import trio
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from trio.testing import memory_stream_pair

from tests.helpers.fakes import FakeRecords, make_app
from tests.helpers.http_client import request
from tests.helpers.judge import answers_in, may_be_cut
from tests.machines.loop import Loop
from tests.machines.profile import tries
from tests.test_http import EXCHANGES
from trio_mpu.conformance.answers import Answer
from trio_mpu.http import REQUEST_S, serve_connection
from trio_mpu.web.page import Page
from trio_mpu.web.responses import IDLE_S
from trio_mpu.web.transport import LINGER_S, WRITE_S

PAGE = Page.of({"index.html": b"<!doctype html>"})
# What is certainly answered so, on a connection that stays open.
SOUND: list[tuple[bytes, int]] = [
    (data, status)
    for data, status, closes in EXCHANGES.values()
    if not closes and not data.startswith((b"\r", b"HEAD"))
]
HOSTILE: list[bytes] = [data for data, _, closes in EXCHANGES.values() if closes]
ANYTHING = st.one_of(
    st.sampled_from(HOSTILE),
    st.binary(min_size=1, max_size=30),
    st.sampled_from(
        [
            request("/events"),
            request("/events", version="1.0"),
            request("/history"),
            request("/json", "Expect: 100-continue", "Content-Length: 3"),
            request("/json", method="HEAD"),
        ]
    ),
)


class ConnectionMachine(RuleBasedStateMachine):
    """A client, and the connection that serves it."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = Loop()
        self.sent = b""  # by the server
        self.expected: list[int] = []  # statuses, as long as only sound requests were sent
        self.is_sound = True
        self.pending = b""  # what is to be sent of the requests so far
        self.has_ended = False  # the client sends no more
        self.is_over = False  # the task has ended
        self.cancelled = False
        self.stopping = False

    @initialize(samples=st.integers(0, 60))
    def begin(self, samples: int) -> None:
        """Open the connection."""

        async def start() -> None:
            self.record_source = FakeRecords(capacity=32)
            if samples:
                self.record_source.write(samples)
            self.app = make_app(self.record_source, PAGE)
            server, self.client = memory_stream_pair()
            self.scope = trio.CancelScope()
            self.loop.spawn(self.serve, server)
            self.loop.spawn(self.receive)

        self.has_samples = samples > 0
        self.loop.call(start)

    async def serve(self, stream: Any) -> None:  # noqa: ANN401 - two streams in one
        """As the acceptor does."""
        with self.scope:
            await serve_connection(stream, self.app)
        self.is_over = True

    async def receive(self) -> None:
        """Keep all that comes."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for piece in self.client:
                self.sent += piece

    # -- what the client does ---------------------------------------------------------------

    @precondition(lambda self: self.is_sound and not self.has_ended)
    @rule(
        asked=st.lists(st.sampled_from(SOUND), min_size=1, max_size=4),
        pieces=st.lists(st.integers(1, 200), max_size=6),
    )
    def ask(self, asked: list[tuple[bytes, int]], pieces: list[int]) -> None:
        """Add requests whose answers are known, and send all that there is in these pieces, or keep
        it for later."""
        for data, status in asked:
            self.pending += data
            self.expected.append(503 if status == 200 and not self.has_samples else status)
        if pieces:
            for count in (*pieces, len(self.pending)):
                self.send(count)

    @precondition(lambda self: not self.has_ended)
    @rule(data=ANYTHING)
    def attack(self, data: bytes) -> None:
        """Add what closes the connection, or nobody knows the meaning of."""
        self.is_sound = False
        self.pending += data

    @precondition(lambda self: self.pending)
    @rule(count=st.one_of(st.integers(1, 40), st.just(10**6)))
    def send(self, count: int) -> None:
        """Send a piece of what there is, of any size."""
        data, self.pending = self.pending[:count], self.pending[count:]

        async def send() -> None:
            with suppress(trio.BrokenResourceError):
                await self.client.send_all(data)

        self.loop.call(send)
        self.check()

    @precondition(lambda self: not self.has_ended)
    @rule()
    def half_close(self) -> None:
        """Say that no more will come."""
        self.has_ended, self.pending = True, b""
        self.is_sound = False

        async def end() -> None:
            with suppress(trio.BrokenResourceError):
                await self.client.send_eof()

        self.loop.call(end)
        self.check()

    # -- what else happens ------------------------------------------------------------------

    @rule(count=st.integers(1, 40))
    def publish(self, count: int) -> None:
        """Let samples come."""

        async def publish() -> None:
            self.app.hub.publish(self.record_source.write(count))
            self.app.hub.set_status("ok", "")

        if not self.has_samples:
            self.is_sound = self.is_sound and not self.expected
        self.has_samples = True
        self.loop.call(publish)
        self.check()

    @rule(seconds=st.sampled_from([0.5, LINGER_S, REQUEST_S, 16.0, WRITE_S, IDLE_S]))
    def pass_time(self, seconds: float) -> None:
        """Let a deadline pass."""
        self.is_sound = False
        self.loop.pass_time(seconds)
        self.check()

    @precondition(lambda self: not self.stopping)
    @rule()
    def stop_serving(self) -> None:
        """Let the server stop."""
        self.stopping, self.is_sound = True, False

        async def stop() -> None:
            self.app.stop()

        self.loop.call(stop)
        self.check()

    @precondition(lambda self: not self.cancelled)
    @rule()
    def cancel(self) -> None:
        """Let the server end at once."""
        self.cancelled, self.is_sound = True, False

        async def cancel() -> None:
            self.scope.cancel()

        self.loop.call(cancel)
        assert self.is_over
        self.check()

    # -- what must hold ---------------------------------------------------------------------

    def check(self) -> list[Answer]:
        """Judge what has come so far."""
        assert self.app.metrics["handler_errors"] == 0
        answers, rest = answers_in(self.sent)
        if self.is_sound:
            statuses = [answer.status for answer in answers]
            assert statuses == self.expected[: len(statuses)]
            assert not any(answer.closes for answer in answers)
            if not self.pending:
                assert statuses == self.expected
            assert not rest
        if self.is_over and not self.cancelled:
            assert may_be_cut(rest), "an answer without an end"
        return answers

    def teardown(self) -> None:
        """Let the client leave: the connection ends by itself, with a proper end of all answers."""
        try:
            if not self.has_ended and hasattr(self, "client"):
                self.half_close()
                for _ in range(3):
                    self.loop.pass_time(IDLE_S)
                assert self.is_over
                self.check()
        finally:
            if hasattr(self, "app"):
                self.app.close()
            self.loop.close()


# One that fails is looked for a short example of, which takes minutes.
pytestmark = pytest.mark.timeout(600)
ConnectionMachine.TestCase.settings = tries(50, 25)
TestConnection = ConnectionMachine.TestCase
