"""How fast a processor is for a program like ours."""

import time
from typing import Final

ROUNDS: Final = 5
_LOOP: Final = 300_000


def loop_s() -> float:
    """The time that a fixed loop of pure Python takes here: the best of ROUNDS."""
    return min(_one() for _ in range(ROUNDS))


def _one() -> float:
    begun_s = time.perf_counter()
    total = 0
    for number in range(_LOOP):
        total += number * number % 7
    return time.perf_counter() - begun_s
