"""Rounds of runs → medians → ratios → a table."""

import math
import os
import platform
import shlex
import signal
import statistics
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from benchmarks.built import Missing
from benchmarks.load import LoadFailed, Verdict
from benchmarks.servers import NoAnswer

Row = dict[str, float]
Column = tuple[str, Callable[[Row], str]]

# Of what ends so the worst run counts; of all else the median.
WORST: Final = ("lost", "repeats", "lost_told", "unmeasured", "changes", "closed")
NONE: Final = "-"


def options_of(doc: str, *, seconds: float, servers: Sequence[str]) -> ArgumentParser:
    """Return a parser that has the options of all benchmarks."""
    parser = ArgumentParser(description=doc, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=seconds, help="a run takes (%(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="of which the median (%(default)s)")

    def some(text: str) -> list[str]:
        if unknown := set(text.split(",")) - set(servers):
            raise ArgumentTypeError(f"{', '.join(unknown)}: there are {', '.join(servers)}")
        return text.split(",")

    parser.add_argument("--servers", type=some, default=list(servers), help=",".join(servers))
    return parser


def announce(module: str) -> None:
    """Print what was asked, of which machine, and how busy that was."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # stops the servers
    print("$", shlex.join(["python", "-m", module, *sys.argv[1:]]))
    print(
        f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}, "
        f"load average {os.getloadavg()[0]:.1f} before it began"
    )


def heading(text: str, options: Namespace) -> None:
    """Print what the next table is about."""
    print(f"\n{text}; median of {options.runs} runs of {options.seconds:g} s\n", flush=True)


def rounds(options: Namespace, measure: Callable[[str], Row]) -> dict[str, Row]:
    """Measure each server, one after the other, then all of them again; return the medians.

    So a minute in which the machine was busy with something else spoils one run of each. A server
    that fails is left out, and why is printed.
    """
    rows: dict[str, list[Row]] = {name: [] for name in options.servers}
    failed: dict[str, str] = {}
    for _ in range(options.runs):
        for name in options.servers:
            if name in failed:
                continue
            try:
                rows[name].append(measure(name))
            except (LoadFailed, Missing, NoAnswer) as error:
                failed[name] = str(error)
    for name, reason in failed.items():
        print(f"{name}: {reason}\n")
    return {name: _medians(rows[name]) for name in options.servers if name not in failed}


def _medians(rows: Sequence[Row]) -> Row:
    return {
        key: (max if key.endswith(WORST) else statistics.median)([row[key] for row in rows])
        for key in rows[0]
    }


def ratio(rows: Mapping[str, Row], key: str, base: str) -> Callable[[Row], str]:
    """Return what formats a row's `key` as a multiple of the one of server `base`."""

    def text(row: Row) -> str:
        unit = rows.get(base, {}).get(key, 0)
        return f"{row[key] / unit:.2f}" if unit > 0 else NONE

    return text


def number(key: str, form: str = ".1f", scale: float = 1) -> Callable[[Row], str]:
    """Return what formats a row's `key`; NaN is none."""
    return lambda row: NONE if math.isnan(row[key]) else format(row[key] * scale, form)


def verdict_row(verdict: Verdict) -> Row:
    """Return what `verdict_text` needs."""
    return {
        "lost": verdict["lost"],
        "repeats": verdict["repeats"],
        "lost_told": verdict["lost_told"],
        "unmeasured": verdict["unmeasured"],
        "changes": verdict["changes"],
        "closed": verdict["closed"],
    }


def verdict_text(row: Row) -> str:
    """Say whether a stream was whole and in order."""
    names = {
        "lost": "lost unsaid",
        "repeats": "repeated",
        "lost_told": "lost and reported",
        "unmeasured": "missed by the producer and reported",
        "changes": "restarts",
        "closed": "cut off",
    }
    return ", ".join(f"{row[key]:,.0f} {name}" for key, name in names.items() if row[key]) or "yes"


def show(rows: Mapping[str, Row], *columns: Column) -> None:
    """Print a table in Markdown, a row for each server; nothing without any."""
    if not rows:
        return
    cells = [["", *(title for title, _ in columns)]]
    cells += [[name, *(text(row) for _, text in columns)] for name, row in rows.items()]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(map(str.rjust, line[1:], widths[1:])) + " |" for line in cells]
    names = [f"| {line[0].ljust(widths[0])} " for line in cells]
    rule = (
        f"| {'-' * widths[0]} |" + "|".join("-" * (width + 1) + ":" for width in widths[1:]) + "|"
    )
    print(names[0] + lines[0], rule, sep="\n")
    for name, line in zip(names[1:], lines[1:], strict=True):
        print(name + line)
    sys.stdout.flush()
