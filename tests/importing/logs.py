"""Logs of other programs for tests: one motion, written in many forms, whole and damaged."""

import math
import random
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from trio_mpu.formats import STANDARD_GRAVITY

ROWS: Final = 300
PERIOD_NS: Final = 10**7
UNIX_NS: Final = 1_714_731_753_000_000_000  # 2024-05-03T10:22:33Z


class Truth(NamedTuple):
    """What the sensor measured, in g, °/s and °C."""

    t_ns: int
    accel: tuple[float, float, float]
    gyro: tuple[float, float, float]
    temp: float


def motion(start_ns: int = 0, rows: int = ROWS) -> list[Truth]:
    """At rest for a second, then turned and shaken. No two values are the same."""
    chance = random.Random(7)
    found = []
    for row in range(rows):
        moving = max(0.0, min(1.0, (row - 100) / 100))
        angle = moving * math.sin(row / 15)
        accel = (math.sin(angle), 0.3 * moving * math.cos(row / 5), math.cos(angle))
        gyro = (90 * moving * math.sin(row / 10), 1.5, -0.5 * row * moving / 10)
        found.append(
            Truth(
                start_ns + row * PERIOD_NS,
                (accel[0] + noise(chance), accel[1] + noise(chance), accel[2] + noise(chance)),
                (gyro[0] + noise(chance), gyro[1] + noise(chance), gyro[2] + noise(chance)),
                25 + row / 1000,
            )
        )
    return found


def noise(chance: random.Random) -> float:
    return chance.gauss(0, 0.003)


Row = Callable[[Truth], Sequence[str]]
G: Final = STANDARD_GRAVITY


def numbers(values: Sequence[float], factor: float = 1.0, form: str = "%.6f") -> list[str]:
    """The values in another unit."""
    return [form % (value * factor) for value in values]


def table(header: str, row: Row, separator: str = ",", start_ns: int = 0) -> str:
    """A log with a line a row; the header is left out if it is empty."""
    lines = [separator.join(row(truth)) for truth in motion(start_ns)]
    return "\n".join([*([header] if header else []), *lines, ""])


def clock(t_ns: int) -> str:
    """A time of day, to the millisecond."""
    seconds, rest = divmod(t_ns, 10**9)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours % 24:02d}:{minute:02d}:{second:02d}.{rest // 10**6:03d}"


def phyphox() -> str:
    axes = ",".join(f'"Acceleration {axis} (m/s^2)"' for axis in "xyz")
    header = f'"Time (s)",{axes},"Absolute acceleration (m/s^2)"'
    return table(header, lambda t: [f"{t.t_ns / 1e9:.9e}", *numbers(t.accel, G, "%.9e"), "9.8"])


def without_gravity() -> str:
    """What phyphox calls linear acceleration, under the names of the other."""
    header = phyphox().partition("\n")[0]
    return table(header, lambda t: [f"{t.t_ns / 1e9:.9e}", *numbers(t.gyro, 1e-3, "%.9e"), "0"])


def phyphox_with_commas() -> str:
    return phyphox().replace(",", ";").replace(".", ",")


def generic() -> str:
    return table("ms,ax,ay,az,gx,gy,gz,temp", plain)


def plain(t: Truth) -> list[str]:
    return [f"{t.t_ns // 10**6}", *numbers((*t.accel, *t.gyro, t.temp))]


def witmotion() -> str:
    axes = "AccX(g),AccY(g),AccZ(g),AsX(°/s),AsY(°/s),AsZ(°/s),AngleX(°)"
    start_ns = (86_400 - 1) * 10**9  # a second before midnight
    rows = table(
        f"Time,{axes}",
        lambda t: [f" {clock(t.t_ns)}", *numbers((*t.accel, *t.gyro)), "0.1"],
        start_ns=start_ns,
    )
    return f"StartTime: 2024-05-03 23:59:59\n{rows}"


def witmotion_dated() -> str:
    axes = "AccX(g)\tAccY(g)\tAccZ(g)\tAsX(°/s)\tAsY(°/s)\tAsZ(°/s)"
    return table(
        f"time\tDeviceName\t{axes}",
        lambda t: [f"2024-05-03 {clock(t.t_ns)}", "WT901", *numbers((*t.accel, *t.gyro))],
        "\t",
        UNIX_NS,
    )


def artemis() -> str:
    header = "rtcDate,rtcTime,aX,aY,aZ,gX,gY,gZ,mX,mY,mZ,imu_degC,output_Hz,"
    return table(
        header,
        lambda t: [
            *("05/03/2024", clock(t.t_ns)[:-1]),
            *numbers(t.accel, 1000, "%.3f"),
            *numbers(t.gyro),
            *("1.0", "2.0", "3.0", f"{t.temp:.4f}", "100.0", ""),
        ],
        start_ns=UNIX_NS,
    )


def euroc() -> str:
    rates = ",".join(f"w_RS_S_{axis} [rad s^-1]" for axis in "xyz")
    axes = ",".join(f"a_RS_S_{axis} [m s^-2]" for axis in "xyz")
    return table(
        f"#timestamp [ns],{rates},{axes}",
        lambda t: [
            str(t.t_ns),
            *numbers(t.gyro, math.pi / 180, "%.9f"),
            *numbers(t.accel, G),
        ],
        start_ns=UNIX_NS,
    )


def ros() -> str:
    names = ["%time", "field.header.seq", "field.header.stamp", "field.header.frame_id"]
    names += [f"field.angular_velocity.{axis}" for axis in "xyz"]
    names += [f"field.linear_acceleration.{axis}" for axis in "xyz"]
    return table(
        ",".join(names),
        lambda t: [
            *(str(t.t_ns + 123_456), "7", str(t.t_ns), "imu_link"),
            *numbers(t.gyro, math.pi / 180, "%.9f"),
            *numbers(t.accel, G),
        ],
        start_ns=UNIX_NS,
    )


def klipper() -> str:
    rows = table(
        "#time,accel_x,accel_y,accel_z",
        lambda t: [f"{t.t_ns / 1e9:.6f}", *numbers(t.accel, 1000 * G)],
        start_ns=5 * 10**12,
    )
    return f"##start=5000\n{rows}"


def physics_toolbox() -> str:
    return table(
        "time,gFx,gFy,gFz,wx,wy,wz,",
        lambda t: [
            f"{t.t_ns / 1e9:.6f}",
            *numbers(t.accel),
            *numbers(t.gyro, math.pi / 180, "%.9f"),
            "",
        ],
    )


def sensor_logger() -> str:
    return table(
        "time,seconds_elapsed,z,y,x",
        lambda t: [str(t.t_ns), f"{t.t_ns / 1e9:.6f}", *numbers(t.accel[::-1], G)],
        start_ns=UNIX_NS,
    )


def raw_counts() -> str:
    """As i2cdevlib's sketch prints: tabs, milliseconds, no header."""
    return table(
        "",
        lambda t: [
            str(t.t_ns // 10**6),
            *numbers(t.accel, 16384, "%.0f"),
            *numbers(t.gyro, 131, "%.0f"),
        ],
        "\t",
    )


def adafruit() -> str:
    return table(
        "",
        lambda t: [
            str(t.t_ns // 10**6),
            *numbers(t.accel, G),
            *numbers(t.gyro, math.pi / 180, "%.9f"),
        ],
    )


def commas_only() -> str:
    """What a printer of decimal commas makes of a table with commas."""
    return table(
        "",
        lambda t: [
            str(t.t_ns // 10**6),
            *(each.replace(".", ",") for each in numbers((*t.accel, *t.gyro), 1, "%.2f")),
        ],
    )


def plotter() -> str:
    names = ("ax", "ay", "az", "gx", "gy", "gz")
    return table(
        "",
        lambda t: [
            f"{name}:{value}"
            for name, value in zip(names, numbers((*t.accel, *t.gyro)), strict=True)
        ],
    )


def plotter_blanks() -> str:
    return table("", lambda t: numbers((*t.accel, *t.gyro)), " ")


def iso(offset: str = "+02:00") -> str:
    shift_ns = 7200 * 10**9 if offset == "+02:00" else 0
    return table(
        "when,ax,ay,az,gx,gy,gz,temp",
        lambda t: [f"2024-05-03T{clock(t.t_ns + shift_ns)}{offset}", *plain(t)[1:]],
        start_ns=UNIX_NS,
    )


def fahrenheit() -> str:
    return table(
        "t;ax;ay;az;gx;gy;gz;F",
        lambda t: [
            f"{t.t_ns // 1000}",
            *numbers((*t.accel, *t.gyro)),
            f"{t.temp * 1.8 + 32:.5f}",
        ],
        ";",
    )


def picoquake() -> str:
    rows = motion()
    lines = [f"{row},{','.join(numbers((*t.accel, *t.gyro)))}" for row, t in enumerate(rows)]
    return "\n".join(["# PicoQuake", "# rate 100", "count,a_x,a_y,a_z,g_x,g_y,g_z", *lines, ""])
