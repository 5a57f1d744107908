# Pure: no I/O, no clock, no waiting.
"""The name under which a browser saves an answer of `/history`.

It says which time was asked for, in UTC and without characters that a file system refuses: its
beginning and its length where both are known before the answer is read. Otherwise it says what bounds
it: the sample that it is after, or the time that it goes up to. It depends on nothing but the request
and the answer's end, so that the parts of one file, and the files of all workers, have one name.
"""

from typing import Final

from trio_mpu.formats import event_id
from trio_mpu.history.asked import History
from trio_mpu.history.exports import EXPORTS
from trio_mpu.iso_time import iso

_NS_PER_S: Final = 10**9


def file_name(asked: History, end_ns: int | None) -> str:
    """Return the name; `end_ns` is when the answer ends: `to`, or the newest sample, if there is
    one."""
    export = EXPORTS.get(asked.format)
    suffix = asked.format if export is None else export.suffix
    begin_ns = None if export is not None else _begin_ns(asked, end_ns)
    # A limit that counts from the oldest sample ends the answer at a time that nobody knows yet.
    known_end_ns = None if asked.limit is not None and asked.oldest_first else end_ns
    parts = ["trio-mpu"]
    if begin_ns is not None:
        parts.append(_moment(begin_ns))
        if known_end_ns is not None:
            parts.append(_length(max(0, known_end_ns - begin_ns)))
    else:
        if asked.since is not None:
            parts.append(f"after-{event_id(*asked.since)}")
        if known_end_ns is not None:
            parts.append(f"until-{_moment(known_end_ns)}")
    return f"{'_'.join(parts)}.{suffix}"


def _begin_ns(asked: History, end_ns: int | None) -> int | None:
    """Return when the answer begins; None if only reading it can tell."""
    if asked.since is not None:
        return None
    if asked.from_ns is not None:
        return asked.from_ns or None  # from 0 on is all that there is, which begins later
    if asked.seconds is None or asked.limit is not None or end_ns is None:
        return None
    return end_ns - round(asked.seconds * _NS_PER_S)


def _moment(time_ns: int) -> str:
    """Return a time such as 2026-11-30T15-43-05Z, cut to the second."""
    return iso(time_ns // 1000)[: len("2026-11-30T15:43:05")].replace(":", "-") + "Z"


def _length(length_ns: int) -> str:
    """Return a length of time in seconds, without a fraction where there is none."""
    return f"{length_ns / _NS_PER_S:.3f}".rstrip("0").rstrip(".") + "s"
