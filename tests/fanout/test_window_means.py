"""What is said of a window's samples, against the standard library's exact statistics."""

import json
import math
import statistics
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.fakes import make_record
from trio_mpu.fanout.encoder import StreamOptions, merged_gap
from trio_mpu.formats import Notation, Origin
from trio_mpu.record import Record
from trio_mpu.sample import Gap

HOUR_NS = 3600 * 10**9
ONE_WINDOW = StreamOptions(0.01, stats=True)  # of 100 s


def event_of(records: Sequence[Record], options: StreamOptions = ONE_WINDOW) -> dict[str, Any]:
    """The event of one window that has these records."""
    encoder = options.encoder(Origin(1, "fake"), dict)
    assert b"".join(encoder.add(record, (0.0,) * 7, None) for record in records) == b""
    payload = encoder.add(records[-1]._replace(t_ns=HOUR_NS), (0.0,) * 7, None)
    event: dict[str, Any] = json.loads(payload.partition(b"data: ")[2])
    assert event["n"] == len(records)
    return event


def deviation_of(values: Sequence[float]) -> float:
    """The standard deviation that is reported for these values of one axis."""
    records = [make_record(1 + number, t_ns=0, az=az) for number, az in enumerate(values)]
    return float(event_of(records)["std"]["az"])


@given(
    st.lists(st.floats(-2000, 2000, width=32, allow_subnormal=False), min_size=1, max_size=50),
)
def test_the_deviation_is_that_of_the_samples_themselves(values: list[float]) -> None:
    """n is the denominator, to the seven digits that are written."""
    expected = statistics.pstdev(values)
    # Below, the values' own digits end: seven of those of a float32 are gone.
    floor = max(map(abs, values)) * 1e-12
    assert deviation_of(values) == pytest.approx(expected, rel=1e-6, abs=floor)


@pytest.mark.parametrize("count", [1, 2, 1000])
def test_samples_that_do_not_differ_have_no_deviation(count: int) -> None:
    """Not even that of the sums' rounding."""
    assert deviation_of([0.1] * count) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("first", [0.0, 5e4])
def test_a_small_deviation_on_a_large_value_keeps_its_digits(first: float) -> None:
    """Where the difference of mean squares has none left, also after an outlier that came first."""
    values = [first] * (first > 0) + [1e5 + 1e-4 * (-1) ** number for number in range(20_000)]
    assert deviation_of(values) == pytest.approx(statistics.pstdev(values), rel=1e-6)


def test_all_three_are_in_the_units_that_were_asked_for() -> None:
    """The deviation is multiplied like the values that it is of."""
    records = [make_record(1, t_ns=0, az=0.5, gz=90.0), make_record(2, t_ns=0, az=1.5, gz=-90.0)]
    event = event_of(records, ONE_WINDOW._replace(notation=Notation(si=True)))
    assert list(event["std"]) == list(event["min"]) == list(event["sample"])
    assert event["std"]["az_mss"] == pytest.approx(9.80665 / 2)
    assert event["std"]["gz_rads"] == pytest.approx(math.pi / 2)


def test_a_window_forgets_the_one_before() -> None:
    """Its first sample is what the distances are from."""
    encoder = StreamOptions(1.0, stats=True).encoder(Origin(1, "fake"), dict)
    payload = b""
    for second, values in enumerate([(1.0, 3.0), (7.0, 7.0), (0.0, 0.0)]):
        for az in values:
            payload += encoder.add(make_record(1, t_ns=second * 10**9, az=az), (0.0,) * 7, None)
    texts = [block.partition("data: ")[2] for block in payload.decode().split("\n\n")[:-1]]
    assert [json.loads(text)["std"]["az"] for text in texts] == [1.0, 0.0]


def test_the_gaps_of_a_window_are_one_and_what_is_unknown_stays_so() -> None:
    """From the beginning of the first to the end of the last; unknown and three is unknown."""
    known, unknown = Gap(1, 5, 3, "slow"), Gap(7, 9, None, "restart")
    assert merged_gap(known, known._replace(after=6, before=8, lost=1)) == Gap(1, 8, 4, "slow")
    assert merged_gap(known, unknown) == Gap(1, 9, None, "slow")
    assert merged_gap(unknown, known) == Gap(7, 5, None, "restart")
    assert merged_gap(None, unknown) == merged_gap(unknown, None) == unknown
