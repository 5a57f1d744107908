"""The short cut of the fan-out: from the hub straight into the sockets of sleeping clients.

To wake a task for each client and each sample, only to make the same system call in each of them,
costs four times as much as the calls themselves. So a task that goes to sleep with nothing to
send leaves its socket's descriptor here, and takes it away when it wakes, whatever woke it. In
between nobody else writes to that socket and nobody closes it.

Per client and sample this touches one integer and makes one system call. All the rest, a client's
place in the stream above all, is the same for everybody here, and is known from the chunk that was
given last.
"""

import os
from typing import Generic, TypeVar

T = TypeVar("T")

write = os.write


class DirectWriters(Generic[T]):
    """Who sleeps, by the descriptors of their non-blocking sockets."""

    def __init__(self) -> None:
        self._by_fd: dict[int, T] = {}

    def __len__(self) -> int:
        return len(self._by_fd)

    def add(self, fd: int, sleeper: T) -> None:
        """Note that this one sleeps."""
        self._by_fd[fd] = sleeper

    def remove(self, fd: int) -> bool:
        """Note that this one is awake; tell whether it was still here."""
        return self._by_fd.pop(fd, None) is not None

    def remove_all(self) -> list[T]:
        """Empty this, and return who was here."""
        sleepers = list(self._by_fd.values())
        self._by_fd.clear()
        return sleepers

    def give(self, data: bytes) -> list[tuple[T, bytes]]:
        """Hand everyone what the kernel takes at once.

        Whoever did not take all is here no more, and is returned with the rest. Whoever is gone
        counts among them: the one who sends that rest sees the error.
        """
        size, short = len(data), []
        for fd in self._by_fd:
            try:
                sent = write(fd, data)
            except OSError:
                sent = 0
            if sent != size:
                short.append((fd, sent))
        return [(self._by_fd.pop(fd), data[sent:]) for fd, sent in short]
