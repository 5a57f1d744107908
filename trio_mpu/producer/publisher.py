"""Backlog → ring, and a new ring if the old one was removed."""

import logging
from typing import Final

import trio

from trio_mpu.device import Device
from trio_mpu.errors import RingDamaged, RingError
from trio_mpu.producer.backlog import Backlog
from trio_mpu.ring import MAX_RECORDS_A_HOLD, RingWriter

log = logging.getLogger(__name__)

BEAT_S: Final = 1.0  # how often heartbeat and ledger are published and the ring's names checked
RETRY_S: Final = 0.1  # how often a ring that can't be written is tried again
GOODBYE_S: Final = 0.5  # arbitrary: to write the last samples and the state "stopped"


async def replace(writer: RingWriter, ring: str, capacity: int) -> RingWriter:
    """Return the writer of a new ring that replaces this writer's."""
    writer.unlink()
    writer.close()
    return await RingWriter.open(ring, capacity)


def _facts(device: Device) -> tuple[str, int, str, str]:
    """Return what a ring's header has of a device."""
    return device.source, device.period_ns, device.chip, device.calibration


class Publisher:
    """Moves the backlog into the ring, and creates a new ring if the old one was removed."""

    def __init__(
        self, backlog: Backlog, writer: RingWriter, device: Device, ring: str, capacity: int
    ) -> None:
        self._backlog = backlog
        self._writer: RingWriter | None = writer
        self._ledger = writer.ledger
        self._device = device
        self._announced = _facts(device)
        self._ring = ring
        self._capacity = capacity
        self._wanted = trio.Event()  # `run` has something to do before the next beat
        self._waits = False  # `run` is idle, and the ring works
        self._ended = False

    def publish(self) -> None:
        """Write the backlog: right here if that takes no waiting, otherwise let `run` do it."""
        if not (self._waits and self._write_now()):
            self._wanted.set()

    def _write_now(self) -> bool:
        assert self._writer is not None
        if _facts(self._device) != self._announced:
            return False
        samples = self._backlog.first(MAX_RECORDS_A_HOLD + 1)
        try:
            if len(samples) > MAX_RECORDS_A_HOLD or not self._writer.write_now(samples):
                return False
        except RingDamaged:  # `run` meets it too, and makes a new ring
            return False
        self._backlog.drop(len(samples))
        return True

    def end(self) -> None:
        """Note that there will be no more samples."""
        self._ended = True
        self._wanted.set()

    async def run(self) -> None:
        """Write what `publish` could not, and the heartbeat, until cancelled.

        After the last sample of a recording the ring's state is "stopped", and the ring stays.
        """
        next_beat_s = 0.0
        problem = ""
        while True:
            with trio.move_on_at(next_beat_s):
                self._waits = not problem
                await self._wanted.wait()
            self._waits = False
            if not self._ended:
                self._wanted = trio.Event()
            try:
                if trio.current_time() >= next_beat_s:
                    # If this fails, nothing else is tried until it has succeeded.
                    writer = await self._beat()
                    next_beat_s = trio.current_time() + BEAT_S
                    if problem:
                        log.warning("writing to the ring again")
                    problem = ""
                await self._flush(writer)
                if self._ended:
                    await writer.stop()
                    await trio.sleep_until(next_beat_s)
            except RingError as error:
                if isinstance(error, RingDamaged):
                    next_beat_s = 0.0  # which makes a new ring
                elif str(error) != problem:
                    log.warning("can't write samples yet: %s", error)
                    problem = str(error)
                self._wanted.set()
                await trio.sleep(RETRY_S)

    async def _beat(self) -> RingWriter:
        """Publish heartbeat and ledger in the ring that readers find now; return its writer."""
        if self._writer is not None and self._writer.is_current():
            try:
                await self._writer.beat()
            except RingDamaged as error:
                self._writer.unlink()
                self._ledger["ring_damages"] += 1
                log.warning("%s: removing it", error)
            else:
                return self._writer
        if self._writer is not None:
            # If only the semaphore was removed, our own lock would keep us out.
            self._writer.close()
            self._writer = None
        writer = await RingWriter.open(self._ring, self._capacity)
        try:
            if writer.head:  # written by a producer that ran in the meantime
                writer = await replace(writer, self._ring, self._capacity)
            writer.ledger = self._ledger
            await self._announce(writer)
        except BaseException:
            writer.close()  # the next attempt takes it over
            raise
        log.warning("ring %s was removed; created a new one", self._ring)
        self._writer = writer
        return writer

    async def _announce(self, writer: RingWriter) -> None:
        facts = _facts(self._device)
        await writer.start(*facts)
        self._announced = facts

    async def _flush(self, writer: RingWriter) -> None:
        """Write the backlog. If the device says something else about itself now, as a recording of
        several sessions does, the header says so first."""
        if _facts(self._device) != self._announced:
            await self._announce(writer)
        while samples := self._backlog.first(MAX_RECORDS_A_HOLD):
            await writer.write(samples)
            self._backlog.drop(len(samples))

    async def stop(self) -> None:
        """Write the last samples, set the ring's state to "stopped", and release the ring for the
        next producer; all within GOODBYE_S."""
        if self._writer is None:
            return
        with trio.move_on_after(GOODBYE_S, shield=True) as goodbye:
            try:
                await self._flush(self._writer)
                await self._writer.stop()
            except RingDamaged as error:
                log.warning("%s: the last samples were not written", error)
        if goodbye.cancelled_caught:
            log.warning("another process holds the ring: the last samples were not written")
        self._writer.close()
