"""Logs damaged at random: each is refused, or all that is written was measured at its time."""

import contextlib
import csv
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.importing import logs
from tests.importing.cases import NAMED
from tests.importing.logs import motion
from trio_mpu.__main__ import import_, run
from trio_mpu.sample import AXES, NO_ATTITUDE, Flag, Sample

FORMS: Final = {
    "named": (logs.generic(), NAMED.split()),
    "phyphox": (logs.phyphox(), ["--preset", "phyphox"]),
    "commas": (logs.phyphox_with_commas(), ["--preset", "phyphox"]),
    "numbered": (
        logs.adafruit(),
        ["--time", "ms:1", "--accel", "mss:2,3,4", "--gyro", "rads:5,6,7", "--temp", "none"],
    ),
    "labelled": (
        logs.plotter(),
        ["--time", "rate:100", "--accel", "g:ax,ay,az", "--gyro", "dps:gx,gy,gz", "--temp", "none"],
    ),
}
TRUTH: Final = {each.t_ns: (place, each) for place, each in enumerate(motion())}
# Without times, a line that is gone can't be seen.
TIMED: Final = [name for name in FORMS if name != "labelled"]
JUNK: Final = st.text("\x00\x01\x7f\"'#;:, \tabe+é\ufffd", min_size=1, max_size=6)


def imported(data: bytes, argv: list[str]) -> tuple[list[Sample], str]:
    """What is written of a log, and the line of a refusal."""
    with tempfile.TemporaryDirectory() as folder:
        log, output = Path(folder, "log.csv"), Path(folder, "ours.csv")
        log.write_bytes(data)
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = run(import_, [str(log), "--output", str(output), *argv], {})
        assert output.exists() == (status == 0)
        assert status in (0, 1)
        if status:
            return [], "refused"
        with output.open(encoding="utf-8", newline="") as file:
            return [sample_of(row) for row in csv.DictReader(file)], ""


def sample_of(row: dict[str, str]) -> Sample:
    """A row of our CSV, whose flags are one or none."""
    flags = int(Flag.DEVICE_GAP) if row["flags"] == "device_gap" else 0
    assert row["flags"] in ("", "device_gap")
    values = [float(row[axis]) for axis in AXES]
    return Sample._make((int(row["t_ns"]), *values, flags, int(row["lost"]), *NO_ATTITUDE))


def check(rows: list[Sample], edits: int, *, has_times: bool = True) -> None:
    """Each sample is that of its time, and no reading is missing uncounted. A row that was doubled
    or torn may be counted besides."""
    before = None
    for row in rows:
        place, expected = TRUTH[row.t_ns]
        assert row[1:4] == pytest.approx(expected.accel, rel=1e-6, abs=2e-6)
        if any(row[4:7]):
            assert row[4:7] == pytest.approx(expected.gyro, rel=1e-6, abs=2e-6)
        if before is not None and has_times:
            missing = place - before - 1
            assert bool(row.flags) >= bool(row.lost)
            assert missing <= row.lost <= missing + 2 * edits
        before = place


Edit = Callable[[list[str]], list[str]]


@st.composite
def edits(draw: st.DrawFn) -> Edit:
    """Something that happens to lines of a log, but for a digit that becomes another digit."""
    first = draw(st.integers(1, 299))
    count = draw(st.integers(1, 20))
    other = draw(st.integers(1, 299))
    place = draw(st.integers(0, 60))
    junk = draw(JUNK)
    kind = draw(st.sampled_from(["drop", "double", "swap", "junk", "join", "insert", "tear"]))

    def edit(lines: list[str]) -> list[str]:
        lines = [*lines]
        at, to = min(first, len(lines) - 1), min(other, len(lines) - 1)
        match kind:
            case "drop":
                del lines[at : at + count]
            case "double":
                lines[at:at] = [lines[at]]
            case "swap":
                lines[at], lines[to] = lines[to], lines[at]
            case "junk":
                # Within a number; at its end a mark could make it another one.
                lines[at] = lines[at][:place] + "?" + junk + "?" + lines[at][place:]
            case "join":
                lines[at : at + 2] = ["".join(lines[at : at + 2])]
            case "insert":
                lines[at:at] = ["?" + junk]
            case "tear":
                lines[at : at + 1] = [f"{lines[at][:9]}?", f"?{lines[at][9:]}"]
        return lines

    return edit


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(TIMED), st.lists(edits(), min_size=1, max_size=4))
def test_a_damaged_log_is_never_understood_wrongly(form: str, damages: list[Edit]) -> None:
    """Lines that are lost, doubled, exchanged, joined, torn, or have rubbish in them."""
    text, argv = FORMS[form]
    lines = text.split("\n")
    for damage in damages:
        lines = damage(lines)
    rows, _ = imported("\n".join(lines).encode(), argv)
    check(rows, len(damages))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(FORMS)), st.floats(0, 1))
def test_a_log_that_was_cut_is_never_understood_wrongly(form: str, part: float) -> None:
    """At any byte: what is there before it is all there, but for the last row."""
    text, argv = FORMS[form]
    data = text.encode()
    cut = data[: round(part * len(data))]
    rows, refusal = imported(cut, argv)
    check(rows, 0)
    whole = cut.count(b"\n") - text.startswith(("ms", '"'))
    if not refusal:
        assert len(rows) in (whole, whole - 1, whole + 1)


@pytest.mark.parametrize("form", sorted(FORMS))
def test_each_cut_within_the_last_row_is_understood_or_left_out(form: str) -> None:
    """The last number is never taken for a shorter one."""
    text, argv = FORMS[form]
    rows = text.splitlines(keepends=True)[:20]
    for length in range(len(rows[-1])):
        found, _ = imported("".join([*rows[:-1], rows[-1][:length]]).encode(), argv)
        check(found, 0)
        assert len(found) in (17, 18, 19)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(sorted(FORMS)), st.binary(max_size=400))
def test_any_bytes_are_refused_in_one_line(form: str, data: bytes) -> None:
    """And never a traceback."""
    rows, _ = imported(data, FORMS[form][1])
    assert rows == []


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(sorted(FORMS)),
    st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=5)), max_size=6),
)
def test_bytes_that_became_others_give_no_traceback(
    form: str, changes: list[tuple[float, bytes]]
) -> None:
    """A digit may become another digit, which nobody can see; times rise all the same."""
    text, argv = FORMS[form]
    data = bytearray(text.encode())
    for part, others in changes:
        place = round(part * len(data))
        data[place : place + len(others)] = others
    rows, _ = imported(bytes(data), argv)
    times = [row.t_ns for row in rows]
    assert times == sorted(set(times))
