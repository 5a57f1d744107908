"""The sensor behind a text driver, on files of every kind."""

import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.helpers.fake_devices import one_line
from tests.test_sample import NOT_YET, SAMPLE, TEXT
from trio_mpu import device
from trio_mpu.device import MAX_STUCK_READS, READ_DEADLINE_S, TextDevice
from trio_mpu.errors import DeviceError, NoSampleYet
from trio_mpu.sample import Flag


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the device is."""
    return tmp_path / "mpu6050"


async def refusal(path: Path) -> str:
    """What a read of the path says, which names the path."""
    with pytest.raises(DeviceError) as caught:
        await TextDevice(str(path), 100).read()
    message = one_line(caught.value)
    assert str(path) in message
    return message


async def test_a_reading_is_the_text_at_this_instant(path: Path) -> None:
    """The one sample of a read has the file's values of now and a time within the read."""
    path.write_bytes(TEXT)
    sensor = TextDevice(str(path), 250)
    assert (sensor.source, sensor.period_ns, sensor.paced) == (str(path), 4_000_000, False)
    before_ns = time.monotonic_ns()
    [sample] = await sensor.read()
    assert before_ns <= sample.t_ns <= time.monotonic_ns()
    assert sample == SAMPLE._replace(t_ns=sample.t_ns)
    path.write_bytes(TEXT.replace(b"26.101", b"-1.500"))
    assert (await sensor.read())[0].temp == -1.5


async def test_a_text_that_comes_again_is_told(path: Path) -> None:
    """To the letter: with another interrupt count the same values are a new reading."""
    path.write_bytes(TEXT)
    sensor = TextDevice(str(path), 100)
    flags = [(await sensor.read())[0].flags for _ in range(3)]
    assert flags == [0, Flag.STALE_REPEAT, Flag.STALE_REPEAT]
    path.write_bytes(TEXT.replace(b"IRQ count: ", b"IRQ count: 1"))
    assert (await sensor.read())[0].flags == 0


async def test_a_device_that_vanishes_is_found_again(path: Path) -> None:
    """A driver that is unloaded and loaded again needs no new TextDevice."""
    path.write_bytes(TEXT)
    sensor = TextDevice(str(path), 100)
    for _ in range(3):
        assert len(await sensor.read()) == 1
        path.unlink()
        with pytest.raises(DeviceError, match="No such file or directory"):
            await sensor.read()
        path.write_bytes(TEXT)
    assert len(await sensor.read()) == 1


async def test_what_can_not_be_read_is_named_with_the_reason(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing file, a directory and one without permission each say so."""
    assert await refusal(path) == f"can't read {path}: No such file or directory"
    assert await refusal(path / "deeper") == f"can't read {path}/deeper: No such file or directory"
    path.mkdir()
    assert await refusal(path) == f"can't read {path}: Is a directory"

    def forbidden(*_: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", forbidden)
    assert await refusal(path) == f"can't read {path}: Permission denied"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "the device returned no text"),
        (TEXT[:30], "line 2 of the device's text is not three numbers"),
        (b"\xff" * 100, "line 1 of the device's text is not IRQ count"),
        (TEXT * 10_000, "the device returned more than 512 bytes for one sample"),
        (TEXT.replace(b" 0.195", b" 99.000"), "ax = 99 is outside"),
    ],
)
async def test_an_unusable_text_is_named_with_the_path(
    path: Path, text: bytes, reason: str
) -> None:
    """What the parser says is told with the device's name, however much text there is."""
    path.write_bytes(text)
    assert (await refusal(path)).startswith(f"{path}: {reason}")


async def test_no_sample_yet_keeps_its_kind(path: Path) -> None:
    """The producer can tell a sensor that warms up from a broken one."""
    path.write_bytes(NOT_YET)
    with pytest.raises(NoSampleYet, match="not measured anything yet") as caught:
        await TextDevice(str(path), 100).read()
    assert str(path) in one_line(caught.value)


async def test_a_driver_that_gives_its_text_in_pieces_is_read_to_its_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short read is not the end of the text."""
    path.write_bytes(TEXT)
    read = os.read
    monkeypatch.setattr(os, "read", lambda fd, count: read(fd, min(count, 7)))
    [sample] = await TextDevice(str(path), 100).read()
    assert sample.temp == 26.101


async def test_a_huge_file_is_not_read_to_its_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a megabyte no more is taken than needed to refuse it, and the file is closed."""
    path.write_bytes(b"9" * 10**6)
    read, taken = os.read, list[int]()

    def counted(fd: int, count: int) -> bytes:
        taken.append(fd)
        return read(fd, count)

    monkeypatch.setattr(os, "read", counted)
    assert "more than 512 bytes" in await refusal(path)
    assert len(taken) == 2
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(taken[0])


# -- drivers that never answer: the mock clock takes a thread at work for idle -------------------


@pytest.fixture
def silent(path: Path) -> Iterator[Path]:
    """A pipe into which nobody writes: to open it takes for ever."""
    os.mkfifo(path)
    yield path
    # Whoever still waits gets the end of the file.
    os.close(os.open(path, os.O_RDWR))


async def test_a_driver_that_never_answers_is_given_up_in_time(
    silent: Path, autojump_clock: MockClock
) -> None:
    """Each read ends at its deadline, with an error that names device and patience."""
    begun_s = trio.current_time()
    assert await refusal(silent) == f"{silent} did not answer within 1 s"
    assert trio.current_time() - begun_s == pytest.approx(READ_DEADLINE_S)


async def test_a_dead_driver_holds_few_threads(
    path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is read, no more than MAX_STUCK_READS threads wait for it; when it answers
    at last, their texts are thrown away and reading goes on."""
    release, stuck = threading.Event(), list[str]()

    def never(path: str) -> tuple[bytes, int]:
        stuck.append(path)
        release.wait()
        return NOT_YET, 0

    path.write_bytes(TEXT)
    sensor = TextDevice(str(path), 100)
    with monkeypatch.context() as patch:
        patch.setattr(device, "_read_whole", never)
        for _ in range(3 * MAX_STUCK_READS):
            with pytest.raises(DeviceError, match="did not answer"):
                await sensor.read()
        while len(stuck) < MAX_STUCK_READS:  # the last of the threads may just be starting
            time.sleep(0.001)  # noqa: ASYNC251 - real time, for the threads
        assert len(stuck) == MAX_STUCK_READS == sensor._threads.borrowed_tokens
    release.set()
    while sensor._threads.borrowed_tokens:
        await trio.lowlevel.checkpoint()
    autojump_clock.autojump_threshold = 1  # from here on a thread does answer
    assert len(await sensor.read()) == 1


async def test_a_cancelled_read_is_over_at_once(silent: Path, autojump_clock: MockClock) -> None:
    """Stopping the producer doesn't wait for a driver that doesn't answer."""
    with trio.move_on_after(0.01) as scope:
        await TextDevice(str(silent), 100).read()
    assert scope.cancelled_caught
    assert trio.current_time() == pytest.approx(0.01)
