"""Ring → hub: the one task of the server that follows the producer."""

import logging
import time
from typing import Final

import trio

from trio_mpu.errors import RingDamaged, RingError, RingHeld, RingMissing
from trio_mpu.fanout.catch_up import RETRY_RING_S
from trio_mpu.fanout.hub import Hub
from trio_mpu.fanout.moving_average import AVERAGE_SAMPLES
from trio_mpu.fanout.snapshot import WAITING, assess
from trio_mpu.formats import Origin, gap_of
from trio_mpu.metrics.counters import Metrics
from trio_mpu.record import Batch
from trio_mpu.ring import LOOK_S, RingReader

log = logging.getLogger(__name__)

QUIET_S: Final = 2.0  # arbitrary: a producer that is started together with the server needs less
# Bound "check for a new ring, s".
CHECK_S: Final = 0.5  # how often the ring's names are checked
HELD_S: Final = RETRY_RING_S  # as long as a client that catches up waits before it reads again


class RingRecords:
    """What the ring that is open now still holds: the hub's `RecordSource`."""

    def __init__(self) -> None:
        self.reader: RingReader | None = None
        self.successor: RingReader | None = None  # to be read when `reader` has been read out
        self._held: RingHeld | None = None  # what the last read raised that had to wait…
        self._held_until_s = 0.0  # …and until when all others raise it without waiting

    async def read(self, generation: int, after: int, limit: int) -> Batch:
        """Return the oldest records above `after`; RingMissing if that ring is not open.

        While a living process keeps the semaphore, one read waits for it, and not each: they
        are made in turns (fanout/turns.py), and new requests wait for the same turn.
        """
        if self.reader is None or self.reader.generation != generation:
            raise RingMissing("that ring is gone")
        if self._held is not None and trio.current_time() < self._held_until_s:
            raise RingHeld(str(self._held))
        try:
            return await self.reader.read(after, limit)
        except RingHeld as error:
            self._held, self._held_until_s = error, trio.current_time() + HELD_S
            raise

    def succeed(self) -> None:
        """Close the ring, and go over to its successor, if there is one."""
        if self.reader is not None:
            self.reader.close()
        self.reader, self.successor = self.successor, None


async def follow_ring(ring: str, hub: Hub, record_source: RingRecords, metrics: Metrics) -> None:
    """Publish what the producer writes, until cancelled.

    Waits for a ring, outlives its producers, and goes over to a new ring when there is one.
    """
    try:
        record_source.reader = await _wait_for_ring(ring, hub)
        while record_source.reader is not None:
            metrics.count("rings_opened")
            await _follow(ring, record_source.reader, record_source, hub, metrics)
            record_source.succeed()
    finally:
        record_source.succeed()  # closes the ring…
        record_source.succeed()  # …and its successor


async def _wait_for_ring(ring: str, hub: Hub) -> RingReader:
    trouble = ""
    quiet_until_s = trio.current_time() + QUIET_S
    while True:
        try:
            return RingReader(ring)
        except RingError as error:
            if str(error) != trouble and trio.current_time() >= quiet_until_s:
                trouble = str(error)
                log.info("waiting for samples: %s", trouble)
            hub.set_status(WAITING, f"no sample yet: {trouble}")
        await trio.sleep(LOOK_S)


async def _follow(
    ring: str, reader: RingReader, record_source: RingRecords, hub: Hub, metrics: Metrics
) -> None:
    """Publish one ring; return when there is another and all of this one has been published, or it
    is damaged."""
    follower = _Follower(ring, reader, hub, metrics)
    next_look_s = next_check_s = 0.0
    is_damaged = False
    while True:
        try:
            await follower.listen()
            if await follower.take():
                reader.bell.missed()
            elif record_source.successor is not None:
                return
            if trio.current_time() >= next_look_s:
                next_look_s = trio.current_time() + LOOK_S
                await follower.update_status()
            is_damaged = False
        except (RingHeld, RingDamaged) as error:
            if isinstance(error, RingHeld):
                metrics.count("ring_held")
            elif record_source.successor is not None:
                return
            elif not is_damaged:
                is_damaged = True
                metrics.count("ring_damaged")
                log.warning("%s: waiting for a new one", error)
            hub.set_status("stale" if hub.snapshot.record else WAITING, str(error))
        now_s = trio.current_time()
        if now_s >= next_check_s and record_source.successor is None:
            next_check_s = now_s + CHECK_S
            record_source.successor = _successor(ring, reader)


class _Follower:
    """How far one ring has been published. All that waits here may raise RingHeld and RingDamaged."""

    def __init__(self, ring: str, reader: RingReader, hub: Hub, metrics: Metrics) -> None:
        self._ring = ring
        self._reader = reader
        self._hub = hub
        self._metrics = metrics
        self._damaged = 0  # places that have been counted
        self._cursor: int | None = None  # None before the ring could be read for the first time
        self._period_s = 0.0  # of the producer, nominal

    async def listen(self) -> None:
        """Publish at each bell, until it is time to look without one.

        That one deadline serves many bells: to set one for each would cost a fifth of what it
        takes to publish a sample.
        """
        bell, hub = self._reader.bell, self._hub
        with trio.move_on_after(bell.look_s(self._period_s)) as look:
            while True:
                if hub.flush_s < look.deadline:
                    look.deadline = hub.flush_s
                await bell.rung()
                if not await self.take():
                    # Several rings for what one read has found already, most likely.
                    bell.drain()
                    await self.take()

    async def take(self) -> bool:
        """Publish what there is beyond the cursor; return whether there was anything."""
        if self._cursor is None:
            self._cursor = await self._begin()
        batch = await self._reader.read(self._cursor)
        if batch.gap is not None:
            self._cursor = batch.gap.before - 1
        if self._reader.damaged > self._damaged:
            self._note_damage(self._reader.damaged)
        if not batch.records:
            self._hub.flush()
            return False
        if any(map(gap_of, batch.records)):
            self._hub.header = await self._reader.header()  # its ledger accounts for them
        self._cursor = batch.records[-1].seq
        self._hub.publish(batch)
        if self._hub.snapshot.status != "ok":
            await self.update_status()
        return True

    def _note_damage(self, damaged: int) -> None:
        if not self._damaged:
            log.warning("samples in ring %s are damaged: they are left out", self._ring)
        self._metrics.count("samples_damaged", damaged - self._damaged)
        self._damaged = damaged

    async def _begin(self) -> int:
        """Begin a ring with its newest sample, and with an average that is warm."""
        header = self._hub.header = await self._reader.header()
        after = max(0, header.head - AVERAGE_SAMPLES)
        earlier = await self._reader.read(after, AVERAGE_SAMPLES)
        self._hub.begin(Origin(header.generation, header.source), earlier.records)
        log.info("following ring %s: %s, %d samples so far", self._ring, header.source, header.head)
        return self._hub.head

    async def update_status(self) -> None:
        """Assess the newest sample, and set the hub's status."""
        lives = self._reader.producer_lives()  # before the header, which has a dead one's last
        header = self._hub.header = await self._reader.header()
        self._period_s = header.period_ns / 1e9
        record = self._hub.snapshot.record
        if record is not None:
            status, reason = assess(
                record,
                header.period_ns,
                header.state,
                producer_lives=lives,
                now_ns=time.monotonic_ns(),
            )
            # While the ring has more than has been published, a stop of the producer would be
            # announced before its last samples, and a sample that is old because this server
            # was kept waiting would look like a silent sensor.
            if status == "ok" or header.head <= self._hub.head:
                self._hub.set_status(status, reason)
        else:
            waiting = "the sensor has given none" if lives else "the producer has stopped"
            self._hub.set_status(WAITING, f"no sample yet: {waiting}")


def _successor(ring: str, reader: RingReader) -> RingReader | None:
    """Return a reader of the ring that has taken this one's place, if there is one."""
    if reader.is_current():
        return None
    try:
        return RingReader(ring)
    except RingError:  # not made yet, or never: the old ring may still be written
        return None
