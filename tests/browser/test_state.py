"""The page says what is wrong and what to do about it, and holds nothing that others need."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
from typing import TYPE_CHECKING

import pytest
import requests

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Page, Route, expect

from tests.helpers.programs import PATIENCE_S, System, eventually, get

from .conftest import CHROMIUM_OPTIONS
from .scripted import assert_balanced, expect_state, wait_for_newer

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser

    from .conftest import Visit

    Open = Callable[..., Visit]

CONNECTIONS = 6  # that a browser opens to one server


def expect_banner(visit: Visit, words: str) -> None:
    expect(visit.page.locator("#banner")).to_be_visible()
    expect(visit.page.locator("#banner")).to_contain_text(words)


def expect_no_banner(visit: Visit) -> None:
    expect(visit.page.locator("#banner")).to_be_hidden()


# -- what to do ------------------------------------------------------------------------------------------------------


def test_each_trouble_with_the_sensor_has_its_banner(idle_system: System, visit: Open) -> None:
    """No sample yet, a sensor that falls silent, a producer that ends: each says what to do, and goes
    when it is over."""
    idle_system.start("server")
    eventually(lambda: get(idle_system.url + "/json")[0] == 503, "the server answers")
    page = visit(idle_system)
    expect_banner(page, "No sample has come yet")
    idle_system.start("producer")
    expect_state(page, "live")
    expect_no_banner(page)
    producer = idle_system.processes["producer"]
    producer.send_signal(signal.SIGSTOP)
    expect_banner(page, "check its wires and its power")
    producer.send_signal(signal.SIGCONT)
    expect_no_banner(page)
    idle_system.kill("producer", signal.SIGTERM)
    expect_banner(page, "start it again with ./start.sh")
    idle_system.start("producer")
    expect_no_banner(page)


def test_a_server_that_does_not_answer_has_a_banner(system: System, visit: Open) -> None:
    """Hanging or gone: look at the board. When it is there again the page goes on without a loss."""
    page = visit(system)
    expect_state(page, "live")
    server = system.processes["server"]
    server.send_signal(signal.SIGSTOP)
    expect_banner(page, "Check that the board has power")
    server.send_signal(signal.SIGCONT)
    expect_no_banner(page)
    system.kill("server")
    expect_banner(page, "Check that the board has power")
    system.start("server")
    expect_state(page, "live")
    expect_no_banner(page)
    wait_for_newer(page)
    assert_balanced(page)


def test_a_full_server_has_a_banner(system: System, visit: Open) -> None:
    """Others took the place of a page that was hidden: it says so, when it tries again, and gets in later."""
    page = visit(system)
    expect_state(page, "live")
    page.hide()
    system.kill("server", signal.SIGTERM)
    system.start("server", "--max-clients", "1")
    system.wait()
    with contextlib.ExitStack() as stack:

        def takes_the_place() -> bool:
            answer = requests.get(f"{system.url}/events", stream=True, timeout=PATIENCE_S)
            if answer.status_code == 200:
                stack.callback(answer.close)
            else:
                answer.close()
            return answer.status_code == 200

        eventually(takes_the_place, "another client has the only place")
        page.unhide()
        expect_banner(page, "The server takes no more clients")
        expect(page.page.locator("#connection-reason")).to_have_text(
            "1 clients are connected already"
        )
        expect(page.page.locator("#retry")).to_contain_text("next attempt in")
    expect_state(page, "live")
    expect_no_banner(page)


def test_too_many_windows_have_a_banner(system: System, visit: Open) -> None:
    """Six windows hold all connections of the browser: the seventh says so, and goes on when one is closed."""
    page = visit(system)
    expect_state(page, "live")
    page.hide()
    others = [page.page.context.new_page() for _ in range(CONNECTIONS)]
    for other in others:
        other.goto(system.url)
        expect(other.locator("#connection")).to_have_attribute("data-state", "live")
    page.unhide()
    expect_banner(page, "Six windows of this browser show this page")
    others.pop().close()
    expect_state(page, "live")
    expect_no_banner(page)


def test_a_wrong_clock_has_a_banner(system: System, visit: Open) -> None:
    """A board whose clock is behind the browser's says so; a minute and less is nothing."""
    page = visit(system)
    expect_state(page, "live")
    expect(page.page.locator("#latency")).to_contain_text("ms")
    expect_no_banner(page)
    page.page.evaluate("() => window.letTimePass(180)")
    expect_banner(page, "The board's clock is 3 min behind this computer's")


# -- what is measured, and how late it comes ---------------------------------------------------------------------------


def test_the_state_of_device_and_stream_is_told(system: System, visit: Open) -> None:
    """Rate, latency with its error, losses and source are there without asking."""
    page = visit(system)
    expect(page.page.locator("#rates")).to_have_text(
        re.compile(r"^100 Hz asked, (9[89]|10[012])\.\d Hz received$")
    )
    expect(page.page.locator("#latency")).to_have_text(
        re.compile(r"^about \d{1,3} ms ± \d{1,3} ms ")
    )
    expect(page.page.locator("#age")).to_have_text(re.compile(r"^0\.\d s old$"))
    expect(page.page.locator("#losses")).to_have_text("nothing lost so far")
    expect(page.page.locator("#measured-by")).to_have_text("sim:seed=1, SIMULATED")


def test_a_restart_is_in_the_losses(system: System, visit: Open) -> None:
    """What nobody read while the producer was restarted is counted in words."""
    page = visit(system)
    expect_state(page, "live")
    system.kill("producer")
    expect_state(page, "stopped")
    system.start("producer")
    expect_state(page, "live")
    expect(page.page.locator("#losses")).to_contain_text(
        "were not taken while the producer was restarted"
    )
    expect(page.page.locator("#losses")).to_contain_text("missing in the stream of this page")


def test_device_is_asked_for_seldom_and_only_while_visible(system: System, visit: Open) -> None:
    """Every five seconds, and by a hidden page not at all."""
    page = visit(system)
    expect_state(page, "live")
    page.page.wait_for_timeout(6000)
    asked = page_asked(page)
    assert 2 <= asked <= 3
    page.hide()
    page.page.wait_for_timeout(6000)
    assert page_asked(page) == asked


def page_asked(page: Visit) -> int:
    """How often the page asked what the stream does not say."""
    return sum("/json?verbose=1" in url for url in page.requests)


# -- browsers that can't ---------------------------------------------------------------------------------------------

LINKS = ["the latest sample", "the last minute as CSV"]


def expect_notice(visit: Visit, words: str) -> None:
    notice = visit.page.locator("#notice")
    expect(notice).to_be_visible()
    expect(notice).to_contain_text(words)
    assert notice.locator("a").all_text_contents() == LINKS
    for link in notice.locator("a").all():
        assert get(f"{visit.page.url}{link.get_attribute('href')}")[0] == 200
    expect(visit.page.locator("#connection")).to_be_hidden()


@pytest.mark.parametrize(
    "removed",
    ["window.AbortController", "window.ReadableStream", "Array.prototype.findLast", "window.fetch"],
)
def test_an_old_browser_is_told_so(system: System, visit: Open, removed: str) -> None:
    """Where something is missing that the page needs, it says so and links to what works without."""

    def prepare(page: Page) -> None:
        page.add_init_script(f"delete {removed}")

    page = visit(system, prepare=prepare)
    expect_notice(page, "This browser is too old for the live page")
    assert page.streams() == []


@pytest.mark.parametrize(
    ("failing", "answer", "words"),
    [
        ("**/model/ledger.js", None, "a part of it could not be loaded"),
        ("**/main.js", "throw new Error('no such luck')", "no such luck"),
        ("**/main.js", "let a b", "SyntaxError"),
    ],
    ids=["missing", "throws", "unknown syntax"],
)
def test_a_page_that_fails_at_its_start_says_so(
    system: System, visit: Open, failing: str, answer: str | None, words: str
) -> None:
    """A part that does not come, or throws, leaves no page that connects for ever."""

    def fail(route: Route) -> None:
        if answer is None:
            route.abort()
        else:
            route.fulfill(content_type="text/javascript", body=answer)

    page = visit(system, prepare=lambda page: page.route(failing, fail))
    expect_notice(page, words)


def test_a_good_browser_gets_no_notice(system: System, visit: Open) -> None:
    """Neither while it works, nor when the window's size changes."""
    page = visit(system)
    expect_state(page, "live")
    page.page.set_viewport_size({"width": 700, "height": 500})
    wait_for_newer(page)
    expect(page.page.locator("#notice")).to_be_hidden()
    assert page.complaints == []


# -- windows and the way back ------------------------------------------------------------------------------------------


def test_twelve_windows_hold_one_stream_if_one_is_visible(system: System, visit: Open) -> None:
    """Hidden windows leave the browser's six connections to the visible one."""
    page = visit(system)
    page.hide()
    for _ in range(11):
        other = page.page.context.new_page()
        other.goto(system.url)
        expect(other.locator("#connection")).to_have_attribute("data-state", "live")
        other.evaluate("() => window.setVisibility('hidden')")
    page.unhide()
    expect_state(page, "live")
    wait_for_newer(page)
    eventually(lambda: system.streams_open() == 1, "one stream is open")
    assert_balanced(page)


def test_a_page_that_is_left_and_returned_to_goes_on(system: System, browser: Browser) -> None:
    """The browser keeps it as it was: without a stream meanwhile, and with one after the way back."""
    keeping = browser.browser_type.launch(
        executable_path=shutil.which("chromium"),
        args=list(CHROMIUM_OPTIONS),
        ignore_default_args=["--disable-back-forward-cache"],
    )
    page = keeping.new_page()
    page.add_init_script("addEventListener('pageshow', (e) => (window.kept = e.persisted))")
    page.goto(system.url)
    connection = page.locator("#connection")
    expect(connection).to_have_attribute("data-state", "live")
    page.goto(f"{system.url}/livez")
    eventually(lambda: system.streams_open() == 0, "no stream is left")
    page.go_back(wait_until="commit")
    expect(connection).to_have_attribute("data-state", "live")
    assert page.evaluate("() => window.kept")
    keeping.close()


@pytest.mark.parametrize("seconds", [-86_400, 86_400])
def test_a_browser_whose_clock_jumps_stays_live(system: System, visit: Open, seconds: int) -> None:
    """The page counts by the board's clock: neither figures nor accounts care."""
    page = visit(system)
    expect_state(page, "live")
    page.page.evaluate("(seconds) => window.letTimePass(seconds)", seconds)
    wait_for_newer(page)
    expect_state(page, "live")
    expect(page.page.locator("#rates")).to_have_text(
        re.compile(r" (9[89]|10[012])\.\d Hz received$")
    )
    assert_balanced(page)
