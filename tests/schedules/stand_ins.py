"""Puts the machine between the ring's code and the kernel."""

import contextlib
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Final

import trio

from tests.schedules.kernel import SHM
from tests.schedules.machine import Machine
from tests.schedules.memory import StepStruct, view_of
from tests.schedules.rules import CLOCK_NS
from trio_mpu import ring
from trio_mpu.shm import layout, ownership, segment, semaphore

_STARTED_NS: Final = 10**18 + 1  # arbitrary, but the same in each run


class _NoBell:
    """Without doorbells, readers look by themselves."""

    def __init__(self, _ring: str, _generation: int) -> None:
        pass

    def ring(self, now: float) -> None:
        """Wake nobody."""

    def close(self) -> None:
        """Nothing is open."""


class _SteadyClock:
    """A wall clock that nobody sets."""

    def has_stepped(self) -> bool:
        """It never has."""
        return False

    def accept(self) -> None:
        """Nothing is to be remembered."""


@contextlib.contextmanager
def installed(machine: Machine) -> Iterator[None]:
    """Let the ring's code call this machine until the end of the block."""
    clock = SimpleNamespace(
        monotonic=lambda: 1.0, monotonic_ns=lambda: 10**9, time_ns=lambda: _STARTED_NS
    )
    wall_clock = SimpleNamespace(offset_ns=lambda: CLOCK_NS, StepWatch=_SteadyClock)
    calm: list[tuple[ModuleType, str, object]] = [
        (layout, "memoryview", view_of),
        (layout, "_RECORD", StepStruct(layout._RECORD)),
        (
            layout,
            "_STRUCTS",
            {name: (at, StepStruct(form)) for name, (at, form) in layout._STRUCTS.items()},
        ),
        (segment, "memoryview", machine.kernel.view),
        (segment, "posix_ipc", machine.kernel.posix_ipc_module()),
        (segment, "fcntl", machine.kernel.fcntl_module()),
        (segment, "os", machine.kernel.os_module()),
        (segment, "mmap", machine.kernel.mmap_module()),
        (segment, "_SHM", machine.kernel.path(SHM)),
        (semaphore, "posix_ipc", machine.kernel.posix_ipc_module()),
        (semaphore, "fcntl", machine.kernel.fcntl_module()),
        (semaphore, "myself", machine.myself),
        (semaphore, "is_alive", machine.is_alive),
        (ownership, "myself", machine.myself),
        (ownership, "time", clock),
        (ownership, "secrets", SimpleNamespace(randbits=machine.next_generation)),
        (ring, "time", clock),
        (ring, "wall_clock", wall_clock),
        (ring, "Bell", _NoBell),
        (ring, "Ringer", _NoBell),
        (trio, "sleep", machine.sleep),
        (trio, "current_time", machine.current_time),
    ]
    before = [(module, name, vars(module).get(name)) for module, name, _ in calm]
    for module, name, value in calm:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in before:
            if value is None:
                delattr(module, name)
            else:
                setattr(module, name, value)
