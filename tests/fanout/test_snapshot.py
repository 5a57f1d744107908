"""How the newest sample is assessed."""

import pytest

from tests.helpers.fake_devices import sample
from trio_mpu.fanout.snapshot import STALE_NS, WAITING, Snapshot, assess
from trio_mpu.record import Record, State

TAKEN_NS = 10**12
RECORD = Record.of(1, 0, sample(1, TAKEN_NS))


@pytest.mark.parametrize(
    ("period_ns", "age_ns", "status"),
    [
        (10**7, 0, "ok"),
        (10**7, -5, "ok"),  # the reading was stamped a moment after the look at the clock
        (10**7, STALE_NS, "ok"),
        (10**7, STALE_NS + 1, "stale"),
        (10**9, STALE_NS + 1, "ok"),  # at 1 Hz a second is one period
        (10**9, 5 * 10**9, "ok"),
        (10**9, 5 * 10**9 + 1, "stale"),
    ],
)
def test_a_sample_is_stale_after_a_second_and_five_periods(
    period_ns: int, age_ns: int, status: str
) -> None:
    """Both have to be over, and the reason says that it is the sensor."""
    now_ns = TAKEN_NS + age_ns
    found, reason = assess(RECORD, period_ns, State.RUNNING, producer_lives=True, now_ns=now_ns)
    assert found == status
    assert ("sensor" in reason) == (status == "stale")


@pytest.mark.parametrize(
    ("state", "lives", "reason"),
    [
        (State.STOPPED, False, "the producer has stopped"),
        (State.RUNNING, False, "the producer has died"),
        (State.STARTING, False, "the producer has died"),
        (State.STOPPED, True, "the recording has been played to its end"),
    ],
)
@pytest.mark.parametrize("age_ns", [0, 10**12])
def test_without_a_producer_at_work_the_stream_has_stopped(
    state: State, lives: bool, reason: str, age_ns: int
) -> None:
    """However fresh or old the sample is; the reason distinguishes an end from a death."""
    found = assess(RECORD, 10**7, state, producer_lives=lives, now_ns=TAKEN_NS + age_ns)
    assert found == ("stopped", reason)


@pytest.mark.parametrize("state", [State.STARTING, State.RUNNING])
def test_a_producer_that_has_just_begun_is_no_fault(state: State) -> None:
    """While a successor opens its device, a fresh sample of the predecessor is good."""
    assert assess(RECORD, 10**7, state, producer_lives=True, now_ns=TAKEN_NS) == ("ok", "")


def test_a_snapshot_of_nothing_has_no_record() -> None:
    """Before the first sample there is only a reason."""
    snapshot = Snapshot(WAITING, "there is no ring")
    assert (snapshot.status, snapshot.record, snapshot.average) == ("waiting", None, ())
