# Pure: no I/O, no clock, no waiting.
"""argv and environment → the settings of a program, or one line that says what is wrong.

A program's options are the fields of its dataclass: `max_clients` is `--max-clients` and, in the
environment, TRIO_MPU_MAX_CLIENTS. Each field carries its own converter and help.
"""

import argparse
import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any, Final, NoReturn, TypeVar

from trio_mpu.errors import UsageError
from trio_mpu.record import MAX_CAPACITY, MIN_CAPACITY
from trio_mpu.sample import MAX_RATE_HZ, MIN_RATE_HZ

T = TypeVar("T")

# Bound "--max-clients".
DEFAULT_MAX_CLIENTS: Final = 2000
# Bound "--workers, most".
MAX_WORKERS: Final = 64  # each needs one of the ring's 64 doorbells
MAX_SECONDS: Final = 86_400.0  # of a calibration; arbitrary
LOG_LEVELS: Final = ("debug", "info", "warning", "error")


def _formatter(prog: str) -> argparse.HelpFormatter:
    return argparse.RawDescriptionHelpFormatter(prog, max_help_position=28, width=96)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are UsageErrors, and whose help is as wide everywhere."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - argparse's own
        # To ask for the terminal's width, argparse imports 1 MB that a supervisor would carry.
        super().__init__(**options, formatter_class=_formatter, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        # The message may quote an argument, which may have any characters.
        raise UsageError(f"{' '.join(message.split())} (--help lists the options)")


def _number(kind: type[int] | type[float], low: float, high: float) -> Callable[[str], float]:
    def convert(text: str) -> float:
        with contextlib.suppress(ValueError):
            if low <= (value := kind(text)) <= high:
                return value
        name = "a whole number" if kind is int else "a number"
        raise argparse.ArgumentTypeError(f"{text!r} is not {name} from {low:,} to {high:,}")

    return convert


def _ring(text: str) -> str:
    # A segment "sem.NAME" could be another ring's semaphore: both are files in /dev/shm.
    if not re.fullmatch(r"(?!sem\.)[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no name: up to 64 letters, digits, dots, dashes and underscores, "
            "none of '.', '-' and 'sem.' at the beginning"
        )
    return text


def _host(text: str) -> str:
    # What the resolver can't encode would be an error of another kind there.
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]  # an IPv6 address as it stands in a URL
    with contextlib.suppress(UnicodeError):
        text.encode("ascii")
        text.encode("idna")
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is no host name or address")


def _origin(text: str) -> str:
    if text in ("", "*", "null") or re.fullmatch(r"https?://[A-Za-z0-9._~\[\]:-]+", text):
        return text
    raise argparse.ArgumentTypeError(
        f"{text!r} is no origin: give *, or scheme, host and port as in http://example.org:8080"
    )


def _file(text: str) -> str:
    if text.isprintable():
        return text
    raise argparse.ArgumentTypeError(f"{text!r} has characters that can't be printed")


def _level(text: str) -> str:
    if text in LOG_LEVELS:
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(LOG_LEVELS)}")


def _switched(text: str) -> str:
    if text in ("on", "off"):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is neither on nor off")


def _descriptors(text: str) -> tuple[int, int]:
    if not re.fullmatch(r"\d{1,9}:\d{1,9}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not what a supervisor passes")
    first, second = map(int, text.split(":"))
    return first, second


def _option(default: T, convert: Callable[[str], Any], text: str) -> T:
    value: T = field(default=default, metadata={"convert": convert, "help": text})
    return value


def _of_one_run(convert: Callable[[str], Any], text: str) -> str:
    """An option that has no variable: what one file is like says nothing of the next."""
    metadata = {"convert": convert, "help": text, "of_one_run": True}
    value: str = field(default="", metadata=metadata)
    return value


def _switch(text: str) -> bool:
    """An option without a value and without a variable: it is of one run."""
    value: bool = field(default=False, metadata={"help": text})
    return value


def _positional(text: str) -> str:
    """A file that is named without an option, and only on the command line."""
    value: str = field(default="", metadata={"positional": True, "convert": _file, "help": text})
    return value


def _internal(convert: Callable[[str], Any]) -> tuple[int, int] | None:
    """What a supervisor says to the programs that it starts; nobody else has it."""
    value: tuple[int, int] | None = field(
        default=None, metadata={"convert": convert, "help": argparse.SUPPRESS}
    )
    return value


@dataclass(frozen=True)
class _Common:
    ring: str = _option(
        "data_buffer", _ring, "name of the shared memory, for several systems side by side"
    )
    log_level: str = _option("info", _level, f"how much is logged: {', '.join(LOG_LEVELS)}")


@dataclass(frozen=True)
class _Sensor(_Common):
    device: str = _option(
        "auto",
        str,
        "auto, iio[:…], i2c:BUS[:ADDR][,…], sim[:…], replay:FILE[,…] or the path of a text device",
    )
    rate: float = _option(100.0, _number(float, MIN_RATE_HZ, MAX_RATE_HZ), "samples a second")


@dataclass(frozen=True)
class ProducerSettings(_Sensor):
    """The producer's settings."""

    calibration: str = _option(
        "", _file, "a calibration file, or none; empty: the sensor's own, if there is one"
    )
    attitude: str = _option(
        "on", _switched, "on or off: whether samples get an attitude, where there is VQF's library"
    )
    capacity: int = _option(
        65_536,  # 11 minutes at 100 Hz, 6 MiB
        _number(int, MIN_CAPACITY, MAX_CAPACITY),
        "how many samples the ring holds",
    )
    supervisor: tuple[int, int] | None = _internal(_descriptors)


@dataclass(frozen=True)
class _Store(_Common):
    store: str = _option("", _file, "the recorder's file, or where it is to be made; empty: none")


@dataclass(frozen=True)
class ServerSettings(_Store):
    """The server's settings; `host` is empty for all addresses of IPv4 and IPv6."""

    host: str = _option("", _host, "address to listen on; empty: all")
    port: int = _option(3737, _number(int, 0, 65535), "TCP port; 0: any free one")
    max_clients: int = _option(
        DEFAULT_MAX_CLIENTS, _number(int, 1, 100_000), "connections at a time"
    )
    workers: int = _option(1, _number(int, 1, MAX_WORKERS), "processes that share the port")
    allow_origin: str = _option(
        "", _origin, "web pages of this origin may read the data; * for all; empty: only our own"
    )
    supervisor: tuple[int, int] | None = _internal(_descriptors)
    worker: tuple[int, int] | None = _internal(_descriptors)  # its slot, the scoreboard


@dataclass(frozen=True)
class CalibrateSettings(_Sensor):
    """The settings of a calibration."""

    seconds: float = _option(10.0, _number(float, 1, MAX_SECONDS), "how long to measure at rest")
    output: str = _option("", _file, "file for the result; empty: where the producer looks for it")
    kalibr: str = _option(
        "", _file, "YAML file for the noise, as Kalibr takes it for --imu; empty: none"
    )
    positions: bool = _switch("calibrate the accelerometer too, in six positions in any order")
    self_test: bool = _switch("compare an I2C chip with its factory self-test; saves nothing")


@dataclass(frozen=True)
class RecordSettings(_Store):
    """The settings of the recorder."""

    keep: str = _option(
        "", str, "how much of it to keep, as in 2GB, 30d or 2GB,30d; empty: everything"
    )
    supervisor: tuple[int, int] | None = _internal(_descriptors)


@dataclass(frozen=True)
class StartSettings(ServerSettings, RecordSettings, ProducerSettings):
    """The settings of all programs that are started together."""


@dataclass(frozen=True)
class ImportSettings:
    """The settings of an import: a log of another program, and what its columns mean."""

    log: str = _positional("the log to import")
    output: str = _of_one_run(_file, "the recording to write, compressed if it ends in .gz")
    preset: str = _of_one_run(str, "a form of log that is known; see below")
    time: str = _of_one_run(str, "FORM:COLUMN; s, ms, us, ns, iso, mdy, dmy or hms; or rate:HZ")
    accel: str = _of_one_run(str, "UNIT:X,Y,Z; g, mg, mss (m/s²), mmss or lsb:COUNTS for 1 g")
    gyro: str = _of_one_run(str, "UNIT:X,Y,Z; dps (°/s), rads or lsb:COUNTS for 1 °/s; or none")
    temp: str = _of_one_run(str, "UNIT:COLUMN; c or f; or none")
    start: str = _of_one_run(str, "when the first row was measured, as in 2026-11-30T09:05:00Z")
    accept_units: bool = _switch("write although gravity, the rates or the times look wrong")
    irregular: bool = _switch("the log has no fixed rate: long steps are no gaps")
    force: bool = _switch("overwrite the recording if it exists")


def options_of(kind: type) -> list[str]:
    """Return the names of the options that are for people, without their dashes."""
    return [
        _name(each)
        for each in fields(kind)
        if each.metadata["help"] != argparse.SUPPRESS and not each.metadata.get("positional")
    ]


def _name(each: "Field[Any]") -> str:
    return each.name.replace("_", "-")


def parse(
    kind: type[T],
    program: str,
    description: str,
    argv: Sequence[str],
    environ: Mapping[str, str],
    epilog: str = "",
) -> T:
    """Return the settings of this kind. `epilog` ends the help.

    An option that is not in `argv` is taken from the environment, else it has its default; an
    empty variable counts as none. Raises UsageError.
    """
    parser = Parser(prog=f"trio-mpu {program}", description=description, epilog=epilog)
    values = argparse.Namespace()
    variables = {}
    for each in fields(kind):  # type: ignore[arg-type]  # each kind is a dataclass
        name, text = _name(each), each.metadata["help"]
        if "convert" not in each.metadata:
            parser.add_argument(f"--{name}", action="store_true", help=text)
            continue
        if each.metadata.get("positional"):
            convert = each.metadata["convert"]
            parser.add_argument(
                name, metavar=name.upper(), type=convert, nargs="?", default="", help=text
            )
            continue
        shown = text if text is argparse.SUPPRESS or not each.default else f"{text} (%(default)s)"
        parser.add_argument(
            f"--{name}", type=each.metadata["convert"], default=each.default, help=shown
        )
        if text is not argparse.SUPPRESS and not each.metadata.get("of_one_run"):
            variables["TRIO_MPU_" + each.name.upper()] = name
    for variable, name in variables.items():
        if value := environ.get(variable):
            try:
                parser.parse_args([f"--{name}={value}"], values)
            except UsageError as error:
                raise UsageError(f"{variable}: {error}") from error
    return kind(**vars(parser.parse_args(argv, values)))
