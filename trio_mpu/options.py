# Pure: no I/O, no clock, no waiting.
"""What makes a field of a dataclass an option: a converter, a help text, a variable; and the parser.

A program's options are the fields of its dataclass in settings.py: `max_clients` is `--max-clients`
and, in the environment, TRIO_MPU_MAX_CLIENTS.
"""

import argparse
import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, field, fields
from typing import Any, Final, NoReturn, TypeVar

from trio_mpu.errors import UsageError
from trio_mpu.log_lines import JSON, TEXT

T = TypeVar("T")

LOG_LEVELS: Final = ("debug", "info", "warning", "error")
LOG_FORMATS: Final = (TEXT, JSON)


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


def number(kind: type[int] | type[float], low: float, high: float) -> Callable[[str], float]:
    """Return a converter to a number between two bounds, both included."""

    def convert(text: str) -> float:
        with contextlib.suppress(ValueError):
            if low <= (value := kind(text)) <= high:
                return value
        name = "a whole number" if kind is int else "a number"
        raise argparse.ArgumentTypeError(f"{text!r} is not {name} from {low:,} to {high:,}")

    return convert


def ring_name(text: str) -> str:
    """Take the name of a ring."""
    # A segment "sem.NAME" could be another ring's semaphore: both are files in /dev/shm.
    if not re.fullmatch(r"(?!sem\.)[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no name: up to 64 letters, digits, dots, dashes and underscores, "
            "none of '.', '-' and 'sem.' at the beginning"
        )
    return text


def host_name(text: str) -> str:
    """Take a host name or an address; an IPv6 address also in the brackets of a URL."""
    # What the resolver can't encode would be an error of another kind there.
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]  # an IPv6 address as it stands in a URL
    with contextlib.suppress(UnicodeError):
        text.encode("ascii")
        text.encode("idna")
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is no host name or address")


def origin(text: str) -> str:
    """Take an origin as the CORS protocol has it, `*` or nothing."""
    if text in ("", "*", "null") or re.fullmatch(r"https?://[A-Za-z0-9._~\[\]:-]+", text):
        return text
    raise argparse.ArgumentTypeError(
        f"{text!r} is no origin: give *, or scheme, host and port as in http://example.org:8080"
    )


def host_list(text: str) -> str:
    """Take names of hosts with commas in between, `*` or nothing."""
    if text in ("", "*") or re.fullmatch(r"[A-Za-z0-9._-]{1,253}(,[A-Za-z0-9._-]{1,253})*", text):
        return text
    raise argparse.ArgumentTypeError(
        f"{text!r} is no list of hosts: give *, or names without ports, as in imu.example,board.local"
    )


def file(text: str) -> str:
    """Take the path of a file."""
    if text.isprintable():
        return text
    raise argparse.ArgumentTypeError(f"{text!r} has characters that can't be printed")


def one_of(words: Sequence[str]) -> Callable[[str], str]:
    """Return a converter that takes one of these words."""

    def convert(text: str) -> str:
        if text in words:
            return text
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(words)}")

    return convert


def on_or_off(text: str) -> str:
    """Take one of these two words."""
    if text in ("on", "off"):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is neither on nor off")


def descriptors(text: str) -> tuple[int, int]:
    """Take the two numbers that a supervisor passes to its programs."""
    if not re.fullmatch(r"\d{1,9}:\d{1,9}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not what a supervisor passes")
    first, second = map(int, text.split(":"))
    return first, second


def option(default: T, convert: Callable[[str], Any], text: str) -> T:
    """Make a field that is an option and a variable."""
    value: T = field(default=default, metadata={"convert": convert, "help": text})
    return value


def option_of_one_run(convert: Callable[[str], Any], text: str) -> str:
    """An option that has no variable: what one file is like says nothing of the next."""
    metadata = {"convert": convert, "help": text, "of_one_run": True}
    value: str = field(default="", metadata=metadata)
    return value


def switch(text: str) -> bool:
    """An option without a value and without a variable: it is of one run."""
    value: bool = field(default=False, metadata={"help": text})
    return value


def positional(text: str) -> str:
    """A file that is named without an option, and only on the command line."""
    value: str = field(default="", metadata={"positional": True, "convert": file, "help": text})
    return value


def internal(convert: Callable[[str], Any]) -> tuple[int, int] | None:
    """What a supervisor says to the programs that it starts; nobody else has it."""
    value: tuple[int, int] | None = field(
        default=None, metadata={"convert": convert, "help": argparse.SUPPRESS}
    )
    return value


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
