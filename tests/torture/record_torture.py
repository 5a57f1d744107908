"""Producer, server and recorder, killed at random, and whether each sample is in the recorder's file.

    python -m tests.torture.record_torture [--seconds 3600] [--clients 50] [--kills 100]
        [--producer-kills 10] [--server-kills 10] [--outages 2] [--capacity 65536] [--seed N]

All are real processes. The simulator gives 1,000 samples a second, and clients read the stream
(stream_clients.py). A reader of this program's own follows the ring and knows what it ever had
(ring_truth.py). In an outage the recorder stays away for longer than the ring holds, so that there is
something that it must report as missing.

Exit status 0 when each sample of the ring is in the file once with equal bytes, or in a gap that the
file reports; SQLite finds the file sound; and no client missed a sample without a gap.
"""

import argparse
import json
import random
import signal
import sqlite3
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
from tests.torture.killable import Programs
from tests.torture.ring_truth import Comparison, RingTruth, compare
from trio_mpu.errors import RingError
from trio_mpu.ring import RingReader
from trio_mpu.shm.segment import remove

RATE_HZ: Final = 1000
QUIET_S: Final = 2.0  # at the beginning and at the end nobody is killed
MAX_PAUSE_S: Final = 1.0  # of a program that was killed
OUTAGE: Final = 1.3  # of what the ring holds
PATIENCE_S: Final = 30.0  # arbitrary: for programs to begin
REPORT_S: Final = 60.0  # how often the progress is printed
SHOWN: Final = 20  # of the complaints

Seen = dict[str, int]  # what all clients saw together


class Findings(NamedTuple):
    """What was found in the end."""

    status: int  # the recorder's, after SIGTERM
    integrity: str
    compared: Comparison
    file_bytes: int
    seen: Seen


class Torture:
    """One run."""

    def __init__(self, options: argparse.Namespace, ring: str, programs: Programs) -> None:
        self.truth = RingTruth(ring)
        self._options = options
        self._ring = ring
        self._programs = programs
        self._dice = random.Random(options.seed)
        self._begun_s = 0.0

    async def run(self) -> Findings:
        """Let all of them run, kill them, stop them, and look."""
        programs, stop = self._programs, trio.Event()
        programs.start("producer")
        await _until(self._has_ring)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.truth.run, stop)
            programs.start("record")
            programs.start("server")
            await _until(programs.answers)
            # A new file begins with the oldest sample that it finds: here with the ring's first.
            await _until(self._has_rows)
            self._begun_s = time.monotonic()
            command = ("-m", "tests.torture.stream_clients", str(programs.port))
            with killed(python(*command, str(self._options.clients))) as clients:
                await self._kill_all()
                await programs.end("producer", signal.SIGTERM)
                stop.set()
                await trio.sleep(QUIET_S)  # for what is on its way
                clients.send_signal(signal.SIGTERM)
                said, complaints = await trio.to_thread.run_sync(clients.communicate)
            sys.stdout.write(complaints)
            status = await programs.end("record", signal.SIGTERM)
            await programs.end("server", signal.SIGTERM)
        with stored(programs.file) as file:
            compared = compare(self.truth, file)
            return Findings(
                status, file.integrity(), compared, programs.file.stat().st_size, json.loads(said)
            )

    async def _kill_all(self) -> None:
        options = self._options
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._report)
            nursery.start_soon(self._kill, "producer", options.producer_kills, 0)
            nursery.start_soon(self._kill, "server", options.server_kills, 0)
            nursery.start_soon(self._kill, "record", options.kills, options.outages)

    async def _kill(self, name: str, kills: int, outages: int) -> None:
        """Kill a program at random times, and start it again."""
        last_s = self._options.seconds - QUIET_S
        times_s = sorted(self._dice.uniform(QUIET_S, last_s) for _ in range(kills))
        outage_s = OUTAGE * self._options.capacity / RATE_HZ
        # Late ones would go on after the end.
        early = [at for at, time_s in enumerate(times_s) if time_s < last_s - outage_s]
        long = self._dice.sample(early, min(outages, len(early)))
        for at, time_s in enumerate(times_s):
            await trio.sleep(max(0.0, self._begun_s + time_s - time.monotonic()))
            await self._programs.kill(name)
            await trio.sleep(outage_s if at in long else self._dice.uniform(0, MAX_PAUSE_S))
            self._programs.start(name)

    async def _report(self) -> None:
        """Print how far it is, until the time is over; the file is read meanwhile."""
        while (left_s := self._begun_s + self._options.seconds - time.monotonic()) > 0:
            await trio.sleep(min(REPORT_S, left_s))
            with stored(self._programs.file) as file:
                gaps = len(file.gaps())
            past_s = time.monotonic() - self._begun_s
            kills = self._programs.kills
            print(f"{past_s:.0f} s: {self.truth.samples} samples, kills {kills}, {gaps} gaps")
            sys.stdout.flush()

    def _has_ring(self) -> bool:
        try:
            RingReader(self._ring).close()
        except RingError:
            return False
        return True

    def _has_rows(self) -> bool:
        try:
            with stored(self._programs.file) as file:
                return next(file.records(), None) is not None
        except sqlite3.OperationalError:  # the tables are being made
            return False

    def complaints(self, found: Findings) -> list[str]:
        """What is wrong, empty if nothing."""
        seen, options = found.seen, self._options
        head = max(rows.last for rows in self.truth.generations.values())
        checks = {
            f"integrity check: {found.integrity}": found.integrity == "ok",
            f"the recorder ended with status {found.status}": found.status == 0,
            f"the reader of the truth missed {self.truth.missed}": self.truth.missed == 0,
            f"clients saw {seen}": not seen.get("untold") and not seen.get("back"),
            f"a client ends with {seen['last']}, not {head}": seen["last"] == head,
            "there was no outage": bool(found.compared.missing) or not options.outages,
        }
        return [*found.compared.complaints, *(text for text, good in checks.items() if not good)]

    def print(self, found: Findings) -> None:
        """Print the summary."""
        hours = self.truth.samples / RATE_HZ / 3600
        programs, compared = self._programs, found.compared
        rows = {
            "samples in the ring": self.truth.samples,
            "kills": ", ".join(f"{name} {count}" for name, count in programs.kills.items()),
            "samples in the file": compared.rows,
            "missing, and told": compared.missing,
            "gaps told": ", ".join(f"{why} {count}" for why, count in compared.gaps.items()),
            "complaints": len(self.complaints(found)),
            "integrity check": found.integrity,
            "CPU of the recorder": f"{programs.cpu_s['record']:.1f} s",
            "written to the disk": f"{programs.written_bytes['record'] / 1e6:.1f} MB",
            "size of the file": f"{found.file_bytes / 1e6:.1f} MB, "
            f"{found.file_bytes / 1e6 / hours:.0f} MB an hour",
            "clients": f"{self._options.clients}: {found.seen}",
        }
        for name, value in rows.items():
            print(f"{name:22}{value}")


async def _until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(PATIENCE_S):
        while not await trio.to_thread.run_sync(condition):  # noqa: ASYNC110 - processes
            await trio.sleep(0.02)


def main(argv: Sequence[str]) -> int:
    """Run it; print what became of it; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (
        ("seconds", 3600),
        ("clients", 50),
        ("kills", 100),
        ("producer-kills", 10),
        ("server-kills", 10),
        ("outages", 2),
        ("capacity", 65_536),
        ("seed", random.SystemRandom().randrange(10**6)),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args(argv)
    print(f"seed {options.seed}")
    ring = f"torture_{uuid.uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "said.txt"
        try:
            with Programs(
                ring, Path(folder) / "history.db", log, RATE_HZ, options.capacity
            ) as programs:
                torture = Torture(options, ring, programs)
                found = trio.run(torture.run)
            complaints = torture.complaints(found)
        except BaseException:
            print(log.read_text())
            raise
        finally:
            remove(ring)
        if complaints:
            print(log.read_text())
    print(*complaints[:SHOWN], sep="\n", end="\n" if complaints else "")
    torture.print(found)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
