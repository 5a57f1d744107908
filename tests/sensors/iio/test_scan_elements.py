"""IIO's texts and bytes, by examples of the kernel's and round trips."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.fake_devices import one_line
from trio_mpu.errors import DeviceError
from trio_mpu.sensors.iio.scan_elements import (
    CHANNELS,
    G_MS2,
    Conversion,
    Layout,
    Type,
    parse_matrix,
    parse_number,
    parse_type,
)

STRAIGHT = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
S16 = Type("big", True, 16, 2, 0)
S64 = Type("little", True, 64, 8, 0)


# -- types --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("be:s16/16>>0", S16),
        ("le:s64/64>>0", S64),
        ("le:u12/16>>4", Type("little", False, 12, 2, 4)),
        ("be:s24/32>>8", Type("big", True, 24, 4, 8)),
        ("le:s8/8>>0", Type("little", True, 8, 1, 0)),
        ("be:u1/8>>7", Type("big", False, 1, 1, 7)),
        ("be:s16/16X1>>0", S16),
    ],
)
def test_a_type_is_what_the_kernel_says(text: str, kind: Type) -> None:
    """Byte order, sign, bits, room and shift."""
    assert parse_type(text) == kind


@pytest.mark.parametrize(
    "text",
    [
        "",
        "be:s16/16",
        "be:s16/16>>",
        "xe:s16/16>>0",
        "be:f32/32>>0",
        "be:s16/16X4>>0",
        "be:s0/16>>0",
        "be:s17/16>>0",
        "be:s16/16>>1",
        "be:s24/24>>0",
        "be:s16/16>>0 ",
        "be:s\u0661\u0666/16>>0",
        "be:s16/16>>-1",
    ],
)
def test_what_is_no_known_type_is_refused(text: str) -> None:
    """Rather than to give numbers that are none."""
    with pytest.raises(DeviceError, match="channel type") as caught:
        parse_type(text)
    one_line(caught.value)


@pytest.mark.parametrize(
    ("text", "data", "value"),
    [
        ("be:s16/16>>0", b"\x01\x02", 0x0102),
        ("le:s16/16>>0", b"\x01\x02", 0x0201),
        ("be:s16/16>>0", b"\xff\xfe", -2),
        ("le:s16/16>>0", b"\x00\x80", -32768),
        ("be:u16/16>>0", b"\xff\xfe", 0xFFFE),
        ("le:s12/16>>4", b"\xf0\xff", -1),
        ("le:s12/16>>4", b"\x1f\x00", 1),
        ("be:u12/16>>0", b"\xf1\x23", 0x123),
        ("be:s12/16>>0", b"\xf7\xff", 0x7FF),
        ("be:s24/32>>8", b"\x80\x00\x00\xff", -(2**23)),
        ("le:s64/64>>0", (-5).to_bytes(8, "little", signed=True), -5),
        ("le:u8/8>>0", b"\xff", 255),
    ],
)
def test_a_number_is_decoded_by_its_type(text: str, data: bytes, value: int) -> None:
    """Bits beside the number's own mean nothing."""
    assert parse_type(text).decode(data) == value


@st.composite
def typed_values(draw: st.DrawFn) -> tuple[str, int, bytes]:
    """A type, a value, and the bytes of that value between bits that are noise."""
    room = draw(st.sampled_from([8, 16, 32, 64]))
    bits = draw(st.integers(1, room))
    shift = draw(st.integers(0, room - bits))
    signed = draw(st.booleans())
    order = draw(st.sampled_from(["be", "le"]))
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    value = draw(st.integers(low, high))
    mask = (1 << bits) - 1
    noise = draw(st.integers(0, (1 << room) - 1)) & ~(mask << shift)
    word = noise | (value & mask) << shift
    data = word.to_bytes(room // 8, "big" if order == "be" else "little")
    return f"{order}:{'s' if signed else 'u'}{bits}/{room}>>{shift}", value, data


@given(typed_values())
def test_every_number_of_every_type_is_found_again(case: tuple[str, int, bytes]) -> None:
    """Whatever stands around it."""
    text, value, data = case
    assert parse_type(text).decode(data) == value


# -- records ------------------------------------------------------------------------------------


def elements(**kinds: Type) -> dict[str, tuple[int, Type]]:
    """Channels in this order."""
    return {name: (index, kind) for index, (name, kind) in enumerate(kinds.items())}


def test_the_driver_s_record_has_24_bytes_with_the_time_at_16() -> None:
    """As a Debian 6.1 kernel lays it out; wanted in another order than it stands there."""
    order = ("accel_x", "accel_y", "accel_z", "temp", "anglvel_x", "anglvel_y", "anglvel_z")
    layout = Layout(elements(**dict.fromkeys(order, S16), timestamp=S64), (*CHANNELS, "timestamp"))
    assert layout.record_bytes == 24
    first = struct.pack(">7h2x", 1, -2, 3, 4, 5, -6, 7) + struct.pack("<q", 123456789012345)
    data = first + bytes(reversed(first))
    assert layout.record(data, 0) == [1, -2, 3, 5, -6, 7, 4, 123456789012345]
    assert layout.record(first * 3 + data, 3) == layout.record(first, 0)


@pytest.mark.parametrize(
    ("sizes", "begins", "size"),
    [
        ([2], [0], 2),
        ([1, 2], [0, 2], 4),
        ([2, 1], [0, 2], 4),
        ([2, 8], [0, 8], 16),
        ([8, 2], [0, 8], 16),
        ([1, 1, 4, 2], [0, 1, 4, 8], 12),
        ([4, 1, 8], [0, 4, 8], 16),
    ],
)
def test_each_channel_is_aligned_to_its_size_and_the_record_to_the_largest(
    sizes: list[int], begins: list[int], size: int
) -> None:
    """As the kernel's iio_compute_scan_bytes does it."""
    kinds = {f"c{n}": Type("big", False, 8 * room, room, 0) for n, room in enumerate(sizes)}
    layout = Layout(elements(**kinds), list(kinds))
    assert layout.record_bytes == size
    data = bytes(range(size))
    expected = [
        int.from_bytes(data[begin : begin + room], "big")
        for begin, room in zip(begins, sizes, strict=True)
    ]
    assert layout.record(data, 0) == expected


def test_the_index_decides_on_the_place_not_the_name() -> None:
    """Channels that are not wanted have their place all the same."""
    found = {"b": (7, S16), "a": (9, S16), "other": (8, S16)}
    assert Layout(found, ["a", "b"]).record(struct.pack(">3h", 1, 2, 3), 0) == [3, 1]


def test_a_layout_that_can_not_be_is_refused() -> None:
    """Two channels at one place, and one that is missing."""
    with pytest.raises(DeviceError, match="same index"):
        Layout({"a": (0, S16), "b": (0, S16)}, ["a"])
    with pytest.raises(DeviceError, match="has no channel temp"):
        Layout({"a": (0, S16)}, ["a", "temp"])


# -- numbers, matrices, units -------------------------------------------------------------------


def test_a_number_is_finite_or_refused() -> None:
    """The message says which one it is."""
    assert parse_number("-1.5e-3", "scale") == -0.0015
    for text in ("", "nan", "inf", "1,5", "0x10", "x" * 1000):
        with pytest.raises(DeviceError, match="in_accel_scale is not a number") as caught:
            parse_number(text, "in_accel_scale")
        one_line(caught.value)


@pytest.mark.parametrize(
    "text",
    ["1, 0, 0; 0, 1, 0; 0, 0, 1", "0,1,0;-1,0,0;0,0,1", "1, 0, 0; 0, 0.866, 0.5; 0, -0.5, 0.866"],
)
def test_a_matrix_has_the_rows_of_the_text(text: str) -> None:
    """Also one whose decimals are few."""
    rows = [[float(cell) for cell in row.split(",")] for row in text.split(";")]
    assert [list(row) for row in parse_matrix(text, "m")] == rows


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1, 0, 0; 0, 1, 0",
        "1, 0; 0, 1",
        "1, 0, 0; 0, 1, 0; 0, 0, 1; 0, 0, 0",
        "1, 0, 0; 0, 1, 0; 0, 0, x",
        "0, 0, 0; 0, 0, 0; 0, 0, 0",
        "2, 0, 0; 0, 1, 0; 0, 0, 1",
        "1, 0, 0; 1, 0, 0; 0, 0, 1",
        "1, 0, 0; 0, 1, 0; 0, 0, nan",
    ],
)
def test_what_is_no_rotation_is_refused(text: str) -> None:
    """Values turned by nonsense would look like values."""
    with pytest.raises(DeviceError, match="in_mount_matrix") as caught:
        parse_matrix(text, "in_mount_matrix")
    one_line(caught.value)


# Of the driver, at ±2 g and ±2000 °/s.
SCALES = (*[0.000598] * 3, *[0.001064724] * 3, 2.941176)
OFFSETS = (*[0.0] * 6, 12420.0)


def test_raw_numbers_become_g_degrees_a_second_and_degrees_celsius() -> None:
    """The driver's own scales give what the chip's data sheet says, to the kernel's six digits."""
    values = Conversion(SCALES, OFFSETS, STRAIGHT, STRAIGHT).values(
        [16384, -8192, 0, 164, -32768, 0, -3920]
    )
    exact = (1.0, -0.5, 0, 164 / 16.4, -32768 / 16.4, 0, -3920 / 340 + 36.53)
    assert values == pytest.approx(exact, rel=1.5e-3, abs=1e-9)
    assert values[0] == pytest.approx(16384 * 0.000598 / 9.80665, rel=1e-12)
    assert values[3] == pytest.approx(164 * 0.001064724 * 180 / math.pi, rel=1e-12)
    assert values[6] == pytest.approx((-3920 + 12420) * 2.941176 / 1000, rel=1e-12)


def test_each_channel_has_its_own_scale_and_offset() -> None:
    """No two of them are mixed up."""
    scales = [G_MS2, 2 * G_MS2, 3 * G_MS2, *[math.radians(n) for n in (4, 5, 6)], 7000]
    conversion = Conversion(scales, [10, 20, 30, 40, 50, 60, 70], STRAIGHT, STRAIGHT)
    expected = [(n + 1) * (1 + 10 * (n + 1)) for n in range(7)]
    assert conversion.values([1] * 7) == pytest.approx(expected)


def test_the_mount_matrix_turns_each_kind_by_its_own() -> None:
    """A chip that looks up where the board's y axis is: its z is the board's y. The kernel's own
    example, compensating a tilt of 30° about x, puts gravity back upon z."""
    conversion = Conversion(
        (*[G_MS2] * 3, *[math.radians(1)] * 3, 1000),
        [0] * 7,
        ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
        ((0, 1, 0), (-1, 0, 0), (0, 0, 1)),
    )
    assert conversion.values([1, 2, 3, 4, 5, 6, 7]) == pytest.approx((1, 3, -2, 5, -4, 6, 7))
    tilted = parse_matrix("1, 0, 0; 0, 0.866, 0.5; 0, -0.5, 0.866", "m")
    scales = (*[G_MS2 / 1000] * 3, *[1] * 3, 1)
    values = Conversion(scales, [0] * 7, tilted, STRAIGHT).values([0, -500, 866, 0, 0, 0, 0])
    assert values[:3] == pytest.approx((0, 0, 1), abs=1e-3)
