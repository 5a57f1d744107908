"""Forms of the stream that the live time has no room for: late, but whole and in order."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.helpers.fakes import FakeRecords, make_app
from tests.helpers.http_client import parse_event
from trio_mpu.fanout import direct_write
from trio_mpu.fanout import forms as forms_module
from trio_mpu.fanout.direct_write import DirectSocket
from trio_mpu.fanout.encoder import EVERY_SAMPLE, StreamOptions
from trio_mpu.fanout.hub import Hub
from trio_mpu.fanout.subscription import subscribe

MEANS = StreamOptions(20.0, stats=True)
BATCHES = StreamOptions(flush_ms=1)


@pytest.fixture(autouse=True)
def _no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is never time for anything but every sample."""
    monkeypatch.setattr(forms_module, "LIVE_S", -1.0)


async def follow(
    hub: Hub, options: StreamOptions, sink: list[dict[str, Any]], address: str = ""
) -> None:
    """Collect the objects of a stream."""
    with subscribe(hub, "", options, address) as subscription:
        while True:
            chunk = await subscription.next()
            for block in chunk.payload.decode().split("\n\n")[:-1]:
                sink.append(json.loads(parse_event(block).data))  # noqa: PERF401


def whole(objects: list[dict[str, Any]]) -> bool:
    """Whether windows follow each other without a sample twice or left out."""
    ends = [each["seq"] for each in objects]
    counts = [each.get("n", 1) for each in objects]
    return all(
        end - before == count
        for before, end, count in zip(ends, ends[1:], counts[1:], strict=False)
    )


@pytest.fixture
def ring() -> FakeRecords:
    """A ring that holds a sample."""
    record_source = FakeRecords()
    record_source.write()
    return record_source


async def test_every_sample_is_live_and_other_forms_are_late_but_whole(
    ring: FakeRecords, autojump_clock: MockClock
) -> None:
    """Whatever their number."""
    hub = make_app(ring).hub
    live: list[dict[str, Any]] = []
    late: dict[StreamOptions, list[dict[str, Any]]] = {
        form: [] for form in (MEANS, BATCHES, StreamOptions(7.0), StreamOptions(0.5))
    }
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.forms.feed_late)
        nursery.start_soon(follow, hub, EVERY_SAMPLE, live)
        for form, sink in late.items():
            nursery.start_soon(follow, hub, form, sink)
        await wait_all_tasks_blocked()
        group = hub.forms.find(EVERY_SAMPLE)
        assert group is not None
        for number in range(400):
            hub.publish(ring.write())
            assert group.seq == number + 2  # with no task's turn in between
            await trio.sleep(0.01)
            hub.flush()
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert [each["seq"] for each in live] == list(range(1, 402))
    assert [each["seq"] for each in late[BATCHES]] == list(range(1, 402))
    for form in (MEANS, StreamOptions(7.0), StreamOptions(0.5)):
        assert len(late[form]) >= int(form.rate_hz * 3)
        assert whole(late[form])
    assert hub.metrics["forms_delayed"] > 400


async def test_a_status_comes_after_the_samples_before_it(
    ring: FakeRecords, autojump_clock: MockClock
) -> None:
    """Also to a form that is late: nobody is stopped before the last sample."""
    hub = make_app(ring).hub
    late: list[dict[str, Any]] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow, hub, BATCHES, late)
        await wait_all_tasks_blocked()
        for _ in range(10):
            hub.publish(ring.write())
        hub.set_status("stopped", "")
        hub.publish(ring.write())
        await wait_all_tasks_blocked()
        assert len(late) == 1
        nursery.start_soon(hub.forms.feed_late)
        await trio.sleep(1)
        hub.flush(now=True)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert [(each["seq"], each["status"]) for each in late] == [
        *[(seq, "ok") for seq in range(1, 12)],
        (11, "stopped"),
        (12, "ok"),
    ]


async def test_a_form_that_is_too_late_goes_back_to_the_ring(
    ring: FakeRecords, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept for it is bounded; its clients miss nothing that the ring has."""
    monkeypatch.setattr(forms_module, "MAX_LOG", 16)
    hub = make_app(ring).hub
    late: dict[StreamOptions, list[dict[str, Any]]] = {MEANS: [], BATCHES: []}
    async with trio.open_nursery() as nursery:
        for form, sink in late.items():
            nursery.start_soon(follow, hub, form, sink)
        await wait_all_tasks_blocked()
        for _ in range(100):
            hub.publish(ring.write())
        assert hub.metrics["forms_restarted"] >= 2
        nursery.start_soon(hub.forms.feed_late)
        for _ in range(100):
            hub.publish(ring.write())
            await trio.sleep(0.01)
            hub.flush()
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert [each["seq"] for each in late[BATCHES]] == list(range(1, 202))
    assert whole(late[MEANS])
    assert not any("gap" in each for each in (*late[MEANS], *late[BATCHES]))


async def test_who_leaves_is_not_fed(ring: FakeRecords) -> None:
    """A form without clients is forgotten, late or not."""
    hub = make_app(ring).hub
    async with trio.open_nursery() as nursery:
        with subscribe(hub, "", MEANS):
            hub.publish(ring.write(5))
            assert hub.forms.late == 1
        assert hub.forms.late == 0
        nursery.start_soon(hub.forms.feed_late)
        await wait_all_tasks_blocked()
        hub.publish(ring.write(5))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()


async def test_a_form_that_ends_before_its_turn_is_not_fed(ring: FakeRecords) -> None:
    """Its last client leaves while the turn is another's; the others are fed on."""
    hub = make_app(ring).hub
    late: list[dict[str, Any]] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.forms.feed_late)
        with ExitStack() as stack:
            stack.enter_context(subscribe(hub, "", MEANS))
            nursery.start_soon(follow, hub, BATCHES, late)
            await wait_all_tasks_blocked()
            async with hub.turns.slice("other"):
                hub.publish(ring.write(5))
                await wait_all_tasks_blocked()
                assert (hub.forms.late, hub.turns.waiting) == (2, 1)
                stack.close()
        await trio.sleep(0.05)
        hub.flush(now=True)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert [each["seq"] for each in late] == list(range(1, 7))


@pytest.fixture
def hub(ring: FakeRecords) -> Iterator[Hub]:
    """A hub."""
    app = make_app(ring)
    yield app.hub
    app.close()


async def test_each_hosts_first_form_comes_before_any_ones_second(hub: Hub) -> None:
    """And every sample before all of them."""
    owners = {}
    for number in range(5):
        form = StreamOptions(1.0 + number)
        hub.forms.join(form, "greedy")
        owners[form] = f"greedy {number}"
    for form, owner in ((StreamOptions(100.0), "modest"), (EVERY_SAMPLE, "greedy")):
        hub.forms.join(form, owner)
        owners[form] = owner
    order = [owners[group.options] for group in hub.forms.ordered()]
    assert order == [
        *("greedy", "greedy 0", "modest"),
        *("greedy 1", "greedy 2", "greedy 3", "greedy 4"),
    ]


@pytest.mark.parametrize("new_ring", [False, True])
async def test_a_form_that_begins_anew_knows_the_status_that_was_announced_meanwhile(
    ring: FakeRecords,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
    new_ring: bool,
) -> None:
    """What it offers then would make its clients know an older one."""
    monkeypatch.setattr(forms_module, "MAX_LOG", 16)
    hub = make_app(ring).hub
    with subscribe(hub, "", BATCHES) as subscription:
        with trio.move_on_after(1):
            while True:
                await subscription.next()
        hub.publish(ring.write())
        hub.set_status("stale", "")
        if new_ring:
            hub.begin(ring.origin, list(ring.records.values()))
        else:
            while not hub.metrics["forms_restarted"]:
                hub.publish(ring.write())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hub.forms.feed_late)
            for _ in range(3):
                hub.publish(ring.write())
                with trio.move_on_after(1):
                    while True:
                        await subscription.next()
                hub.flush()
                assert subscription.at.status == "stale"
            nursery.cancel_scope.cancel()


async def test_a_client_that_sleeps_when_its_form_begins_anew_is_given_nothing_twice(
    ring: FakeRecords, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its position is that of what the hub has written into its socket."""
    monkeypatch.setattr(forms_module, "MAX_LOG", 16)
    written: list[bytes] = []

    def write(_: int, data: bytes) -> int:
        written.append(data)
        return len(data)

    monkeypatch.setattr(direct_write, "write", write)
    hub = make_app(ring).hub
    with subscribe(hub, "", BATCHES) as subscription:
        subscription.socket = DirectSocket(77)

        async def take_all() -> None:
            while True:
                written.append((await subscription.next()).payload)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(take_all)
            await wait_all_tasks_blocked()
            with trio.move_on_after(1):
                hub.publish(ring.write(5))
                await hub.forms.feed_late()
            hub.flush(now=True)
            while not hub.metrics["forms_restarted"]:
                hub.publish(ring.write())
            nursery.start_soon(hub.forms.feed_late)
            await trio.sleep(1)
            hub.flush(now=True)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    numbers = [int(each) for each in re.findall(rb"id: [0-9a-f]+-(\d+)", b"".join(written))]
    assert numbers == list(range(1, hub.head + 1))
