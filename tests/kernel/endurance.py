"""The long run: the chip at full rate, and whether a frame is lost, how true the times are, and
what the producer costs.

    .venv/bin/python -m tests.kernel.endurance --seconds 600 --rate 1000

boots the rig's virtual machine, lets the emulated chip measure and a producer of its own process
read it, and prints a table. Fails when a value is not that of the emulator's formula, when a
sequence number or a sample is missing, or when a gap is told other than it was (account.py).

What is compared: the chip's number of each record, from its values, with the kernel's trace of
the chip's timer (ticks.py). `made` is when the timer's handler had made the sample, by the
machine's CLOCK_MONOTONIC, which is the clock of t_ns too; `due` is the timer's own schedule, whole
periods apart, which is exactly what the chip's clock is. A virtual machine that is kept from the
processor skips samples: those are pauses of the chip, not losses. `undisturbed` are the records
in whose last QUIET_S none was skipped.

The processor is emulated, and slower than a real one by a factor that the same loop of Python
tells, in the machine and outside. The share of a processor is printed as it was, and divided by
that factor; and so is what the producer uses on this computer with the chip in software.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import trio

from tests.kernel import machine, native
from tests.kernel.account import Account, account
from tests.kernel.endurance_guest import RECORD
from tests.kernel.speed import loop_s
from tests.kernel.ticks import Anchor, Ticks
from tests.kernel.units import CHIP_UNITS, check_values
from trio_mpu.record import Record

BOOT_S = 300.0  # to boot, to begin, and to carry the trace out
NATIVE_S = 30.0
QUIET_S = 0.1  # arbitrary; an emulated processor is seldom left alone for longer


def _microseconds(values_ns: Sequence[int]) -> str:
    if not values_ns:
        return "there are none"
    off = sorted(abs(value) / 1000 for value in values_ns)
    return (
        f"median {statistics.median(off):.0f} µs, 95 % {off[len(off) * 95 // 100]:.0f} µs, "
        f"99.9 % {off[len(off) * 999 // 1000]:.0f} µs, worst {off[-1]:.0f} µs "
        f"(mean with its sign {statistics.fmean(values_ns) / 1000:+.0f} µs)"
    )


def _undisturbed(records: Sequence[Record], ticks: Ticks, rate_hz: float) -> list[int]:
    """How far from when it was made each record is before which nothing was skipped for a while."""
    late_ns, quiet_from = [], 0
    before = ticks.of(records[0], CHIP_UNITS)
    for place, record in enumerate(records):
        tick = ticks.of(record, CHIP_UNITS)
        if ticks.skipped(before, tick):
            quiet_from = place
        before = tick
        if place - quiet_from > QUIET_S * rate_hz:
            late_ns.append(record.t_ns - tick.made_ns)
    return late_ns


def _report(folder: Path, rate_hz: float, host_loop_s: float) -> Account:
    found = json.loads((folder / "found.json").read_text())
    data = (folder / "records").read_bytes()
    records = [Record(*each) for each in RECORD.iter_unpack(data)]
    looks = [Anchor(*each) for each in found["anchors"]]
    ticks = Ticks((folder / "trace").read_text(), looks, round(1e9 / rate_hz))
    check_values(records, CHIP_UNITS)
    told = account(records, ticks, CHIP_UNITS)
    factor = found["loop_s"] / host_loop_s
    due = told.samples + told.made + told.skipped
    rows = {
        "frames due by the schedule": due,
        "skipped by the emulator": f"{told.skipped} ({told.skipped / due:.2%})",
        "frames made by the chip": told.samples + told.made,
        "delivered": told.samples,
        "lost (made, not delivered)": told.made,
        "told to be lost": f"{told.told} in {sum(1 for gap in told.gaps if gap.told)} gaps",
        "of these pauses of the chip alone": sum(gap.told for gap in told.gaps if not gap.made),
        "gaps told otherwise than made": len(told.told_otherwise(1)),
        "ledger": {name: count for name, count in found["ledger"].items() if count} or "all 0",
        "time off when it was made": _microseconds(told.late_ns),
        "the same, undisturbed": _microseconds(_undisturbed(records, ticks, rate_hz)),
        "time off when it was due": _microseconds(told.off_schedule_ns),
        "producer's share of a core": f"{found['share']:.1%}, emulated",
        "emulation is slower by": f"{factor:.1f} times",
        "share divided by that": f"{found['share'] / factor:.1%}",
    }
    for name, value in rows.items():
        print(f"{name:34} {value}")
    return told


def main(argv: Sequence[str]) -> int:
    """Run, print, and check."""
    parser = argparse.ArgumentParser(prog="endurance")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=float, default=1000)
    options = parser.parse_args(argv)
    try:
        rig = machine.rig()
    except LookupError as missing:
        print(missing, file=sys.stderr)
        return 1
    host_loop_s = loop_s()
    on_host = trio.run(native.run, min(NATIVE_S, options.seconds), options.rate)
    print(f"{'natively, chip in software: share':34} {on_host.share:.1%}")
    print(f"{'  delivered, lost':34} {on_host.records}, {on_host.missing}")
    print(f"{'  time off when it was made':34} {_microseconds(on_host.late_ns)}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        done = machine.run(
            rig,
            options.seconds + BOOT_S,
            folder,
            *("endurance_guest", folder, options.seconds, options.rate),
        )
        if done.returncode:
            print(done.stdout + done.stderr)
            return 1
        found = _report(folder, options.rate, host_loop_s)
    return 1 if found.made or found.told_otherwise(1) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
