"""What the programs survive: a neighbour that writes into the ring, being stopped, hanging."""

import contextlib
import json
import os
import random
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
import trio

from tests.helpers.http_client import Client
from tests.helpers.metrics import metrics_of
from tests.helpers.programs import (
    PATIENCE_S,
    SHM,
    eventually,
    get,
    programs,
    running,
    workers,
)
from tests.helpers.recordings import as_csv
from tests.system.test_start_record import said, started, stop
from trio_mpu.record import Record
from trio_mpu.sample import AXES
from trio_mpu.supervisor.program import BEAT_S, HANG_S

COUNT: Final = 1024  # samples of the recording
PERIOD_NS: Final = 5_000_000
# Hangs when it gets SIGUSR1: the event loop does not run any more.
HANGING: Final = """
import signal

def hang(*_):
    while True:
        pass

signal.signal(signal.SIGUSR1, hang)
"""


def strict(text: str) -> dict[str, Any]:
    """Parse JSON as the standard has it: without NaN and Infinity."""

    def refuse(word: str) -> None:
        raise AssertionError(word)

    parsed: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return parsed


# -- what another program does to the files ------------------------------------------------


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Samples by which each can be told from any other, and from what is none."""
    path = tmp_path / "known.csv"
    known = [
        Record(n + 1, 10**9 + n * PERIOD_NS, 10**18 + n * PERIOD_NS, *values(n), flags=0, lost=0)
        for n in range(COUNT)
    ]
    path.write_text(as_csv(known))
    return path


def values(n: int) -> tuple[float, float, float, float, float, float, float]:
    """The values of one of them."""
    return (n % 16, -(n % 16), n // 64, n, -n, n / 2, 25.0)


def is_true(sample: dict[str, Any]) -> bool:
    """Whether it is one of the recording's."""
    found = tuple(sample[axis] for axis in AXES)
    return found == values(round(sample["gx"]))


class Watcher:
    """A client of the stream that believes nothing."""

    def __init__(self) -> None:
        self.samples = 0
        self.gaps: list[dict[str, Any]] = []
        self._last = (0, 0)

    async def run(self, port: int) -> None:
        """Read the stream, which must not end."""
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            client = Client(stream)
            await client.open_events()
            while True:
                event = await client.event()
                sample = strict(event.data)
                if event.id:
                    self._take(event.id, sample)

    def _take(self, event_id: str, sample: dict[str, Any]) -> None:
        assert is_true(sample["sample"]), sample
        generation, seq = int(event_id.partition("-")[0], 16), int(event_id.partition("-")[2])
        if self._last[0] and "gap" not in sample:
            assert (generation, seq) == (self._last[0], self._last[1] + 1)
        if "gap" in sample:
            self.gaps.append(sample["gap"])
            assert generation != self._last[0] or seq > self._last[1]
        self._last = generation, seq
        self.samples += 1


async def test_random_bytes_in_the_ring_are_gaps_and_never_samples(
    ring_name: str, recording: Path
) -> None:
    """Anywhere, every 50 ms: the programs live on, and their client gets what was measured, and is
    told what is missing."""
    dice = random.Random(1)
    watcher = Watcher()
    with running(ring_name, device=f"replay:{recording},loop", rate=200) as system:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watcher.run, system.port)
            with trio.move_on_after(15):
                while True:
                    await trio.sleep(0.05)
                    _scribble(ring_name, dice)
            reached = watcher.samples
            with trio.fail_after(PATIENCE_S):
                while watcher.samples < reached + 400:  # noqa: ASYNC110 - it knows no event
                    await trio.sleep(0.05)
            system.wait()
            nursery.cancel_scope.cancel()
        numbers = metrics_of(system.get("/metrics")[1])
        for process in system.processes.values():
            assert process.poll() is None
    assert len(watcher.gaps) > 10
    assert numbers["ring_damaged_total"] + numbers["samples_damaged_total"] > 5
    assert numbers["rings_opened_total"] > 3


def _scribble(ring: str, dice: random.Random) -> None:
    with contextlib.suppress(FileNotFoundError), (SHM / ring).open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        if not size:  # it is just being made
            return
        newest = int.from_bytes(os.pread(file.fileno(), 8, 32), "little") % 65536
        where = dice.choice(
            [
                dice.randrange(1024),
                dice.randrange(size),
                1024 + 96 * newest + dice.randrange(96),
                32,
            ]
        )
        file.seek(where)
        file.write(dice.randbytes(min(size - where, dice.randrange(1, 64))))


@pytest.mark.parametrize("size", [0, 500, 5000])
async def test_a_ring_that_is_cut_short_while_it_is_used_is_made_anew(
    ring_name: str, tmp_path: Path, size: int
) -> None:
    """Even if that kills a program (SIGBUS), which is said: clients go on, in the new ring."""
    with started(ring_name, tmp_path, "--rate=1000") as (script, url):
        for _ in range(3):
            before = generation_of(url)
            os.truncate(SHM / ring_name, size)
            eventually(partial(is_other_ring, url, before), "no new ring")
            eventually(lambda: get(url + "/healthz")[0] == 200, "no samples")
        stop(script)
    text = said(tmp_path).read_text()
    assert "Traceback" not in text
    assert "cut to" in text or "SIGBUS" in text


def is_other_ring(url: str, before: str) -> bool:
    """Whether there is one, and not that of before."""
    return generation_of(url) not in ("", before)


def generation_of(url: str) -> str:
    """The ring that is served; empty while there is none."""
    status, text = get(url + "/json")
    return str(json.loads(text)["id"]).partition("-")[0] if status == 200 else ""


# -- stopped, and hanging -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["producer", "server", "record", "all"])
def test_a_program_that_is_stopped_for_long_goes_on_and_says_what_is_missing(
    ring_name: str, tmp_path: Path, name: str
) -> None:
    """Nobody is killed for it, nobody spins, and the ledger has what was not measured."""
    with started(ring_name, tmp_path, "--store=history.db", "--rate=100") as (script, url):
        eventually(lambda: "record" in programs(ring_name), "no recorder")
        pids = programs(ring_name)
        stopped = [script.pid, *pids.values()] if name == "all" else [pids[name]]
        time.sleep(1)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        used_s = sum(map(cpu_s, pids.values()))
        time.sleep(HANG_S + 3 * BEAT_S)
        for pid in reversed(stopped):
            os.kill(pid, signal.SIGCONT)
        time.sleep(2 * BEAT_S)
        assert programs(ring_name) == pids
        assert sum(map(cpu_s, pids.values())) - used_s < 8
        eventually(lambda: get(url + "/healthz")[0] == 200, "no samples")
        ledger = strict(get(url + "/json?verbose=1")[1])["ledger"]
        if name in ("producer", "all"):
            assert ledger["ticks_lost"] > 1000
        else:
            assert ledger["ticks_lost"] < 100
            assert ledger["lapped_lost"] == 0
        stop(script)
    text = said(tmp_path).read_text()
    assert "killing" not in text
    assert "Traceback" not in text


def cpu_s(pid: int) -> float:
    """How much time of a processor a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_whatever_hangs_is_killed_and_started_again(ring_name: str, tmp_path: Path) -> None:
    """Producer, recorder, and a worker of which the other one goes on serving."""
    (tmp_path / "hanging").mkdir()
    (tmp_path / "hanging" / "sitecustomize.py").write_text(HANGING)
    environ = {"PYTHONPATH": str(tmp_path / "hanging")}
    options = ("--workers=2", "--store=history.db")
    with started(ring_name, tmp_path, *options, environ=environ) as (script, url):
        eventually(lambda: "record" in programs(ring_name), "no recorder")
        eventually(lambda: '"workers_up":2' in get(url + "/healthz")[1], "no workers")
        before, served = programs(ring_name), workers(ring_name)
        for pid in (before["producer"], before["record"], served[0]):
            os.kill(pid, signal.SIGUSR1)
        begun_s = time.monotonic()
        eventually(lambda: workers(ring_name).get(0, served[0]) != served[0], "it still hangs")
        assert time.monotonic() - begun_s > HANG_S / 2  # a beat of before may have come late
        eventually(lambda: get(url + "/healthz")[0] == 200, "no samples")
        eventually(lambda: '"workers_up":2' in get(url + "/healthz")[1], "it is not back")
        after = programs(ring_name)
        assert (after["server"], workers(ring_name)[1]) == (before["server"], served[1])
        assert before["producer"] != after["producer"]
        assert before["record"] != after["record"]
        numbers = metrics_of(get(url + "/metrics")[1])
        assert numbers["worker_restarts_total"] == 1
        stop(script)
    text = said(tmp_path).read_text()
    for name in ("producer", "record", "worker 0"):
        assert text.count(f"{name} has shown no sign of life for 10 s: killing it") == 1
    assert "worker 1 has" not in text
    assert "server has" not in text
