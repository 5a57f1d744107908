"""A real browser in front of the real product."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers.programs import PATIENCE_S, System, fresh_ring, running

from .firefox import Firefox, Tab, running_firefox
from .shown import Shown

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
const { get } = Object.getOwnPropertyDescriptor(Document.prototype, "visibilityState");
let visibility = null; // as it is
Object.defineProperty(document, "visibilityState", { get: () => visibility ?? get.call(document) });
Object.defineProperty(document, "hidden", { get: () => document.visibilityState === "hidden" });
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
class Visit(Shown):
    """One open page and what it did: the addresses it asked for and the complaints of the browser."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def evaluate(self, function: str, argument: object = None) -> Any:  # noqa: ANN401 - any JSON
        return self.page.evaluate(function, argument)

    def hide(self) -> None:
        self.page.evaluate("() => window.setVisibility('hidden')")

    def unhide(self) -> None:
        self.page.evaluate("() => window.setVisibility('visible')")

    def sleep(self, seconds: float) -> None:
        """Be hidden for so long, by the page's clock, and come back."""
        self.hide()
        self.page.evaluate("(seconds) => window.letTimePass(seconds)", seconds)
        self.unhide()


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
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=list(CHROMIUM_OPTIONS),
            # What people have, and playwright would do without: pages are kept to go back to.
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """Debian's Firefox, or another one on the path; skipped where there is none."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        pytest.skip("there is no firefox on the path")
    with running_firefox(program, tmp_path_factory.mktemp("firefox")) as firefox:
        yield firefox


@pytest.fixture
def tab(firefox: Firefox) -> Iterator[Tab]:
    """An empty tab of Firefox, in front."""
    tab = firefox.tab()
    yield tab
    firefox.forget(tab)


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


@pytest.fixture(scope="module")
def shared_system() -> Iterator[System]:
    """The product at 100 Hz for all tests of a module that leave it as it is."""
    with fresh_ring() as ring, running(ring) as system:
        yield system


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
