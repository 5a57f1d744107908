"""The samples of the history as MCAP."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from trio_mpu.web.app import App
from trio_mpu.web.mcap import McapFile
from trio_mpu.web.past import Selection
from trio_mpu.web.reader import Piece, Reader, Settings

PIECE_SAMPLES: Final = 64  # encoded in 1 ms


async def mcap_pieces(
    app: App, selection: Selection, address: str, *, with_ledger: bool
) -> AsyncGenerator[bytes, None]:
    """Yield the file piece by piece. Each is made when it is this address's turn.

    The loss ledger is part of it only `with_ledger`: its counters go on, and a file of which parts
    are given has to be the same each time. Raises RequestError for times that ROS 2 can't express,
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

    async with aclosing(Reader(app, selection, address).encoded(PIECE_SAMPLES, encode)) as pieces:
        async for data in pieces:
            yield data
    async with app.hub.turns.slice(address):
        file.end(app.ledger() if with_ledger else None)
    yield file.taken()
