"""How a subscriber that is behind reads on from the ring, and what gap it has to report.

It starts at its cursor and is encoded by itself until it stands where its group stands. Its
position moves only when a chunk is handed out, so that cancellation loses nothing.
"""

import contextlib
from typing import Final

import trio

from trio_mpu.errors import RingError
from trio_mpu.fanout.encoder import Encoder
from trio_mpu.fanout.group import Chunk, Group
from trio_mpu.fanout.hub import EARLIEST, Hub
from trio_mpu.fanout.moving_average import AVERAGE_SAMPLES, Average
from trio_mpu.record import Batch, Record
from trio_mpu.sample import Gap

CATCH_UP_SAMPLES: Final = 128  # a chunk of some 50 kB, encoded in 2 ms
# Bound "retry of the ring, s".
RETRY_RING_S: Final = 0.1


class CatchUp:
    """See above. `gap`, if any, is to be reported with the next sample."""

    def __init__(self, hub: Hub, group: Group, last_event_id: str, address: str) -> None:
        self.gap: Gap | None = None
        self._hub = hub
        self._group = group
        self._last_event_id = last_event_id
        self._address = address
        self._takes_oldest = last_event_id == EARLIEST  # whatever its number: nothing is missing
        self._reason = ""  # of a gap, should the ring overwrite what is next
        self._reading: _Reading | None = None

    def begin(self) -> None:
        """Note that the client was too slow for its group."""
        self._reason, self._reading = "slow", None

    def end(self) -> None:
        """Note that it is attached to its group."""
        self._reading = None

    def settle(self, at: Chunk) -> Chunk:
        """Return the position in the ring that the hub publishes now, of a client that is `at`."""
        generation = self._hub.origin.generation
        if generation == at.generation:
            return at
        if at.generation == 0:
            cursor, self.gap = self._hub.cursor_after(self._last_event_id, self._group.options)
            self._reason = "lapped"
        else:
            # The ring that this position belongs to is gone; what was in it is unknown.
            # Until a restart is reported, the position is in a ring of which the client has nothing.
            gap = self.gap or (self._reading and self._reading.restart)
            last = gap.after if gap and gap.lost is None else at.seq
            self.gap, cursor = Gap(last, 0, None, "restart"), 0
        self._reading = None
        return Chunk(b"", generation, cursor, at.status)

    def is_complete(self, at: Chunk) -> bool:
        """Return whether a client that is `at` has everything its group has sent, or can't get it
        any more."""
        seq = at.seq
        if self._reading is not None and self.gap is not None:
            seq = max(seq, self._reading.seq)
        return seq == self._group.seq

    def is_far(self, at: Chunk) -> bool:
        """Return whether a client that is `at` has more to catch up on than fits into one chunk."""
        read = 0 if self._reading is None else self._reading.after
        return self._hub.head - max(at.seq, read) > CATCH_UP_SAMPLES

    async def read(self, at: Chunk) -> Chunk | None:
        """Return what comes next for a client that is `at`; None if there is nothing yet."""
        hub = self._hub
        reading = self._reading = self._reading or _Reading(at.seq, self._encoder())
        if reading.after >= hub.head:
            # Nothing of means is complete before its group's are.
            await (self._group if self._group.options.rate_hz else hub).news.park()
            return None
        async with hub.turns.slice(self._address):
            with contextlib.suppress(RingError):
                batch = await hub.record_source.read(at.generation, reading.after, reading.limit)
                # Meanwhile the hub may have switched to a ring with other samples under these
                # numbers.
                if hub.origin.generation != at.generation:
                    return None
                return self._encode(batch, at, reading)
        await trio.sleep(RETRY_RING_S)
        return None

    def _encoder(self) -> Encoder:
        return self._group.options.encoder(self._hub.origin, self._hub.ledger)

    def _encode(self, batch: Batch, at: Chunk, reading: "_Reading") -> Chunk | None:
        """Return the records as a chunk; `reading` and the gap to report move on."""
        head, events, seq = self._hub.head, bytearray(), at.seq
        # The hub itself will offer what is newer than its head.
        records = [record for record in batch.records if record.seq <= head]
        if records and self._takes_oldest:
            self._takes_oldest = False
            reading.seq = max(reading.seq, records[0].seq - 1)
        for record in records:
            if seq == self._group.seq:
                break
            mean = reading.average.add(record)
            if record.seq > reading.seq:
                gap = self._gap_before(record, reading.seq)
                events += reading.encoder.add(record, mean, gap)
                seq = reading.encoder.seq or seq
                reading.note(gap, seq)
                reading.seq = record.seq
            reading.after = record.seq
        if not records:
            # The ring has overwritten everything that was to be read: wait for what comes. The window
            # that had begun is missing, too: its event would have come with the next sample.
            self.gap = self.gap or reading.restart or Gap(at.seq, 0, 0, self._reason)
            reading.begin_anew(self._encoder())
            reading.after = reading.seq = min(batch.gap.before - 1, head) if batch.gap else head
        if seq > at.seq:
            return Chunk(bytes(events), at.generation, seq, at.status)
        return None

    def _gap_before(self, record: Record, last: int) -> Gap | None:
        """Return the gap to report with a record; it is then with the encoder."""
        gap, self.gap = self.gap, None
        if gap is None and record.seq == last + 1:
            return None
        gap = gap or Gap(last, 0, 0, self._reason)
        lost = None if gap.lost is None else record.seq - gap.after - 1
        kind = "slow" if gap.reason == "slow" else "resume"
        self._hub.metrics.count(f"gaps_{kind}")
        self._hub.metrics.count(f"{kind}_lost", lost or 0)
        return gap._replace(before=record.seq, lost=lost)


class _Reading:
    """How far a subscriber that is behind has got: it has encoded up to `seq`, and reads what
    comes after `after`.

    Reading begins before the cursor, because the first mean needs the earlier samples.
    """

    def __init__(self, cursor: int, encoder: Encoder) -> None:
        self.seq = cursor
        self.after = max(0, cursor - AVERAGE_SAMPLES + 1)
        self.limit = CATCH_UP_SAMPLES + cursor - self.after
        self.average = Average()
        self.begin_anew(encoder)

    def begin_anew(self, encoder: Encoder) -> None:
        """Encode what comes next without what came before."""
        self.encoder = encoder
        self.restart: Gap | None = None  # that its window will report, and has not yet

    def note(self, gap: Gap | None, seq: int) -> None:
        """Note what the encoder was given, and how far its events go now."""
        if gap is not None and gap.lost is None:
            self.restart = gap
        if self.restart is not None and self.restart.before <= seq:
            self.restart = None
