"""Who does what: the participants of each scenario, and what they find."""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from tests.schedules.machine import Machine, Participant, Step, drive
from tests.schedules.rules import Violation, lost_up_to, sample_of
from trio_mpu.errors import RingError, RingMissing
from trio_mpu.ring import RingReader, RingWriter
from trio_mpu.shm.segment import Segment

CAPACITY: Final = 4  # a ring that is soon full
BEGUN_WITH: Final = 2  # records that there are before a run begins

Check = Callable[[], None]


class Scenario(NamedTuple):
    """A scenario: `set_up` adds the participants and returns what is to be checked in the end."""

    set_up: Callable[[Machine], Check]
    about: str


# -- what participants do ---------------------------------------------------------------------


async def write(ring: RingWriter, count: int) -> None:
    """Write that many samples as one batch; the losses that they report are counted first."""
    numbers = range(ring.head + 1, ring.head + 1 + count)
    ring.ledger["device_lost"] = max(ring.ledger["device_lost"], lost_up_to(numbers[-1]))
    await ring.write([sample_of(number) for number in numbers])


async def read(machine: Machine, name: str, reader: RingReader, reads: int) -> None:
    """Read on from 0 that many times; then ask for the header."""
    capacity = reader._segment.capacity
    after = head = 0
    for _ in range(reads):
        batch = await reader.read(after)
        machine.rules.batch(name, after, batch, capacity)
        if batch.head < head:
            raise Violation(f"{name} sees the head at {batch.head} after {head}")
        head = batch.head
        after = batch.records[-1].seq if batch.records else after
        if after != head:
            raise Violation(f"{name} has got to {after}, the head is {head}")
    header = await reader.header()
    if header.ledger["device_lost"] < lost_up_to(head):
        raise Violation(f"{name} finds a gap that is not counted in {header.ledger}")


async def succeed(machine: Machine, name: str, capacity: int = CAPACITY) -> RingWriter:
    """Take the ring over as soon as nobody has it."""
    while True:
        try:
            ring = await RingWriter.open(machine.ring, capacity)
        except RingError as error:
            if "already" not in str(error) and "being made" not in str(error):
                raise
            machine.wait(Step("await the writer's lock", ready=lambda: not has_writer(machine)))
            continue
        wanted = sample_of(ring.head).ax if ring.head else None
        if (ring.last and ring.last.ax) != wanted:
            raise Violation(f"{name} takes over {ring.last} at head {ring.head}")
        return ring


def has_writer(machine: Machine) -> bool:
    """Return whether somebody has the writer's lock of the segment that the name leads to."""
    segment, _ = machine.names()
    return any(
        file.writer and file.inode == segment
        for one in machine.participants.values()
        for file in one.files.values()
    )


async def finish(ring: RingWriter, me: Participant) -> None:
    """Stop; all that was recovered before is in the ledger."""
    before = me.recovered
    await ring.stop()
    counted = ring.ledger["semaphore_recoveries"]
    if counted < before or counted + ring._segment.take_recoveries() != me.recovered:
        raise Violation(f"{me.name} has recovered {me.recovered} times and counted {counted}")
    ring.close()


# -- the scenarios ----------------------------------------------------------------------------


def _begun(machine: Machine, name: str, script: Callable[[RingWriter], Awaitable[None]]) -> None:
    """Add a writer that has the ring, with some records in it."""
    opened: list[RingWriter] = []
    writer = machine.add(name, lambda: script(opened[0]))

    async def begin() -> None:
        opened.append(await RingWriter.open(machine.ring, CAPACITY))
        await write(opened[0], BEGUN_WITH)

    with machine.before_it_begins(writer):
        drive(begin())


def _reader(machine: Machine, name: str, reads: int) -> None:
    """Add a reader that has the ring open."""
    participant = machine.add(name, lambda: read(machine, name, opened, reads))
    with machine.before_it_begins(participant):
        opened = RingReader(machine.ring)


def _in_the_end(machine: Machine) -> Check:
    """Somebody who comes when all is over finds a ring that is whole, and can use it. Who was killed
    may have left none, or half of one."""

    async def nothing() -> None:
        pass

    async def look() -> None:
        try:
            reader = RingReader(machine.ring)
        except RingMissing:
            if all(one.alive for one in machine.participants.values()):
                raise
            return
        with reader:
            await read(machine, "the last reader", reader, 2)

    def check() -> None:
        observer = machine.add("observer", nothing)
        with machine.before_it_begins(observer):
            drive(look())

    return check


def _holders(machine: Machine) -> Check:
    """Three who use the semaphore."""

    async def do_nothing(_ring: RingWriter) -> None:
        pass

    async def once(segment: Segment) -> None:
        await segment.run(int)
        segment.close()

    def add(name: str) -> None:
        participant = machine.add(name, lambda: once(segment))
        with machine.before_it_begins(participant):
            segment = Segment(machine.ring)
            segment.map()
            segment.use()

    _begun(machine, "W1", do_nothing)
    for name in ("A", "B", "C"):
        add(name)
    return _in_the_end(machine)


def _reading(machine: Machine) -> Check:
    """A writer laps a reader."""

    async def lap(ring: RingWriter) -> None:
        await write(ring, 2)
        await write(ring, 1)
        ring.close()

    _begun(machine, "W1", lap)
    _reader(machine, "R1", 2)
    return _in_the_end(machine)


def _succession(machine: Machine) -> Check:
    """A writer that may be killed, its successor, and two readers."""

    async def serve(ring: RingWriter) -> None:
        await write(ring, 1)
        await write(ring, 2)
        ring.close()

    async def follow() -> None:
        ring = await succeed(machine, "W2")
        await ring.start("W2", 10**7)
        await write(ring, 1)
        await finish(ring, machine.participants["W2"])

    _begun(machine, "W1", serve)
    machine.add("W2", follow)
    _reader(machine, "R1", 2)
    _reader(machine, "R2", 1)
    return _in_the_end(machine)


def _birth(machine: Machine) -> Check:
    """Two want to make the ring, and a reader waits for it."""
    for name in ("W1", "W2"):
        _maker(machine, name, CAPACITY)
    return _first_reader(machine)


def _replacement(machine: Machine) -> Check:
    """There is a ring without a writer; one replaces it by a larger one, a reader opens either."""

    async def begin() -> None:
        ring = await RingWriter.open(machine.ring, CAPACITY)
        await write(ring, BEGUN_WITH)
        ring.close()

    _maker(machine, "W1", 2 * CAPACITY)
    with machine.before_it_begins(machine.participants["W1"]):
        drive(begin())
    return _first_reader(machine)


def _maker(machine: Machine, name: str, capacity: int) -> None:
    async def make() -> None:
        ring = await succeed(machine, name, capacity)
        await write(ring, 1)
        ring.close()

    machine.add(name, make)


def _first_reader(machine: Machine) -> Check:
    """Add one that waits for a ring and reads it."""

    def makers_left() -> bool:
        makers = [one for name, one in machine.participants.items() if name.startswith("W")]
        return any(not one.done for one in makers)

    def changed(seen: object) -> Callable[[], bool]:
        return lambda: machine.rings() != seen or not makers_left()

    async def come() -> None:
        while True:
            seen = machine.rings()
            machine.participants["R1"].saw(seen)
            try:
                reader = RingReader(machine.ring)
            except RingMissing:
                if not makers_left():
                    return
                machine.wait(Step("await a ring", ready=changed(seen)))
                continue
            with reader:
                await read(machine, "R1", reader, 1)
            return

    machine.add("R1", come)
    return _in_the_end(machine)


SCENARIOS: Final = {
    "holders": Scenario(_holders, "three use the semaphore"),
    "reading": Scenario(_reading, "a writer laps a reader"),
    "succession": Scenario(_succession, "a writer, its successor and two readers"),
    "birth": Scenario(_birth, "two make the ring, one reads it"),
    "replacement": Scenario(_replacement, "a larger ring takes the place of one, one reads it"),
}
