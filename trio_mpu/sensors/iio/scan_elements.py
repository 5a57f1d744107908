# Pure: no I/O, no clock, no waiting.
"""Decodes the text and bytes of the kernel's IIO interface: types, records, units, orientation.

The kernel's Documentation/ABI/testing/sysfs-bus-iio defines it: a value in the unit of the
interface is (raw + offset) times scale, in m/s², radians/s and thousandths of °C.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

from trio_mpu.errors import DeviceError

# The kernel's names for the channels of a Sample, in its order.
CHANNELS: Final = (
    *("accel_x", "accel_y", "accel_z", "anglvel_x", "anglvel_y", "anglvel_z"),
    "temp",
)
G_MS2: Final = 9.80665  # standard gravity, 3rd General Conference on Weights and Measures, 1901

Matrix = tuple[tuple[float, ...], ...]
Values = tuple[float, float, float, float, float, float, float]

_TYPE: Final = re.compile(r"(be|le):([su])(\d{1,3})/(8|16|32|64)(?:X1)?>>(\d{1,3})", re.ASCII)
MAX_SKEW: Final = 0.01  # a matrix in decimals is a rotation to about its last digit


class Type(NamedTuple):
    """The format of one channel in a record: a number of `bits`, `shift` bits above the lowest bit
    of `size` bytes."""

    order: Literal["big", "little"]
    signed: bool
    bits: int
    size: int
    shift: int

    def decode(self, data: bytes) -> int:
        """Return the number in these `size` bytes."""
        value = int.from_bytes(data, self.order) >> self.shift & ((1 << self.bits) - 1)
        if self.signed and value >> (self.bits - 1):
            value -= 1 << self.bits
        return value


def parse_type(text: str) -> Type:
    """Parse a type such as `be:s16/16>>0` (byte order, sign, bits/storage bits, shift).

    Raises DeviceError for any other format, and for several numbers per channel.
    """
    if match := _TYPE.fullmatch(text):
        bits, room, shift = int(match[3]), int(match[4]), int(match[5])
        if bits > 0 and bits + shift <= room:
            order: Literal["big", "little"] = "big" if match[1] == "be" else "little"
            return Type(order, match[2] == "s", bits, room // 8, shift)
    raise DeviceError(f"{text!r} is not a supported channel type")


class Layout:
    """The positions of the channels in a record: in the order of their indices, each aligned to its
    own size, and the whole record to the size of the largest."""

    def __init__(self, elements: Mapping[str, tuple[int, Type]], names: Sequence[str]) -> None:
        """`elements` has index and type of all enabled channels, by name; `names` are the wanted
        ones, in the wanted order. Raises DeviceError if one of them is missing, or if two channels
        have the same index."""
        for name in names:
            if name not in elements:
                raise DeviceError(f"the kernel's buffer has no channel {name}")
        ordered = sorted(elements, key=lambda name: elements[name][0])
        if len({index for index, _ in elements.values()}) < len(elements):
            raise DeviceError("two channels have the same index in the buffer")
        places: dict[str, tuple[int, int, Type]] = {}
        end = 0
        for name in ordered:
            kind = elements[name][1]
            begin = _aligned(end, kind.size)
            end = begin + kind.size
            places[name] = begin, end, kind
        self.record_bytes = _aligned(end, max(kind.size for _, kind in elements.values()))
        self._wanted = [places[name] for name in names]

    def record(self, data: bytes, number: int) -> list[int]:
        """Return the wanted channels of the record with this number in `data`."""
        base = number * self.record_bytes
        return [kind.decode(data[base + begin : base + end]) for begin, end, kind in self._wanted]


def _aligned(offset: int, size: int) -> int:
    return -(-offset // size) * size


def parse_number(text: str, what: str) -> float:
    """Return a finite number. Raises DeviceError, which says what `what` holds instead."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DeviceError(f"{what} is not a number: {text[:40]!r}")
    return value


def parse_matrix(text: str, what: str) -> Matrix:
    """Parse a rotation such as `1, 0, 0; 0, 1, 0; 0, 0, 1` into its rows.

    Raises DeviceError for anything else: values rotated by nonsense would look valid.
    """
    rows = [tuple(parse_number(cell, what) for cell in row.split(",")) for row in text.split(";")]
    if [len(row) for row in rows] != [3, 3, 3]:
        raise DeviceError(f"{what} is not three rows of three: {text[:80]!r}")
    for i, row in enumerate(rows):
        for j, other in enumerate(rows[: i + 1]):
            product = sum(a * b for a, b in zip(row, other, strict=True))
            if abs(product - (i == j)) > MAX_SKEW:
                raise DeviceError(f"{what} is not a rotation: {text[:80]!r}")
    return tuple(rows)


def is_clipped(raw: Sequence[int]) -> bool:
    """Return whether an axis is at an end of its range; `raw` is in the order of CHANNELS.

    All chips of the driver's family measure 16 bits.
    """
    return max(raw[:6]) == 2**15 - 1 or min(raw[:6]) == -(2**15)


class Conversion:
    """Converts raw numbers to g, °/s and °C along the axes of the object that carries the chip.

    The mount matrix is applied as in Documentation/devicetree/bindings/iio/mount-matrix.txt:
    x' = m[0][0]·x + m[0][1]·y + m[0][2]·z, and so on.
    """

    def __init__(
        self, scales: Sequence[float], offsets: Sequence[float], accel: Matrix, gyro: Matrix
    ) -> None:
        """Scales and offsets are in the order of CHANNELS."""
        self._offsets = tuple(offsets)
        units = [*[scale / G_MS2 for scale in scales[:3]], *map(math.degrees, scales[3:6])]
        self._accel = [[m * u for m, u in zip(row, units[:3], strict=True)] for row in accel]
        self._gyro = [[m * u for m, u in zip(row, units[3:], strict=True)] for row in gyro]
        self._temp = scales[6] / 1000

    def values(self, raw: Sequence[int]) -> Values:
        """Convert seven numbers in the order of CHANNELS to ax ay az in g, gx gy gz in °/s, and
        temp in °C."""
        ax, ay, az, gx, gy, gz, temp = (
            value + offset for value, offset in zip(raw, self._offsets, strict=True)
        )
        (a, b, c), (d, e, f), (g, h, i) = self._accel
        (j, k, m), (n, o, p), (q, r, s) = self._gyro
        return (
            a * ax + b * ay + c * az,
            d * ax + e * ay + f * az,
            g * ax + h * ay + i * az,
            j * gx + k * gy + m * gz,
            n * gx + o * gy + p * gz,
            q * gx + r * gy + s * gz,
            temp * self._temp,
        )
