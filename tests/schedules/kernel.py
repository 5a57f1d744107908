"""What stands between the ring's code and the kernel: the same calls, each of them a step."""

import fcntl
import mmap
import os
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import posix_ipc

from tests.schedules.memory import SharedBuffer

if TYPE_CHECKING:
    from tests.schedules.machine import Machine

SHM = Path("/dev/shm")


class OpenFile:
    """A descriptor of a segment, and the locks that are held through it."""

    def __init__(self, inode: int) -> None:
        self.inode = inode
        self.shared = fcntl.LOCK_UN  # or LOCK_SH, LOCK_EX
        self.writer = False


class Kernel:
    """The calls of a machine's participants. All are made, on the real objects, when it is their turn."""

    def __init__(self, machine: "Machine") -> None:
        self._machine = machine

    def fcntl_module(self) -> SimpleNamespace:
        """Stand in for the module: its locks are steps."""
        return SimpleNamespace(**{**vars(fcntl), "flock": self._flock, "fcntl": self._fcntl})

    def _flock(self, fd: int, operation: int) -> None:
        self._machine.step("flock")
        me = self._machine.me()
        if me.tried_at is None and operation == fcntl.LOCK_SH | fcntl.LOCK_NB:
            me.tried_at = me.past
        try:
            fcntl.flock(fd, operation)
        except BlockingIOError:
            me.saw("flock", operation, False)
            raise
        me.files[fd].shared = operation & ~fcntl.LOCK_NB
        me.saw("flock", operation, True)

    def _fcntl(self, fd: int, command: int, argument: bytes) -> bytes:
        self._machine.step("writer's lock")
        me = self._machine.me()
        try:
            found: bytes = fcntl.fcntl(fd, command, argument)
        except BlockingIOError:
            me.saw("writer's lock", False)
            raise
        if command == fcntl.F_OFD_SETLK:
            me.files[fd].writer = True
        me.saw("writer's lock", found)
        return found

    def os_module(self) -> SimpleNamespace:
        """Stand in for the module: what changes or reads a segment's size is a step."""
        own = {"close": self._close, "fstat": self._fstat, "posix_fallocate": self._allocate}
        return SimpleNamespace(**{**vars(os), **own})

    def _close(self, fd: int) -> None:
        self._machine.step("close")
        me = self._machine.me()
        os.close(fd)
        del me.files[fd]
        me.saw("close")

    def _fstat(self, fd: int) -> os.stat_result:
        if not os.fstat(fd).st_size:
            self._machine.step("size")
            self._machine.me().saw("size", os.fstat(fd).st_size)
        return os.fstat(fd)

    def _allocate(self, fd: int, offset: int, length: int) -> None:
        self._machine.step("allocate")
        os.posix_fallocate(fd, offset, length)
        self._machine.note_segment(self._machine.me().files[fd].inode, fd)
        self._machine.me().saw("allocate")

    def mmap_module(self) -> SimpleNamespace:
        """Stand in for the module: a mapping knows its segment."""
        return SimpleNamespace(mmap=self._map)

    def _map(self, fd: int, size: int) -> "Mapping":
        mapping = Mapping(mmap.mmap(fd, size), self._machine.me().files[fd].inode)
        self._machine.opened.append(mapping)
        return mapping

    def view(self, of: object) -> object:
        """Stand in for the type: of a mapping, it is a shared buffer."""
        if isinstance(of, Mapping):
            return SharedBuffer(self._machine, of.view, of.inode)
        assert isinstance(of, bytes)
        return memoryview(of)

    def posix_ipc_module(self) -> SimpleNamespace:
        """Stand in for the module: what opens, makes and removes is a step."""
        own = {
            "SharedMemory": self._open_segment,
            "Semaphore": self._open_semaphore,
            "unlink_semaphore": self._unlink_semaphore,
        }
        return SimpleNamespace(**{**vars(posix_ipc), **own})

    def _open_segment(self, name: str, flags: int = 0, mode: int = 0o600) -> SimpleNamespace:
        self._machine.step("open")
        me = self._machine.me()
        try:
            memory = posix_ipc.SharedMemory(name, flags=flags, mode=mode)
        except posix_ipc.ExistentialError:
            me.saw("open", flags, -1)
            raise
        inode = self._machine.number(os.fstat(memory.fd).st_ino)
        me.files[memory.fd], me.looks = OpenFile(inode), True
        me.saw("open", flags, inode)
        return SimpleNamespace(fd=memory.fd)

    def _open_semaphore(
        self, name: str, flags: int = 0, mode: int = 0o600, initial_value: int = 0
    ) -> "StepSemaphore":
        self._machine.step("open")
        me = self._machine.me()
        try:
            found = posix_ipc.Semaphore(name, flags=flags, mode=mode, initial_value=initial_value)
        except posix_ipc.ExistentialError:
            me.saw("open", flags, -1)
            raise
        me.looks = False
        inode = self._machine.named(SHM / f"sem.{name[1:]}")
        self._machine.semaphores.setdefault(inode, found)
        if flags & posix_ipc.O_CREX:
            self._machine.rules.made(me, inode)
        me.saw("open", flags, inode)
        semaphore = StepSemaphore(self._machine, found, inode)
        self._machine.opened.append(semaphore)
        return semaphore

    def _unlink_semaphore(self, name: str) -> None:
        self._machine.step("unlink")
        try:
            posix_ipc.unlink_semaphore(name)
        except posix_ipc.ExistentialError:
            self._machine.me().saw("unlink", False)
            raise
        self._machine.me().saw("unlink", True)

    def path(self, path: Path) -> "StepPath":
        """Stand in for a path: what looks at it or removes it is a step."""
        return StepPath(self._machine, path)


class Mapping:
    """A mapping of a segment."""

    def __init__(self, mapped: mmap.mmap, inode: int) -> None:
        self.view = memoryview(mapped)
        self.inode = inode
        self._mapped = mapped

    def close(self) -> None:
        """Unmap it; nobody else can tell."""
        self.finally_close()

    def finally_close(self) -> None:
        """Do so."""
        self.view.release()
        self._mapped.close()


class StepSemaphore:
    """One participant's handle of a semaphore."""

    def __init__(self, machine: "Machine", real: posix_ipc.Semaphore, inode: int) -> None:
        self._machine = machine
        self._real = real
        self._inode = inode

    @property
    def value(self) -> int:
        """Look at its value."""
        self._machine.step("value")
        value = int(self._real.value)
        self._machine.me().saw("value", value)
        return value

    def acquire(self, timeout: float | None = None) -> None:
        """Take it, if it is free."""
        assert timeout == 0, "a participant would block"
        self._machine.step("acquire")
        me = self._machine.me()
        try:
            self._real.acquire(0)
        except posix_ipc.BusyError:
            me.saw("acquire", False)
            raise
        if me.tried_at is not None:  # however often it slept
            me.past, me.tried_at, me.is_late = me.tried_at, None, False
        me.saw("acquire", True)
        self._machine.rules.took(me, self._inode)

    def release(self) -> None:
        """Post it."""
        self._machine.step("release")
        me = self._machine.me()
        self._machine.rules.posts(me, self._inode)
        self._real.release()
        me.saw("release")
        assert self._real.value <= 1

    def close(self) -> None:
        """Nobody else can tell."""

    def finally_close(self) -> None:
        """Close the handle."""
        self._real.close()


class StepPath:
    """A name in the folder of shared memory."""

    def __init__(self, machine: "Machine", path: Path) -> None:
        self._machine = machine
        self._path = path

    def __truediv__(self, name: str) -> "StepPath":
        return StepPath(self._machine, self._path / name)

    def __str__(self) -> str:
        return str(self._path)

    def stat(self) -> os.stat_result:
        """Look where it leads to."""
        self._machine.step("look")
        self._machine.me().saw("look", self._machine.named(self._path))
        return self._path.stat()

    def unlink(self, *, missing_ok: bool = False) -> None:
        """Remove it."""
        self._machine.step("unlink")
        self._machine.me().saw("unlink")
        self._path.unlink(missing_ok=missing_ok)
