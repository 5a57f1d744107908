"""Clients of `/events` in a process of their own, which check that nothing is missing untold.

    python -m tests.torture.stream_clients PORT CLIENTS

Every fifth one reads each sample, the others means at 20 Hz. All reconnect with their last id when the
server ends. At SIGTERM a report is printed as JSON.
"""

import contextlib
import json
import os
import signal
import sys
from collections import Counter
from typing import Any, Final

import trio

RAW_EACH: Final = 5
MEANS_HZ: Final = 20
NICENESS: Final = 5  # what is measured goes first
RETRY_S: Final = 0.1


class Client:
    """Follows one stream over all reconnects."""

    def __init__(self, port: int, query: str) -> None:
        self.counts = Counter[str]()
        self.last = 0
        self._port = port
        self._query = query
        self._last_id = ""

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            with contextlib.suppress(OSError, trio.BrokenResourceError):
                await self._read()
            self.counts["reconnects"] += 1
            await trio.sleep(RETRY_S)

    async def _read(self) -> None:
        async with await trio.open_tcp_stream("127.0.0.1", self._port) as stream:
            resume = f"Last-Event-ID: {self._last_id}\r\n" if self._last_id else ""
            await stream.send_all(f"GET /events{self._query} HTTP/1.0\r\n{resume}\r\n".encode())
            rest = b""
            while data := await stream.receive_some():
                *events, rest = (rest + data).split(b"\n\n")
                for event in events:
                    head, _, text = event.partition(b"data: ")
                    if b"id: " in head:  # else it is a status
                        self.see(json.loads(text))

    def see(self, event: dict[str, Any]) -> None:
        """Check one event: between it and the last one there is what it says is missing."""
        count, gap = event.get("n", 1), event.get("gap")
        generation = event["id"].partition("-")[0]
        self.counts["samples"] += count
        if gap:
            self.counts[f"gaps_{gap['reason']}"] += 1
        if not self._last_id:
            pass  # where it begins
        elif generation != self._last_id.partition("-")[0]:
            self.counts["untold"] += gap is None
        else:
            missing, told = event["seq"] - self.last - count, spanned(gap)
            self.counts["missing"] += max(0, missing)
            self.counts["back"] += event["seq"] <= self.last
            # The gaps of a mean's window are reported as one, from the first to the last of them.
            fits = 0 <= missing <= told if "n" in event else missing == told
            self.counts["untold"] += not fits
        self._last_id, self.last = event["id"], event["seq"]


def spanned(gap: dict[str, Any] | None) -> int:
    """Return how many numbers lie between the ends of a gap."""
    return gap["to"] - gap["from"] - 1 if gap else 0


async def follow(port: int, count: int) -> dict[str, int]:
    """Run clients until SIGTERM; return what all of them have seen together."""
    queries = ["" if number % RAW_EACH == 0 else f"?rate={MEANS_HZ}" for number in range(count)]
    clients = [Client(port, query) for query in queries]
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            for client in clients:
                nursery.start_soon(client.run)
            async for _ in signals:
                nursery.cancel_scope.cancel()
    report = sum((client.counts for client in clients), Counter[str]())
    # A mean is sent with the sample after its window: only the others get to the end.
    return {**report, "last": min(client.last for client in clients[::RAW_EACH])}


if __name__ == "__main__":
    os.nice(NICENESS)
    print(json.dumps(trio.run(follow, int(sys.argv[1]), int(sys.argv[2]))))
