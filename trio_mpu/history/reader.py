"""The samples of an answer, one piece after the other, with what is missing between them.

First those of the store, then those of the ring. A slow client may find that the ring has
overwritten what it has not read yet: by then the store has that, and it is read from there. Chunks of
the store that are damaged are passed over: what they had is missing before the next sample.
"""

from collections import deque
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Final, NamedTuple

from trio_mpu.errors import RingError
from trio_mpu.fanout.hub import Hub
from trio_mpu.formats import Origin
from trio_mpu.history.past import Past, Selection
from trio_mpu.history.stored import READ_SAMPLES
from trio_mpu.record import Record
from trio_mpu.sample import Gap
from trio_mpu.store import spans
from trio_mpu.store.archive import Archive, Held, Session
from trio_mpu.store.spans import Span

PIECE_SAMPLES: Final = 128  # some 30 kB, encoded in 1 ms: streams are not kept waiting


class Piece(NamedTuple):
    """Consecutive records of one origin, and what is missing right before them. `settings` are
    those by which they were recorded."""

    settings: "Settings"
    records: list[Record]
    gap: Gap | None

    @property
    def origin(self) -> Origin:
        """The ring's generation and the device's name."""
        return Origin(self.settings.generation, self.settings.source)


class Settings(NamedTuple):
    """What samples share that were recorded together."""

    generation: int
    source: str
    chip: str = ""
    calibration: str = ""
    period_ns: int = 0

    @classmethod
    def of_session(cls, session: Session) -> "Settings":
        """Return those of a session in the store."""
        return cls(int(session.generation, 16), *session[2:6])

    @classmethod
    def of_ring(cls, hub: Hub) -> "Settings":
        """Return those of the ring."""
        header = hub.header
        if header is None:
            return cls(*hub.origin)
        return cls(*hub.origin, header.chip, header.calibration, header.period_ns)


NOTHING: Final = Piece(Settings(0, ""), [], None)


class Reader:
    """Reads a selection once."""

    def __init__(self, past: Past, selection: Selection, address: str) -> None:
        self._left = selection.limit  # samples that may still be given; None: any number
        self._hub, self._stored, self._address = past.hub, past.stored, address
        self._source, self._settings = past.hub.record_source, Settings.of_ring(past.hub)
        self._generation, self._after, self._end = (
            selection.generation,
            selection.after,
            selection.end,
        )
        self._spans = deque(selection.spans)
        self._chunk_id = 0  # the next one to fetch of the first span; 0: its first
        self._held = deque[tuple[Settings, Held]]()  # fetched, and not given yet
        self._last = selection.last  # the id of the sample that was given last…
        self._passed = selection.last  # …and of the last one that was given or can't be read
        self._is_lapped = False  # the ring has lost what is next
        self._is_lost = False  # …and the store does not have it either

    async def encoded(
        self, most: int, encode: Callable[[Piece], bytes]
    ) -> AsyncGenerator[bytes, None]:
        """Yield what `encode` makes of each piece of at most so many records, unless it is b"".

        To read the ring and to encode is done in this address's turn, to read the store before it.
        Raises RingError when the ring is replaced, or can't be read, and StoreError. To be closed
        by the caller, as by contextlib.aclosing.
        """
        while True:
            await self._fetch()
            async with self._hub.turns.slice(self._address):
                piece = await self._next(most)
                if piece is None:
                    return
                data = encode(piece) if piece.records else b""
            if data:
                yield data

    async def _fetch(self) -> None:
        """Get what comes next from the store, if it is to come from there."""
        if self._stored is None or self._left == 0:
            return
        if self._is_lapped:
            self._is_lapped = False
            self._spans.extend(await self._stored.ask(self._address, self._after_last))
            self._is_lost = not self._spans
        while self._spans and not self._held:
            span = self._spans[0]
            begin = self._chunk_id or span.first_chunk_id
            question = partial(spans.read, span=span, chunk_id=begin, samples=READ_SAMPLES)
            held = await self._stored.ask(self._address, question)
            settings = Settings.of_session(span.session)
            self._held.extend((settings, each) for each in held)
            self._chunk_id = held[-1].chunk_id + 1 if held else 0
            if not held or self._chunk_id > span.last_chunk_id:
                self._spans.popleft()
                self._chunk_id = 0

    async def _next(self, most: int) -> Piece | None:
        """Return the next records, `most` at most; None if there are no more, and NOTHING if there
        is something to fetch first."""
        if self._left is not None:
            most = min(most, self._left)
        if not most:
            return None
        piece = self._from_store(most) if self._held else await self._from_ring(most)
        if piece is None or not piece.records:
            return piece
        if self._left is not None:
            self._left -= len(piece.records)
        self._last = self._passed = piece.settings.generation, piece.records[-1].seq
        return piece

    def _from_store(self, most: int) -> Piece:
        settings, held = self._held.popleft()
        if held.damage:
            self._pass_over(settings.generation, held)
            return NOTHING
        if len(held.records) > most:
            rest = held._replace(numbers=held.numbers[most:], records=held.records[most:], gap=None)
            self._held.appendleft((settings, rest))
        records = held.records[:most]
        return Piece(settings, records, self._gap(settings.generation, records[0].seq, held.gap))

    def _pass_over(self, generation: int, damaged: Held) -> None:
        assert self._stored is not None
        self._stored.note_damage(damaged)
        if generation == self._generation and damaged.numbers.stop - 1 > self._after:
            self._is_lost = True  # the ring may have lost only some of it
            return
        if self._last is None:  # the gap begins with what was asked for
            self._last = generation, damaged.numbers.start - 1
        self._passed = generation, damaged.numbers.stop - 1

    async def _from_ring(self, most: int) -> Piece | None:
        after = self._after
        if self._passed is not None and self._passed[0] == self._generation:
            after = max(after, self._passed[1])
        if after >= self._end:
            return None
        batch = await self._source.read(self._generation, after, min(most, self._end - after))
        if not batch.records:
            raise RingError("what the ring holds is damaged")
        if batch.gap is not None and self._stored is not None and self._last and not self._is_lost:
            self._is_lapped = True
            return NOTHING
        self._is_lost = False
        records = [record for record in batch.records if record.seq <= self._end]
        # Without a sample that was named, nothing is missing before the oldest that there is.
        gap = None
        if self._last is not None:
            gap = self._gap(self._generation, batch.records[0].seq, batch.gap)
        if gap is not None and not records:
            # All the rest is gone: one more sample than was asked for, which says so.
            records = batch.records[:1]
        return Piece(self._settings, records, gap) if records else None

    def _gap(self, generation: int, seq: int, found: Gap | None) -> Gap | None:
        """Return what is missing before the next sample. What was `found` knows the reason."""
        if self._last is None:
            return found
        if self._last[0] != generation:
            return Gap(self._last[1], seq, None, "restart")
        missing = seq - self._last[1] - 1
        if not missing:
            return None
        reason = found.reason if found is not None else "lapped"
        return Gap(self._last[1], seq, missing, reason if self._passed == self._last else "store")

    def _after_last(self, archive: Archive) -> list[Span]:
        """Return what the store has of what the ring has lost."""
        assert self._passed is not None
        generation, seq = self._passed
        found = spans.after(archive, f"{generation:016x}", seq) or []
        found = [span for span in found if span.session.generation == f"{self._generation:016x}"]
        return [each._replace(until_seq=min(each.until_seq, self._end)) for each in found]
