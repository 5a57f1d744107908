"""The programs' log on standard error: whole lines, and never in the way.

1. A line is one write, so that the lines of two programs with one standard error don't mix.
2. A line waits for room for WRITE_S at most. Lines that are dropped are counted, and the next one
   that gets through says how many.
3. A standard error that is closed, full or broken stops nothing.
"""

import contextlib
import logging
import os
import select
import stat
import time
from typing import Final

from trio_mpu.errors import UsageError

STDERR_FD: Final = 2
# Bound "wait for standard error, s".
WRITE_S: Final = 0.02  # a terminal that scrolls has room again by then


class LineWriter:
    """Writes lines to a descriptor, which others may share."""

    def __init__(self, fd: int = STDERR_FD) -> None:
        self.dropped = 0  # lines, since the last one that got through
        self._fd = _of_our_own(fd)
        self._is_stuck = False  # the last line found no room

    def write(self, line: str) -> None:
        """Write a line, or several that belong together."""
        if self.dropped:
            line = f"({self.dropped} lines were dropped: standard error had no room)\n{line}"
        if self._write(f"{line}\n".encode(errors="backslashreplace")):
            self.dropped = 0
        else:
            self.dropped += 1

    def _write(self, data: bytes) -> bool:
        # One that was stuck is not waited for again: each line would cost WRITE_S.
        deadline_s = time.monotonic() + (0.0 if self._is_stuck else WRITE_S)
        while data:
            # A pipe takes up to PIPE_BUF whole or not at all: pipe(7). More is a traceback, and
            # goes in pieces.
            piece = data[: select.PIPE_BUF]
            try:
                self._is_stuck = not _has_room(self._fd, deadline_s)
                if self._is_stuck:
                    return False
                data = data[os.write(self._fd, piece) :]
            except BlockingIOError:
                continue  # another program was faster
            except OSError:
                return False
        return True


def _of_our_own(fd: int) -> int:
    """Return a descriptor of the same file that doesn't block.

    O_NONBLOCK belongs to the open file, which is shared with other programs, so the file is opened
    anew. Where that can't be (a socket, a terminal of another user), only room is asked for.
    """
    with contextlib.suppress(OSError):
        if stat.S_ISFIFO(mode := os.fstat(fd).st_mode) or stat.S_ISCHR(mode):
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            return os.open(f"/proc/self/fd/{fd}", flags)
    return fd


def _has_room(fd: int, deadline_s: float) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return bool(poll.poll(max(0.0, deadline_s - time.monotonic()) * 1000))


class _Handler(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self._writer = LineWriter()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - a message that does not fit its arguments
            line = f"{record.msg!r} with {record.args!r}"
        self._writer.write(line)


def set_up(name: str, level: str) -> None:
    """Log to standard error, each line with the time and the program's name."""
    handler = _Handler()
    handler.setFormatter(logging.Formatter(f"%(asctime)s {name}: %(message)s", "%H:%M:%S"))
    logging.basicConfig(handlers=[handler], level=level.upper())


def failed(name: str, error: BaseException) -> int:
    """Say why a program ends; return its exit status: 2 for a wrong command line, else 1."""
    LineWriter().write(f"{name}: {error}")
    return 2 if isinstance(error, UsageError) else 1


def fill_standard_descriptors() -> None:
    """Open /dev/null where standard input, output or error is closed.

    The next file that is opened would get that number otherwise, and lines of the log with it.
    """
    while (fd := os.open(os.devnull, os.O_RDWR)) <= STDERR_FD:
        pass
    os.close(fd)
