"""What the live page costs the computer that shows it, in a browser without a graphics card.

CPU of all of the browser's processes (utime and stime from /proc) while the page is open, in
headless Chromium that draws in software. `--trees` are project folders whose pages are compared,
such as a work tree of an earlier commit beside this one; their runs alternate. Needs `chromium` on
the path and playwright.
"""

import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from benchmarks.servers import remove_ring
from benchmarks.table import announce

CHROMIUM_OPTIONS: Final = (
    "--no-sandbox",  # its sandbox does not start as root
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WINDOW: Final = {"width": 1366, "height": 768}  # a laptop's
SETTLE_S: Final = 12.0  # the charts' window and some more: from then on each frame costs the same
TICKS_S: Final = os.sysconf("SC_CLK_TCK")
KINDS: Final = {"renderer": "page", "gpu-process": "screen", "utility": "network"}


@contextlib.contextmanager
def _system(tree: Path, rate_hz: int) -> Iterator[str]:
    """Run a tree's producer and server; give the page's address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ring = f"page_cost_{os.getpid()}"
    programs = [
        ["producer_main.py", "--device", "sim:seed=1", "--rate", str(rate_hz)],
        ["server_main.py", "--host", "127.0.0.1", "--port", str(port)],
    ]
    with contextlib.ExitStack() as stack:
        stack.callback(remove_ring, ring)
        for name, *options in programs:
            command = [sys.executable, name, "--ring", ring, "--log-level", "error", *options]
            process = stack.enter_context(subprocess.Popen(command, cwd=tree))
            stack.callback(process.terminate)
        for _ in range(1000):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}/"


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
    with _system(tree, rate_hz) as url, browser.new_context(viewport=WINDOW) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(url)
        time.sleep(SETTLE_S)
        received = "Number(document.getElementById('accounts').dataset.received)"
        took, before, begun_s = page.evaluate(received), _spent_s(), time.monotonic()
        time.sleep(seconds)
        after, lasted_s = _spent_s(), time.monotonic() - begun_s
        samples = (page.evaluate(received) - took) / lasted_s
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
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(CHROMIUM_OPTIONS)
        )
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
        browser.close()


if __name__ == "__main__":
    main()
