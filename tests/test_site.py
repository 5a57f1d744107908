"""What all connections share."""

import pytest
import trio
from trio.testing import MockClock

from tests.fakes import FakePast, make_site
from trio_mpu.site import Site
from trio_mpu.snapshot import WAITING


@pytest.fixture
def site() -> Site:
    """A site whose ring holds three samples."""
    past = FakePast()
    past.write(3)
    return make_site(past)


async def test_an_idle_connection_has_its_time(site: Site, autojump_clock: MockClock) -> None:
    """And no more than that."""
    with site.idle(7) as scope:
        await trio.sleep(1000)
    assert scope.cancelled_caught
    assert trio.current_time() == scope.deadline


async def test_stopping_sends_idle_connections_home(site: Site, autojump_clock: MockClock) -> None:
    """Those that wait already and those that come to it later; nobody else."""
    began_s = trio.current_time()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def wait() -> None:
            with site.idle(1000):
                await trio.sleep(1000)

        with site.idle(1000):
            pass
        await trio.testing.wait_all_tasks_blocked()
        site.stop()
    with site.idle(1000) as late:
        await trio.sleep(1000)
    assert late.cancelled_caught
    assert site.stopping
    assert trio.current_time() == began_s


async def test_a_stream_is_counted_while_it_is_open(site: Site) -> None:
    """Also when it ends by an error."""

    async def fail() -> None:
        with site.stream("") as subscription:
            await subscription.next()
            assert site.seat.get("streams_open") == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert (site.seat.get("streams_open"), site.hub.attached) == (0, 0)


async def test_stopping_ends_the_streams(site: Site) -> None:
    """By closing the hub."""
    with site.stream("") as subscription:
        site.stop()
        with pytest.raises(trio.EndOfChannel):
            await subscription.next()


def numbers_of(site: Site) -> dict[str, float]:
    """Return the metrics by name."""
    lines = [line.split() for line in site.numbers().splitlines() if not line.startswith("#")]
    return {name.removeprefix("trio_mpu_"): float(value) for name, value in lines}


def test_the_numbers_tell_how_things_are(site: Site) -> None:
    """Counters, gauges, and the producer's own counters."""
    site.seat.add("connections_open", 5)
    site.seat.add("streams_open", 2)
    site.hub.ledger = {"ticks_lost": 9}
    site.metrics.count("requests", 3)
    numbers = numbers_of(site)
    assert numbers["connections_open"] == 5
    assert numbers["streams_open"] == 2
    assert (numbers["workers"], numbers["workers_up"]) == (1, 1)
    assert numbers["streams_attached"] == 0
    assert numbers["head"] == 3
    assert (numbers["up"], numbers["waiting"]) == (1, 0)
    assert numbers["producer_ticks_lost"] == 9
    assert numbers["requests_total"] == 3
    site.hub.judge("stale", "")
    assert (numbers_of(site)["up"], numbers_of(site)["waiting"]) == (0, 0)
    site.hub.judge(WAITING, "")
    assert (numbers_of(site)["up"], numbers_of(site)["waiting"]) == (0, 1)
