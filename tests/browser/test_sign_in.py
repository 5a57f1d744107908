"""A browser signs in, sees samples, and is sent back to the form when its token is taken out."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("websockets", reason="websockets is not installed")
pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import expect

from tests.helpers.programs import System, eventually
from tests.helpers.tokens import ALICE, BOB

from .scripted import expect_state, wait_for_newer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Visit
    from .firefox import Tab

    Open = Callable[..., Visit]


@pytest.fixture
def guarded(idle_system: System, token_file: Path) -> System:
    """The product at 100 Hz for those in the file."""
    idle_system.headers = {"Authorization": f"Bearer {BOB}"}
    idle_system.start("producer")
    idle_system.start("server", f"--token-file={token_file}")
    idle_system.wait()
    return idle_system


def sign_in(visit: Visit, token: str) -> None:
    """Fill in the form."""
    visit.page.get_by_label("Token").fill(token)
    visit.page.get_by_role("button", name="Sign in").click()


def test_a_browser_signs_in_and_is_sent_back_when_its_token_is_taken_out(
    guarded: System, token_file: Path, visit: Open
) -> None:
    """Samples come; then a banner leads to the form, and the form back to the same view."""
    at = visit(guarded)
    expect(at.page).to_have_url(f"{guarded.url}/sign-in")
    expect(at.page.get_by_label("Token")).to_be_focused()
    at.page.goto(f"{guarded.url}/#span=60")
    expect(at.page).to_have_url(f"{guarded.url}/sign-in#span=60")
    sign_in(at, "wrong")
    expect(at.page.get_by_role("alert")).to_have_text("This token is not valid.")
    sign_in(at, ALICE)
    expect(at.page).to_have_url(f"{guarded.url}/#span=60")
    expect_state(at, "live")
    wait_for_newer(at)
    assert not [text for text in at.complaints if "403" not in text]

    token_file.write_text(f"bob {BOB}\n")
    guarded.processes["server"].send_signal(signal.SIGHUP)
    expect(at.page.locator("#signed-out")).to_be_visible()
    expect_state(at, "offline")
    expect(at.page.locator("#banner")).to_be_hidden()
    at.page.get_by_role("link", name="Sign in again").click()
    expect(at.page).to_have_url(f"{guarded.url}/sign-in#span=60")
    sign_in(at, ALICE)
    expect(at.page.get_by_role("alert")).to_have_text("This token is not valid.")
    sign_in(at, BOB)
    expect(at.page).to_have_url(f"{guarded.url}/#span=60")
    expect_state(at, "live")
    wait_for_newer(at)


def test_a_page_that_is_signed_in_elsewhere_goes_on(
    guarded: System, token_file: Path, visit: Open
) -> None:
    """In another tab of the same browser; signing out there ends no stream, but lets no new one begin."""
    at = visit(guarded)
    sign_in(at, ALICE)
    expect_state(at, "live")
    token_file.write_text(f"bob {BOB}\n")
    guarded.processes["server"].send_signal(signal.SIGHUP)
    expect(at.page.locator("#signed-out")).to_be_visible()
    other = at.page.context.new_page()
    other.goto(f"{guarded.url}/")
    other.get_by_label("Token").fill(BOB)
    other.get_by_role("button", name="Sign in").click()
    expect_state(at, "live")
    expect(at.page.locator("#signed-out")).to_be_hidden()
    other.goto(f"{guarded.url}/sign-in")
    expect(other.locator("strong")).to_have_text("bob")
    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_label("Token")).to_be_visible()
    cookies = at.page.context.cookies()
    assert [cookie["name"] for cookie in cookies if cookie["value"].startswith("bob.")] == []


def test_a_link_of_another_site_leads_to_the_page_without_signing_in_again(
    guarded: System, visit: Open
) -> None:
    """Though the browser sends no cookie with it. Who has none stays at the form."""
    at = visit(guarded)
    link = f'<a href="{guarded.url}/#span=60">the sensor</a>'
    at.page.route(
        "http://elsewhere.example/",
        lambda route: route.fulfill(body=link, content_type="text/html"),
    )
    for signed_in in (False, True):
        if signed_in:
            at.page.goto(f"{guarded.url}/")
            sign_in(at, ALICE)
            expect_state(at, "live")
        at.page.goto("http://elsewhere.example/")
        at.page.get_by_role("link").click()
        expect(at.page).to_have_url(f"{guarded.url}/{'' if signed_in else 'sign-in'}#span=60")
    expect_state(at, "live")


def test_the_sign_in_page_needs_no_script_and_nothing_from_elsewhere(
    guarded: System, visit: Open
) -> None:
    """Under its own policy: no complaint of the browser, and its style is applied."""
    at = visit(guarded, java_script_enabled=False)
    sign_in(at, ALICE)
    expect(at.page).to_have_url(f"{guarded.url}/")
    at = visit(guarded)
    assert at.complaints == []
    assert all(url.startswith(guarded.url) for url in at.requests)
    assert at.evaluate("() => getComputedStyle(document.querySelector('main')).display") == "grid"
    eventually(lambda: at.page.title() == "trio-mpu · sign in", "the title")


def test_firefox_signs_in_and_is_sent_back(guarded: System, token_file: Path, tab: Tab) -> None:
    """It keeps the view on both ways, too."""
    tab.go(f"{guarded.url}/#span=60")
    address = "() => location.href"
    eventually(lambda: tab.evaluate(address) == f"{guarded.url}/sign-in#span=60", "the form")
    fill = "(token) => { document.getElementById('token').value = token; document.forms[0].requestSubmit(); }"
    tab.evaluate(fill, ALICE)
    eventually(lambda: tab.evaluate(address) == f"{guarded.url}/#span=60", "the page")
    eventually(lambda: tab.state() == "live", "the page is live")
    token_file.write_text(f"bob {BOB}\n")
    guarded.processes["server"].send_signal(signal.SIGHUP)
    hidden = "() => document.getElementById('signed-out').hidden"
    eventually(lambda: tab.evaluate(hidden) is False, "the way back")
    tab.evaluate("() => document.getElementById('sign-in').click()")
    eventually(lambda: tab.evaluate(address) == f"{guarded.url}/sign-in#span=60", "the form again")
