"""A live page to measure: a tree's programs, and headless Chromium that shows the page."""

import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from benchmarks.servers import remove_ring
from benchmarks.table import Row

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


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Run the Chromium on the path, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(CHROMIUM_OPTIONS)
        )
        yield browser
        browser.close()


@contextlib.contextmanager
def system(tree: Path, rate_hz: float) -> Iterator[str]:
    """Run a tree's producer and server; give the page's address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ring = f"page_cost_{os.getpid()}"
    programs = [
        ["producer_main.py", "--device", "sim:seed=1", "--rate", f"{rate_hz:g}"],
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


def static(tree: Path) -> Path:
    """Return the folder of a tree's page."""
    return tree / "trio_mpu" / "web" / "static"


def median(runs: list[Row]) -> Row:
    """Return the median of each figure."""
    return {key: statistics.median([row[key] for row in runs]) for key in runs[0]}


class Opened:
    """An open page, and the line to the browser's own instruments."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._line: CDPSession = page.context.new_cdp_session(page)

    def ask(self, method: str, **params: object) -> dict[str, Any]:
        """Give a command of the Chrome DevTools Protocol; return its result."""
        result: dict[str, Any] = self._line.send(method, params)
        return result

    def on(self, event: str, call: Any) -> None:  # noqa: ANN401 - playwright's own type of it
        """Have each event of this name handed to `call`."""
        self._line.on(event, call)

    def wait(self, seconds: float) -> None:
        """Wait, and take events meanwhile."""
        self.page.wait_for_timeout(seconds * 1000)

    def metrics(self) -> dict[str, float]:
        """Return what the browser counts of the page; times in seconds."""
        return {
            each["name"]: each["value"] for each in self.ask("Performance.getMetrics")["metrics"]
        }

    def received(self) -> int:
        """Return how many samples have come, by the page's own account."""
        account = "Number(document.getElementById('accounts').dataset.received)"
        return int(self.page.evaluate(account))

    def bring_into_view(self, ident: str) -> None:
        """Scroll to a part of the page."""
        self.page.evaluate("(id) => document.getElementById(id).scrollIntoView()", ident)


@contextlib.contextmanager
def opened(browser: Browser) -> Iterator[Opened]:
    """Give an empty page of a user who has never been there, in a laptop's window."""
    with browser.new_context(viewport=WINDOW) as context:  # type: ignore[arg-type]
        page = Opened(context.new_page())
        page.ask("Performance.enable")
        page.ask("Network.enable")
        yield page
