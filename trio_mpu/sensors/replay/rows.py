# Pure: no I/O, no clock, no waiting.
"""One row of a recording: from the cells of whatever form it has to a sample and its place."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from trio_mpu.errors import DeviceError
from trio_mpu.formats import SI_FACTORS, SI_NAMES, parse_event_id
from trio_mpu.sample import AXES, MAX_LOST, Sample, checked
from trio_mpu.sensors.replay.numbers import flag_names, flags_of, is_empty, number, time_ns, whole

CLOCKS: Final = ("t_ns", "time")  # the columns that have a row's time; the first is the better one
WANTED: Final = f"seq, t_ns or time, {', '.join(AXES)}, flags"
_SI_NAMES: Final = dict(zip(AXES, SI_NAMES, strict=True))
# Decimals, so that 156.9064 m/s² is 16 g and no more, which would be out of range.
_SI_FACTORS: Final = dict(zip(AXES, (Decimal(repr(f)) for f in SI_FACTORS), strict=True))

Cells = Mapping[str, Any]


class Line(NamedTuple):
    """A line of a text file. `ended` is False if its end is missing: it may have been cut."""

    number: int
    text: str
    ended: bool = True


class Recorded(NamedTuple):
    """What is known of the sensor from which samples were recorded. `calibration` is the id of the
    calibration that they were corrected with; empty: none, or unknown."""

    period_ns: int
    source: str
    chip: str = ""
    calibration: str = ""

    def __str__(self) -> str:
        """Return what was recorded, for people; empty if that is unknown."""
        text = f"recorded from {self.source}" + (f" ({self.chip})" if self.chip else "")
        # It will be in the ring's header and in JSON.
        return text if self.source and text.isprintable() else ""


class Found(NamedTuple):
    """What stands at a place of a recording: a row's cells, or why they can't be read. With
    `begins`, a header stands right before it."""

    place: str
    cells: Cells | None
    problem: str = ""
    begins: bool = False


class Row(NamedTuple):
    """A sample with its number and its ring, if that is known. The sample's `t_ns` is that of the
    recording. `adds` is True if its `lost` does not include missing numbers, and `begins` if it is
    the first row of a recording. `recorded` is None if it is that of the row before."""

    seq: int
    generation: int | None
    sample: Sample
    adds: bool
    begins: bool = False
    recorded: Recorded | None = None

    def missing_after(self, seq: int) -> int:
        """Return how many readings are missing between the row numbered `seq` and this one."""
        skipped = max(0, self.seq - seq - 1)
        lost = self.sample.lost
        return lost + skipped if self.adds else max(lost, skipped)


class Outside(NamedTuple):
    """A row whose time, if it can be read, is outside of those that are to be played."""

    time_ns: int | None


class Unreadable(DeviceError):
    """A part of a recording, with so many samples, can't be read."""

    def __init__(self, message: str, samples: int = 1) -> None:
        super().__init__(message)
        self.samples = samples


Played = Row | Outside | Unreadable


def lacking(names: Collection[str]) -> list[str]:
    """Return which of the columns that a recording must have are not among `names`. A value may
    be there in SI units instead.

    Many loggers number their rows and call an axis `ax`, in m/s² and rad/s. With `flags`, which are
    names or nothing, the file is ours; and without them a simulated sample would pass as measured.
    """
    missing = [
        name
        for name in ("seq", *AXES, "flags")
        if name not in names and _SI_NAMES.get(name) not in names
    ]
    if not any(clock in names for clock in CLOCKS):
        missing.insert(0, "t_ns")
    return missing


def flattened(cells: Cells) -> Cells:
    """Return the cells of a row for those of an object of the stream, which has its values below
    `sample`; others as they are."""
    values = cells.get("sample")
    return {**cells, **values} if isinstance(values, dict) else cells


def row_of(found: Found, clock: str, mark: str = ".") -> Row:
    """Return the row that was found. Raises DeviceError, which says where and what is wrong."""
    if found.cells is None:
        raise DeviceError(f"{found.place}: {found.problem}")
    cells = flattened(found.cells)
    if missing := [name for name in (clock, *lacking(cells)) if name not in cells]:
        raise DeviceError(f"{found.place}: it has no {missing[0]}")
    try:
        seq = whole("seq", cells["seq"], 2**64, mark)
        if clock == "time":
            t_ns = time_ns(cells["time"], mark)
        else:
            t_ns = whole("t_ns", cells["t_ns"], 2**63, mark)
        values = {axis: _value(axis, cells, mark) for axis in AXES}
        flags = flags_of(flag_names(cells.get("flags")))
        lost, adds = _lost(cells, mark)
        sample = checked(Sample(t_ns, **values, flags=flags, lost=min(lost, MAX_LOST)))
    except DeviceError as error:
        raise DeviceError(f"{found.place}: {error}") from error
    return Row(seq, _generation(cells), sample, adds)


def _value(axis: str, cells: Cells, mark: str) -> float:
    """Return a value in g, °/s or °C."""
    if axis in cells:
        return float(number(axis, cells[axis], mark))
    name = _SI_NAMES[axis]
    return float(number(name, cells[name], mark) / _SI_FACTORS[axis])


def _lost(cells: Cells, mark: str) -> tuple[int, bool]:
    """Return how many readings the row says are missing before it, and whether the missing
    sequence numbers come on top of them.

    In CSV they are included. In a row of JSON they are not, and a gap shows that it is one of
    ours: other programs make JSON of CSV. An object of the stream has the count in its gap alone,
    which includes them if it spans more than its own two samples.
    """
    gap = cells.get("gap")
    if isinstance(gap, dict) and not is_empty(gap.get("lost")):
        in_gap = whole("lost", gap.get("lost"), MAX_LOST + 1)
        if "lost" not in cells:
            spans = whole("to", gap.get("to"), 2**64) - whole("from", gap.get("from"), 2**64)
            return in_gap, spans <= 1
    lost = cells.get("lost")
    count = 0 if is_empty(lost) else whole("lost", lost, MAX_LOST + 1, mark)
    return count, isinstance(gap, dict)


def _generation(cells: Cells) -> int | None:
    found = parse_event_id(cells["id"]) if isinstance(cells.get("id"), str) else None
    return found[0] if found else None
