"""The ring's named semaphore, made to survive the death of its holder.

A POSIX semaphore does not know who took it: when its holder is killed, nobody posts it. The
kernel does know who holds an flock, and frees it at that process's death. So:

- A process that wants the semaphore first takes a *shared* flock on the segment, and keeps it
  until it has posted the semaphore again (or has found it taken). While it waits it holds
  nothing: it tries again a moment later.
- A process that has tried without success for RECOVER_AFTER_S asks for the *exclusive* flock,
  without waiting. Getting it proves that no living process is between taking the lock and giving
  it back: a semaphore that is still at zero then belonged to a dead process, and is posted. There
  can be only one such process at a time, and if it is killed too, the next one does the same.

A living holder, even one that is stopped or swapped out, has its shared flock: it is never
robbed, at no instruction. The header's entry of the holder only serves to name it in messages.
Nothing here blocks the thread, and there is no await between taking and giving back, so a
cancellation never leaves the lock held.
"""

import fcntl
import os
from collections.abc import Callable
from typing import Final, TypeVar

import posix_ipc

from trio_mpu.errors import RingDamaged, RingHeld, RingMissing
from trio_mpu.record import NOBODY
from trio_mpu.shm import layout
from trio_mpu.shm.process_id import is_alive, myself

T = TypeVar("T")

# Bound "wait for the semaphore, s".
PATIENCE_S: Final = 1.0  # how long to try before RingHeld is raised
# Bound "wait before a holder is checked, s".
RECOVER_AFTER_S: Final = 0.02  # a critical section takes some 20 µs; a thousand of them
PAUSE_S: Final = 0.0005  # between tries: some 20 critical sections


def semaphore_name(ring: str) -> str:
    """Return the name of the semaphore that guards the ring of this name."""
    return f"/{ring}_sem"


class RobustSemaphore:
    """The semaphore of one open segment, as one participant sees it.

    `fd` is a descriptor of the segment that was opened for this participant alone (an flock
    belongs to an open file); `buffer` is its mapping. Both stay the caller's to close.
    """

    def __init__(self, ring: str, fd: int, buffer: memoryview, *, create: bool = False) -> None:
        """Open the semaphore; with `create`, in place of any other of that name.

        Raises RingMissing when there is none, PermissionError when it belongs to another user.
        """
        name = semaphore_name(ring)
        if create:
            unlink_semaphore(ring)
        try:
            self._semaphore = posix_ipc.Semaphore(
                name, flags=posix_ipc.O_CREX if create else 0, mode=0o600, initial_value=1
            )
        except posix_ipc.ExistentialError as error:
            raise RingMissing(f"there is no semaphore {name}") from error
        except posix_ipc.PermissionsError as error:
            raise PermissionError(f"no permission to use the semaphore {name}") from error
        self._ring = ring
        self._fd = fd
        self._buffer = buffer
        self._me = myself()
        self.recoveries = 0

    def close(self) -> None:
        """Close the semaphore; it continues to exist."""
        self._semaphore.close()

    def run_now(self, section: Callable[[], None]) -> bool:
        """Call `section` while holding the semaphore; return False, without waiting, if it is taken.

        Raises RingDamaged when the segment was cut short.
        """
        if not self._try_take():
            return False
        try:
            section()
        finally:
            self._give_back()
        return True

    async def run(self, section: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
        """Call `section` while holding the semaphore, and return what it returns.

        Raises RingHeld when a living process keeps the semaphore for longer than `patience_s`, and
        RingDamaged when the segment was cut short.
        Cancellation takes effect only while waiting; the section itself always completes.
        """
        begun: float | None = None
        while not self._try_take():
            # Not at the head of the file: start.sh uses segment.remove at the end of a stop, and on
            # a busy machine the import of trio alone takes seconds of the four that a user waits.
            import trio  # noqa: PLC0415 - see above

            begun = begun or trio.current_time()
            waited = trio.current_time() - begun
            if waited > RECOVER_AFTER_S and self._try_recover():
                continue
            if waited > patience_s:
                raise RingHeld(f"the ring's semaphore is held by {self._holder()}")
            await trio.sleep(PAUSE_S)
        try:
            return section()
        finally:
            self._give_back()

    def _try_take(self) -> bool:
        # To touch what is not there any more would kill us (SIGBUS).
        if (size := os.lseek(self._fd, 0, os.SEEK_END)) < len(self._buffer):
            raise RingDamaged(f"ring {self._ring} was cut to {size} bytes by another program")
        try:
            fcntl.flock(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:  # another process is recovering the semaphore at this moment
            return False
        try:
            self._semaphore.acquire(0)
        except posix_ipc.BusyError:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
            return False
        layout.put(self._buffer, "holder", *self._me)
        return True

    def _give_back(self) -> None:
        layout.put(self._buffer, "holder", *NOBODY)
        self._semaphore.release()
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _try_recover(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # its holder lives, or another process is recovering it
            return False
        try:
            if self._semaphore.value == 0:
                layout.put(self._buffer, "holder", *NOBODY)
                self._semaphore.release()
                self.recoveries += 1
            return True
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _holder(self) -> str:
        holder = layout.process(self._buffer, "holder")
        return f"process {holder.pid}" if is_alive(holder) else "a process in another container"


def unlink_semaphore(ring: str) -> None:
    """Remove the semaphore of this ring, if there is one."""
    try:
        posix_ipc.unlink_semaphore(semaphore_name(ring))
    except posix_ipc.ExistentialError:
        return
    except posix_ipc.PermissionsError as error:
        raise PermissionError(f"no permission to remove {semaphore_name(ring)}") from error
