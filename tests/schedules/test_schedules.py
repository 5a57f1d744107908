"""The explorer of schedules, for a few seconds; CONTRIBUTING.md says how to run it for longer."""

import pytest

from tests.schedules.__main__ import EFFORTS
from tests.schedules.explorer import (
    Failure,
    Limits,
    Search,
    parsed,
    replay,
    undisturbed,
    walk,
    written,
)
from tests.schedules.mutants import MUTANTS, broken
from tests.schedules.scenarios import SCENARIOS

QUICK = EFFORTS["quick"]
PATIENCE_S = 50.0  # of a search that takes a second or two on a machine that is not busy


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_order_and_no_kill_breaks_a_rule(scenario: str) -> None:
    """All schedules within the quick limits, and from each state all who live get to their ends."""
    with undisturbed():
        report = Search(scenario, QUICK.limits[scenario], PATIENCE_S).explore()
    assert report.failure is None
    assert report.complete
    assert report.schedules > 5


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_random_order_of_single_accesses_breaks_a_rule(scenario: str) -> None:
    """Here nothing counts as independent."""
    with undisturbed():
        for seed in range(QUICK.walks):
            steps, failure = walk(scenario, Limits(kills=1), seed)
            assert failure is None
            assert steps > 10


@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_in_the_code_is_found_and_can_be_seen_again(name: str) -> None:
    """The schedule that the search prints leads to the same complaint."""
    mutant = MUTANTS[name]
    with undisturbed(), broken(name):
        report = Search(mutant.scenario, mutant.limits, PATIENCE_S).explore()
        assert report.failure is not None, mutant.about
        if "never get" in report.failure.reason:  # which takes more than one schedule to say
            return
        _, again = replay(mutant.scenario, report.failure.schedule, fine=False)
    assert again == Failure(*report.failure)
    _, sound = replay(mutant.scenario, report.failure.schedule, fine=False)
    assert sound != report.failure


def test_a_schedule_is_read_as_it_is_written() -> None:
    """Runs of equal steps are counted."""
    text = "W1*3 !W1 R1 W2*12"
    assert written(parsed(text)) == text
    assert [str(choice) for choice in parsed("A*2 !B")] == ["A", "A", "!B"]
