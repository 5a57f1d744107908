"""Shares and places of an address."""

import pytest
import trio

from trio_mpu.fanout.places import Places
from trio_mpu.fanout.shares import Shares


@pytest.fixture
def waited() -> list[str]:
    """An entry for each time that somebody had to wait."""
    return []


def test_a_share_is_of_an_address_and_comes_back() -> None:
    """Nothing is kept of those that have none."""
    shares = Shares(2)
    assert [shares.take("a"), shares.take("a"), shares.take("a")] == [True, True, False]
    assert shares.take("b")
    shares.give_back("a")
    assert shares.take("a")
    for address in ("a", "a", "b"):
        shares.give_back(address)
    assert len(shares) == 0


def test_without_a_limit_everybody_has_a_share() -> None:
    """As many as come."""
    shares = Shares(0)
    assert all(shares.take("2001:db8::1") for _ in range(1000))
    assert len(shares) == 1


async def test_so_many_of_an_address_have_a_place_and_the_others_wait(waited: list[str]) -> None:
    """First come, first served; another address does not wait for them."""
    places, had = Places(2, lambda: waited.append("")), list[str]()

    async def use(name: str, address: str) -> None:
        await places.take(address)
        had.append(name)

    async with trio.open_nursery() as nursery:
        for name in ("one", "two", "three", "four"):
            nursery.start_soon(use, name, "2001:db8::1")
            await trio.testing.wait_all_tasks_blocked()
        await use("other", "192.0.2.1")
        assert had == ["one", "two", "other"]
        assert len(waited) == 2
        for name in ("three", "four"):
            places.give_back("2001:db8::2")  # the same network
            await trio.testing.wait_all_tasks_blocked()
            assert had[-1] == name
    for address in ("2001:db8::1", "2001:db8::1", "192.0.2.1"):
        places.give_back(address)
    assert len(places) == 0


async def test_who_leaves_while_waiting_takes_no_place(waited: list[str]) -> None:
    """And nothing is kept of him."""
    places = Places(1, lambda: waited.append(""))
    await places.take("a")
    with trio.move_on_after(0) as scope:
        await places.take("a")
    assert scope.cancelled_caught
    places.give_back("a")
    assert len(places) == 0
    await places.take("a")
    assert len(waited) == 1
