"""Live first: the one turn, and who has it when."""

from collections import Counter

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trio_mpu.fanout.turns import Turns


async def test_the_turn_goes_round_by_address() -> None:
    """A host that asks a hundred times delays another's only request by one slice."""
    turns, done = Turns(), list[str]()

    async def work(address: str) -> None:
        async with turns.slice(address):
            done.append(address)

    async with trio.open_nursery() as nursery, turns.slice("first"):
        for _ in range(100):
            nursery.start_soon(work, "greedy")
        await wait_all_tasks_blocked()
        nursery.start_soon(work, "modest")
        nursery.start_soon(work, "other")
        await wait_all_tasks_blocked()
        assert turns.waiting == 102
    assert set(done[:3]) == {"greedy", "modest", "other"}
    assert Counter(done) == {"greedy": 100, "modest": 1, "other": 1}
    assert turns.waiting == 0


async def test_between_two_slices_everything_else_has_its_turn() -> None:
    """Of a hundred workers only one works in each round of the event loop."""
    turns = Turns()
    slices = rounds = most = 0
    over = trio.Event()

    async def work() -> None:
        nonlocal slices
        for _ in range(5):
            async with turns.slice("x"):
                slices += 1

    async def live() -> None:
        nonlocal rounds, most
        while not over.is_set():
            before = slices
            await trio.lowlevel.checkpoint()
            rounds += 1
            most = max(most, slices - before)

    async with trio.open_nursery() as outer:
        outer.start_soon(live)
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(work)
        over.set()
    assert slices == 500
    assert rounds >= 250
    assert most <= 2  # trio shuffles who is first within a round


@pytest.mark.parametrize("when", ["waiting", "before its slice", "in its slice"])
async def test_who_is_cancelled_holds_nobody_up(when: str) -> None:
    """Wherever it is."""
    turns = Turns()
    scope = trio.CancelScope()

    async def hold() -> None:
        with scope:
            async with turns.slice("a"):
                await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        if when == "waiting":
            async with turns.slice("b"):
                nursery.start_soon(hold)
                await wait_all_tasks_blocked()
                scope.cancel()
                await wait_all_tasks_blocked()
                assert turns.waiting == 0
        else:
            if when == "before its slice":
                scope.cancel()
            nursery.start_soon(hold)
            await wait_all_tasks_blocked()
            scope.cancel()
        with trio.fail_after(1):
            async with turns.slice("c"):
                pass
