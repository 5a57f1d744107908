"""The programs' log on standard error: whole lines, and never in the way.

1. A line is one write, so that the lines of two programs with one standard error don't mix.
2. A line waits for room for WRITE_S at most. Lines that are dropped are counted, and the next one
   that gets through says how many.
3. A standard error that is closed, full or broken stops nothing.
4. Nobody can make it flood: of one kind of line there are a few in a while.
"""

import contextlib
import logging
import math
import os
import select
import stat
import time
from typing import Final

from trio_mpu.errors import UsageError

STDERR_FD: Final = 2
# Bound "wait for standard error, s".
WRITE_S: Final = 0.02  # a terminal that scrolls has room again by then
# Bound "log lines of one kind".
FLOOD_LINES: Final = 5  # arbitrary
# Bound "time for log lines of one kind, s".
FLOOD_S: Final = 10.0  # arbitrary: 43,200 lines a day of a kind at the most


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


class Flood:
    """What keeps a stranger from filling a disk: of each kind of line, FLOOD_LINES in FLOOD_S.

    The next line of that kind says how many were left out. A kind is a message before its values
    are put in.
    """

    def __init__(self) -> None:
        self._kinds: dict[object, tuple[float, int]] = {}  # when its time began, lines since then

    def left_out(self, kind: object) -> int | None:
        """Return how many lines of this kind were left out before this one; None: leave it out."""
        now_s = time.monotonic()
        begun_s, lines = self._kinds.get(kind, (-math.inf, 0))
        if now_s - begun_s < FLOOD_S:
            self._kinds[kind] = begun_s, lines + 1
            return 0 if lines < FLOOD_LINES else None
        self._kinds[kind] = now_s, 1
        return max(0, lines - FLOOD_LINES)


class _Handler(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self._writer = LineWriter()
        self._flood = Flood()

    def emit(self, record: logging.LogRecord) -> None:
        left_out = 0 if record.levelno == logging.DEBUG else self._flood.left_out(record.msg)
        if left_out is None:
            return
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - a message that does not fit its arguments
            line = f"{record.msg!r} with {record.args!r}"
        if left_out:
            line += f" ({left_out} more lines like this one were left out)"
        self._writer.write(line)


class _JournalFormatter(logging.Formatter):
    """Lines for systemd's journal, which has the time itself: sd-daemon(3), "<PRIORITY>"."""

    _PRIORITIES: Final = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}

    def format(self, record: logging.LogRecord) -> str:
        lines = super().format(record).splitlines() or [""]
        prefix = f"<{self._PRIORITIES.get(record.levelname, 6)}>"
        return "\n".join(prefix + line for line in lines)


def set_up(name: str, level: str) -> None:
    """Log to standard error, each line with date, time, level and the program's name.

    Under systemd's journal the level is a priority, and the time is the journal's own.
    """
    handler = _Handler()
    if _is_journal():
        handler.setFormatter(_JournalFormatter(f"{name}: %(message)s"))
    else:
        line = f"%(asctime)s %(levelname)s {name}: %(message)s"
        handler.setFormatter(logging.Formatter(line, "%Y-%m-%d %H:%M:%S"))
    logging.basicConfig(handlers=[handler], level=level.upper())


def _is_journal() -> bool:
    """Tell whether standard error is the journal's socket: systemd.exec(5), $JOURNAL_STREAM."""
    with contextlib.suppress(OSError):
        found = os.fstat(STDERR_FD)
        return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
    return False


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
