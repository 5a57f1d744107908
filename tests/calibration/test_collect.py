"""So many readings of a device."""

import pytest
import trio
from trio.testing import MockClock

from tests.helpers.fake_devices import (
    BEGUN_NS,
    FakeDevice,
    FakeTicker,
    Late,
    one_line,
    sample,
    virtual_ns,
)
from trio_mpu.calibration import collect
from trio_mpu.calibration.collect import MAX_FAILURES, SETTLE_S, count_of, measure
from trio_mpu.calibration.stillness import MIN_READINGS
from trio_mpu.errors import DeviceError, NoSampleYet, UsageError

SKIPPED = round(SETTLE_S * 100)  # at the fake device's 100 Hz
FAILED = DeviceError("it does not answer")


@pytest.fixture(autouse=True)
def virtual(monkeypatch: pytest.MonkeyPatch) -> None:
    """Period and clock are those of virtual time."""
    monkeypatch.setattr(collect, "Ticker", FakeTicker)
    monkeypatch.setattr(collect, "monotonic_ns", virtual_ns)


@pytest.mark.parametrize("paced", [True, False])
async def test_readings_are_taken_after_the_hand_has_left(
    paced: bool, autojump_clock: MockClock
) -> None:
    """The first ones are not used; one period each."""
    samples, missing = await measure(FakeDevice(paced=paced), 200)
    first = BEGUN_NS + (SKIPPED + 1) * 10**7
    assert [taken.t_ns for taken in samples] == list(range(first, first + 200 * 10**7, 10**7))
    assert missing == 0


async def test_what_was_queued_before_is_not_used(autojump_clock: MockClock) -> None:
    """A device with a queue has old readings, from when the sensor lay otherwise."""
    await trio.sleep(1)
    old = [sample(n, BEGUN_NS + n) for n in range(1, 9)]
    samples, _ = await measure(FakeDevice([old], paced=True), 100)
    assert len(samples) == 100
    assert min(taken.t_ns for taken in samples) > BEGUN_NS + 10**9 + SKIPPED * 10**7


async def test_missed_periods_are_counted(autojump_clock: MockClock) -> None:
    """Those that this program slept through, and those that the device tells; not what was before
    the first reading that is used."""
    script = [None, Late(0.035), FAILED, *[None] * (SKIPPED + 10), Late(0.055), FAILED]
    assert (await measure(FakeDevice(script), 100)).missing == 4 + 1
    lossy = (3, SKIPPED + 1, SKIPPED + 7)
    told = [[sample(n, 10**18 + n, lost=int(n in lossy))] for n in range(1, 200)]
    assert (await measure(FakeDevice(told, paced=True), 100)).missing == 1


async def test_single_failures_are_passed_over(autojump_clock: MockClock) -> None:
    """Whatever they are; so many in a row end it, with the device's own words."""
    script = [*[FAILED] * (MAX_FAILURES - 1), None, *[NoSampleYet("not yet")] * 5]
    assert len((await measure(FakeDevice(script), 100)).samples) == 100
    with pytest.raises(DeviceError, match="it does not answer"):
        await measure(FakeDevice(after=FAILED), 100)


def test_how_many_readings_a_time_has() -> None:
    """Neither too few to say anything nor more than there is room for."""
    assert count_of(FakeDevice(), 10) == 1000
    assert count_of(FakeDevice(), 1) == MIN_READINGS
    for device, seconds, part in (
        (FakeDevice(), 0.99, "is 99 readings, but a calibration needs 100 to 1,000,000"),
        (FakeDevice(period_ns=10**6), 1001, "1001 s at 1000 Hz is 1,001,000 readings"),
    ):
        with pytest.raises(UsageError) as caught:
            count_of(device, seconds)
        assert part in one_line(caught.value)
