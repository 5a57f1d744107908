"""The bus: attempts, deadlines and plain words. No hardware: calls are scripted."""

import errno
import os
import threading
from collections import Counter
from collections.abc import Callable

import pytest
import trio
from smbus2 import I2cFunc, i2c_msg
from trio.testing import MockClock

from tests.helpers.fake_devices import one_line
from trio_mpu.device import READ_DEADLINE_S
from trio_mpu.errors import DeviceError
from trio_mpu.sensors import i2c
from trio_mpu.sensors.i2c import ATTEMPTS, Bus, Session


def failure(number: int) -> OSError:
    """What the kernel gives."""
    return OSError(number, os.strerror(number))


class ScriptedBus:
    """A bus on which the next calls do what a script says: fail, or give these bytes."""

    script: list[OSError | list[int]]
    calls: list[str]
    opened = 0
    funcs = I2cFunc.I2C

    def __init__(self, path: str) -> None:
        self._say(f"open {path}")
        type(self).opened += 1

    def _say(self, what: str) -> list[int]:
        self.calls.append(what)
        answer = self.script.pop(0) if self.script else []
        if isinstance(answer, OSError):
            raise answer
        return answer

    def read_i2c_block_data(self, address: int, register: int, count: int) -> list[int]:
        return self._say(f"read {count} at {register:#x} of {address:#x}")

    def write_byte_data(self, address: int, register: int, value: int) -> None:
        self._say(f"write {value} at {register:#x} of {address:#x}")

    def i2c_rdwr(self, *messages: i2c_msg) -> None:
        self._say(f"burst {len(messages)}: {bytes(messages[0]).hex()}, {len(messages[1])}")

    def close(self) -> None:
        self.calls.append("close")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[ScriptedBus]:
    """What the driver finds instead of the kernel's bus."""
    monkeypatch.setattr(ScriptedBus, "script", [], raising=False)
    monkeypatch.setattr(ScriptedBus, "calls", [], raising=False)
    monkeypatch.setattr(ScriptedBus, "opened", 0)
    monkeypatch.setattr(i2c, "open_bus", ScriptedBus)
    return ScriptedBus


def bus() -> tuple[Bus, Counter[str]]:
    counts = Counter[str]()
    return Bus("/dev/i2c-9", 0x69, lambda name: counts.update([name])), counts


def who(session: Session) -> bytes:
    return session.read(0x75, 1)


async def test_a_transfer_is_made_in_a_thread_on_a_bus_that_stays_open(
    fake: type[ScriptedBus],
) -> None:
    """Opened once, for all runs; not in the event loop's thread."""
    there, counts = bus()
    fake.script = [[], [0x68], [0x70]]
    threads = set[int]()

    def task(session: Session) -> bytes:
        threads.add(threading.get_ident())
        return who(session)

    assert await there.run(task) == b"\x68"
    assert await there.run(task) == b"\x70"
    assert fake.calls == ["open /dev/i2c-9", *["read 1 at 0x75 of 0x69"] * 2]
    assert threading.get_ident() not in threads
    assert not counts


async def test_a_failed_transfer_is_made_again_at_once(fake: type[ScriptedBus]) -> None:
    """Up to ATTEMPTS times; a short answer counts as a failure; each is counted."""
    there, counts = bus()
    fake.script = [[], failure(errno.EREMOTEIO), [], [0x68]]
    assert await there.run(who) == b"\x68"
    assert counts == {"device_retries": 2}
    fake.script = [failure(errno.EREMOTEIO)] * ATTEMPTS
    with pytest.raises(DeviceError, match="nothing answers at 0x69 on /dev/i2c-9"):
        await there.run(who)
    assert counts["device_retries"] == 2 + ATTEMPTS - 1


async def test_reads_with_a_side_effect_are_made_once(fake: type[ScriptedBus]) -> None:
    """The caller is to know that they failed."""
    there, counts = bus()
    fake.script = [[], failure(errno.EIO)]
    with pytest.raises(DeviceError):
        await there.run(lambda session: session.read_once(0x3A, 1))
    fake.script = [[], failure(errno.EIO)]
    with pytest.raises(DeviceError):
        await there.run(lambda session: session.burst_once(0x74, 28))
    assert fake.calls[-2:] == ["burst 2: 74, 28", "close"]
    assert counts == {"bus_reopens": 1}


async def test_after_a_failure_the_bus_is_opened_anew(fake: type[ScriptedBus]) -> None:
    """And that is counted, but not the first time, nor after an error that is not the bus's."""
    there, counts = bus()
    fake.script = [failure(errno.ENOENT)]
    with pytest.raises(DeviceError):
        await there.run(who)
    assert not counts
    fake.script = [[], [0x68], failure(errno.EBUSY)]
    assert await there.run(who) == b"\x68"
    with pytest.raises(DeviceError):
        await there.run(who)

    def unhappy(session: Session) -> None:
        raise DeviceError("not the bus")

    with pytest.raises(DeviceError, match="not the bus"):
        await there.run(unhappy)
    with pytest.raises(DeviceError, match="not the bus"):
        await there.run(unhappy)
    assert counts == {"bus_reopens": 1}
    assert fake.opened == 2


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOENT, "there is no bus /dev/i2c-9.*raspi-config.*i2cdetect -l"),
        (errno.EACCES, "no permission to open /dev/i2c-9.*usermod -aG i2c"),
        (errno.EPERM, "no permission to open /dev/i2c-9.*usermod -aG i2c"),
        (errno.EBUSY, "a kernel driver holds 0x69 on /dev/i2c-9.*--device iio.*unbind the driver"),
        (errno.ENODEV, "nothing answers at 0x69 on /dev/i2c-9.*wiring.*AD0"),
        (errno.ENXIO, "nothing answers at 0x69 on /dev/i2c-9.*wiring.*AD0"),
        (errno.EREMOTEIO, "nothing answers at 0x69 on /dev/i2c-9.*wiring.*AD0"),
        (errno.ETIMEDOUT, "nothing answers at 0x69 on /dev/i2c-9.*wiring.*AD0"),
        (errno.EIO, "can't talk to 0x69 on /dev/i2c-9: Input/output error"),
    ],
)
async def test_each_failure_says_in_one_line_what_to_do(
    fake: type[ScriptedBus], number: int, says: str
) -> None:
    """What can't be mended by trying again isn't tried again."""
    there, counts = bus()
    fake.script = [[], *[failure(number)] * ATTEMPTS]
    with pytest.raises(DeviceError, match=says) as caught:
        await there.run(who)
    one_line(caught.value)
    final = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EBUSY)
    assert counts["device_retries"] == (0 if number in final else ATTEMPTS - 1)


async def test_a_path_that_is_not_there_on_a_real_machine() -> None:
    """The real smbus2, a bus that nobody has."""
    there = Bus("/dev/i2c-987654321", 0x68, lambda name: None)
    with pytest.raises(DeviceError, match="there is no bus /dev/i2c-987654321"):
        await there.run(who)


# -- calls that never return: the mock clock takes a thread at work for idle ---------------------


def blocking(release: threading.Event, calls: list[str]) -> Callable[[Session], bytes]:
    def task(session: Session) -> bytes:
        calls.append("begun")
        release.wait()
        calls.append("over")
        return who(session)

    return task


async def test_a_stuck_call_is_given_up_and_nobody_else_is_let_in(
    fake: type[ScriptedBus], autojump_clock: MockClock
) -> None:
    """As long as it has not returned; when it does, it transfers nothing any more, its bus is
    closed, and reading goes on with another."""
    there, counts = bus()
    release, calls = threading.Event(), list[str]()
    for _ in range(3):
        begun_s = trio.current_time()
        with pytest.raises(DeviceError, match="/dev/i2c-9 did not answer within 1 s") as caught:
            await there.run(blocking(release, calls))
        one_line(caught.value)
        assert trio.current_time() - begun_s == pytest.approx(READ_DEADLINE_S)
    assert there._threads.borrowed_tokens == 1
    release.set()
    while there._threads.borrowed_tokens:
        await trio.lowlevel.checkpoint()
    assert calls == ["begun", "over"]
    assert fake.calls == ["open /dev/i2c-9", "close"]
    autojump_clock.autojump_threshold = 1  # from here on a thread does answer
    fake.script = [[], [0x68]]
    assert await there.run(who) == b"\x68"
    assert counts["bus_reopens"] >= 1


async def test_a_cancelled_run_is_over_at_once(
    fake: type[ScriptedBus], autojump_clock: MockClock
) -> None:
    """Stopping the producer doesn't wait for the bus."""
    there, _ = bus()
    release = threading.Event()
    with trio.move_on_after(0.01) as scope:
        await there.run(blocking(release, []))
    assert scope.cancelled_caught
    assert trio.current_time() == pytest.approx(0.01)
    release.set()
    while there._threads.borrowed_tokens:
        await trio.lowlevel.checkpoint()


async def test_a_bus_without_bursts_is_known(
    fake: type[ScriptedBus], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as i2c-stub's."""
    there, _ = bus()
    assert await there.run(lambda session: session.has_bursts)
    monkeypatch.setattr(fake, "funcs", I2cFunc.SMBUS_I2C_BLOCK)
    assert not await there.run(lambda session: session.has_bursts)
