"""What the live page costs the computer that shows it, in a browser without a graphics card.

CPU of all of the browser's processes (utime and stime from /proc) while the page is open, in
headless Chromium that draws in software. `--trees` are project folders whose pages are compared,
such as a work tree of an earlier commit beside this one; their runs alternate. Needs `chromium` on
the path and playwright.
"""

import contextlib
import os
import statistics
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections import defaultdict
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser

from benchmarks.page_rig import SETTLE_S, chromium, opened, system
from benchmarks.table import announce

TICKS_S: Final = os.sysconf("SC_CLK_TCK")
KINDS: Final = {"renderer": "page", "gpu-process": "screen", "utility": "network"}


def _spent_s() -> dict[str, float]:
    """Return the CPU time of the browser's processes so far, by what they do."""
    parents, spent = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            pid = int(folder.name)
            parents[pid] = int(fields[1])
            if "chromium" in command.partition(" ")[0]:
                kind = command.partition("--type=")[2].partition(" ")[0]
                ticks = int(fields[11]) + int(fields[12])
                spent[pid] = KINDS.get(kind, "rest"), ticks / TICKS_S
    total: dict[str, float] = defaultdict(float)
    for pid, (kind, seconds) in spent.items():
        ancestor = pid
        while ancestor > 1 and ancestor != os.getpid():
            ancestor = parents.get(ancestor, 0)
        if ancestor == os.getpid():
            total[kind] += seconds
    return total


def _run(browser: Browser, tree: Path, rate_hz: int, seconds: float) -> dict[str, float]:
    """Return cores used, by what for; and what the page took and painted a second."""
    with system(tree, rate_hz) as url, opened(browser) as page:
        page.page.goto(url)
        time.sleep(SETTLE_S)
        took, before, begun_s = page.received(), _spent_s(), time.monotonic()
        time.sleep(seconds)
        after, lasted_s = _spent_s(), time.monotonic() - begun_s
        samples = (page.received() - took) / lasted_s
    cores = {kind: (after[kind] - before[kind]) / lasted_s for kind in after}
    return {"all": sum(cores.values()), **cores, "samples": samples}


def main() -> None:
    """Print a table, a row for each rate and page."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="a run takes (%(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="of which the median (%(default)s)")
    parser.add_argument("--rates", default="100,1000", help="in Hz (%(default)s)")
    parser.add_argument("--trees", type=Path, nargs="+", default=[Path()], help="(this one)")
    options = parser.parse_args()
    announce("benchmarks.page_cost")
    kinds = (*KINDS.values(), "rest")
    print(f"median of {options.runs} runs of {options.seconds:g} s; % of a core\n")
    print("| page | Hz | all | least to most |", " | ".join(kinds), "| samples/s |")
    print("| --- |", "---: |" * (len(kinds) + 4))
    with chromium() as browser:
        for rate_hz in map(int, options.rates.split(",")):
            runs: dict[Path, list[dict[str, float]]] = defaultdict(list)
            for _ in range(options.runs):
                for tree in options.trees:
                    runs[tree].append(_run(browser, tree, rate_hz, options.seconds))
            for tree, rows in runs.items():
                median = {
                    key: statistics.median([row.get(key, 0.0) for row in rows]) for key in rows[0]
                }
                cells = [f"{median.get(kind, 0.0):.1%}" for kind in kinds]
                span = f"{min(row['all'] for row in rows):.1%} to {max(row['all'] for row in rows):.1%}"
                print(
                    f"| {tree} | {rate_hz:,} | {median['all']:.1%} | {span} |",
                    " | ".join(cells),
                    f"| {median['samples']:,.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
