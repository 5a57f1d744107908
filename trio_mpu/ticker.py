"""A drift-free period from the kernel's timer (timerfd_create(2)).

The event loop's own sleep is rounded up to whole milliseconds, which at 1,000 Hz is a whole
period. A timerfd is accurate to some 50 µs, never drifts, and counts the periods that passed
unread, including those of a suspended laptop (CLOCK_BOOTTIME).
"""

import ctypes
import os
import time

import trio


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("first", _Timespec))


class Ticker:
    """A timer that ticks once a period from its creation on."""

    def __init__(self, period_ns: int) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        period = _Timespec(*divmod(period_ns, 10**9))
        spec = _Itimerspec(period, period)
        flags = os.O_NONBLOCK | os.O_CLOEXEC
        self._fd = _checked(libc.timerfd_create(time.CLOCK_BOOTTIME, flags))
        _checked(libc.timerfd_settime(self._fd, 0, ctypes.byref(spec), None))

    async def wait(self) -> int:
        """Wait for the next tick; return how many have passed since the last call, 1 if on time.

        Cancellation loses no tick.
        """
        await trio.lowlevel.wait_readable(self._fd)
        return int.from_bytes(os.read(self._fd, 8), "little")

    def close(self) -> None:
        """Stop the timer."""
        os.close(self._fd)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
