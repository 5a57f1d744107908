"""What was understood of a log, for the person who must confirm it by reading: lines of text."""

from collections.abc import Iterator, Mapping
from typing import Final

from trio_mpu import iso_time
from trio_mpu.importing.checks import Rest
from trio_mpu.importing.layout import SEPARATORS
from trio_mpu.importing.log import Log
from trio_mpu.importing.plan import Plan, Quantity, Time
from trio_mpu.sensors.replay.numbers import shown

_TIME_FORMS: Final = {
    "iso": "ISO 8601",
    "mdy": "month/day/year",
    "dmy": "day/month/year",
    "hms": "time of day",
}
_NAMES: Final = {"accel": "accelerometer", "gyro": "gyroscope", "temp": "temperature"}


def lines_of(
    name: str,
    plan: Plan,
    log: Log,
    period_ns: int,
    gaps: Mapping[int, int],
    rest: Rest,
    offset_ns: int,
) -> Iterator[str]:
    """Yield the summary's lines. `gaps` is as in gaps_of, and `offset_ns` what is added to a time
    of the log for a time since 1970."""
    yield f"{name}: {log.lines:,} lines, {_layout(log)}"
    yield f"  time: {_time(plan.time, log)}"
    for key, quantity in (("accel", plan.accel), ("gyro", plan.gyro), ("temp", plan.temp)):
        yield f"  {_NAMES[key]}: {_quantity(quantity, log)}"
    unused = [each for each in range(log.layout.width) if each not in log.layout.used]
    if unused:
        yield f"  columns not used: {', '.join(_column(log, each) for each in unused)}"
    if log.headers:
        yield f"  the header stands again in line {', '.join(map(str, log.headers[:5]))}: a gap each"
    yield f"  {_rows(log, period_ns)}"
    yield f"  {_span(log, offset_ns)}"
    if log.clock.assumed:
        yield f"  {log.clock.assumed}"
    for first, count in log.left_out.values():
        yield f"  left out: {count:,}, the first in line {first.line}: {first.reason}"
    yield f"  {_gaps(log, gaps, period_ns)}"
    yield f"  {_rest(rest, plan)}"


def _layout(log: Log) -> str:
    layout = log.layout
    mark = "decimal commas" if layout.mark == "," else "decimal points"
    header = f"header in line {layout.header}" if layout.header_text else "no header"
    if layout.labelled:
        header = "a name in each cell"
    before = layout.header - bool(layout.header_text)
    text = f"separated by {SEPARATORS[layout.separator]}, {mark}, {header}"
    text += f", lines before it: {before}" if before > 0 else ""
    return text + (f", comments: {log.comments:,}" if log.comments else "")


def _time(time: Time, log: Log) -> str:
    if not time.columns:
        return f"none, {time.rate_hz:g} rows a second"
    return f"{_TIME_FORMS.get(time.form, time.form)}, {_columns(time.columns, log)}"


def _quantity(quantity: Quantity, log: Log) -> str:
    if not quantity.columns:
        return "none in the log: 0 is written"
    return f"{quantity.unit.name}, {_columns(quantity.columns, log)}"


def _columns(columns: tuple[str, ...], log: Log) -> str:
    return ", ".join(_column(log, log.layout.places[column]) for column in columns)


def _column(log: Log, place: int) -> str:
    names = log.layout.names
    return f"{place + 1} {shown(names[place])}" if names else f"column {place + 1}"


def _rows(log: Log, period_ns: int) -> str:
    count = len(log.timeline)
    return f"{count:,} samples, {1e9 / period_ns:.6g} a second (median)"


def _span(log: Log, offset_ns: int) -> str:
    first_ns, last_ns = log.timeline.times_ns[0], log.timeline.times_ns[-1]
    begin, end = (iso_time.iso((each + offset_ns) // 1000) for each in (first_ns, last_ns))
    date = "" if first_ns + offset_ns >= _A_YEAR_NS else " (no date in the log: see --start)"
    return f"from {begin} to {end}, {(last_ns - first_ns) / 1e9:,.6g} s{date}"


_A_YEAR_NS: Final = 366 * 86_400 * 10**9  # times before 1971 count from another day than 1970-01-01


def _gaps(log: Log, gaps: Mapping[int, int], period_ns: int) -> str:
    if not gaps:
        return "no gaps"
    row, lost = max(gaps.items(), key=lambda each: each[1])
    return (
        f"gaps: {len(gaps):,}, samples missing in them: {sum(gaps.values()):,}; the longest, "
        f"{lost:,}, before line {log.timeline.lines[row]}"
        f" ({lost * period_ns / 1e9:.4g} s)"
    )


def _rest(rest: Rest, plan: Plan) -> str:
    where = f"lines {rest.first_line} to {rest.last_line}"
    kind = "at rest" if rest.is_still else "never at rest; where it moves least"
    rate = f", {rest.rate_dps:.3g} °/s" if plan.gyro.columns else ""
    return f"{kind} ({where}): {rest.gravity_g:.4g} g{rate}"
