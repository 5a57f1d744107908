"""examples/ring_reader.c, which knows the ring from docs/protocol.md alone, against the real one."""

import contextlib
import fcntl
import os
import random
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import posix_ipc
import pytest
import trio

from tests.helpers.version_1 import version_1
from tests.test_ring import begin_at
from trio_mpu.record import NOBODY, Record
from trio_mpu.ring import RingReader, RingWriter
from trio_mpu.sample import Flag, Sample
from trio_mpu.shm import layout
from trio_mpu.shm.doorbell import BELLS, LOOK_S, Ringer, address
from trio_mpu.shm.segment import Segment
from trio_mpu.shm.semaphore import RECOVER_AFTER_S, semaphore_name

SOURCE: Final = Path(__file__).parents[2] / "examples" / "ring_reader.c"
STRICT: Final = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
CC: Final = shutil.which("cc")
PERIOD_NS: Final = 10**9  # so slow that only the bell can be prompt
SHM: Final = Path("/dev/shm")

# Loaded in front of the C library, this sends the signal SIGNAL to its own process when it is at
# WHERE for the CALLth time, and lets the first BUSY attempts on the semaphore fail.
SHIM: Final = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void reach(const char *where)
{
    static int calls;
    if (strcmp(where, getenv("WHERE")) == 0 && ++calls == atoi(getenv("CALL")))
        kill(getpid(), atoi(getenv("SIGNAL")));
}
sem_t *sem_open(const char *name, int flags, ...)
{
    reach("before open");
    return ((sem_t * (*)(const char *, int)) dlsym(RTLD_NEXT, "sem_open"))(name, flags);
}
int sem_trywait(sem_t *semaphore)
{
    static int attempts;
    if (attempts++ < atoi(getenv("BUSY"))) {
        errno = EAGAIN;
        return -1;
    }
    int result = ((int (*)(sem_t *))dlsym(RTLD_NEXT, "sem_trywait"))(semaphore);
    if (result == 0)
        reach("after wait");
    return result;
}
int sem_post(sem_t *semaphore)
{
    reach("before post");
    int result = ((int (*)(sem_t *))dlsym(RTLD_NEXT, "sem_post"))(semaphore);
    reach("after post");
    return result;
}
"""

# A process that is killed between taking the semaphore and giving it back.
VICTIM: Final = """
import os, signal, sys
from trio_mpu.shm.segment import Segment
import trio
segment = Segment(sys.argv[1])
segment.map()
segment.use()
trio.run(segment.run, lambda: os.kill(os.getpid(), signal.SIGKILL))
"""


def compiled(folder: Path, source: Path, output: str, *options: str) -> Path:
    if CC is None:
        pytest.skip("there is no C compiler (cc)")
    program = folder / output
    subprocess.run([CC, *STRICT, *options, "-o", program, source, "-pthread", "-lrt"], check=True)
    return program


@pytest.fixture(scope="session")
def ring_reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("c"), SOURCE, "ring_reader")


def samples(first: int, count: int) -> list[Sample]:
    """Samples whose every field is different from the last one's."""
    return [
        Sample(
            t_ns=time.monotonic_ns(),
            ax=n / 64,
            ay=-n / 128,
            az=0.5,
            gx=n / 2,
            gy=-n * 1.25,
            gz=1e-6 * n,
            temp=20 + n / 1024,
            flags=Flag.SIMULATED | (Flag.DEVICE_GAP if n % 3 == 0 else 0),
            lost=n % 7,
        )
        for n in range(first, first + count)
    ]


@asynccontextmanager
async def writing(
    ring_name: str, capacity: int, period_ns: int = PERIOD_NS
) -> AsyncIterator[RingWriter]:
    writer = await RingWriter.open(ring_name, capacity)
    try:
        await writer.start("test", period_ns)
        yield writer
    finally:
        writer.close()


class CReader:
    """A running ring_reader; its lines come as they are printed."""

    def __init__(self, process: trio.Process, output: int) -> None:
        self.process = process
        self._output = trio.lowlevel.FdStream(output)
        self._text = b""

    async def line(self) -> str:
        """Return the next line, "" at the end."""
        while b"\n" not in self._text:
            data = await self._output.receive_some()
            if not data:
                return ""
            self._text += data
        line, self._text = self._text.split(b"\n", 1)
        return line.decode()

    async def record(self) -> Record:
        line = await self.line()
        assert line, "ring_reader ended"
        assert not line.startswith("#"), line
        return parse(line)

    async def close(self) -> None:
        self.process.kill()
        await self.process.wait()
        await self._output.aclose()


@asynccontextmanager
async def reading(
    program: Path,
    *arguments: str,
    pipe_bytes: int = 65_536,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[CReader]:
    output, theirs = os.pipe()
    fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, pipe_bytes)
    process = await trio.lowlevel.open_process(
        [str(program), *arguments], stdout=theirs, env={**os.environ, **(environment or {})}
    )
    os.close(theirs)
    reader = CReader(process, output)
    try:
        with trio.fail_after(30):
            yield reader
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 5):
            await reader.close()


def parse(line: str) -> Record:
    """The record on a line of CSV; nine digits give a float32 exactly."""
    seq, t_ns, time_ns, *values, flags, lost = line.split(",")
    floats = struct.unpack("7f", struct.pack("7f", *map(float, values)))
    counts = (int(flags), int(lost))
    return Record._make((int(seq), int(t_ns), int(time_ns), *floats, *counts, *[0.0] * 4))


async def stored(ring_name: str, after: int) -> list[Record]:
    """What Python reads: the same numbers, rounded to float32 the same way."""
    with RingReader(ring_name) as reader:
        return (await reader.read(after)).records


async def test_every_field_of_every_record_arrives_across_the_rings_end(
    ring_reader: Path, ring_name: str
) -> None:
    """The C program prints exactly what the Python reader reads, many times round the ring."""
    async with (
        writing(ring_name, 32) as writer,
        reading(ring_reader, "-o", ring_name, "500") as reader,
    ):
        for first in range(1, 501, 10):
            await writer.write(samples(first, 10))
            printed = [await reader.record() for _ in range(10)]
            assert printed == await stored(ring_name, first - 1)
            assert [record.seq for record in printed] == list(range(first, first + 10))
        assert await reader.line() == ""
        assert await reader.process.wait() == 0


async def test_a_reader_begins_with_the_newest_or_the_oldest_record(
    ring_reader: Path, ring_name: str
) -> None:
    """The slot after the newest record is the writer's: capacity - 1 records can be read."""
    async with writing(ring_name, 8) as writer:
        await writer.write(samples(1, 20))
        async with reading(ring_reader, ring_name, "1") as reader:
            assert (await reader.record()).seq == 20
        async with reading(ring_reader, "-o", ring_name, "7") as reader:
            assert [(await reader.record()).seq for _ in range(7)] == list(range(14, 21))


async def test_a_ring_that_begins_later_is_read_from_its_first_record(
    ring_reader: Path, ring_name: str
) -> None:
    """The slots before it were never written: they are neither records nor lost."""
    async with writing(ring_name, 64) as writer:
        begin_at(writer, 41)
        async with (
            reading(ring_reader, ring_name, "2") as newest,
            reading(ring_reader, "-o", ring_name, "5") as oldest,
        ):
            await trio.sleep(0.01)  # one reader may have looked before there is a record
            await writer.write(samples(41, 3))
            await writer.write(samples(44, 2))
            assert [(await oldest.record()).seq for _ in range(5)] == [41, 42, 43, 44, 45]
            first = (await newest.record()).seq
            assert first >= 41
            if first < 45:
                assert (await newest.record()).seq == first + 1


async def test_being_lapped_is_reported_exactly(ring_reader: Path, ring_name: str) -> None:
    """What is printed and what is said to be lost add up to all that was written."""
    async with (
        writing(ring_name, 16) as writer,
        reading(ring_reader, "-o", ring_name, pipe_bytes=4096) as reader,
    ):
        await writer.write(samples(1, 1))
        newest = seen = (await reader.record()).seq
        for first in range(2, 2000, 2):  # nobody reads the pipe: the reader gets stuck in it
            await writer.write(samples(first, 2))
        lost = 0
        while newest < 1999:
            line = await reader.line()
            if line.startswith("# lapped"):
                after, before, missing = map(int, re.findall(r"\d+", line))
                assert (after, missing) == (newest, before - after - 1)
                newest = before - 1
                lost += missing
            else:
                newest += 1
                seen += 1
                assert parse(line).seq == newest
        assert lost > 0
        assert seen + lost == 1999


async def test_the_bell_wakes_the_reader(ring_reader: Path, ring_name: str) -> None:
    """Records are printed long before the reader would look by itself."""
    async with writing(ring_name, 64) as writer, reading(ring_reader, ring_name) as reader:
        delays_s = []  # the first is long: the writer finds a new bell after up to ROUND_S
        for n in range(1, 31):
            begun = trio.current_time()
            await writer.write(samples(n, 1))
            await reader.record()
            delays_s.append(trio.current_time() - begun)
        # Each look by itself comes LOOK_S after the last one. A busy machine delays many records,
        # but a reader that hears no bell would be late with all of them.
        assert statistics.quantiles(delays_s)[0] < LOOK_S / 5


async def test_two_readers_have_a_bell_each(ring_reader: Path, ring_name: str) -> None:
    """The second one binds the next free address, and both get all."""
    async with (
        writing(ring_name, 64) as writer,
        reading(ring_reader, "-o", ring_name) as one,
        reading(ring_reader, "-o", ring_name) as two,
    ):
        await writer.write(samples(1, 5))
        for reader in (one, two):
            assert [(await reader.record()).seq for _ in range(5)] == [1, 2, 3, 4, 5]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
            for number in range(2):
                with pytest.raises(OSError, match="in use"):
                    bell.bind(address(ring_name, writer.generation, number))


async def test_a_reader_without_a_bell_looks_by_itself(ring_reader: Path, ring_name: str) -> None:
    """With every address taken the records still come, within a period."""
    async with writing(ring_name, 64, period_ns=10**7) as writer:
        with contextlib.ExitStack() as taken:
            for number in range(BELLS):
                bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                taken.enter_context(bell)
                bell.bind(address(ring_name, writer.generation, number))
            async with reading(ring_reader, "-o", ring_name) as reader:
                for n in range(1, 21):
                    await writer.write(samples(n, 1))
                    assert (await reader.record()).seq == n


async def test_the_reader_recovers_the_semaphore_of_a_dead_holder(
    ring_reader: Path, ring_name: str
) -> None:
    """A process killed in the critical section costs the C reader some 20 ms, and no record."""
    async with writing(ring_name, 64) as writer:
        await writer.write(samples(1, 3))
        victim = await trio.run_process([sys.executable, "-c", VICTIM, ring_name], check=False)
        assert victim.returncode == -signal.SIGKILL
        assert value(ring_name) == 0
        begun = trio.current_time()
        async with reading(ring_reader, "-o", ring_name, "3") as reader:
            assert [(await reader.record()).seq for _ in range(3)] == [1, 2, 3]
            assert trio.current_time() - begun > RECOVER_AFTER_S
            await reader.process.wait()
        assert value(ring_name) == 1
        with Segment(ring_name) as segment:
            segment.map()
            assert layout.process(segment.buffer, "holder") == NOBODY


def value(ring_name: str) -> int:
    """The semaphore's value."""
    semaphore = posix_ipc.Semaphore(semaphore_name(ring_name))
    try:
        return int(semaphore.value)
    finally:
        semaphore.close()


async def test_the_reader_never_robs_a_living_holder(ring_reader: Path, ring_name: str) -> None:
    """However long it takes, the semaphore stays taken until its holder gives it back."""
    async with writing(ring_name, 64) as writer, reading(ring_reader, "-o", ring_name) as reader:
        await writer.write(samples(1, 1))
        await reader.record()
        ringer = Ringer(ring_name, writer.generation)

        def dawdle() -> None:
            ringer.ring(0.0)
            deadline = time.monotonic() + 10 * RECOVER_AFTER_S
            while time.monotonic() < deadline:
                assert value(ring_name) == 0
                time.sleep(0.005)

        with Segment(ring_name) as segment:
            segment.map()
            segment.use()
            await segment.run(dawdle)
        ringer.close()
        assert value(ring_name) == 1
        await writer.write(samples(2, 1))
        assert (await reader.record()).seq == 2


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shim")
    source = folder / "shim.c"
    source.write_text(SHIM)
    return compiled(folder, source, "shim.so", "-shared", "-fPIC", "-Wno-pedantic")


def sending(
    shim: Path, where: str, call: int = 1, number: int = signal.SIGKILL, busy: int = 0
) -> dict[str, str]:
    """The environment for SHIM."""
    return {
        "LD_PRELOAD": str(shim),
        "WHERE": where,
        "CALL": str(call),
        "SIGNAL": str(int(number)),
        "BUSY": str(busy),
    }


async def until_stopped(process: trio.Process) -> None:
    """Wait until a signal has stopped the process: state T in proc(5)."""
    with trio.fail_after(10):
        while b") T " not in Path(f"/proc/{process.pid}/stat").read_bytes():  # noqa: ASYNC110 - there is no event for it
            await trio.sleep(0.005)


@pytest.mark.parametrize(
    ("where", "call"),
    [
        ("after wait", 1),
        ("after wait", 5),
        ("before post", 2),
        ("after post", 1),
        ("after post", 5),
    ],
)
async def test_a_reader_killed_in_the_critical_section_stops_nobody(
    ring_reader: Path, ring_name: str, shim: Path, where: str, call: int
) -> None:
    """The writer goes on by itself, and the semaphore is never posted twice."""
    async with writing(ring_name, 64) as writer:
        await writer.write(samples(1, 1))
        environment = sending(shim, where, call)
        async with reading(ring_reader, "-o", ring_name, environment=environment) as reader:
            assert await reader.process.wait() == -signal.SIGKILL
        assert value(ring_name) == (where == "after post")
        await writer.write(samples(2, 1))
        assert value(ring_name) == 1
        await writer.beat()
        assert writer.ledger["semaphore_recoveries"] == (where != "after post")
        assert [record.seq for record in await stored(ring_name, 0)] == [1, 2]


async def test_a_reader_stopped_in_the_critical_section_is_not_robbed(
    ring_reader: Path, ring_name: str, shim: Path
) -> None:
    """Its shared flock shows the others that it lives: they wait until it continues."""
    async with writing(ring_name, 64) as writer:
        await writer.write(samples(1, 1))
        environment = sending(shim, "after wait", 1, signal.SIGSTOP)
        async with reading(ring_reader, "-o", ring_name, environment=environment) as reader:
            await until_stopped(reader.process)
            with trio.move_on_after(10 * RECOVER_AFTER_S) as scope:
                await writer.write(samples(2, 1))
            assert scope.cancelled_caught
            assert value(ring_name) == 0
            reader.process.send_signal(signal.SIGCONT)
            await writer.write(samples(2, 1))
            assert [(await reader.record()).seq for _ in range(2)] == [1, 2]
            await writer.beat()
            assert writer.ledger["semaphore_recoveries"] == 0


async def test_a_semaphore_that_is_free_again_is_not_posted(
    ring_reader: Path, ring_name: str, shim: Path
) -> None:
    """A process that finds it recovered by another leaves it alone."""
    async with writing(ring_name, 64) as writer:
        await writer.write(samples(1, 1))
        environment = sending(shim, "never", busy=100)
        async with reading(ring_reader, "-o", ring_name, "1", environment=environment) as reader:
            assert (await reader.record()).seq == 1
            await reader.process.wait()
        assert value(ring_name) == 1


async def test_a_ring_replaced_while_it_is_opened_is_not_used(
    ring_reader: Path, ring_name: str, shim: Path
) -> None:
    """The semaphore of one ring must never guard another: two processes would hold it at the same time."""
    async with writing(ring_name, 64) as writer:
        environment = sending(shim, "before open", 1, signal.SIGSTOP)
        async with reading(ring_reader, "-o", ring_name, environment=environment) as reader:
            await until_stopped(reader.process)
            writer.unlink()
            async with writing(ring_name, 64):
                reader.process.send_signal(signal.SIGCONT)
                assert await reader.process.wait() == 1


async def test_readers_killed_at_random_never_disturb_the_writer(
    ring_reader: Path, ring_name: str
) -> None:
    """A hundred readers die at random instants while the writer writes without an error."""
    chance = random.Random(7)
    over = False

    async def write() -> None:
        head = 0
        while not over:
            await writer.write(samples(head + 1, 1))
            head += 1
            await trio.sleep(0.0005)

    async with writing(ring_name, 4096) as writer, trio.open_nursery() as nursery:
        nursery.start_soon(write)
        for _ in range(100):
            async with reading(ring_reader, "-o", ring_name) as reader:
                await trio.sleep(chance.uniform(0, 0.005))
                reader.process.kill()
                assert await reader.process.wait() == -signal.SIGKILL
        over = True
    assert value(ring_name) == 1
    count = min(writer.head, 4095)
    async with reading(ring_reader, "-o", ring_name, str(count)) as reader:
        numbers = [(await reader.record()).seq for _ in range(count)]
    assert numbers == list(range(writer.head - count + 1, writer.head + 1))


async def test_a_batch_cut_short_by_death_is_reported_as_lapped(
    ring_reader: Path, ring_name: str
) -> None:
    """A slot with a newer number than expected is never printed, nor is anything before it."""
    async with writing(ring_name, 16) as writer:
        await writer.write(samples(1, 14))
        await writer.write(samples(15, 14))
        # A writer that was killed in the middle of a batch has filled slots, but not moved head.
        with Segment(ring_name) as segment:
            segment.map()
            for seq, sample in enumerate(samples(29, 4), start=29):
                layout.put_record(segment.buffer, 16, Record.of(seq, 0, sample))
        async with reading(ring_reader, "-o", ring_name, "12") as reader:
            assert await reader.line() == "# lapped: from 13 to 17, 3 lost"
            assert [(await reader.record()).seq for _ in range(12)] == list(range(17, 29))


async def test_a_reader_ends_when_its_ring_is_replaced(ring_reader: Path, ring_name: str) -> None:
    """All of the old ring is printed; the exit status says that there is a new one."""
    async with writing(ring_name, 64) as writer, reading(ring_reader, "-o", ring_name) as reader:
        await writer.write(samples(1, 1))
        assert (await reader.record()).seq == 1
        writer.unlink()
        async with writing(ring_name, 64) as successor:
            for _ in range(70):  # the names are looked up each half second
                await trio.sleep(0.01)
            await writer.write(samples(2, 1))
            assert (await reader.record()).seq == 2
            writer.close()
            assert await reader.line() == ""
            assert await reader.process.wait() == 3
            assert successor.generation != writer.generation


def wrong(**fields: int) -> bytes:
    """A ring of four records with some header fields of another value."""
    buffer = bytearray(layout.segment_bytes(4))
    layout.lay_out(buffer, 4, 1)
    for name, number in fields.items():
        layout.put(buffer, name, number)
    return bytes(buffer)


def files(ring_name: str) -> dict[str, bytes]:
    """What there is of a ring."""
    return {path.name: path.read_bytes() for path in SHM.glob(f"*{ring_name}*")}


@pytest.mark.parametrize(
    ("segment", "reason"),
    [
        (None, "there is no such ring"),
        (b"", "the ring is not ready yet"),
        (wrong(magic=0), "the ring is not ready yet"),
        (wrong(magic=layout.MAGIC + 1), "this is not a ring of trio-mpu"),
        (
            version_1(),
            (
                "the ring is of version 1, but this program knows version 2; "
                "use the ring_reader of the producer's release"
            ),
        ),
        (wrong(header_bytes=2048), "the ring has headers or records of another size"),
        (wrong(record_bytes=72), "the ring has headers or records of another size"),
        (wrong(capacity=5), "the segment's size does not fit its capacity"),
        (wrong(capacity=0), "the segment's size does not fit its capacity"),
        (wrong(capacity=2**32 - 1), "the segment's size does not fit its capacity"),
        (wrong()[:-1], "the segment's size does not fit its capacity"),
        (wrong(), "the ring has no semaphore"),
    ],
)
async def test_a_ring_that_cannot_be_used_is_named_in_one_line(
    ring_reader: Path, ring_name: str, segment: bytes | None, reason: str
) -> None:
    """Each reason has its own line, the exit status is 1, and nothing is touched."""
    if segment is not None:
        (SHM / ring_name).write_bytes(segment)
    before = files(ring_name)
    done = await trio.run_process(
        [ring_reader, ring_name], check=False, capture_stdout=True, capture_stderr=True
    )
    assert done.stderr.decode() == f"ring_reader: {ring_name}: {reason}\n"
    assert (done.returncode, done.stdout) == (1, b"")
    assert files(ring_name) == before


@pytest.mark.parametrize("words", [[], ["-o"], ["a", "b"], ["a", "0"], ["a", "1", "2"], ["a" * 65]])
async def test_a_wrong_command_line_gets_the_usage(ring_reader: Path, words: list[str]) -> None:
    """Exit status 2, as with the other programs."""
    done = await trio.run_process([ring_reader, *words], check=False, capture_stderr=True)
    assert done.stderr.decode() == "usage: ring_reader [-o] NAME [COUNT]\n"
    assert done.returncode == 2
