"""A client of the stream in any form, which checks each event and row against the one before."""

import csv
import json
import math
from contextlib import ExitStack
from typing import Any, NamedTuple

import trio

from tests.helpers.fakes import PERIOD_NS
from tests.helpers.http_client import parse_event
from trio_mpu.fanout.chunked import framed
from trio_mpu.fanout.direct_write import DirectSocket
from trio_mpu.fanout.encoder import SSE, StreamOptions
from trio_mpu.fanout.group import Chunk
from trio_mpu.fanout.hub import Hub
from trio_mpu.fanout.subscription import subscribe
from trio_mpu.formats import event_id, parse_event_id


class Seen(NamedTuple):
    """A sample, or the mean of `n`: its ring (None: the form does not say), and what is said to be
    missing before it."""

    generation: int | None
    seq: int
    n: int
    gap: dict[str, Any] | None
    lost: int
    restarted: bool


class StreamClient:
    """See above. `last` is the id of what came last, or of what the client asked for."""

    def __init__(self, hub: Hub, options: StreamOptions, last_id: str, fd: int | None) -> None:
        self.options = options
        self.last = parse_event_id(last_id)
        self.status = "ok"
        self.seen = 0
        self.appetite = 0  # how many direct writes the socket takes before it is full
        self.is_taking = False
        self._stack = ExitStack()
        self._subscription = self._stack.enter_context(subscribe(hub, last_id, options))
        self._subscription.socket = None if fd is None else DirectSocket(fd)
        self._kept = b""  # the beginning of a chunk, of which the socket took no more
        self._scope = trio.CancelScope()

    @property
    def last_id(self) -> str:
        """What a client sends to resume."""
        return event_id(*self.last) if self.last else ""

    async def take_all(self) -> None:
        """Take what comes, until it is cancelled."""
        self.is_taking = True
        with trio.CancelScope() as self._scope:
            while True:
                chunk = await self._subscription.next()
                assert bool(self._kept) <= (not chunk.payload), "the rest comes first"
                data, self._kept = self._kept + (chunk.framed or framed(chunk.payload)), b""
                self._see_all(data)

    def pause(self) -> None:
        """Take nothing for now."""
        self._scope.cancel()
        self.is_taking = False

    def leave(self) -> None:
        """Leave for good."""
        self.pause()
        self._stack.close()

    def write(self, data: bytes) -> int:
        """Take bytes as a socket does: all, or some, or none."""
        assert self.is_taking
        assert not self._kept
        self.appetite -= 1
        if self.appetite < 0:
            self.appetite = 3
            if len(data) % 2:
                raise BlockingIOError
            self._kept = data[: len(data) // 2]
            return len(self._kept)
        self._see_all(data)
        return len(data)

    def _see_all(self, data: bytes) -> None:
        size, _, payload = data.partition(b"\r\n")
        assert int(size, 16) == len(payload) - 2
        for found in self._parsed(Chunk(payload[:-2])):
            self._check(found)
            # CSV does not say which ring: the client knows it from the answer's head, or not at all.
            generation = (
                self._subscription.at.generation if found.generation is None else found.generation
            )
            self.last = generation, found.seq
            self.seen += 1

    def _parsed(self, chunk: Chunk) -> list[Seen]:
        text = chunk.payload.decode()
        if self.options.format == "csv":
            return [_of_csv(row) for row in csv.reader(text.splitlines())]
        if self.options.format == "ndjson":
            return [_of_json(json.loads(line)) for line in text.splitlines()]
        found, blocks = [], text.split("\n\n")
        assert blocks.pop() == ""
        for block in blocks:
            event = parse_event(block)
            if event.name == "status":
                assert event.id == ""
                self.status = event.json["status"]
            else:
                assert event.id == event.json["id"]
                found.append(_of_json(event.json))
        return found

    def _check(self, found: Seen) -> None:
        assert found.n > 0
        assert self.options.rate_hz or found.n == 1
        if self.last is None:
            return
        generation, last = self.last
        if found.generation is None:
            missing = found.seq - last - found.n
            assert found.restarted or missing == found.lost
            return
        if found.generation != generation:
            assert found.gap is not None
            assert (found.gap["from"], found.gap["lost"]) == (last, None)
            assert found.gap["reason"] == "restart"
            return
        missing = found.seq - last - found.n
        if found.gap is None:
            assert missing == 0
        else:
            assert found.gap["lost"] == missing
            # Of several samples, any may be the last one before the gap.
            assert last <= found.gap["from"] <= (found.seq if found.n > 1 else last)
            assert missing > 0
            assert found.seq - found.n < found.gap["to"] <= found.seq
            assert found.gap["reason"] in ("lapped", "slow")

    def last_complete(self, head: int) -> int:
        """Return the number that the client must have got to when the newest sample is `head`."""
        if not self.options.rate_hz:
            return head
        window_ns = 10**9 / self.options.rate_hz
        current = math.floor(head * PERIOD_NS / window_ns)
        while head and math.floor(head * PERIOD_NS / window_ns) == current:
            head -= 1
        return head

    @property
    def knows(self) -> bool:
        """Whether this form has statuses."""
        return self.options.format == SSE


def _of_json(found: dict[str, Any]) -> Seen:
    parsed = parse_event_id(found["id"])
    assert parsed is not None
    assert parsed[1] == found["seq"]
    gap = found.get("gap")
    return Seen(parsed[0], parsed[1], found.get("n", 1), gap, found.get("lost", 0), restarted=False)


def _of_csv(row: list[str]) -> Seen:
    return Seen(None, int(row[0]), 1, None, int(row[11]), restarted="restart_gap" in row[10])
