"""The queue between sampler and publisher, and its account."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.fake_devices import BEGUN_NS, sample
from trio_mpu.producer import backlog as backlog_module
from trio_mpu.producer.backlog import Backlog
from trio_mpu.record import LEDGER, Record
from trio_mpu.sample import MAX_LOST, Flag, Sample

PERIOD_NS = 10**7


def empty_ledger() -> dict[str, int]:
    """The counters, all at 0."""
    return dict.fromkeys(LEDGER, 0)


def backlog(ledger: dict[str, int] | None = None, last: Record | None = None) -> Backlog:
    """A new one."""
    return Backlog(empty_ledger() if ledger is None else ledger, PERIOD_NS, last)


def gaps(queue: Backlog) -> list[tuple[int, int]]:
    """Flags and loss of each sample in it."""
    return [(taken.flags, taken.lost) for taken in queue.first(1000)]


def test_samples_come_out_as_they_went_in() -> None:
    """In order, unchanged, and they stay until they are dropped."""
    queue = backlog()
    taken = [sample(number, flags=Flag.SIMULATED) for number in range(5)]
    for each in taken:
        queue.add(each)
    assert queue.first(3) == queue.first(3) == taken[:3]
    queue.drop(3)
    assert queue.first(100) == taken[3:]
    queue.drop(2)
    assert queue.first(100) == []


def test_what_is_missing_is_told_with_the_next_sample_and_counted() -> None:
    """Misses of all kinds add up, once."""
    ledger = empty_ledger()
    queue = backlog(ledger)
    queue.add(sample(1))
    queue.miss(2, "device_lost")
    queue.miss(0, "ticks_lost")
    queue.miss(3, "ticks_lost")
    queue.add(sample(2, flags=Flag.SIMULATED))
    queue.add(sample(3))
    assert gaps(queue) == [(0, 0), (Flag.SIMULATED | Flag.DEVICE_GAP, 5), (0, 0)]
    assert ledger == {**empty_ledger(), "device_lost": 2, "ticks_lost": 3}


def test_a_recordings_gap_of_a_restart_stays_what_it_was() -> None:
    """Only what is missing besides is the device's."""
    queue = backlog()
    queue.add(sample(1))
    queue.add(sample(2, flags=Flag.RESTART_GAP, lost=3))
    queue.miss(1, "device_lost")
    queue.add(sample(3, flags=Flag.RESTART_GAP, lost=3))
    both = Flag.RESTART_GAP | Flag.DEVICE_GAP
    assert gaps(queue) == [(0, 0), (Flag.RESTART_GAP, 3), (both, 4)]


def test_nothing_is_missing_before_the_first_sample() -> None:
    """A device that needs a while to begin has lost nothing."""
    ledger = empty_ledger()
    queue = backlog(ledger)
    queue.miss(100, "device_lost")
    queue.add(sample(1))
    assert gaps(queue) == [(0, 0)]
    assert ledger == empty_ledger()


def test_what_a_device_tells_itself_is_counted_too() -> None:
    """A sample's own loss stays with it, the first one's as well, and adds to what was missed."""
    ledger = empty_ledger()
    queue = backlog(ledger)
    queue.add(sample(1, flags=Flag.DEVICE_GAP, lost=7))
    queue.miss(1, "ticks_lost")
    queue.add(sample(2, flags=Flag.DEVICE_GAP, lost=2))
    queue.add(sample(3, flags=0, lost=1))
    assert gaps(queue) == [(Flag.DEVICE_GAP, 7), (Flag.DEVICE_GAP, 3), (Flag.DEVICE_GAP, 1)]
    assert ledger == {**empty_ledger(), "device_lost": 10, "ticks_lost": 1}


@pytest.mark.parametrize(
    ("away_ns", "lost"),
    [
        (PERIOD_NS, 0),
        (PERIOD_NS * 14 // 10, 0),
        (PERIOD_NS * 16 // 10, 1),
        (PERIOD_NS * 100, 99),
        (0, 0),
        (-(10**12), 0),
    ],
)
def test_a_restart_is_told_with_the_first_sample(away_ns: int, lost: int) -> None:
    """The time since the predecessor's last sample says how many readings nobody took."""
    ledger = {**empty_ledger(), "restart_lost": 1000}
    last = Record.of(9, 0, sample(9, BEGUN_NS - away_ns))
    queue = backlog(ledger, last)
    queue.miss(5, "device_lost")  # of the time that is counted already
    queue.add(sample(10))
    queue.add(sample(11))
    assert gaps(queue) == [(Flag.RESTART_GAP, lost), (0, 0)]
    assert ledger == {**empty_ledger(), "restart_lost": 1000 + lost}


def test_a_restart_adds_to_what_the_device_tells() -> None:
    """Both reasons show in the flags, and the ledger keeps them apart."""
    ledger = empty_ledger()
    last = Record.of(9, 0, sample(9, BEGUN_NS - 4 * PERIOD_NS))
    queue = backlog(ledger, last)
    queue.add(sample(10, flags=Flag.DEVICE_GAP, lost=2))
    assert gaps(queue) == [(Flag.RESTART_GAP | Flag.DEVICE_GAP, 5)]
    assert ledger == {**empty_ledger(), "restart_lost": 3, "device_lost": 2}


def test_a_full_backlog_drops_the_newest_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """What finds no room is counted, with what it had to tell, and told with the next one that
    does."""
    monkeypatch.setattr(backlog_module, "MAX_SAMPLES", 3)
    ledger = empty_ledger()
    queue = backlog(ledger)
    for number in range(1, 6):
        queue.add(sample(number))
    queue.add(sample(6, flags=Flag.DEVICE_GAP, lost=4))
    queue.miss(1, "ticks_lost")
    queue.drop(1)
    queue.add(sample(7))
    queue.drop(2)
    queue.add(sample(8))
    assert queue.first(9)[0].ax == sample(7).ax
    assert gaps(queue) == [(Flag.DEVICE_GAP, 8), (0, 0)]
    assert ledger == {**empty_ledger(), "backlog_lost": 3, "device_lost": 4, "ticks_lost": 1}


def test_a_loss_beyond_32_bits_is_told_as_the_most_there_is() -> None:
    """The ledger has room for all of it."""
    ledger = empty_ledger()
    queue = backlog(ledger)
    queue.add(sample(1))
    queue.miss(2**40, "ticks_lost")
    queue.add(sample(2))
    assert gaps(queue)[1] == (Flag.DEVICE_GAP, MAX_LOST)
    assert ledger["ticks_lost"] == 2**40


steps = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 3)),
    st.tuples(st.just("miss"), st.integers(0, 3)),
    st.tuples(st.just("drop"), st.integers(1, 5)),
)


@given(st.lists(steps, max_size=60))
def test_every_reading_is_in_the_ring_or_in_the_account(script: list[tuple[str, int]]) -> None:
    """In any order of adding, missing and dropping: what came out, with its losses, and what is
    still to be told is what went in; the ledger says the same, and no sample comes twice."""
    ledger, written, readings = empty_ledger(), list[Sample](), 0
    queue = backlog(ledger)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backlog_module, "MAX_SAMPLES", 4)
        for step, count in [*script, ("drop", 4), ("add", 0), ("drop", 1)]:
            if step == "add":
                readings += 1 + count
                queue.add(sample(readings, lost=count, flags=bool(count) * Flag.DEVICE_GAP))
            elif step == "miss":
                readings += count if readings else 0
                queue.miss(count, "ticks_lost")
            else:
                taken = queue.first(count)
                written += taken
                queue.drop(len(taken))
    assert len(written) + sum(taken.lost for taken in written) == readings
    assert len(written) + sum(ledger.values()) == readings
    assert all(bool(taken.lost) == bool(taken.flags) for taken in written)
    values = [taken.ax for taken in written]
    assert values == sorted(set(values))
