"""What stands behind `replay:`."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.fake_devices import one_line
from trio_mpu.errors import UsageError
from trio_mpu.sensors.replay.options import Options, parse_options


@pytest.mark.parametrize(
    ("text", "options", "source"),
    [
        ("run.csv", Options("run.csv"), "replay:run.csv"),
        ("/a b/run.csv,loop", Options("/a b/run.csv", loop=True), "replay:/a b/run.csv,loop"),
        ("r,speed=2", Options("r", speed=Fraction(2)), "replay:r,speed=2"),
        ("r,speed=1", Options("r"), "replay:r"),
        ("r,speed=0.01,loop", Options("r", True, Fraction(1, 100)), "replay:r,loop,speed=0.01"),
        ("r,loop,speed=1000", Options("r", True, Fraction(1000)), "replay:r,loop,speed=1000"),
        ("a,b", Options("a,b"), "replay:a,b"),
        ("a,loop,b", Options("a,loop,b"), "replay:a,loop,b"),
        ("a,b=1,loop", Options("a,b=1", loop=True), "replay:a,b=1,loop"),
        ("a,speed", Options("a,speed"), "replay:a,speed"),
    ],
)
def test_options_follow_the_file(text: str, options: Options, source: str) -> None:
    """In any order; other commas belong to the name."""
    assert parse_options(text) == options
    assert options.source == source


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("r,loop,loop", "replay option loop is given twice"),
        ("r,speed=1,speed=2", "replay option speed is given twice"),
        *(
            (f"r,speed={text}", f"speed={text} is not a number from 0.01 to 1000")
            for text in ("", "0", "0.009", "1000.1", "1e2", "nan", "-1", "x", "٣", "1" * 99, "1/2")
        ),
    ],
)
def test_a_wrong_option_is_refused(text: str, reason: str) -> None:
    """In one line that says what is possible."""
    with pytest.raises(UsageError) as caught:
        parse_options(text)
    assert one_line(caught.value) == reason


@given(st.text(alphabet="rlop,sed=0123.", max_size=30))
def test_any_text_is_a_file_or_refused(text: str) -> None:
    """And its source can be parsed again."""
    try:
        options = parse_options(text)
    except UsageError as error:
        one_line(error)
    else:
        assert parse_options(options.source.removeprefix("replay:")).path == options.path
