# Pure: no I/O, no clock, no waiting.
"""Records as files of other programs, which have no way to say that samples are missing."""

from collections.abc import Callable
from typing import Final, NamedTuple

from trio_mpu.formats import STANDARD_GRAVITY
from trio_mpu.record import Record

_MM_S2: Final = STANDARD_GRAVITY * 1000  # one g


class Export(NamedTuple):
    """A form: what stands before the rows, and how a record becomes one."""

    content_type: str
    suffix: str
    opening: str
    row: Callable[[Record], str]


def _klipper_row(record: Record) -> str:
    x, y, z = (value * _MM_S2 for value in (record.ax, record.ay, record.az))
    seconds, microseconds = divmod(record.t_ns // 1000, 10**6)
    return f"{seconds}.{microseconds:06d},{x:.6f},{y:.6f},{z:.6f}\n"


EXPORTS: Final = {
    # As Klipper's ACCELEROMETER_MEASURE writes it: its scripts and Shake&Tune look at the first line.
    "klipper": Export(
        "text/csv; charset=utf-8", "csv", "#time,accel_x,accel_y,accel_z\n", _klipper_row
    ),
}
