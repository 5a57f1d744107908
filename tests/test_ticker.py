"""The kernel's timer as a period."""

import os
import time
from pathlib import Path

import pytest
import trio

from trio_mpu.ticker import Ticker


async def test_a_hundred_periods_take_a_hundred_periods() -> None:
    """The ticks don't drift: their number is that of the periods that went by, however late each
    of them was looked at."""
    before_ns = time.monotonic_ns()
    ticker = Ticker(2_000_000)
    made_ns = time.monotonic_ns()
    ticks = 0
    try:
        while ticks < 100:
            ticks += await ticker.wait()
        looked_ns = time.monotonic_ns()
        ticks += await ticker.wait()
    finally:
        ticker.close()
    assert ticks >= (looked_ns - made_ns) // 2_000_000  # none is forgotten
    assert ticks <= (time.monotonic_ns() - before_ns) // 2_000_000  # none comes early


async def test_periods_that_nobody_looked_at_are_counted() -> None:
    """Whoever comes late is told how many have passed, and then is on time again."""
    before_ns = time.monotonic_ns()
    ticker = Ticker(1_000_000)
    try:
        time.sleep(0.008)  # noqa: ASYNC251 - the event loop itself is late
        ticks = await ticker.wait()
        ticks += await ticker.wait()
        assert ticks >= 9
        assert ticks <= (time.monotonic_ns() - before_ns) // 1_000_000
    finally:
        ticker.close()


async def test_a_cancelled_wait_loses_no_tick() -> None:
    """The ticks that came meanwhile are counted by the next call."""
    ticker = Ticker(1_000_000)
    try:
        time.sleep(0.005)  # noqa: ASYNC251 - see above
        with trio.move_on_after(0) as scope:
            await ticker.wait()
        assert scope.cancelled_caught
        assert await ticker.wait() >= 5
    finally:
        ticker.close()


async def test_a_closed_ticker_gives_its_descriptor_back() -> None:
    """No timer is left behind."""
    ticker = Ticker(10**9)
    assert Path(f"/proc/self/fd/{ticker._fd}").readlink() == Path("anon_inode:[timerfd]")
    ticker.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(ticker._fd)


def test_a_timer_that_the_kernel_refuses_is_an_error_with_its_reason() -> None:
    """What libc says is not lost."""
    with pytest.raises(OSError, match="Invalid argument"):
        Ticker(-1)
