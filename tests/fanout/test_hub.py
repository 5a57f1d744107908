"""Fan-out: each subscriber gets each sample once, in order, or a report of what is missing."""

import itertools
import statistics
from collections.abc import Callable
from contextlib import ExitStack
from inspect import isawaitable
from typing import Any

import pytest
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.helpers.fakes import GENERATION, FakeRecords, make_app, make_record
from tests.helpers.http_client import Event, parse_event, plain_gap
from trio_mpu.errors import RingHeld
from trio_mpu.fanout import catch_up, direct_write
from trio_mpu.fanout import subscription as subscription_module
from trio_mpu.fanout.catch_up import CATCH_UP_SAMPLES, RETRY_RING_S
from trio_mpu.fanout.chunked import framed
from trio_mpu.fanout.direct_write import DirectSocket
from trio_mpu.fanout.encoder import StreamOptions
from trio_mpu.fanout.group import Chunk
from trio_mpu.fanout.hub import EARLIEST, Hub
from trio_mpu.fanout.moving_average import AVERAGE_SAMPLES
from trio_mpu.fanout.snapshot import WAITING
from trio_mpu.fanout.subscription import QUEUE_CHUNKS, Subscription, subscribe
from trio_mpu.formats import Notation, Origin, event_id
from trio_mpu.metrics.counters import Metrics
from trio_mpu.record import Batch
from trio_mpu.sample import Flag

OTHER = 7  # another generation


def ring(count: int = 3, capacity: int = 1000) -> tuple[FakeRecords, Hub]:
    """Return a ring with so many samples, and a hub that follows it."""
    record_source = FakeRecords(capacity)
    record_source.write(count)
    return record_source, make_app(record_source).hub


def own(seq: int) -> str:
    """Return the id of a sample of the ring."""
    return event_id(GENERATION, seq)


def events_of(chunk: Chunk) -> list[Event]:
    """Return the events of a chunk."""
    blocks = chunk.payload.decode().split("\n\n")
    assert blocks.pop() == ""
    return [parse_event(block) for block in blocks]


async def take(subscription: Subscription, count: int) -> list[Event]:
    """Take at least so many events, and not wait for more."""
    events: list[Event] = []
    with trio.fail_after(5):
        while len(events) < count:
            events += events_of(await subscription.next())
    return events


async def nothing_comes(subscription: Subscription) -> None:
    """Check that there is nothing to take; a subscriber that has caught up attaches by that."""
    came: list[Chunk] = []

    async def task() -> None:
        came.append(await subscription.next())

    # Not for so many milliseconds, which a busy machine may pass before the task has begun.
    async with trio.open_nursery() as nursery:
        nursery.start_soon(task)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert came == []


def numbers(events: list[Event]) -> list[int]:
    """Return the sequence numbers."""
    return [event.json["seq"] for event in events]


def gaps(events: list[Event]) -> list[Any]:
    """Return the reported gaps, without the ledgers."""
    return [plain_gap(event.json) for event in events if "gap" in event.json]


# -- everyone gets everything -------------------------------------------------------


async def test_a_new_subscriber_gets_the_newest_sample_at_once() -> None:
    """And then each one that is published."""
    record_source, hub = ring()
    with subscribe(hub) as subscription:
        events = await take(subscription, 1)
        await nothing_comes(subscription)
        hub.publish(record_source.write(2))
        events += await take(subscription, 2)
    assert numbers(events) == [3, 4, 5]
    assert [event.id for event in events] == [own(3), own(4), own(5)]
    assert gaps(events) == []
    assert events[0].name == ""


async def test_all_subscribers_are_given_the_same_bytes() -> None:
    """A batch is encoded once, and framed at most once."""
    record_source, hub = ring()
    with subscribe(hub, own(3)) as one, subscribe(hub, own(3)) as two:
        await nothing_comes(one)
        await nothing_comes(two)
        assert hub.attached == 2
        hub.publish(record_source.write(5))
        assert await one.next() is await two.next()
    assert hub.attached == 0
    assert hub.metrics["events"] == 5


async def test_what_comes_from_the_ring_is_what_came_from_the_hub() -> None:
    """Bytes and averages alike, so that a reconnection changes nothing."""
    record_source, hub = ring(300)
    with subscribe(hub) as live:
        await take(live, 1)
        await nothing_comes(live)
        for _ in range(200):
            hub.publish(record_source.write(1))
            with trio.fail_after(1):
                last = await live.next()
    with subscribe(hub, own(499)) as resumed:
        assert (await resumed.next()).payload == last.payload
    assert hub.snapshot.average[0] == sum(seq % 16 for seq in range(373, 501)) / AVERAGE_SAMPLES


async def test_resuming_is_right_after_the_last_event() -> None:
    """No loss, no repeat, in bounded pieces, and then on with what is new."""
    record_source, hub = ring(500)
    with subscribe(hub, own(100)) as subscription:
        first = await subscription.next()
        assert len(events_of(first)) == CATCH_UP_SAMPLES
        hub.publish(record_source.write(10))
        events = events_of(first) + await take(subscription, 410 - CATCH_UP_SAMPLES)
    assert numbers(events) == list(range(101, 511))
    assert gaps(events) == []


async def test_resuming_at_the_head_waits_for_the_next_sample() -> None:
    """The newest sample is not repeated."""
    record_source, hub = ring()
    with subscribe(hub, own(3)) as subscription:
        await nothing_comes(subscription)
        hub.publish(record_source.write())
        assert numbers(await take(subscription, 1)) == [4]


async def test_resuming_from_before_the_first_gives_all_there_is() -> None:
    """Number 0 is a cursor as good as another."""
    _, hub = ring()
    with subscribe(hub, own(0)) as subscription:
        assert numbers(await take(subscription, 3)) == [1, 2, 3]


HOSTILE = [
    "",
    "-",
    "0",
    "null",
    "garbage",
    "42",
    own(4),
    own(10**9),
    own(10**19),
    f"{GENERATION:016x}-{10**30}",
    own(-1),
    f"{GENERATION:016x}-1.0",
    f"{GENERATION:016x}-1e0",
    f"{GENERATION:016x}- 1",
    f"{GENERATION:016x}-+1",
    f"{GENERATION:016x}-1_0",
    f"{GENERATION:016x}-\u0661",
    f"{GENERATION:016x}-\u00b2",
    f"{GENERATION:016x}-1\0",
    f"{GENERATION:016x}-1-1",
    f"{GENERATION:016x}-",
    f"{GENERATION:x}",
    f"-{GENERATION:016x}-1",
    "\0",
    "\ufffd" * 20,
    "9" * 5000,
    "-" * 5000,
    "\uff10" * 16 + "-1",
    "0x23456789abcdef-",
]


@pytest.mark.parametrize("last_event_id", HOSTILE)
async def test_a_hostile_id_means_start_now(last_event_id: str) -> None:
    """Never an error, never silence, and no gap made up from it."""
    _, hub = ring()
    with subscribe(hub, last_event_id) as subscription:
        events = await take(subscription, 1)
    assert numbers(events) == [3]
    assert gaps(events) == []


# -- gaps are reported -------------------------------------------------------------


async def test_resuming_behind_the_rings_tail_tells_what_is_lost() -> None:
    """With the sample after it: from, to, how many, and that the ring had moved on."""
    _, hub = ring(100, capacity=32)
    with subscribe(hub, own(10)) as subscription:
        events = await take(subscription, 31)
    assert numbers(events) == list(range(70, 101))
    assert gaps(events[:1]) == [{"from": 10, "to": 70, "lost": 59, "reason": "lapped"}]
    assert len(gaps(events)) == 1
    assert hub.metrics["gaps_resume"] == 1


async def test_another_generations_id_is_reported_as_a_restart() -> None:
    """Nobody can know how many samples that was; it goes on with the newest."""
    _, hub = ring()
    with subscribe(hub, event_id(OTHER, 1234)) as subscription:
        events = await take(subscription, 1)
    assert numbers(events) == [3]
    assert gaps(events) == [{"from": 1234, "to": 3, "lost": None, "reason": "restart"}]


async def test_another_generations_id_is_reported_even_if_the_ring_is_empty() -> None:
    """With the first sample that comes, and only once."""
    record_source, hub = ring(0)
    with subscribe(hub, event_id(OTHER, 1234)) as subscription:
        await nothing_comes(subscription)
        hub.publish(record_source.write(2))
        events = await take(subscription, 2)
        hub.publish(record_source.write())
        events += await take(subscription, 1)
    assert numbers(events) == [1, 2, 3]
    assert gaps(events) == [{"from": 1234, "to": 1, "lost": None, "reason": "restart"}]
    assert hub.metrics["overflows"] == 0


@pytest.mark.parametrize("count", [0, 1, 5])
async def test_a_ring_that_is_replaced_is_reported(count: int) -> None:
    """Subscribers go over to the new one, from its first sample on, however many it has."""
    record_source, hub = ring(50)
    with subscribe(hub, own(50)) as subscription:
        await nothing_comes(subscription)
        hub.publish(record_source.write())
        record_source.replace(OTHER)
        record_source.write(count)
        hub.begin(record_source.origin, record_source.records.values())
        hub.set_status("ok", "")
        assert numbers(await take(subscription, 1)) == [51], "what is queued is still handed out"
        if not count:
            await nothing_comes(subscription)
        hub.publish(record_source.write(3))
        events = await take(subscription, count + 3)
    assert numbers(events) == list(range(1, count + 4))
    assert events[0].id == event_id(OTHER, 1)
    assert gaps(events) == [{"from": 51, "to": 1, "lost": None, "reason": "restart"}]


async def test_a_subscriber_from_before_any_ring_gets_its_samples() -> None:
    """From the newest on, or right after the event that it asked for."""
    record_source = FakeRecords()
    hub = Hub(record_source, Metrics())
    with subscribe(hub) as new, subscribe(hub, own(2)) as resuming, subscribe(hub, "x") as hostile:
        for subscription in (new, resuming, hostile):
            await nothing_comes(subscription)
        record_source.write(5)
        hub.begin(record_source.origin, record_source.records.values())
        assert numbers(await take(new, 1)) == [5]
        assert numbers(await take(resuming, 3)) == [3, 4, 5]
        assert numbers(await take(hostile, 1)) == [5]


async def test_a_gap_after_waiting_for_the_ring_is_not_the_subscribers_fault() -> None:
    """Who resumes at a server that has just started was not slow."""
    record_source = FakeRecords(capacity=32)
    hub = Hub(record_source, Metrics())
    with subscribe(hub, own(10)) as subscription:
        await nothing_comes(subscription)
        record_source.write(100)
        hub.begin(record_source.origin, record_source.records.values())
        events = await take(subscription, 1)
    assert gaps(events) == [{"from": 10, "to": 70, "lost": 59, "reason": "lapped"}]


async def test_a_ring_that_is_replaced_during_a_read_is_not_mixed_up() -> None:
    """Samples of the old ring must not get ids of the new one."""
    record_source, hub = ring(50)

    def replace() -> None:
        record_source.before_return = lambda: None
        record_source.replace(OTHER)
        record_source.write(60)
        hub.begin(Origin(OTHER, "other"), record_source.records.values())

    record_source.before_return = replace
    with subscribe(hub, own(10)) as subscription:
        events = await take(subscription, 60)
    assert numbers(events) == list(range(1, 61))
    assert {event.json["source"] for event in events} == {"other"}
    assert gaps(events) == [{"from": 10, "to": 1, "lost": None, "reason": "restart"}]


async def test_a_server_that_is_lapped_reports_it_to_every_client() -> None:
    """The hub sees it by the numbers."""
    record_source, hub = ring()
    with subscribe(hub, own(3)) as subscription:
        await nothing_comes(subscription)
        record_source.write(5)
        hub.publish(record_source.write(2))
        events = await take(subscription, 2)
    assert numbers(events) == [9, 10]
    assert gaps(events) == [{"from": 3, "to": 9, "lost": 5, "reason": "lapped"}]
    assert (hub.metrics["gaps_lapped"], hub.metrics["lapped_lost"]) == (1, 5)
    assert events[0].json["gap"]["ledger"] == hub.ledger()


async def test_a_producers_own_gap_is_reported() -> None:
    """From the hub and from the ring alike."""
    record_source, hub = ring()
    with subscribe(hub, own(3)) as live:
        await nothing_comes(live)
        hub.publish(record_source.write(1, flags=int(Flag.DEVICE_GAP), lost=9))
        reported = gaps(await take(live, 1))
    assert reported == [{"from": 3, "to": 4, "lost": 9, "reason": "device"}]
    with subscribe(hub, own(3)) as resumed:
        assert gaps(await take(resumed, 1)) == reported


async def test_a_readers_gap_includes_what_the_producer_noted() -> None:
    """One sample can have only one gap; the sum is what is missing."""
    record_source, hub = ring()
    with subscribe(hub, own(3)) as subscription:
        await nothing_comes(subscription)
        record_source.write(5)
        hub.publish(record_source.write(1, flags=int(Flag.DEVICE_GAP), lost=9))
        events = await take(subscription, 1)
    assert gaps(events) == [{"from": 3, "to": 9, "lost": 14, "reason": "lapped"}]


async def test_a_damaged_slot_is_passed_over_and_reported() -> None:
    """Rather than read again and again."""
    record_source, hub = ring(400)
    record_source.damaged = {300}
    with subscribe(hub, own(290)) as subscription:
        events = await take(subscription, 1)
        assert record_source.reads < 5
    assert numbers(events)[0] == 301
    assert gaps(events) == [{"from": 290, "to": 301, "lost": 10, "reason": "lapped"}]


async def test_a_ring_that_is_ahead_of_the_hub_is_waited_for() -> None:
    """Without reading it again and again; what is lost in between is reported when it comes."""
    record_source, hub = ring(50, capacity=32)
    with subscribe(hub, own(10)) as subscription:
        record_source.write(100)  # and the follower has not come to it yet
        await nothing_comes(subscription)
        assert record_source.reads == 1
        record_source.head -= 100
        hub.publish(record_source.write(100))
        events = await take(subscription, 1)
    assert gaps(events) == [{"from": 10, "to": 120, "lost": 109, "reason": "lapped"}]


# -- slow subscribers ---------------------------------------------------------------


async def test_a_full_queue_sends_its_subscriber_back_to_the_ring() -> None:
    """Nothing is lost and nothing repeated, and then it is attached again."""
    record_source, hub = ring()
    with subscribe(hub, own(3)) as subscription:
        await nothing_comes(subscription)
        for _ in range(QUEUE_CHUNKS + 200):
            hub.publish(record_source.write())
        assert (hub.attached, hub.metrics["overflows"]) == (0, 1)
        events = await take(subscription, QUEUE_CHUNKS + 200)
        await nothing_comes(subscription)
        assert hub.attached == 1
        hub.publish(record_source.write())
        events += await take(subscription, 1)
    assert numbers(events) == list(range(4, QUEUE_CHUNKS + 205))
    assert gaps(events) == []


async def test_a_slow_subscriber_gets_a_gap_only_when_the_ring_has_moved_on() -> None:
    """It says from where to where, and that the client was slow."""
    record_source, hub = ring(3, capacity=100)
    with subscribe(hub, own(3)) as subscription:
        await nothing_comes(subscription)
        for _ in range(500):
            hub.publish(record_source.write())
        events = await take(subscription, QUEUE_CHUNKS + 99)
    last = 3 + QUEUE_CHUNKS
    assert numbers(events) == [*range(4, last + 1), *range(405, 504)]
    lost = 405 - last - 1
    assert gaps(events) == [{"from": last, "to": 405, "lost": lost, "reason": "slow"}]
    assert (hub.metrics["gaps_slow"], hub.metrics["gaps_resume"]) == (1, 0)
    assert (hub.metrics["slow_lost"], hub.metrics["resume_lost"]) == (lost, 0)
    ledger = next(event.json["gap"]["ledger"] for event in events if "gap" in event.json)
    assert (ledger["gaps_slow"], ledger["slow_lost"]) == (1, lost)


async def test_one_slow_subscriber_does_not_hold_up_another() -> None:
    """Each has its own queue."""
    record_source, hub = ring()
    with subscribe(hub, own(3)) as slow, subscribe(hub, own(3)) as quick:
        await nothing_comes(slow)
        await nothing_comes(quick)
        for seq in range(4, 2 * QUEUE_CHUNKS):
            hub.publish(record_source.write())
            assert numbers(await take(quick, 1)) == [seq]
        assert hub.attached == 1


async def test_a_ring_that_cannot_be_read_is_tried_again(autojump_clock: MockClock) -> None:
    """Quietly, at intervals, until it can."""
    record_source, hub = ring()
    record_source.trouble = RingHeld("held by process 7")
    with subscribe(hub) as subscription:
        with trio.move_on_after(10 * RETRY_RING_S + 0.01):
            await subscription.next()
        assert record_source.reads == 11
        record_source.trouble = None
        assert numbers(await take(subscription, 1)) == [3]


# -- the status ---------------------------------------------------------------------


async def test_a_change_of_status_is_announced() -> None:
    """As a named event with the same object, and without an id; a repetition is not announced."""
    record_source, hub = ring()
    with subscribe(hub, own(3)) as subscription:
        await nothing_comes(subscription)
        for status in ("ok", "stale", "stale", "stopped", "ok"):
            hub.set_status(status, "why")
        events = await take(subscription, 3)
        await nothing_comes(subscription)
        hub.publish(record_source.write())
        assert numbers(await take(subscription, 1)) == [4]
    assert [(event.name, event.json["status"]) for event in events] == [
        ("status", "stale"),
        ("status", "stopped"),
        ("status", "ok"),
    ]
    assert {event.id for event in events} == {""}
    assert numbers(events) == [3, 3, 3]
    assert events[0].json.keys() >= {"sample", "average", "timestamp", "id"}


async def test_each_notation_has_events_and_statuses_of_its_own() -> None:
    """Beside clients with another one, and whether the client was there before or comes later."""
    record_source, hub = ring()
    si = StreamOptions(notation=Notation(si=True))
    with subscribe(hub, own(3)) as plain, subscribe(hub, own(3), si) as converted:
        await nothing_comes(plain)
        await nothing_comes(converted)
        hub.publish(record_source.write())
        hub.set_status("stale", "")
        with subscribe(hub, own(3), si) as later:
            for subscription, name in ((plain, "ax"), (converted, "ax_mss"), (later, "ax_mss")):
                events = await take(subscription, 2)
                assert [event.name for event in events] == ["", "status"]
                assert [next(iter(event.json["sample"])) for event in events] == [name] * 2


async def test_a_client_that_joins_while_samples_are_old_gets_the_status() -> None:
    """After the newest sample."""
    _, hub = ring()
    hub.set_status("stale", "")
    with subscribe(hub) as subscription:
        events = await take(subscription, 2)
    assert [(event.name, event.json["seq"]) for event in events] == [("", 3), ("status", 3)]
    assert events[1].json["status"] == "stale"


async def test_a_status_that_did_not_fit_into_the_queue_is_announced_afterwards() -> None:
    """A client that knows of `stale` must learn that it is over."""
    record_source, hub = ring()
    with subscribe(hub, own(3)) as subscription:
        await nothing_comes(subscription)
        hub.set_status("stale", "")
        for _ in range(QUEUE_CHUNKS):
            hub.publish(record_source.write())
        assert hub.attached == 0
        hub.set_status("ok", "")
        events = await take(subscription, QUEUE_CHUNKS + 2)
    assert [event.json["status"] for event in events if event.name] == ["stale", "ok"]
    assert events[-1].name == "status"


async def test_a_status_known_only_after_the_start_is_announced() -> None:
    """A client that joined before the server knew it learns that the producer has stopped."""
    record_source = FakeRecords()
    record_source.write(3)
    hub = Hub(record_source, Metrics())
    hub.begin(record_source.origin, record_source.records.values())
    assert hub.snapshot.status == WAITING
    with subscribe(hub) as subscription:
        assert numbers(await take(subscription, 1)) == [3]
        await nothing_comes(subscription)
        hub.set_status("stopped", "")
        assert (await take(subscription, 1))[0].json["status"] == "stopped"


async def test_a_new_ring_without_samples_has_no_latest_sample() -> None:
    """An old sample must not show under the new ring's name; its status comes with the first."""
    record_source, hub = ring()
    with subscribe(hub, own(3)) as old:
        await nothing_comes(old)
        hub.set_status("stopped", "")
        assert (await take(old, 1))[0].json["status"] == "stopped"
        record_source.replace(OTHER)
        hub.begin(record_source.origin, [])
        assert (hub.snapshot.record, hub.snapshot.status, hub.head) == (None, WAITING, 0)
        hub.set_status(WAITING, "no sample yet")
        with subscribe(hub) as new:
            await nothing_comes(old)
            await nothing_comes(new)
            hub.publish(record_source.write())
            hub.set_status("ok", "")
            events = await take(old, 2)
            assert [event.name for event in events] == ["", "status"]
            assert events[1].json["status"] == "ok"
            assert events[0].id == event_id(OTHER, 1)
            # A client that joined in between never got that status, and waits for a sample too.
            assert [event.id for event in await take(new, 1)] == [event_id(OTHER, 1)]
            await nothing_comes(new)


# -- the end ------------------------------------------------------------------------


async def test_closing_hands_out_what_is_queued_and_ends() -> None:
    """For those who are attached."""
    record_source, hub = ring()
    with subscribe(hub, own(3)) as subscription:
        await nothing_comes(subscription)
        hub.publish(record_source.write(2))
        hub.close()
        assert numbers(await take(subscription, 2)) == [4, 5]
        with pytest.raises(trio.EndOfChannel):
            await subscription.next()
        with pytest.raises(trio.EndOfChannel):
            await subscription.next()


async def test_closing_hands_out_what_waits_for_its_flush() -> None:
    """It is as good as queued."""
    record_source, hub = ring()
    with subscribe(hub, own(3), StreamOptions(flush_ms=1000)) as subscription:
        await nothing_comes(subscription)
        hub.publish(record_source.write(2))
        hub.close()
        assert numbers(await take(subscription, 2)) == [4, 5]


@pytest.mark.parametrize("last_event_id", ["", own(1), event_id(OTHER, 1)])
async def test_closing_ends_those_who_are_catching_up(last_event_id: str) -> None:
    """Immediately: they know where to resume."""
    _, hub = ring()
    with subscribe(hub, last_event_id) as subscription:
        hub.close()
        with pytest.raises(trio.EndOfChannel):
            await subscription.next()


# -- any schedule -------------------------------------------------------------------


class Follower:
    """A subscriber that checks each event when it comes."""

    def __init__(self, subscription: Subscription, asked: tuple[int, int] | None) -> None:
        self.subscription = subscription
        self.last = asked  # generation and number of the last event
        self.status = "ok"
        self.delivered = 0
        self.kept = b""  # what the socket took of a chunk, if not all
        self.takes = 1  # how many chunks it takes in a row before it is slow for a moment

    def write(self, data: bytes) -> int:
        """Take bytes as a socket does: all, or some, or none."""
        assert not self.kept
        self.takes -= 1
        if self.takes < 0:
            self.takes = 3
            if len(data) % 2:
                raise BlockingIOError
            self.kept = data[: len(data) // 2]
            return len(self.kept)
        self.see_all(data)
        return len(data)

    async def take(self) -> None:
        """Take a chunk as the client's task does."""
        chunk = await self.subscription.next()
        assert bool(self.kept) <= (not chunk.payload), "the rest comes first"
        data, self.kept = self.kept + (chunk.framed or framed(chunk.payload)), b""
        self.see_all(data)

    def see_all(self, data: bytes) -> None:
        """Check the events of one whole chunk of HTTP/1.1."""
        size, _, payload = data.partition(b"\r\n")
        assert int(size, 16) == len(payload) - 2
        for event in events_of(Chunk(payload[:-2])):
            self.see(event)

    async def take_all(self) -> None:
        """Take all that comes, until cancelled."""
        while True:
            await self.take()

    def see(self, event: Event) -> None:
        """Check one event against the last."""
        content = event.json
        if event.name == "status":
            self.status = content["status"]
            assert event.id == ""
            return
        generation, seq = int(event.id[:16], 16), content["seq"]
        assert event.id == event_id(generation, seq)
        gap = content.get("gap")
        if self.last is None:
            assert gap is None or gap["to"] == seq
        elif self.last[0] != generation:
            assert (gap["from"], gap["to"], gap["lost"]) == (self.last[1], seq, None)
            assert gap["reason"] == "restart"
        elif gap is None:
            assert seq == self.last[1] + 1
        else:
            missing = seq - self.last[1] - 1
            assert missing > 0
            assert (gap["from"], gap["to"], gap["lost"]) == (self.last[1], seq, missing)
            assert gap["reason"] in ("lapped", "slow")
        self.last = (generation, seq)
        self.delivered += 1


class Schedule:
    """A ring, a hub, a follower and followers, moved step by step."""

    def __init__(self, capacity: int) -> None:
        self.record_source = FakeRecords(capacity)
        self.hub = Hub(self.record_source, Metrics())
        self.cursor = 0
        self.followers: list[Follower] = []
        self.stack = ExitStack()

    async def step(self, what: str, number: int) -> None:
        """Do one thing: what `what` names."""
        method: Callable[[int], Any] = getattr(self, what)
        done = method(number)
        if isawaitable(done):
            await done

    def write(self, number: int) -> None:
        """Let the producer write."""
        self.record_source.write(number)

    async def flow(self, number: int) -> None:
        """Let the producer write and the follower follow."""
        for _ in range(number):
            self.record_source.write()
            await self.follow_ring(0)

    def replace(self, number: int) -> None:
        """Let a producer make a new ring."""
        self.record_source.replace(self.record_source.generation + 1)
        self.record_source.write(number // 4)
        self.begin(0)

    def status(self, number: int) -> None:
        """Set another status."""
        if self.hub.snapshot.record is not None:
            self.hub.set_status(("ok", "stale", "stopped")[number % 3], "")

    def newcomer(self, _: int) -> None:
        """Follow from now on."""
        self.follow("", None)

    def resume(self, number: int) -> None:
        """Follow from a sample of this ring on."""
        if self.hub.head:
            last = (self.hub.origin.generation, max(0, self.hub.head - number))
            self.follow(event_id(*last), last)

    def foreign(self, number: int) -> None:
        """Follow after a sample of another ring."""
        self.follow(event_id(OTHER, number), (OTHER, number))

    def ambush(self, number: int) -> None:
        """Let something happen in the middle of a subscriber's next read."""

        def strike() -> None:
            self.record_source.before_return = lambda: None
            if number % 2:
                self.replace(number)
            elif self.cursor == self.record_source.head:
                batch = self.record_source.write(1 + number)
                if self.hub.origin.generation == self.record_source.generation:
                    self.cursor = self.record_source.head
                    self.hub.publish(batch)

        self.record_source.before_return = strike

    def trouble(self, number: int) -> None:
        """Let reading fail, or work again."""
        self.record_source.trouble = RingHeld("held") if number % 2 else None

    def begin(self, _: int) -> None:
        """Let the hub go over to the ring that there is."""
        newest = list(self.record_source.records.values())[-AVERAGE_SAMPLES:]
        self.hub.begin(self.record_source.origin, newest)
        self.cursor = self.hub.head

    async def follow_ring(self, _: int) -> None:
        """Publish as the follower does."""
        if (
            self.hub.origin.generation == self.record_source.generation
            and self.record_source.trouble is None
        ):
            ambush, self.record_source.before_return = (
                self.record_source.before_return,
                lambda: None,
            )
            batch = await self.record_source.read(self.record_source.generation, self.cursor, 512)
            self.record_source.before_return = ambush
            if batch.records:
                self.cursor = batch.records[-1].seq
                self.hub.publish(batch)

    def follow(self, last_event_id: str, asked: tuple[int, int] | None) -> None:
        """Let another subscriber come."""
        subscription = self.stack.enter_context(subscribe(self.hub, last_event_id))
        self.followers.append(Follower(subscription, asked))
        if len(self.followers) % 2:
            subscription.socket = DirectSocket(len(self.followers) - 1)

    def give(self, fd: int, data: bytes) -> int:
        """Write to a follower's socket."""
        return self.followers[fd].write(data)

    async def together(self, number: int) -> None:
        """Let everyone take what comes while the producer writes and the follower follows."""
        async with trio.open_nursery() as nursery:
            for follower in self.followers:
                nursery.start_soon(follower.take_all)
            for step in range(number):
                if step % 3:
                    await trio.testing.wait_all_tasks_blocked()
                await self.flow(1)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()

    async def consume(self, number: int) -> None:
        """Let one follower take some, and be cancelled if there is no more."""
        if self.followers:
            follower = self.followers[number % len(self.followers)]
            with trio.move_on_after(0.01):
                for _ in range(1 + number // 4):
                    await follower.take()

    async def finish(self) -> None:
        """Let everyone catch up, and check that all arrived."""
        self.record_source.trouble, self.record_source.before_return = None, lambda: None
        if self.hub.origin.generation != self.record_source.generation:
            self.begin(0)
        self.record_source.write(2)
        while self.cursor < self.record_source.head:
            await self.follow_ring(0)
        for number, follower in enumerate(self.followers):
            before = -1
            while before < follower.delivered:
                before = follower.delivered
                await self.consume(number + 40 * len(self.followers))
            assert follower.last == (self.record_source.generation, self.record_source.head)
            assert follower.status == self.hub.announced
        assert self.hub.attached == len(self.followers)
        self.stack.close()
        assert self.hub.attached == 0


RARE = ["write", "begin", "replace", "status", "foreign", "ambush", "trouble"]
OFTEN = [
    "follow_ring",
    "flow",
    "together",
    "together",
    "newcomer",
    "resume",
    "consume",
    "consume",
    "consume",
]
STEPS = st.tuples(st.sampled_from(RARE + OFTEN), st.integers(0, 40))


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 40), st.lists(STEPS, max_size=40))
@example(  # a status that can't be announced yet, because the new ring has no sample
    2, [("begin", 0), ("flow", 1), ("newcomer", 0), ("status", 1), ("replace", 0), ("consume", 0)]
)
def test_whatever_happens_all_samples_arrive_once_or_are_reported_missing(
    capacity: int, steps: list[tuple[str, int]]
) -> None:
    """Every subscriber, any order of writing, publishing, replacing, reading and cancelling."""

    async def main() -> None:
        schedule = Schedule(capacity)
        patch.setattr(direct_write, "write", schedule.give)
        for what, number in steps:
            await schedule.step(what, number)
        await schedule.finish()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subscription_module, "QUEUE_CHUNKS", 3)
        patch.setattr(catch_up, "CATCH_UP_SAMPLES", 8)
        trio.run(main, clock=MockClock(autojump_threshold=0))


async def test_a_waiting_client_is_served_without_waking_its_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The chunk goes into its socket; what the socket does not take, its task sends first."""
    record_source = FakeRecords()
    hub = make_app(record_source).hub
    written: list[bytes] = []

    def write(fd: int, data: bytes) -> int:
        assert fd == 77
        written.append(data)
        return 10 if len(written) == 3 else len(data)

    monkeypatch.setattr(direct_write, "write", write)
    with subscribe(hub) as subscription:
        subscription.socket = DirectSocket(77)
        async with trio.open_nursery() as nursery:
            woken: list[Chunk] = []

            async def task() -> None:
                while True:
                    woken.append(await subscription.next())

            nursery.start_soon(task)
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(5):
                hub.publish(record_source.write())
            assert hub.attached == 1
            await trio.testing.wait_all_tasks_blocked()
            hub.publish(record_source.write())
            assert woken[-1].seq == 5, "it sleeps on"
            nursery.cancel_scope.cancel()
    assert [data.partition(b"data")[0][-2:-1] for data in written] == [b"1", b"2", b"3", b"6"]
    # The rest of the third, then what came while it was being sent.
    assert [chunk.framed for chunk in woken[:1]] == [written[2][10:]]
    assert [chunk.seq for chunk in woken] == [3, 4, 5]
    assert subscription.at.seq == 6


async def test_who_is_ahead_of_his_group_is_given_nothing_twice() -> None:
    """He had those samples from elsewhere; the group has them waiting for its next flush."""
    record_source = FakeRecords()
    hub = Hub(record_source, Metrics())
    hub.begin(record_source.origin, record_source.write(3).records)
    slow = StreamOptions(flush_ms=1000)
    with subscribe(hub, own(3), slow) as first:
        await nothing_comes(first)
        for _ in range(4):
            hub.publish(record_source.write())
        with subscribe(hub, own(6), slow) as second:
            assert numbers(await take(second, 1)) == [7]
            await nothing_comes(second)
            hub.publish(record_source.write())
            hub.flush(now=True)
            assert numbers(await take(first, 5)) == [4, 5, 6, 7, 8]
            hub.publish(record_source.write())
            hub.flush(now=True)
            assert numbers(await take(second, 2)) == [8, 9]


async def stream_of(hub: Hub, options: StreamOptions, last_event_id: str, sink: bytearray) -> None:
    """Collect what a subscriber with these options gets."""
    with subscribe(hub, last_event_id, options) as subscription:
        while True:
            sink += (await subscription.next()).payload


@pytest.mark.parametrize(
    "options",
    [
        StreamOptions(20.0),
        StreamOptions(7.0, stats=True),
        StreamOptions(0.5),
        StreamOptions(20.0, False, 70),
    ],
)
async def test_means_are_the_same_for_everyone_whenever_they_joined(
    options: StreamOptions, autojump_clock: MockClock
) -> None:
    """From the start, later, or resumed from an id: the same bytes, and each sample is in one
    window only."""
    record_source = FakeRecords()
    hub = make_app(record_source).hub
    sinks = {name: bytearray() for name in ("first", "later", "resumed")}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream_of, hub, options, "", sinks["first"])
        for step in range(900):
            if step == 333:
                nursery.start_soon(stream_of, hub, options, "", sinks["later"])
            if step == 507:
                blocks = sinks["first"].decode().split("\n\n")
                begun = parse_event(blocks[0]).id
                nursery.start_soon(stream_of, hub, options, begun, sinks["resumed"])
            hub.publish(record_source.write())
            await trio.sleep(0.01)
            hub.flush()
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    first, later, resumed = (bytes(sink) for sink in sinks.values())
    assert len(first) > 100
    assert first.endswith(resumed)
    assert first.partition(b"\n\n")[2] == resumed
    # A client that joins in the middle of a window begins with the rest of it.
    assert first.endswith(later.partition(b"\n\n")[2])
    events = [parse_event(block).json for block in first.decode().split("\n\n")[:-1]]
    seqs = [event["seq"] for event in events]
    assert [event["n"] for event in events[1:]] == [b - a for a, b in itertools.pairwise(seqs)]
    for event in events[1:]:
        window = [make_record(event["seq"] - n).ax for n in range(event["n"])]
        assert event["sample"]["ax"] == pytest.approx(sum(window) / len(window), rel=1e-6)
        if options.stats:
            assert (event["min"]["ax"], event["max"]["ax"]) == (min(window), max(window))
            assert event["std"]["ax"] == pytest.approx(statistics.pstdev(window), rel=1e-6)
        else:
            assert event.keys().isdisjoint({"min", "max", "std"})
    assert autojump_clock.autojump_threshold == 0


async def test_a_mean_after_two_restarts_says_what_the_client_had_last(
    autojump_clock: MockClock,
) -> None:
    """The first restart was known to a window that never ended: its ring was replaced, too."""
    record_source, sink = FakeRecords(), bytearray()
    hub = make_app(record_source).hub
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream_of, hub, StreamOptions(20.0), "", sink)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(5):
            hub.publish(record_source.write())
        await trio.testing.wait_all_tasks_blocked()
        begun = parse_event(sink.decode().split("\n\n")[0]).json["seq"]
        for generation in (GENERATION + 1, GENERATION + 2):
            record_source.replace(generation)
            hub.begin(record_source.origin, record_source.write().records)
            await trio.testing.wait_all_tasks_blocked()
        for _ in range(10):
            hub.publish(record_source.write())
            await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    gaps = [parse_event(block).json.get("gap") for block in sink.decode().split("\n\n")[:-1]]
    [gap] = [gap for gap in gaps if gap]
    assert (gap["from"], gap["lost"], gap["reason"]) == (begun, None, "restart")


async def test_a_window_that_the_ring_has_overwritten_counts_as_missing(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """Its samples were read, but the next one, which would end it, is gone."""
    monkeypatch.setattr(catch_up, "CATCH_UP_SAMPLES", 5)  # one window
    record_source, sink = FakeRecords(capacity=32), bytearray()
    hub = make_app(record_source).hub
    hub.publish(record_source.write(20))

    def overwrite() -> None:
        record_source.before_return = lambda: None
        record_source.write(40)

    record_source.before_return = overwrite
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream_of, hub, StreamOptions(20.0), own(4), sink)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(20):
            hub.publish(await record_source.read(GENERATION, hub.head, 512))
            record_source.write()
            await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    events = [parse_event(block).json for block in sink.decode().split("\n\n")[:-1]]
    first = events[0]
    assert first["gap"]["from"] == 4
    assert first["gap"]["lost"] == first["seq"] - 4 - first["n"]


async def test_several_samples_share_a_write(autojump_clock: MockClock) -> None:
    """With `flush_ms` a chunk comes that often, late by no more, and none is missing."""
    record_source = FakeRecords()
    hub = make_app(record_source).hub
    chunks: list[list[int]] = []
    with subscribe(hub, options=StreamOptions(flush_ms=45)) as subscription:
        async with trio.open_nursery() as nursery:

            async def task() -> None:
                while True:
                    events = events_of(await subscription.next())
                    chunks.append([event.json["seq"] for event in events])

            nursery.start_soon(task)
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(22):
                hub.publish(record_source.write())
                await trio.sleep(0.01)
            await trio.sleep(0.05)
            hub.flush()
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    assert [len(chunk) for chunk in chunks] == [6, 6, 6, 4]
    assert list(itertools.chain(*chunks)) == list(range(1, 23))
    assert autojump_clock.autojump_threshold == 0


async def test_a_gap_within_a_window_is_reported_with_its_means() -> None:
    """Several of them as one."""
    record_source = FakeRecords()
    hub = make_app(record_source).hub
    sink = bytearray()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream_of, hub, StreamOptions(10.0), "", sink)
        await trio.testing.wait_all_tasks_blocked()
        for number in range(1, 40):
            lost = {13: 2, 16: 5}.get(number, 0)
            flags = Flag.DEVICE_GAP if lost else 0
            hub.publish(record_source.write(lost=lost, flags=flags))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    events = [parse_event(block).json for block in sink.decode().split("\n\n")[:-1]]
    (gappy,) = (event for event in events if "gap" in event)
    assert plain_gap(gappy) == {"from": 12, "to": 16, "lost": 7, "reason": "device"}
    assert gappy["flags"] == ["device_gap"]


def test_a_batch_without_records_is_nothing() -> None:
    """It is offered to no subscriber."""
    hub = Hub(FakeRecords(), Metrics())
    hub.publish(Batch([], None, 0))
    assert (hub.head, hub.metrics["events"]) == (0, 0)


async def test_a_stream_can_begin_with_the_oldest_sample(autojump_clock: MockClock) -> None:
    """Nothing is missing before it, whatever its number."""
    record_source = FakeRecords(capacity=32)
    record_source.write(100)
    hub = make_app(record_source).hub
    with subscribe(hub, EARLIEST) as subscription:
        events = await take(subscription, 31)
    assert numbers(events) == list(range(70, 101))
    assert gaps(events) == []


async def test_who_joins_a_form_of_means_begins_with_the_window_that_the_others_have_begun() -> (
    None
):
    """So all have the same means from the first on."""
    record_source = FakeRecords()
    hub = make_app(record_source).hub
    with subscribe(hub, "", StreamOptions(1.0)) as first:
        await nothing_comes(first)
        hub.publish(record_source.write(150))
        (event,) = await take(first, 1)
        with subscribe(hub, "", StreamOptions(1.0)) as second:
            await nothing_comes(second)
            hub.publish(record_source.write(100))
            assert await take(second, 1) == await take(first, 1)
    assert event.json["seq"] < 150
