"""The driver's text → a sample, or one line that says why not."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.fake_devices import one_line
from trio_mpu.device import MAX_TEXT_BYTES, parse_text
from trio_mpu.errors import DeviceError, NoSampleYet
from trio_mpu.sample import AXES, NO_ATTITUDE, Sample, checked

TEXT = (
    "IRQ count: 0\n 0.195, 0.023, 0.906, [g]\n-5.844,-0.473, 0.495, [dps]\n26.101, [°C]\n"
).encode()
SAMPLE = Sample(7, 0.195, 0.023, 0.906, -5.844, -0.473, 0.495, 26.101)
NOT_YET = b"IRQ count: 0\n(no sample yet)\n"


def text_of(values: tuple[float, ...], irqs: int = 0) -> bytes:
    """The text that the driver's printf makes of seven values."""
    ax, ay, az, gx, gy, gz, temp = values
    return (
        f"IRQ count: {irqs}\n{ax: .3f},{ay: .3f},{az: .3f}, [g]\n"
        f"{gx: .3f},{gy: .3f},{gz: .3f}, [dps]\n{temp:.3f}, [°C]\n"
    ).encode()


def with_value(sample: Sample, axis: str, value: float) -> Sample:
    """The sample with another value on this axis."""
    return Sample(**{**sample._asdict(), axis: value})


def outcome(text: bytes) -> Sample | DeviceError:
    """What becomes of a text; any other error fails the test."""
    try:
        return parse_text(text, 7)
    except DeviceError as error:
        one_line(error)
        return error


def test_the_drivers_text_is_parsed() -> None:
    """The text as the driver writes it gives its values, the time it was given, and no flags."""
    assert parse_text(TEXT, 7) == SAMPLE
    assert SAMPLE.flags == SAMPLE.lost == 0
    assert text_of(SAMPLE[1:8]) == TEXT


@pytest.mark.parametrize(
    "text",
    [
        TEXT.removesuffix(b"\n"),
        TEXT.replace(b"\n", b"\r\n"),
        TEXT.replace(b"\n", b"\r\n").removesuffix(b"\n"),
        TEXT.replace(b"\n", b"\r\n").removesuffix(b"\r\n"),
        TEXT.replace(b"count: 0", b"count: 4294967295"),
        TEXT.replace(b"\n26", b"\n 26"),  # a temperature with a sign column as well
    ],
)
def test_line_ends_the_count_and_the_temperatures_column_may_differ(text: bytes) -> None:
    """CRLF, no last line end, a large count and a space before the temperature change nothing."""
    assert parse_text(text, 7) == SAMPLE


@pytest.mark.parametrize(
    "values",
    [
        (16.0, -16.0, 0.0, 2000.0, -2000.0, 0.0, 133.0),
        (-16.0, 15.999, -0.001, -1999.999, 999.999, 0.001, -78.0),
        (-1.0, -10.0, 10.0, -100.0, -1000.0, 1000.0, -0.5),
    ],
)
def test_negative_and_wide_values_are_parsed(values: tuple[float, ...]) -> None:
    """Numbers may be as wide as the chip's widest ranges make them."""
    assert parse_text(text_of(values), 1) == Sample._make((1, *values, 0, 0, *NO_ATTITUDE))


thousandths = {"a": (-16_000, 16_000), "g": (-2_000_000, 2_000_000), "t": (-78_000, 133_000)}


@given(st.tuples(*(st.integers(*thousandths[axis[0]]) for axis in AXES)), st.integers(0, 2**64))
def test_every_value_that_the_driver_can_write_comes_back(
    numbers: tuple[int, ...], irqs: int
) -> None:
    """Parsing is the inverse of the driver's printf, for three decimals."""
    values = tuple(number / 1000 for number in numbers)
    assert parse_text(text_of(values, irqs), 0) == Sample._make((0, *values, 0, 0, *NO_ATTITUDE))


@pytest.mark.parametrize("text", [NOT_YET, NOT_YET[:-1], NOT_YET.replace(b"\n", b"\r\n")])
def test_no_sample_yet_is_told_apart(text: bytes) -> None:
    """The driver's "(no sample yet)" is an error of its own kind: the device works."""
    assert isinstance(outcome(text), NoSampleYet)


@pytest.mark.parametrize(
    "text", [TEXT, TEXT.replace(b"\n", b"\r\n"), text_of((-16, 1, 2, 2000, 0, -9, -60))]
)
def test_a_truncated_text_is_no_sample(text: bytes) -> None:
    """Cut off anywhere before the last line's end, a text is a named error and never a sample."""
    whole = parse_text(text, 7)
    for end in range(len(text)):
        cut = outcome(text[:end])
        if end >= len(text.rstrip()):
            assert cut == whole
        else:
            assert type(cut) is DeviceError, text[:end]


def test_a_truncated_no_sample_yet_is_an_error() -> None:
    """Half of "(no sample yet)" is not taken for it."""
    for end in range(len(NOT_YET) - 1):
        assert type(outcome(NOT_YET[:end])) is DeviceError


def integer_digits(text: bytes, *lines: int) -> set[int]:
    """The offsets of the digits before a decimal point in these lines."""
    offsets, begin = set(), 0
    for number, line in enumerate(text.split(b"\n")):
        if number in lines:
            for place, byte in enumerate(line):
                rest = line[place:].lstrip(b"0123456789")
                if chr(byte).isdigit() and rest.startswith(b"."):
                    offsets.add(begin + place)
        begin += len(line) + 1
    return offsets


def wrong_values(change: Callable[[int], bytes]) -> set[int]:
    """The offsets at which a change of the text gives a sample with other values."""
    found = set()
    for offset in range(len(TEXT)):
        result = outcome(change(offset))
        if isinstance(result, Sample) and result != SAMPLE:
            found.add(offset)
    return found


def test_a_lost_byte_is_noticed_where_it_can_be() -> None:
    """Without any one byte the text is an error, with one exception that no parser can see: the
    temperature has no fixed width, so a digit before its point may be missing."""
    wrong = wrong_values(lambda offset: TEXT[:offset] + TEXT[offset + 1 :])
    assert wrong == integer_digits(TEXT, 3)


def test_a_doubled_byte_is_noticed_where_it_can_be() -> None:
    """With any one byte twice the text is an error or has the same values; what no parser can see
    is a doubled digit before the point when the value is still within the chip's range."""
    wrong = wrong_values(lambda offset: TEXT[: offset + 1] + TEXT[offset:])
    assert wrong == {TEXT.index(b"5.844")}


def test_a_flipped_bit_is_noticed_where_it_can_be() -> None:
    """A flipped bit gives an error or the same values, unless it turns a digit of a number into
    another digit: no parser can see that."""
    for bit in range(8):

        def flipped(offset: int, bit: int = bit) -> bytes:
            return TEXT[:offset] + bytes([TEXT[offset] ^ 1 << bit]) + TEXT[offset + 1 :]

        for offset in wrong_values(flipped):
            assert TEXT[offset : offset + 1].isdigit()
            assert flipped(offset)[offset : offset + 1].isdigit()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "no text"),
        (b"\n", "line 1"),
        (b"\0" * 100, "line 1"),
        (bytes(range(256)), "line 1"),
        (TEXT + TEXT, "continues after line 4"),
        (TEXT + b"\n", "continues after line 4"),
        (TEXT * 10, "more than 512 bytes"),
        (b"9" * 10**6, "more than 512 bytes"),
        (TEXT.split(b"\n")[0] + b"\n", "ends after line 1 of 4"),
        (b"\n".join(TEXT.split(b"\n")[:3]), "ends after line 3 of 4"),
        (b"\xef\xbb\xbf" + TEXT, "line 1"),
        (TEXT.decode().encode("utf-16"), "line 1"),
        (TEXT.decode().encode("latin-1"), r"line 4 of the device's text is not a number and \[°C]"),
        (TEXT.replace(b" 0.195", b"   nan"), "line 2"),
        (TEXT.replace(b" 0.195", b"   inf"), "line 2"),
        (TEXT.replace(b"-5.844", b" -inf"), "line 3"),
        (TEXT.replace(b"26.101", b"nan"), "line 4"),
        (TEXT.replace(b" 0.195", b" 1e300"), "line 2"),
        (TEXT.replace(b" 0.195", b" 00.195"), "line 2"),
        (TEXT.replace(b" 0.195", b"+0.195"), "line 2"),
        (TEXT.replace(b"[g]", b"[dps]"), "line 2"),
        (TEXT.replace(b",-0.473", b""), "line 3"),
        (TEXT.replace(b"count: 0", b"count: 0 "), "line 1"),
        (TEXT.replace(b"[g]", b"[g]]"), "line 2"),
        (TEXT.replace(b"[dps]", b"[dps] -1.000"), "line 3"),
        (TEXT.replace("[°C]".encode(), "[°C] ".encode()), "line 4"),
        (NOT_YET + b"more", "line 2"),
        (
            TEXT.replace(b" 0.195", b" " + b"9" * 400 + b".000"),
            "ax = inf is outside the range -16 to 16",
        ),
        (TEXT.replace(b" 0.906", b" 16.001"), "az = 16.001 is outside the range -16 to 16"),
        (TEXT.replace(b"-5.844", b"-2000.001"), "gx = -2000 is outside the range -2000 to 2000"),
        (TEXT.replace(b"26.101", b"-78.001"), "temp = -78.001 is outside the range -78 to 133"),
        (TEXT.replace(b"26.101", b"133.001"), "temp = 133.001 is outside the range -78 to 133"),
    ],
)
def test_the_error_says_what_is_wrong(text: bytes, message: str) -> None:
    """Each kind of wrong text has its own one-line message."""
    with pytest.raises(DeviceError, match=message) as caught:
        parse_text(text, 0)
    one_line(caught.value)


def test_a_text_of_512_bytes_is_still_looked_at() -> None:
    """The bound is the driver's buffer, inclusive."""
    padding = MAX_TEXT_BYTES - len(TEXT)
    assert parse_text(TEXT.replace(b"count: 0", b"count: 0" + b"0" * padding), 7) == SAMPLE
    longer = TEXT.replace(b"count: 0", b"count: 0" + b"0" * (padding + 1))
    assert "more than 512" in str(outcome(longer))


@given(st.binary(max_size=600))
def test_random_bytes_give_a_sample_or_a_device_error(text: bytes) -> None:
    """Nothing else comes out of the parser, whatever goes in."""
    assert isinstance(outcome(text), Sample | DeviceError)


@given(st.data())
def test_a_mutilated_text_never_gives_what_the_chip_cannot_measure(data: st.DataObject) -> None:
    """Pieces cut out, doubled and replaced: a sample that comes out is within the chip's range."""
    text = TEXT
    for _ in range(data.draw(st.integers(1, 3))):
        begin = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(begin, len(text)))
        text = text[:begin] + data.draw(st.binary(max_size=4) | st.just(TEXT)) + text[end:]
    result = outcome(text)
    assert isinstance(result, DeviceError) or checked(result) is result


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e9, -1e9])
def test_what_no_chip_can_have_measured_is_refused_by_name(axis: str, value: float) -> None:
    """NaN, infinities and values out of range name their axis."""
    with pytest.raises(DeviceError, match=f"^{axis} = "):
        checked(with_value(SAMPLE, axis, value))
