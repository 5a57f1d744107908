"""The producer's period: how far each reading is from its place on a perfect grid.

The readings' own times (t_ns) over a run, from /history. "drift" is the measured rate against
the nominal one; "off the grid" is the distance of a reading from where a clock without drift,
set by the median of all, would have put it; "step" is the time between neighbours against the
period. Readings that the producer missed are counted, and leave holes in the grid, not shifts.
"""

import csv
import io
import itertools
import statistics
import time
import urllib.request
from argparse import ArgumentTypeError

from benchmarks.servers import Feed, serving
from benchmarks.table import Row, announce, heading, number, options_of, rounds, show

WARM_UP_S = 1.0


def rates(text: str) -> str:
    """Check the rates of "100,1000"."""
    try:
        list(map(float, text.split(",")))
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not HZ,…") from error
    return text


def readings(rate_hz: float, seconds: float) -> list[tuple[int, int]]:
    """Return each reading's time in ns, and how many are missing right before it."""
    with serving("ours", Feed(rate_hz, capacity=2**20)) as server:
        time.sleep(WARM_UP_S + seconds)
        url = f"http://127.0.0.1:{server.port}/history?format=csv&seconds={seconds}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            rows = csv.DictReader(io.TextIOWrapper(answer, "utf-8"))
            return [(int(row["t_ns"]), int(row["lost"])) for row in rows]


def measure(name: str, seconds: float) -> Row:
    """Run the producer at one rate."""
    period_ns = 1e9 / float(name)
    places, times, missed = [], [], 0
    for index, (t_ns, lost) in enumerate(readings(float(name), seconds)):
        missed += lost if index else 0
        places.append(index + missed)
        times.append(t_ns)
    offsets = [t_ns - place * period_ns for t_ns, place in zip(times, places, strict=True)]
    middle = statistics.median(offsets)
    off_us = sorted(abs(offset - middle) / 1e3 for offset in offsets)
    half = len(offsets) // 2
    shift_ns = statistics.median(offsets[half:]) - statistics.median(offsets[:half])
    steps_us = [
        abs(after - before - (there - here) * period_ns) / 1e3
        for (before, here), (after, there) in itertools.pairwise(zip(times, places, strict=True))
    ]
    return {
        "readings": len(times),
        "missed": missed,
        "drift_ppm": shift_ns / (half * period_ns) * 1e6,
        "off_us": statistics.median(off_us),
        "off_p99_us": off_us[int(len(off_us) * 0.99)],
        "off_max_us": off_us[-1],
        "step_us": statistics.median(steps_us),
    }


def main() -> None:
    """Print the table, a row for each rate."""
    parser = options_of(__doc__, seconds=10, servers=("ours",))
    parser.add_argument("--rates", type=rates, default="100,1000", help="(%(default)s Hz)")
    options = parser.parse_args()
    announce("benchmarks.jitter")
    options.servers = options.rates.split(",")
    heading("the producer's period; a row for each rate in Hz", options)
    show(
        rounds(options, lambda name: measure(name, options.seconds)),
        ("readings", number("readings", ",.0f")),
        ("missed", number("missed", ".0f")),
        ("drift ppm", number("drift_ppm", ".1f")),
        ("off the grid, median µs", number("off_us", ".1f")),
        ("p99 µs", number("off_p99_us", ".1f")),
        ("worst µs", number("off_max_us", ".0f")),
        ("step, median µs", number("step_us", ".1f")),
    )


if __name__ == "__main__":
    main()
