"""A producer within the virtual machine, and what its ring must hold."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio

from trio_mpu.producer.run import run_producer
from trio_mpu.record import Record
from trio_mpu.ring import RingReader
from trio_mpu.settings import ProducerSettings

RING: Final = "kernel_trial"


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
    for path in (f"/dev/shm/{RING}", f"/dev/shm/sem.{RING}_sem"):
        Path(path).unlink(missing_ok=True)
    async with trio.open_nursery() as nursery:
        settings = ProducerSettings(
            device=spec, rate=rate_hz, ring=RING, capacity=16_384, attitude="off"
        )
        await nursery.start(run_producer, settings)
        with RingReader(RING) as reader:
            watched = Watched(reader)
            await watched.until(5)
            yield watched
            await watched.look()
        nursery.cancel_scope.cancel()
