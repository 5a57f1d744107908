"""Times as ISO 8601, against the standard library's."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mpu.iso_time import iso, moment, parse

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


@given(
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),  # noqa: DTZ001 - with an offset below
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
    st.sampled_from("T "),
    st.sampled_from(["auto", "minutes", "seconds", "milliseconds", "microseconds"]),
)
def test_a_moment_is_read_as_the_standard_library_does(
    local: datetime, offset: int, separator: str, timespec: str
) -> None:
    """With any offset, any number of decimals, and also where a URL has made a blank of the `+`."""
    there = timezone(timedelta(minutes=offset))
    text = local.replace(tzinfo=there).isoformat(separator, timespec)
    ns = (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1) * 1000
    assert moment(text) == moment(text.replace("+", " ")) == ns
    assert moment(text[:-6]) == moment(text[:-6] + "Z") == ns + offset * 60 * 10**9
    assert moment(text[:10]) == moment(f"{text[:10]}T00:00:00.000000000+00:00")


@given(st.integers(0, 10**19 - 1), st.integers(0, 9))
def test_unix_seconds_are_a_moment_too(ns: int, decimals: int) -> None:
    """To the nanosecond; what is not given is zero."""
    seconds, rest = divmod(ns, 10**9)
    fraction = f"{rest:09d}"[:decimals]
    text = f"{seconds}.{fraction}" if decimals else f"{seconds}"
    assert moment(text) == seconds * 10**9 + int(fraction.ljust(9, "0"))


@given(st.integers(-(10**16), 10**17))
def test_what_is_written_is_a_moment(microseconds: int) -> None:
    """The times in the server's own answers."""
    assert moment(iso(microseconds)) == microseconds * 1000


NOON = 1_795_780_800 * 10**9  # 2026-11-27T12:00Z


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2026-11-27T12:00", NOON),
        ("2026-11-27 12:00Z", NOON),
        ("2026-11-27T13:00:00+0100", NOON),
        ("2026-11-27T13:00:00+01", NOON),
        ("2026-11-27 13:00:00 +01:00", NOON),
        ("2026-11-27 10:30 -0130", NOON),
        ("2026-11-27T13:00:00 01:00", NOON),
        ("2026-11-27T12:00:00.123456789Z", NOON + 123_456_789),
        ("2026-11-27T12:00:00.5", NOON + 500_000_000),
        ("2024-02-29", 1_709_164_800 * 10**9),
        ("1969-12-31T23:59:59.9Z", -100_000_000),
        ("0", 0),
        ("1795780800", NOON),
        ("1795780800.000000001", NOON + 1),
    ],
)
def test_moments_have_many_forms(text: str, ns: int) -> None:
    """Those of date(1), git, databases and URLs."""
    assert moment(text) == ns


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "now", "-1", "+1", "1.", ".5", "1e9", "1,5", "1_0", "٣", "1.0000000001"),
        "1795780800123",  # milliseconds
        *("2026-11", "2026-11-27T", "2026-11-27Z", "2026-11-27T12", "2026-11-27t12:00"),
        *("2026-02-29", "2026-13-01", "2026-00-01", "2026-01-00", "2026-01-32", "26-01-01"),
        *("2026-11-27T24:00", "2026-11-27T12:60", "2026-11-27T12:00:60", "2026-11-27T12:00:00."),
        *("2026-11-27T12:00+24:00", "2026-11-27T12:00+01:60", "2026-11-27T12:00+1:00"),
        *("2026-11-27T12:00 UTC", "2026-11-27T12:00Z+01:00", "2026-11-27T12:00:00,5"),
        *("2026-11-27T12:00Z\n", " 2026-11-27", "2026-11-27T12:00:00.1234567890Z"),
    ],
)
def test_any_other_text_is_no_moment(text: str) -> None:
    """Nothing is guessed, and no day or hour that does not exist is counted on."""
    assert moment(text) is None
