"""What a client reads of an answer, without a connection."""

import contextlib
from collections.abc import Mapping

from trio_mpu.web.answer import Answer
from trio_mpu.web.app import App
from trio_mpu.web.pieces import Deferred, Pieces
from trio_mpu.web.request import Request


async def text_of(app: App, path: str, query: Mapping[str, str], lines: int = 0) -> str:
    """Return the body of an answer, or so many lines at least of one without end."""
    reply = app.respond(Request("GET", path, query))
    if isinstance(reply, Deferred):
        reply = await reply.make()
    if isinstance(reply, Answer):
        return reply.body.decode()
    assert isinstance(reply, Pieces)
    text = ""
    async with contextlib.aclosing(reply.generate(None)) as pieces:
        async for piece in pieces:
            text += piece.payload.decode()
            if lines and text.count("\n") >= lines:
                break
    return text
