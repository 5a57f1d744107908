"""The follower between a real ring and a hub, in one process."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import pytest
import trio
import trio.testing

from tests.helpers.http_client import plain_gap
from tests.helpers.version_1 import version_1
from tests.test_damaged_ring import U64, scribble, slot
from tests.test_ring import begin_at, samples
from trio_mpu.errors import RingDamaged, RingHeld, RingMissing
from trio_mpu.fanout.hub import Hub
from trio_mpu.fanout.subscription import subscribe
from trio_mpu.fanout.turns import Turns
from trio_mpu.metrics.counters import Metrics
from trio_mpu.record import Batch, Header
from trio_mpu.ring import RingReader, RingWriter
from trio_mpu.sample import Flag
from trio_mpu.server.follower import HELD_S, RingRecords, follow_ring
from trio_mpu.shm.semaphore import PATIENCE_S


class Followed:
    """A hub with a follower behind it."""

    def __init__(self, ring: str) -> None:
        self.ring = ring
        self.record_source = RingRecords()
        self.metrics = Metrics()
        self.hub = Hub(self.record_source, self.metrics)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the follower within the block."""
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(
                    follow_ring, self.ring, self.hub, self.record_source, self.metrics
                )
                yield
                nursery.cancel_scope.cancel()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to become true."""
        while not condition():  # noqa: ASYNC110 - of objects that know no events
            await trio.sleep(0.005)

    async def read(self, count: int, last_event_id: str = "") -> list[dict[str, object]]:
        """Read so many samples as a subscriber."""
        events: list[dict[str, object]] = []
        with subscribe(self.hub, last_event_id) as subscription:
            while len(events) < count:
                chunk = await subscription.next()
                texts = chunk.payload.decode().split("\n\n")[:-1]
                events += [
                    json.loads(text.partition("data: ")[2])
                    for text in texts
                    if not text.startswith("event: ")
                ]
        return events[:count]


@pytest.fixture
def followed(ring_name: str) -> Followed:
    """A hub that nothing has been published to yet."""
    return Followed(ring_name)


async def new_writer(ring: str, source: str = "fake") -> RingWriter:
    """A producer's ring that says it is running."""
    writer = await RingWriter.open(ring, 256)
    await writer.start(source, 10**7)
    return writer


async def test_the_server_may_start_first(followed: Followed) -> None:
    """It says what it waits for, and follows the producer once there is one."""
    async with followed.running():
        await followed.until(lambda: "is the producer running" in followed.hub.snapshot.reason)
        writer = await new_writer(followed.ring)
        await followed.until(lambda: "the sensor has given none" in followed.hub.snapshot.reason)
        await writer.write(samples(3))
        await followed.until(lambda: followed.hub.head == 3)
        assert followed.hub.snapshot.status == "ok"
        assert followed.hub.snapshot.origin == (writer.generation, "fake")
        writer.close()


async def test_a_ring_of_version_1_is_not_followed(followed: Followed) -> None:
    """The reason names both versions and what to do; the ring is left alone, and waited for."""
    path = Path(f"/dev/shm/{followed.ring}")
    path.write_bytes(version_1())
    async with followed.running():
        await followed.until(lambda: "version" in followed.hub.snapshot.reason)
        assert followed.hub.snapshot.status == "waiting"
        assert followed.hub.snapshot.reason == (
            f"no sample yet: {path} is a ring of version 1, but this program knows version 2; "
            "stop the other program and remove it, or choose another name with --ring"
        )
        assert path.read_bytes() == version_1()
        assert list(path.parent.glob(f"*{followed.ring}*")) == [path]
        path.unlink()
        writer = await new_writer(followed.ring)
        await writer.write(samples(1))
        await followed.until(lambda: followed.hub.head == 1)
        writer.close()


async def test_a_ring_that_begins_later_is_followed_from_its_first_record(
    followed: Followed,
) -> None:
    """Nobody has lost what it never had, but a client that has earlier numbers has a gap."""
    writer = await new_writer(followed.ring)
    begin_at(writer, 41)
    generation = f"{writer.generation:016x}"
    got: dict[str, list[dict[str, object]]] = {}

    async def client(last_event_id: str) -> None:
        got[last_event_id] = await followed.read(3, last_event_id)

    async with followed.running(), trio.open_nursery() as nursery:
        await followed.until(lambda: followed.hub.head == 40)
        for last_event_id in ("", "earliest", f"{generation}-7"):
            nursery.start_soon(client, last_event_id)
        await trio.testing.wait_all_tasks_blocked()
        await writer.write(samples(3))
        await followed.until(lambda: len(got) == 3)
        got["later"] = await followed.read(3, f"{generation}-12")
        got["earliest later"] = await followed.read(3, "earliest")
        assert (followed.metrics["gaps_lapped"], followed.metrics["lapped_lost"]) == (0, 0)
    assert all([event["seq"] for event in events] == [41, 42, 43] for events in got.values())
    told = {name: plain_gap(events[0]) for name, events in got.items() if "gap" in events[0]}
    assert told == {
        f"{generation}-7": {"from": 7, "to": 41, "lost": 33, "reason": "lapped"},
        "later": {"from": 12, "to": 41, "lost": 28, "reason": "lapped"},
    }
    writer.close()


async def test_a_subscriber_from_before_the_ring_starts_with_its_newest_sample(
    followed: Followed,
) -> None:
    """Not with all that the ring holds, and with its own place if it named one."""
    writer = await new_writer(followed.ring)
    await writer.write(samples(100))
    got: dict[str, list[object]] = {}

    async def client(last_event_id: str) -> None:
        got[last_event_id] = [event["seq"] for event in await followed.read(3, last_event_id)]

    known = f"{writer.generation:016x}-50"
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client, "")
            nursery.start_soon(client, known)
            await trio.testing.wait_all_tasks_blocked()
            async with followed.running():
                # The one has all it wants, and the other has caught up.
                await followed.until(lambda: known in got and followed.hub.attached == 1)
                await writer.write(samples(2))
                await followed.until(lambda: len(got) == 2)
    assert got == {"": [100, 101, 102], known: [51, 52, 53]}
    writer.close()


async def test_the_average_is_warm_after_a_restart(followed: Followed) -> None:
    """It is that of the ring's last 128 samples, not of those since the server started."""
    writer = await new_writer(followed.ring)
    await writer.write(samples(200))
    async with followed.running():
        await followed.until(lambda: followed.hub.head == 200)
        expected = sum(n / 1024 for n in range(72, 200)) / 128
        assert followed.hub.snapshot.average[0] == pytest.approx(expected)
        (event,) = await followed.read(1)
        assert event["average"]["ax"] == pytest.approx(expected, rel=1e-6)  # type: ignore[index]
    writer.close()


async def test_the_end_of_a_producer_is_told_and_so_is_its_successor(followed: Followed) -> None:
    """A clean stop and a death are `stopped`, with their reasons; then it is `ok` again."""
    writer = await new_writer(followed.ring)
    await writer.write(samples(1))
    async with followed.running():
        await followed.until(lambda: followed.hub.snapshot.status == "ok")
        writer.close()
        await followed.until(lambda: followed.hub.snapshot.reason == "the producer has died")
        assert followed.hub.snapshot.status == "stopped"
        writer = await new_writer(followed.ring)
        await writer.write(samples(1))
        await followed.until(lambda: followed.hub.snapshot.status == "ok")
        await writer.stop()
        writer.close()
        await followed.until(lambda: followed.hub.snapshot.reason == "the producer has stopped")
    assert followed.metrics["rings_opened"] == 1


async def test_a_silent_sensor_is_stale(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The producer lives and its newest sample is old."""
    monkeypatch.setattr("trio_mpu.fanout.snapshot.STALE_NS", 10**8)
    writer = await new_writer(followed.ring)
    await writer.write(samples(1))
    async with followed.running():
        await followed.until(lambda: followed.hub.snapshot.status == "stale")
        assert "gives no sample" in followed.hub.snapshot.reason
        # On a busy machine a sample may be old by the time that it is judged: there are more.
        while followed.hub.snapshot.status != "ok":
            await writer.write(samples(1))
            await trio.sleep(0.005)
        assert followed.hub.head > 1
    writer.close()


@pytest.mark.parametrize(
    ("age_ns", "ends", "verdict"), [(0, True, "stopped"), (40 * 10**9, False, "stale")]
)
async def test_a_status_never_overtakes_a_sample(
    followed: Followed, monkeypatch: pytest.MonkeyPatch, age_ns: int, ends: bool, verdict: str
) -> None:
    """A sample that comes while its predecessor is being assessed is published first."""
    monkeypatch.setattr("trio_mpu.fanout.snapshot.STALE_NS", 20 * 10**9)
    writer = await new_writer(followed.ring)
    (first,) = samples(1)
    await writer.write([first._replace(t_ns=first.t_ns - age_ns)])
    header, set_status = RingReader.header, followed.hub.set_status
    announced: list[tuple[str, int]] = []

    async def overtaken(reader: RingReader) -> Header:
        if followed.hub.head and writer.head == 1:
            await writer.write(samples(1))
            if ends:
                await writer.stop()
        return await header(reader)

    def noted(status: str, reason: str) -> None:
        announced.append((status, followed.hub.head))
        set_status(status, reason)

    monkeypatch.setattr(RingReader, "header", overtaken)
    monkeypatch.setattr(followed.hub, "set_status", noted)
    async with followed.running():
        await followed.until(lambda: followed.hub.head == 2)
        await followed.until(lambda: announced[-1] == ("stopped" if ends else "ok", 2))
    assert (verdict, 1) not in announced
    writer.close()


async def test_a_new_ring_is_followed_after_the_old_one_is_read_out(followed: Followed) -> None:
    """Subscribers go over to it with a told gap, and all of its samples."""
    old = await new_writer(followed.ring)
    await old.write(samples(1))
    events: list[dict[str, object]] = []
    async with followed.running():
        await followed.until(lambda: followed.hub.head == 1)
        async with trio.open_nursery() as nursery:

            async def client() -> None:
                events.extend(await followed.read(5))

            nursery.start_soon(client)
            await followed.until(lambda: followed.hub.attached == 1)
            Path(f"/dev/shm/{followed.ring}").unlink()
            await old.write(samples(1))
            new = await new_writer(followed.ring, "another")
            await old.write(samples(1))
            old.close()
            await new.write(samples(2))
    assert [event["seq"] for event in events] == [1, 2, 3, 1, 2]
    assert [event["source"] for event in events] == ["fake"] * 3 + ["another"] * 2
    assert plain_gap(events[3]) == {"from": 3, "to": 1, "lost": None, "reason": "restart"}
    assert not any("gap" in events[n] for n in (0, 1, 2, 4))
    assert followed.metrics["rings_opened"] == 2
    new.close()


async def test_a_ring_that_is_unlinked_is_followed_until_there_is_another(
    followed: Followed,
) -> None:
    """Its producer may go on writing it for up to a second."""
    writer = await new_writer(followed.ring)
    await writer.write(samples(1))
    async with followed.running():
        await followed.until(lambda: followed.hub.head == 1)
        Path(f"/dev/shm/{followed.ring}").unlink()
        for number in range(2, 100):
            await writer.write(samples(1))
            await followed.until(lambda number=number: followed.hub.head == number)  # type: ignore[misc]
            await trio.sleep(0.01)
        assert followed.hub.snapshot.status == "ok"
    writer.close()


async def test_being_lapped_itself_the_server_tells_everyone(followed: Followed) -> None:
    """The gap is in the stream and in the metrics."""
    writer = await new_writer(followed.ring)
    await writer.write(samples(1))
    async with followed.running():
        await followed.until(lambda: followed.hub.head == 1)
        for _ in range(10):  # more than the ring holds, before the follower's turn
            await writer.write(samples(100))
        events = await followed.read(2, f"{writer.generation:016x}-1")
        await followed.until(lambda: followed.hub.head == 1001)
    assert plain_gap(events[0]) == {"from": 1, "to": 747, "lost": 745, "reason": "lapped"}
    assert (followed.metrics["gaps_lapped"], followed.metrics["lapped_lost"]) == (1, 745)
    writer.close()


async def test_a_gap_comes_with_the_ledger_that_accounts_for_it(followed: Followed) -> None:
    """The producer's counters are read anew before the gap is told, not up to a second later."""
    writer = await new_writer(followed.ring)
    await writer.write(samples(1))
    async with followed.running():
        await followed.until(lambda: followed.hub.snapshot.status == "ok")
        for lost in (7, 2):
            writer.ledger["device_lost"] += lost
            await writer.write([samples(1)[0]._replace(flags=Flag.DEVICE_GAP, lost=lost)])
        events = await followed.read(3, f"{writer.generation:016x}-0")
    assert [event["seq"] for event in events] == [1, 2, 3]
    told = events[2]["gap"]
    assert isinstance(told, dict)
    assert (told["lost"], told["ledger"]["device_lost"], told["ledger"]["gaps_slow"]) == (2, 9, 0)
    writer.close()


async def test_a_held_ring_is_counted_and_waited_for(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream turns stale with the holder named, and goes on afterwards."""
    writer = await new_writer(followed.ring)
    await writer.write(samples(1))
    async with followed.running():
        await followed.until(lambda: followed.hub.snapshot.status == "ok")
        read = RingReader.read

        async def held(*_: object) -> object:
            await trio.lowlevel.checkpoint()
            raise RingHeld("the ring's semaphore is held by process 7")

        monkeypatch.setattr(RingReader, "read", held)
        await followed.until(lambda: followed.hub.snapshot.reason.endswith("process 7"))
        assert followed.hub.snapshot.status == "stale"
        monkeypatch.setattr(RingReader, "read", read)
        await writer.write(samples(1))
        await followed.until(lambda: followed.hub.head == 2)
        assert followed.hub.snapshot.status == "ok"
    assert followed.metrics["ring_held"] > 0
    writer.close()


async def test_bells_that_nobody_hears_cost_no_sample(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the doorbell the follower looks once a period."""
    monkeypatch.setattr("trio_mpu.shm.doorbell.Ringer.ring", lambda *_: None)
    writer = await new_writer(followed.ring)
    async with followed.running():
        for number in range(1, 20):
            await writer.write(samples(1))
            await followed.until(lambda number=number: followed.hub.head == number)  # type: ignore[misc]
    assert followed.hub.head == 19
    writer.close()


async def test_only_the_open_ring_has_a_past(followed: Followed) -> None:
    """A reader of another generation is told that its ring is gone."""
    with pytest.raises(RingMissing):
        await followed.record_source.read(1, 0, 10)
    writer = await new_writer(followed.ring)
    await writer.write(samples(4))
    async with followed.running():
        await followed.until(lambda: followed.hub.head == 4)
        assert len((await followed.record_source.read(writer.generation, 1, 10)).records) == 3
        with pytest.raises(RingMissing):
            await followed.record_source.read(writer.generation + 1, 0, 10)
    assert followed.record_source.reader is None
    writer.close()


async def test_flags_reach_the_subscriber(followed: Followed) -> None:
    """What the producer noted with a sample is told with it."""
    writer = await new_writer(followed.ring)
    async with followed.running():
        flagged = samples(1)[0]._replace(flags=Flag.DEVICE_GAP, lost=7)
        await writer.write([flagged])
        await followed.until(lambda: followed.hub.head == 1)
        (event,) = await followed.read(1)
    assert event["flags"] == ["device_gap"]
    assert plain_gap(event) == {"from": 0, "to": 1, "lost": 7, "reason": "device"}
    writer.close()


async def test_a_ring_that_is_held_from_the_start_is_waited_for(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The follower does not die of a process that was stopped within its critical section."""
    writer = await new_writer(followed.ring)
    await writer.write(samples(2))
    header = RingReader.header

    async def held(*_: object) -> object:
        await trio.lowlevel.checkpoint()
        raise RingHeld("the ring's semaphore is held by process 7")

    monkeypatch.setattr(RingReader, "header", held)
    async with followed.running():
        await followed.until(lambda: followed.hub.snapshot.reason.endswith("process 7"))
        monkeypatch.setattr(RingReader, "header", header)
        await followed.until(lambda: followed.hub.head == 2)
        assert followed.hub.snapshot.status == "ok"
    writer.close()


async def test_a_held_semaphore_is_waited_for_once_and_not_by_each_reader_in_turn(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """New requests wait for the same turn: `/healthz` would come after all of them."""

    class Held:
        generation = 1
        reads = 0

        async def read(self, after: int, limit: int) -> Batch:
            self.reads += 1
            await trio.sleep(PATIENCE_S)
            raise RingHeld("held")

    held, record_source, turns = Held(), RingRecords(), Turns()
    record_source.reader = cast(RingReader, held)

    async def read() -> None:
        async with turns.slice("x"):
            with pytest.raises(RingHeld, match="held"):
                await record_source.read(1, 0, 1)

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(read)
    assert held.reads == 1
    assert trio.current_time() == pytest.approx(PATIENCE_S)
    await trio.sleep(HELD_S)
    await read()
    assert held.reads == 2


# -- a ring that another program writes to --------------------------------------------------------


@pytest.mark.parametrize("has_sample", [True, False])
async def test_a_damaged_ring_is_counted_said_once_and_left_for_its_successor(
    followed: Followed, has_sample: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Its status has the reason; subscribers go over to the new ring with a gap of unknown size."""
    writer = await new_writer(followed.ring)
    async with followed.running():
        if has_sample:
            await writer.write(samples(5))
        else:
            await followed.until(lambda: followed.metrics["rings_opened"] == 1)
        await followed.until(lambda: followed.hub.head == (5 if has_sample else 0))
        scribble(followed.ring, 32, U64.pack(2**60))
        reason = f"ring {followed.ring} was overwritten by another program"
        await followed.until(lambda: followed.hub.snapshot.reason == reason)
        assert followed.hub.snapshot.status == ("stale" if has_sample else "waiting")
        await trio.sleep(0.01)
        with pytest.raises(RingDamaged):
            await writer.write(samples(1))
        writer.unlink()
        writer.close()
        new = await new_writer(followed.ring)
        await new.write(samples(2))
        await followed.until(lambda: followed.metrics["rings_opened"] == 2)
        await followed.until(lambda: followed.hub.snapshot.status == "ok")
        assert followed.hub.origin.generation == new.generation
        assert followed.hub.head == 2
    new.close()
    assert followed.metrics["ring_damaged"] == 1
    assert caplog.messages.count(f"{reason}: waiting for a new one") == 1


async def test_damaged_samples_are_a_gap_counted_and_said_once(
    followed: Followed, caplog: pytest.LogCaptureFixture
) -> None:
    """The subscriber gets those around them."""
    writer = await new_writer(followed.ring)
    await writer.write(samples(1))
    async with followed.running():
        await followed.until(lambda: followed.hub.head == 1)
        for damaged in (2, 4):
            # Before the follower comes to it: nothing here waits.
            assert writer.write_now(samples(2, damaged))
            scribble(followed.ring, slot(damaged, 256) + 40, b"\x01\x02\x03\x04")
            await followed.until(lambda: followed.hub.head == writer.head)
        read = await followed.read(2, f"{writer.generation:016x}-1")
    writer.close()
    assert [sample["seq"] for sample in read] == [3, 5]
    assert [plain_gap(sample)["lost"] for sample in read] == [1, 1]
    assert followed.metrics["samples_damaged"] == 2
    said = f"samples in ring {followed.ring} are damaged: they are left out"
    assert caplog.messages.count(said) == 1
