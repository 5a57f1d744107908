"""Participants that take one step at a time, and what stands between them and the kernel."""

import contextlib
import fcntl
import mmap
import os
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import greenlet
import posix_ipc

from tests.schedules.kernel import SHM, Kernel, Mapping, OpenFile, StepSemaphore
from tests.schedules.rules import Rules, Violation
from trio_mpu.record import Process
from trio_mpu.shm.semaphore import semaphore_name

FIRST_LOOK_S: Final = 100.0  # of anybody's clock: not 0, which `begun or …` would take for none
LATER_LOOK_S: Final = FIRST_LOOK_S + 0.025  # more than RECOVER_AFTER_S, less than PATIENCE_S

MAX_NAPS: Final = 10  # where nobody else can go on meanwhile; arbitrary


class Killed(BaseException):
    """A participant is dead: it takes no further step."""


class Step(NamedTuple):
    """What a participant is about to do.

    `private`: nobody else can tell when it is done, only whether. `ready`: it can't be done before
    this is true.
    """

    kind: str
    private: bool = False
    ready: Callable[[], bool] | None = None


BEGIN: Final = Step("begin")
SLEEP: Final = Step("sleep")


class Participant:
    """One process. `past` is a hash of all that it has seen: its state follows from that."""

    def __init__(self, name: str, process: Process, script: Callable[[], Awaitable[None]]) -> None:
        self.name = name
        self.process = process
        self.pending = BEGIN
        self.alive, self.done, self.buried = True, False, False
        self.files: dict[int, OpenFile] = {}
        self.holds: set[int] = set()  # semaphores
        self.looks = False  # at a segment, whether it can be used and whose it is
        self.recovered = 0
        self.past = hash(name)
        self.tried_at: int | None = None  # its past when it first tried to get the semaphore
        self.is_late = False  # it has slept since then
        self.naps = 0  # before the run or after it
        self.error: BaseException | None = None
        self._script = script
        self.greenlet = greenlet.greenlet(self._run)

    def _run(self) -> None:
        try:
            drive(self._script())
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001 - the explorer raises it again
            self.error = error
        self.done = True

    def close_files(self) -> None:
        """Close them as the kernel does. (A mapping would keep the locks: it has a copy of the
        descriptor.)"""
        for fd in self.files:
            fcntl.flock(fd, fcntl.LOCK_UN)
            os.close(fd)
        self.files.clear()

    def saw(self, *what: object) -> None:
        """Note the outcome of a step."""
        self.past = hash((self.past, what))

    def state(self) -> tuple[object, ...]:
        """Return all that decides what it does next, and what others find of it."""
        locks = tuple((file.inode, file.shared, file.writer) for file in self.files.values())
        where = self.past, self.pending.kind, self.done
        return (*where, self.alive, self.buried, self.recovered, locks)


class Machine:
    """The participants of one run, and the kernel's objects that they share.

    Without a current participant, and while `quiet`, nothing is a step: things are set up, or looked at
    in the end.
    """

    def __init__(self, *, fine: bool) -> None:
        """`fine`: what is done under the semaphore is a step like any other."""
        self.ring = f"schedules_{os.getpid()}_{uuid.uuid4().hex[:6]}"
        self.kernel = Kernel(self)
        self.rules = Rules(self)
        self.participants: dict[str, Participant] = {}
        self.current: Participant | None = None
        self.quiet = False
        self.fine = fine
        self._names = (SHM / self.ring, SHM / f"sem.{semaphore_name(self.ring)[1:]}")
        self.opened: list[Mapping | StepSemaphore] = []  # to be closed in the end
        self._generations = 0
        self._inodes: dict[int, int] = {}  # → in the order in which they were seen
        self._views: dict[int, memoryview] = {}  # of all segments that there ever were
        self.semaphores: dict[int, posix_ipc.Semaphore] = {}
        self._explorer = greenlet.getcurrent()

    # -- participants -------------------------------------------------------------------------

    def add(self, name: str, script: Callable[[], Awaitable[None]]) -> Participant:
        """Add a participant that will run this."""
        process = Process(len(self.participants) + 1, 1)
        participant = Participant(name, process, script)
        self.participants[name] = participant
        return participant

    @contextlib.contextmanager
    def before_it_begins(self, participant: Participant) -> Iterator[None]:
        """What the block does, this participant has done before the run begins."""
        self.current, self.quiet = participant, True
        try:
            yield
        finally:
            self.current, self.quiet = None, False
            for segment, view in self._views.items():
                self.rules.begin(segment, view)

    def step(self, kind: str, *, private: bool = False) -> None:
        """Wait until the explorer grants this step. Raises Killed instead if it never does."""
        self.wait(Step(kind, private))

    def wait(self, step: Step) -> None:
        """Do so for any step."""
        me = self.current
        if me is None or (self.quiet and me.alive):
            return
        if me.alive and not (step.private and step.kind == "load" and not self.fine):
            me.pending = step
            self._explorer.switch()
            if step.ready is not None:
                me.saw(step.kind)
        if not me.alive:
            raise Killed

    def let(self, participant: Participant) -> None:
        """Let it take its next step, up to the one after that; of a dead one: let the kernel close
        its files. Raises what it has raised."""
        if not participant.alive:
            participant.buried = True
            participant.close_files()
            return
        self._go(participant)
        if participant.error is not None:
            raise participant.error

    def kill(self, participant: Participant) -> None:
        """Kill it; the files that it had open are still to be closed."""
        participant.alive = False
        for fd, file in participant.files.items():
            if file.writer:
                unlock_writer(fd)
                file.writer = False
        self._go(participant)

    def _go(self, participant: Participant) -> None:
        self.current = participant
        try:
            participant.greenlet.switch()
        finally:
            self.current = None

    def is_private(self) -> bool:
        """Whether only the current participant may touch the bytes now."""
        return not self.fine and self.current is not None and bool(self.current.holds)

    # -- the kernel's objects -----------------------------------------------------------------

    def number(self, inode: int) -> int:
        """Return which inode this is, in a form that is the same in each run."""
        return self._inodes.setdefault(inode, len(self._inodes))

    def named(self, path: Path) -> int:
        """Return the inode that this name leads to, -1 without one."""
        try:
            return self.number(path.stat().st_ino)
        except FileNotFoundError:
            return -1

    def names(self) -> tuple[int, int]:
        """Return what the ring's two names lead to."""
        segment, semaphore = self._names
        return self.named(segment), self.named(semaphore)

    def rings(self) -> tuple[int, int, bool]:
        """Return what the names lead to, and whether a segment there is ready for use."""
        segment, semaphore = self.names()
        view = self._views.get(segment)
        return segment, semaphore, view is not None and any(view[:8])

    def note_segment(self, inode: int, fd: int) -> None:
        """Remember the bytes of a segment that has just been given a size."""
        # Opened anew: with a mapping of theirs, their locks would outlive them.
        own = os.open(f"/proc/self/fd/{fd}", os.O_RDWR)
        self._views[inode] = memoryview(mmap.mmap(own, os.fstat(own).st_size))
        os.close(own)

    def state(self) -> int:
        """Return a hash of everything: two runs with the same one go on alike."""
        return hash(
            (
                tuple(bytes(view) for view in self._views.values()),
                tuple((inode, one.value) for inode, one in self.semaphores.items()),
                self.names(),
                tuple(one.state() for one in self.participants.values()),
                self._generations,
            )
        )

    def next_generation(self, _bits: int) -> int:
        """Stand in for secrets.randbits."""
        self._generations += 1
        return self._generations

    def close(self) -> None:
        """End everybody and remove everything."""
        for participant in self.participants.values():
            if not participant.done:
                participant.alive = False
                self._go(participant)
            participant.close_files()
        for one in self.opened:
            one.finally_close()
        for view in self._views.values():
            mapped = view.obj
            assert isinstance(mapped, mmap.mmap)
            view.release()
            mapped.close()
        self._views.clear()
        for path in self._names:
            path.unlink(missing_ok=True)

    def me(self) -> Participant:
        """Return who takes a step at the moment."""
        assert self.current is not None
        return self.current

    # -- time ---------------------------------------------------------------------------------

    def current_time(self) -> float:
        """Stand in for trio's: as said in the package's docstring."""
        me = self.current
        return LATER_LOOK_S if me is not None and me.is_late else FIRST_LOOK_S

    async def sleep(self, _seconds: float) -> None:
        """Stand in for trio's. Who has slept twice is where it was after the first time."""
        me = self.me()
        if me.tried_at is None:
            me.tried_at = me.past
        me.past, me.is_late = hash((me.tried_at, "late")), True
        if self.quiet:
            me.naps += 1
            if me.naps > MAX_NAPS:
                raise Violation(f"{me.name} never gets the semaphore")
        self.wait(SLEEP)

    def myself(self) -> Process:
        """Stand in for the identity of this process."""
        return Process() if self.current is None else self.current.process

    def is_alive(self, process: Process) -> bool:
        """Stand in for the look into /proc."""
        return any(one.process == process and one.alive for one in self.participants.values())


def unlock_writer(fd: int) -> None:
    """Give the writer's lock back, as the kernel does first when it closes a file."""
    from trio_mpu.shm.segment import _FLOCK  # noqa: PLC0415 - its form is known there only

    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_UNLCK, 0, 0, 1, 0))


def drive(script: Awaitable[None]) -> None:
    """Run a coroutine that never has to wait for an event loop."""
    running = script.__await__()
    with contextlib.suppress(StopIteration):
        next(running)
        raise AssertionError("a participant waits for an event loop")
