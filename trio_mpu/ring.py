"""The ring in shared memory: who may write what, and what happens on each failure.

Invariants:

1. There is one writer, for as long as it holds the writer's lock (segment.py).
2. Everything in the segment is read and written under the semaphore, except what the writer
   writes before the magic number, which no reader looks at. A critical section copies at most
   MAX_RECORDS_A_HOLD records and contains no await.
3. Moving `head` publishes a record, after its slot is full. The slot after the newest record is
   never read (layout.py).
4. A segment never changes its size once it has one: a process that has it mapped would die of
   SIGBUS. A ring of another capacity is a new segment under the same name, with a new generation.
5. Nobody trusts the bytes: each side compares the header with what it knows (untouched.py), and
   each record has a check of its own (layout.py).

Failures:

- A writer or a reader is killed anywhere: the semaphore recovers (semaphore.py), and the kernel
  frees the writer's lock and the bell's address immediately. Only the reading in flight is lost.
- The segment or the semaphore vanishes (systemd-logind removes a user's at logout): both sides
  notice that the names lead elsewhere (`is_current`); the producer makes a new ring, and
  readers open that.
- Another program writes to the segment, or cuts it short: a record whose check fails is left out,
  which is a gap, and a header that was changed is RingDamaged. The producer makes a new ring when it
  next writes, at the latest in a second. What is cut short between the look at its size and the copy
  kills that process (SIGBUS); its supervisor starts it again.
- A reader sleeps for too long: its next read reports which records it missed. It can't slow the
  writer down.
"""

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Self

from trio_mpu import wall_clock
from trio_mpu.errors import RingDamaged, RingError
from trio_mpu.record import ATTITUDE_RESETS, Batch, Header, Record, State, oldest_seq
from trio_mpu.sample import Flag, Gap, Sample
from trio_mpu.shm import doorbell, layout
from trio_mpu.shm.doorbell import Bell, Ringer
from trio_mpu.shm.ownership import own, sign
from trio_mpu.shm.segment import Segment
from trio_mpu.shm.untouched import HeaderReader, HeaderWriter

log = logging.getLogger(__name__)

LOOK_S: Final = doorbell.LOOK_S  # how often a reader looks without a bell
# Bound "records read or written under one hold".
MAX_RECORDS_A_HOLD: Final = 512  # 48 KiB: some 10 µs of copying while others wait


class RingWriter:
    """The producer's end. Open it with `await RingWriter.open(…)`, and close it in the end."""

    def __init__(self, name: str, segment: Segment, header: Header, last: Record | None) -> None:
        """For `open` only."""
        self.generation = header.generation
        self.head = header.head
        self.source = header.source  # a predecessor's, until start()
        # A predecessor's counts continue.
        self.ledger = header.ledger | {ATTITUDE_RESETS: header.attitude_resets}
        self._published_ledger = dict(self.ledger)  # what readers find
        self.last = last  # the newest record at the time of opening: a predecessor's, if any
        self._segment = segment
        self._known = HeaderWriter(segment.buffer, f"ring {name}")
        self._ringer = Ringer(name, header.generation)
        self._wall_clock = wall_clock.StepWatch()

    @classmethod
    async def open(cls, name: str, capacity: int) -> Self:
        """Take over the ring of this name from a dead producer, or make a new one.

        A ring of another capacity is replaced, as is one that is damaged. Raises RingError when a
        living producer has it, when we may not use it, or when there is no memory for it.
        Cancellation leaves a ring that the next producer takes over.
        """
        while True:
            segment = own(name, capacity)
            try:
                header, last = await segment.run(partial(sign, segment))
                return cls(name, segment, header, last)
            except RingDamaged as error:
                log.warning("%s: removing it", error)
                segment.unlink()
                segment.close()
            except BaseException:
                segment.close()
                raise

    def continues(self, source: str) -> bool:
        """Return whether the ring's records are from this source. Of a name that is too long for
        the header, only the beginning counts."""
        return self.source == layout.fitted("source", source)

    async def start(
        self, source: str, period_ns: int, chip: str = "", calibration: str = ""
    ) -> None:
        """Announce what is read, and that a record will come every `period_ns`. `chip` is for
        people: the chip and its settings; empty when unknown. `calibration` is the id of the
        calibration that the samples are corrected with; empty without one."""

        def section() -> None:
            layout.put_text(self._segment.buffer, "source", source)
            layout.put_text(self._segment.buffer, "chip", chip)
            layout.put_text(self._segment.buffer, "calibration", calibration)
            layout.put(self._segment.buffer, "period_ns", period_ns)
            layout.put(self._segment.buffer, "state", State.RUNNING)

        await self._change(section)
        await self.beat()

    async def _change(self, section: Callable[[], None]) -> None:
        """Change what only the producer writes."""

        def change() -> None:
            self._known.check_all(self.head)
            section()
            self._known.note()

        await self._segment.run(change)

    async def write(self, samples: Sequence[Sample]) -> None:
        """Number the samples, publish them in order and wake the readers.

        At most MAX_RECORDS_A_HOLD samples; all or, when this raises RingHeld or RingDamaged or is
        cancelled, none of them. Of a damaged ring, nothing can be used any more: open another.
        """
        await self._segment.run(self._section(samples))
        self._written(len(samples))

    def write_now(self, samples: Sequence[Sample]) -> bool:
        """Do as `write` does if the semaphore is free; return False, without waiting, if not.

        Raises RingDamaged.
        """
        if not self._segment.run_now(self._section(samples)):
            return False
        self._written(len(samples))
        return True

    def _section(self, samples: Sequence[Sample]) -> Callable[[], None]:
        assert len(samples) <= MAX_RECORDS_A_HOLD
        offset_ns = wall_clock.offset_ns()
        records = [
            Record.of(seq, sample.t_ns + offset_ns, sample)
            for seq, sample in enumerate(samples, start=self.head + 1)
        ]
        if self._wall_clock.has_stepped():
            records[0] = records[0]._replace(flags=records[0].flags | Flag.CLOCK_STEP)
        buffer, capacity = self._segment.buffer, self._segment.capacity

        def section() -> None:
            self._known.check(self.head)
            for record in records:
                layout.put_record(buffer, capacity, record)
            # Before the head: a reader that sees a gap finds it counted.
            if self.ledger != self._published_ledger:
                self._publish_ledger()
            layout.publish(buffer, records[-1].seq)

        return section

    def _written(self, count: int) -> None:
        self.head += count
        self._wall_clock.accept()
        self._ringer.ring(time.monotonic())

    async def beat(self) -> None:
        """Publish the heartbeat and the ledger. Raises RingHeld and RingDamaged."""
        self.ledger["semaphore_recoveries"] += self._segment.take_recoveries()

        def section() -> None:
            self._known.check_all(self.head)
            layout.put(self._segment.buffer, "heartbeat_ns", time.monotonic_ns())
            self._publish_ledger()

        await self._segment.run(section)

    def _publish_ledger(self) -> None:
        layout.put_ledger(self._segment.buffer, self.ledger)
        self._published_ledger = dict(self.ledger)

    async def stop(self) -> None:
        """Announce that no more records will come."""
        await self.beat()
        await self._change(partial(layout.put, self._segment.buffer, "state", State.STOPPED))
        self._ringer.ring(time.monotonic())

    def is_current(self) -> bool:
        """Return whether readers that open the ring now find this one."""
        return self._segment.is_current()

    def unlink(self) -> None:
        """Remove the ring's names."""
        self._segment.unlink()

    def close(self) -> None:
        """Release the writer's lock; the ring stays for a successor."""
        self._ringer.close()
        self._segment.close()


class RingReader:
    """One reader's end, with its own bell. A process may have several of the same ring."""

    def __init__(self, name: str) -> None:
        """Open the ring of this name.

        Raises RingMissing while none is ready, RingError when it can't be used.
        """
        self._segment = Segment(name)
        try:
            self._segment.map()
            self._segment.use()
            self.generation = layout.number(self._segment.buffer, "generation")
            self._known = HeaderReader(self._segment.buffer, self._segment.capacity, f"ring {name}")
            self.damaged = 0  # places that held something else than the record that was to be read
            self._damaged_until = 0  # the newest of them
            self.bell = Bell(name, self.generation)
        except OSError as error:  # no descriptor or no memory left
            self._segment.close()
            raise RingError(f"can't open ring {name}: {error.strerror}") from error
        except BaseException:
            self._segment.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def header(self) -> Header:
        """Return a copy of the header. Raises RingHeld and RingDamaged."""

        def section() -> Header:
            self._known.head()
            return layout.read_header(self._segment.buffer)

        return await self._segment.run(section)

    async def read(self, after: int, limit: int = MAX_RECORDS_A_HOLD) -> Batch:
        """Return the oldest records with numbers above `after`, at most `limit` of them.

        The batch is empty when there is none yet. Its `gap` says which records after `after`
        the ring has overwritten, or never had, or that are damaged. Raises RingHeld and RingDamaged;
        neither that nor cancellation loses anything.
        """
        buffer, capacity = self._segment.buffer, self._segment.capacity

        def section() -> tuple[int, int, bytes]:
            head = self._known.head()
            oldest = oldest_seq(head, capacity, layout.number(buffer, "first"))
            start = max(after + 1, oldest)
            count = max(0, min(limit, MAX_RECORDS_A_HOLD, head - start + 1))
            return head, start, layout.copy_records(buffer, capacity, start, count)

        head, start, copied = await self._segment.run(section)
        records = layout.parse_records(copied, start, checked=True)
        begin = records[0].seq if records else start + len(copied) // layout.RECORD_BYTES
        self._note_damage(start, begin)
        gap = None
        if after + 1 < begin <= head + 1:
            gap = Gap(after, begin, begin - after - 1, "lapped")
        return Batch(records, gap, head)

    def _note_damage(self, start: int, begin: int) -> None:
        """Count the places from `start` up to `begin`, each of them once."""
        self.damaged += max(0, begin - max(start, self._damaged_until + 1))
        if begin > start:
            self._damaged_until = max(self._damaged_until, begin - 1)

    def producer_lives(self) -> bool:
        """Return whether there is a living writer, according to the kernel."""
        return self._segment.writer_lives()

    def is_current(self) -> bool:
        """Return whether the ring's name still leads to this one."""
        return self._segment.is_current()

    def close(self) -> None:
        """Release the bell and the segment."""
        self.bell.close()
        self._segment.close()
