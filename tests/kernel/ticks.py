"""When the emulated chip measured, by the kernel's own trace of its timer.

mpu6050_chip measures whenever a timer of the kernel's expires, whose due times are whole periods
apart to the nanosecond. A virtual machine that does not get the processor comes late, and what
falls due meanwhile is not measured at all: the chip has made a pause. So there is for each sample
the time at which it was made, and the place in the schedule that it takes.
"""

import bisect
import contextlib
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tests.kernel.chips import CHIP
from tests.kernel.units import Units, number
from trio_mpu.record import Record

TRACING: Final = Path("/sys/kernel/tracing")
EVENT: Final = TRACING / "events/timer/hrtimer_start"
# What one expiry takes, as the trace of 6.1 holds it, and something to spare.
BYTES_A_TICK: Final = 64
ANCHORS: Final = 40  # looks at the chip's counter, some of which are between two ticks
NOTED_NS: Final = 20_000  # what may pass until a sample that was counted is noted in the trace


class Tick(NamedTuple):
    """When a sample was made, by CLOCK_MONOTONIC, when it was due, and which number it has."""

    made_ns: int
    due_ns: int
    number: int


class Anchor(NamedTuple):
    """How many samples there were, at some instant between these two."""

    begun_ns: int
    samples: int
    ended_ns: int


class Ticks:
    """What a trace tells. Valid while the chip measures and is not stalled."""

    def __init__(self, trace: str, anchors: Sequence[Anchor], period_ns: int) -> None:
        self.period_ns = period_ns
        made, due = [], [0]  # one that is due is announced when the one before was made
        for line in trace.splitlines():
            head, _, rest = line.partition(" expires=")
            if rest:
                seconds, _, micros = (
                    head.split(": hrtimer_start")[0].rpartition(" ")[2].partition(".")
                )
                made.append(int(seconds) * 10**9 + int(micros) * 1000)
                due.append(int(rest.partition(" ")[0]))
        self._made = made
        first = _first_number(made, anchors)
        self.ticks = [
            Tick(made_ns, due_ns, first + place)
            for place, (made_ns, due_ns) in enumerate(zip(made, due, strict=False))
        ]

    def of(self, record: Record, units: Units) -> Tick:
        """The tick that made this record: of those with its number modulo 1,024 the nearest."""
        near = bisect.bisect(self._made, record.t_ns)
        near = min(max(near, 0), len(self.ticks) - 1)
        away = (number(record, units) - self.ticks[near].number + 512) % 1024 - 512
        return self.ticks[near + away]

    def skipped(self, before: Tick, after: Tick) -> int:
        """How many samples were due between these two and not made."""
        return round((after.due_ns - before.due_ns) / self.period_ns) - (
            after.number - before.number
        )


def _first_number(made: Sequence[int], anchors: Sequence[Anchor]) -> int:
    for begun_ns, samples, ended_ns in reversed(anchors):
        # A tick is noted some 10 µs after its sample was counted.
        last = bisect.bisect(made, begun_ns)
        if last == bisect.bisect(made, ended_ns + NOTED_NS):
            return samples - last
    raise AssertionError("each look at the chip's counter met a tick")


@contextlib.contextmanager
def traced(ticks: int) -> Iterator[None]:
    """Note this many of the chip's ticks at least."""
    if not EVENT.exists():
        subprocess.run(["mount", "-t", "tracefs", "none", str(TRACING)], check=True)
    for line in Path("/proc/kallsyms").read_text().splitlines():
        if line.endswith(" tick\t[mpu6050_chip]"):
            (EVENT / "filter").write_text(f"function == 0x{line.split()[0]}")
    (TRACING / "buffer_size_kb").write_text(str(ticks * BYTES_A_TICK // 1024 + 64))
    (TRACING / "trace_clock").write_text("mono")
    (TRACING / "trace").write_text("")
    (EVENT / "enable").write_text("1")
    try:
        yield
    finally:
        (EVENT / "enable").write_text("0")


def anchors() -> list[Anchor]:
    """Look at the chip's counter some times."""
    found = []
    with Path(f"{CHIP}/samples").open("rb", buffering=0) as file:
        for _ in range(ANCHORS):
            begun_ns = time.monotonic_ns()
            text = os.pread(file.fileno(), 32, 0)
            found.append(Anchor(begun_ns, int(text), time.monotonic_ns()))
            time.sleep(0.0013)
    return found
