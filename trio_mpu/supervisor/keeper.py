"""Keeps programs running until it is told to stop.

- A program ends, by whatever death: it is started again, after a pause that grows while that goes
  on and begins anew after one that ran for SOUND_S.
- A program fails (with an exit status) before it was ever ready: that won't get better by itself
  (no sensor, port taken), so all are stopped, and its exit status is that of the supervisor.
- A program that has said it is ready says every BEAT_S that its event loop runs. One that does not for
  HANG_S is killed, and so started again. A stopped process (SIGSTOP, a debugger) is left alone; and
  if the supervisor itself stood still, all have HANG_S anew.
- SIGINT or SIGTERM: each program gets SIGTERM, one that outlives another after that one's end; what is
  left `stop_s` later is killed. One that had to wait for that has LEAVE_S. A second signal is handed
  on to all, and leaves them LEAVE_S.
- SIGHUP is handed on, and stops nothing: programs read files again. One that is not ready yet gets it
  as soon as it is. But if the terminal was closed, it is a SIGTERM.
- systemd hears of it when none is left whose failure would end all, when a stop begins, and that
  this loop still turns (notify.py).
- The supervisor is killed: the kernel closes its end of the lifeline, a pipe whose other end each
  program watches (lifecycle.py). (PR_SET_PDEATHSIG would tell of the death of a thread.)

Programs are in process groups of their own, so that Ctrl-C reaches the supervisor only. There is
no event loop beneath: the supervisor stays while everything else runs, and memory may be short.
"""

import contextlib
import logging
import math
import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from trio_mpu.supervisor.notify import Notifier
from trio_mpu.supervisor.program import BEAT_S, HANG_S, Program, how_it_ended
from trio_mpu.terminal import Terminal

log = logging.getLogger(__name__)

ONE_WISH_S: Final = 0.05  # two signals within it are one wish to stop: see lifecycle.py
LEAVE_S: Final = 0.5  # arbitrary: to leave after a second signal, or after a program that hung

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Supervisor:
    """Runs programs; to be used once, in the main thread."""

    def __init__(
        self,
        programs: Sequence[Program],
        stop_s: float,
        is_hopeless: Callable[[Program], bool] = lambda program: not program.was_ready,
        above: tuple[int, int] | None = None,
        at_end: Callable[[], None] = lambda: None,
        notifier: Notifier | None = None,
    ) -> None:
        """`is_hopeless` decides whether the failure of a program ends all; `above` are the
        descriptors that a supervisor above this one gave: see lifecycle.py. `at_end` is called
        when no program is left; more signals don't interrupt it. `notifier` is for systemd."""
        self._programs = programs
        self._stop_s = stop_s
        self._is_hopeless = is_hopeless
        self._above = above
        self._is_ready = False  # a program was
        self._beat_s = 0.0  # when `above` was told last that this one lives
        self._looked_s = 0.0  # when this one looked last whether a program hangs
        self._at_end = at_end
        self._notifier = notifier or Notifier()
        self._terminal = Terminal()
        self._lifeline_fd = -1
        self._status = 0
        self._signals: list[int] = []
        self._asked_s: float | None = None  # when the stop began
        self._kill_s = 0.0

    def run(self) -> int:
        """Run until a stop is complete; return the exit status. No program is left in any case."""
        with self._woken_by_signals() as wakeup_fd, self._lifeline():
            try:
                while True:
                    self._reap()
                    self._heed_signals()
                    self._say_that_it_lives()
                    if self._asked_s is None:
                        self._start_due()
                        self._look_for_hung()
                    elif not self._running:
                        return self._status
                    else:
                        self._go_on_stopping()
                    self._notify()
                    self._sleep(wakeup_fd)
            finally:
                self._kill(self._running)
                self._at_end()

    @property
    def _running(self) -> list[Program]:
        return [program for program in self._programs if program.pid]

    @contextlib.contextmanager
    def _lifeline(self) -> Iterator[None]:
        lifeline_fd, end = os.pipe()
        os.set_inheritable(lifeline_fd, True)
        self._lifeline_fd = lifeline_fd
        try:
            yield
        finally:
            os.close(lifeline_fd)
            os.close(end)

    @contextlib.contextmanager
    def _woken_by_signals(self) -> Iterator[int]:
        """Let signals end a sleep: Python writes a byte for each into a pipe."""
        read_fd, write_fd = os.pipe()
        os.set_blocking(read_fd, False)
        os.set_blocking(write_fd, False)
        before = signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
        handlers = {signal.SIGCHLD: signal.signal(signal.SIGCHLD, lambda *_: None)}
        for number in _SIGNALS:
            handlers[number] = signal.signal(number, lambda got, _: self._signals.append(got))
        try:
            yield read_fd
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(before)
            os.close(read_fd)
            os.close(write_fd)

    def _sleep(self, wakeup_fd: int) -> None:
        poll = select.poll()
        poll.register(wakeup_fd, select.POLLIN)
        if self._above is not None and self._asked_s is None:
            poll.register(self._above[1], select.POLLIN)
        talking = {program.ready_fd: program for program in self._running if program.ready_fd >= 0}
        for fd in talking:
            poll.register(fd, select.POLLIN)
        times_s = [program.due_s for program in self._programs if not program.pid]
        if self._is_ready:  # programs are watched, and a supervisor above waits for beats
            times_s.append(time.monotonic() + BEAT_S)
        if self._asked_s is not None:
            times_s = [self._kill_s]
        timeout_ms = None
        if (until_s := min([*times_s, self._notifier.due_s])) < math.inf:
            timeout_ms = max(0.0, until_s - time.monotonic()) * 1000 + 1
        for fd, _ in poll.poll(timeout_ms):
            if fd in talking:
                talking[fd].hear()
            elif fd == wakeup_fd:
                with contextlib.suppress(BlockingIOError):
                    os.read(wakeup_fd, 4096)
            else:
                log.warning("the supervisor is gone: stopping")
                self._stop()

    def _say_that_it_lives(self) -> None:
        """Tell a supervisor above this one that a program is ready here, and then every BEAT_S that
        this one lives."""
        self._is_ready = self._is_ready or any(program.was_ready for program in self._programs)
        now_s = time.monotonic()
        if self._above is not None and self._is_ready and now_s - self._beat_s >= BEAT_S:
            self._beat_s = now_s
            with contextlib.suppress(OSError):
                os.write(self._above[0], b"r")

    def _notify(self) -> None:
        """Keep systemd informed."""
        if self._asked_s is None and not any(map(self._is_hopeless, self._programs)):
            self._notifier.ready()
        self._notifier.alive()

    # -- programs -----------------------------------------------------------------------

    def _start_due(self) -> None:
        for program in self._programs:
            if self._asked_s is not None:  # one that can't be started may end all
                return
            if not program.pid and program.is_due(time.monotonic()):
                if program.start(self._lifeline_fd):
                    log.debug("%s is process %d", program.name, program.pid)
                else:
                    self._ended(program, 1)

    def _look_for_hung(self) -> None:
        now_s = time.monotonic()
        stood_still = now_s - self._looked_s > 2 * BEAT_S
        self._looked_s = now_s
        for program in self._running:
            if stood_still and program.heard_s:
                program.heard_s = now_s
            elif program.hangs(now_s):
                log.error("%s has shown no sign of life for %g s: killing it", program.name, HANG_S)
                program.heard_s = 0.0
                program.signal(signal.SIGKILL)

    def _reap(self) -> None:
        for program in self._programs:
            if (status := program.poll()) is not None:
                self._ended(program, status)

    def _ended(self, program: Program, status: int) -> None:
        if self._asked_s is not None:
            return
        how = how_it_ended(status)
        if status > 0 and self._is_hopeless(program):
            log.error("%s %s before it was ready: stopping", program.name, how)
            self._status = status
            self._stop()
            return
        log.warning("%s %s; starting it again in %g s", program.name, how, program.pause())

    # -- the end ------------------------------------------------------------------------

    def _heed_signals(self) -> None:
        while self._signals:
            number = signal.Signals(self._signals.pop(0))
            name = number.name
            if number == signal.SIGHUP and not self._terminal.is_closed():
                for program in self._running:
                    program.reload()
            elif self._asked_s is None:
                log.info("%s: stopping", name)
                self._stop()
            elif time.monotonic() - self._asked_s > ONE_WISH_S:
                log.warning("%s again: stopping immediately", name)
                for program in self._running:
                    program.was_asked = True
                    program.signal(signal.SIGTERM)
                self._kill_s = min(self._kill_s, time.monotonic() + LEAVE_S)

    def _stop(self) -> None:
        self._notifier.stopping()
        self._asked_s = time.monotonic()
        self._kill_s = self._asked_s + self._stop_s
        self._ask_to_stop()

    def _go_on_stopping(self) -> None:
        if time.monotonic() >= self._kill_s:
            self._kill([program for program in self._running if program.was_asked])
            self._kill_s = time.monotonic() + LEAVE_S
        self._ask_to_stop()

    def _ask_to_stop(self) -> None:
        for program in self._running:
            program.ask_to_stop()

    def _kill(self, programs: Sequence[Program]) -> None:
        for program in programs:
            log.warning("%s did not stop in time: killing it", program.name)
            program.kill()
