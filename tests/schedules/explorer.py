"""Goes through the schedules of a scenario: depth first, at random, or one that is given."""

import gc
import itertools
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from tests.schedules.machine import BEGIN, SLEEP, Machine, Participant
from tests.schedules.rules import Violation
from tests.schedules.scenarios import SCENARIOS
from tests.schedules.stand_ins import installed

MAX_STEPS: Final = 20_000  # of one run: arbitrary, and far more than any needs
GO_ON_PART: Final = 0.7  # how often a random walk lets the same one go on; arbitrary


class Choice(NamedTuple):
    """Let a participant take a step, or kill it before that."""

    name: str
    kills: bool = False

    def __str__(self) -> str:
        return f"!{self.name}" if self.kills else self.name


class Limits(NamedTuple):
    """How far to go. Without `preemptions`, all orders."""

    preemptions: int | None = None
    kills: int = 1

    def __str__(self) -> str:
        return f"preemptions {_or_all(self.preemptions)}, kills {self.kills}"


def _or_all(count: int | None) -> str:
    return "any" if count is None else str(count)


class Failure(NamedTuple):
    """What was found, and how to see it again."""

    reason: str
    schedule: str


class Report(NamedTuple):
    """What became of an exploration. `complete`: nothing within the limits is left."""

    schedules: int
    states: int
    steps: int
    seconds: float
    complete: bool
    failure: Failure | None = None


def written(schedule: Sequence[Choice]) -> str:
    """Return a schedule as text."""
    return " ".join(
        f"{choice}*{count}" if (count := len(list(same))) > 1 else str(choice)
        for choice, same in itertools.groupby(schedule)
    )


def parsed(text: str) -> list[Choice]:
    """Return the schedule of a text."""
    schedule = []
    for word in text.split():
        name, _, count = word.partition("*")
        choice = Choice(name.removeprefix("!"), name.startswith("!"))
        schedule += [choice] * int(count or 1)
    return schedule


class Run:
    """One run of a scenario, step by step."""

    def __init__(self, scenario: str, limits: Limits, *, fine: bool) -> None:
        self.machine = Machine(fine=fine)
        self.schedule: list[Choice] = []
        self.preemptions = self.kills = 0
        self._limits = limits
        self._last: Participant | None = None
        try:
            with installed(self.machine):
                self._check = SCENARIOS[scenario].set_up(self.machine)
        except BaseException:  # a signal
            self.close()
            raise
        self._participants = list(self.machine.participants.values())

    def choices(self) -> list[Choice]:
        """Return what can be next, the least surprising first; nothing when all is over.

        Raises Violation when somebody is left whom nobody lets go on.
        """
        last, waiting, asleep = self._last, list[Participant](), list[Participant]()
        if last is not None and last.alive and not last.done and last.pending.private:
            return [Choice(last.name), *self._deaths([last])]
        for one in self._participants:
            if (one.done and one.alive) or one.buried:
                continue
            if one.alive and one.pending.ready is not None and not one.pending.ready():
                continue
            (asleep if one.pending is SLEEP and one.alive else waiting).append(one)
        if not waiting and not asleep:
            if all(one.done for one in self._participants):
                return []
            raise Violation("nobody can go on")
        waiting.sort(key=lambda one: one is not last)
        found = [Choice(one.name) for one in (*waiting, *asleep) if self._may(one, waiting)]
        return [*found, *self._deaths(self._participants)]

    def _may(self, one: Participant, waiting: list[Participant]) -> bool:
        bound = self._limits.preemptions
        return bound is None or self.preemptions < bound or not self._preempts(one, waiting)

    def _preempts(self, one: Participant, waiting: list[Participant]) -> bool:
        last = self._last
        return one.alive and last is not None and last is not one and last.alive and last in waiting

    def _deaths(self, those: list[Participant]) -> list[Choice]:
        if self.kills == self._limits.kills:
            return []
        return [
            Choice(one.name, kills=True)
            for one in those
            if one.alive and not one.done and one.pending is not BEGIN
        ]

    def take(self, choice: Choice) -> None:
        """Let this happen. Raises what the participant raises, Violation above all."""
        self.schedule.append(choice)
        one = self.machine.participants[choice.name]
        if choice.kills:
            self.kills += 1
            self.machine.kill(one)
            return
        last = self._last
        if one.alive:
            self.preemptions += (
                last is not None
                and last is not one
                and last.alive
                and not last.done
                and last.pending is not SLEEP
                and (last.pending.ready is None or last.pending.ready())
            )
            self._last = one
        self.machine.let(one)

    def is_asleep(self) -> bool:
        """Return whether the last one has fallen asleep: it may come back to where it was."""
        return self._last is not None and self._last.pending is SLEEP

    def state(self) -> int:
        """Return a hash of all that decides how it goes on, but for the preemptions that are left."""
        bounded = self._limits.preemptions is not None
        last = self._last.name if bounded and self._last is not None else ""
        return hash((self.machine.state(), last, self.kills))

    def finish(self) -> None:
        """Check what is there in the end."""
        self._check()

    def failure(self, error: Exception) -> Failure:
        """Return what a participant has raised, in one line, and how it came to that."""
        reason = str(error) if isinstance(error, Violation) else f"{type(error).__name__}: {error}"
        return Failure(reason.replace(self.machine.ring, "RING"), written(self.schedule))

    def close(self) -> None:
        """End everybody and remove everything."""
        with installed(self.machine):  # what they do while they end is dropped there
            self.machine.close()


class Frame(NamedTuple):
    """A place on the way of the depth-first search."""

    taken: Choice
    untried: list[Choice]
    state: int | None  # None: there was no choice


class Search:
    """Depth first through all schedules within the limits."""

    def __init__(self, scenario: str, limits: Limits, seconds: float) -> None:
        self._scenario, self._limits = scenario, limits
        self._deadline_s = time.monotonic() + seconds
        self._frames: list[Frame] = []
        self._seen: dict[int, int] = {}  # state → the most preemptions that were left there
        self._before: dict[int, set[int]] = defaultdict(set)  # state → those that lead to it
        self._ways: dict[int, list[Choice]] = {}  # how some states were reached: see _stuck
        self._ends: set[int] = set()
        self._schedules = self._steps = 0

    def explore(self) -> Report:
        """Search."""
        begun_s = time.monotonic()
        failure, complete = None, False
        while failure is None and not complete and time.monotonic() < self._deadline_s:
            failure = self._one_run()
            complete = not self._back()
        if failure is None and complete:
            failure = self._stuck()
        seconds = time.monotonic() - begun_s
        return Report(self._schedules, len(self._seen), self._steps, seconds, complete, failure)

    def _one_run(self) -> Failure | None:
        """Go on from where the frames lead, to the end or to a state that is known."""
        run = Run(self._scenario, self._limits, fine=False)
        self._schedules += 1
        try:
            with installed(run.machine):
                state = None
                for frame in self._frames:
                    run.take(frame.taken)
                    state = state if frame.state is None else frame.state
                self._extend(run, state)
        except Exception as error:  # noqa: BLE001 - what a participant raises is what is looked for
            return run.failure(error)
        finally:
            self._steps += len(run.schedule)
            run.close()
        return None

    def _extend(self, run: Run, before: int | None) -> None:
        while True:
            choices = run.choices()
            state = None
            if len(choices) != 1 or run.is_asleep():
                state = run.state()
                if before is not None:
                    self._before[state].add(before)
                before = state
                if not choices:
                    self._ends.add(state)
                    run.finish()
                bound = self._limits.preemptions
                left = 0 if bound is None else bound - run.preemptions
                if self._seen.get(state, -1) >= left:
                    return
                if state not in self._seen:
                    self._ways[state] = list(run.schedule)
                self._seen[state] = left
            if not choices:
                return
            self._frames.append(Frame(choices[0], choices[1:], state))
            run.take(choices[0])
            if len(run.schedule) > MAX_STEPS:
                raise Violation(f"no end after {MAX_STEPS} steps")

    def _back(self) -> bool:
        """Turn to the last choice that was not tried; return whether there is one."""
        while self._frames and not self._frames[-1].untried:
            self._frames.pop()
        if not self._frames:
            return False
        _, (taken, *untried), state = self._frames.pop()
        self._frames.append(Frame(taken, untried, state))
        return True

    def _stuck(self) -> Failure | None:
        """Return a state from which those who live never get to their ends, if there is one."""
        good, new = set(self._ends), list(self._ends)
        while new:
            for state in self._before[new.pop()] - good:
                good.add(state)
                new.append(state)
        for state in self._seen:
            if state not in good:
                return Failure("those who live never get to their ends", written(self._ways[state]))
        return None


def walk(scenario: str, limits: Limits, seed: int) -> tuple[int, Failure | None]:
    """Take random steps to the end; each access is one. Return how many, and what was found."""
    dice = random.Random(seed)
    run = Run(scenario, limits, fine=True)
    # A kill somewhere in the first steps, of which some runs have more.
    deaths = sorted(dice.randrange(400) for _ in range(limits.kills))
    try:
        with installed(run.machine):
            while choices := run.choices():
                kills = [choice for choice in choices if choice.kills]
                steps = [choice for choice in choices if not choice.kills]
                if kills and len(run.schedule) >= deaths[run.kills]:
                    run.take(dice.choice(kills))
                else:
                    go_on = not run.is_asleep() and dice.random() < GO_ON_PART
                    run.take(steps[0] if go_on else dice.choice(steps))
                if len(run.schedule) > MAX_STEPS:
                    raise Violation(f"no end after {MAX_STEPS} steps")
            run.finish()
    except Exception as error:  # noqa: BLE001 - what a participant raises is what is looked for
        return len(run.schedule), run.failure(error)
    finally:
        run.close()
    return len(run.schedule), None


def replay(scenario: str, text: str, *, fine: bool) -> tuple[list[str], Failure | None]:
    """Take the steps of a schedule; return what each was, and what was found."""
    run = Run(scenario, Limits(kills=len(text)), fine=fine)
    said: list[str] = []
    try:
        with installed(run.machine):
            for choice in parsed(text):
                one = run.machine.participants[choice.name]
                what = "is killed" if choice.kills else one.pending.kind if one.alive else "buried"
                said.append(f"{choice.name} {what}")
                run.take(choice)
            if not run.choices():
                run.finish()
    except Exception as error:  # noqa: BLE001 - as above
        return said, run.failure(error)
    finally:
        run.close()
    return said, None


@contextmanager
def undisturbed() -> Iterator[None]:
    """No tracing, which follows threads and not greenlets, and less collecting of garbage."""
    trace = sys.gettrace()
    sys.settrace(None)
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        sys.settrace(trace)
