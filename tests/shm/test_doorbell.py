"""The doorbell: a hint that wakes readers, and nothing worse when it fails."""

import socket
import uuid

import trio
from trio.testing import MockClock

from trio_mpu.shm.doorbell import BELLS, LOOK_S, ROUND_S, Bell, Ringer, address

GENERATION = 7


async def rings(bell: Bell, period_s: float = 1.0) -> bool:
    """Return whether it rings before it is time to look without it."""
    with trio.move_on_after(bell.look_s(period_s)):
        await bell.rung()
        bell.drain()
        return True
    return False


def unique() -> str:
    """A ring's name that no other test has."""
    return f"bell-{uuid.uuid4().hex[:12]}"


async def test_every_reader_hears_and_a_late_one_from_the_next_round_on() -> None:
    """A reader that comes between two rounds waits for the next one at most."""
    ring = unique()
    ringer, early = Ringer(ring, GENERATION), Bell(ring, GENERATION)
    ringer.ring(100.0)
    assert await rings(early)
    late = Bell(ring, GENERATION)
    ringer.ring(100.0 + ROUND_S / 2)
    assert await rings(early)
    assert not await rings(late)
    ringer.ring(100.0 + ROUND_S)
    assert await rings(early)
    assert await rings(late)
    for end in (ringer, early, late):
        end.close()


async def test_a_reader_that_left_frees_its_address() -> None:
    """The kernel is the registry: the next reader takes the first free bell."""
    ring = unique()
    one, two = Bell(ring, GENERATION), Bell(ring, GENERATION)
    one.close()
    again = Bell(ring, GENERATION)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        for number, there in ((0, True), (1, True), (2, False)):
            try:
                probe.sendto(b"\a", address(ring, GENERATION, number))
            except ConnectionRefusedError:
                assert not there
            else:
                assert there
    two.close()
    again.close()


async def test_other_rings_and_generations_have_other_bells() -> None:
    """A producer wakes the readers of its own ring only."""
    ring = unique()
    bell = Bell(ring, GENERATION)
    for other in (Ringer(ring, GENERATION + 1), Ringer(ring + "x", GENERATION)):
        other.ring(0.0)
        other.close()
    assert not await rings(bell)
    bell.close()


async def test_a_reader_that_never_listens_does_not_stop_the_producer() -> None:
    """A full queue is a bell that rings already."""
    ring = unique()
    ringer, deaf, awake = Ringer(ring, GENERATION), Bell(ring, GENERATION), Bell(ring, GENERATION)
    for _ in range(2000):
        ringer.ring(0.0)
    assert await rings(awake)
    assert await rings(deaf)
    ringer.ring(0.01)
    assert await rings(deaf)
    for end in (ringer, deaf, awake):
        end.close()


async def test_ringing_nobody_is_no_error() -> None:
    """The producer needs no reader."""
    ringer = Ringer(unique(), GENERATION)
    ringer.ring(0.0)
    ringer.close()


async def test_without_a_bell_readers_look_anyway(autojump_clock: MockClock) -> None:
    """Every LOOK_S while bells were heard, once a period after a bell was missed, until the next."""
    assert autojump_clock.rate == 0
    ring = unique()
    ringer, bell = Ringer(ring, GENERATION), Bell(ring, GENERATION)

    async def waited(period_s: float) -> float:
        begun = trio.current_time()
        assert not await rings(bell, period_s)
        return round(trio.current_time() - begun, 6)

    assert await waited(0.01) == LOOK_S
    bell.missed()
    assert await waited(0.01) == 0.01
    assert await waited(10.0) == LOOK_S
    assert await waited(0.0) == 0.001
    ringer.ring(0.0)
    assert await rings(bell, 0.01)
    assert await waited(0.01) == LOOK_S
    ringer.close()
    bell.close()


async def test_a_reader_without_a_free_bell_looks_once_a_period(autojump_clock: MockClock) -> None:
    """More readers than bells: the rest poll."""
    assert autojump_clock.rate == 0
    ring = unique()
    bells = [Bell(ring, GENERATION) for _ in range(BELLS)]
    unheard = Bell(ring, GENERATION)
    begun = trio.current_time()
    assert not await rings(unheard, 0.02)
    assert round(trio.current_time() - begun, 6) == 0.02
    for bell in [*bells, unheard]:
        bell.close()
