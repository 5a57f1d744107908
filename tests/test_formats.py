"""A record as JSON and CSV, and back as a recording is read."""

import csv
import json
import math
import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.recordings import parsed
from trio_mpu.formats import (
    COLUMNS,
    SI_COLUMNS,
    SI_NAMES,
    Notation,
    Origin,
    Window,
    event_id,
    gap_of,
    parse_event_id,
    row_csv,
    row_json,
    sample_json,
)
from trio_mpu.record import Record
from trio_mpu.sample import AXES, Flag, Gap

ORIGIN = Origin(0x0123456789ABCDEF, "sim:seed=1")
RECORD = Record(42, 5_000_000_001, 1_700_000_000_000_999_999, 0.5, -1, 2, 250, -0.25, 0, 26.5, 1, 0)
AFTER_GAP = RECORD._replace(flags=Flag.SIMULATED | Flag.DEVICE_GAP, lost=3)
MEANS = (0.25, -0.5, 1.0, 125.0, -0.125, 0.0, 25.0)


def float32(value: float) -> float:
    """The value as the ring holds it."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


# -- exact text ---------------------------------------------------------------------------------


def test_the_exact_json_of_a_sample() -> None:
    """One line, the original system's keys first; the microseconds are cut, never rounded up."""
    assert sample_json(RECORD, MEANS, ORIGIN) == (
        '{"status":"ok",'
        '"sample":{"ax":0.5,"ay":-1,"az":2,"gx":250,"gy":-0.25,"gz":0,"temp":26.5},'
        '"average":{"ax":0.25,"ay":-0.5,"az":1,"gx":125,"gy":-0.125,"gz":0,"temp":25},'
        '"timestamp":1700000000,"seq":42,"id":"0123456789abcdef-42","time":1700000000.000999,'
        '"t_ns":5000000001,"source":"sim:seed=1","flags":["simulated"]}'
    )


def test_the_exact_json_of_a_gap() -> None:
    """What the producer noted is reported with the sample, unless the reader missed something."""
    noted = sample_json(AFTER_GAP, MEANS, ORIGIN)
    assert noted.endswith(
        '"flags":["simulated","device_gap"],"gap":{"from":41,"to":42,"lost":3,"reason":"device"}}'
    )
    missed = sample_json(AFTER_GAP, MEANS, ORIGIN, gap=Gap(10, 42, None, "slow"))
    assert missed.endswith('"gap":{"from":10,"to":42,"lost":null,"reason":"slow"}}')
    assert sample_json(RECORD, MEANS, ORIGIN, "stale").startswith('{"status":"stale",')


def test_the_exact_rows() -> None:
    """The past has flat rows, with the same names in JSON and in CSV."""
    assert row_json(AFTER_GAP, ORIGIN) == (
        '{"seq":42,"id":"0123456789abcdef-42","time":1700000000.000999,"t_ns":5000000001,'
        '"ax":0.5,"ay":-1,"az":2,"gx":250,"gy":-0.25,"gz":0,"temp":26.5,'
        '"flags":["simulated","device_gap"],"lost":3,"source":"sim:seed=1",'
        '"gap":{"from":41,"to":42,"lost":3,"reason":"device"}}'
    )
    assert row_json(RECORD, ORIGIN, Gap(1, 42, 40, "lapped")).endswith(
        '"gap":{"from":1,"to":42,"lost":40,"reason":"lapped"}}'
    )
    assert row_csv(AFTER_GAP, ORIGIN) == (
        "42,1700000000.000999,5000000001,0.5,-1,2,250,-0.25,0,26.5,"
        'simulated+device_gap,3,"sim:seed=1"'
    )
    assert ",".join(COLUMNS) == "seq,time,t_ns,ax,ay,az,gx,gy,gz,temp,flags,lost,source"


@pytest.mark.parametrize(
    ("flags", "gap"),
    [
        (0, None),
        (Flag.SIMULATED, None),
        (Flag.DEVICE_GAP, Gap(41, 42, 3, "device")),
        (Flag.RESTART_GAP, Gap(41, 42, 3, "restart")),
        (Flag.RESTART_GAP | Flag.DEVICE_GAP, Gap(41, 42, 3, "restart")),
    ],
)
def test_a_gap_is_known_by_its_flag(flags: int, gap: Gap | None) -> None:
    """The producer's note has a reason: the restart is the greater one."""
    assert gap_of(AFTER_GAP._replace(flags=flags)) == gap


# -- whatever the ring may hold -----------------------------------------------------------------

values = st.floats(width=32, min_value=-16, max_value=16)
records = st.builds(
    Record,
    st.integers(1, 2**64 - 1),
    st.integers(0, 2**63 - 1),
    st.integers(0, 2**63 - 1),
    *[values] * 7,
    st.integers(0, 7),
    st.integers(0, 2**32 - 1),
)
origins = st.builds(Origin, st.integers(0, 2**64 - 1), st.text(st.characters(codec="utf-8")))


@given(records, origins)
def test_every_json_is_one_line_of_ascii_with_the_records_values(
    record: Record, origin: Origin
) -> None:
    """Whatever the source is called, no character of it can break a line or an event."""
    means = record[3:10]
    for text in (sample_json(record, means, origin), row_json(record, origin)):
        assert text.isascii()
        assert text.isprintable()
        found = json.loads(text, parse_constant=pytest.fail)
        values = found.get("sample", found)
        assert [values[axis] for axis in AXES] == pytest.approx(record[3:10], rel=6e-7, abs=1e-44)
        assert found["seq"] == record.seq
        assert found["t_ns"] == record.t_ns
        assert found["source"] == origin.source
        assert found["id"] == event_id(origin.generation, record.seq)
        assert re.search(r'"time":(\d+\.\d{6}),', text)
        assert ("gap" in found) == (record.flags > 1)


@given(records, origins)
def test_a_row_is_read_back(record: Record, origin: Origin) -> None:
    """Number, time, flags and loss come back as they were, from JSON and from CSV; the values as the
    very float32 that the ring held."""
    for row in (row_json(record, origin), row_csv(record, origin)):
        seq, found = parsed(row)
        assert seq == record.seq
        assert (found.t_ns, found.flags, found.lost) == (record.t_ns, record.flags, record.lost)
        assert [float32(value) for value in found[1:8]] == list(record[3:10])


@given(st.lists(st.integers(-2_000_000, 2_000_000), min_size=6, max_size=6))
def test_what_a_text_device_measured_is_recorded_without_loss(thousandths: list[int]) -> None:
    """Three decimals survive the ring, a recording, and the ring again."""
    ring = [float32(value / 1000) for value in (*(v % 16_000 for v in thousandths[:3]),)]
    ring += [float32(value / 1000) for value in (*thousandths[3:], 26_101)]
    row = row_csv(Record._make((1, 0, 0, *ring, 0, 0, *[0.0] * 4)), ORIGIN)
    assert [float32(value) for value in parsed(row)[1][1:8]] == ring


@given(st.integers(-32768, 32767))
def test_what_a_register_held_is_found_again(raw: int) -> None:
    """Seven digits distinguish all 65,536 values of a register, in its finest and widest range."""
    for lsb, axis in ((16384, "ax"), (2048, "ay"), (131, "gx"), (16.4, "gy")):
        record = Record(**{**RECORD._asdict(), axis: float32(raw / lsb)})
        found = parsed(row_json(record, ORIGIN))[1]
        assert round(getattr(found, axis) * lsb) == raw


def test_csv_is_what_other_programs_read_as_csv() -> None:
    """Commas and quotes in the source's name do no harm."""
    origin = Origin(1, 'replay:a,"b"')
    row = next(csv.DictReader([row_csv(RECORD, origin)], COLUMNS, strict=True))
    assert row["source"] == origin.source
    assert parsed(row_csv(RECORD, origin))[0] == 42


# -- other notations ----------------------------------------------------------------------------

SI = Notation(si=True)
ISO = Notation(iso=True)


def test_the_exact_text_in_si_units() -> None:
    """Other names and a column more: nothing of it can be taken for g."""
    assert row_csv(AFTER_GAP, ORIGIN, None, SI) == (
        "42,1700000000.000999,5000000001,4.903325,-9.80665,19.6133,4.36332313,-0.00436332313,0,26.5,"
        'simulated+device_gap,3,"sim:seed=1",si'
    )
    assert SI.columns == SI_COLUMNS
    assert (*SI_COLUMNS[:3], *SI_COLUMNS[10:]) == (*COLUMNS[:3], *COLUMNS[10:], "units")
    row = json.loads(row_json(AFTER_GAP, ORIGIN, None, SI))
    assert list(row) == ["seq", "id", *SI_COLUMNS[1:], "gap"]
    assert (row["ax_mss"], row["gx_rads"], row["units"]) == (4.903325, 4.36332313, "si")


def test_all_values_of_an_event_are_in_si_units() -> None:
    """The means of the last samples and what is known of a window too."""
    window = Window(2, (1.0,) * 7, (-1.0,) * 7, (2.0,) * 7, (0.5,) * 7)
    event = json.loads(sample_json(RECORD, MEANS, ORIGIN, window=window, notation=SI))
    for key, times in (("sample", 1), ("min", -1), ("max", 2), ("std", 0.5)):
        g, rad = times * 9.80665, times * math.pi / 180
        assert list(event[key]) == list(SI_NAMES)
        assert list(event[key].values()) == pytest.approx([g, g, g, rad, rad, rad, times], rel=1e-8)
    assert event["average"]["ax_mss"] == pytest.approx(9.80665 / 4)
    assert event["units"] == "si"


@pytest.mark.parametrize(
    ("time_ns", "time"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1_700_000_000_000_999_999, "2023-11-14T22:13:20.000999Z"),
        (-1_500_000_999, "1969-12-31T23:59:58.500000Z"),
        (2**63 - 1, "2262-04-11T23:47:16.854775Z"),
    ],
)
def test_times_in_iso_8601_have_microseconds_and_say_utc(time_ns: int, time: str) -> None:
    """In every form, cut as in seconds."""
    record = RECORD._replace(time_ns=time_ns)
    assert f'"time":"{time}",' in sample_json(record, MEANS, ORIGIN, notation=ISO)
    assert f'"time":"{time}",' in row_json(record, ORIGIN, None, ISO)
    assert row_csv(record, ORIGIN, None, ISO).split(",")[1] == time


@given(records, origins, st.booleans())
def test_a_row_in_si_units_is_read_back_exactly(record: Record, origin: Origin, iso: bool) -> None:
    """Nine digits are enough for the very float32 that the ring held; times come back too."""
    notation = Notation(iso, si=True)
    for row in (row_json(record, origin, None, notation), row_csv(record, origin, None, notation)):
        seq, found = parsed(row, notation.columns)
        assert seq == record.seq
        assert (found.t_ns, found.flags, found.lost) == (record.t_ns, record.flags, record.lost)
        assert [float32(value) for value in found[1:8]] == list(record[3:10])


def test_the_ends_of_the_ranges_are_read_back_from_si_units() -> None:
    """Not a digit beyond, which would be out of range."""
    for sign in (1, -1):
        values = (*[16.0 * sign] * 3, *[2000.0 * sign] * 3, 26.5)
        record = Record._make((1, 0, 0, *values, 0, 0, *[0.0] * 4))
        found = parsed(row_csv(record, ORIGIN, None, SI), SI_COLUMNS)[1]
        assert [float32(value) for value in found[1:8]] == list(values)


# -- ids ----------------------------------------------------------------------------------------


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_an_id_is_read_back(generation: int, seq: int) -> None:
    """An event's id names its ring and its number."""
    assert parse_event_id(event_id(generation, seq)) == (generation, seq)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "42",
        "0123456789abcdef",
        "0123456789abcdef-",
        "0123456789abcdef--1",
        "0123456789abcdef-+1",
        "0123456789abcdef-1.5",
        "0123456789abcdef-1-2",
        "0123456789abcdef- 1",
        "0123456789abcdef-1_0",
        "0123456789abcdef-" + "9" * 21,
        f"0123456789abcdef-{2**64}",
        "0123456789abcde-1",
        "0123456789abcdef0-1",
        "0123456789abcdeg-1",
        "0x23456789abcdef-1",
        "0123456789_bcdef-1",
        " 123456789abcdef-1",
        "0123456789abcdef-٣",
        "٣123456789abcdef-3",
        "0123456789abcdef-1\n",
    ],
)
def test_what_is_no_id_is_none_and_no_error(text: str) -> None:
    """Last-Event-ID is hostile text."""
    assert parse_event_id(text) is None


@given(st.text() | st.text(alphabet="0123456789abcdefxX_-+ ", max_size=40))
def test_random_text_is_an_id_or_none(text: str) -> None:
    """No text whatever is an error; what is accepted are two numbers."""
    found = parse_event_id(text)
    assert found is None or min(found) >= 0


@pytest.mark.parametrize(
    ("time_ns", "seconds"),
    [
        (0, "0.000000"),
        (1_500_000, "0.001500"),
        (-1_500_000, "-0.001500"),
        (-1_000_000_000, "-1.000000"),
        (-86_400_250_000_000, "-86400.250000"),
    ],
)
def test_a_time_before_1970_is_not_a_second_off(time_ns: int, seconds: str) -> None:
    """A computer without a clock may be set to anything."""
    record = RECORD._replace(time_ns=time_ns)
    assert f'"time":{seconds},' in sample_json(record, RECORD[3:10], ORIGIN)
    assert f'"time":{seconds},' in row_json(record, ORIGIN)
    assert row_csv(record, ORIGIN).split(",")[1] == seconds
