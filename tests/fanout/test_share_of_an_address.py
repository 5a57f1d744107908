"""What one address may have of the stream; and a subscription that ends by itself."""

from contextlib import ExitStack

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.fanout.test_hub import nothing_comes, numbers, own, ring, take
from trio_mpu.errors import RequestError
from trio_mpu.fanout import forms as forms_module
from trio_mpu.fanout import hub as hub_module
from trio_mpu.fanout.catch_up import CATCH_UP_SAMPLES
from trio_mpu.fanout.encoder import EVERY_SAMPLE, StreamOptions
from trio_mpu.fanout.hub import EARLIEST, Hub
from trio_mpu.fanout.shares import Shares
from trio_mpu.fanout.subscription import QUEUE_CHUNKS, subscribe

ONE, ITS_NEIGHBOUR, OTHER = "2001:db8::1", "2001:db8::2", "192.0.2.1"


# -- forms ----------------------------------------------------------------------------


def test_an_address_has_so_many_forms_of_the_stream() -> None:
    """Of its own: what somebody else was first to ask for, and every sample, are always there."""
    assert forms_module.MAX_FORMS == 64
    _, hub = ring()
    hub.forms._owned = Shares(2)
    with ExitStack() as stack:

        def join(rate_hz: float, address: str) -> None:
            stack.enter_context(subscribe(hub, "", StreamOptions(rate_hz), address))

        for rate_hz in (1.0, 2.0):
            join(rate_hz, ONE)
        join(3.0, OTHER)
        with pytest.raises(RequestError, match="forms of the stream") as caught:
            join(4.0, ITS_NEIGHBOUR)
        assert caught.value.status == 503
        assert hub.metrics["forms_refused"] == 1
        assert hub.forms.find(StreamOptions(4.0)) is None
        for rate_hz in (2.0, 3.0):
            join(rate_hz, ONE)
        stack.enter_context(subscribe(hub, "", EVERY_SAMPLE, ONE))
        join(4.0, OTHER)
        with pytest.raises(RequestError):
            join(5.0, OTHER)
    with subscribe(hub, "", StreamOptions(5.0), ONE):
        pass
    assert len(hub.forms._owned) == 0


# -- catching up ------------------------------------------------------------------------


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A hub far ahead of the oldest sample, with one place for each address to catch up."""
    monkeypatch.setattr(hub_module, "MAX_RESUMES", 1)
    _, hub = ring(5 * CATCH_UP_SAMPLES)
    return hub


async def test_of_an_address_only_so_many_catch_up_at_a_time(crowded: Hub) -> None:
    """The next one begins when the first has caught up; others don't wait, nor those that are near."""
    head, came = crowded.head, list[str]()

    async def resume(name: str, address: str, last_id: str = EARLIEST) -> None:
        with subscribe(crowded, last_id, address=address) as subscription:
            await subscription.next()
            came.append(name)

    with subscribe(crowded, EARLIEST, address=ONE) as first:
        assert numbers(await take(first, 1))[0] == 1
        async with trio.open_nursery() as nursery:
            nursery.start_soon(resume, "second", ITS_NEIGHBOUR)
            await wait_all_tasks_blocked()
            assert came == []
            assert crowded.metrics["resumes_waited"] == 1
            await resume("other", OTHER)
            await resume("near", ONE, own(head - CATCH_UP_SAMPLES))
            await resume("new", ONE, "")
            assert came == ["other", "near", "new"]
            assert numbers(await take(first, head - 2 * CATCH_UP_SAMPLES))[-1] < head
            await wait_all_tasks_blocked()
            assert came[-1] == "new"
            await take(first, CATCH_UP_SAMPLES)
            await nothing_comes(first)
            await wait_all_tasks_blocked()
            assert came[-1] == "second"
    assert len(crowded.resumes) == 0


async def test_who_leaves_while_catching_up_gives_the_place_to_the_next(crowded: Hub) -> None:
    """Wherever he is; also one that only waits for it."""
    with subscribe(crowded, EARLIEST, address=ONE) as first:
        await take(first, 1)
        with subscribe(crowded, EARLIEST, address=ONE) as second:
            await nothing_comes(second)
    assert len(crowded.resumes) == 0
    with subscribe(crowded, EARLIEST, address=ONE) as third:
        assert numbers(await take(third, crowded.head)) == list(range(1, crowded.head + 1))


# -- a subscription that is ended ---------------------------------------------------------


async def test_ending_one_hands_out_what_is_queued_and_leaves_the_others() -> None:
    """As closing the hub ends all."""
    record_source, hub = ring()
    with subscribe(hub, own(3)) as one, subscribe(hub, own(3)) as other:
        for subscription in (one, other):
            await nothing_comes(subscription)
        hub.publish(record_source.write(2))
        one.end()
        hub.publish(record_source.write(2))
        assert numbers(await take(one, 2)) == [4, 5]
        with pytest.raises(trio.EndOfChannel):
            await one.next()
        assert numbers(await take(other, 4)) == [4, 5, 6, 7]
        assert hub.attached == 1
    assert hub.attached == 0


@pytest.mark.parametrize("waits_for", ["the group", "the ring", "means"])
async def test_one_that_waits_ends_immediately(waits_for: str) -> None:
    """Whatever it waits for."""
    _, hub = ring(0 if waits_for == "the ring" else 3)
    if waits_for == "the ring":
        hub.announced = "stale"  # it can't be sent before there is a sample
    options = StreamOptions(1.0) if waits_for == "means" else EVERY_SAMPLE
    ended = list[str]()

    async def follow() -> None:
        try:
            while True:
                await subscription.next()
        except trio.EndOfChannel:
            ended.append("")

    with subscribe(hub, own(2) if waits_for == "means" else "", options) as subscription:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow)
            await wait_all_tasks_blocked()
            subscription.end()
            await wait_all_tasks_blocked()
            assert ended == [""]
            subscription.end()  # a second time changes nothing


async def test_one_that_is_ended_while_its_queue_is_full_still_ends() -> None:
    """It was detached by then, and would read on from the ring."""
    record_source, hub = ring()
    with subscribe(hub, own(3)) as subscription:
        await nothing_comes(subscription)
        for _ in range(QUEUE_CHUNKS + 1):
            hub.publish(record_source.write())
        subscription.end()
        assert len(await take(subscription, QUEUE_CHUNKS)) == QUEUE_CHUNKS
        with pytest.raises(trio.EndOfChannel):
            await subscription.next()
