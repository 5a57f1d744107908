# Pure: no I/O, no clock, no waiting.
"""Wrong tokens, counted by address.

This is to keep the log and the counters readable, and to make trying slow. What keeps a token from being
found is its length: somebody with a right one is never refused, whatever others try from his address.
"""

import math
from typing import Final

from trio_mpu.address import network_of

# Bound "wrong tokens of an address".
MAX_WRONG: Final = 10  # more than anybody mistypes…
# Bound "time for wrong tokens, s".
WINDOW_S: Final = 60  # …in so long
# Bound "addresses with wrong tokens".
MAX_ADDRESSES: Final = 4096  # some 500 kB


class Attempts:
    """How many wrong tokens each address has shown lately; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._wrong: dict[str, tuple[float, int]] = {}  # when its time began, how many since then

    def __len__(self) -> int:
        return len(self._wrong)

    def note(self, address: str, now_s: float) -> int:
        """Take note of a wrong token at `now_s`, by any clock; return how many seconds this address
        has to wait before it shows the next one, 0 if it may try again."""
        network = network_of(address)
        begun_s, wrong = self._wrong.get(network, (-math.inf, 0))
        if now_s - begun_s >= WINDOW_S:
            self._wrong.pop(network, None)  # to stand at the end: the first is the oldest
            begun_s, wrong = now_s, 0
            if len(self._wrong) >= MAX_ADDRESSES:
                del self._wrong[next(iter(self._wrong))]
        self._wrong[network] = begun_s, wrong + 1
        return 0 if wrong < MAX_WRONG else max(1, math.ceil(begun_s + WINDOW_S - now_s))
