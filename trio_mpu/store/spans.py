"""Which samples of an archive are asked for: by time, by number, or so many of the newest.

Within a session times and numbers rise, so that either is found by halving. All here blocks and
raises StoreError; call it within one snapshot of the archive. Spans may be from an earlier snapshot:
what was deleted since is left out.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from trio_mpu.store.archive import Archive, Held, Session

_TIMES: Final = "SELECT first_seq, count, first_time_ns, last_time_ns FROM chunks WHERE id = ?"
_OLDEST: Final = "SELECT id, first_seq FROM chunks ORDER BY id LIMIT 1"
_LAST_GAP: Final = (
    "SELECT before_seq FROM gaps WHERE chunk_id BETWEEN ? AND ? AND before_seq BETWEEN ? AND ? "
    "ORDER BY chunk_id DESC, before_seq DESC LIMIT 1"
)
_HOLE: Final = (
    "SELECT after_seq FROM gaps WHERE chunk_id = ? AND before_seq = ? "
    "AND reason IN ('lapped', 'store')"
)
_HOLES: Final = (
    "SELECT coalesce(sum(before_seq - after_seq - 1), 0) FROM gaps WHERE chunk_id BETWEEN ? AND ? "
    "AND after_seq >= ? AND before_seq BETWEEN ? AND ? AND reason IN ('lapped', 'store')"
)


class Span(NamedTuple):
    """The samples of a session from the one after `after_seq` up to `until_seq`, both of which
    there are, and the chunks that have them."""

    session: Session
    first_chunk_id: int
    last_chunk_id: int
    after_seq: int
    until_seq: int


def everything(archive: Archive) -> list[Span]:
    """Return all samples that there are, a span for each session."""
    return [_whole(archive, session) for session in archive.sessions()]


def between(
    archive: Archive, spans: Sequence[Span], from_ns: int | None, to_ns: int | None
) -> list[Span]:
    """Return those samples of spans whose time is at or after `from_ns` and before `to_ns`, by the
    clock as it was set last; None is no bound."""
    found = (_between(archive, span, from_ns, to_ns) for span in spans)
    return [span for span in found if span is not None]


def newest_time_ns(archive: Archive) -> int | None:
    """Return the time of the newest sample, by the clock as it was set last; None without one."""
    for session in archive.sessions()[-1:]:
        for *_, last_ns in archive.numbers(_TIMES, session.last_chunk_id):
            return int(last_ns) + session.correction_ns
    return None


def first_time_ns(archive: Archive, spans: Sequence[Span]) -> int | None:
    """Return the time of the first of these samples, by the clock as it was set last; None if there
    are none. In a damaged chunk it is that of the chunk's first sample."""
    for span in spans:
        for held in read(archive, span, span.first_chunk_id, 1):
            if held.records:
                return held.records[0].time_ns
            for _, _, first_ns, _ in archive.numbers(_TIMES, held.chunk_id):
                return int(first_ns) + span.session.correction_ns
    return None


def after(archive: Archive, generation: str, seq: int) -> list[Span] | None:
    """Return all samples that were recorded after this one, or None if there are none of this
    generation."""
    whole = everything(archive)
    of_it = [place for place, span in enumerate(whole) if span.session.generation == generation]
    if not of_it:
        return None
    for place in of_it:
        if whole[place].until_seq > seq:
            return [_from(archive, whole[place], seq), *whole[place + 1 :]]
    return whole[of_it[-1] + 1 :]


def remaining(archive: Archive, spans: Sequence[Span]) -> list[Span]:
    """Return spans that were found in an earlier snapshot without what was deleted since."""
    return [
        span._replace(
            first_chunk_id=max(span.first_chunk_id, chunk_id),
            after_seq=max(span.after_seq, first - 1)
            if span.first_chunk_id < chunk_id
            else span.after_seq,
        )
        for chunk_id, first in archive.numbers(_OLDEST)
        for span in spans
        if chunk_id <= span.last_chunk_id
    ]


def newest(archive: Archive, spans: Sequence[Span], samples: int) -> list[Span]:
    """Return the newest `samples` of these."""
    found: list[Span] = []
    for span in reversed(spans):
        if samples <= 0:
            break
        held = count(archive, [span])
        if held > samples:
            span = _newest(archive, span, samples)  # noqa: PLW2901 - a part of it
        samples -= held
        found.insert(0, span)
    return found


def oldest(archive: Archive, spans: Sequence[Span], samples: int) -> list[Span]:
    """Return the oldest `samples` of these."""
    found: list[Span] = []
    for span in spans:
        if samples <= 0:
            break
        held = count(archive, [span])
        if held > samples:
            span = _oldest(archive, span, held - samples)  # noqa: PLW2901 - a part of it
        samples -= held
        found.append(span)
    return found


def without_gap(archive: Archive, spans: Sequence[Span]) -> list[Span]:
    """Return the newest of these samples between which none is missing."""
    found: list[Span] = []
    for span in reversed(spans):
        if found and not _joins(span, found[0]):
            break
        bounds = (span.first_chunk_id, span.last_chunk_id, span.after_seq + 1, span.until_seq)
        for (before_seq,) in archive.numbers(_LAST_GAP, *bounds):
            return [_from(archive, span, before_seq - 1), *found]
        found.insert(0, span)
    return found


def count(archive: Archive, spans: Sequence[Span]) -> int:
    """Return how many samples these are."""
    return sum(span.until_seq - span.after_seq - _holes(archive, span) for span in spans)


def read(archive: Archive, span: Span, chunk_id: int, samples: int) -> list[Held]:
    """Return the samples of a span from this chunk on: at least `samples`, or all there are.
    Damaged chunks are among them: see Held.

    Those that were deleted since the span was made are left out.
    """
    found = []
    for held in archive.read(span.session, chunk_id, span.last_chunk_id, samples):
        first, end = held.numbers.start, held.numbers.stop
        numbers = range(max(first, span.after_seq + 1), min(end, span.until_seq + 1))
        if numbers == held.numbers:
            found.append(held)
        elif numbers:
            records = held.records[numbers.start - first : numbers.stop - first]
            gap = held.gap if numbers.start == first else None
            found.append(held._replace(numbers=numbers, records=records, gap=gap))
    return found


def _between(archive: Archive, span: Span, from_ns: int | None, to_ns: int | None) -> Span | None:
    session = span.session
    if from_ns is not None:
        chunk_id = _first(archive, span, "last_time_ns", from_ns - session.correction_ns)
        if chunk_id > span.last_chunk_id:
            return None
        first = _first_at(archive, session, chunk_id, from_ns)
        span = span._replace(first_chunk_id=chunk_id, after_seq=max(span.after_seq, first - 1))
    if to_ns is not None:
        beyond = _first(archive, span, "first_time_ns", to_ns - session.correction_ns)
        if beyond == span.first_chunk_id:
            return None
        until = _first_at(archive, session, beyond - 1, to_ns) - 1
        span = span._replace(last_chunk_id=beyond - 1, until_seq=min(span.until_seq, until))
    return span if span.until_seq > span.after_seq else None


def _first_at(archive: Archive, session: Session, chunk_id: int, time_ns: int) -> int:
    """Return the number of a chunk's first sample at or after a time; that after its last one if
    all are before. In a damaged chunk it is estimated from the times of the chunk's ends."""
    found = archive.read(session, chunk_id, chunk_id, 1)
    if not found:
        raise archive.damaged()
    held = found[0]
    if held.damage:
        ((_, count, first_ns, last_ns),) = archive.numbers(_TIMES, chunk_id)
        before = _before(count, first_ns, last_ns, time_ns - session.correction_ns)
        return held.numbers.start + before
    first = (record.seq for record in held.records if record.time_ns >= time_ns)
    return next(first, held.numbers.stop)


def _before(count: int, first_ns: int, last_ns: int, time_ns: int) -> int:
    """Return how many of so many samples, evenly from the first time to the last, are before a
    time."""
    if time_ns <= first_ns:
        return 0
    if time_ns > last_ns:
        return count
    return -((first_ns - time_ns) * (count - 1) // (last_ns - first_ns))


def _first(archive: Archive, span: Span, column: str, value: int) -> int:
    """Return the first chunk of a span whose `column`, which rises, is at least `value`; one
    beyond the last if there is none. Those that were deleted were the oldest."""
    statement = f"SELECT {column} >= ? FROM chunks WHERE id = ?"  # noqa: S608 - of our own columns

    def is_there(chunk_id: int) -> bool:
        return any(found for (found,) in archive.rows(statement, value, chunk_id))

    low, high = span.first_chunk_id, span.last_chunk_id + 1
    # The ends first: most sessions are wholly before or after it.
    if is_there(low):
        return low
    if not is_there(high - 1):
        return high
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_there(middle) else (middle + 1, high)
    return low


def _whole(archive: Archive, session: Session) -> Span:
    statement = "SELECT first_seq, first_seq + count - 1 FROM chunks WHERE id = ?"
    firsts = archive.numbers(statement, session.first_chunk_id)
    lasts = archive.numbers(statement, session.last_chunk_id)
    if not (firsts and lasts):
        raise archive.damaged()
    (first, _), (_, last) = firsts[0], lasts[0]
    return Span(session, session.first_chunk_id, session.last_chunk_id, first - 1, last)


def _from(archive: Archive, span: Span, seq: int) -> Span:
    """Return what a span has after this number, which is less than its last."""
    if seq <= span.after_seq:
        return span
    chunk_id = _first(archive, span, "first_seq + count - 1", seq + 1)
    after_seq = span.until_seq  # nothing, unless the chunk is there
    for (first,) in archive.numbers("SELECT first_seq FROM chunks WHERE id = ?", chunk_id):
        after_seq = max(seq, first - 1)
    return span._replace(first_chunk_id=chunk_id, after_seq=after_seq)


def _newest(archive: Archive, span: Span, samples: int) -> Span:
    """Return the newest `samples` of a span that has more, by halving."""
    low, high = span.after_seq, span.until_seq - 1
    while low < high:
        middle = (low + high + 1) // 2
        if count(archive, [_from(archive, span, middle)]) >= samples:
            low = middle
        else:
            high = middle - 1
    return _from(archive, span, low)


def _oldest(archive: Archive, span: Span, samples: int) -> Span:
    """Return a span, which has more, without its newest `samples`."""
    rest = _newest(archive, span, samples)
    until = rest.after_seq
    for (after_seq,) in archive.numbers(_HOLE, rest.first_chunk_id, until + 1):
        until = after_seq
    return span._replace(until_seq=until)


def _joins(span: Span, later: Span) -> bool:
    return (span.session.generation, span.until_seq) == (later.session.generation, later.after_seq)


def _holes(archive: Archive, span: Span) -> int:
    """Return how many numbers of a span have no sample. Between its chunks: none has holes."""
    chunks = (span.first_chunk_id, span.last_chunk_id)
    ((holes,),) = archive.numbers(
        _HOLES, *chunks, span.after_seq, span.after_seq + 1, span.until_seq
    )
    return int(holes)
