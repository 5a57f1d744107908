"""Statistics of the last 10 s, against those of Python's own module."""

import math
import statistics
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.fakes import make_record
from trio_mpu.metrics.window import CHUNK_SAMPLES, NOTHING, WINDOW_S, Moments, Window
from trio_mpu.record import Record
from trio_mpu.sample import Flag

S = 10**9
VALUES = st.lists(st.floats(-2000, 2000), max_size=50)


def records(count: int, period_ns: int = 10**7, first: int = 1, start_ns: int = 0) -> list[Record]:
    """A vibration about gravity, with its numbers and times."""
    return [
        make_record(
            seq, t_ns=start_ns + (seq - first) * period_ns, az=1 + 0.001 * math.sin(seq), gz=seq % 7
        )
        for seq in range(first, first + count)
    ]


def assert_moments(found: Moments, values: Sequence[float]) -> None:
    """All of them."""
    assert found.n == len(values)
    assert found.mean == pytest.approx(statistics.fmean(values))
    assert found.deviation == pytest.approx(statistics.pstdev(values), abs=1e-9)
    square = statistics.fmean(value * value for value in values)
    assert found.rms == pytest.approx(math.sqrt(square))
    assert (found.least, found.greatest) == (min(values), max(values))


@given(VALUES, VALUES)
def test_moments_can_be_merged(one: list[float], two: list[float]) -> None:
    """Those of the parts are those of the whole, also if a part has nothing."""
    merged = Moments.of(one).merged(Moments.of(two))
    if one or two:
        assert_moments(merged, one + two)
    else:
        assert merged == NOTHING


def test_gravity_takes_no_digits_of_a_small_vibration() -> None:
    """10 s at 8,000 Hz, in chunks: a millionth of a g about 1 g is seen to three digits."""
    found = NOTHING
    for begin in range(0, 80_000, CHUNK_SAMPLES):
        angles = range(begin, begin + CHUNK_SAMPLES)
        found = found.merged(Moments.of([1 + 1e-6 * math.sin(angle) for angle in angles]))
    assert found.deviation == pytest.approx(1e-6 / math.sqrt(2), rel=1e-3)


@pytest.mark.parametrize("batch", [1, 7, CHUNK_SAMPLES, 500])
def test_the_statistics_are_of_every_sample(batch: int) -> None:
    """However they come, and also those that have come last."""
    window, all_ = Window(), records(500)
    for begin in range(0, len(all_), batch):
        window.add(all_[begin : begin + batch])
    summary = window.summary(all_[-1].t_ns)
    assert summary is not None
    for place in range(7):
        assert_moments(summary.values[place], [record[3 + place] for record in all_])
    assert_moments(summary.intervals, [10**7] * 499)


@pytest.mark.parametrize("rate_hz", [0.5, 3, 100, 1000])
def test_the_window_has_all_that_came_since_a_reader_was_here_10_s_ago(rate_hz: float) -> None:
    """And at most a second more."""
    window, period_ns = Window(), round(S / rate_hz)
    all_ = records(round(60 * rate_hz), period_ns)
    window.add(all_)
    now_ns = all_[-1].t_ns
    summary = window.summary(now_ns)
    assert summary is not None
    n = summary.values[0].n
    assert sum(now_ns - record.t_ns < WINDOW_S * S for record in all_) <= n
    assert n <= sum(now_ns - record.t_ns < (WINDOW_S + 1) * S for record in all_)


def test_what_is_old_is_forgotten() -> None:
    """When nothing comes, there are no statistics; memory has a bound."""
    window = Window()
    assert window.summary(0) is None
    window.add(records(5))
    assert window.summary((WINDOW_S + 1) * S - 1) is not None
    assert window.summary((WINDOW_S + 1) * S) is None
    window.add(records(10_000, S, first=6, start_ns=S))
    assert len(window._seconds) == WINDOW_S + 1
    assert window._waiting == []


def test_times_with_a_gap_in_between_are_no_intervals() -> None:
    """Neither where the producer noted it, nor where this reader was lapped; rate and jitter are the
    sensor's."""
    one, two, three, four, five = records(5)
    window = Window()
    window.add([one, two, three._replace(flags=int(Flag.DEVICE_GAP), lost=3)])
    window.add([four._replace(seq=9), five._replace(seq=10)])
    summary = window.summary(0)
    assert summary is not None
    assert summary.values[0].n == 5
    assert_moments(summary.intervals, [10**7] * 2)


def test_a_single_sample_has_no_interval() -> None:
    """There is nothing before it."""
    window = Window()
    window.add(records(1))
    summary = window.summary(0)
    assert summary is not None
    assert summary.intervals == NOTHING
