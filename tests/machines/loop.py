"""A Trio loop beside Hypothesis: a rule is a function that the loop runs, and between rules all waits.

Time is virtual, and goes on only where a rule says so: with real time an example that failed once might
pass when it is repeated.
"""

import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio
import trio.testing
from trio.testing import MockClock

T = TypeVar("T")


class Loop:
    """A loop in a thread of its own, with tasks that go on from rule to rule."""

    def __init__(self) -> None:
        self._nursery: trio.Nursery
        self._trouble: list[Exception] = []
        self.clock = MockClock()
        self._ready = threading.Event()
        self._token: trio.lowlevel.TrioToken
        self._thread = threading.Thread(
            target=trio.run, args=(self._main,), kwargs={"clock": self.clock}
        )
        self._thread.start()
        self._ready.wait()

    async def _main(self) -> None:
        async with trio.open_nursery() as self._nursery:
            self._token = trio.lowlevel.current_trio_token()
            self._ready.set()
            await trio.sleep_forever()

    def spawn(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Start a task; to be called within a rule. Where it fails, the rule does."""

        async def task() -> None:
            try:
                await function(*args)
            except Exception as error:  # noqa: BLE001 - all of them are raised again
                self._trouble.append(error)

        self._nursery.start_soon(task)

    def call(self, function: Callable[[], Awaitable[T]]) -> T:
        """Let the loop run it, until nothing else has anything to do; return what it returns."""

        async def run() -> T:
            result = await function()
            await trio.testing.wait_all_tasks_blocked()
            return result

        result = trio.from_thread.run(run, trio_token=self._token)
        if self._trouble:
            raise self._trouble.pop(0)
        return result

    def pass_time(self, seconds: float) -> None:
        """Let so much virtual time pass, and everybody do what is due."""

        async def jump() -> None:
            self.clock.jump(seconds)
            await trio.testing.wait_all_tasks_blocked()

        self.call(jump)

    def close(self) -> None:
        """End it, with all that goes on in it."""
        trio.from_thread.run_sync(self._nursery.cancel_scope.cancel, trio_token=self._token)
        self._thread.join()
