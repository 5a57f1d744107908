"""The stream that every Python peer serves: the floor's events at the floor's rate.

The rate and how many milliseconds share one write come from the environment, because a peer may
be started by a program that has options of its own (uvicorn).
"""

import asyncio
import itertools
import os
import time
from pathlib import Path
from typing import Final

QUEUE_WRITES: Final = 128  # per client; what it misses when that is full is lost to it
HEADERS: Final = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}

_TEMPLATE = (Path(__file__).parent.parent / "event.txt").read_bytes()


def event(seq: int) -> bytes:
    """Return an event that was born now."""
    born_ns = str(time.monotonic_ns()).encode()
    return _TEMPLATE.replace(b"@seq@", str(seq).encode()).replace(b"@t_ns@", born_ns)


class Ticker:
    """Makes the events, and puts what is to be written into each client's queue."""

    def __init__(self) -> None:
        rate_hz = float(os.environ["BENCHMARK_RATE_HZ"])
        self._period_s = 1 / rate_hz
        self._events_per_write = round(rate_hz * float(os.environ["BENCHMARK_FLUSH_MS"]) / 1000)
        self._queues: set[asyncio.Queue[bytes]] = set()

    def join(self) -> asyncio.Queue[bytes]:
        """Return a queue that gets all from now on."""
        queue = asyncio.Queue[bytes](QUEUE_WRITES)
        self._queues.add(queue)
        return queue

    def leave(self, queue: asyncio.Queue[bytes]) -> None:
        """Forget a queue."""
        self._queues.discard(queue)

    async def run(self) -> None:
        """Tick until cancelled. A late tick makes up for it: the rate holds on average."""
        now = asyncio.get_running_loop().time
        begin_s = now()
        batch: list[bytes] = []
        for seq in itertools.count(1):
            await asyncio.sleep(max(0, begin_s + seq * self._period_s - now()))
            batch.append(event(seq))
            if len(batch) >= self._events_per_write:
                self._offer(b"".join(batch))
                batch.clear()

    def _offer(self, data: bytes) -> None:
        for queue in self._queues:
            if not queue.full():
                queue.put_nowait(data)
