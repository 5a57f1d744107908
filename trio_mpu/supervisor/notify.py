"""Says to systemd how this service is: sd_notify(3), a datagram for each change.

- NOTIFY_SOCKET is where systemd listens; without it nobody does, and nothing is sent.
- WATCHDOG_USEC is how long systemd waits for a sign of life before it kills the service.

A datagram that can't be sent is sent again when the supervisor wakes up the next time, as it does
for each sign of life; nothing here raises, or waits for longer than SEND_S.
"""

import math
import os
import time
from collections.abc import Mapping
from typing import Final

SEND_S: Final = 0.2  # arbitrary: systemd has read what is before it in its queue by then
_READY: Final = b"READY=1"
_STOPPING: Final = b"STOPPING=1"
_ALIVE: Final = b"WATCHDOG=1"


def address_of(environ: Mapping[str, str]) -> str:
    """Return the socket's address as Python has it, "" for none or one of another kind.

    It is a path, or the name of an abstract socket after `@`, which stands for a zero byte.
    """
    text = environ.get("NOTIFY_SOCKET", "")
    if text[:1] not in ("/", "@") or len(text) < 2:
        return ""
    return f"\0{text[1:]}" if text[0] == "@" else text


def sign_of_life_s(environ: Mapping[str, str], pid: int) -> float:
    """Return the time between two signs of life: half of what systemd waits; inf if it does not.

    WATCHDOG_PID is the process that is meant: a program inherits the variables of another.
    """
    text = environ.get("WATCHDOG_USEC", "")
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid) or not text.isdecimal() or not int(text):
        return math.inf
    return int(text) / 2e6


class Notifier:
    """What systemd has been sent, and what it is to be sent next."""

    def __init__(self, address: str = "", every_s: float = math.inf) -> None:
        """`address` is that of a socket, "" for nobody; `every_s` the time between signs of life."""
        self.due_s = -math.inf if address and every_s < math.inf else math.inf  # time.monotonic()
        self._address = address
        self._every_s = every_s
        self._sent: set[bytes] = set()

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Notifier":
        """Take what systemd has put into the environment."""
        return cls(address_of(environ), sign_of_life_s(environ, os.getpid()))

    def ready(self) -> None:
        """Say, once, that the service does what it is for."""
        self._once(_READY)

    def stopping(self) -> None:
        """Say, once, that the service is about to end."""
        self._once(_STOPPING)

    def alive(self) -> None:
        """Give a sign of life, if one is due."""
        now_s = time.monotonic()
        if now_s >= self.due_s:
            self.due_s = now_s + self._every_s
            self._send(_ALIVE)

    def _once(self, message: bytes) -> None:
        if message not in self._sent and self._send(message):
            self._sent.add(message)

    def _send(self, message: bytes) -> bool:
        if not self._address:
            return True
        import socket  # noqa: PLC0415 - not before: the supervisor is to be small without systemd

        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
                systemd.settimeout(SEND_S)
                systemd.sendto(message, self._address)
        except OSError:
            return False
        return True
