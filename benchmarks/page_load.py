"""How large the live page is, and how soon it shows the first figure.

In headless Chromium without a graphics card. Needs `chromium` on the path and playwright.
"""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser

from benchmarks.page_rig import SETTLE_S, Opened, chromium, median, opened, static, system
from benchmarks.table import Row, announce, number, show

ADDED_MS: Final = (0, 5, 20)  # of a wire, a good and a bad wireless network
PATIENCE_S: Final = 30.0

WATCH_FIRST: Final = """
const watch = new MutationObserver(() => {
  if (!/[0-9]/.test(document.getElementById("value-ax")?.textContent ?? "")) return;
  window.first_ms = performance.now();
  watch.disconnect();
});
watch.observe(document, { childList: true, characterData: true, subtree: true });
"""


def weight(browser: Browser, options: Namespace) -> None:
    """Print how large the page is, as files and on the way to a browser that has none of them."""
    with system(options.tree, 100) as url, opened(browser) as page:
        urls: dict[str, str] = {}
        sizes: dict[str, int] = {}
        page.on(
            "Network.requestWillBeSent",
            lambda e: urls.update({e["requestId"]: e["request"]["url"]}),
        )
        page.on(
            "Network.loadingFinished",
            lambda e: sizes.update({e["requestId"]: e["encodedDataLength"]}),
        )
        page.page.goto(url)
        page.wait(SETTLE_S / 2)
    files = [key for key, address in urls.items() if address == url or "/static/" in address]
    files_here = (path for path in static(options.tree).rglob("*") if path.is_file())
    disk = sum(path.stat().st_size for path in files_here)
    row = {
        "requests": float(len(files)),
        "disk": float(disk),
        "wire": float(sum(sizes.get(key, 0) for key in files)),
    }
    print("\nThe page's files; on the way with the heads of the answers\n")
    show(
        {"page": row},
        ("requests", number("requests", ".0f")),
        ("kB on the disk", number("disk", ".1f", 1e-3)),
        ("kB on the way", number("wire", ".1f", 1e-3)),
    )


def first(browser: Browser, options: Namespace) -> None:
    """Print how soon after the navigation the first figure is there."""
    rows: dict[str, Row] = {}
    with system(options.tree, 100) as url:
        for added_ms in ADDED_MS:
            runs = [_first(browser, url, added_ms) for _ in range(options.runs)]
            rows[f"+ {added_ms} ms a request"] = median(runs)
    print(
        "\nFrom the navigation to the first figure on screen, ms; the browser delays each request\n"
    )
    show(rows, ("first visit", number("cold", ".0f")), ("again", number("warm", ".0f")))


def _first(browser: Browser, url: str, added_ms: float) -> Row:
    with opened(browser) as page:
        page.page.add_init_script(WATCH_FIRST)
        slow = {"latency": added_ms, "downloadThroughput": -1, "uploadThroughput": -1}
        page.ask("Network.emulateNetworkConditions", offline=False, **slow)
        return {"cold": _first_ms(page, url), "warm": _first_ms(page, url)}


def _first_ms(page: Opened, url: str) -> float:
    page.page.goto(url)
    page.page.wait_for_function("() => window.first_ms", timeout=PATIENCE_S * 1000)
    first_ms = float(page.page.evaluate("() => window.first_ms"))
    page.page.goto("about:blank")
    return first_ms


def main() -> None:
    """Print the tables."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9, help="of which the median (%(default)s)")
    parser.add_argument("--tree", type=Path, default=Path(), help="project folder (this one)")
    options = parser.parse_args()
    announce("benchmarks.page_load")
    with chromium() as browser:
        weight(browser, options)
        first(browser, options)


if __name__ == "__main__":
    main()
