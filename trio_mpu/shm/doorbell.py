"""Waking the ring's readers without polling.

Each reader binds one Unix datagram socket in the abstract namespace, at the first free of
BELLS addresses derived from ring name and generation. The kernel is the registry: it frees a
killed process's address immediately. The producer sends one byte to each address and never
blocks. Between full rounds (one every ROUND_S) it rings only the bells that answered in the
last one.

The bell is only a hint: abstract sockets don't cross network namespaces, any local process could
bind or ring one, and a full queue drops bytes. So a reader looks every LOOK_S anyway, and after
it has found records that no bell announced, it looks once a period until the bell rings again.
"""

import contextlib
import errno
import functools
import logging
import socket
from typing import Final

import trio

log = logging.getLogger(__name__)

_FORBIDDEN: Final = (errno.EAFNOSUPPORT, errno.EACCES, errno.EPERM)
# Bound "doorbells".
BELLS: Final = 64  # arbitrary; a reader that finds none free looks once a period
# Bound "search for new bells, s".
ROUND_S: Final = 0.1  # until it is found, a new reader looks this often by itself
# Bound "look without a bell, s".
LOOK_S: Final = 0.1
# Bound "shortest look without a bell, s".
MIN_LOOK_S: Final = 0.001  # a reader that polls does so at most a thousand times a second


def address(ring: str, generation: int, number: int) -> str:
    """Return the abstract address of one bell (the leading NUL makes it abstract)."""
    return f"\0trio-mpu/{ring}/{generation:016x}/{number}"


class Ringer:
    """The producer's side."""

    def __init__(self, ring: str, generation: int) -> None:
        self._socket = _open_socket()
        self._addresses = [address(ring, generation, number) for number in range(BELLS)]
        self._answering: list[str] = []
        self._next_round = 0.0

    def ring(self, now: float) -> None:
        """Wake every reader. `now` is in seconds of any monotonic clock."""
        if self._socket is None:
            return
        if now >= self._next_round:
            self._next_round = now + ROUND_S
            self._answering = [bell for bell in self._addresses if self._ring_one(bell)]
        else:
            for bell in self._answering:
                self._ring_one(bell)

    def _ring_one(self, bell: str) -> bool:
        assert self._socket is not None
        try:
            self._socket.sendto(b"\a", bell)
        except BlockingIOError:  # its queue is full: its reader has been woken already
            return True
        except OSError:  # no reader at this address
            return False
        return True

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()


class Bell:
    """One reader's side."""

    def __init__(self, ring: str, generation: int) -> None:
        self._socket = _open_socket()
        # A reader without a bell has nothing to wait for, and nothing to drain.
        if self._socket is not None and not _bind(self._socket, ring, generation):
            self._socket.close()
            self._socket = None
        self._heard = self._socket is not None

    def look_s(self, period_s: float) -> float:
        """Return how long to wait for the bell; `period_s` is the producer's nominal period."""
        return LOOK_S if self._heard else min(LOOK_S, max(period_s, MIN_LOOK_S))

    async def rung(self) -> None:
        """Wait until it rings, and take one byte from its queue. Cancellation loses nothing: the
        bell is only a hint."""
        if self._socket is None:
            await trio.sleep_forever()
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            try:
                self._socket.recv(1)
            except BlockingIOError:
                continue
            self._heard = True
            return

    def missed(self) -> None:
        """Note that there were records that no bell had announced."""
        self._heard = False

    def drain(self) -> None:
        """Empty the queue. What these bytes announced can be read by now."""
        with contextlib.suppress(BlockingIOError):
            while self._socket is not None:
                self._socket.recv(1)

    def close(self) -> None:
        """Release the address."""
        if self._socket is not None:
            self._socket.close()


def _open_socket() -> socket.socket | None:
    """Return a datagram socket; None where there are no Unix sockets (a sandbox may forbid them)."""
    try:
        return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    except OSError as error:
        if error.errno not in _FORBIDDEN:
            raise
        _say_why(error.strerror)
        return None


@functools.cache  # once in a process: each ring's reader meets it
def _say_why(reason: str) -> None:
    log.warning("no doorbell (%s): readers look once a period", reason)


def _bind(bell: socket.socket, ring: str, generation: int) -> bool:
    for number in range(BELLS):
        with contextlib.suppress(OSError):
            bell.bind(address(ring, generation, number))
            return True
    return False
