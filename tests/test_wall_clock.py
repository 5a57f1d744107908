"""The wall clock beside the monotonic one, with clocks that a test sets."""

import time

import pytest

from trio_mpu.wall_clock import STEP_NS, StepWatch, asleep_ns, boot_id, offset_ns


class Clocks:
    """Three clocks, as the kernel has them."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.wall_ns, self.monotonic_ns, self.boot_ns = 10**9, 500, 500
        patch.setattr(time, "time_ns", lambda: self.wall_ns)
        patch.setattr(time, "monotonic_ns", lambda: self.monotonic_ns)
        patch.setattr(time, "clock_gettime_ns", lambda _: self.boot_ns)

    def pass_ns(self, passed_ns: int, *, asleep: bool = False) -> None:
        """Let time pass; while the computer sleeps, the monotonic clock stands still."""
        self.wall_ns += passed_ns
        self.boot_ns += passed_ns
        self.monotonic_ns += 0 if asleep else passed_ns


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    """In place of the kernel's."""
    return Clocks(monkeypatch)


def test_a_clock_that_is_set_has_stepped_once(clocks: Clocks) -> None:
    """In either direction, until that is accepted; time that passes is no step."""
    watch = StepWatch()
    clocks.pass_ns(10**12)
    assert not watch.has_stepped()
    for step_ns in (STEP_NS + 1, -(10**18)):
        clocks.wall_ns += step_ns
        assert watch.has_stepped()
        assert watch.has_stepped()
        watch.accept()
        assert not watch.has_stepped()


def test_a_clock_that_drifts_or_a_computer_that_sleeps_is_no_step(clocks: Clocks) -> None:
    """NTP slews in small parts; sleep changes the offset, but nobody has set the clock."""
    watch = StepWatch()
    for _ in range(1000):
        clocks.wall_ns += 5_000_000
        assert not watch.has_stepped()
        watch.accept()
    before_ns = offset_ns()
    clocks.pass_ns(3600 * 10**9, asleep=True)
    assert not watch.has_stepped()
    assert offset_ns() == before_ns + 3600 * 10**9


def test_a_step_between_the_look_and_its_acceptance_is_noticed_later(clocks: Clocks) -> None:
    """A batch of samples may wait for the semaphore in between."""
    watch = StepWatch()
    assert not watch.has_stepped()
    clocks.wall_ns += STEP_NS + 1
    watch.accept()
    assert watch.has_stepped()


def test_the_time_asleep_is_that_in_which_the_monotonic_clock_stood_still(clocks: Clocks) -> None:
    """It adds up since the computer's start."""
    clocks.pass_ns(STEP_NS)
    assert asleep_ns() == 0
    clocks.pass_ns(2 * STEP_NS, asleep=True)
    clocks.pass_ns(STEP_NS)
    assert asleep_ns() == 2 * STEP_NS


def test_a_start_of_the_computer_has_one_id() -> None:
    """A UUID, as the kernel has it."""
    assert boot_id() == boot_id()
    assert len(boot_id()) == 36


def test_a_pause_between_two_readings_is_no_step(
    clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it make the offset wrong."""
    watch, before_ns = StepWatch(), offset_ns()
    pauses = iter([10 * STEP_NS, 0, 0, 10 * STEP_NS])

    def paused() -> int:
        clocks.pass_ns(next(pauses, 0))
        return clocks.wall_ns

    monkeypatch.setattr(time, "time_ns", paused)
    assert not watch.has_stepped()
    assert offset_ns() == before_ns
    assert offset_ns() == before_ns
    assert next(pauses, None) is None
