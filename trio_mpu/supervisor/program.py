"""One program that is kept running."""

import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

# Bound "first pause before a restart, s".
MIN_PAUSE_S: Final = 0.5  # before a program is started again…
# Bound "longest pause before a restart, s".
MAX_PAUSE_S: Final = 30.0  # …doubled each time up to this…
# Bound "run that resets the pause, s".
SOUND_S: Final = 10.0  # …until one has run for so long
BEAT_S: Final = 2.0  # how often a program says that it lives: see lifecycle.py
# Bound "time without a sign of life, s".
HANG_S: Final = 10.0  # five beats: a machine without free memory may be late with some


@dataclass
class Pauses:
    """How long to wait before a program is started again."""

    _next_s: float = MIN_PAUSE_S

    def after(self, ran_s: float) -> float:
        """Return the pause after a run of so many seconds."""
        if ran_s >= SOUND_S:
            self._next_s = MIN_PAUSE_S
        pause_s, self._next_s = self._next_s, min(2 * self._next_s, MAX_PAUSE_S)
        return pause_s


def _nothing() -> None:
    pass


@dataclass
class Program:
    """A program to be kept running: its name in messages, and the whole command.

    `ended` is called after each end, `restarted` after each start but the first. One that comes
    `after` another is started as soon as that one is ready, or when it is due. One that
    `outlives` another is asked to stop when that one has ended.
    """

    name: str
    command: Sequence[str]
    ended: Callable[[], None] = _nothing
    restarted: Callable[[], None] = _nothing
    after: "Program | None" = None
    outlives: "Program | None" = None
    pid: int = 0  # 0 while it does not run
    was_ready: bool = False  # in any of its runs
    due_s: float = 0.0  # when it is to be started, by time.monotonic()
    _begun_s: float = 0.0
    _runs: int = 0
    was_asked: bool = False  # to stop
    status: int = 0  # with which it ended last, negative for a signal
    ready_fd: int = -1  # where it says that it is ready, and then that it lives; -1: nowhere
    heard_s: float = 0.0  # when it said so last, by time.monotonic(); 0: it is not waited for
    _reloads: bool = False  # as soon as it is ready
    _pauses: Pauses = field(default_factory=Pauses)

    def start(self, lifeline_fd: int) -> bool:
        """Start it; tell whether that was possible."""
        ready_fd, self._reloads = -1, False
        try:
            self.ready_fd, ready_fd = os.pipe()
            os.set_blocking(self.ready_fd, False)
            os.set_inheritable(ready_fd, True)
            self.pid = os.posix_spawn(
                self.command[0],
                [*self.command, f"--supervisor={ready_fd}:{lifeline_fd}"],
                os.environ,
                file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
                setpgroup=0,
            )
        except OSError as error:
            log.warning("%s can't be started: %s", self.name, error.strerror)
            self._close()
            return False
        finally:
            if ready_fd >= 0:
                os.close(ready_fd)
        self._begun_s = time.monotonic()
        self._runs += 1
        if self._runs > 1:
            self.restarted()
        return True

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal, if it has just ended; None otherwise."""
        pid, status = os.waitpid(self.pid, os.WNOHANG) if self.pid else (0, 0)
        if not pid:
            return None
        self.pid = 0
        self.hear()
        self._close()
        self.ended()
        self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def hear(self) -> None:
        """Take note if it has said that it is ready, or that it lives."""
        with contextlib.suppress(BlockingIOError):  # a child of its own may have the other end
            if self.ready_fd < 0:
                return
            if os.read(self.ready_fd, 4096):
                self.was_ready = True
                self.heard_s = time.monotonic()
            else:  # it has closed its end, and will say no more
                self._close()
            if self._reloads:
                self.reload()

    def hangs(self, now_s: float) -> bool:
        """Tell whether it has shown no sign of life for HANG_S. While it is stopped, by SIGSTOP or in a
        debugger, nothing is expected of it."""
        if not self.heard_s or now_s - self.heard_s < 2 * BEAT_S:
            return False
        if _is_stopped(self.pid):
            self.heard_s = now_s
        return now_s - self.heard_s >= HANG_S

    def kill(self) -> None:
        """Kill it, and wait for its end."""
        self.signal(signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        self._close()
        self.pid = 0
        self.ended()

    def _close(self) -> None:
        if self.ready_fd >= 0:
            os.close(self.ready_fd)
            self.ready_fd = -1
        self.heard_s = 0.0

    def is_due(self, now_s: float) -> bool:
        """Tell whether it is to be started now."""
        return now_s >= self.due_s or bool(self.after and not self._runs and self.after.was_ready)

    def ask_to_stop(self) -> None:
        """Send it SIGTERM, once, unless one that it outlives runs."""
        if not self.was_asked and not (self.outlives and self.outlives.pid):
            self.was_asked = True
            self.signal(signal.SIGTERM)

    def reload(self) -> None:
        """Send it SIGHUP, as soon as it is ready: before, that would end it."""
        self._reloads = self.ready_fd >= 0 and not self.heard_s
        if not self._reloads:
            self.signal(signal.SIGHUP)

    def pause(self) -> float:
        """Return how long to wait before the next start, and plan that."""
        now_s = time.monotonic()
        pause_s = self._pauses.after(now_s - self._begun_s if self._begun_s else 0.0)
        self.due_s = now_s + pause_s
        return pause_s

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.pid:
            os.kill(self.pid, number)


def _is_stopped(pid: int) -> bool:
    """Return whether the state of this process is "T" or "t": proc(5), /proc/PID/stat."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:  # it has just ended
        return False
    return stat[stat.rindex(b")") + 2 :][:1] in (b"T", b"t")


def how_it_ended(status: int) -> str:
    """Return an exit status in words; negative ones are signals."""
    if status < 0:
        with contextlib.suppress(ValueError):  # most real-time signals have no name
            return f"was killed by {signal.Signals(-status).name}"
        return f"was killed by signal {-status}"
    return f"ended with exit status {status}"


def our_command(name: str, *options: str) -> list[str]:
    """Return the command that runs one of our own programs, whatever folder this is called in.

    The file is run, not the module: so it is this very copy, and -P keeps its folder, in which
    `http` would hide the standard library's, off the module search path.
    """
    main = f"{os.path.dirname(os.path.dirname(__file__))}/__main__.py"
    return [sys.executable, "-P", main, name, *options]
