# Pure: no I/O, no clock, no waiting.
"""argv and environment → settings, or one line that says what is wrong."""

import argparse
import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn

from trio_mpu.errors import UsageError
from trio_mpu.record import MAX_CAPACITY, MIN_CAPACITY
from trio_mpu.sample import MAX_RATE_HZ, MIN_RATE_HZ

DEFAULT_RING: Final = "data_buffer"
DEFAULT_PORT: Final = 3737
DEFAULT_RATE_HZ: Final = 100.0
DEFAULT_CAPACITY: Final = 65_536  # 11 minutes at 100 Hz, 4 MiB
# Bound "--max-clients".
DEFAULT_MAX_CLIENTS: Final = 2000
DEFAULT_SECONDS: Final = 10.0  # density and bias are known well enough
MAX_SECONDS: Final = 86_400.0  # arbitrary
# Bound "--workers, most".
MAX_WORKERS: Final = 64  # each needs one of the ring's 64 doorbells
LOG_LEVELS: Final = ("debug", "info", "warning", "error")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
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
    with contextlib.suppress(UnicodeError):
        text.encode("ascii")
        text.encode("idna")
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is no host name or address")


def _file(text: str) -> str:
    if text.isprintable():
        return text
    raise argparse.ArgumentTypeError(f"{text!r} has characters that can't be printed")


def _place(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\d{1,4}:\d{1,9}:\d{1,9}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not what a supervisor says")
    return tuple(int(number) for number in text.split(":"))


# Option: what it takes, its default, its help. The programs choose from these.
_OPTIONS: Final[dict[str, tuple[Callable[[str], Any], Any, str]]] = {
    "device": (
        str,
        "auto",
        "auto, iio[:…], i2c:BUS[:ADDR][,…], sim[:…], replay:FILE or a text device's path",
    ),
    "rate": (_number(float, MIN_RATE_HZ, MAX_RATE_HZ), DEFAULT_RATE_HZ, "samples a second"),
    "calibration": (
        _file,
        "",
        "a file of calibrate_main.py's, or none; empty: the sensor's own, if there is one",
    ),
    "capacity": (
        _number(int, MIN_CAPACITY, MAX_CAPACITY),
        DEFAULT_CAPACITY,
        "how many samples the ring holds",
    ),
    "host": (_host, "", "the address to listen on; all when empty"),
    "port": (_number(int, 0, 65535), DEFAULT_PORT, "the TCP port; 0: any that is free"),
    "max-clients": (_number(int, 1, 100_000), DEFAULT_MAX_CLIENTS, "connections at a time"),
    "workers": (_number(int, 1, MAX_WORKERS), 1, "processes that share the port"),
    # What a supervisor tells its workers: SEAT:BOARD_FD:LIFELINE_FD. No other user has it.
    "worker": (_place, None, argparse.SUPPRESS),
    "seconds": (
        _number(float, 1, MAX_SECONDS),
        DEFAULT_SECONDS,
        "how long it is measured, at rest",
    ),
    "output": (_file, "", "where the calibration goes; empty: where the producer looks for it"),
    "ring": (_ring, DEFAULT_RING, "the name of the shared memory, for several side by side"),
}
# Options that take no value, and have no variable: they are of one run.
_FLAGS: Final = {
    "positions": "the accelerometer too: with each of the six faces up, in any order",
    "self-test": "compare a chip on an I2C bus with what it was in the factory, and save nothing",
}
PRODUCER_OPTIONS: Final = ("device", "rate", "calibration", "capacity", "ring")
SERVER_OPTIONS: Final = ("host", "port", "max-clients", "workers", "ring")
CALIBRATE_OPTIONS: Final = (
    *("device", "rate", "seconds", "output", "ring", "positions", "self-test"),
)
WORKER_OPTIONS: Final = (*SERVER_OPTIONS, "worker")


def parse(
    program: str,
    description: str,
    options: Sequence[str],
    argv: Sequence[str],
    environ: Mapping[str, str],
) -> argparse.Namespace:
    """Return the values of these options, and `log_level`.

    An option that is not in `argv` is taken from the environment (`--max-clients` from
    TRIO_MPU_MAX_CLIENTS), else it has its default; an empty variable counts as none. Raises
    UsageError.
    """
    parser = _Parser(prog=program, description=description, allow_abbrev=False)
    for name in options:
        if name in _FLAGS:
            parser.add_argument(f"--{name}", action="store_true", help=_FLAGS[name])
            continue
        convert, default, text = _OPTIONS[name]
        shown = text if text is argparse.SUPPRESS else f"{text} (%(default)s)"
        parser.add_argument(f"--{name}", type=convert, default=default, help=shown)
    parser.add_argument("--log-level", choices=LOG_LEVELS, default="info", help="(%(default)s)")
    values = argparse.Namespace()
    for name in (*options, "log-level"):
        variable = "TRIO_MPU_" + name.upper().replace("-", "_")
        if name not in ("worker", *_FLAGS) and (value := environ.get(variable)):
            try:
                parser.parse_args([f"--{name}={value}"], values)
            except UsageError as error:
                raise UsageError(f"{variable}: {error}") from error
    return parser.parse_args(argv, values)
