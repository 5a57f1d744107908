"""What stands behind `replay:`."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.fake_devices import one_line
from trio_mpu.errors import UsageError
from trio_mpu.sensors.replay.options import Bounds, Options, parse_options

NOON_NS = 1_795_780_800 * 10**9  # 2026-11-27T12:00Z


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
        ("a,from,to", Options("a,from,to"), "replay:a,from,to"),
        (
            "r,from=2026-11-27T13:00+01:00,to=1795780800.5,loop",
            Options("r", True, bounds=Bounds(NOON_NS, NOON_NS + 5 * 10**8)),
            "replay:r,loop,from=2026-11-27T12:00:00Z,to=2026-11-27T12:00:00.5Z",
        ),
        (
            "r,to=2026-11-27 12:00:00.000000007",
            Options("r", bounds=Bounds(None, NOON_NS + 7)),
            "replay:r,to=2026-11-27T12:00:00.000000007Z",
        ),
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
        ("r,to=1,from=0,to=2", "replay option to is given twice"),
        ("r,from=2,to=1970-01-01T00:00:02Z", "from=2 is not before to=1970-01-01T00:00:02Z"),
        ("r,to=2000-01-01,from=2000-01-02", "from=2000-01-02 is not before to=2000-01-01"),
        *(
            (
                f"r,from={text}",
                f"from={text} is no time such as 2026-11-27T20:53:36Z, nor seconds since 1970",
            )
            for text in ("", "now", "1795780800123", "2026-02-29", "1969-12-31", "9999-01-01")
        ),
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


@given(st.text(alphabet="rlop,sedfmt=0123.", max_size=30))
def test_any_text_is_a_file_or_refused(text: str) -> None:
    """And its source can be parsed again."""
    try:
        options = parse_options(text)
    except UsageError as error:
        one_line(error)
    else:
        assert parse_options(options.source.removeprefix("replay:")) == options


@given(st.integers(0, 2**33 * 10**9 - 2), st.integers(1, 10**18), st.booleans(), st.booleans())
def test_the_source_has_the_exact_times(
    from_ns: int, length_ns: int, is_begun: bool, is_ended: bool
) -> None:
    """To the nanosecond, and each time is in the half-open interval or not."""
    to_ns = min(from_ns + length_ns, 2**33 * 10**9 - 1)
    bounds = Bounds(from_ns if is_begun else None, to_ns if is_ended else None)
    assert (
        parse_options(Options("r", bounds=bounds).source.removeprefix("replay:")).bounds == bounds
    )
    assert bounds.include(from_ns)
    assert bounds.include(to_ns - 1)
    assert bounds.include(from_ns - 1) != is_begun
    assert bounds.include(to_ns) != is_ended
