"""Lines of a log → readings, or why there is none."""

import pytest

from trio_mpu.importing.clocks import clock_of
from trio_mpu.importing.layout import layout_of
from trio_mpu.importing.plan import plan_of
from trio_mpu.importing.rows import Reader, Reading, Refused
from trio_mpu.sensors.replay.rows import Line

HEAD = "t,ax,ay,az,gx,gy,gz,temp"


def reader(accel: str = "g:ax,ay,az", time: str = "s:t", temp: str = "c:temp") -> Reader:
    """A reader of rows below HEAD."""
    plan = plan_of(
        {"time": time, "accel": accel, "gyro": "dps:gx,gy,gz", "temp": temp, "preset": ""}
    )
    return Reader(plan, layout_of([Line(1, HEAD)], plan), clock_of(plan.time))


def read(
    text: str, accel: str = "g:ax,ay,az", temp: str = "c:temp", *, ended: bool = True
) -> object:
    """What is found in line 2, a reason or the values."""
    found = reader(accel, temp=temp).read(Line(2, text, ended))
    if isinstance(found, Refused):
        return f"{found.kind}: {found.reason}"
    return found.values if isinstance(found, Reading) else found


def test_a_row_is_read_in_our_units() -> None:
    """And the temperature may be missing."""
    assert read("1,0,0.5,1,1,2,3,20") == (0.0, 0.5, 1.0, 1.0, 2.0, 3.0, 20.0)
    assert read("1,0,0,156.9064,1,2,3,20", "mss:ax,ay,az") == (0, 0, 16.0, 1, 2, 3, 20)
    assert read("1,0,-8192,16384,1,2,3,68", "lsb:16384:ax,ay,az", "f:temp") == (
        *(0.0, -0.5, 1.0),
        *(1.0, 2.0, 3.0, 20.0),
    )
    assert read("1,0,0,1,1,2,3,rubbish", temp="none") == (0, 0, 1, 1, 2, 3, 0.0)


@pytest.mark.parametrize("text", ["", "  ", "# comment", "% comment", HEAD])
def test_other_lines_are_none_of_the_rows(text: str) -> None:
    """Blank lines, comments, and the header once more."""
    lines = reader()
    assert lines.read(Line(2, text)) is None
    assert lines.comments == text.endswith("comment")
    assert lines.header_lines == ([2] if text == HEAD else [])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x,0,0,1,1,2,3,20", "time: time is 'x', which is not a number"),
        ("1,0,0,1,1,2,3", "damaged: it has 7 columns, not 8"),
        ('1,"0,0,1,1,2,3,20', "damaged: it has a quote without its pair"),
        ("1,,0,1,1,2,3,20", "value: ax is empty"),
        ("1,0,0,1,1,2,inf,20", "value: gz is 'inf', which is not a number"),
        ("1,0,0,16.01,1,2,3,20", "range: az = 16.01 is outside the range -16 to 16"),
        ("1,0,0,1,2001,2,3,20", "range: gx = 2001 is outside the range -2000 to 2000"),
        ("1,0,0,1,1,2,3,134", "range: temp = 134 is outside the range -78 to 133"),
        ("1,0,0,1,1,2,3,1e999", "range: temp = inf is outside the range -78 to 133"),
    ],
)
def test_a_row_that_is_not_certain_is_refused(text: str, reason: str) -> None:
    """With its reason, and of which kind that is."""
    assert read(text) == reason


def test_counts_are_whole_numbers_of_16_bits() -> None:
    """Anything else is another unit."""
    lsb = "lsb:16384:ax,ay,az"
    assert read("1,0,0.5,1,1,2,3,20", lsb) == "value: ay is 0.5, but counts are whole numbers"
    assert read("1,0,0,40000,1,2,3,20", lsb) == "value: az is 40000, but counts have 16 bits"
    assert read("1,-32768,0,16384,1,2,3,20", lsb) == (-2, 0, 1, 1, 2, 3, 20)


def test_a_length_beyond_any_chip_is_kept_for_a_hint() -> None:
    """Only if it is the acceleration's."""
    for text, beyond in (("1,0,0,1000,1,2,3,20", 1000.0), ("1,0,0,1,9999,2,3,20", None)):
        found = reader().read(Line(2, text))
        assert isinstance(found, Refused)
        assert found.beyond == beyond


def test_a_number_that_may_be_cut_is_not_believed() -> None:
    """At the end of the file, unless that column is not used."""
    cut = "damaged: its end is missing: the last number may be cut"
    assert read("1,0,0,1,1,2,3,20", ended=False) == cut
    assert read("1,0,0,1,1,2,3,20", temp="none", ended=False) == (0, 0, 1, 1, 2, 3, 0)


def test_each_row_is_a_period_where_there_are_no_times() -> None:
    """Also one that can't be read; comments are none."""
    rows = reader(time="rate:10")
    times = []
    for text in ("1,0,0,1,1,2,3,20", "# x", "rubbish", HEAD, "1,0,0,1,1,2,3,20"):
        found = rows.read(Line(2, text))
        times.append(found.t_ns if isinstance(found, Reading) else None)
    assert times == [0, None, None, None, 200_000_000]
