"""`/history?points=N`: any window of time in at most N windows, each with minimum, mean and maximum.

Long ones are made of the store's pyramid, from the coarsest level that will do, short ones of the
samples themselves. What the pyramid does not have yet is added from chunks and ring.
"""

import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Final, NamedTuple

from trio_mpu.formats import Notation, time_csv, time_json, values_csv, values_json
from trio_mpu.history.asked import History
from trio_mpu.history.past import Past, Selection, newest_time_ns, select
from trio_mpu.history.reader import PIECE_SAMPLES, Piece, Reader
from trio_mpu.history.rows import frame
from trio_mpu.store import spans, summary
from trio_mpu.store.archive import Archive
from trio_mpu.store.grid import Cell, Grid
from trio_mpu.store.spans import Span

# Bound "samples that points are made of, most".
MAX_SAMPLES: Final = 100_000  # read in half a second; of more, windows of a second do
_NS_PER_S: Final = 10**9


class Times(NamedTuple):
    """A window of time."""

    from_ns: int
    to_ns: int


async def point_pieces(past: Past, asked: History, address: str) -> AsyncGenerator[bytes, None]:
    """Yield the answer piece by piece. Raises RingError and StoreError."""
    grid = Grid(0, _NS_PER_S)
    if (times := await _times(past, asked, address)) is not None:
        grid = await _filled(past, asked, times, address)
    keys = f'"window_s":{grid.width_ns / _NS_PER_S:.9g},"points"'
    opening, between, closing = frame(asked.format, _csv_header(asked.notation), keys)
    windows, text, separator = grid.windows(), opening, ""
    for begin in range(0, len(windows), PIECE_SAMPLES):
        async with past.hub.turns.slice(address):
            for start_ns, cell in windows[begin : begin + PIECE_SAMPLES]:
                text += separator + _row(asked, start_ns, cell)
                separator = between
        yield text.encode()
        text = ""
    yield (text + closing).encode()


async def _times(past: Past, asked: History, address: str) -> Times | None:
    """Return which window is asked for: by default all that there is, which may be nothing."""
    newest, stored = past.hub.snapshot.record, past.stored
    to_ns = asked.to_ns
    if to_ns is None:
        if (newest_ns := await newest_time_ns(past, address)) is None:
            return None
        to_ns = newest_ns + 1
    from_ns = asked.from_ns
    if asked.seconds is not None:
        from_ns = to_ns - round(asked.seconds * _NS_PER_S)
    if from_ns is None and stored is not None:
        from_ns = await stored.ask(address, summary.oldest_ns)
    if from_ns is None and newest is not None:
        async with past.hub.turns.slice(address):
            batch = await past.hub.record_source.read(past.hub.origin.generation, 0, 1)
        from_ns = batch.records[0].time_ns if batch.records else None
    if from_ns is None or from_ns >= to_ns:
        return None
    return Times(from_ns, to_ns)


async def _filled(past: Past, asked: History, times: Times, address: str) -> Grid:
    """Return the grid with all that there is."""
    stored = past.stored
    samples = replace(asked, from_ns=times.from_ns, to_ns=times.to_ns, seconds=None)
    selection = await select(past, samples, address)
    assert asked.points is not None
    length_ns = times.to_ns - times.from_ns
    grid = Grid(times.from_ns, -(-length_ns // asked.points))
    in_ring = selection.end - selection.after
    if stored is not None and (in_ring > MAX_SAMPLES or not selection.is_of_ring):
        question = partial(_from_pyramid, asked.points, times, selection)
        if (found := await stored.ask(address, question)) is not None:
            grid, selection = found

    def add(piece: Piece) -> bytes:
        grid.add(piece.records, piece.gap)
        return b""

    async with aclosing(Reader(past, selection, address).encoded(PIECE_SAMPLES, add)) as pieces:
        async for _ in pieces:
            pass
    return grid


def _from_pyramid(
    points: int, times: Times, selection: Selection, archive: Archive
) -> tuple[Grid, Selection] | None:
    """Return the windows that the pyramid has, and the samples that are not in it yet; None if
    they are to be made of samples."""
    needed_ns = (times.to_ns - times.from_ns) // points
    if needed_ns < _NS_PER_S:
        samples = spans.count(archive, selection.spans) + selection.end - selection.after
        oldest_ns = summary.oldest_ns(archive)
        first_ns = spans.first_time_ns(archive, selection.spans)
        # Chunks that have been deleted may have left their windows.
        has_all = oldest_ns is None or (
            first_ns is not None and first_ns - max(oldest_ns, times.from_ns) < 2 * _NS_PER_S
        )
        if samples <= MAX_SAMPLES and has_all:
            return None
    level_s = summary.level_for(archive, needed_ns, *times)
    level_ns = level_s * _NS_PER_S
    start_ns = times.from_ns // level_ns * level_ns
    width_ns = math.ceil((times.to_ns - start_ns) / (level_ns * points)) * level_ns
    plan = summary.Plan(level_s, start_ns, width_ns)
    grid, unsettled = summary.summed(archive, plan, times.to_ns)
    return grid, _after_store(archive, selection, unsettled, start_ns)


def _after_store(
    archive: Archive, selection: Selection, unsettled: list[Span], from_ns: int
) -> Selection:
    """Return what the pyramid does not have of a selection. By now the store may have more of the
    ring than when the selection was made."""
    after, last = selection.after, None
    for span in spans.everything(archive)[-1:]:
        generation = int(span.session.generation, 16)
        if generation == selection.generation:
            after = max(after, min(span.until_seq, selection.end))
        newest_ns = spans.newest_time_ns(archive)
        if not unsettled and newest_ns is not None and newest_ns >= from_ns:
            last = generation, span.until_seq  # what is missing after it is a gap
    return replace(selection, spans=unsettled, after=after, last=last)


# -- as text ----------------------------------------------------------------------------------


def _csv_header(notation: Notation) -> str:
    names = ",".join(f"{part}_{axis}" for axis in notation.axes for part in ("min", "mean", "max"))
    return f"time,n,{names},gaps,lost{',units' if notation.si else ''}\n"


def _row(asked: History, start_ns: int, cell: Cell) -> str:
    notation = asked.notation
    parts = (cell.lows, cell.means, cell.highs)
    if asked.format == "csv":
        cells = (values_csv(part, notation).split(",") for part in parts)
        values = ",".join(chain.from_iterable(zip(*cells, strict=True)))
        units = ",si" if notation.si else ""
        time = time_csv(start_ns, notation)
        return f"{time},{cell.samples},{values},{cell.gaps},{cell.lost}{units}\n"
    least, mean, most = (values_json(part, notation) for part in parts)
    units = ',"units":"si"' if notation.si else ""
    text = (
        f'{{"time":{time_json(start_ns, notation)},"n":{cell.samples},"min":{least},"mean":{mean},'
        f'"max":{most},"gaps":{cell.gaps},"lost":{cell.lost}{units}}}'
    )
    return text + ("\n" if asked.format == "ndjson" else "")
