"""How accurate the attitude is, and what it costs.

Accuracy: root mean square error of the inclination on trials of the BROAD benchmark, in which the
sensor moves and optical motion capture says how (benchmarks/broad.py says where they are). Cost: CPU
time a sample, one by one, as the producer does it; and the CPU and the memory of a producer of the
simulator, with the attitude and without.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.broad import ROOT, Trial, folder, rms
from benchmarks.table import announce

RING: Final = f"attitude_{os.getpid()}"
SHM: Final = Path("/dev/shm")  # noqa: S108 - where rings are
WARM_UP_S: Final = 3.0
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def _print_trials() -> None:
    print(f"{'trial':<40}{'RMSE':>8}{'p95':>8}{'µs/sample':>12}")
    accuracies, costs = [], []
    for path in sorted(folder().glob("*.npz")):
        trial = Trial.of(path)
        tracker, add_s = trial.tracker(), time.process_time()
        tracked = [tracker.add(sample) for sample in trial.samples]
        cost_us = (time.process_time() - add_s) / len(tracked) * 1e6
        errors = trial.errors(np.array([each[10:14] for each in tracked], dtype=np.float32))
        accuracies.append(rms(errors))
        costs.append(cost_us)
        print(
            f"{trial.name:<40}{rms(errors):>7.2f}°{np.percentile(errors, 95):>7.2f}°{cost_us:>12.2f}"
        )
    print(f"{'mean':<40}{statistics.mean(accuracies):>7.2f}°{'':>8}{statistics.mean(costs):>12.2f}")


def _cost(attitude: str, rate_hz: float, seconds: float) -> tuple[float, float]:
    """Return a producer's share of a core, and its resident memory in MB."""
    command = [sys.executable, "-m", "trio_mpu", "producer", "--device", "sim"]
    options = ["--ring", RING, "--rate", f"{rate_hz:g}", "--attitude", attitude]
    producer = subprocess.Popen([*command, *options], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        time.sleep(WARM_UP_S)
        begun, begun_s = _cpu_s(producer.pid), time.monotonic()
        time.sleep(seconds)
        share = (_cpu_s(producer.pid) - begun) / (time.monotonic() - begun_s)
        pages = int(Path(f"/proc/{producer.pid}/statm").read_text().split()[1])
    finally:
        producer.terminate()
        producer.wait()
        for name in (RING, f"sem.{RING}_sem"):
            (SHM / name).unlink(missing_ok=True)
    return share, pages * _PAGE_BYTES / 1e6


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of each run (%(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="medians are shown (%(default)s)")
    parser.add_argument("--rates", type=float, nargs="+", default=[100, 1000], help="in Hz")
    options = parser.parse_args()
    announce("benchmarks.attitude")
    try:
        _print_trials()
    except LookupError as missing:
        print(missing)
    print(f"\n{'producer':<12}{'attitude':<10}{'CPU':>8}{'MB':>8}")
    for rate_hz in options.rates:
        for attitude in ("off", "on"):
            runs = [_cost(attitude, rate_hz, options.seconds) for _ in range(options.runs)]
            cpu, memory = (statistics.median(column) for column in zip(*runs, strict=True))
            print(f"{rate_hz:<9g} Hz {attitude:<10}{cpu:>8.2%}{memory:>8.1f}")


if __name__ == "__main__":
    main()
