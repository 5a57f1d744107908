"""One shared-memory segment with its semaphore, and the lock that makes a writer the only one.

The writer's lock is an "open file description" lock on byte 0 (F_OFD_SETLK in fcntl(2)): the
kernel frees it however its owner dies, and shows it to every process that has the segment open,
in other containers too. It has nothing to do with the flock of semaphore.py: Linux keeps the two
kinds apart.
"""

import contextlib
import fcntl
import mmap
import os
import stat
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Self, TypeVar

import posix_ipc

from trio_mpu.errors import RingDamaged, RingError, RingMissing
from trio_mpu.shm import layout
from trio_mpu.shm.semaphore import RobustSemaphore, semaphore_name, unlink_semaphore

T = TypeVar("T")

# Linux keeps POSIX shared memory and semaphores there: shm_overview(7), sem_overview(7).
_SHM: Final = Path("/dev/shm")  # noqa: S108 - no temporary file of ours
_SEMAPHORE_BYTES: Final = 4 * struct.calcsize("l")  # sem_t of the C libraries on Linux
_FLOCK = struct.Struct("@hhqqi")  # struct flock with 64-bit offsets: type, whence, start, len, pid


class Segment:
    """An open segment; `buffer` is set by `map`, `capacity` by `use`."""

    def __init__(self, name: str, *, create: bool = False) -> None:
        """Open the segment of this name; with `create`, make an empty one if there is none.

        Raises RingMissing when there is none, RingError when it may not be opened.
        """
        self.path = _SHM / name
        self.buffer = memoryview(b"")
        self.capacity = 0
        self._name = name
        self._map: mmap.mmap | None = None
        self._semaphore: RobustSemaphore | None = None
        self._semaphore_path = _SHM / f"sem.{semaphore_name(name)[1:]}"
        self._inodes: list[int] = []
        try:
            self.fd = _open(name, create=create)
        except posix_ipc.ExistentialError as error:
            raise RingMissing(f"there is no ring {self.path}: is the producer running?") from error
        except (posix_ipc.Error, OSError, ValueError) as error:
            raise RingError(_refusal(self.path, error)) from error
        if not stat.S_ISREG(os.fstat(self.fd).st_mode):
            self.close()
            raise RingError(
                f"{self.path} is not a ring of trio-mpu; choose another name with --ring"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the writer's lock ----------------------------------------------------------

    def lock_as_writer(self) -> bool:
        """Become the only writer while this segment is open; False: there is one already."""
        try:
            fcntl.fcntl(self.fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, 0, 0, 1, 0))
        except BlockingIOError:
            return False
        return True

    def writer_lives(self) -> bool:
        """Return whether some process has the writer's lock."""
        found = fcntl.fcntl(self.fd, fcntl.F_OFD_GETLK, _FLOCK.pack(fcntl.F_WRLCK, 0, 0, 1, 0))
        return bool(_FLOCK.unpack(found)[0] != fcntl.F_UNLCK)

    # -- the bytes ------------------------------------------------------------------

    @property
    def size(self) -> int:
        """The segment's size in bytes, now."""
        return os.fstat(self.fd).st_size

    def allocate(self, capacity: int) -> None:
        """Give an empty segment its final size, and allocate its memory.

        Were the memory only promised, the first to touch it would be killed when /dev/shm is full.
        """
        size = layout.segment_bytes(capacity)
        try:
            os.posix_fallocate(self.fd, 0, size)
        except OSError as error:
            raise RingError(
                f"no room in {_SHM} for a ring of {size} bytes: choose a smaller --capacity"
            ) from error

    def map(self) -> None:
        """Map the whole segment, unless it is empty."""
        if size := self.size:
            self._map = mmap.mmap(self.fd, size)
            self.buffer = memoryview(self._map)

    def use(self) -> None:
        """Check the header and open the semaphore.

        Raises RingMissing while either is not ready, RingError when it can't be used.
        """
        self.capacity = layout.check(self.buffer, str(self.path))
        self.open_semaphore(create=False)
        # Since the segment was opened, both may have been replaced. The new semaphore with locks
        # on the old segment would make a living holder look dead.
        if not self.is_named():
            raise RingMissing(f"{self.path} has just been replaced")

    def open_semaphore(self, *, create: bool) -> None:
        """Open or make the semaphore, and remember the files that the two names lead to."""
        try:
            self._semaphore = RobustSemaphore(self._name, self.fd, self.buffer, create=create)
            found = self._semaphore_path.stat()
            if found.st_size < _SEMAPHORE_BYTES:
                # To touch a semaphore that somebody has truncated would kill us (SIGBUS).
                raise RingMissing(f"{self._semaphore_path} is damaged")
            self._inodes = [os.fstat(self.fd).st_ino, found.st_ino]
        except FileNotFoundError as error:
            raise RingMissing(f"{self._semaphore_path} has just vanished") from error
        except (posix_ipc.Error, OSError) as error:
            # Of another user, a folder, no room for it, …
            raise RingError(_refusal(self._semaphore_path, error)) from error

    async def run(self, section: Callable[[], T]) -> T:
        """Call `section` under the semaphore; see RobustSemaphore.run."""
        assert self._semaphore is not None
        return await self._semaphore.run(section)

    def run_now(self, section: Callable[[], None]) -> bool:
        """Call `section` under the semaphore if that is free; return False, without waiting, if not."""
        assert self._semaphore is not None
        return self._semaphore.run_now(section)

    def take_recoveries(self) -> int:
        """Return how often this participant has posted the semaphore for a dead holder since
        the last call."""
        assert self._semaphore is not None
        count, self._semaphore.recoveries = self._semaphore.recoveries, 0
        return count

    # -- the names ------------------------------------------------------------------

    def is_named(self) -> bool:
        """Return whether the segment's name leads here."""
        try:
            return self.path.stat().st_ino == os.fstat(self.fd).st_ino
        except FileNotFoundError:
            return False

    def is_current(self) -> bool:
        """Return whether both names still lead to the segment and the semaphore in use here."""
        try:
            return self._inodes == [
                path.stat().st_ino for path in (self.path, self._semaphore_path)
            ]
        except FileNotFoundError:
            return False

    def unlink(self) -> None:
        """Remove both names; processes that have them open may continue. For the writer only.

        The segment's name goes first: `use` relies on it. Raises RingError for what may not be
        removed.
        """
        for path in (self.path, self._semaphore_path):
            with _permission(path):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close everything; this also releases the writer's lock."""
        if self._semaphore is not None:
            self._semaphore.close()
            self._semaphore = None
        self.buffer.release()
        if self._map is not None:
            self._map.close()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _open(name: str, *, create: bool) -> int:
    """Return a descriptor of the segment, which is made if need be.

    It is opened as it is first: with O_CREAT, fs.protected_regular refuses another user's file in a
    folder like /dev/shm even to root (proc(5)).
    """
    while create:
        with contextlib.suppress(posix_ipc.ExistentialError):
            return int(posix_ipc.SharedMemory(f"/{name}").fd)
        with contextlib.suppress(posix_ipc.ExistentialError):  # somebody else was faster
            return int(posix_ipc.SharedMemory(f"/{name}", flags=posix_ipc.O_CREX, mode=0o600).fd)
    return int(posix_ipc.SharedMemory(f"/{name}").fd)


def remove(name: str) -> None:
    """Remove a ring without a living writer; leave anything but a ring of this version alone.

    Raises RingError for what may not be removed.
    """
    try:
        with Segment(name) as segment:
            if not segment.lock_as_writer() or not segment.is_named():
                return
            segment.map()
            # Half made by a producer that was killed, or overwritten.
            with contextlib.suppress(RingMissing, RingDamaged):
                layout.check(segment.buffer, str(segment.path))
            segment.unlink()
    except RingMissing:
        with _permission(_SHM / f"sem.{semaphore_name(name)[1:]}"):
            unlink_semaphore(name)


@contextlib.contextmanager
def _permission(path: Path) -> Iterator[None]:
    """Turn a missing permission for this file into a RingError."""
    try:
        yield
    except PermissionError as error:
        raise RingError(_refusal(path, error)) from error


def _refusal(path: Path, error: Exception) -> str:
    try:
        owner = path.stat().st_uid
    except OSError:
        owner = os.getuid()
    if owner != os.getuid():
        return f"no permission to open {path}: it belongs to user {owner}; choose another --ring"
    reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    return f"can't open {path}: {reason}"
