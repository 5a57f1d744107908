"""What a quaternion says: angles, and the acceleration without gravity."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.fakes import make_record
from tests.helpers.motions import Quaternion, product, turn, up
from trio_mpu.attitude import attitude_columns, attitude_csv, attitude_json, attitude_of
from trio_mpu.record import Record

X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def posed(roll: float, pitch: float, yaw: float) -> Quaternion:
    """Turned about z, then about the new y, then about the new x."""
    return product(product(turn(Z, yaw), turn(Y, pitch)), turn(X, roll))


def record(q: Quaternion, linear: tuple[float, float, float] = (0, 0, 0)) -> Record:
    """A sample of a body that is accelerated besides gravity, in g."""
    ax, ay, az = (gravity + more for gravity, more in zip(up(q), linear, strict=True))
    w, x, y, z = q
    return make_record(1, ax=ax, ay=ay, az=az, qw=w, qx=x, qy=y, qz=z)


def test_without_a_quaternion_there_is_no_attitude() -> None:
    """Four zeros are none; CSV has empty cells for it."""
    none = make_record(1)
    assert attitude_of(none) is None
    assert attitude_json(none, ("x", "y", "z"), 1, 9) == ""
    assert attitude_csv(none, 1) == "," * len(attitude_columns(("x", "y", "z"))) == "," * 10


@given(st.floats(-179, 179), st.floats(-89.9, 89.9), st.floats(-179, 179))
def test_the_angles_are_those_of_the_three_rotations(roll: float, pitch: float, yaw: float) -> None:
    """Yaw, pitch and roll, one after the other, give the quaternion; its sign means nothing."""
    q = posed(roll, pitch, yaw)
    for sign in (1, -1):
        w, x, y, z = (sign * part for part in q)
        found = attitude_of(record((w, x, y, z)))
        assert found is not None
        assert found[1:4] == pytest.approx((roll, pitch, yaw), abs=1e-6)
        assert found.q == (w, x, y, z)


@pytest.mark.parametrize("pitch", [90, -90])
@given(roll=st.floats(-180, 180), yaw=st.floats(-180, 180))
def test_straight_up_and_down_yaw_has_both_rotations(pitch: int, roll: float, yaw: float) -> None:
    """Roll is 0, and the three angles give the same attitude; also with a ring's precision."""
    q = posed(roll, pitch, yaw)
    found = attitude_of(record(q))
    assert found is not None
    assert found.roll == 0
    assert found.pitch == pytest.approx(pitch, abs=0.03)
    assert -180 <= found.yaw <= 180
    again = posed(found.roll, found.pitch, found.yaw)
    same = abs(sum(a * b for a, b in zip(q, again, strict=True)))
    assert same == pytest.approx(1, abs=1e-6)


def test_a_quaternion_that_is_rounded_is_no_error() -> None:
    """The sine of pitch may come out above 1."""
    half = math.sqrt(0.5) * 1.000001
    found = attitude_of(make_record(1, qw=half, qx=0.0, qy=half, qz=0.0))
    assert found is not None
    assert found.pitch == 90


@given(
    st.floats(-180, 180),
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.tuples(*[st.floats(-15, 15)] * 3),
)
def test_the_acceleration_has_no_gravity_in_it(
    roll: float, pitch: float, yaw: float, linear: tuple[float, float, float]
) -> None:
    """In the sensor's own axes."""
    found = attitude_of(record(posed(roll, pitch, yaw), linear))
    assert found is not None
    assert found.linear == pytest.approx(linear, abs=1e-9)


def test_pitch_is_positive_when_x_points_down() -> None:
    """And roll when y points up: the directions of right-handed rotations."""
    nose_down = attitude_of(record(turn(Y, 30)))
    left_up = attitude_of(record(turn(X, 30)))
    to_the_left = attitude_of(record(turn(Z, 30)))
    assert nose_down is not None
    assert left_up is not None
    assert to_the_left is not None
    assert nose_down[1:4] == pytest.approx((0, 30, 0))
    assert left_up[1:4] == pytest.approx((30, 0, 0))
    assert to_the_left[1:4] == pytest.approx((0, 0, 30))
    assert up(turn(Y, 30))[0] < 0
    assert up(turn(X, 30))[1] > 0
