"""The mean of the last 128 samples."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.fake_devices import sample
from trio_mpu.fanout.moving_average import AVERAGE_SAMPLES, Average
from trio_mpu.record import Record, values_of


def records(values: list[float]) -> list[Record]:
    """Records whose first value is given; the others follow from it."""
    return [
        Record.of(seq, 0, sample(0))._replace(ax=value, gz=-value, temp=value + 1)
        for seq, value in enumerate(values, start=1)
    ]


def test_the_values_of_a_record_are_the_seven_measured_ones() -> None:
    """In the order of the axes."""
    assert values_of(Record(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)) == (4, 5, 6, 7, 8, 9, 10)


def test_until_128_there_are_it_is_the_mean_of_all() -> None:
    """The first sample is its own mean, and each further one counts the same."""
    average = Average()
    means = [average.add(record) for record in records([1.0, 3.0, 8.0])]
    assert [mean[0] for mean in means] == [1.0, 2.0, 4.0]
    assert means[-1] == (4.0, 0.5, 1.0, -250.0, 0.125, -4.0, 5.0)


def test_the_129th_sample_pushes_the_first_one_out() -> None:
    """The window is 128 samples wide, not more and not fewer."""
    average = Average(records([128.0] + [0.0] * (AVERAGE_SAMPLES - 2)))
    [full, moved] = [average.add(record)[0] for record in records([0.0, 0.0])]
    assert full == 1.0
    assert moved == 0.0


def test_it_can_begin_with_what_was_before() -> None:
    """Records given at the making count as if they had been added."""
    record_source, [newest] = records([float(n) for n in range(300)]), records([7.0])
    average = Average()
    for record in record_source:
        average.add(record)
    assert Average(record_source).add(newest) == average.add(newest)


@given(st.lists(st.floats(-16, 16, width=32), min_size=1, max_size=400))
def test_it_is_the_exact_mean(values: list[float]) -> None:
    """Against exact arithmetic, at every step, through several windows."""
    average = Average()
    for count, record in enumerate(records(values), start=1):
        mean = average.add(record)[0]
        window = values[max(0, count - AVERAGE_SAMPLES) : count]
        assert mean == pytest.approx(float(sum(map(Fraction, window)) / len(window)), abs=1e-12)


def test_rounding_errors_do_not_pile_up() -> None:
    """After something large has left the window and a further window has passed, nothing of its
    rounding is left in the sums."""
    average = Average(records([1e16] + [0.1] * 3 * AVERAGE_SAMPLES))
    assert average.add(records([0.1])[0])[0] == pytest.approx(0.1, rel=1e-14)
