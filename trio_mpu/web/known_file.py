"""An answer that is a file: its length is known, and clients may ask for parts of it."""

import contextlib
from collections.abc import AsyncGenerator
from functools import partial

from trio_mpu.fanout.group import Chunk
from trio_mpu.web.answer import Answer, Headers, error_answer
from trio_mpu.web.app import App
from trio_mpu.web.pieces import Pieces
from trio_mpu.web.ranges import Part, part_of
from trio_mpu.web.request import Request
from trio_mpu.web.spool import Spool
from trio_mpu.web.spools import MakePieces


def canonical(request: Request) -> str:
    """Return what a request asks for: the same text for the same path and parameters."""
    asked = sorted(pair for pair in request.query.items() if pair[0] != "_")
    return repr((request.path, asked))


async def known_file(
    app: App,
    request: Request,
    key: str,
    content_type: str,
    headers: Headers,
    make: MakePieces,
) -> Answer | Pieces:
    """Return a file of all pieces that `make` gives, or the part of it that is asked for.

    `make` is called at most once for a `key` while its file is kept. What it gives has to be

    - the same bytes whenever it is called for this key: a client puts a file together from answers of
      several workers, and each has files of its own. So: nothing of a clock, of a counter, or of what
      is measured meanwhile;
    - not encoded (no Content-Encoding): ranges are of the bytes as they are;
    - MAX_SPOOL_BYTES at most: estimate before you call. More is a 400.

    `headers` are those of the whole answer, such as Content-Disposition; Accept-Ranges, ETag,
    Content-Length and Content-Range are added. A Cache-Control of `no-cache` lets a client keep the
    file and ask whether it is still the same; `no-store` does not.

    A TrioMpuError that the pieces raise, at whatever point, becomes a RequestError: nothing is sent
    before the file is complete. Its own status stays, all others become 503. Between the return and
    the first piece there must be no checkpoint.
    """
    spool = await app.spools.find(key, make)
    part = part_of(request, spool.etag, spool.size)
    headers = (*headers, ("Accept-Ranges", "bytes"), ("ETag", spool.etag))
    if part.status == 304:
        return Answer(304, b"", content_type, headers)
    if part.status == 412:
        return error_answer(412, "the file is another one by now")
    if part.status == 416:
        return _unsatisfiable(spool.size)
    if part.status == 206:
        content_range = f"bytes {part.first}-{part.end - 1}/{spool.size}"
        headers = (*headers, ("Content-Range", content_range))
    return Pieces(
        content_type,
        partial(_part, spool, part),
        headers,
        status=part.status,
        length=part.end - part.first,
    )


def _unsatisfiable(size: int) -> Answer:
    answer = error_answer(416, f"the file has {size} bytes, and none of those that are asked for")
    more = (("Accept-Ranges", "bytes"), ("Content-Range", f"bytes */{size}"))
    return Answer(416, answer.body, answer.content_type, (*answer.headers, *more))


async def _part(spool: Spool, part: Part, _fd: int | None) -> AsyncGenerator[Chunk, None]:
    with spool.in_use():
        async with contextlib.aclosing(spool.read(part.first, part.end)) as pieces:
            async for piece in pieces:
                yield Chunk(piece)
