"""The cells of a time → nanoseconds."""

import re

import pytest

from trio_mpu.errors import DeviceError
from trio_mpu.importing.clocks import Clock, clock_of, start_ns
from trio_mpu.importing.plan import Time

DAY_S = 86_400
AT = 1_714_731_753  # 2024-05-03T10:22:33Z


def clock(form: str, rate_hz: float = 0.0) -> Clock:
    return clock_of(Time(form, ("1",), rate_hz))


@pytest.mark.parametrize(
    ("form", "cell", "mark", "expected"),
    [
        ("s", "12.345678901", ".", 12_345_678_901),
        ("s", "12,5", ",", 12_500_000_000),
        ("s", "1.2e-3", ".", 1_200_000),
        ("s", "0", ".", 0),
        ("ms", "1714731753000.5", ".", AT * 10**9 + 500_000),
        ("us", "17", ".", 17_000),
        ("ns", "1403636579758555392", ".", 1_403_636_579_758_555_392),
        ("ns", "1.403636579758555392e+18", ".", 1_403_636_579_758_555_392),
    ],
)
def test_a_number_is_exact(form: str, cell: str, mark: str, expected: int) -> None:
    """To the nanosecond, whatever a float would make of it."""
    assert clock(form).read([cell], mark) == expected


@pytest.mark.parametrize(
    ("form", "cell", "problem"),
    [
        ("s", "-1", "out of range"),
        ("s", "8589934592", "out of range"),
        ("s", "x", "not a number"),
        ("s", "nan", "is empty"),
        ("s", "1,5", "not a number"),
        ("ns", "1.4036E+18", "a spreadsheet has rounded it"),
        ("iso", "2024-05-03", "wanted: 2026-11-30T09:05:00"),
        ("iso", "2024-02-30T00:00:00Z", "wanted: "),
        ("iso", "2024-05-03T24:00:00Z", "wanted: "),
        ("iso", "2024-05-03T10:22:33+24:00", "wanted: "),
        ("iso", "2024-05-03T10:22:33+01:60", "wanted: "),
        ("iso", "1969-12-31T23:59:59Z", "wanted: "),
        ("iso", "2400-01-01T00:00:00Z", "wanted: "),
        ("mdy", "13/05/2024 10:22:33", "wanted: 11/30/2026"),
        ("dmy", "05/13/2024 10:22:33", "wanted: 30/11/2026"),
        ("hms", "24:00:00", "wanted: 09:05:00.125"),
        ("hms", "1:2:3", "wanted: 09:05:00.125"),
    ],
)
def test_another_text_is_refused(form: str, cell: str, problem: str) -> None:
    """With an example of what is wanted."""
    with pytest.raises(DeviceError, match=re.escape(problem)):
        clock(form).read([cell], ".")


@pytest.mark.parametrize(
    ("form", "cells", "seconds"),
    [
        ("iso", ["2024-05-03T10:22:33Z"], 0),
        ("iso", [" 2024-05-03 10:22:33.250 "], 0.25),
        ("iso", ["2024-05-03T12:22:33,25+02:00"], 0.25),
        ("iso", ["2024-05-03T12:22:33 +0200"], 0),
        ("iso", ["2024-05-03T04:52:33-05:30"], 0),
        ("iso", ["2024-05-03T08:22:33-02"], 0),
        ("iso", ["2024-05-03", "10:22:33.000001"], 1e-6),
        ("mdy", ["5/3/2024", "10:22:33.5"], 0.5),
        ("dmy", ["03/05/2024 10:22:33.5"], 0.5),
    ],
)
def test_a_date_is_in_utc(form: str, cells: list[str], seconds: float) -> None:
    """Whatever its offset is."""
    assert clock(form).read(cells, ".") == AT * 10**9 + round(seconds * 1e9)


def test_a_missing_offset_is_said_and_must_be_missing_everywhere() -> None:
    """Half of the rows an hour off would look like a gap."""
    dates = clock("iso")
    dates.read(["2024-05-03T10:22:33Z"], ".")
    assert dates.assumed == ""
    with pytest.raises(DeviceError, match="only some of the times have an offset"):
        dates.read(["2024-05-03T10:22:34"], ".")
    dates = clock("iso")
    dates.read(["2024-05-03T10:22:33"], ".")
    assert "taken as UTC" in dates.assumed


def test_a_time_of_day_goes_on_after_midnight() -> None:
    """Twice, too; and only if that is the next moment."""
    times = clock("hms")
    read = [times.read([each], ".") for each in ("23:59:58.5", "00:00:01", "12:00:00")]
    assert read == [(DAY_S - 1.5) * 1e9, (DAY_S + 1) * 1e9, 1.5 * DAY_S * 1e9]
    assert times.read(["11:00:00"], ".") == (DAY_S + 11 * 3600) * 10**9
    read = [times.read([each], ".") for each in ("23:59:59", "00:00:00")]
    assert read == [(2 * DAY_S - 1) * 10**9, 2 * DAY_S * 10**9]
    assert "no date" in times.assumed


def test_rows_without_times_are_a_period_apart() -> None:
    """Also those that are not looked at."""
    counted = clock("rate", 3.0)
    for expected in (0, 333_333_333, 666_666_667, 1_000_000_000):
        counted.pass_row()
        assert counted.read([], ".") == expected
    clock("s").pass_row()  # means nothing there


def test_the_start_is_a_time_in_iso_8601() -> None:
    """And no other text."""
    assert start_ns("2024-05-03T12:22:33+02:00") == AT * 10**9
    assert start_ns("yesterday") is None
