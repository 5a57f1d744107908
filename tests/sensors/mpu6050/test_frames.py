"""14 bytes → a reading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.software_chip import frame_of, number_of, raw_of, words
from trio_mpu.sample import Flag, checked
from trio_mpu.sensors.mpu6050.frames import Scale, is_sound, split
from trio_mpu.sensors.mpu6050.registers import Setup
from trio_mpu.sensors.mpu6050.variants import VARIANTS, ChipVariant

SCALE = Scale.of(Setup(), VARIANTS[0x68])


def test_a_frame_of_known_bytes() -> None:
    """Big-endian, in this order, at ±2 g and ±250 °/s."""
    frame = bytes.fromhex("4000 c000 2000 f0b0 0083 ff7d 4000")
    sample = SCALE.sample(frame, 7, Flag.UNCALIBRATED)
    assert sample[:6] == (7, 1.0, -1.0, 0.5, 1.0, -1.0)
    assert sample.gz == pytest.approx(125.0687)
    assert sample.temp == pytest.approx(25.0006, abs=1e-4)
    assert (sample.flags, sample.lost) == (Flag.UNCALIBRATED, 0)


@pytest.mark.parametrize(("accel", "at_16384"), [(2, 1.0), (4, 2.0), (8, 4.0), (16, 8.0)])
@pytest.mark.parametrize(("gyro", "at_13100"), [(250, 100.0), (500, 200.0)])
def test_the_ranges_scale_the_values(
    accel: int, at_16384: float, gyro: int, at_13100: float
) -> None:
    """The same bytes mean more in a wider range."""
    frame = b"".join(n.to_bytes(2, signed=True) for n in (16384, 0, 0, 0, 13100, 0, 0))
    sample = Scale.of(Setup(accel, gyro), VARIANTS[0x70]).sample(frame, 0, 0)
    assert (sample.ax, sample.gx, sample.temp) == (at_16384, at_13100, 21.0)


@pytest.mark.parametrize("place", range(7))
@pytest.mark.parametrize("end", [-32768, 32767])
def test_an_axis_at_an_end_of_its_range_is_told(place: int, end: int) -> None:
    """Each axis, either end, and no step before it; the temperature has no range to leave."""
    for value in (end, end - 1 if end > 0 else end + 1):
        numbers = [0] * 7
        numbers[place] = value
        frame = b"".join(number.to_bytes(2, signed=True) for number in numbers)
        sample = SCALE.sample(frame, 0, Flag.DEVICE_GAP)
        is_clipped = value == end and place != 3
        assert sample.flags == Flag.DEVICE_GAP | (Flag.CLIPPED if is_clipped else 0)


@given(
    st.sampled_from((2, 4, 8, 16)),
    st.sampled_from((250, 500, 1000, 2000)),
    st.sampled_from(tuple(VARIANTS.values())),
    st.integers(0, 65535),
)
def test_no_frame_of_the_chip_is_out_of_range(
    accel: int, gyro: int, variant: ChipVariant, number: int
) -> None:
    """Whatever it measures can be recorded and played back; and nothing is lost in scaling."""
    scale = Scale.of(Setup(accel, gyro), variant)
    sample = checked(scale.sample(frame_of(number), 0, 0))
    assert raw_of(sample, scale) == words(number)
    assert number_of(sample, scale) == number


@given(st.integers(0, 65535), st.integers(1, 65535), st.integers(1, 13))
def test_the_test_knows_a_frame_of_two_readings(number: int, other: int, cut: int) -> None:
    """What the software chip encodes would show a frame made of parts of two."""
    one, two = frame_of(number), frame_of((number + other) % 65536)
    mixed = one[:cut] + two[cut:]
    if mixed not in (one, two):
        assert number_of(SCALE.sample(mixed, 0, 0), SCALE) is None


def test_frames_are_cut_where_they_begin() -> None:
    """All of them, in order."""
    frames = [frame_of(number) for number in range(5)]
    assert split(b"".join(frames)) == frames
    assert split(b"") == []


@pytest.mark.parametrize("fifo_bytes", [512, 1008, 1024, 4096])
def test_a_fifo_is_read_only_when_it_is_in_order(fifo_bytes: int) -> None:
    """Whole frames, and three more would fit, as in the kernel's driver."""
    most = (fifo_bytes - 42) // 14 * 14
    sound = [count for count in range(fifo_bytes + 1) if is_sound(count, fifo_bytes)]
    assert sound == list(range(0, most + 1, 14))
    assert not is_sound(1024 // 14 * 14, 1024)
