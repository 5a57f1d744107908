"""Times as ISO 8601, against the standard library's."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mpu.iso_time import iso, parse

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)))  # noqa: DTZ001 - UTC is meant
def test_every_time_is_written_and_read_as_the_standard_library_does(moment: datetime) -> None:
    """Leap days and the ends of centuries too."""
    microseconds = (moment.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    assert iso(microseconds) == moment.isoformat(timespec="microseconds") + "Z"
    assert parse(iso(microseconds)) == microseconds


def test_every_day_of_four_centuries_is_right() -> None:
    """All of them, so that no kind of leap year is left out."""
    for days in range(-146_097 // 2, 146_097 // 2):
        date = (EPOCH + timedelta(days=days)).date().isoformat()
        assert iso(days * 86_400 * 10**6) == f"{date}T00:00:00.000000Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-02-29T00:00:00.000000Z",
        "2026-13-01T00:00:00.000000Z",
        "2026-00-01T00:00:00.000000Z",
        "2026-01-00T00:00:00.000000Z",
        "2026-01-01T24:00:00.000000Z",
        "2026-01-01T00:60:00.000000Z",
        "2026-01-01T00:00:60.000000Z",
        "2026-01-01T00:00:00.000Z",
        "2026-01-01T00:00:00.000000",
        "2026-01-01T00:00:00.000000+01:00",
    ],
)
def test_any_other_text_is_no_time(text: str) -> None:
    """Days and hours that do not exist are not counted on."""
    assert parse(text) is None
