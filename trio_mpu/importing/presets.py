# Pure: no I/O, no clock, no waiting.
"""Forms of logs that their writers document, as the options that describe them: a row each."""

from typing import Final, NamedTuple


class Preset(NamedTuple):
    """The values of the options `--time`, `--accel`, `--gyro` and `--temp` for one form of log.

    `writer` is the program that writes it. `constant` are columns as in `Plan`.
    """

    writer: str
    time: str
    accel: str
    gyro: str = "none"
    temp: str = "none"
    constant: tuple[str, ...] = ()


_ARTEMIS: Final = ("mg:aX,aY,aZ", "dps:gX,gY,gZ", "c:imu_degC")
_WIT_ACCEL: Final = "g:AccX(g),AccY(g),AccZ(g)"
_WIT_GYRO: Final = "dps:AsX(°/s),AsY(°/s),AsZ(°/s)"

PRESETS: Final = {
    "phyphox": Preset(
        "phyphox, the experiment Acceleration (with g)",
        "s:Time (s)",
        "mss:Acceleration x (m/s^2),Acceleration y (m/s^2),Acceleration z (m/s^2)",
    ),
    "physics-toolbox": Preset(
        "Physics Toolbox Sensor Suite, G-force and gyroscope",
        "s:time",
        "g:gFx,gFy,gFz",
        "rads:wx,wy,wz",
    ),
    "sensor-logger": Preset(
        "Sensor Logger, the file TotalAcceleration.csv",
        "ns:time",
        "mss:x,y,z",
    ),
    "witmotion": Preset(
        "WitMotion's programs, with a time of day",
        "hms:Time",
        _WIT_ACCEL,
        _WIT_GYRO,
    ),
    "witmotion-dated": Preset(
        "WitMotion's programs, with date, time and device",
        "iso:time",
        _WIT_ACCEL,
        _WIT_GYRO,
        constant=("DeviceName",),
    ),
    "artemis-mdy": Preset(
        "OpenLog Artemis, month first in dates", "mdy:rtcDate,rtcTime", *_ARTEMIS
    ),
    "artemis-dmy": Preset("OpenLog Artemis, day first in dates", "dmy:rtcDate,rtcTime", *_ARTEMIS),
    "euroc": Preset(
        "EuRoC MAV data sets, imu0/data.csv",
        "ns:timestamp [ns]",
        "mss:a_RS_S_x [m s^-2],a_RS_S_y [m s^-2],a_RS_S_z [m s^-2]",
        "rads:w_RS_S_x [rad s^-1],w_RS_S_y [rad s^-1],w_RS_S_z [rad s^-1]",
    ),
    "ros": Preset(
        "ROS, rostopic echo -p of sensor_msgs/Imu",
        "ns:field.header.stamp",
        "mss:field.linear_acceleration.x,field.linear_acceleration.y,field.linear_acceleration.z",
        "rads:field.angular_velocity.x,field.angular_velocity.y,field.angular_velocity.z",
        constant=("field.header.frame_id",),
    ),
    "klipper": Preset(
        "Klipper, ACCELEROMETER_MEASURE",
        "s:time",
        "mmss:accel_x,accel_y,accel_z",
    ),
}
