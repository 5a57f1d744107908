"""Rows in the order of time, and the gaps between them."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mpu.errors import ImportRefused
from trio_mpu.importing import timeline
from trio_mpu.importing.rows import Reading, Refused
from trio_mpu.importing.timeline import Timeline, gaps_of, period_ns
from trio_mpu.sample import MAX_LOST

LEFT_OUT = -1
HEADER = -2


def filled(times: Sequence[int]) -> tuple[Timeline, list[Refused]]:
    """A timeline of rows with these times, a line each, and what it refused."""
    found, refused = Timeline(), []
    for line, time in enumerate(times, 1):
        if time == LEFT_OUT:
            found.leave_out()
        elif time == HEADER:
            found.note_header(line)
        else:
            refused += found.add(Reading(line, time, (float(line),) * 7))
    found.finish()
    return found, refused


@pytest.mark.parametrize(
    ("times", "kept", "refused", "gaps"),
    [
        ([0, 10, 20, 30], [0, 10, 20, 30], [], {}),
        ([0, 10, 20, 50, 60], [0, 10, 20, 50, 60], [], {3: 2}),
        ([0, 10, 24, 34], [0, 10, 24, 34], [], {}),
        ([0, 10, 26, 36], [0, 10, 26, 36], [], {2: 1}),
        ([0, 10, LEFT_OUT, 30, 40], [0, 10, 30, 40], [], {2: 1}),
        ([LEFT_OUT, LEFT_OUT, 0, 10], [0, 10], [], {0: 2}),
        ([0, 10, 20, LEFT_OUT], [0, 10, 20], [], {}),
        ([0, 10, 10, 20], [0, 10, 20], [3], {2: 1}),
        ([0, 10, 990, 30, 40], [0, 10, 40], [3, 4], {2: 2}),
        ([990, 10, 20, 30], [20, 30], [1, 2], {0: 2}),
        ([0, 10, 20, 5, 30], [0, 10, 20, 30], [4], {3: 1}),
        ([0, 10, 20, 5, 30, 40, 7, 50], [0, 10, 20, 30, 40, 50], [4, 7], {3: 1, 5: 1}),
        ([0, 10, 30, 20, 40, 50], [0, 10, 40, 50], [3, 4], {2: 2}),
        ([0, 10, LEFT_OUT, 990, LEFT_OUT, 50, 60, 70], [0, 10, 60, 70], [4, 6], {2: 4}),
        ([0, 10, HEADER, 20, 30], [0, 10, 20, 30], [], {2: 0}),
        ([0, 10, HEADER, 50, 60], [0, 10, 50, 60], [], {2: 3}),
        ([0, HEADER, HEADER, 10, HEADER, 20, HEADER], [0, 10, 20], [], {1: 0, 2: 0}),
        ([0, 10, 20, 990, 30, 20], [0, 10, 20], [4, 5, 6], {}),
    ],
)
def test_times_rise_and_gaps_are_counted(
    times: list[int], kept: list[int], refused: list[int], gaps: dict[int, int]
) -> None:
    """What contradicts its neighbour goes with it; what is left out is missing."""
    found, out = filled(times)
    assert list(found.times_ns) == kept
    assert [each.line for each in out] == refused
    assert [*found.values[::7]] == [float(line) for line in found.lines]
    assert gaps_of(found, 10, by_time=True) == gaps


def test_the_reasons_say_how_far_off_a_time_is() -> None:
    """And of two that contradict each other, both get one."""
    _, out = filled([0, 10**7, 10**10, 2 * 10**7, 2 * 10**7 + 1, 2 * 10**7 + 1])
    assert [each.reason for each in out] == [
        "its time is 9.98 s after that of the row below",
        "its time is 9.98 s before that of the row above",
        "it has the time of the row before it",
    ]


@pytest.mark.parametrize(
    "times", [[0, 10, 20, 0, 10], [50, 60, 70, 80, 10, 20], [9, 99, 100, 1, 2]]
)
def test_times_that_go_back_and_stay_there_are_another_log(times: list[int]) -> None:
    """It is refused with its line."""
    with pytest.raises(ImportRefused, match=re.escape("the times go back by")) as caught:
        filled(times)
    assert str(caught.value).startswith(f"line {len(times)}: ")


def test_without_a_rate_only_rows_that_were_left_out_are_gaps() -> None:
    """Long steps mean nothing then."""
    found, _ = filled([0, 10, LEFT_OUT, 500, 510, 900])
    assert gaps_of(found, period_ns(found), by_time=False) == {2: 1}
    assert period_ns(found) == 10


def test_a_gap_is_as_long_as_can_be_written() -> None:
    """The ring has 32 bits for it."""
    found, _ = filled([0, 1, 10**12])
    assert gaps_of(found, 1, by_time=True) == {2: MAX_LOST}


def test_more_rows_than_memory_should_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the number of them."""
    monkeypatch.setattr(timeline, "MAX_ROWS", 3)
    filled([0, 1, 2])
    with pytest.raises(ImportRefused, match="more than 3 rows"):
        filled([0, 1, 2, 3])


@given(st.lists(st.integers(-2, 30), max_size=40))
def test_each_row_is_kept_or_refused_and_times_always_rise(times: list[int]) -> None:
    """Whatever the times are; all that is missing between two rows is counted."""
    try:
        found, out = filled(times)
    except ImportRefused:
        return
    kept = list(found.times_ns)
    assert kept == sorted(set(kept))
    rows = [line for line, time in enumerate(times, 1) if time >= 0]
    assert sorted([*found.lines, *(each.line for each in out)]) == rows
    before = 0
    for row, line in enumerate(found.lines):
        between = [time for time in times[before : line - 1] if time != HEADER]
        assert found.missed.get(row, 0) == len(between)
        before = line
