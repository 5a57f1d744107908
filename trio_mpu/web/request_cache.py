# Pure: no I/O, no clock, no waiting.
"""Requests that were parsed before need no second parse.

What a request means is a pure function of its bytes, as long as its connection was idle before
them. So when h11 has judged them once, on any connection, and found one whole GET without a body
that leaves the connection open, the same bytes mean the same again; of everything else h11
remains the judge. The answer's bytes are h11's too, made anew for each sample, and each second
for the Date.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from trio_mpu.fanout.snapshot import Snapshot
from trio_mpu.web.routes import Target

# Bound "requests known by their bytes".
MAX_REQUESTS: Final = 64  # arbitrary; the clients of one network send a few different ones
# Bound "known request, bytes".
MAX_REQUEST_BYTES: Final = 2048  # a browser's has some 500


@dataclass
class KnownRequest:
    """What h11 made of a request's bytes, and the answer to it that was made last."""

    target: Target
    headers: dict[str, str]
    snapshot: Snapshot | None = None
    second: int = 0
    answer: bytes = b""


class RequestCache:
    """The requests that are known by their bytes: the first MAX_REQUESTS that came."""

    def __init__(self) -> None:
        self._parsed: dict[bytes, KnownRequest] = {}

    def learn(self, request: bytes, target: Target, headers: dict[str, str]) -> None:
        """Remember what a request means, if it is short enough and there is room."""
        if len(request) <= MAX_REQUEST_BYTES and len(self._parsed) < MAX_REQUESTS:
            self._parsed[request] = KnownRequest(target, headers)

    def answer(
        self,
        request: bytes,
        snapshot: Snapshot,
        second: int,
        make: Callable[[bytes, KnownRequest], bytes],
    ) -> bytes:
        """Return the answer to a request that is known, b"" if it is not or has no simple one.

        It is made by `make` when there is none for this snapshot and this second.
        """
        parsed = self._parsed.get(request)
        if parsed is None:
            return b""
        if parsed.snapshot is not snapshot or parsed.second != second:
            parsed.answer = make(request, parsed)
            parsed.snapshot, parsed.second = snapshot, second
        return parsed.answer
