# Pure: no I/O, no clock, no waiting.
"""Records as files of other programs, which have no way to say that samples are missing."""

from collections.abc import Callable
from typing import Final, NamedTuple

from trio_mpu.formats import SI_FACTORS, STANDARD_GRAVITY
from trio_mpu.record import Record

_MM_S2: Final = STANDARD_GRAVITY * 1000  # one g


class Export(NamedTuple):
    """A form: what stands before the rows, given the first record, and how a record becomes a row,
    given the first one too."""

    content_type: str
    suffix: str
    opening: Callable[[Record], str]
    row: Callable[[Record, Record], str]


def _klipper_opening(_first: Record) -> str:
    return "#time,accel_x,accel_y,accel_z\n"


def _klipper_row(record: Record, _first: Record) -> str:
    x, y, z = (value * _MM_S2 for value in (record.ax, record.ay, record.az))
    seconds, microseconds = divmod(record.t_ns // 1000, 10**6)
    return f"{seconds}.{microseconds:06d},{x:.6f},{y:.6f},{z:.6f}\n"


def _gcsv_opening(first: Record) -> str:
    # Gyroflow multiplies by the scales, to rad/s and g. It looks at the first 500 bytes only to find
    # the id, and ignores lines that do not have two columns.
    return (
        "GYROFLOW IMU LOG\nversion,1.3\nid,trio-mpu\norientation,XYZ\n"
        f"timestamp,{first.time_ns // 10**9}\n"
        f"tscale,0.000001\ngscale,{SI_FACTORS[3]!r}\nascale,1\nt,gx,gy,gz,ax,ay,az\n"
    )


def _gcsv_row(record: Record, first: Record) -> str:
    r = record
    # From 0 on: Gyroflow takes it as the time since the video's start.
    microseconds = (r.t_ns - first.t_ns) // 1000
    return f"{microseconds},{r.gx:.7g},{r.gy:.7g},{r.gz:.7g},{r.ax:.7g},{r.ay:.7g},{r.az:.7g}\n"


EXPORTS: Final = {
    # As Klipper's ACCELEROMETER_MEASURE writes it: its scripts and Shake&Tune look at the first line.
    "klipper": Export("text/csv; charset=utf-8", "csv", _klipper_opening, _klipper_row),
    # https://docs.gyroflow.xyz/app/technical-details/gcsv-format
    "gcsv": Export("text/plain; charset=utf-8", "gcsv", _gcsv_opening, _gcsv_row),
}
