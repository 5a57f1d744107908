"""What all connections share."""

from typing import Final

import pytest
import trio
from trio.testing import MockClock

from tests.helpers.fakes import FakeRecords, make_app
from tests.helpers.metrics import metrics_of
from trio_mpu.errors import RequestError
from trio_mpu.fanout.hub import Hub
from trio_mpu.fanout.snapshot import WAITING
from trio_mpu.metrics.counters import Metrics
from trio_mpu.metrics.scoreboard import Scoreboard, scoreboard_bytes
from trio_mpu.record import NOBODY, Header, Process, State
from trio_mpu.web.answer import Answer
from trio_mpu.web.app import App
from trio_mpu.web.page import Page
from trio_mpu.web.request import Request
from trio_mpu.web.routes import respond

HEADER: Final = Header(
    capacity=8,
    generation=1,
    head=3,
    period_ns=10**7,
    state=State.RUNNING,
    producer=Process(77, 5),
    holder=NOBODY,
    heartbeat_ns=0,
    started_ns=1_700_000_000_500_000_000,
    ledger={"ticks_lost": 9},
    first=1,
    attitude_resets=0,
    source="fake",
    chip="MPU-6050, ±2 g",
    calibration="c1",
)


@pytest.fixture
def app() -> App:
    """A site whose ring holds three samples."""
    record_source = FakeRecords()
    record_source.write(3)
    return make_app(record_source)


async def test_an_idle_connection_has_its_time(app: App, autojump_clock: MockClock) -> None:
    """And no more than that."""
    with app.idle(7) as scope:
        await trio.sleep(1000)
    assert scope.cancelled_caught
    assert trio.current_time() == scope.deadline


async def test_stopping_sends_idle_connections_home(app: App, autojump_clock: MockClock) -> None:
    """Those that wait already and those that come to it later; nobody else."""
    began_s = trio.current_time()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def wait() -> None:
            with app.idle(1000):
                await trio.sleep(1000)

        with app.idle(1000):
            pass
        await trio.testing.wait_all_tasks_blocked()
        app.stop()
    with app.idle(1000) as late:
        await trio.sleep(1000)
    assert late.cancelled_caught
    assert app.stopping
    assert trio.current_time() == began_s


async def test_a_stream_is_counted_while_it_is_open(app: App) -> None:
    """Also when it ends by an error."""

    async def fail() -> None:
        with app.stream("") as subscription:
            await subscription.next()
            assert app.slot.get("streams_open") == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert (app.slot.get("streams_open"), app.hub.attached) == (0, 0)


async def test_stopping_ends_the_streams(app: App) -> None:
    """By closing the hub."""
    with app.stream("") as subscription:
        app.stop()
        with pytest.raises(trio.EndOfChannel):
            await subscription.next()


def numbers_of(app: App) -> dict[str, float]:
    """Return the metrics by name."""
    answer = app.respond(Request("GET", "/metrics"))
    assert isinstance(answer, Answer)
    return metrics_of(answer.body.decode())


def test_the_numbers_tell_how_things_are(app: App) -> None:
    """Counters, gauges, and the producer's own counters."""
    app.slot.add("connections_open", 5)
    app.slot.add("streams_open", 2)
    app.hub.header = HEADER
    app.metrics.count("requests", 3)
    numbers = numbers_of(app)
    assert numbers["connections_open"] == 5
    assert numbers["streams_open"] == 2
    assert (numbers["workers"], numbers["workers_up"]) == (1, 1)
    assert numbers["streams_attached"] == 0
    assert numbers["samples_total"] == 3
    assert (numbers["up"], numbers["status{status=ok}"]) == (1, 1)
    assert numbers["readings_lost_total{reason=ticks}"] == 9
    assert numbers["requests_total"] == 3
    for status in ("stale", WAITING):
        app.hub.set_status(status, "")
        numbers = numbers_of(app)
        assert (numbers["up"], numbers["status{status=ok}"]) == (0, 0)
        assert numbers[f"status{{status={status}}}"] == 1


def test_the_ledger_is_of_the_producer_and_of_all_workers() -> None:
    """What this one has just counted included."""
    scoreboard = Scoreboard(memoryview(bytearray(scoreboard_bytes(2))))
    scoreboard.slot(1).add("slow_lost", 30)
    metrics = Metrics(slow_lost=4, gaps_resume=1)
    app = App(Hub(FakeRecords(), metrics), Page(), metrics, respond, slot=scoreboard.slot(0))
    assert app.ledger()["slow_lost"] == 34
    assert "ticks_lost" not in app.ledger()
    app.hub.header = HEADER
    assert {name: count for name, count in app.ledger().items() if count} == {
        "ticks_lost": 9,
        "slow_lost": 34,
        "gaps_resume": 1,
    }
    app.close()


def test_the_device_is_described_by_the_rings_header(app: App) -> None:
    """And by nothing before there is a ring."""
    assert app.device() == {}
    app.hub.header = HEADER
    assert app.device() == {
        "chip": "MPU-6050, ±2 g",
        "calibration": "c1",
        "period_ns": 10**7,
        "pid": 77,
        "started": 1_700_000_000.5,
        "attitude_resets": 0,
    }


REQUEST: Final = b"GET /json HTTP/1.1\r\nHost: x\r\n\r\n"


def test_a_permission_that_is_taken_away_does_not_live_on_in_the_cache(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is known by its bytes passes the gate again each time."""
    app.request_cache.learn(REQUEST, Request("GET", "/json"))
    assert app._known_answer(REQUEST).startswith(b"HTTP/1.1 200")
    asked = []

    def refuse(request: Request) -> None:
        asked.append(request.path)
        raise RequestError(401, "no longer")

    monkeypatch.setattr(app, "admit", refuse)
    assert app._known_answer(REQUEST) == b""
    assert asked == ["/json"]
    with pytest.raises(RequestError, match="no longer"):
        app.respond(Request("GET", "/json"))
