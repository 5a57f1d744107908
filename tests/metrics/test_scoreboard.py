"""The table that all workers of a server share."""

import pytest

from trio_mpu.metrics.counters import NUMBERS
from trio_mpu.metrics.scoreboard import UP_NS, Scoreboard, Workers, alone, scoreboard_bytes

NOW_NS = 10**18


def board_of(slots: int) -> tuple[bytearray, Scoreboard]:
    """A board, and the memory that it is in."""
    memory = bytearray(scoreboard_bytes(slots))
    return memory, Scoreboard(memoryview(memory))


def test_a_server_without_workers_is_the_only_one_at_its_board() -> None:
    """Nothing is different there."""
    slot = alone()
    assert len(slot.scoreboard) == 1
    slot.report(NOW_NS, 0, {})
    assert slot.scoreboard.workers(NOW_NS) == Workers(1, 1)
    assert alone().get("beat_ns") == 0


def test_there_are_so_many_seats_as_there_is_memory_for() -> None:
    """And no other seat can be taken."""
    _, scoreboard = board_of(3)
    assert len(scoreboard) == 3
    for number in range(3):
        scoreboard.slot(number)
    for number in (-1, 3):
        with pytest.raises(IndexError):
            scoreboard.slot(number)


def test_all_who_have_the_memory_see_the_same() -> None:
    """Two processes, each with its own Board; no row touches another."""
    memory, scoreboard = board_of(3)
    other = Scoreboard(memoryview(memory))
    for number in range(3):
        counters = {name: 10**number * place for place, name in enumerate(NUMBERS, start=1)}
        scoreboard.slot(number).report(NOW_NS + number, number, counters)
        scoreboard.slot(number).add("connections_open", 10**number)
        scoreboard.slot(number).add("streams_open", 20**number)
    for number in range(3):
        slot = other.slot(number)
        assert slot.get("beat_ns") == NOW_NS + number
        assert slot.get("streams_attached") == number
        assert slot.get("connections_open") == 10**number
        assert slot.get("streams_open") == 20**number
        assert list(slot.counters().values()) == [
            10**number * place for place in range(1, len(NUMBERS) + 1)
        ]
    assert other.total("connections_open") == 111
    assert other.total("streams_open") == 421
    assert other.total("streams_attached") == 3
    assert list(other.counters()) == list(NUMBERS)
    assert list(other.counters().values()) == [111 * place for place in range(1, len(NUMBERS) + 1)]


def test_the_processes_of_the_workers_are_known() -> None:
    """Until they end."""
    _, scoreboard = board_of(3)
    scoreboard.slot(0).begin(70)
    scoreboard.slot(2).begin(72)
    assert scoreboard.pids() == {0: 70, 2: 72}
    scoreboard.slot(0).clear()
    scoreboard.slot(2).begin(73)
    assert scoreboard.pids() == {2: 73}


def test_numbers_may_be_large_and_never_negative() -> None:
    """64 bits without a sign."""
    slot = alone()
    slot.report(NOW_NS, 0, {"events": 2**64 - 1})
    assert slot.counters()["events"] == 2**64 - 1
    with pytest.raises(ValueError, match="format"):
        slot.add("connections_open", -1)


def test_a_name_that_nobody_knows_is_an_error() -> None:
    """As in Metrics."""
    with pytest.raises(KeyError):
        alone().add("evnets", 1)


@pytest.mark.parametrize(
    ("ages_ns", "up"),
    [
        ([None, None, None], 0),
        ([0, UP_NS - 1, None], 2),
        ([0, UP_NS, UP_NS + 1], 1),
        ([-1, -UP_NS, 10**12], 2),
    ],
)
def test_who_gave_no_sign_of_life_lately_is_not_up(ages_ns: list[int | None], up: int) -> None:
    """Nor who never gave any; one that is newer than the question is a sign of life."""
    _, scoreboard = board_of(len(ages_ns))
    for number, age_ns in enumerate(ages_ns):
        if age_ns is not None:
            scoreboard.slot(number).report(NOW_NS - age_ns, 0, {})
    assert scoreboard.workers(NOW_NS) == Workers(len(ages_ns), up)


def test_the_limit_is_for_all_together() -> None:
    """Whoever of them has the connections; one who leaves makes room for any."""
    _, scoreboard = board_of(3)
    one, two, three = (scoreboard.slot(number) for number in range(3))
    assert [one.admit(3), two.admit(3), two.admit(3), three.admit(3), one.admit(3)] == [
        *(True, True, True),
        *(False, False),
    ]
    assert scoreboard.total("connections_open") == 3
    two.add("connections_open", -1)
    assert three.admit(3)
    assert not two.admit(3)
    assert [slot.get("connections_open") for slot in (one, two, three)] == [1, 1, 1]


class Interrupted(Scoreboard):
    """A board of two, where the other one's connection comes in the middle of the comparison:
    just before the numbers are looked at, or just after."""

    def __init__(self, *, before: bool) -> None:
        super().__init__(memoryview(bytearray(scoreboard_bytes(2))))
        self.before = before
        self.admitted: list[bool] = []

    def total(self, name: str) -> int:
        """Look at the numbers."""
        first, self.before = self.before, False
        if first:
            self.other()
        found = super().total(name)
        if not first and not self.admitted:
            self.other()
        return found

    def other(self) -> None:
        """Let the other one have a connection."""
        self.admitted.append(False)  # none comes in the middle of this one
        self.admitted[-1] = self.slot(1).admit(1)


@pytest.mark.parametrize("before", [True, False])
def test_of_two_at_the_same_instant_not_both_are_admitted(before: bool) -> None:
    """Each is counted before the other looks; both may be refused, and then there is room again."""
    scoreboard = Interrupted(before=before)
    admitted = scoreboard.slot(0).admit(1)
    assert len(scoreboard.admitted) == 1
    assert admitted + scoreboard.admitted[0] <= 1
    assert scoreboard.total("connections_open") == admitted + scoreboard.admitted[0]


def test_the_counters_survive_a_worker_and_nothing_else_does() -> None:
    """What it had open is free at once; the others keep theirs."""
    _, scoreboard = board_of(2)
    dead, other = scoreboard.slot(0), scoreboard.slot(1)
    for slot in (dead, other):
        assert slot.admit(10)
        slot.add("streams_open", 1)
        slot.report(NOW_NS, 1, {"events": 5, "requests": 7})
    dead.clear()
    assert scoreboard.workers(NOW_NS) == Workers(2, 1)
    for name in ("connections_open", "streams_open", "streams_attached"):
        assert (scoreboard.total(name), dead.get(name), other.get(name)) == (1, 0, 1)
    assert scoreboard.counters()["events"] == 10
    assert dead.counters()["requests"] == 7
