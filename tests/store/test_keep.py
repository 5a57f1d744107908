"""How much is kept."""

import pytest

from tests.helpers.fake_devices import one_line
from trio_mpu.errors import UsageError
from trio_mpu.store.keep import Keep, Oldest, parse_keep, surplus

S = 10**9


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        ("", Keep()),
        ("2GB", Keep(2 * 10**9)),
        ("0.5gb", Keep(5 * 10**8)),
        ("32MB", Keep(32 * 10**6)),
        ("30d", Keep(None, 30 * 86_400 * S)),
        ("2GB,30d", Keep(2 * 10**9, 30 * 86_400 * S)),
        ("36h, 1TB", Keep(10**12, 36 * 3600 * S)),
    ],
)
def test_a_size_an_age_or_both(text: str, keep: Keep) -> None:
    """In any order; nothing means everything is kept."""
    assert parse_keep(text) == keep


@pytest.mark.parametrize(
    "text", ["2", "GB", "2XB", "-1d", "0d", "1d,2d", "2GB,3GB", "31MB", "0GB", "2 GB", "1D", "∞d"]
)
def test_anything_else_is_refused_with_one_line(text: str) -> None:
    """It says what would be right."""
    with pytest.raises(UsageError, match="--keep: ") as caught:
        parse_keep(text)
    one_line(caught.value)


OLDEST = [Oldest(time_s * S, 10) for time_s in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("keep", "gone"),
    [
        (Keep(), 0),
        (Keep(size_bytes=100), 0),
        (Keep(size_bytes=99), 1),
        (Keep(size_bytes=80), 2),
        (Keep(size_bytes=0), 4),
        (Keep(age_ns=10 * S), 0),
        (Keep(age_ns=9 * S - 1), 1),
        (Keep(age_ns=7 * S), 2),
        (Keep(80, 6 * S), 3),
        (Keep(70, 9 * S), 3),
    ],
)
def test_the_oldest_go_until_both_bounds_are_kept(keep: Keep, gone: int) -> None:
    """And not one more."""
    assert surplus(keep, 10 * S, 100, OLDEST) == gone
