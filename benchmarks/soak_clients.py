"""Clients that come and go while a soak lasts, each of which checks what it gets.

    python -m benchmarks.soak_clients PORT SEED

- A *visitor* joins every 0.2 s, reads every sample or means, leaves after some seconds in one of three
  manners, and never comes back.
- A *resumer* leaves for some seconds and goes on after its last event, again and again.
- A *slow* one takes a tenth of the stream for most of the time.
- A *history reader* asks for the last seconds of the ring, again and again.
- The *witness* reads every sample from the beginning to the end.

At SIGTERM those who come and go stop; the slow ones, the resumers and the witness read on to the end of
the stream or for SETTLE_S. Then a report is printed as JSON.
"""

import contextlib
import itertools
import json
import random
import signal
import sys
from collections import Counter
from typing import Any, Final

import trio

from benchmarks.churn import leave

VISITS_PER_S: Final = 5.0
MAX_STAY_S: Final = 5.0
RESUMERS, SLOW, HISTORY_READERS = 4, 3, 2
MAX_AWAY_S: Final = 3.0
SLOW_BYTES: Final = 4096  # a read…
SLOW_PAUSE_S: Final = 0.1  # …each: 40 kB/s
SETTLE_S: Final = 5.0
HISTORY: Final = "/history?seconds=3&format=ndjson"


class Judge:
    """Checks one client's samples over all of its connections."""

    def __init__(self, counts: Counter[str]) -> None:
        self.last_id = ""
        self._counts = counts
        self._last = 0

    def see(self, event: bytes) -> None:
        """Check one event of the stream; statuses and heartbeats are none."""
        head, found, data = event.rpartition(b"data: ")
        _, has_id, after = head.rpartition(b"id: ")
        if not found or not has_id:
            return
        self.last_id, before = after.partition(b"\n")[0].decode(), self.last_id
        generation, _, number = self.last_id.partition("-")
        seq, gap, count = int(number), None, 1
        if data.rstrip().endswith(b"}}") or b'"n":' in data:
            sample = json.loads(data)
            gap, count = sample.get("gap"), sample.get("n", 1)
        self._counts["samples"] += 1
        if before and generation == before.partition("-")[0]:
            self._compare(seq, count, gap)
        elif before:
            self._counts["untold"] += gap is None
        self._last = seq

    def _compare(self, seq: int, count: int, gap: dict[str, Any] | None) -> None:
        self._counts["back"] += seq <= self._last
        if gap:
            self._counts[f"gaps_{gap['reason']}"] += 1
            self._counts[f"lost_{gap['reason']}"] += gap["lost"] or 0
        missing, told = seq - count - self._last, gap["to"] - gap["from"] - 1 if gap else 0
        # The gaps of a mean's window are reported as one, from the first to the last of them.
        fits = 0 <= missing <= told if count > 1 else missing == told
        self._counts["untold"] += not fits


class Crowd:
    """All clients of this process."""

    def __init__(self, port: int, seed: int) -> None:
        self.counts: dict[str, Counter[str]] = {
            kind: Counter() for kind in ("visitor", "resumer", "slow", "history", "witness")
        }
        self._port = port
        self._dice = random.Random(seed)
        self._over = trio.Event()  # nobody comes any more

    async def run(self) -> None:
        """Run all, until SIGTERM."""
        with trio.open_signal_receiver(signal.SIGTERM) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._visitors)
                nursery.start_soon(self._stay, "witness")
                for _ in range(RESUMERS):
                    nursery.start_soon(self._resumer)
                for _ in range(SLOW):
                    nursery.start_soon(self._stay, "slow")
                for _ in range(HISTORY_READERS):
                    nursery.start_soon(self._history_reader)
                async for _ in signals:
                    self._over.set()
                    await trio.sleep(SETTLE_S)
                    nursery.cancel_scope.cancel()

    async def _visitors(self) -> None:
        begun_s = trio.current_time()
        async with trio.open_nursery() as nursery:
            number = 0
            while not self._over.is_set():
                await trio.sleep_until(begun_s + number / VISITS_PER_S)
                nursery.start_soon(self._visitor, number)
                number += 1

    async def _visitor(self, number: int) -> None:
        counts, query = self.counts["visitor"], "?rate=20" if number % 2 else ""
        with trio.move_on_after(self._dice.uniform(0.2, MAX_STAY_S)):
            await self._read(Judge(counts), counts, query, manner=number % 3)
        counts["visits"] += 1

    async def _resumer(self) -> None:
        counts = self.counts["resumer"]
        judge = Judge(counts)
        while not self._over.is_set():
            with trio.move_on_after(self._dice.uniform(1.0, MAX_STAY_S)):
                await self._read(judge, counts)
            counts["visits"] += 1
            await trio.sleep(self._dice.uniform(0.1, MAX_AWAY_S))
        await self._read(judge, counts)

    async def _stay(self, kind: str) -> None:
        await self._read(Judge(self.counts[kind]), self.counts[kind], slow=kind == "slow")

    async def _read(
        self,
        judge: Judge,
        counts: Counter[str],
        query: str = "",
        *,
        manner: int = 0,
        slow: bool = False,
    ) -> None:
        """Read the stream until it ends, or until cancelled: then leave in this manner."""
        try:
            stream = await trio.open_tcp_stream("127.0.0.1", self._port)
        except OSError:
            counts["refused"] += 1
            return
        resume = f"Last-Event-ID: {judge.last_id}\r\n" if judge.last_id else ""
        async with stream:
            with contextlib.suppress(trio.BrokenResourceError):
                await stream.send_all(f"GET /events{query} HTTP/1.0\r\n{resume}\r\n".encode())
                rest = b""
                try:
                    while data := await stream.receive_some(SLOW_BYTES if slow else 65_536):
                        *events, rest = (rest + data).split(b"\n\n")
                        for event in events:
                            judge.see(event)
                        if slow and not self._over.is_set():
                            await trio.sleep(SLOW_PAUSE_S)
                finally:
                    with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                        await leave(stream, manner)

    async def _history_reader(self) -> None:
        counts = self.counts["history"]
        while not self._over.is_set():
            await trio.sleep(self._dice.uniform(0.2, 1.0))
            async with await trio.open_tcp_stream("127.0.0.1", self._port) as stream:
                await stream.send_all(f"GET {HISTORY} HTTP/1.0\r\n\r\n".encode())
                answer = b""
                while data := await stream.receive_some():
                    answer += data
            self._check_history(answer, counts)

    @staticmethod
    def _check_history(answer: bytes, counts: Counter[str]) -> None:
        head, _, body = answer.partition(b"\r\n\r\n")
        counts["visits"] += 1
        if b" 200 " not in head.partition(b"\r\n")[0]:
            counts["refused"] += 1
            return
        rows = [json.loads(line) for line in body.splitlines()]
        counts["samples"] += len(rows)
        for before, row in itertools.pairwise(rows):
            counts["untold"] += row["seq"] != before["seq"] + 1 and "gap" not in row


if __name__ == "__main__":
    crowd = Crowd(int(sys.argv[1]), int(sys.argv[2]))
    trio.run(crowd.run)
    print(json.dumps(crowd.counts))
