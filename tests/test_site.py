"""What all connections share."""

from typing import Final

import pytest
import trio
from trio.testing import MockClock

from tests.fakes import FakePast, make_site
from trio_mpu import layout
from trio_mpu.board import Board, board_bytes
from trio_mpu.hub import Hub
from trio_mpu.metrics import Metrics
from trio_mpu.routes import Page
from trio_mpu.site import Site
from trio_mpu.snapshot import WAITING

HEADER: Final = layout.Header(
    capacity=8,
    generation=1,
    head=3,
    period_ns=10**7,
    state=layout.State.RUNNING,
    producer=layout.Process(77, 5),
    holder=layout.NOBODY,
    heartbeat_ns=0,
    started_ns=1_700_000_000_500_000_000,
    ledger={"ticks_lost": 9},
    source="fake",
    chip="MPU-6050, ±2 g",
    calibration="c1",
)


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
    site.hub.header = HEADER
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


def test_the_ledger_is_of_the_producer_and_of_all_workers() -> None:
    """What this one has just counted included."""
    board = Board(memoryview(bytearray(board_bytes(2))))
    board.seat(1).add("slow_lost", 30)
    metrics = Metrics(slow_lost=4, gaps_resume=1)
    site = Site(Hub(FakePast(), metrics), Page(), metrics, board.seat(0))
    assert site.ledger()["slow_lost"] == 34
    assert "ticks_lost" not in site.ledger()
    site.hub.header = HEADER
    assert {name: count for name, count in site.ledger().items() if count} == {
        "ticks_lost": 9,
        "slow_lost": 34,
        "gaps_resume": 1,
    }
    site.close()


def test_the_device_is_described_by_the_rings_header(site: Site) -> None:
    """And by nothing before there is a ring."""
    assert site.device() == {}
    site.hub.header = HEADER
    assert site.device() == {
        "chip": "MPU-6050, ±2 g",
        "calibration": "c1",
        "period_ns": 10**7,
        "pid": 77,
        "started": 1_700_000_000.5,
    }
