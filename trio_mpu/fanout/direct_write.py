"""Direct write: from the hub straight into the sockets of clients whose tasks sleep.

Waking a task for each client and each sample, only to make the same system call in each of them,
costs four times as much as the calls themselves. So a task that goes to sleep with nothing to
send leaves its socket's descriptor here, and takes it back when it wakes, whatever woke it. In
between, no other code writes to that socket or closes it.

Per client and sample this touches one integer and makes one system call. Everything else, above
all the client's position in the stream, is the same for all sockets here and is known from the
chunk that was written last.
"""

import os
from typing import Generic, TypeVar

T = TypeVar("T")

write = os.write


class DirectWriters(Generic[T]):
    """The sleeping subscribers, by the descriptors of their non-blocking sockets."""

    def __init__(self) -> None:
        self._by_fd: dict[int, T] = {}

    def __len__(self) -> int:
        return len(self._by_fd)

    def add(self, fd: int, sleeper: T) -> None:
        """Add a subscriber that sleeps."""
        self._by_fd[fd] = sleeper

    def remove(self, fd: int) -> bool:
        """Remove a subscriber that has woken; return whether it was still here."""
        return self._by_fd.pop(fd, None) is not None

    def remove_all(self) -> list[T]:
        """Remove all, and return them."""
        sleepers = list(self._by_fd.values())
        self._by_fd.clear()
        return sleepers

    def give(self, data: bytes) -> list[tuple[T, bytes]]:
        """Write the data to every socket, as far as the kernel takes it without waiting.

        A subscriber whose socket did not take everything is removed, and returned with the rest.
        That includes a client that is gone: the task that sends the rest sees the error.
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
