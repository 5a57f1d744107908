"""Runs the explorer; the package's docstring says what it does."""

import argparse
import contextlib
import signal
import sys
import time
from typing import Final, NamedTuple

import tests.schedules
from tests.schedules.explorer import Failure, Limits, Search, replay, undisturbed, walk
from tests.schedules.mutants import MUTANTS, broken
from tests.schedules.scenarios import SCENARIOS

SECONDS: Final = 3600.0  # after which a search is given up


class Effort(NamedTuple):
    """How far to go in each scenario, and how many random walks to take."""

    limits: dict[str, Limits]
    walks: int


EFFORTS: Final = {
    "quick": Effort(
        {
            "holders": Limits(preemptions=1, kills=0),
            "reading": Limits(preemptions=0, kills=1),
            "succession": Limits(preemptions=0, kills=0),
            "birth": Limits(preemptions=0, kills=0),
            "replacement": Limits(preemptions=1, kills=0),
        },
        walks=30,
    ),
    "all": Effort(
        {
            "holders": Limits(preemptions=0, kills=1),
            "reading": Limits(preemptions=1, kills=1),
            "succession": Limits(preemptions=1, kills=0),
            "birth": Limits(preemptions=1, kills=0),
            "replacement": Limits(preemptions=0, kills=1),
        },
        walks=300,
    ),
    "long": Effort(
        {
            "holders": Limits(preemptions=2, kills=2),
            "reading": Limits(preemptions=3, kills=2),
            "succession": Limits(preemptions=1, kills=1),
            "birth": Limits(preemptions=1, kills=1),
            "replacement": Limits(preemptions=2, kills=1),
        },
        walks=20_000,
    ),
}
ROW: Final = "{:13}{:28}{:>11}{:>10}{:>12}{:>8}  {}"


def row(*cells: object) -> None:
    """Print a row of the table."""
    print(ROW.format(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells)))
    sys.stdout.flush()


def verdict(failure: Failure | None, *, complete: bool = True) -> str:
    """Say what was found."""
    if failure is not None:
        return f"{failure.reason}\n  --replay {failure.schedule!r}"
    return "all good" if complete else "good, but not all: the time was over"


def search(scenario: str, limits: Limits, seconds: float) -> bool:
    """Go through the schedules of a scenario; print a row; return whether all is good."""
    report = Search(scenario, limits, seconds).explore()
    row(
        scenario,
        limits,
        report.schedules,
        report.states,
        report.steps,
        f"{report.seconds:.1f}",
        verdict(report.failure, complete=report.complete),
    )
    return report.failure is None


def walks(scenario: str, kills: int, count: int, seed: int) -> bool:
    """Take random walks; print a row; return whether all is good."""
    begun_s, steps = time.monotonic(), 0
    failure, number = None, 0
    while failure is None and number < count:
        length, failure = walk(scenario, Limits(kills=kills), seed + number)
        steps += length
        number += 1
    seeds = f"random, seeds {seed} to {seed + number - 1}"
    row(scenario, seeds, number, "-", steps, f"{time.monotonic() - begun_s:.1f}", verdict(failure))
    return failure is None


def show(scenario: str, text: str, *, fine: bool) -> bool:
    """Replay a schedule; print its steps; return whether all is good."""
    said, failure = replay(scenario, text, fine=fine)
    print(*said, sep="\n")
    print(verdict(failure))
    return failure is None


def run(options: argparse.Namespace) -> bool:
    """Do what was asked; return whether all is good."""
    if options.replay is not None:
        if len(options.scenario) != 1:
            raise SystemExit("--replay needs one --scenario")
        return show(options.scenario[0], options.replay, fine=options.fine)
    effort = EFFORTS[options.effort]
    if options.mutant:
        mutant = MUTANTS[options.mutant]
        options.scenario = [mutant.scenario]
        effort = effort._replace(limits={mutant.scenario: mutant.limits})
    good = True
    row("scenario", "limits", "schedules", "states", "steps", "s", "")
    for scenario in options.scenario:
        limits = effort.limits[scenario]
        good &= search(scenario, limits, options.seconds)
        good &= walks(scenario, 1, effort.walks, options.seed)
    return good


def main() -> int:
    """Return the exit status: 1 when a rule was broken."""
    parser = argparse.ArgumentParser(
        description=tests.schedules.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--effort", choices=EFFORTS, default="quick")
    parser.add_argument("--scenario", choices=SCENARIOS, nargs="+", default=list(SCENARIOS))
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each search")
    parser.add_argument("--seed", type=int, default=0, help="of the first random walk")
    parser.add_argument("--replay", help="a schedule")
    parser.add_argument("--fine", action="store_true", help="it is one of a random walk")
    parser.add_argument("--mutant", choices=MUTANTS, help="break the code in this way")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # removes the ring
    with contextlib.ExitStack() as stack:
        if options.mutant:
            stack.enter_context(broken(options.mutant))
        stack.enter_context(undisturbed())
        return 0 if run(options) else 1


if __name__ == "__main__":
    sys.exit(main())
