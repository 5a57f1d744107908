"""Any window of time in at most so many points: from the pyramid, of whose windows SQLite makes
larger ones. All here blocks and raises StoreError; call it within one snapshot of the archive.
"""

from typing import Final, NamedTuple

from trio_mpu.sample import AXES
from trio_mpu.store import spans
from trio_mpu.store.archive import Archive
from trio_mpu.store.grid import Grid
from trio_mpu.store.pyramid import LEVELS_S
from trio_mpu.store.schema import SETTLED
from trio_mpu.store.spans import Span

# Bound "windows that points are made of, most".
MAX_WINDOWS: Final = 100_000  # read from a disk and summed in less than a second
_NS_PER_S: Final = 10**9
_AXES: Final = len(AXES)

_START: Final = "start_s * 1000000000"
_SUMS: Final = ", ".join(
    [f"min(min_{axis})" for axis in AXES]
    + [f"sum(mean_{axis} * count)" for axis in AXES]
    + [f"max(max_{axis})" for axis in AXES]
)
_WINDOWS: Final = (
    f"SELECT ({_START} - :start_ns) / :width_ns AS place, sum(count), {_SUMS} FROM pyramid "  # noqa: S608 - of names above
    "WHERE level_s = :level_s AND start_s BETWEEN :first_s AND :last_s "
    f"AND {_START} >= :start_ns AND {_START} < :end_ns "
    "AND session_id IN (SELECT value FROM json_each(:sessions)) GROUP BY place"
)
_GAPS: Final = (
    "SELECT (time_ns + correction_ns - :start_ns) / :width_ns AS place, count(*), coalesce(sum(lost), 0) "
    "FROM gaps JOIN clocks USING (session_id) WHERE chunk_id <= :settled "
    "AND time_ns + correction_ns >= :start_ns AND time_ns + correction_ns < :end_ns GROUP BY place"
)
# Sessions, as a list in JSON, together with what is to be added to their times.
_CLOCKS: Final = (
    "SELECT json_group_array(session_id), correction_ns FROM clocks GROUP BY correction_ns"
)
# Not min(): SQLite stops at the first one. Sessions of another clock may begin late in the table: the
# windows of an hour, which are few and the last to be deleted, say where to look.
_OLDEST: Final = (
    "SELECT start_s FROM pyramid WHERE level_s = :level_s "  # noqa: S608 - of names above
    "AND session_id IN (SELECT value FROM json_each(:sessions)) AND start_s >= ("
    f"SELECT start_s FROM pyramid WHERE level_s = {LEVELS_S[-1]} "
    "AND session_id IN (SELECT value FROM json_each(:sessions)) AND start_s + level_s > ("
    "SELECT start_s FROM pyramid WHERE level_s = :level_s ORDER BY start_s LIMIT 1"
    ") ORDER BY start_s LIMIT 1) ORDER BY start_s LIMIT 1"
)


class Plan(NamedTuple):
    """Windows of `width_ns` from `start_ns` on, made of those of a level."""

    level_s: int
    start_ns: int
    width_ns: int


def oldest_ns(archive: Archive) -> int | None:
    """Return when the oldest window begins, of whatever level; None if there is none."""
    found = [time_ns for level_s in LEVELS_S if (time_ns := _oldest(archive, level_s)) is not None]
    # A window of an hour begins before its first sample: a finer one knows better.
    hour_ns = min(found, default=None)
    if hour_ns is None:
        return None
    return max(time_ns for time_ns in found if time_ns < hour_ns + LEVELS_S[-1] * _NS_PER_S)


def summed(archive: Archive, plan: Plan, to_ns: int) -> tuple[Grid, list[Span]]:
    """Return the windows of a plan that begin before `to_ns`, without the samples that are not in
    the pyramid yet; and those."""
    grid = Grid(plan.start_ns, plan.width_ns)
    ((settled,),) = archive.rows(SETTLED)
    for sessions, correction_ns in archive.rows(_CLOCKS):
        # As the times were recorded.
        start_ns, end_ns = plan.start_ns - correction_ns, to_ns - correction_ns
        for place, samples, *values in archive.rows(
            _WINDOWS,
            start_ns=start_ns,
            width_ns=plan.width_ns,
            level_s=plan.level_s,
            first_s=start_ns // _NS_PER_S,
            last_s=end_ns // _NS_PER_S,
            end_ns=end_ns,
            sessions=sessions,
        ):
            lows, sums, highs = (tuple(values[n * _AXES : (n + 1) * _AXES]) for n in range(3))
            grid.cell(place).add(samples, lows, sums, highs)
    for place, gaps, lost in archive.rows(
        _GAPS, start_ns=plan.start_ns, width_ns=plan.width_ns, settled=settled, end_ns=to_ns
    ):
        grid.cell(place).add_gaps(gaps, lost)
    unsettled = [
        span._replace(first_chunk_id=max(span.first_chunk_id, settled + 1))
        for span in spans.everything(archive)
        if span.last_chunk_id > settled
    ]
    return grid, spans.between(archive, unsettled, plan.start_ns, to_ns)


def level_for(archive: Archive, needed_ns: int, from_ns: int, to_ns: int) -> int:
    """Return the coarsest level whose windows are no longer than `needed_ns`, or 1; a coarser one
    where those would be more than MAX_WINDOWS from `from_ns` to `to_ns`, or have been deleted
    already at the beginning of that."""
    finest_s = max([each for each in LEVELS_S if each * _NS_PER_S <= needed_ns], default=1)
    least_ns = (to_ns - from_ns) / MAX_WINDOWS
    level_s = next(
        (each for each in LEVELS_S if each >= finest_s and each * _NS_PER_S >= least_ns),
        LEVELS_S[-1],
    )
    oldest = {each: _oldest(archive, each) for each in LEVELS_S if each >= level_s}
    for coarser in LEVELS_S:
        if coarser <= level_s:
            continue
        time_ns, best_ns = oldest[coarser], oldest[level_s]
        if time_ns is not None and (
            best_ns is None or best_ns >= max(from_ns, time_ns + coarser * _NS_PER_S)
        ):
            level_s = coarser
    return level_s


def _oldest(archive: Archive, level_s: int) -> int | None:
    return min(
        (
            start_s * _NS_PER_S + correction_ns
            for sessions, correction_ns in archive.rows(_CLOCKS)
            for (start_s,) in archive.rows(_OLDEST, level_s=level_s, sessions=sessions)
        ),
        default=None,
    )
