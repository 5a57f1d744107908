"""A producer within the virtual machine, and what its ring must hold."""

import itertools
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio

from trio_mpu.layout import Record
from trio_mpu.producer import run_producer
from trio_mpu.ring import RingReader

PERIOD_S: Final = 0.01


class Watched:
    """A producer, and the records of its ring so far."""

    def __init__(self, reader: RingReader) -> None:
        self.reader = reader
        self.records: list[Record] = []

    async def until(self, count: int) -> None:
        """Wait for so many more records than there are."""
        count += len(self.records)
        with trio.fail_after(20):
            while len(self.records) < count:
                await trio.sleep(0.02)
                await self.look()

    async def look(self) -> None:
        """Take over what is new."""
        while found := (
            await self.reader.read(self.records[-1].seq if self.records else 0)
        ).records:
            self.records += found

    def told(self) -> int:
        """The readings that are there, but for the first, or told to be missing."""
        return len(self.records) - 1 + sum(record.lost for record in self.records)

    def gaps(self) -> list[tuple[Record, Record]]:
        """The records around each told gap."""
        return [pair for pair in itertools.pairwise(self.records) if pair[1].lost]


@asynccontextmanager
async def producing(spec: str, rate_hz: float) -> AsyncIterator[Watched]:
    """A producer of this device, with its first records, until the end of the block."""
    ring = "kernel_trial"
    for path in (f"/dev/shm/{ring}", f"/dev/shm/sem.{ring}_sem"):
        Path(path).unlink(missing_ok=True)
    async with trio.open_nursery() as nursery:
        await nursery.start(run_producer, spec, rate_hz, ring, 16_384)
        with RingReader(ring) as reader:
            watched = Watched(reader)
            await watched.until(5)
            yield watched
            await watched.look()
        nursery.cancel_scope.cancel()


def number(record: Record) -> int:
    """Which of the chip's samples it is, modulo 1,024."""
    return round(record.ax * 9.80665 / 0.000598) + 512


def made(before: Record, after: Record) -> int:
    """How many samples the chip has made between these two."""
    return (number(after) - number(before)) % 1024 - 1


def passed(before: Record, after: Record, period_s: float = PERIOD_S) -> int:
    """How many periods without a sample have passed between these two."""
    return round((after.t_ns - before.t_ns) / 1e9 / period_s) - 1


def check_values(records: list[Record], values: Callable[[int], tuple[float, ...]]) -> None:
    """Each value is the one of the emulator's formula, to the last bit but one of a float32."""
    for record in records:
        for found, wanted in zip(record[3:10], values(number(record)), strict=True):
            step = abs(struct.unpack("f", struct.pack("f", wanted))[0] - found)
            assert step <= abs(wanted) * 2**-22, (record, values(number(record)))
