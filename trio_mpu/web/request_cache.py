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
from trio_mpu.web.request import Request

# Bound "requests known by their bytes".
MAX_REQUESTS: Final = 64  # arbitrary; the clients of one network send a few different ones
# Bound "known request, bytes".
MAX_REQUEST_BYTES: Final = 2048  # a browser's has some 500


@dataclass
class KnownRequest:
    """What h11 made of a request's bytes, and the answer to it that was made last."""

    data: bytes
    request: Request
    uses: int = 0
    _snapshot: Snapshot | None = None
    _second: int = 0
    _answer: bytes = b""

    def answer(
        self, snapshot: Snapshot, second: int, make: Callable[[bytes, Request], bytes]
    ) -> bytes:
        """Return the whole answer, b"" if there is no simple one.

        It is made by `make` when there is none yet for this snapshot and this second.
        """
        if self._snapshot is not snapshot or self._second != second:
            self._answer = make(self.data, self.request)
            self._snapshot, self._second = snapshot, second
        return self._answer


class RequestCache:
    """The requests that are known by their bytes, at most MAX_REQUESTS of them."""

    def __init__(self) -> None:
        self._known: dict[bytes, KnownRequest] = {}

    def learn(self, data: bytes, request: Request) -> None:
        """Remember what these bytes mean, if they are not too many.

        When there is no room, what was used least makes it. All counts are halved then, so that
        what was popular yesterday goes, too.
        """
        if len(data) > MAX_REQUEST_BYTES or data in self._known:
            return
        if len(self._known) >= MAX_REQUESTS:
            least = min(self._known.values(), key=lambda known: known.uses)
            del self._known[least.data]
            for known in self._known.values():
                known.uses //= 2
        self._known[data] = KnownRequest(data, request)

    def find(self, data: bytes) -> KnownRequest | None:
        """Return what these bytes mean, None if that is not known; count the use."""
        known = self._known.get(data)
        if known is not None:
            known.uses += 1
        return known
