"""Ring → hub: the one task of the server that follows the producer."""

import logging
import time
from typing import Final

import trio

from trio_mpu.average import AVERAGE_SAMPLES
from trio_mpu.doorbell import LOOK_S
from trio_mpu.errors import RingError, RingHeld, RingMissing
from trio_mpu.formats import Origin
from trio_mpu.hub import Hub
from trio_mpu.layout import Batch
from trio_mpu.metrics import Metrics
from trio_mpu.ring import RingReader
from trio_mpu.snapshot import WAITING, judge

log = logging.getLogger(__name__)

CHECK_S: Final = 0.5  # how often the ring's names are checked


class RingPast:
    """What the ring that is open now still holds: the hub's `Past`."""

    def __init__(self) -> None:
        self.reader: RingReader | None = None
        self.successor: RingReader | None = None  # to be read when `reader` has been read out

    async def read(self, generation: int, after: int, limit: int) -> Batch:
        """Return the oldest records above `after`; RingMissing if that ring is not open."""
        if self.reader is None or self.reader.generation != generation:
            raise RingMissing("that ring is gone")
        return await self.reader.read(after, limit)

    def succeed(self) -> None:
        """Close the ring, and go over to its successor, if there is one."""
        if self.reader is not None:
            self.reader.close()
        self.reader, self.successor = self.successor, None


async def pump(ring: str, hub: Hub, past: RingPast, metrics: Metrics) -> None:
    """Publish what the producer writes, until cancelled.

    Waits for a ring, outlives its producers, and goes over to a new ring when there is one.
    """
    try:
        past.reader = await _wait_for_ring(ring, hub)
        while past.reader is not None:
            metrics.count("rings_opened")
            await _follow(ring, past.reader, past, hub, metrics)
            past.succeed()
    finally:
        past.succeed()  # closes the ring…
        past.succeed()  # …and its successor


async def _wait_for_ring(ring: str, hub: Hub) -> RingReader:
    trouble = ""
    while True:
        try:
            return RingReader(ring)
        except RingError as error:
            if str(error) != trouble:
                trouble = str(error)
                log.info("waiting for samples: %s", trouble)
            hub.judge(WAITING, f"no sample yet: {trouble}")
        await trio.sleep(LOOK_S)


async def _follow(
    ring: str, reader: RingReader, past: RingPast, hub: Hub, metrics: Metrics
) -> None:
    """Publish one ring; return when there is another and all of this one has been published."""
    cursor: int | None = None
    period_s = LOOK_S
    next_look_s = next_check_s = 0.0
    while True:
        rang = await reader.wait(period_s)
        now_s = trio.current_time()
        try:
            if cursor is None:
                cursor = await _begin(ring, reader, hub)
            batch = await reader.read(cursor)
            if batch.gap is not None:
                cursor = batch.gap.before - 1
            if batch.records:
                cursor = batch.records[-1].seq
                hub.publish(batch)
                if not rang:
                    reader.missed_bell()
            elif past.successor is not None:
                return
            else:
                hub.flush()
            if now_s >= next_look_s or (batch.records and hub.snapshot.status != "ok"):
                next_look_s = now_s + LOOK_S
                period_s = await _judge(reader, hub)
        except RingHeld as error:
            metrics.count("ring_held")
            hub.judge("stale" if hub.snapshot.record else WAITING, str(error))
        if now_s >= next_check_s and past.successor is None:
            next_check_s = now_s + CHECK_S
            past.successor = _successor(ring, reader)


async def _begin(ring: str, reader: RingReader, hub: Hub) -> int:
    """Begin a ring with its newest sample, and with an average that is warm; return the cursor."""
    header = await reader.header()
    earlier = await reader.read(max(0, header.head - AVERAGE_SAMPLES), AVERAGE_SAMPLES)
    hub.begin(Origin(header.generation, header.source), earlier.records)
    log.info("following ring %s: %s, %d samples so far", ring, header.source, header.head)
    return hub.head


async def _judge(reader: RingReader, hub: Hub) -> float:
    """Tell the hub how the newest sample stands; return the producer's period in seconds."""
    header = await reader.header()
    hub.ledger = header.ledger
    record = hub.snapshot.record
    lives = reader.producer_lives()
    if record is not None:
        status, reason = judge(
            record,
            header.period_ns,
            header.state,
            producer_lives=lives,
            now_ns=time.monotonic_ns(),
        )
        hub.judge(status, reason)
    else:
        waiting = "the sensor has given none" if lives else "the producer has stopped"
        hub.judge(WAITING, f"no sample yet: {waiting}")
    return header.period_ns / 1e9


def _successor(ring: str, reader: RingReader) -> RingReader | None:
    """Return a reader of the ring that has taken this one's place, if there is one."""
    if reader.is_current():
        return None
    try:
        return RingReader(ring)
    except RingError:  # not made yet, or never: the old ring may still be written
        return None
