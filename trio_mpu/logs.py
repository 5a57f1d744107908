"""The programs' log on standard error: whole lines, and never in the way.

1. A line is one write, so that the lines of two programs with one standard error don't mix.
2. A line waits for room for WRITE_S at most. Lines that are dropped are counted, and the next one
   that gets through says how many.
3. A standard error that is closed, full or broken stops nothing.
4. Nobody can make it flood: of one kind of line there are a few in a while.
5. As JSON, each line is an object: what is said of dropped lines, and a traceback, too.
"""

import contextlib
import logging
import math
import os
import select
import stat
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final

from trio_mpu.errors import UsageError
from trio_mpu.log_lines import JSON, json_line

log = logging.getLogger(__name__)

STDERR_FD: Final = 2
# Bound "wait for standard error, s".
WRITE_S: Final = 0.02  # a terminal that scrolls has room again by then
# Bound "log lines of one kind".
FLOOD_LINES: Final = 5  # arbitrary
# Bound "time for log lines of one kind, s".
FLOOD_S: Final = 10.0  # arbitrary: 43,200 lines a day of a kind at the most


def _dropped_in_text(dropped: int) -> str:
    return f"({dropped} lines were dropped: standard error had no room)"


class LineWriter:
    """Writes lines to a descriptor, which others may share; `notice` is the line on dropped ones."""

    def __init__(
        self, fd: int = STDERR_FD, notice: Callable[[int], str] = _dropped_in_text
    ) -> None:
        self.dropped = 0  # lines, since the last one that got through
        self._notice = notice
        self._fd = _of_our_own(fd)
        self._is_stuck = False  # the last line found no room

    def write(self, line: str) -> None:
        """Write a line, or several that belong together."""
        if self.dropped:
            line = f"{self._notice(self.dropped)}\n{line}"
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
    def __init__(self, formatter: logging.Formatter | None = None) -> None:
        super().__init__()
        self.setFormatter(formatter)
        notice = formatter.notice if isinstance(formatter, _JsonFormatter) else _dropped_in_text
        self._writer = LineWriter(notice=notice)
        self._flood = Flood()

    def emit(self, record: logging.LogRecord) -> None:
        left_out = 0 if record.levelno == logging.DEBUG else self._flood.left_out(record.msg)
        if left_out is None:
            return
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - a message that does not fit its arguments
            message = f"{record.msg!r} with {record.args!r}"
        if left_out:
            message += f" ({left_out} more lines like this one were left out)"
        whole = logging.makeLogRecord({**record.__dict__, "msg": message, "args": ()})
        self._writer.write(self.format(whole))


def _priority(level: str) -> str:
    """Return what systemd's journal takes for a line's priority: sd-daemon(3)."""
    priorities = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}
    return f"<{priorities.get(level, 6)}>"


class _JournalFormatter(logging.Formatter):
    """Lines for systemd's journal, which has the time itself."""

    def format(self, record: logging.LogRecord) -> str:
        lines = super().format(record).splitlines() or [""]
        prefix = _priority(record.levelname)
        return "\n".join(prefix + line for line in lines)


class _JsonFormatter(logging.Formatter):
    """An object for each record, as log_lines.py has it."""

    def __init__(self, program: str, *, for_journal: bool) -> None:
        super().__init__()
        self._program = program
        self._for_journal = for_journal

    def format(self, record: logging.LogRecord) -> str:
        exception = self.formatException(record.exc_info) if record.exc_info else ""
        return self._line(
            record.created, record.levelname, record.name, record.getMessage(), exception
        )

    def notice(self, dropped: int) -> str:
        """Return the line on dropped ones."""
        return self._line(time.time(), "WARNING", __name__, _dropped_in_text(dropped)[1:-1], "")

    def failure(self, message: str) -> str:
        """Return the line on why a program ends."""
        return self._line(time.time(), "ERROR", __name__, message, "")

    def _line(self, time_s: float, level: str, logger: str, message: str, exception: str) -> str:
        time_us = round(time_s * 1e6)
        line = json_line(time_us, level.lower(), self._program, logger, message, exception)
        return _priority(level) + line if self._for_journal else line


def set_up(name: str, level: str, log_format: str = "text") -> None:
    """Log to standard error, each line with date, time, level and the program's name.

    Under systemd's journal the level is a priority, and lines of text have no time: the journal
    has its own. As JSON, an error that was not foreseen is a line, too.
    """
    formatter: logging.Formatter
    if log_format == JSON:
        formatter = _JsonFormatter(name, for_journal=_is_journal())
        sys.excepthook = _log_unforeseen
    elif _is_journal():
        formatter = _JournalFormatter(f"{name}: %(message)s")
    else:
        line = f"%(asctime)s %(levelname)s {name}: %(message)s"
        formatter = logging.Formatter(line, "%Y-%m-%d %H:%M:%S")
    logging.basicConfig(handlers=[_Handler(formatter)], level=level.upper())


def _log_unforeseen(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    log.critical("ended by an error", exc_info=(kind, error, traceback))


def _is_journal() -> bool:
    """Tell whether standard error is the journal's socket: systemd.exec(5), $JOURNAL_STREAM."""
    with contextlib.suppress(OSError):
        found = os.fstat(STDERR_FD)
        return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
    return False


def failed(name: str, error: BaseException) -> int:
    """Say why a program ends; return its exit status: 2 for a wrong command line, else 1.

    In text, unless `set_up` has chosen JSON: a wrong command line is found before that.
    """
    line = f"{name}: {error}"
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, _JsonFormatter):
            line = handler.formatter.failure(str(error))
    LineWriter().write(line)
    return 2 if isinstance(error, UsageError) else 1


def fill_standard_descriptors() -> None:
    """Open /dev/null where standard input, output or error is closed.

    The next file that is opened would get that number otherwise, and lines of the log with it.
    """
    while (fd := os.open(os.devnull, os.O_RDWR)) <= STDERR_FD:
        pass
    os.close(fd)
