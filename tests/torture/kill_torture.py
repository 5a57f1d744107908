"""SIGKILL at random instants, hundreds of times, and what readers see of it.

    python -m tests.torture.kill_torture [--kills 600] [--seed N]

Two acts. In the first, a writer and two readers use a ring in tight loops, so that most kills
hit a critical section; an observer of the same ring checks every record. In the second, a real
producer, a real server and a reader are killed while an HTTP client follows the stream over all
reconnects and checks every event.

Exit status 0 when nothing torn was seen, nobody hung for more than a second, numbers never went
back, every missing sample was told, and nothing was left over.
"""

import argparse
import functools
import json
import mmap
import os
import random
import signal
import struct
import sys
import time
import traceback
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import posix_ipc
import trio

from tests.helpers.programs import free_port
from trio_mpu.device import Device
from trio_mpu.errors import RingError
from trio_mpu.producer import run as producer_run
from trio_mpu.producer.run import run_producer
from trio_mpu.record import Record
from trio_mpu.ring import RingReader, RingWriter
from trio_mpu.sample import Sample
from trio_mpu.server.run import run_server
from trio_mpu.settings import ProducerSettings, ServerSettings
from trio_mpu.shm.process_id import find
from trio_mpu.shm.segment import remove
from trio_mpu.shm.semaphore import semaphore_name

CAPACITY = 4096
# From the last kill on: whoever is killed again before it has begun does not hang.
MAX_HANG_S = 1.0
MAX_RECONNECT_S = 3.0  # of a whole server: forked, listening, reading the ring again
STUCK_S = 20.0  # arbitrary: nothing comes back any more

Report = dict[str, float]
Task = Callable[[], Awaitable[None]]


def consistent(number: int) -> Sample:
    """A sample whose fields all follow from one number: a torn one shows."""
    k = number % 16
    return Sample(time.monotonic_ns(), k, k - 8, k / 2, k * 8, -k * 8, k * 2, k + 20)


def torn(values: Sequence[float]) -> bool:
    """Tell whether seven values do not belong together."""
    k = values[0]
    return tuple(values) != (k, k - 8, k / 2, k * 8, -k * 8, k * 2, k + 20)


class ConsistentDevice(Device):
    """Consistent samples at 1,000 Hz."""

    source = "torture"
    period_ns = 10**6

    def __init__(self) -> None:
        self._count = 0

    async def read(self, periods: int = 1) -> Sequence[Sample]:
        """Return the next one."""
        await trio.lowlevel.checkpoint()
        self._count += 1
        return [consistent(self._count)]


# -- what the killed processes do -------------------------------------------------------


async def write_tightly(ring: str) -> None:
    """Write as fast as possible."""
    writer = await RingWriter.open(ring, CAPACITY)
    await writer.start("torture", 1000)
    number = 0
    while True:
        await trio.lowlevel.checkpoint()
        await writer.write([consistent(number + n) for n in range(20)])
        number += 20


async def read_tightly(ring: str) -> None:
    """Read as much as possible, as often as possible."""
    while True:
        await trio.sleep(0.001)
        try:
            with RingReader(ring) as reader:
                while reader.is_current():
                    await trio.lowlevel.checkpoint()
                    await reader.read(0)
        except RingError:
            continue


async def produce(ring: str) -> None:
    """Be a real producer with another sensor."""

    async def open_device(spec: str, rate_hz: float) -> Device:
        await trio.lowlevel.checkpoint()
        return ConsistentDevice()

    vars(producer_run).update(open_device=open_device)
    # Loading the attitude's library would take longer than most of these producers live.
    await run_producer(ProducerSettings(ring=ring, capacity=CAPACITY, attitude="off"))


async def serve(ring: str, port: int) -> None:
    """Be a real server."""
    await run_server(ServerSettings(host="127.0.0.1", port=port, ring=ring), trio.Event())


# -- what watches -----------------------------------------------------------------------

# When each was last, in memory that all forked processes share.
NEWS, KILL, RING_NEWS = 0, 8, 16  # the last one where two observers watch
_TIMES = mmap.mmap(-1, 24)


def note(what: int) -> None:
    """Note that it is now."""
    struct.pack_into("d", _TIMES, what, time.monotonic())


def since(what: int) -> float:
    """Return how many seconds ago it was."""
    return float(time.monotonic() - struct.unpack_from("d", _TIMES, what)[0])


class Watch:
    """Checks what comes, and measures the longest time in which nothing came and nobody was
    killed. `news` is where it notes when something came."""

    def __init__(self, news: int = NEWS) -> None:
        self.report: Report = {"seen": 0, "torn": 0, "back": 0, "untold": 0, "lost": 0, "hang_s": 0}
        self._last: tuple[int, int] | None = None
        self._news = news

    def answered(self) -> None:
        """Note that the watched one has answered, if only with nothing new."""
        self.report["hang_s"] = max(self.report["hang_s"], min(since(self._news), since(KILL)))
        note(self._news)

    def see(self, generation: int, seq: int, values: Sequence[float], after: int | None) -> None:
        """Check one sample; `after` is where a told gap began, None without one."""
        self.report["seen"] += 1
        self.report["torn"] += torn(values)
        if self._last is not None and self._last[0] == generation:
            last = self._last[1]
            self.report["back"] += seq <= last
            if seq > last + 1:
                self.report["lost"] += seq - last - 1
                self.report["untold"] += after != last
        self._last = generation, seq


async def observe_ring(ring: str, stop: trio.Event, news: int = NEWS) -> Report:
    """Follow the ring itself."""
    watch, cursor = Watch(news), 0
    reader: RingReader | None = None
    while not stop.is_set():
        await trio.sleep(0.001)
        if reader is None:
            try:
                reader, cursor = RingReader(ring), 0
            except RingError:
                continue
        batch = await reader.read(cursor)
        watch.answered()
        after = batch.gap.after if batch.gap else None
        for record in batch.records:
            _check(watch, reader.generation, record, after)
            after, cursor = None, record.seq
        if not batch.records and not reader.is_current():
            reader.close()
            reader = None
    return watch.report


def _check(watch: Watch, generation: int, record: Record, after: int | None) -> None:
    watch.see(generation, record.seq, record[3:10], after)


async def observe_stream(port: int, stop: trio.Event) -> Report:
    """Follow `/events` as a browser does, with Last-Event-ID after each reconnect."""
    watch, last_id = Watch(), ""
    while not stop.is_set():
        try:
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            request = f"GET /events HTTP/1.0\r\nLast-Event-ID: {last_id}\r\n\r\n"
            await stream.send_all(request.encode())
            received = b""
            while not stop.is_set() and (data := await stream.receive_some()):
                *events, received = (received + data).split(b"\n\n")
                for event in events:
                    last_id = _check_event(watch, event) or last_id
        except (OSError, trio.BrokenResourceError):
            await trio.sleep(0.005)
    return watch.report


def _check_event(watch: Watch, event: bytes) -> str | None:
    lines = dict(line.partition(b": ")[::2] for line in event.split(b"\n"))
    if b"id" not in lines:
        return None
    watch.answered()
    sample = json.loads(lines[b"data"])
    gap = sample.get("gap")
    generation = int(sample["id"].partition("-")[0], 16)
    watch.see(generation, sample["seq"], list(sample["sample"].values()), gap and gap["from"])
    return str(sample["id"])


# -- processes --------------------------------------------------------------------------


def fork(task: Task) -> int:
    """Run the task in a forked process until it is killed; return its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            trio.run(task)
        except BaseException:  # noqa: BLE001 - whatever it was, the parent's exit status tells
            traceback.print_exc()
        finally:
            os._exit(1)
    return pid


@contextmanager
def observer(watch: Callable[[trio.Event], Awaitable[Report]]) -> Iterator[Report]:
    """Run a watcher in a forked process; its report is there after the block."""
    read_fd, write_fd = os.pipe()
    report: Report = {}

    async def task() -> None:
        stop = trio.Event()
        with trio.open_signal_receiver(signal.SIGTERM) as signals:
            async with trio.open_nursery() as nursery:

                async def run() -> None:
                    text = json.dumps(await watch(stop))
                    os.write(write_fd, text.encode())
                    nursery.cancel_scope.cancel()

                nursery.start_soon(run)
                async for _ in signals:
                    stop.set()

    pid = fork(task)
    os.close(write_fd)
    try:
        yield report
    finally:
        time.sleep(0.5)  # let it see the last restart
        os.kill(pid, signal.SIGTERM)
        with os.fdopen(read_fd) as pipe:
            report.update(json.loads(pipe.read() or "{}"))
        os.waitpid(pid, 0)


def comes_back(silence_s: float) -> bool:
    """Wait until something has come within the last `silence_s`; tell whether it did."""
    begun_s = time.monotonic()
    while since(NEWS) > silence_s:
        if time.monotonic() - begun_s > STUCK_S:
            return False
        time.sleep(0.005)
    return True


def kill_at_random(
    tasks: dict[str, Task], kills: int, rest_s: float, limit_s: float, dice: random.Random
) -> int:
    """Kill one of the tasks after a random time, start it again, and so on; return how many of
    them ended by themselves instead, or did not come back.

    After a longer silence nobody is killed before something has come: on a busy machine the
    kills alone could keep a server from ever beginning, and a hang would not be told from that.
    """
    pids = {name: fork(task) for name, task in tasks.items()}
    died = 0
    for _ in range(kills):
        time.sleep(dice.uniform(0, rest_s))
        if not comes_back(limit_s / 3):
            break
        name = dice.choice(list(pids))
        died += not find(pids[name]).pid
        note(KILL)
        os.kill(pids[name], signal.SIGKILL)
        os.waitpid(pids[name], 0)
        pids[name] = fork(tasks[name])
    time.sleep(0.5)
    died += not comes_back(limit_s / 3)
    for pid in pids.values():
        died += not find(pid).pid
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return died


def act(ring: str, kills: int, limit_s: float, dice: random.Random, *, over_http: bool) -> Report:
    """Play one act; return what was seen."""
    note(NEWS)
    note(KILL)
    port = free_port()  # and not one of those that the kernel gives to clients: see there
    reader = functools.partial(read_tightly, ring)
    if over_http:
        tasks: dict[str, Task] = {
            "producer": functools.partial(produce, ring),
            "server": functools.partial(serve, ring, port),
            "reader": reader,
        }
        watch, rest_s = functools.partial(observe_stream, port), 0.3
    else:
        writer = functools.partial(write_tightly, ring)
        tasks = {"writer": writer, "reader": reader, "other reader": reader}
        watch, rest_s = functools.partial(observe_ring, ring), 0.06
    with observer(watch) as report:
        died = kill_at_random(tasks, kills, rest_s, limit_s, dice)
    report["died"] = died
    report["semaphore"] = settle(ring)
    return report


def settle(ring: str) -> int:
    """Read once more, as the next user would; return the semaphore's value then."""

    async def read() -> None:
        with RingReader(ring) as reader:
            await reader.read(0)

    trio.run(read)
    semaphore = posix_ipc.Semaphore(semaphore_name(ring))
    try:
        return int(semaphore.value)
    finally:
        semaphore.close()


def main() -> int:
    """Play both acts and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=600)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    dice = random.Random(options.seed)
    print(f"seed {options.seed}")
    good = True
    for over_http in (False, True):
        ring = f"torture_{uuid.uuid4().hex[:8]}"
        limit_s = MAX_RECONNECT_S if over_http else MAX_HANG_S
        try:
            report = act(ring, options.kills // 2, limit_s, dice, over_http=over_http)
        finally:
            remove(ring)
        left = [str(path) for path in Path("/dev/shm").glob(f"*{ring}*")]
        good &= (
            report.get("seen", 0) > options.kills
            and not any(report[key] for key in ("torn", "back", "untold", "died"))
            and report["hang_s"] < limit_s
            and report["semaphore"] == 1
            and not left
        )
        figures = ", ".join(f"{name} {value:g}" for name, value in report.items())
        print(f"{'stream' if over_http else 'ring'}: {options.kills // 2} kills, {figures}", *left)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
