"""The first lines of a log → its separator, header, decimal mark and columns."""

import re

import pytest

from trio_mpu.errors import DeviceError, ImportRefused
from trio_mpu.importing.layout import Layout, is_comment, layout_of
from trio_mpu.importing.plan import plan_of
from trio_mpu.sensors.replay.rows import Line


def found(text: str, accel: str = "g:x,y,z", time: str = "s:t", temp: str = "none") -> Layout:
    """The layout of a log with these lines."""
    lines = [Line(number, line) for number, line in enumerate(text.split("\n"), 1)]
    options = {"time": time, "accel": accel, "gyro": "none", "temp": temp, "preset": ""}
    return layout_of(lines, plan_of(options))


@pytest.mark.parametrize(
    ("text", "separator", "header", "mark"),
    [
        ("t,x,y,z\n0.1,1.5,2,3", ",", 1, "."),
        ("t;x;y;z\n0,1;1,5;2;3", ";", 1, ","),
        ("t\tx\ty\tz\n1\t1,5\t2\t3", "\t", 1, ","),
        ("t x y  z\n1 1.5 2 3", " ", 1, "."),
        ('"t", "x","y","z"\n"0,1","1,5","2,5","3"', ",", 1, ","),
        ("made by X\n\n# t,x\n#t,x,y,z\n1,2,3,4", ",", 4, "."),
        ("%t,x,y,z\n1,2,3,4", ",", 1, "."),
        ("t,x,y,z", ",", 1, "."),
        ("t,x,y,z\n1,rubbish\n1,2.5,3,4", ",", 1, "."),
    ],
)
def test_a_header_is_found_by_its_names(text: str, separator: str, header: int, mark: str) -> None:
    """Whatever is before it."""
    layout = found(text)
    assert (layout.separator, layout.header, layout.mark) == (separator, header, mark)
    assert layout.places == {"t": 0, "x": 1, "y": 2, "z": 3}
    assert layout.used == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("text", "separator", "header", "names"),
    [
        ("0.1,1.5,2,3", ",", 0, ()),
        ("0,1;1,5;2;3", ";", 0, ()),
        ("1\t1,5\t2\t3", "\t", 0, ()),
        ("1 1.5 2 3", " ", 0, ()),
        ("1, 1.5, 2, 3", ",", 0, ()),
        ("1,  1,  2,  3", ",", 0, ()),
        ("a,b,c,d\n1,2,3,4", ",", 1, ("a", "b", "c", "d")),
        ("serial monitor\n1,2,3,4", ",", 1, ()),
        ("a,b,c,d\n1,ERR,3,4\n1,2,3,4", ",", 1, ("a", "b", "c", "d")),
        ("# 9,9,9,9\n1,2,3,4", ",", 1, ("9", "9", "9", "9")),
        ("1,2,3,4\n1,2,3,4,5\n1,2,3,4", ",", 0, ()),
    ],
)
def test_numbered_columns_need_no_header(
    text: str, separator: str, header: int, names: tuple[str, ...]
) -> None:
    """The one separator that gives numbers is it, and the width that most rows have."""
    layout = found(text, "g:2,3,4", "s:1")
    assert (layout.separator, layout.header, layout.names) == (separator, header, names)
    assert layout.width == 4


@pytest.mark.parametrize(
    ("text", "accel", "problem"),
    [
        ("", "g:x,y,z", "it is empty"),
        ("\n \n", "g:2,3,4", "it is empty"),
        ("t,x,y\n1,2,3", "g:x,y,z", "none of its first 200 lines has the columns 'z'; line 1 is"),
        ("\na,b\n", "g:x,y,z", "line 2 is 'a,b'"),
        ("t,x,y,z,x\n", "g:x,y,z", "two columns named 'x'"),
        ("t,x,y\n", "g:x,y,4", "it has 3 columns, so there is no column 4"),
        ("t,x,y\n", "g:x,y,2", "'x' and '2' are the same column"),
        ('t,x,y,z\n1,2.5,3,4\n1,2,"3,5",4', "g:x,y,z", "commas and points, as in '3,5' and '2.5'"),
        ("t;x;y;z\n1;1,002;-9,812;3", "g:x,y,z", "'1,002' can be a thousand times as much"),
        ("10,0,05,1,02", "g:1,2,3", "'05' is no whole number: its decimal commas are like its"),
        ("a,b\nc", "g:2,3,4", "has numbers in the columns 2, 3, 4; line 1 is 'a,b'"),
        ("1;2;3,9", "g:4,5,6", "has numbers in the columns 4, 5, 6"),
        ("x;x;x;1;2;3;q,9,9,4,5,6", "g:4,5,6", "in several ways: comma and semicolon"),
    ],
)
def test_what_is_not_certain_is_refused(text: str, accel: str, problem: str) -> None:
    """With what was found."""
    named = accel.startswith("g:x")
    with pytest.raises(ImportRefused, match=re.escape(problem)):
        found(text, accel, "s:t" if named else "rate:9")


def test_a_time_column_that_is_not_there_is_refused() -> None:
    """Its cells need not be numbers, so it does not help to find the separator."""
    with pytest.raises(ImportRefused, match="it has 3 columns, so there is no column 9"):
        found("1,2,3", "g:1,2,3", "iso:9")


def test_decimals_that_are_no_thousands_are_commas() -> None:
    """One of them is enough: 0,123 and 1,25 are written by no one for thousands."""
    assert found("t;x;y;z\n1;1,002;0,123;3").mark == ","
    assert found("t;x;y;z\n1;1,002;1,25;3").mark == ","
    assert found("t;x;y;z\n1,5;1;2;3").mark == ","  # the time alone


def test_a_zero_before_a_number_is_no_harm_beside_decimals() -> None:
    """Nor where a comma separates nothing."""
    assert found("007,1.5,2,3", "g:2,3,4", "s:1").mark == "."
    assert found("007;1;02;3", "g:2,3,4", "s:1").mark == "."
    assert found("7,1,0,0", "g:2,3,4", "s:1").mark == "."


def test_a_name_in_another_encoding_is_the_one_that_it_can_only_be() -> None:
    """Letters that can be read are the same; and others are not the name."""
    assert found("t,x°,y,z\n1,2,3,4".replace("°", "\ufffd"), "g:x°,y,z").places["x°"] == 1
    with pytest.raises(ImportRefused, match="has the columns 'x°'"):
        found("t,w\ufffd,y,z\n1,2,3,4", "g:x°,y,z")


def test_cells_may_have_their_names() -> None:
    """In the same order in each row; a value keeps none of it."""
    layout = found("x:1\nt:1, x:2.5, y:3, z:4,\n")
    assert layout.labelled
    assert layout.header == 1
    assert layout.cells("t:2,x:-1,y: 0,z:9") == ["2", "-1", "0", "9"]
    for wrong, problem in (
        ("t:2,y:-1,x:0,z:9", "it has 'y:-1' in the place of 'x'"),
        ("t:2,x:-1,y:0", "it has 3 columns, not 4"),
        ("2,x:-1,y:0,z:1", "it has '2' in the place of 't'"),
    ):
        with pytest.raises(DeviceError, match=re.escape(problem)):
            layout.cells(wrong)
    assert not layout.is_header("t:1, x:2.5, y:3, z:4,")


def test_a_row_has_as_many_cells_as_the_header() -> None:
    """One more if it is empty, as a comma at the end makes it."""
    layout = found("t,x,y,z\n1,2,3,4")
    assert layout.cells("1,2,3,4") == layout.cells("1,2,3,4,") == ["1", "2", "3", "4"]
    for wrong in ("1,2,3", "1,2,3,4,5", "1,2,3,4,,", "1\t2\t3\t4"):
        with pytest.raises(DeviceError, match="columns, not 4"):
            layout.cells(wrong)
    with pytest.raises(DeviceError, match="a quote without its pair"):
        layout.cells('1,"2,3,4')
    assert layout.is_header(" t,x,y,z ")
    assert not layout.is_header("1,2,3,4")


def test_comments_begin_with_a_mark() -> None:
    """Of the two that programs use."""
    assert is_comment("# x")
    assert is_comment("  %x")
    assert not is_comment("1,#")
