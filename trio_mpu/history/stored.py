"""The store, read off the event loop: one question at a time, in turns by address.

A question may wait for a slow disk, so it is asked in a thread. It does not take the turn of those
who read the ring (fanout/turns.py), which must be passed on after a few milliseconds.
"""

import logging
from collections.abc import Callable
from typing import Final, TypeVar

import trio

from trio_mpu.errors import StoreError
from trio_mpu.fanout.turns import Turns
from trio_mpu.metrics.counters import Metrics
from trio_mpu.store.archive import Archive, Held

log = logging.getLogger(__name__)

T = TypeVar("T")

# Bound "samples read from the store at a time".
READ_SAMPLES: Final = 256  # 0.2 MB for each reader; with 1024, a tenth faster and four times that
_MAX_TOLD: Final = 1000  # arbitrary: damaged chunks of which it is known that the log has them


class Stored:
    """A recorder's file: opened at the first question, and again if the path leads elsewhere."""

    def __init__(self, path: str, metrics: Metrics) -> None:
        self._path = path
        self._metrics = metrics
        self._archive: Archive | None = None
        self._turns = Turns()
        self._told = set[str]()

    async def ask(self, address: str, question: Callable[[Archive], T]) -> T:
        """Return the answer to a question about the file as it is now.

        `address` is the client's. Raises StoreError. Cancellation waits for the answer.
        """
        async with self._turns.slice(address):
            try:
                return await trio.to_thread.run_sync(self._answer, question)
            except StoreError as error:
                self._metrics.count("store_errors")
                # The client of an answer that breaks off is not given the reason.
                log.warning("history: %s", error)
                raise

    def note_damage(self, held: Held) -> None:
        """Count a damaged chunk that an answer goes without, and log it if that was not done yet."""
        self._metrics.count("store_skipped")
        if held.damage in self._told:
            return
        if len(self._told) >= _MAX_TOLD:
            self._told.clear()
        self._told.add(held.damage)
        log.warning("history: %s; answers go without it", held.damage)

    def close(self) -> None:
        """Close the file."""
        if self._archive is not None:
            self._archive.close()
            self._archive = None

    def _answer(self, question: Callable[[Archive], T]) -> T:
        if self._archive is not None and not self._archive.is_current():
            self.close()
        if self._archive is None:
            self._archive = Archive(self._path)
        try:
            with self._archive.snapshot():
                return question(self._archive)
        except StoreError:
            self.close()
            raise
