"""Power cuts at random instants, and what is in the recorder's file then.

    python -m tests.torture.power_torture [--cuts 2000] [--seconds 20] [--seed N]

A real recorder follows a ring; it is stopped and killed in between. All that it does to its file is
written down (disk_log.c). Then, for one random instant after the other, the file is rebuilt as a disk
might have it (disk.py). The recorder must open it, SQLite must find it sound, its samples must be those
of the ring, from the first to one that was written last, and the recorder must go on with it until all
samples are there.

Half of the cuts are in a run with a bound, in which old samples are deleted.

Exit status 0 when all that held for each cut.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import trio

from tests.helpers.processes import killed, python
from tests.helpers.stored import stored
from tests.torture.disk import Event, after_power_cut, certain_mark, events, mark
from trio_mpu import lifecycle
from trio_mpu.errors import StoreError
from trio_mpu.record import Record
from trio_mpu.ring import RingReader, RingWriter
from trio_mpu.sample import NO_ATTITUDE, Sample
from trio_mpu.settings import RecordSettings
from trio_mpu.shm.segment import remove
from trio_mpu.store import database, keep, recorder, writer
from trio_mpu.store.chunk import Chunk
from trio_mpu.store.database import Database
from trio_mpu.store.recorder import run_recorder

CAPACITY: Final = 2**16
SAMPLES: Final = 6_000
BATCH: Final = 25  # a chunk
PERIOD_NS: Final = 10**7
RUNS: Final = 6  # of the recorder: each ends by another signal than the one before
BOUND_BYTES: Final = 500_000  # with less than half of the samples
WAL_PAGES: Final = 50  # many checkpoints in a short time
STUCK_S: Final = 30.0  # arbitrary: nothing comes back any more

Truth = dict[int, Record]


class Log(NamedTuple):
    """What a recorder has done to its file, and what the ring had."""

    file: Path
    events: list[Event]
    truth: Truth
    generation: str
    bound: str


# -- what is written down ---------------------------------------------------------------


def small_and_quick() -> None:
    """Let a recorder do in a second what it does in a minute."""
    vars(recorder).update(CHUNK_S=0.005, MIN_LOOK_S=0.005, QUIET_S=0.0)
    vars(database).update(_WAL_PAGES=WAL_PAGES)
    vars(keep).update(MIN_BYTES=BOUND_BYTES)


def record(ring: str, file: str, bound: str) -> int:
    """Be a recorder that also marks in the log what it has stored."""
    small_and_quick()
    vars(writer).update(PRUNE_WRITES=3)
    log_fd = os.open(os.environ["DISK_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    store = Database.store

    def store_and_mark(self: Database, chunks: Sequence[Chunk]) -> None:
        store(self, chunks)
        os.write(log_fd, mark(max(self.ends.values(), default=0)))

    vars(writer)["Database"].store = store_and_mark

    async def program(stop: trio.Event, _: Callable[[], None]) -> None:
        await run_recorder(RecordSettings(ring=ring, store=file, keep=bound), stop)

    return lifecycle.run("record", "warning", program)


async def watched_recording(folder: Path, ring: str, bound: str) -> Log:
    """Let recorders follow a ring that is being filled."""
    file, log = folder / "history.db", folder / "log"
    shim = folder / "disk_log.so"
    source = Path(__file__).with_name("disk_log.c")
    await trio.run_process(["cc", "-O2", "-shared", "-fPIC", "-o", shim, source, "-ldl"])
    environ = {"LD_PRELOAD": str(shim), "DISK_FILE": str(file), "DISK_LOG": str(log)}
    command = ("-m", "tests.torture.power_torture", "--record", ring, str(file), bound)
    ring_writer = await RingWriter.open(ring, CAPACITY)
    try:
        await ring_writer.start("torture", PERIOD_NS)
        for run in range(RUNS):
            with killed(python(*command, environ=environ, output=subprocess.DEVNULL)) as process:
                await _fill(ring_writer, log, (run + 1) * SAMPLES // RUNS)
                process.send_signal(signal.SIGKILL if run % 2 else signal.SIGTERM)
                await trio.to_thread.run_sync(process.wait)
        truth = await _read_all(ring)
    finally:
        ring_writer.close()
    return Log(file, events(log), truth, f"{ring_writer.generation:016x}", bound)


async def _fill(ring_writer: RingWriter, log: Path, upto: int) -> None:
    """Write samples, a chunk at a time, as fast as the recorder stores them."""
    while ring_writer.head < upto:
        first = ring_writer.head
        samples = [_sample(seq) for seq in range(first + 1, first + BATCH + 1)]
        await ring_writer.write(samples)
        size = log.stat().st_size if log.exists() else 0
        with trio.move_on_after(0.2):
            while not log.exists() or log.stat().st_size == size:  # noqa: ASYNC110 - a file
                await trio.sleep(0.002)


def _sample(seq: int) -> Sample:
    dice = random.Random(seq)
    values = [dice.uniform(-1, 1) for _ in range(7)]
    return Sample._make((_BEGUN_NS + seq * PERIOD_NS, *values, 0, 0, *NO_ATTITUDE))


_BEGUN_NS: Final = time.monotonic_ns()


async def _read_all(ring: str) -> Truth:
    truth: Truth = {}
    with RingReader(ring) as reader:
        while batch := (await reader.read(len(truth))).records:
            truth.update((each.seq, each) for each in batch)
    return truth


# -- what is found after a cut ----------------------------------------------------------


def complaint(log: Log, cut: int, dice: random.Random, folder: Path) -> str:
    """Cut the power after so many events; return what is wrong then, "" if nothing."""
    for old in folder.iterdir():
        old.unlink()
    for path, content in after_power_cut(log.events, cut, dice).items():
        (folder / Path(path).name).write_bytes(content)
    file = folder / log.file.name
    if not file.exists() and certain_mark(log.events, cut):
        return "the file is not there"
    try:
        Database(str(file)).close()
    except StoreError as error:
        return f"it can't be opened: {error}"
    return _wrong_in(file, log, certain_mark(log.events, cut)) or _wrong_later(file, log)


def _wrong_in(file: Path, log: Log, certain: int) -> str:
    with stored(file) as found:
        if (integrity := found.integrity()) != "ok":
            return f"integrity check: {integrity}"
        records = [*found.records()]
        if found.gaps():
            return f"gaps: {found.gaps()}"
    numbers = [each.seq for _, each in records]
    first = numbers[0] if numbers and log.bound else 1
    if numbers != [*range(first, first + len(numbers))]:
        return f"samples are missing or twice: {numbers[:3]}…{numbers[-3:]}, {len(numbers)}"
    if any(
        generation != log.generation or each != log.truth[each.seq] for generation, each in records
    ):
        return "a sample is not what the ring had"
    if (numbers[-1] if numbers else 0) < certain:
        return f"it ends with sample {numbers[-1:]}, but {certain} was on the disk"
    return ""


def _wrong_later(file: Path, log: Log) -> str:
    """Let the recorder go on, to the ring's end."""

    async def go_on() -> None:
        stop = trio.Event()
        stop.set()
        with trio.fail_after(STUCK_S):
            await run_recorder(RecordSettings(ring=_ring_of(log), store=str(file)), stop)

    trio.run(go_on)
    if wrong := _wrong_in(file, log, len(log.truth)):
        return f"after the recorder went on: {wrong}"
    with stored(file) as found:
        windows = found.windows()
    if windows != _windows(log):
        return "after the recorder went on: the windows are not those of the samples"
    return ""


def _ring_of(log: Log) -> str:
    return log.file.parent.name


def _windows(log: Log) -> dict[tuple[int, int], tuple[int, float, float]]:
    if log.generation not in _WINDOWS:
        levels: dict[tuple[int, int], list[float]] = {}
        for each in log.truth.values():
            for level_s in (1, 60, 3600):
                start_s = each.time_ns // 10**9 // level_s * level_s
                levels.setdefault((level_s, start_s), []).append(each.ax)
        _WINDOWS[log.generation] = {
            key: (len(values), min(values), max(values)) for key, values in levels.items()
        }
    return _WINDOWS[log.generation]


_WINDOWS: dict[str, dict[tuple[int, int], tuple[int, float, float]]] = {}


def cut_often(bound: str, cuts: int, seconds: float, dice: random.Random) -> tuple[int, list[str]]:
    """Cut the power again and again; return how often, and all complaints."""
    ring = f"power_{uuid.uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory(dir="/dev/shm") as temporary:  # its fsync takes no time
        folder, rebuilt = Path(temporary) / ring, Path(temporary) / "rebuilt"
        folder.mkdir()
        rebuilt.mkdir()
        try:
            log = trio.run(watched_recording, folder, ring, bound)
            kinds = "".join(event.kind for event in log.events)
            print(
                f"{'with' if bound else 'without'} a bound: {len(log.truth)} samples, "
                f"{kinds.count('W')} writes, {kinds.count('S')} fsyncs, {kinds.count('C')} marks, "
                f"{kinds.count('T')} cuts, {kinds.count('U')} removed"
            )
            complaints, done, end_s = list[str](), 0, time.monotonic() + seconds
            while done < cuts and time.monotonic() < end_s:
                cut = dice.randint(0, len(log.events))
                if wrong := complaint(log, cut, dice, rebuilt):
                    complaints.append(f"cut after event {cut}: {wrong}")
                done += 1
        finally:
            with contextlib.suppress(FileNotFoundError):
                remove(ring)
    return done, complaints


def main(argv: Sequence[str]) -> int:
    """Cut the power in two runs; print what was found; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=2000)
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="for these, after two recordings"
    )
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--record", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.record:
        return record(*options.record)
    if shutil.which("cc") is None:
        print("there is no C compiler (cc)")
        return 1
    small_and_quick()
    dice, good = random.Random(options.seed), True
    print(f"seed {options.seed}")
    for bound in ("", f"{BOUND_BYTES / 1e6}MB"):
        done, complaints = cut_often(bound, options.cuts // 2, options.seconds / 2, dice)
        print(*complaints, sep="\n", end="\n" if complaints else "")
        print(f"{done} power cuts, {len(complaints)} complaints")
        good &= done > 0 and not complaints
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
