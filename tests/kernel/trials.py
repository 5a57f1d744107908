"""The trials that there are, each with the chip that it needs."""

import importlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Final, NamedTuple

Run = Callable[[], Awaitable[str]]
# In this order; the last of them leave a server behind.
MODULES: Final = ("iio_trials", "i2c_trials", "text_trials", "auto_trials", "served_trials")


class Trial(NamedTuple):
    """What to run, what it says when all is well, and what must be there meanwhile."""

    run: Run
    chip: Callable[[], AbstractContextManager[object]]


TRIALS: Final[dict[str, Trial]] = {}


def trial(chip: Callable[[], AbstractContextManager[object]]) -> Callable[[Run], Run]:
    """Let `guest` run it, with this chip."""

    def enter(run: Run) -> Run:
        TRIALS[run.__name__] = Trial(run, chip)
        return run

    return enter


def found() -> dict[str, Trial]:
    """All of them."""
    for module in MODULES:
        importlib.import_module(f"tests.kernel.{module}")
    return TRIALS
