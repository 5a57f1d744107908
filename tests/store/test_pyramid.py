"""Records → windows."""

from tests.helpers.fakes import make_record
from trio_mpu.record import Record
from trio_mpu.store.pyramid import Window, windows_of

S = 1_000_000_000


def at(seconds: float, ax: float) -> Record:
    """A record of this time and value."""
    return make_record(1, time_ns=int(seconds * S), ax=ax)


def of(level_s: int, windows: list[Window]) -> list[tuple[int, int, float, float, float]]:
    """Start, count, min, mean and max of ax on one level."""
    return [
        (each.start_s, each.samples, each.lows[0], each.means[0], each.highs[0])
        for each in windows
        if each.level_s == level_s
    ]


def test_each_level_has_the_windows_that_the_records_are_in() -> None:
    """A mean is that of the samples, also where windows have different numbers of them."""
    windows = windows_of([at(3598.5, 1), at(3598.75, 3), at(3599, -4), at(3600, 8)])
    assert of(1, windows) == [(3598, 2, 1, 2, 3), (3599, 1, -4, -4, -4), (3600, 1, 8, 8, 8)]
    assert of(60, windows) == [(3540, 3, -4, 0, 3), (3600, 1, 8, 8, 8)]
    assert of(3600, windows) == [(0, 3, -4, 0, 3), (3600, 1, 8, 8, 8)]


def test_all_seven_axes_are_in_a_window() -> None:
    """In the order of the record."""
    record = at(1, 0.5)
    (window, *_) = windows_of([record])
    assert window.lows == window.means == window.highs == tuple(record[3:10])


def test_times_before_1970_have_windows_too() -> None:
    """A clock can be set to anything."""
    assert of(60, windows_of([at(-0.5, 1)])) == [(-60, 1, 1, 1, 1)]


def test_no_records_have_no_windows() -> None:
    """Nothing is made up."""
    assert windows_of([]) == []
