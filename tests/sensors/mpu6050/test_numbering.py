"""Frames that were found → numbered and timed readings."""

from trio_mpu.sensors.mpu6050.numbering import MAX_POLLS, Poll, Reading, ReadingNumbers

P = 1_000_000  # the period, ns
BEGUN = 10**10


def at(position: float, frames: int = 0, **fields: bool) -> Poll:
    """A look at this instant, in periods since the first reading, which found so many frames."""
    ns = BEGUN + round(position * P)
    return Poll([b"%d" % n for n in range(frames)], ns, ns, **fields)


def numbers(readings: list[Reading]) -> list[tuple[int, int]]:
    return [(reading.number, reading.lost) for reading in readings]


def begun() -> ReadingNumbers:
    """Numbering that knows the phase: readings come at whole positions."""
    numbering = ReadingNumbers(P)
    assert numbers(numbering.add(at(0.01, 1))) == [(0, 0)]
    assert numbers(numbering.add(at(1.99, 1))) == [(1, 0)]
    assert numbers(numbering.add(at(2.5, 1))) == [(2, 0)]
    assert abs(numbering.clock.time_ns(2) - BEGUN - 2 * P) < 0.05 * P
    return numbering


def test_nothing_is_numbered_before_the_first_reading() -> None:
    """However long it takes; nothing is missing before it."""
    numbering = ReadingNumbers(P)
    assert numbering.add(at(-100)) == []
    assert numbering.add(at(-50, continuous=False)) == []
    assert numbering.add(at(-40)) == []
    assert numbers(numbering.add(at(0.5, 3))) == [(0, 0), (1, 0), (2, 0)]
    assert numbering.newest == 2
    assert not numbering.is_waiting


def test_as_long_as_nothing_is_missed_counting_does() -> None:
    """Times are one period apart, and the time of finding is that of the look."""
    numbering = begun()
    readings = numbering.add(at(5.5, 3))
    assert numbers(readings) == [(3, 0), (4, 0), (5, 0)]
    assert [reading.frame for reading in readings] == [b"0", b"1", b"2"]
    assert {reading.found_ns for reading in readings} == {BEGUN + 5.5 * P}
    for reading in readings:
        assert abs(reading.t_ns - BEGUN - reading.number * P) < 0.05 * P


def test_after_a_break_the_time_tells_the_number() -> None:
    """Exactly, when the look is in the middle of a period; with the loss on the first."""
    numbering = begun()
    assert numbers(numbering.add(at(20.5, 2, continuous=False))) == [(19, 16), (20, 0)]
    assert numbers(numbering.add(at(22.5, 2))) == [(21, 0), (22, 0)]


def test_a_look_without_frames_tells_the_number_too() -> None:
    """Of an emptied FIFO: what comes next is the next one."""
    numbering = begun()
    assert numbering.add(at(20.5, continuous=False)) == []
    assert not numbering.is_waiting
    assert numbers(numbering.add(at(22.4, 2))) == [(21, 18), (22, 0)]


def test_frames_wait_for_a_look_that_can_tell() -> None:
    """A reading's instant was too near; the next look decides for both."""
    numbering = begun()
    assert numbering.add(at(20.05, 2, continuous=False)) == []
    assert numbering.is_waiting
    assert numbers(numbering.add(at(20.4))) == [(19, 16), (20, 0)]
    numbering = begun()
    assert numbering.add(at(19.95, 2, continuous=False)) == []
    assert numbers(numbering.add(at(20.4, 1))) == [(18, 15), (19, 0), (20, 0)]


def test_a_computer_too_busy_for_a_good_look_guesses() -> None:
    """After MAX_POLLS the middle of the poll decides."""
    numbering = begun()
    assert numbering.add(at(20.1, 1, continuous=False)) == []
    for _ in range(MAX_POLLS - 2):
        assert numbering.add(at(20.1)) == []
    assert numbers(numbering.add(at(20.1))) == [(20, 17)]
    assert not numbering.is_waiting


def test_a_chip_that_began_anew_is_numbered_by_its_first_reading() -> None:
    """To one reading; the phase may be another."""
    numbering = begun()
    numbering.rephase()
    assert numbering.is_waiting
    assert numbering.add(at(30.2)) == []
    [(number, lost)] = numbers(numbering.add(at(30.9, 1)))
    assert number in (30, 31)
    assert lost == number - 3
    assert numbers(numbering.add(at(31.5, 1))) == [(number + 1, 0)]


def test_a_vague_first_reading_waits_for_a_better_look() -> None:
    """A computer that slept within the transfer can't tell when it was."""
    numbering = begun()
    numbering.rephase()
    vague = Poll([b"x"], BEGUN + 30 * P, BEGUN + 60 * P)
    assert numbering.add(vague) == []
    [(number, _), (following, _)] = numbers(numbering.add(at(60.9, 1)))
    assert (number, following) in ((59, 60), (60, 61))


def test_what_was_waiting_when_a_break_came_is_lost() -> None:
    """It is counted among those."""
    numbering = begun()
    assert numbering.add(at(20.05, 2, continuous=False)) == []
    assert numbers(numbering.add(at(40.5, 1, continuous=False))) == [(40, 37)]


def test_a_pause_of_the_chip_is_told_when_it_is_over() -> None:
    """Readings that it did not make have numbers, too."""
    numbering = begun()
    assert numbering.add(at(3.9)) == []
    assert numbering.add(at(9.0)) == []
    [(number, lost)] = numbers(numbering.add(at(50.5, 1)))
    assert number in (49, 50, 51)
    assert lost == number - 3


def test_a_pause_among_the_frames_of_one_look_changes_the_phase_only() -> None:
    """Nobody knows where it was; the chip made no reading in it that could be missing."""
    numbering = begun()
    assert numbers(numbering.add(at(50.5, 2))) == [(3, 0), (4, 0)]
    assert abs(numbering.clock.time_ns(4) - BEGUN - 50 * P) < P
    assert numbers(numbering.add(at(51.5, 1))) == [(5, 0)]


def test_stale_readings_that_come_late_forget_no_part_of_a_period() -> None:
    """One each one and a half periods: samples and losses add up to the time."""
    numbering = begun()
    found = [numbering.add(at(2.5 + 1.5 * n, 1, stale=True)) for n in range(1, 101)]
    told = sum(1 + lost for readings in found for _, lost in numbers(readings))
    assert told == numbering.newest - 2
    assert abs(told - 150) <= 1


def test_a_stale_reading_takes_a_number() -> None:
    """It stands for one that the chip did not make; several such are missing in a long silence."""
    numbering = begun()
    assert numbers(numbering.add(at(3.5, 1, stale=True))) == [(3, 0)]
    assert numbers(numbering.add(at(4.5, 1, stale=True))) == [(4, 0)]
    assert numbers(numbering.add(at(9.6, 1, stale=True))) == [(9, 4)]
    [(number, lost)] = numbers(numbering.add(at(13.0, 1)))
    assert number in (12, 13)
    assert lost == number - 10


def test_a_number_never_comes_twice() -> None:
    """Even if the time says so: the chip's clock may be faster than it was thought."""
    numbering = begun()
    assert numbers(numbering.add(at(2.6, 2, continuous=False))) == [(3, 0), (4, 0)]
