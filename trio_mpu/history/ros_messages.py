# Pure: no I/O, no clock, no waiting.
"""A record as messages of ROS 2: their definitions, and their bytes in CDR.

CDR is the form in which ROS 2 puts messages on the wire (OMG DDSI-RTPS 2.5, section 10, and OMG
DDS-XTypes 1.3, section 7.4.3, "XCDR1"): four bytes that say so, then the fields in their order, each
aligned to its size, counted from the first field on. Here everything is little-endian.
"""

import struct
from typing import Final

from trio_mpu.errors import RequestError
from trio_mpu.formats import SI_FACTORS, STANDARD_GRAVITY
from trio_mpu.iso_time import iso
from trio_mpu.record import Record
from trio_mpu.sample import Flag, Gap

FRAME_ID: Final = "imu_link"  # ROS REP 145: the sensor's own frame

IMU: Final = "sensor_msgs/msg/Imu"
TEMPERATURE: Final = "sensor_msgs/msg/Temperature"
SAMPLE: Final = "trio_mpu_msgs/msg/Sample"
GAP: Final = "trio_mpu_msgs/msg/Gap"

UNKNOWN: Final = -1  # in place of a number that nobody can know

_SEPARATOR: Final = "=" * 80
_PARTS: Final = {
    "std_msgs/Header": "builtin_interfaces/Time stamp\nstring frame_id\n",
    "builtin_interfaces/Time": "int32 sec\nuint32 nanosec\n",
    "geometry_msgs/Quaternion": "float64 x\nfloat64 y\nfloat64 z\nfloat64 w\n",
    "geometry_msgs/Vector3": "float64 x\nfloat64 y\nfloat64 z\n",
}


def _definition(text: str, *parts: str) -> bytes:
    """Return a definition with those that it uses, as MCAP's `ros2msg` has them."""
    return "".join(
        [text, *(f"{_SEPARATOR}\nMSG: {part}\n{_PARTS[part]}" for part in parts)]
    ).encode()


_SAMPLE_FLAGS: Final = "".join(f"uint32 {flag.name}={flag.value}\n" for flag in Flag)

# By type: what a program has to know to decode it.
DEFINITIONS: Final = {
    IMU: _definition(
        "std_msgs/Header header\n"
        "geometry_msgs/Quaternion orientation\nfloat64[9] orientation_covariance\n"
        "geometry_msgs/Vector3 angular_velocity\nfloat64[9] angular_velocity_covariance\n"
        "geometry_msgs/Vector3 linear_acceleration\nfloat64[9] linear_acceleration_covariance\n",
        *_PARTS,
    ),
    TEMPERATURE: _definition(
        "std_msgs/Header header\nfloat64 temperature\nfloat64 variance\n",
        "std_msgs/Header",
        "builtin_interfaces/Time",
    ),
    # What the messages of others have no place for. The constants are the bits of `flags`.
    SAMPLE: _definition(
        f"{_SAMPLE_FLAGS}uint64 seq\nint64 t_ns\nuint32 flags\nuint32 lost\n",
    ),
    GAP: _definition(
        f"int64 UNKNOWN={UNKNOWN}\nuint64 from_seq\nuint64 to_seq\nint64 lost\nstring reason\n",
    ),
}

_CDR: Final = b"\0\1\0\0"  # little-endian, no options
_FRAME: Final = FRAME_ID.encode() + b"\0"
_HEADER: Final = f"<4s iI I{len(_FRAME)}s {-len(_FRAME) % 4}x"
assert (struct.calcsize(_HEADER) - len(_CDR)) % 8 == 0  # a float64 may follow
# Covariances of 9 numbers, all zero: unknown. The orientation's first one may be -1: there is none.
_IMU: Final = struct.Struct(f"{_HEADER} 4d d64x 3d72x 3d72x")
_TEMPERATURE: Final = struct.Struct(f"{_HEADER} d8x")  # a variance of zero: unknown
_SAMPLE: Final = struct.Struct("<4s Qq II")
_GAP: Final = struct.Struct("<4s QQq I")

_MAX_SECONDS: Final = 2**31  # ROS 2 counts them in an int32: until 2038
_RAD: Final = SI_FACTORS[3]

Stamp = tuple[int, int]  # seconds since 1970, and nanoseconds


def stamp_of(record: Record) -> Stamp:
    """Return the time of a record as ROS has it. Raises RequestError for one beyond its bounds."""
    seconds, nanoseconds = divmod(record.time_ns, 10**9)
    if not 0 <= seconds < _MAX_SECONDS:
        raise RequestError(
            409,
            f"sample {record.seq} is from {iso(record.time_ns // 1000)}: "
            "messages of ROS 2 have times from 1970 to January 2038",
        )
    return seconds, nanoseconds


def imu(record: Record, stamp: Stamp) -> bytes:
    """Return a sensor_msgs/msg/Imu: in m/s² and rad/s, with the attitude if there is one.

    Without an attitude `orientation` is what ROS 2 fills in where nobody does, no rotation: four
    zeros would turn into NaN in programs that do not look at the covariance.
    """
    r, g = record, STANDARD_GRAVITY
    attitude, covariance = (r.qx, r.qy, r.qz, r.qw), 0.0
    if not any(attitude):
        attitude, covariance = (0.0, 0.0, 0.0, 1.0), -1.0
    return _IMU.pack(
        _CDR, *stamp, len(_FRAME), _FRAME, *attitude, covariance,
        r.gx * _RAD, r.gy * _RAD, r.gz * _RAD, r.ax * g, r.ay * g, r.az * g,
    )  # fmt: skip


def temperature(record: Record, stamp: Stamp) -> bytes:
    """Return a sensor_msgs/msg/Temperature: the chip's, in °C."""
    return _TEMPERATURE.pack(_CDR, *stamp, len(_FRAME), _FRAME, record.temp)


def sample(record: Record) -> bytes:
    """Return a trio_mpu_msgs/msg/Sample: number, CLOCK_MONOTONIC, flags and readings lost."""
    return _SAMPLE.pack(_CDR, record.seq, record.t_ns, record.flags, record.lost)


def gap(missing: Gap) -> bytes:
    """Return a trio_mpu_msgs/msg/Gap."""
    reason = missing.reason.encode() + b"\0"
    lost = UNKNOWN if missing.lost is None else missing.lost
    return _GAP.pack(_CDR, missing.after, missing.before, lost, len(reason)) + reason
