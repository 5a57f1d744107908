# Pure: no I/O, no clock, no waiting.
"""The settings of each program: a dataclass whose fields are its options (options.py)."""

from dataclasses import dataclass
from typing import Final

from trio_mpu.errors import UsageError
from trio_mpu.options import (
    LOG_FORMATS,
    LOG_LEVELS,
    descriptors,
    file,
    host_list,
    host_name,
    internal,
    number,
    on_or_off,
    one_of,
    option,
    option_of_one_run,
    origin,
    positional,
    ring_name,
    switch,
)
from trio_mpu.record import MAX_CAPACITY, MIN_CAPACITY
from trio_mpu.sample import MAX_RATE_HZ, MIN_RATE_HZ

# Bound "--max-clients".
DEFAULT_MAX_CLIENTS: Final = 2000
# Bound "--workers, most".
MAX_WORKERS: Final = 64  # each needs one of the ring's 64 doorbells
MAX_SECONDS: Final = 86_400.0  # of a calibration; arbitrary


@dataclass(frozen=True)
class _Common:
    ring: str = option(
        "data_buffer", ring_name, "name of the shared memory, for several systems side by side"
    )
    log_level: str = option(
        "info", one_of(LOG_LEVELS), f"how much is logged: {', '.join(LOG_LEVELS)}"
    )
    log_format: str = option(
        "text", one_of(LOG_FORMATS), "text, or json: each line of the log is an object"
    )


@dataclass(frozen=True)
class _Sensor(_Common):
    device: str = option(
        "auto",
        str,
        "auto, iio[:…], i2c:BUS[:ADDR][,…], sim[:…], replay:FILE[,…] or the path of a text device",
    )
    rate: float = option(100.0, number(float, MIN_RATE_HZ, MAX_RATE_HZ), "samples a second")


@dataclass(frozen=True)
class ProducerSettings(_Sensor):
    """The producer's settings."""

    calibration: str = option(
        "", file, "a calibration file, or none; empty: the sensor's own, if there is one"
    )
    attitude: str = option(
        "on", on_or_off, "on or off: whether samples get an attitude, where there is VQF's library"
    )
    capacity: int = option(
        65_536,  # 11 minutes at 100 Hz, 6 MiB
        number(int, MIN_CAPACITY, MAX_CAPACITY),
        "how many samples the ring holds",
    )
    supervisor: tuple[int, int] | None = internal(descriptors)


@dataclass(frozen=True)
class _Store(_Common):
    store: str = option("", file, "the recorder's file, or where it is to be made; empty: none")


@dataclass(frozen=True)
class ServerSettings(_Store):
    """The server's settings; `host` is empty for all addresses of IPv4 and IPv6."""

    host: str = option("", host_name, "address to listen on; empty: all")
    port: int = option(3737, number(int, 0, 65535), "TCP port; 0: any free one")
    max_clients: int = option(DEFAULT_MAX_CLIENTS, number(int, 1, 100_000), "connections at a time")
    max_clients_per_address: int = option(
        0, number(int, 0, 100_000), "connections at a time from one address; 0: no limit"
    )
    tls_cert: str = option("", file, "file with the certificate (PEM): serve HTTPS; empty: HTTP")
    tls_key: str = option("", file, "file with its key (PEM); empty: in the file of --tls-cert")
    workers: int = option(1, number(int, 1, MAX_WORKERS), "processes that share the port")
    allow_origin: str = option(
        "", origin, "web pages of this origin may read the data; * for all; empty: only our own"
    )
    allow_host: str = option(
        "",
        host_list,
        "names by which it may be addressed, with commas in between; * for any; empty: its own names, "
        "where a token is needed",
    )
    token_file: str = option(
        "", file, "file of those who may read, a name and a token a line; empty: everybody may"
    )
    supervisor: tuple[int, int] | None = internal(descriptors)
    worker: tuple[int, int] | None = internal(descriptors)  # its slot, the scoreboard

    def __post_init__(self) -> None:
        """Raise UsageError for options that make no sense together."""
        if self.tls_key and not self.tls_cert:
            raise UsageError("--tls-key is for a certificate: give --tls-cert FILE, too")


@dataclass(frozen=True)
class CalibrateSettings(_Sensor):
    """The settings of a calibration."""

    seconds: float = option(10.0, number(float, 1, MAX_SECONDS), "how long to measure at rest")
    output: str = option("", file, "file for the result; empty: where the producer looks for it")
    kalibr: str = option(
        "", file, "YAML file for the noise, as Kalibr takes it for --imu; empty: none"
    )
    positions: bool = switch("calibrate the accelerometer too, in six positions in any order")
    self_test: bool = switch("compare an I2C chip with its factory self-test; saves nothing")


@dataclass(frozen=True)
class RecordSettings(_Store):
    """The settings of the recorder."""

    keep: str = option(
        "", str, "how much of it to keep, as in 2GB, 30d or 2GB,30d; empty: everything"
    )
    supervisor: tuple[int, int] | None = internal(descriptors)


@dataclass(frozen=True)
class StartSettings(ServerSettings, RecordSettings, ProducerSettings):
    """The settings of all programs that are started together."""


@dataclass(frozen=True)
class ImportSettings:
    """The settings of an import: a log of another program, and what its columns mean."""

    log: str = positional("the log to import")
    output: str = option_of_one_run(file, "the recording to write, compressed if it ends in .gz")
    preset: str = option_of_one_run(str, "a form of log that is known; see below")
    time: str = option_of_one_run(
        str, "FORM:COLUMN; s, ms, us, ns, iso, mdy, dmy or hms; or rate:HZ"
    )
    accel: str = option_of_one_run(str, "UNIT:X,Y,Z; g, mg, mss (m/s²), mmss or lsb:COUNTS for 1 g")
    gyro: str = option_of_one_run(
        str, "UNIT:X,Y,Z; dps (°/s), rads or lsb:COUNTS for 1 °/s; or none"
    )
    temp: str = option_of_one_run(str, "UNIT:COLUMN; c or f; or none")
    start: str = option_of_one_run(
        str, "when the first row was measured, as in 2026-11-30T09:05:00Z"
    )
    accept_units: bool = switch("write although gravity, the rates or the times look wrong")
    irregular: bool = switch("the log has no fixed rate: long steps are no gaps")
    force: bool = switch("overwrite the recording if it exists")
