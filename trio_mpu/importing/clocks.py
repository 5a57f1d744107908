# Pure: no I/O, no clock, no waiting.
"""The time of a row, in nanoseconds, from the cells that have it.

Numbers and times of day count from wherever the log does; dates from 1970, in UTC.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final, Protocol

from trio_mpu import iso_time
from trio_mpu.errors import DeviceError
from trio_mpu.importing.plan import NUMBER_NS, RATE, Time
from trio_mpu.sensors.replay.numbers import is_rounded, number, shown

_CLOCK: Final = r"(?P<time>\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d{1,9}))?"
_OFFSET: Final = r"(?: ?(?:(?P<utc>Z)|(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d)?))?"
_DATES: Final = {
    "iso": r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)[T ]",
    "mdy": r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4}) ",
    "dmy": r"(?P<day>\d{1,2})/(?P<month>\d{1,2})/(?P<year>\d{4}) ",
}
_EXAMPLES: Final = {
    "iso": "2026-11-30T09:05:00.125+01:00",
    "mdy": "11/30/2026 09:05:00.12",
    "dmy": "30/11/2026 09:05:00.12",
    "hms": "09:05:00.125",
}
MAX_TIME_S: Final = 2**33  # the year 2242; what `replay:` reads
DAY_NS: Final = 86_400 * 10**9
# After midnight a time of day begins anew. A fall that would be a longer step is none of that.
MIDNIGHT_NS: Final = 10 * 10**9  # arbitrary


class Clock(Protocol):
    """Reads times, row after row."""

    assumed: str

    def pass_row(self) -> None:
        """Take note of the next row, before it is looked at."""

    def read(self, cells: Sequence[str], mark: str) -> int:
        """Return the row's time in nanoseconds. `mark` is the decimal mark. Raises DeviceError."""


def clock_of(time: Time) -> Clock:
    """Return what reads times in this form."""
    if time.form in NUMBER_NS:
        return Numbers(NUMBER_NS[time.form])
    if time.form == RATE:
        return Counted(time.rate_hz)
    return TimesOfDay() if time.form == "hms" else Dates(time.form)


def start_ns(text: str) -> int | None:
    """Return the nanoseconds since 1970 of a time in ISO 8601, or None for any other text."""
    found = _pattern("iso").fullmatch(text)
    return None if found is None else _since_1970(found)


class _Clock:
    assumed = ""  # what the texts do not say, in the summary's words

    def pass_row(self) -> None:
        pass


class Numbers(_Clock):
    """Seconds, or thousandths, millionths or billionths of them."""

    def __init__(self, unit_ns: int) -> None:
        self._unit_ns = unit_ns

    def read(self, cells: Sequence[str], mark: str) -> int:
        """As in Clock."""
        value = number("time", cells[0], mark)
        if is_rounded(value, cells[0]):
            raise DeviceError(f"time is {shown(cells[0])}: a spreadsheet has rounded it")
        time_ns = value * self._unit_ns
        if not 0 <= time_ns < MAX_TIME_S * 10**9:
            raise DeviceError(f"time is {shown(cells[0])}, which is out of range")
        return round(time_ns)


class Counted(_Clock):
    """No times: a row each period, also where it can't be read."""

    assumed = "the log has no times: its rows are one period apart"

    def __init__(self, rate_hz: float) -> None:
        self._period_ns = 10**9 / Fraction(Decimal(str(rate_hz)))
        self._row = -1

    def pass_row(self) -> None:
        """As in Clock."""
        self._row += 1

    def read(self, cells: Sequence[str], mark: str) -> int:  # noqa: ARG002 - as in Clock
        """As in Clock."""
        return round(self._row * self._period_ns)


class Dates(_Clock):
    """A date and a time, in one cell or two."""

    def __init__(self, form: str) -> None:
        self._form = form
        self._has_offset: bool | None = None

    def read(self, cells: Sequence[str], mark: str) -> int:  # noqa: ARG002 - as in Clock
        """As in Clock."""
        text = " ".join(cells).strip()
        found = _pattern(self._form).fullmatch(text)
        time_ns = None if found is None else _since_1970(found)
        if found is None or time_ns is None or not 0 <= time_ns < MAX_TIME_S * 10**9:
            raise DeviceError(f"time is {shown(text)}; wanted: {_EXAMPLES[self._form]}")
        has_offset = bool(found["utc"] or found["sign"])
        if self._has_offset is None:
            self._has_offset = has_offset
            self.assumed = "" if has_offset else "the times have no offset: taken as UTC"
        elif self._has_offset != has_offset:
            raise DeviceError(f"time is {shown(text)}: only some of the times have an offset")
        return time_ns


class TimesOfDay(_Clock):
    """Times of day, without a date: they count from the midnight before the first one."""

    assumed = "the times have no date: they count from the first midnight"

    def __init__(self) -> None:
        self._midnight_ns = 0
        self._last_ns = 0

    def read(self, cells: Sequence[str], mark: str) -> int:  # noqa: ARG002 - as in Clock
        """As in Clock."""
        text = cells[0].strip()
        found = re.fullmatch(_CLOCK, text, re.ASCII)
        # Any day would do.
        day_us = iso_time.parse(f"1970-01-01T{found['time']}.000000Z") if found else None
        if found is None or day_us is None:
            raise DeviceError(f"time is {shown(text)}; wanted: {_EXAMPLES['hms']}")
        time_ns = self._midnight_ns + day_us * 1000 + _fraction_ns(found)
        if time_ns < self._last_ns and time_ns + DAY_NS - self._last_ns <= MIDNIGHT_NS:
            self._midnight_ns += DAY_NS
            time_ns += DAY_NS
        self._last_ns = time_ns
        return time_ns


def _pattern(form: str) -> re.Pattern[str]:
    return re.compile(_DATES[form] + _CLOCK + _OFFSET, re.ASCII)


def _since_1970(found: re.Match[str]) -> int | None:
    """Return the nanoseconds since 1970, or None for a day or an hour that there is not."""
    year, month, day = (int(found[part]) for part in ("year", "month", "day"))
    time_us = iso_time.parse(f"{year:04d}-{month:02d}-{day:02d}T{found['time']}.000000Z")
    hours, minutes = int(found["hours"] or 0), int(found["minutes"] or 0)
    if time_us is None or hours > 23 or minutes > 59:
        return None
    offset_s = (hours * 60 + minutes) * 60
    if found["sign"] == "-":
        offset_s = -offset_s
    return time_us * 1000 + _fraction_ns(found) - offset_s * 10**9


def _fraction_ns(found: re.Match[str]) -> int:
    return int((found["fraction"] or "").ljust(9, "0"))
