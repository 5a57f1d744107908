"""Ring → backlog → file, until stopped.

The follower reads the ring once a second, or oftener if the ring is short: nothing here has to be
prompt, so it needs no bell. The writer is another task, and SQLite is in a thread: a slow disk stops
the writer, and the follower reads on. If the backlog is full, the ring itself keeps what comes, and
what it has to overwrite is reported as a gap with the reason "store".
"""

import logging
from typing import Final

import trio

from trio_mpu import wall_clock
from trio_mpu.errors import RingDamaged, RingError, RingHeld, UsageError
from trio_mpu.home import with_home
from trio_mpu.record import Header, Record
from trio_mpu.ring import LOOK_S, MAX_RECORDS_A_HOLD, RingReader
from trio_mpu.sample import Gap
from trio_mpu.settings import RecordSettings
from trio_mpu.store.backlog import Backlog
from trio_mpu.store.chunk import Origin, chunks_of
from trio_mpu.store.keep import parse_keep
from trio_mpu.store.writer import Writer

log = logging.getLogger(__name__)

CHUNK_S: Final = 1.0
MIN_LOOK_S: Final = 0.01  # of the shortest rings; arbitrary
QUIET_S: Final = 2.0  # arbitrary: as long as a producer that is started with us may need


async def run_recorder(
    settings: RecordSettings,
    stop: trio.Event,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Record the ring until `stop`, and then what it still holds.

    Raises UsageError, and StoreError if something could not be written in the end. If the file
    can't be used at the start, StoreError is raised too; under a supervisor, whose other programs
    are of use without it, it is tried again instead.
    """
    keep = parse_keep(settings.keep)
    if not settings.store:
        raise UsageError("which file to record into? Give --store FILE")
    path = with_home(settings.store)
    writer = Writer(path, keep, Backlog())
    is_patient = settings.supervisor is not None
    ends = await (writer.open_patiently(stop) if is_patient else writer.open())
    log.info("recording ring %s into %s", settings.ring, path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.run)
        task_status.started()
        await Follower(settings.ring, writer, ends).run(stop)
        writer.end()


class Follower:
    """Reads one ring after the other into the writer's backlog."""

    def __init__(self, ring: str, writer: Writer, ends: dict[str, int]) -> None:
        self._ring = ring
        self._writer = writer
        self._backlog = writer.backlog
        self._ends = dict(ends)  # the newest number of each generation that has been read
        self._was_full = False
        self._boot_id = wall_clock.boot_id()

    async def run(self, stop: trio.Event) -> None:
        """Follow rings until `stop` is set, and read the last one to its end."""
        reader = await self._wait_for_ring(stop)
        while reader is not None:
            # Nobody waits for it: the producer need not ring, nor a place be taken.
            reader.bell.close()
            try:
                successor = await self._follow(reader, stop)
            finally:
                reader.close()
            reader = successor

    async def _wait_for_ring(self, stop: trio.Event) -> RingReader | None:
        trouble, quiet_until_s = "", trio.current_time() + QUIET_S
        while True:
            try:
                return RingReader(self._ring)
            except RingError as error:
                if str(error) != trouble and trio.current_time() >= quiet_until_s:
                    trouble = str(error)
                    log.info("waiting for samples: %s", trouble)
            if stop.is_set():
                return None
            with trio.move_on_after(LOOK_S):
                await stop.wait()

    async def _follow(self, reader: RingReader, stop: trio.Event) -> RingReader | None:
        """Read one ring; return its successor when all of this one has been read."""
        successor: RingReader | None = None
        is_new, look_s = True, CHUNK_S
        damage = ""
        try:
            while True:
                is_last = stop.is_set() or successor is not None
                try:
                    header = await reader.header()
                    if is_new:
                        log.info("following ring %s: %s", self._ring, header.source)
                        is_new = False
                    look_s = _look_s(header)
                    is_read_out = await self._take(reader, header)
                except RingHeld as error:
                    log.warning("%s", error)
                    is_read_out = stop.is_set()
                except RingDamaged as error:
                    if str(error) != damage:
                        damage = str(error)
                        log.warning("%s: waiting for a new one", damage)
                    is_read_out = True
                if is_last and (is_read_out or stop.is_set()):
                    if stop.is_set():
                        return None
                    found, successor = successor, None
                    return found
                if successor is None and not reader.is_current():
                    successor = self._successor()
                else:
                    with trio.move_on_after(look_s):
                        await stop.wait()
        finally:
            if successor is not None:
                successor.close()

    def _successor(self) -> RingReader | None:
        try:
            return RingReader(self._ring)
        except RingError:  # not made yet, or never: the old ring may still be written
            return None

    async def _take(self, reader: RingReader, header: Header) -> bool:
        """Read what there is, a chunk at a time; return whether that was all."""
        name = f"{reader.generation:016x}"
        origin = Origin(
            name, header.source, header.chip, header.calibration, header.period_ns, self._boot_id
        )
        records: list[Record] = []
        gap: Gap | None = None
        while not self._backlog.is_full():
            after = self._ends.get(name, 0)
            batch = await reader.read(after)
            if records and (batch.gap is not None or len(records) >= 2 * MAX_RECORDS_A_HOLD):
                self._add(origin, records, gap)
                records, gap = [], None
            if batch.records:
                if batch.gap is not None or name not in self._ends:
                    gap = self._gap(name, after, batch.records[0].seq, batch.gap)
                self._ends[name] = batch.records[-1].seq
                records += batch.records
            if len(batch.records) < MAX_RECORDS_A_HOLD:
                self._add(origin, records, gap)
                self._was_full = False
                return True
        self._add(origin, records, gap)
        self._was_full = True
        return False

    def _gap(self, generation: str, after: int, before: int, gap: Gap | None) -> Gap | None:
        """Return what is missing in the file before the next sample."""
        if generation not in self._ends:
            # The first ring of a new file is where it begins. Of any other, nobody knows what
            # there was between the last one's end and its beginning.
            return Gap(0, before, None, "restart") if self._ends else None
        if gap is None or not self._was_full:
            return gap
        log.warning("%d samples could not be kept: the file could not be written", gap.lost)
        return Gap(after, before, gap.lost, "store")

    def _add(self, origin: Origin, records: list[Record], gap: Gap | None) -> None:
        if records:
            self._backlog.add(chunks_of(origin, records, gap, wall_clock.asleep_ns()))
            self._writer.more()


def _look_s(header: Header) -> float:
    """Return the time to the next look: a chunk, or a quarter of what the ring holds."""
    return max(MIN_LOOK_S, min(CHUNK_S, header.capacity * header.period_ns / 4e9))
