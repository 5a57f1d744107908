"""The samples of the history as MCAP."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from trio_mpu.formats import Ledger
from trio_mpu.history.mcap import McapFile
from trio_mpu.history.past import Past, Selection
from trio_mpu.history.reader import Piece, Reader, Settings

PIECE_SAMPLES: Final = 64  # encoded in 1 ms


async def mcap_pieces(
    past: Past, selection: Selection, address: str, ledger: Ledger | None
) -> AsyncGenerator[bytes, None]:
    """Yield the file piece by piece. Each is made when it is this address's turn.

    The loss ledger, if any, is part of it: its counters go on, so leave it out of a file that has
    to be the same each time. Raises RequestError for times that ROS 2 can't express,
    RingError and StoreError.
    """
    file, settings = McapFile(), Settings(0, "")

    def encode(piece: Piece) -> bytes:
        nonlocal settings
        if piece.settings != settings:
            settings = piece.settings
            file.begin(settings)
        gap = piece.gap
        for record in piece.records:
            file.add(record, gap)
            gap = None
        return file.taken()

    async with aclosing(Reader(past, selection, address).encoded(PIECE_SAMPLES, encode)) as pieces:
        async for data in pieces:
            yield data
    async with past.hub.turns.slice(address):
        file.end(ledger() if ledger is not None else None)
    yield file.taken()
