"""A real browser in front of the real product."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.helpers.programs import PATIENCE_S, System

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM_OPTIONS = (
    "--no-sandbox",  # its sandbox does not start as root, which is what a container runs as
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",  # nothing but the page may ask for anything
    "--disable-component-update",
    "--disable-sync",
)

# A test can't hide a tab, nor wait for minutes; the page is told so instead. Everything else is as in a hidden one.
VISIBILITY = """
let visibility = "visible";
Object.defineProperty(document, "visibilityState", { get: () => visibility });
Object.defineProperty(document, "hidden", { get: () => visibility === "hidden" });
window.setVisibility = (state) => {
  visibility = state;
  document.dispatchEvent(new Event("visibilitychange"));
};
const now = Date.now;
let later_ms = 0;
Date.now = () => now() + later_ms;
window.letTimePass = (seconds) => { later_ms += 1000 * seconds; };
"""


@dataclass
class Visit:
    """One open page and what it did: the addresses it asked for and the complaints of the browser."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def text(self, ident: str) -> str:
        """The text of an element, without waiting for it."""
        return str(self.page.evaluate("(id) => document.getElementById(id).textContent", ident))

    def number(self, ident: str) -> float:
        """The figure in an element; its minus sign is the typographic one. NaN while it shows none."""
        try:
            return float(self.text(ident).replace("\N{MINUS SIGN}", "-").replace(",", ""))
        except ValueError:
            return float("nan")

    def accounts(self) -> dict[str, str]:
        """The ledger's figures, all from one moment."""
        accounts: dict[str, str] = self.page.evaluate(
            "() => ({ ...document.getElementById('accounts').dataset })"
        )
        return accounts

    def hide(self) -> None:
        self.page.evaluate("() => window.setVisibility('hidden')")

    def unhide(self) -> None:
        self.page.evaluate("() => window.setVisibility('visible')")

    def sleep(self, seconds: float) -> None:
        """Be hidden for so long, by the page's clock, and come back."""
        self.hide()
        self.page.evaluate("(seconds) => window.letTimePass(seconds)", seconds)
        self.unhide()

    def histories(self) -> list[str]:
        """The addresses of the past asked for, in order."""
        return [url for url in self.requests if "/history" in url]

    def streams(self) -> list[str]:
        """The addresses of the streams asked for, in order."""
        return [url for url in self.requests if "/events" in url]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, driven by playwright; skipped where either is absent."""
    playwright_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed"
    )
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium on the path")
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM_OPTIONS))
        yield browser
        browser.close()


@pytest.fixture
def idle_system(ring_name: str) -> Iterator[System]:
    """The product with nothing started yet."""
    with System(ring_name) as system:
        yield system


@pytest.fixture
def system(idle_system: System) -> System:
    """The product at 100 Hz, its first sample taken."""
    idle_system.start("producer")
    idle_system.start("server")
    idle_system.wait()
    return idle_system


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Opens the page of a system: visit(system), with playwright's context options (viewport, color_scheme, …)."""
    contexts: list[BrowserContext] = []

    def open_page(
        system: System, *, prepare: Callable[[Page], None] | None = None, **options: object
    ) -> Visit:
        context = browser.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(PATIENCE_S * 1000)
        context.add_init_script(VISIBILITY)
        visit = Visit(context.new_page())
        visit.page.on("request", lambda request: visit.requests.append(request.url))
        visit.page.on(
            "console",
            lambda message: (
                visit.complaints.append(message.text)
                if message.type in {"error", "warning"}
                else None
            ),
        )
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        if prepare is not None:
            prepare(visit.page)
        visit.page.goto(system.url)
        return visit

    yield open_page
    for context in contexts:
        context.close()
