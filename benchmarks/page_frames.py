"""How smoothly the live page runs, what it takes from the network, and what it keeps in memory.

In headless Chromium without a graphics card; a slower computer is imitated by Chromium's own CPU
throttling. `page_cost` is about the CPU of all of the browser's processes, `page_load` about the page's files. Needs `chromium` on the
path and playwright.
"""

import statistics
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser

from benchmarks.page_rig import SETTLE_S, Opened, chromium, median, opened, static, system
from benchmarks.table import Row, announce, number, show

THROTTLES: Final = (1, 4, 6)
RATES_HZ: Final = (10, 100, 1000)
FULL_HZ: Final = 1000
# What is brought into view by its id, and the setting that opens it: what is out of sight is not painted.
PARTS: Final = {
    "plots": ("acceleration", ""),
    "spectrum": ("spectrum", "#spectrum=1"),
    "waterfall": ("waterfall", "#waterfall=1"),
}

WATCH_FRAMES: Final = """
window.frames_ms = [];
window.long_ms = [];
let before_ms = NaN;
const note = (now_ms) => {
  if (now_ms > before_ms) frames_ms.push(now_ms - before_ms);
  before_ms = now_ms;
  requestAnimationFrame(note);
};
requestAnimationFrame(note);
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) long_ms.push(duration);
}).observe({ entryTypes: ["longtask"] });
"""


# -- frames ---------------------------------------------------------------------------------------


def frames(browser: Browser, options: Namespace) -> None:
    """Print how evenly frames come at FULL_HZ, on a fast computer and on slower ones."""
    index = (static(options.tree) / "index.html").read_text()
    rows = {
        f"{part}, CPU / {throttle}": median(
            [_frames(browser, options, (ident, setting), throttle) for _ in range(options.runs)]
        )
        for part, (ident, setting) in PARTS.items()
        if f'id="{ident}"' in index
        for throttle in THROTTLES
    }
    _heading(f"Frames at {FULL_HZ:,} Hz", options)
    show(
        rows,
        ("frame, ms", number("median")),
        ("p95", number("p95")),
        ("worst", number("worst", ".0f")),
        ("long tasks a minute", number("long", ".0f")),
        ("of them the longest, ms", number("longest", ".0f")),
        ("main thread busy", number("busy", ".0%")),
        ("of it in scripts", number("script", ".0%")),
        ("samples/s", number("samples", ",.0f")),
    )


def _frames(browser: Browser, options: Namespace, part: tuple[str, str], throttle: int) -> Row:
    ident, setting = part
    with system(options.tree, FULL_HZ) as url, opened(browser) as page:
        page.page.goto(url + setting)
        page.wait(SETTLE_S / 2)
        page.bring_into_view(ident)
        page.ask("Emulation.setCPUThrottlingRate", rate=throttle)
        page.wait(SETTLE_S)
        page.page.evaluate(WATCH_FRAMES)
        before, took, begun_s = page.metrics(), page.received(), time.monotonic()
        page.wait(options.seconds)
        after, received, lasted_s = page.metrics(), page.received(), time.monotonic() - begun_s
        deltas_ms, long_ms = page.page.evaluate("() => [frames_ms, long_ms]")
    return {
        "median": statistics.median(deltas_ms),
        "p95": statistics.quantiles(deltas_ms, n=20)[-1],
        "worst": max(deltas_ms),
        "long": len(long_ms) / lasted_s * 60,
        "longest": max(long_ms, default=float("nan")),
        "busy": (after["TaskDuration"] - before["TaskDuration"]) / lasted_s,
        "script": (after["ScriptDuration"] - before["ScriptDuration"]) / lasted_s,
        "samples": (received - took) / lasted_s,
    }


# -- the network ----------------------------------------------------------------------------------


def traffic(browser: Browser, options: Namespace) -> None:
    """Print what an open page receives a second, at each rate of samples."""
    rows = {
        f"{rate_hz:,} Hz": median(
            [_traffic(browser, options, rate_hz) for _ in range(options.runs)]
        )
        for rate_hz in RATES_HZ
    }
    _heading("Received by an open page", options)
    show(
        rows,
        ("kB/s", number("bytes", ",.1f", 1e-3)),
        ("samples/s", number("samples", ",.0f")),
    )


def _traffic(browser: Browser, options: Namespace, rate_hz: float) -> Row:
    with system(options.tree, rate_hz) as url, opened(browser) as page:
        received = _counted(page, "Network.dataReceived", "encodedDataLength")
        page.page.goto(url)
        page.wait(SETTLE_S / 2)
        before, took, begun_s = received(), page.received(), time.monotonic()
        page.wait(options.seconds)
        lasted_s = time.monotonic() - begun_s
        return {
            "bytes": (received() - before) / lasted_s,
            "samples": (page.received() - took) / lasted_s,
        }


def _counted(page: Opened, event: str, size: str) -> Callable[[], int]:
    """Add up a number of an event from now on; return what gives the sum."""
    total = 0

    def add(params: dict[str, Any]) -> None:
        nonlocal total
        total += params[size]

    page.on(event, add)
    return lambda: total


# -- memory ---------------------------------------------------------------------------------------


def memory(browser: Browser, options: Namespace) -> None:
    """Print what the page keeps in memory once it has settled and after some minutes, at FULL_HZ."""
    with system(options.tree, FULL_HZ) as url, opened(browser) as page:
        page.page.goto(url)
        page.wait(SETTLE_S)
        rows = {"at the start": _kept(page)}
        page.wait(options.minutes * 60)
        rows[f"after {options.minutes:g} min"] = _kept(page)
    print(f"\nMemory at {FULL_HZ:,} Hz, garbage collected\n")
    show(
        rows,
        ("objects, MB", number("objects", ".2f", 1e-6)),
        ("arrays, MB", number("arrays", ".2f", 1e-6)),
        ("nodes", number("nodes", ".0f")),
        ("listeners", number("listeners", ".0f")),
    )


def _kept(page: Opened) -> Row:
    page.ask("HeapProfiler.collectGarbage")
    heap, counted = page.ask("Runtime.getHeapUsage"), page.metrics()
    return {
        "objects": heap["usedSize"],
        "arrays": heap["backingStorageSize"],
        "nodes": counted["Nodes"],
        "listeners": counted["JSEventListeners"],
    }


# -- all of it ------------------------------------------------------------------------------------

TABLES: Final[dict[str, Callable[[Browser, Namespace], None]]] = {
    "traffic": traffic,
    "frames": frames,
    "memory": memory,
}


def _heading(text: str, options: Namespace) -> None:
    print(f"\n{text}; median of {options.runs} runs of {options.seconds:g} s\n", flush=True)


def _some(text: str) -> list[str]:
    if unknown := set(text.split(",")) - set(TABLES):
        raise ArgumentTypeError(f"{', '.join(unknown)}: there are {', '.join(TABLES)}")
    return text.split(",")


def main() -> None:
    """Print the tables."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="a run takes (%(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="of which the median (%(default)s)")
    parser.add_argument("--minutes", type=float, default=10, help="of the memory (%(default)s)")
    parser.add_argument("--tables", type=_some, default=list(TABLES), help=",".join(TABLES))
    parser.add_argument("--tree", type=Path, default=Path(), help="project folder (this one)")
    options = parser.parse_args()
    announce("benchmarks.page_frames")
    with chromium() as browser:
        for name in options.tables:
            TABLES[name](browser, options)


if __name__ == "__main__":
    main()
