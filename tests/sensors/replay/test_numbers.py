"""What one cell says, or that it says nothing for certain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.fake_devices import one_line
from trio_mpu.errors import DeviceError
from trio_mpu.sample import Flag
from trio_mpu.sensors.replay.numbers import are_known, flag_names, flags_of, number, time_ns, whole

LIMIT = 2**63


@pytest.mark.parametrize(
    ("cell", "mark", "value"),
    [
        ("0.5", ".", 0.5),
        (" -.5 ", ".", -0.5),
        ("+1.", ".", 1),
        ("1e-3", ".", 0.001),
        ("-9.536743E-07", ".", -9.536743e-7),
        ("0,5", ",", 0.5),
        ("-12", ",", -12),
        (3, ".", 3),
        (0.5, ".", 0.5),
    ],
)
def test_a_number_has_one_decimal_mark(cell: object, mark: str, value: float) -> None:
    """A point in the one kind of file, a comma in the other."""
    assert float(number("ax", cell, mark)) == value


@pytest.mark.parametrize("mark", [".", ","])
@pytest.mark.parametrize(
    "cell",
    [
        *(
            "x",
            "1 2",
            "1_0",
            "0x1",
            "1.2.3",
            "1,2,3",
            "1.234,5",
            "1,234.5",
            "٣",
            "inf",
            "1e",
            "--1",
        ),
        *(True, [1], {"a": 1}, float("inf"), "1e9999", "9" * 40),
    ],
)
def test_other_cells_are_no_numbers(cell: object, mark: str) -> None:
    """Thousands separators, other programs' spellings, and what is no text at all."""
    with pytest.raises(DeviceError, match=r"ax is .*, which is not a number") as caught:
        number("ax", cell, mark)
    one_line(caught.value)


def test_the_other_decimal_mark_is_no_number() -> None:
    """It may as well separate thousands."""
    for cell, mark in (("1.234", ","), ("1,234", ".")):
        with pytest.raises(DeviceError, match="not a number"):
            number("gx", cell, mark)


@pytest.mark.parametrize("cell", ["", " ", "NaN", "null", "None", "<NA>", None, float("nan")])
def test_nothing_is_said_to_be_nothing(cell: object) -> None:
    """In the words of all programs; as flags, it is none."""
    with pytest.raises(DeviceError, match="ax is empty"):
        number("ax", cell)
    assert flag_names(cell) == []


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("5000000000001", 5_000_000_000_001),
        ("5000000000001.0", 5_000_000_000_001),
        ("5.000000000001E+12", 5_000_000_000_001),
        ("1e+16", 10**16),  # a float of Python: all its digits are there
        ("1.0000000000000002e+16", 10**16 + 2),
        (5e12, 5 * 10**12),
        (1e16, 10**16),
        (7, 7),
    ],
)
def test_a_whole_number_may_look_like_a_decimal(cell: object, value: int) -> None:
    """As long as all its digits are there."""
    assert whole("t_ns", cell, LIMIT) == value


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("5E+12", "t_ns is '5E+12': a spreadsheet has rounded it"),
        ("5.00000E+12", "a spreadsheet has rounded it"),
        ("5e+12", "a spreadsheet has rounded it"),
        ("1E+16", "a spreadsheet has rounded it"),
        ("1.5", "t_ns is '1.5', which is not a whole number"),
        (1.5, "t_ns is 1.5, which is not a whole number"),
        ("-1", "t_ns is '-1', which is out of range"),
        (2**63, "which is out of range"),
        (10**400, "which is out of range"),
    ],
)
def test_a_rounded_or_impossible_whole_number_is_refused(cell: object, reason: str) -> None:
    """With what has happened to it."""
    with pytest.raises(DeviceError) as caught:
        whole("t_ns", cell, LIMIT)
    assert reason in one_line(caught.value)


@pytest.mark.parametrize("cell", ["1700000000.000999", 1700000000.000999])
def test_a_time_is_exact_to_the_microsecond(cell: object) -> None:
    """Though JSON's number has an error of some 100 ns."""
    assert time_ns(cell) == 1_700_000_000_000_999_000


@pytest.mark.parametrize("cell", ["-1", "1e12", 2**33])
def test_a_time_is_in_seconds_since_1970(cell: object) -> None:
    """One in milliseconds would be in another age."""
    with pytest.raises(DeviceError, match=r"time is .*, which is out of range"):
        time_ns(cell)


@pytest.mark.parametrize(
    "cell",
    [
        "simulated+clipped",
        "simulated clipped",
        "['simulated', 'clipped']",
        '["simulated","clipped"]',
        ["clipped", "simulated", "simulated"],
    ],
)
def test_flags_are_names_in_a_list_or_a_text(cell: object) -> None:
    """However a program has joined them."""
    names = flag_names(cell)
    assert flags_of(names) == Flag.SIMULATED | Flag.CLIPPED
    assert are_known(names)
    assert not are_known([*names, "tomorrow"])
    assert flags_of([*names, "tomorrow"]) == flags_of(names)


@pytest.mark.parametrize("cell", [7, "7", [7], {}, [None], "Simulated", "a:b", True])
def test_other_cells_are_no_flags(cell: object) -> None:
    """Their number, for instance."""
    with pytest.raises(DeviceError, match=r"flags is .*, which is not a list of names") as caught:
        flag_names(cell)
    one_line(caught.value)


@given(st.text(max_size=50), st.sampled_from(".,"))
def test_any_text_is_a_number_or_a_device_error(text: str, mark: str) -> None:
    """No other error comes of it."""
    for read in (
        lambda: number("ax", text, mark),
        lambda: whole("t_ns", text, LIMIT, mark),
        lambda: time_ns(text, mark),
        lambda: flag_names(text),
    ):
        try:
            read()
        except DeviceError as error:
            one_line(error)
