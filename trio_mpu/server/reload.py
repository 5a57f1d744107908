"""SIGHUP: what was read from files is read again, while the server goes on."""

import logging
import os
import signal
from collections.abc import Callable
from typing import Final

import trio

from trio_mpu.errors import TrioMpuError
from trio_mpu.terminal import Terminal

log = logging.getLogger(__name__)

# What reading a file may raise: our own errors, the system's (TLS has its own kind of these), and those
# of parsers.
_FORESEEN: Final = (TrioMpuError, OSError, ValueError)


class Reloader:
    """Knows what can be read again, and does it at each SIGHUP."""

    def __init__(self) -> None:
        self._known: list[tuple[str, Callable[[], str | None]]] = []

    def add(self, what: str, reload: Callable[[], str | None]) -> None:
        """Let `reload` be called at each SIGHUP, in the event loop: it has to be quick.

        `what` names it in the log; `reload` may return what it found, in a word or two. When it raises
        TrioMpuError, OSError or ValueError, it must have changed nothing.
        """
        self._known.append((what, reload))

    def reload(self) -> None:
        """Read everything again; what can't be read stays as it was, with a warning."""
        for what, reload in self._known:
            try:
                found = reload()
            except _FORESEEN as error:
                log.warning("%s not read again, the old ones stay: %s", what, error)
            else:
                log.info("%s read again", f"{what}: {found}" if found else what)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Reload at each SIGHUP, until cancelled; if the terminal was closed, it is a SIGTERM."""
        terminal = Terminal()
        with trio.open_signal_receiver(signal.SIGHUP) as signals:
            task_status.started()
            async for _ in signals:
                if terminal.is_closed():
                    os.kill(os.getpid(), signal.SIGTERM)
                else:
                    self.reload()
