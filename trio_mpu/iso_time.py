# Pure: no I/O, no clock, no waiting.
"""Times as ISO 8601, in UTC with microseconds, and back; and times as people give them.

Days are counted in years that begin with March, so that a leap day is the last of its year; 400 of
these years always have as many days.
"""

import re
from typing import Final

MAX_MOMENT_NS: Final = 2**33 * 10**9  # in the year 2242: with some to spare, it fits into 64 bits

_FORM: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{6})Z", re.ASCII)
# Up to the year 2286: a number that is longer is of milliseconds or even smaller units.
_UNIX: Final = re.compile(r"(\d{1,10})(?:\.(\d{1,9}))?", re.ASCII)
_DATE: Final = r"(\d{4})-(\d\d)-(\d\d)"
_TIME: Final = r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?"
_OFFSET: Final = r"( ?[+-]| )(\d\d)(?::?(\d\d))?"
_MOMENT: Final = re.compile(f"{_DATE}(?:[T ]{_TIME}(?:Z|{_OFFSET})?)?", re.ASCII)
_DAYS_OF_400_YEARS: Final = 146_097
_DAYS_BEFORE_1970: Final = 719_468  # from 1 March of the year 0
_DAY_US: Final = 86_400 * 10**6


def iso(microseconds: int) -> str:
    """Return a time since 1970, such as 2026-11-27T20:53:36.000123Z."""
    days, rest = divmod(microseconds, _DAY_US)
    year, month, day = _date(days)
    seconds, fraction = divmod(rest, 10**6)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}.{fraction:06d}Z"


def parse(text: str) -> int | None:
    """Return the microseconds since 1970 of a text as `iso` writes it, or None for any other."""
    if not (found := _FORM.fullmatch(text)):
        return None
    year, month, day, hour, minute, second, fraction = map(int, found.groups())
    days = _days(year, month, day)
    time = days * _DAY_US + ((hour * 60 + minute) * 60 + second) * 10**6 + fraction
    # A day or an hour that there is not would be written in another way.
    return time if iso(time) == text else None


def moment(text: str) -> int | None:
    """Return the nanoseconds since 1970 of a time as people and programs give it, or None.

    It may be Unix seconds with up to nine decimals, or ISO 8601: a date, alone or with a time after
    `T` or a blank, which may lack its seconds or have up to nine decimals of them. After that comes
    `Z`, an offset from UTC, or nothing, which is UTC. The `+` of an offset may be a blank: that is
    what becomes of it in the query of a URL.
    """
    if found := _UNIX.fullmatch(text):
        return int(found[1]) * 10**9 + _nanoseconds(found[2])
    if not (found := _MOMENT.fullmatch(text)):
        return None
    year, month, day = map(int, found.groups()[:3])
    hour, minute, second = (int(each or 0) for each in found.groups()[3:6])
    offset_hour, offset_minute = (int(each or 0) for each in found.groups()[8:])
    days = _days(year, month, day)
    if (
        _date(days) != (year, month, day)
        or max(hour, offset_hour) > 23
        or max(minute, second, offset_minute) > 59
    ):
        return None
    minutes = hour * 60 + minute
    offset = offset_hour * 60 + offset_minute
    minutes += offset if "-" in (found[8] or "") else -offset
    return (days * 86_400 + minutes * 60 + second) * 10**9 + _nanoseconds(found[7])


def _nanoseconds(decimals: str | None) -> int:
    return int((decimals or "").ljust(9, "0"))


def _date(days: int) -> tuple[int, int, int]:
    """Return year, month and day of a day since 1970."""
    era, day = divmod(days + _DAYS_BEFORE_1970, _DAYS_OF_400_YEARS)
    year = (day - day // 1460 + day // 36524 - day // (_DAYS_OF_400_YEARS - 1)) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153  # from March on: five months always have 153 days
    year += 400 * era + (month >= 10)
    return year, month - 9 if month >= 10 else month + 3, day - (153 * month + 2) // 5 + 1


def _days(year: int, month: int, day: int) -> int:
    """Return the day since 1970 of a date."""
    year -= month <= 2
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return 365 * year + year // 4 - year // 100 + year // 400 + of_year - _DAYS_BEFORE_1970
