"""Direct write: from the hub straight into the sockets of clients whose tasks sleep.

Waking a task for each client and each sample, only to make the same system call in each of them,
costs four times as much as the calls themselves. So a task that goes to sleep with nothing to
send leaves its socket here, and takes it back when it wakes, whatever woke it. In between, no other
code writes to that socket or closes it.

Without TLS this touches one integer and makes one system call per client and sample. With TLS each
client has its own keys, so its records are made first. Everything else, above all the client's
position in the stream, is the same for all sockets here and is known from the chunk that was
written last.
"""

import os
import ssl
from dataclasses import dataclass
from typing import Generic, TypeVar

from trio_mpu.tls.session import TlsSession

T = TypeVar("T")

write = os.write


@dataclass(frozen=True, slots=True)
class DirectSocket:
    """A non-blocking socket whose task sleeps, with its TLS if it has one."""

    fd: int
    tls: TlsSession | None = None

    def write(self, data: bytes) -> bytes | None:
        """Write as much as the kernel takes without waiting; None if that was all.

        Otherwise return what the task has to send next, before anything else: the rest, or, with
        TLS, b"" for records that the session keeps. The task that sends it sees why.
        """
        tls = self.tls
        try:
            records = data if tls is None else tls.protect(data)
        except ssl.SSLError:
            return data
        try:
            sent = write(self.fd, records)
        except OSError:
            sent = 0
        if sent == len(records):
            return None
        if tls is None:
            return data[sent:]
        tls.put_back(records[sent:])
        return b""

    def read(self, most_bytes: int) -> bytes | None:
        """Read without waiting; b"" at the client's end, None while there is nothing, or with TLS
        no whole record. Raises OSError, of which ssl.SSLError is one."""
        try:
            data = os.read(self.fd, most_bytes)
        except BlockingIOError:
            return None
        if self.tls is None or not data:
            return data
        self.tls.feed(data)
        return self.tls.read()

    def read_on(self) -> bytes | None:
        """Return what was received before and has not been read, b"" at the end; None if nothing."""
        try:
            return None if self.tls is None else self.tls.read()
        except ssl.SSLError:
            return b""


class DirectWriters(Generic[T]):
    """The sleeping subscribers, by the descriptors of their sockets."""

    def __init__(self) -> None:
        self._plain: dict[int, T] = {}
        self._with_tls: dict[int, tuple[T, DirectSocket]] = {}

    def __len__(self) -> int:
        return len(self._plain) + len(self._with_tls)

    def add(self, socket: DirectSocket, sleeper: T) -> None:
        """Add a subscriber that sleeps."""
        if socket.tls is None:
            self._plain[socket.fd] = sleeper
        else:
            self._with_tls[socket.fd] = sleeper, socket

    def remove(self, socket: DirectSocket) -> bool:
        """Remove a subscriber that has woken; return whether it was still here."""
        place = self._plain if socket.tls is None else self._with_tls
        return place.pop(socket.fd, None) is not None

    def remove_all(self) -> list[T]:
        """Remove all, and return them."""
        sleepers = [*self._plain.values(), *(sleeper for sleeper, _ in self._with_tls.values())]
        self._plain.clear()
        self._with_tls.clear()
        return sleepers

    def give(self, data: bytes) -> list[tuple[T, bytes]]:
        """Write the data to every socket, as far as the kernel takes it without waiting.

        A subscriber whose socket did not take everything is removed, and returned with what its
        task has to send next (`DirectSocket.write`). That includes a client that is gone.
        """
        size, short = len(data), []
        for fd in self._plain:
            # `DirectSocket.write` in its simplest form: with 1,000 clients the calls would count.
            try:
                sent = write(fd, data)
            except OSError:
                sent = 0
            if sent != size:
                short.append((fd, sent))
        woken = [(self._plain.pop(fd), data[sent:]) for fd, sent in short]
        late = [
            (sleeper, socket, rest)
            for sleeper, socket in self._with_tls.values()
            if (rest := socket.write(data)) is not None
        ]
        for sleeper, socket, rest in late:
            del self._with_tls[socket.fd]
            woken.append((sleeper, rest))
        return woken
