"""The samples of the history as rows of JSON and CSV."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from trio_mpu.formats import Origin, row_csv, row_json
from trio_mpu.history.asked import History
from trio_mpu.history.past import Past, Selection
from trio_mpu.history.reader import PIECE_SAMPLES, Piece, Reader
from trio_mpu.record import Record
from trio_mpu.sample import Gap


async def row_pieces(
    past: Past, asked: History, selection: Selection, address: str
) -> AsyncGenerator[bytes, None]:
    """Yield the answer piece by piece. Each is made when it is this address's turn.

    What is missing after `since`, and what the ring loses while a slow client reads, is reported in
    the first row after it, even where that row is one of those measured meanwhile. Raises
    RingError when the ring is replaced in the middle, or can't be read, and StoreError.
    """
    generation = selection.newest_generation(past.hub)
    opening, between, closing = frame(
        asked.format, asked.notation.csv_header, f'"generation":"{generation:016x}","samples"'
    )
    before = opening

    def encode(piece: Piece) -> bytes:
        nonlocal before
        text, gap, origin = "", piece.gap, piece.origin
        for record in piece.records:
            text += before + _row(asked, record, origin, gap)
            before, gap = between, None
        return text.encode()

    async with aclosing(Reader(past, selection, address).encoded(PIECE_SAMPLES, encode)) as pieces:
        async for data in pieces:
            yield data
    yield ((before if before is opening else "") + closing).encode()


def frame(form: str, csv_header: str, keys: str) -> tuple[str, str, str]:
    """Return what stands before the rows, between them and after them. `keys` are those of the JSON
    object, up to that of the rows."""
    if form == "csv":
        return csv_header, "", ""
    if form == "ndjson":
        return "", "", ""
    return f"{{{keys}:[\n", ",\n", "\n]}\n"


def _row(asked: History, record: Record, origin: Origin, gap: Gap | None) -> str:
    if asked.format == "csv":
        return row_csv(record, origin, gap, asked.notation) + "\n"
    text = row_json(record, origin, gap, asked.notation)
    return text + ("\n" if asked.format == "ndjson" else "")
