"""The options of an import → columns and units, or one line."""

from decimal import Decimal

import pytest

from tests.helpers.fake_devices import one_line
from trio_mpu.errors import UsageError
from trio_mpu.importing.plan import NONE, Plan, Quantity, Time, lacking, plan_of

GOOD = {"time": "s:t", "accel": "g:a,b,c", "gyro": "none", "temp": "none", "preset": ""}


def planned(**options: str) -> Plan:
    """The plan of these options beside good ones."""
    return plan_of({**GOOD, **options})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s:t", Time("s", ("t",))),
        ("ms:Time (ms)", Time("ms", ("Time (ms)",))),
        ("us:7", Time("us", ("7",))),
        ("ns", Time("ns", ("1",))),
        ("iso:date,time", Time("iso", ("date", "time"))),
        ("dmy: date , time ", Time("dmy", ("date", "time"))),
        ("hms:a:b", Time("hms", ("a:b",))),
        ("rate:100", Time("rate", (), 100.0)),
        ("rate:0.1", Time("rate", (), 0.1)),
        ("rate:8000", Time("rate", (), 8000.0)),
    ],
)
def test_a_time_has_a_form_and_columns(text: str, expected: Time) -> None:
    """The first column, if none is given."""
    assert planned(time=text).time == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "h:t", "s:", "s:a,b", "hms:a,b", "iso:a,b,c", "iso:a,", "s:0", "S:t", "t"),
        *("rate", "rate:", "rate:0", "rate:0.09", "rate:8001", "rate:x", "rate:-1", "rate:nan"),
    ],
)
def test_another_time_is_refused(text: str) -> None:
    """In one line that says what is wanted."""
    with pytest.raises(UsageError, match="--time: ") as caught:
        planned(time=text)
    assert "wanted: " in one_line(caught.value) or "no rate" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "per"),
    [
        ("accel", "g:1,2,3", "1"),
        ("accel", "mg:1,2,3", "1000"),
        ("accel", "mss:1,2,3", "9.80665"),
        ("accel", "mmss:1,2,3", "9806.65"),
        ("accel", "lsb:16384:1,2,3", "16384"),
        ("accel", "lsb:1:1,2,3", "1"),
        ("gyro", "dps:1,2,3", "1"),
        ("gyro", "rads:1,2,3", "0.017453292519943295"),
        ("gyro", "lsb:16.4:1,2,3", "16.4"),
        ("temp", "c:1", "1"),
        ("temp", "f:1", "1.8"),
    ],
)
def test_a_quantity_has_a_unit_and_columns(name: str, text: str, per: str) -> None:
    """How many of the unit make one of ours."""
    quantity: Quantity = getattr(planned(**{"accel": "g:7,8,9", name: text}), name)
    assert quantity.unit.per == Decimal(per)
    assert quantity.columns == ("1", "2", "3")[: len(quantity.columns)]
    assert quantity.unit.counts == text.startswith("lsb")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("accel", text) for text in ("", "none", "g", "g:", "g:1,2", "g:1,2,3,4", "g:1,,3")),
        *(("accel", text) for text in ("ms2:1,2,3", "G:1,2,3", "dps:1,2,3", "lsb:1,2,3")),
        *(("accel", text) for text in ("lsb:0:1,2,3", "lsb:40000:1,2,3", "lsb:-2:1,2,3")),
        *(("gyro", text) for text in ("", "no", "g:1,2,3", "dps:1", "lsb::1,2,3", "dps:0,1,2")),
        *(("temp", text) for text in ("", "c", "k:1", "c:1,2", "lsb:340:1")),
    ],
)
def test_another_quantity_is_refused(name: str, text: str) -> None:
    """In one line that names the option."""
    with pytest.raises(UsageError, match=f"--{name}: ") as caught:
        planned(**{name: text})
    assert "wanted: " in one_line(caught.value)


def test_what_a_log_lacks_must_be_said() -> None:
    """And has no columns then."""
    assert planned().gyro == planned().temp == Quantity(NONE, ())
    assert lacking(GOOD) == []
    assert lacking({**GOOD, "gyro": "", "temp": ""}) == ["--gyro", "--temp"]
    assert lacking({**dict.fromkeys(GOOD, ""), "preset": "euroc"}) == []


def test_a_column_is_one_thing() -> None:
    """No quantity, and no two axes, share one."""
    for wrong in ({"accel": "g:a,a,c"}, {"time": "s:b"}, {"temp": "c:c"}):
        with pytest.raises(UsageError, match="is given twice"):
            planned(**wrong)


def test_an_option_replaces_that_of_a_preset() -> None:
    """The others stay; a preset that is not there is refused with the names of all."""
    options = {**dict.fromkeys(GOOD, ""), "preset": "witmotion-dated", "temp": "c:T(°)"}
    plan = plan_of(options)
    assert plan.time == Time("iso", ("time",))
    assert plan.temp.columns == ("T(°)",)
    assert plan.constant == ("DeviceName",)
    assert plan.wanted == ("time", *plan.numbers, "DeviceName")
    with pytest.raises(UsageError, match="'wit' is none of phyphox, "):
        planned(preset="wit")
