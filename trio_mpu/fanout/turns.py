"""Live first: who reads the past takes turns in the time that the present leaves.

The rule, in one place. Clients that are up to date are served when a sample comes, before anything
else (hub.py). All other work on samples (catching up from the ring, history, forms of the stream
that the live time has no room for) is cut into slices of a few milliseconds, and a slice is done
only by who has the turn:

1. There is one turn, so between two slices the event loop comes to everything else: a new sample,
   a new connection, `/healthz`. Whatever number waits, the present waits for one slice.
2. The turn goes round by address, and within an address first come, first served. A thousand
   requests of one host delay another host's only one by a slice.
3. A slice does as much as takes SLICE_S, or one piece of a fixed size that takes about as long.
"""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

# Bound "slice of work on the past, s".
SLICE_S: Final = 0.002


class Turns:
    """The one turn."""

    def __init__(self) -> None:
        self._taken = False
        # By address, in the order in which their turn comes.
        self._waiting: dict[str, deque[trio.lowlevel.Task]] = {}

    @property
    def waiting(self) -> int:
        """How many tasks wait for their turn."""
        return sum(map(len, self._waiting.values()))

    async def wait(self, address: str) -> None:
        """Wait for this address's turn, for something that is done before the next await."""
        async with self.slice(address):
            pass

    @asynccontextmanager
    async def slice(self, address: str) -> AsyncIterator[None]:
        """Wait for this address's turn, and have it for one slice of work."""
        if self._taken:
            await self._wait(address)
        else:
            self._taken = True
            try:
                # The slice before this one may have been done in this very round of the loop.
                await trio.lowlevel.checkpoint()
            except BaseException:
                self._pass_on()
                raise
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, address: str) -> None:
        task = trio.lowlevel.current_task()
        self._waiting.setdefault(address, deque()).append(task)

        def abort(_: object) -> trio.lowlevel.Abort:
            tasks = self._waiting[address]
            tasks.remove(task)
            if not tasks:
                del self._waiting[address]
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def _pass_on(self) -> None:
        """Give the turn to the next one, who has it in the loop's next round."""
        if not self._waiting:
            self._taken = False
            return
        address = next(iter(self._waiting))
        tasks = self._waiting.pop(address)
        task = tasks.popleft()
        if tasks:
            self._waiting[address] = tasks  # at the end: others come first
        trio.lowlevel.reschedule(task)
