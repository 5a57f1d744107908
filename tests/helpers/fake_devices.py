"""Devices and a clockwork for tests: they play a script instead of measuring."""

import math
from collections.abc import Sequence

import hypothesis
import trio

from trio_mpu.device import Device
from trio_mpu.errors import DeviceError, EndOfReplay
from trio_mpu.sample import Sample

# How long an example takes says nothing on a machine that does other things as well.
hypothesis.settings.register_profile("busy machine", deadline=None)
hypothesis.settings.load_profile("busy machine")

BEGUN_NS = 5 * 10**9  # CLOCK_MONOTONIC when virtual time begins


class Late:
    """A step of a script: the reading takes this long, and then comes or fails."""

    def __init__(self, seconds: float, error: DeviceError | None = None) -> None:
        self.seconds = seconds
        self.error = error


Step = Sequence[Sample] | DeviceError | Late | None


def virtual_ns() -> int:
    """CLOCK_MONOTONIC, if it went with the virtual clock."""
    return BEGUN_NS + round(trio.current_time() * 1e9)


class FakeDevice(Device):
    """Plays a script, and goes on with good readings, or with `after`, when it has been played.

    A step is what a read gives or raises; None is the next good reading, which tells by `ax`
    which one it is.
    """

    def __init__(
        self,
        script: Sequence[Step] = (),
        *,
        period_ns: int = 10**7,
        paced: bool = False,
        source: str = "fake",
        after: Step = None,
    ) -> None:
        self.source = source
        self.period_ns = period_ns
        self.paced = paced
        self.reads = 0
        self.good = 0
        self.closed = False
        self._script = script
        self._after = after

    async def read(self, periods: int = 1) -> Sequence[Sample]:
        await trio.lowlevel.checkpoint()
        step = self._script[self.reads] if self.reads < len(self._script) else self._after
        self.reads += 1
        if isinstance(step, Late):
            await trio.sleep(step.seconds)
            step = step.error
        elif step is None and self.paced:
            await trio.sleep(self.period_ns / 1e9)
        if isinstance(step, DeviceError):
            raise step
        return [self.next_sample()] if step is None else step

    async def aclose(self) -> None:
        self.closed = True

    def next_sample(self) -> Sample:
        self.good += 1
        return sample(self.good, virtual_ns())


def sample(number: int, t_ns: int = BEGUN_NS, **fields: int) -> Sample:
    """A sample that tells by `ax` which one it is (for the first 16,384)."""
    return Sample(t_ns, number / 1024, 0.5, 1.0, -250.0, 0.125, 2.0, 25.5)._replace(**fields)


def number(ax: float) -> int:
    """Which sample has this `ax`."""
    return round(ax * 1024)


def end_of_recording() -> EndOfReplay:
    return EndOfReplay("the fake recording has been played to its end")


class FakeTicker:
    """A ticker in virtual time."""

    def __init__(self, period_ns: int) -> None:
        self.seen = 0
        self.closed = False
        self._period_s = period_ns / 1e9
        self._begun_s = trio.current_time()

    async def wait(self) -> int:
        await trio.sleep_until(self._begun_s + (self.seen + 1) * self._period_s)
        passed = math.floor((trio.current_time() - self._begun_s) / self._period_s + 1e-6)
        ticks, self.seen = passed - self.seen, passed
        return ticks

    def close(self) -> None:
        self.closed = True


def one_line(error: BaseException) -> str:
    """The error's message, which is one line of printable characters and not too long."""
    message = str(error)
    assert message.isprintable(), message
    assert 0 < len(message) < 400, message
    return message
