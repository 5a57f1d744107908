"""Producer and server as processes of their own, and a client that reads the stream."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import trio

from trio_mpu.record import Record
from trio_mpu.sample import Flag

PORT: Final = 8123
RING: Final = "kernel_served"
PATIENCE_S: Final = 60.0  # an emulated processor takes 10 s to start both
TERM_S: Final = 20.0


def stopped(process: "subprocess.Popen[bytes]") -> int:
    """End a program as a user would; its exit status."""
    process.terminate()
    try:
        return process.wait(TERM_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


class Programs:
    """A server, which goes on from one trial to the next, and a producer for each of them."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None

    def serve(self) -> None:
        """Start the server unless it runs."""
        if self._server is None:
            options = ("--host=127.0.0.1", f"--port={PORT}", f"--ring={RING}")
            self._server = subprocess.Popen([sys.executable, "server_main.py", *options])
        assert self._server.poll() is None, "the server has ended"

    @staticmethod
    def produce(spec: str, rate_hz: float) -> "subprocess.Popen[bytes]":
        """Start a producer."""
        options = (f"--device={spec}", f"--rate={rate_hz:g}", f"--ring={RING}", "--attitude=off")
        return subprocess.Popen([sys.executable, "producer_main.py", *options])


class Listener:
    """A client of `/events` that only keeps what comes: reading it would take a processor that
    producer and server need."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._pieces: list[bytes] = []
        self.events = 0

    async def run(self, path: str) -> None:
        """Ask, and keep what comes until the server ends it or this is cancelled."""
        await self._stream.send_all(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        while piece := await self._stream.receive_some(65_536):
            self._pieces.append(piece)
            self.events += piece.count(b"\ndata: ")

    async def until(self, count: int) -> None:
        """Wait for so many more events."""
        count += self.events
        with trio.fail_after(PATIENCE_S):
            while self.events < count:  # noqa: ASYNC110 - nothing is to be done for each
                await trio.sleep(0.05)

    async def until_ns(self, t_ns: int) -> None:
        """Wait for a sample of this time or later."""
        with trio.fail_after(PATIENCE_S):
            while self._newest_ns() < t_ns:  # noqa: ASYNC110 - nothing is to be done for each
                await trio.sleep(0.1)

    def _newest_ns(self) -> int:
        found = re.findall(rb'"t_ns":(\d+)', b"".join(self._pieces[-20:]))
        return int(found[-1]) if found else 0

    def samples(self, source: str) -> list[Record]:
        """What came of this device, as records."""
        blocks = [
            block.partition(b"data: ") for block in b"".join(self._pieces).split(b"\n\n")[:-1]
        ]
        # A status, which has no id, comes with the last sample once more.
        objects = [json.loads(text) for head, _, text in blocks if head.startswith(b"id: ")]
        return [_record(each) for each in objects if each["source"] == source]


def _record(event: dict[str, Any]) -> Record:
    values = event["sample"]
    empty = Record(*[0] * len(Record._fields))
    return empty._replace(
        seq=event["seq"],
        t_ns=event["t_ns"],
        **values,
        flags=sum(Flag[name.upper()] for name in event["flags"]),
        lost=event.get("gap", {}).get("lost", 0),
    )


async def _connected() -> trio.SocketStream:
    with trio.fail_after(PATIENCE_S):
        while True:
            try:
                return await trio.open_tcp_stream("127.0.0.1", PORT)
            except OSError:
                await trio.sleep(0.1)


async def _latest() -> dict[str, Any]:
    """The latest sample; nothing while there is none."""
    data = b""
    async with await _connected() as stream:
        await stream.send_all(b"GET /json HTTP/1.0\r\n\r\n")
        while piece := await stream.receive_some(65_536):
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    return json.loads(body) if b" 200 " in head.partition(b"\r\n")[0] else {}


@asynccontextmanager
async def listening(source: str, path: str = "/events") -> AsyncIterator[Listener]:
    """A client of the stream, from when it has samples of this device on."""
    with trio.fail_after(PATIENCE_S):
        while True:
            latest = await _latest()
            if latest.get("source") == source and latest.get("status") == "ok":
                break
            await trio.sleep(0.2)
    async with await _connected() as stream, trio.open_nursery() as nursery:
        listener = Listener(stream)
        nursery.start_soon(listener.run, path)
        await listener.until(2)
        yield listener
        nursery.cancel_scope.cancel()


def processor_s(pid: int) -> float:
    """What a process has used of a processor up to now."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy_share(pid: int, since: tuple[float, float]) -> float:
    """The part of a processor that it has used since `now(pid)`."""
    begun_s, used_s = since
    return (processor_s(pid) - used_s) / (time.monotonic() - begun_s)


def now(pid: int) -> tuple[float, float]:
    """Time, and what a process has used of a processor."""
    return time.monotonic(), processor_s(pid)
