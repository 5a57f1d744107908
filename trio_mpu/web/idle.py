"""Idle connections, and the requests that are answered without waking their tasks.

Between two requests a connection's task can only wait. It leaves its socket here, as the task of a
stream does for direct writes, and one task looks after all of them: it reads what has come, and when
that is a request whose answer is known by its bytes (request_cache.py), it writes the answer and the
connection's task sleeps on. Whatever else comes wakes that task, which is given the
bytes; and of an answer for which the kernel has no room now it is given the rest.

This way a known request costs one recv and one send. In a task of its own it costs three times as
much: the event loop arms each descriptor anew for each wait.
"""

import logging
import select
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import trio

from trio_mpu.fanout.direct_write import DirectSocket

log = logging.getLogger(__name__)

MAX_EVENTS: Final = 64  # in a row, before other tasks have their turn; arbitrary
REQUEST_BYTES: Final = 16_384  # read at once


@dataclass(slots=True, eq=False)
class IdleConnection:
    """A connection that waits: what it said that has no known answer, or the rest of one, which is
    None if there is none (with TLS it is b"", and its records are in the session)."""

    data: bytes = b""
    rest: bytes | None = None
    answered_s: float = 0.0  # when it was answered here last, by Trio's clock


class IdleConnections:
    """See above. `known` gives the whole answer to a request, or b""."""

    def __init__(self, known: Callable[[bytes], bytes]) -> None:
        self._known = known
        self._epoll = select.epoll()
        self._visitors: dict[int, tuple[DirectSocket, IdleConnection, trio.lowlevel.Task]] = {}

    def close(self) -> None:
        """Give everything back; nobody waits any more."""
        self._epoll.close()

    async def run(self) -> None:
        """Look after whoever waits, until cancelled."""
        while True:
            # Level-triggered, so nobody has to be armed again after an answer.
            await trio.lowlevel.wait_readable(self._epoll.fileno())
            for fd, _ in self._epoll.poll(0, MAX_EVENTS):
                self._look_after(fd)

    async def wait(self, socket: DirectSocket, visitor: IdleConnection) -> None:
        """Wait until the client says what has no known answer, or does not take one at once.

        The socket must stay open meanwhile. Cancellation loses nothing that the client has
        said. `data` is b"" if it will say no more, or is gone.
        """
        if (data := socket.read_on()) is not None:
            # It came behind the last request, in the same records: the kernel has no more of it.
            visitor.data = data
            await trio.lowlevel.cancel_shielded_checkpoint()
            return
        fd = socket.fd
        self._visitors[fd] = socket, visitor, trio.lowlevel.current_task()
        self._epoll.register(fd, select.EPOLLIN)

        def abort(_: object) -> trio.lowlevel.Abort:
            self._forget(fd)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def _forget(self, fd: int) -> None:
        del self._visitors[fd]
        self._epoll.unregister(fd)

    def _answer(self, request: bytes) -> bytes:
        try:
            return self._known(request)
        except Exception:
            # Nobody foresaw it; it is to end one connection only, which will meet it again.
            log.exception("no answer from the request cache")
            return b""

    def _look_after(self, fd: int) -> None:
        socket, visitor, task = self._visitors[fd]
        try:
            data = socket.read(REQUEST_BYTES)
        except OSError:
            data = b""
        while data is not None:
            visitor.data = data
            if not (answer := self._answer(data)):
                break
            visitor.data, visitor.answered_s = b"", trio.current_time()
            # If there is no room, or the client is gone, whoever sends the rest sees it.
            visitor.rest = socket.write(answer)
            if visitor.rest is not None:
                break
            data = socket.read_on()
        else:
            return
        self._forget(fd)
        trio.lowlevel.reschedule(task)
