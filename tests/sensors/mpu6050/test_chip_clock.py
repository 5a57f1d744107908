"""The chip's clock, seen through the times of looking at it."""

import random
import statistics

import pytest

from trio_mpu.sensors.mpu6050.chip_clock import ChipClock

PERIOD_NS = 1_000_000


class Clock:
    """A chip whose clock is wrong, and a computer that looks at it."""

    def __init__(self, error: float, *, transfer_ns: int = 100_000, seed: int = 1) -> None:
        self.period_ns = PERIOD_NS * (1 + error)
        self.clock = ChipClock(PERIOD_NS)
        self.now_ns = 10**12
        self._phase_ns = self.now_ns + 300_000
        self._transfer_ns = transfer_ns
        self._random = random.Random(seed)

    def newest(self) -> int:
        return int((self.now_ns - self._phase_ns) // self.period_ns)

    def true_ns(self, number: int) -> float:
        return self._phase_ns + number * self.period_ns

    def look(self, after_ns: float) -> int:
        """Look after so much time; return which reading was the newest."""
        self.now_ns += round(after_ns)
        begun_ns = self.now_ns
        self.now_ns += self._random.randrange(self._transfer_ns)
        newest = self.newest()
        self.now_ns += self._random.randrange(self._transfer_ns)
        self.clock.observe(newest, begun_ns, self.now_ns)
        return newest

    def error_ns(self, number: int) -> float:
        return abs(self.clock.time_ns(number) - self.true_ns(number))


@pytest.mark.parametrize("error", [-0.01, -1e-4, 0.0, 0.003, 0.01])
def test_times_are_right_to_a_tenth_of_a_period(error: float) -> None:
    """With transfers of a tenth of a period, once all phases have been met: median and worst."""
    clock = Clock(error)
    errors = []
    for look in range(3000):
        newest = clock.look((5 + look * 0.618 % 1) * PERIOD_NS)
        if look > 200:
            errors.append(clock.error_ns(newest))
    assert statistics.median(errors) < 0.1 * PERIOD_NS
    assert max(errors) < 0.25 * PERIOD_NS
    assert clock.clock.period_ns == pytest.approx(clock.period_ns, rel=1e-4)


@pytest.mark.parametrize("error", [-0.01, 0.0, 0.01])
def test_no_time_is_ever_wrong_by_a_period(error: float) -> None:
    """From the second observation on, also when every look meets the same phase."""
    clock = Clock(error)
    for look in range(2000):
        newest = clock.look(5 * clock.period_ns - 100_000)
        assert look == 0 or clock.error_ns(newest) < PERIOD_NS


def test_the_first_observation_gives_the_middle() -> None:
    """Of the period in which the reading must have been made."""
    clock = ChipClock(PERIOD_NS)
    clock.observe(7, 5_000_000, 5_100_000)
    assert clock.time_ns(7) == (4_000_000 + 5_100_000) // 2
    assert clock.spread_ns == 1_100_000
    assert clock.time_ns(9) - clock.time_ns(7) == 2 * PERIOD_NS


def test_the_period_outlives_a_new_phase() -> None:
    """A chip that begins anew has the same clock."""
    clock = Clock(0.01)
    for look in range(2000):
        clock.look((5 + look * 0.618 % 1) * PERIOD_NS)
    clock.clock.rephase()
    assert not clock.clock.has_phase
    for look in range(5):
        clock.look((5 + look * 0.618 % 1) * PERIOD_NS)
    assert clock.clock.period_ns == pytest.approx(clock.period_ns, rel=1e-3)


def test_a_clock_that_drifts_is_followed() -> None:
    """What was observed long ago doesn't count any more."""
    clock = Clock(0.0)
    for look in range(6000):
        newest = clock.look((5 + look * 0.618 % 1) * PERIOD_NS)
        number = clock.newest()
        now_ns = clock.true_ns(number)
        clock.period_ns *= 1 + 2e-8  # 4 ppm a second, more than any warm hand does
        clock._phase_ns = round(now_ns - number * clock.period_ns)
        assert look < 100 or clock.error_ns(newest) < 0.5 * PERIOD_NS
    assert clock.clock.period_ns == pytest.approx(clock.period_ns, rel=3e-4)


def test_which_reading_is_the_newest_is_told_only_when_it_is_certain() -> None:
    """In the middle of a period, yes; around a reading's instant, or over two, no."""
    clock = ChipClock(PERIOD_NS)
    clock.observe(0, 10_500_000, 10_500_000)
    assert clock.time_ns(0) == 10_000_000
    assert clock.newest_at(12_300_000, 12_700_000) == 2
    assert clock.newest_at(11_900_000, 11_950_000) is None
    assert clock.newest_at(12_050_000, 12_100_000) is None
    assert clock.newest_at(11_500_000, 12_500_000) is None
    assert clock.newest_at(11_500_000, 12_500_000 + PERIOD_NS) is None
    assert clock.position(12_250_000) == 2.25


def test_a_vague_look_does_not_spoil_the_period() -> None:
    """A computer that slept within the transfer says little about when."""
    clock = Clock(0.0)
    for look in range(100):
        clock.look((5 + look * 0.618 % 1) * PERIOD_NS)
    before = clock.clock.period_ns
    number = clock.newest() + 91
    clock.clock.observe(number, clock.now_ns, clock.now_ns + 90 * PERIOD_NS)
    assert clock.clock.period_ns == before
