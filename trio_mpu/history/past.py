"""Ring and store as one: which samples are asked for, and where each of them is.

What the ring still has is read from there; only what is older comes from the store, which is up to
some seconds behind. The samples of an answer are fixed when it begins: what is measured meanwhile is
no part of it, so there is an end.
"""

from dataclasses import dataclass, field, replace
from functools import partial

from trio_mpu.errors import RingError
from trio_mpu.fanout.hub import Hub
from trio_mpu.history.asked import History
from trio_mpu.history.stored import Stored
from trio_mpu.record import Record
from trio_mpu.store import spans
from trio_mpu.store.archive import Archive
from trio_mpu.store.spans import Span


@dataclass
class Past:
    """Where samples are: the ring that the hub follows, and a recorder's file, if there is one."""

    hub: Hub
    stored: Stored | None = None


@dataclass(frozen=True)
class Selection:
    """The samples of an answer: those of the spans, and then those of the ring of `generation`
    after `after` up to `end`; `limit` at most, the oldest of them.

    `is_of_ring` is set if the store was not asked. `last` is the id of the sample right before them,
    if one was named or is known: what is missing after it is a gap.
    """

    generation: int
    after: int
    end: int
    spans: list[Span] = field(default_factory=list)
    is_of_ring: bool = False
    last: tuple[int, int] | None = None
    limit: int | None = None

    def newest_generation(self, hub: Hub) -> int:
        """Return the generation of the ring, or, before it has a sample, the newest in the store."""
        if self.spans and not hub.head:
            return int(self.spans[-1].session.generation, 16)
        return self.generation

    def longest_source(self, hub: Hub) -> int:
        """Return the length of the longest name of a device, in bytes."""
        sources = [hub.origin.source, *(span.session.source for span in self.spans)]
        return max(len(source.encode()) for source in sources)


async def newest_time_ns(past: Past, address: str) -> int | None:
    """Return the time of the newest sample of all; None if there is none. Raises StoreError."""
    if (newest := past.hub.snapshot.record) is not None:
        return newest.time_ns
    return None if past.stored is None else await past.stored.ask(address, spans.newest_time_ns)


async def count(past: Past, selection: Selection, address: str) -> int:
    """Return how many samples a selection has: at most, since the ring goes on. Raises
    StoreError."""
    in_store = 0
    if selection.spans:
        assert past.stored is not None
        in_store = await past.stored.ask(address, partial(spans.count, spans=selection.spans))
    samples = in_store + selection.end - selection.after
    return samples if selection.limit is None else min(samples, selection.limit)


async def select(past: Past, asked: History, address: str) -> Selection:
    """Find the samples that are asked for. Raises RingError and StoreError.

    The reads take turns with others, as those of `address`.
    """
    ring = _Ring(past.hub)
    async with past.hub.turns.slice(address):
        selection = await ring.select(asked)
    if ring.has_all(selection, asked):
        # What the ring loses of it before it is read is a gap.
        last = None if asked.is_unbounded else (selection.generation, selection.after)
        return replace(selection, is_of_ring=True, last=selection.last or last)
    if past.stored is None:
        return replace(selection, is_of_ring=True)
    return await past.stored.ask(address, partial(_with_store, asked, selection, ring))


class _Ring:
    """What the ring has, when the answer begins."""

    def __init__(self, hub: Hub) -> None:
        self.newest: Record | None = None
        self.before_oldest = hub.head  # the number before that of the oldest record
        self._source, self._generation, self.head = (
            hub.record_source,
            hub.origin.generation,
            hub.head,
        )

    async def select(self, asked: History) -> Selection:
        """Return what the ring has of what is asked for."""
        end = self.head
        if end and not asked.is_unbounded:
            self.newest = await self._record(end)
            self.before_oldest = (await self._record(1)).seq - 1
        if asked.to_ns is not None:
            end = await self._before(asked.to_ns)
        floors, last = [0], asked.since
        if last is not None and last[0] == self._generation:
            floors.append(min(last[1], self.head))
        if asked.from_ns is not None:
            floors.append(await self._before(asked.from_ns))
        if asked.seconds is not None and self.newest is not None:
            span_ns = round(asked.seconds * 1e9)
            if asked.to_ns is not None:
                floors.append(await self._before(asked.to_ns - span_ns))
            else:
                floors.append(await self._before(self.newest.t_ns - span_ns, "t_ns"))
        if asked.limit is not None and not asked.oldest_first:
            floors.append(end - asked.limit)
        after = max(floors)
        if last is not None and last[0] == self._generation:
            last = self._generation, after
        limit = asked.limit if asked.oldest_first else None
        return Selection(self._generation, after, max(after, end), last=last, limit=limit)

    def has_all(self, selection: Selection, asked: History) -> bool:
        """Return whether the ring has all that is asked for: then its numbers go back to where
        that begins."""
        if asked.is_unbounded:
            return True
        return self.newest is not None and selection.after >= max(1, self.before_oldest)

    async def _record(self, seq: int) -> Record:
        """Return the record of this number, or the oldest one after it."""
        if records := (await self._source.read(self._generation, seq - 1, 1)).records:
            return records[0]
        raise RingError("what the ring holds is damaged")

    async def _before(self, limit_ns: int, clock: str = "time_ns") -> int:
        """Return the number of the newest record that is older, by halving."""
        low, high = 0, self.head
        while low < high:
            middle = (low + high + 1) // 2
            # In place of one that the ring has lost it gives the oldest that it still has.
            if getattr(await self._record(middle), clock) < limit_ns:
                low = middle
            else:
                high = middle - 1
        return low


def _with_store(asked: History, selection: Selection, ring: "_Ring", archive: Archive) -> Selection:
    """Return the selection with what the store has of it."""
    if asked.since is None:
        found = spans.everything(archive)
    else:
        generation, seq = asked.since
        after = spans.after(archive, f"{generation:016x}", seq)
        if after is None:
            return selection
        found = after
    name, from_ns, to_ns = f"{selection.generation:016x}", asked.from_ns, asked.to_ns
    if asked.seconds is not None:
        newest_ns = ring.newest.time_ns if ring.newest else spans.newest_time_ns(archive)
        if (end_ns := to_ns if to_ns is not None else newest_ns) is not None:
            from_ns = end_ns - round(asked.seconds * 1e9)
    if ring.head:  # what is recorded meanwhile is no part of it
        found = [_until(span, ring.head) if _is_of(span, name) else span for span in found]
    found = [span for span in found if span.until_seq > span.after_seq]
    found = spans.between(archive, found, from_ns, to_ns)
    after_seq = selection.after
    if found and _is_of(found[-1], name):
        after_seq = max(after_seq, found[-1].until_seq)
    if asked.limit is not None and not asked.oldest_first:
        in_ring = max(0, selection.end - max(after_seq, ring.before_oldest))
        found = spans.newest(archive, found, asked.limit - in_ring)
    # What is missing before a later bound is no gap.
    last = asked.since if from_ns is None else None
    end = max(after_seq, selection.end)
    return replace(selection, after=after_seq, end=end, spans=found, last=last)


def _is_of(span: Span, generation: str) -> bool:
    return span.session.generation == generation


def _until(span: Span, seq: int) -> Span:
    return span._replace(until_seq=min(span.until_seq, seq))
