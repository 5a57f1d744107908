"""Rows of a recording that are none, or that are damaged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.fake_devices import one_line
from tests.helpers.recordings import parsed
from trio_mpu.errors import DeviceError
from trio_mpu.formats import Origin, row_csv, row_json
from trio_mpu.record import Record
from trio_mpu.sample import Flag, Sample

ORIGIN = Origin(0x0123456789ABCDEF, "sim:seed=1")
RECORD = Record(42, 5_000_000_001, 1_700_000_000_000_999_999, 0.5, -1, 2, 250, -0.25, 0, 26.5, 1, 0)
ROW = row_json(RECORD, ORIGIN)
CSV = row_csv(RECORD, ORIGIN)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "{}",
        "{" * 100_000,
        '{"a":' * 100_000,
        "[1]",
        "null",
        CSV[:-1],
        CSV + ",1",
        CSV.removeprefix("42,"),
        CSV.replace("0.5", ""),
        CSV.replace("0.5", "nan"),
        CSV.replace("0.5", "inf"),
        CSV.replace("0.5", "17"),
        CSV.replace("5000000001", "-1"),
        CSV.replace("5000000001", str(2**63)),
        CSV.replace("42,", "-42,"),
        CSV.replace("42,", f"{2**64},"),
        CSV.replace("42,", "9" * 5000 + ","),
        CSV.replace("simulated,0", "simulated,-1"),
        CSV.replace("simulated,0", f"simulated,{2**32}"),
        "\0\ufffd" * 100,
        ROW.replace('"ax":0.5', '"ax":NaN'),
        ROW.replace('"ax":0.5', '"ax":null'),
        ROW.replace('"ax":0.5', '"ax":[1]'),
        ROW.replace('"ax":0.5', '"bx":0.5'),
        ROW.replace('"ax":0.5', '"ax":1' + "0" * 400),
        ROW.replace("5000000001", "1e999"),
        ROW.replace('["simulated"]', "7"),
    ],
)
def test_a_line_that_is_no_row_is_one_short_error(line: str) -> None:
    """Whatever stands in a recording, the message is one line that a log can take."""
    with pytest.raises(DeviceError) as caught:
        parsed(line)
    one_line(caught.value)


@given(st.text() | st.text(alphabet='{}[]":,.-0123456789eEainft\\', max_size=60))
def test_random_text_is_a_row_or_a_device_error(line: str) -> None:
    """No other error comes of it."""
    try:
        seq, sample = parsed(line)
    except DeviceError as error:
        one_line(error)
    else:
        assert seq >= 0
        assert isinstance(sample, Sample)


@given(st.data(), st.sampled_from([ROW, CSV]))
def test_a_mutilated_row_is_a_possible_sample_or_a_device_error(
    data: st.DataObject, row: str
) -> None:
    """A recording with damaged bytes can't bring anything but readings into the ring."""
    begin = data.draw(st.integers(0, len(row)))
    end = data.draw(st.integers(begin, min(len(row), begin + 3)))
    try:
        seq, sample = parsed(row[:begin] + data.draw(st.text(max_size=3)) + row[end:])
    except DeviceError as error:
        one_line(error)
    else:
        assert 0 <= seq < 2**64
        assert 0 <= sample.lost < 2**32
        assert all(abs(value) <= 2000 for value in sample[1:8])


def test_flags_of_a_later_version_are_passed_over() -> None:
    """A recording with a flag that is not known here can still be played."""
    assert parsed(CSV.replace("simulated", "simulated+tomorrow"))[1].flags == Flag.SIMULATED
