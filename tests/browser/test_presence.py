"""The live page shows the present, soon and as what it is, and says what it did not show."""

from __future__ import annotations

import re
import signal
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Page, expect

from tests.helpers.programs import System, eventually, get

from .scripted import (
    Script,
    assert_balanced,
    expect_state,
    inked_columns,
    sample,
    saying,
    wait_for_newer,
    width_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Visit

    Open = Callable[..., Visit]

SHOWN_WITHIN_MS = 2000
MINUS = "\N{MINUS SIGN}"
TALL = {"width": 1280, "height": 1400}  # with the temperature, whose curve is solid and alone

# Each state that the page shows, and when.
NOTED_STATES = """
window.noted = [];
new MutationObserver(() => {
  const { state } = document.documentElement.dataset;
  if (window.noted.at(-1)?.state !== state) window.noted.push({ state, at_ms: performance.now() });
}).observe(document, { attributes: true, subtree: true, attributeFilter: ["data-state"] });
"""


# When the first stream is asked for.
NOTED_REQUEST = """
const { fetch } = window;
window.fetch = (url, ...more) => {
  if (String(url).includes("/events")) window.asked_ms ??= performance.now();
  return fetch(url, ...more);
};
"""


def noting_states(page: Page) -> None:
    page.add_init_script(NOTED_STATES)


def noted(visit: Visit) -> list[dict[str, Any]]:
    """The states shown so far, with their times in the page's milliseconds."""
    states: list[dict[str, Any]] = visit.page.evaluate("() => window.noted")
    return states


# -- as what it is ---------------------------------------------------------------------------------------------------


def look(visit: Visit) -> tuple[str, str]:
    """The colour of a figure and the opacity of a chart."""
    color, opacity = visit.page.evaluate("""() => [
      getComputedStyle(document.querySelector(".value")).color,
      getComputedStyle(document.querySelector("canvas")).opacity,
    ]""")
    return color, opacity


def test_waiting_is_dimmed_as_stale_is(idle_system: System, visit: Open) -> None:
    """Waiting and stale look the same, and neither looks like live."""
    idle_system.start("server")
    eventually(lambda: get(idle_system.url + "/json")[0] == 503, "the server answers")
    page = visit(idle_system)
    expect_state(page, "waiting")
    waiting = look(page)
    idle_system.start("producer")
    expect_state(page, "live")
    live = look(page)
    idle_system.processes["producer"].send_signal(signal.SIGSTOP)
    expect_state(page, "stale")
    stale = look(page)
    idle_system.processes["producer"].send_signal(signal.SIGCONT)
    assert waiting == stale
    assert waiting[0] != live[0]
    assert (waiting[1], live[1]) == ("0.5", "1")


@pytest.mark.parametrize("rate", ["100", "1"])
def test_server_that_hangs_shows_within_two_seconds(
    idle_system: System, visit: Open, rate: str
) -> None:
    """A server that is stopped in the middle of a stream is shown as silent within 2 s, at any rate of samples."""
    idle_system.start("producer", "--rate", rate)
    idle_system.start("server")
    idle_system.wait()
    page = visit(idle_system, prepare=noting_states)
    expect_state(page, "live")
    wait_for_newer(page)
    hung_ms = page.page.evaluate("() => performance.now()")
    idle_system.processes["server"].send_signal(signal.SIGSTOP)
    expect_state(page, "unanswered", "offline")
    expect(page.page.locator("#connection-reason")).to_contain_text("the server does not answer")
    idle_system.processes["server"].send_signal(signal.SIGCONT)
    shown_ms = next(
        state["at_ms"] for state in noted(page) if state["state"] in {"unanswered", "offline"}
    )
    assert shown_ms - hung_ms < SHOWN_WITHIN_MS
    expect_state(page, "live")
    assert_balanced(page)


def test_server_that_accepts_and_says_nothing_shows_within_two_seconds(
    system: System, visit: Open
) -> None:
    """A request for the stream that is never answered is shown as such, and then made anew."""

    def prepare(page: Page) -> None:
        noting_states(page)
        page.add_init_script(NOTED_REQUEST)
        page.route("**/events*", lambda route: None)

    page = visit(system, prepare=prepare)
    expect_state(page, "unanswered")
    expect(page.page.locator("#connection-reason")).to_contain_text("the server does not answer")
    shown_ms = noted(page)[0]["at_ms"]
    assert shown_ms - page.page.evaluate("() => window.asked_ms") < SHOWN_WITHIN_MS
    expect_state(page, "offline")


def test_slow_rate_is_no_alarm(idle_system: System, visit: Open) -> None:
    """Between two samples of a slow producer the server is asked, and the page stays live."""
    idle_system.start("producer", "--rate", "0.1")
    idle_system.start("server")
    idle_system.wait()
    page = visit(idle_system, prepare=noting_states)
    expect_state(page, "live")

    def asked_often() -> bool:
        noted(page)  # lets the browser report its requests
        return sum(url.endswith("/json") for url in page.requests) >= 4

    eventually(asked_often, "the server is asked again and again")
    assert {state["state"] for state in noted(page)} <= {"connecting", "live"}
    expect_state(page, "live")


def test_means_are_named_in_seconds(system: System, visit: Open) -> None:
    """The mean of 128 samples is that of 1.28 s at 100 Hz."""
    page = visit(system)
    for label in page.page.locator(".mean span").all():
        expect(label).to_have_text(re.compile(r"^mean of 1\.(2[789]|3\d?) s$"))


def test_simulated_page_says_how_to_connect_a_sensor(system: System, visit: Open) -> None:
    """Wiring, bus check and command are there while the data is simulated, one click from the badge."""
    page = visit(system)
    panel = page.page.locator("#connect-sensor")
    expect(panel).to_be_visible()
    for text in ("pin 1, 3.3 V", "pin 6", "pin 3", "pin 5", "i2cdetect -y 1", "68"):
        expect(panel).to_contain_text(text)
    expect(panel.locator("code").last).to_have_text("./start.sh --device i2c:1")
    page.page.locator("#to-connect").click()
    expect(panel).to_be_in_viewport()


def test_page_of_a_real_sensor_has_no_instructions(system: System, visit: Open) -> None:
    """Nobody with a sensor needs to know how to connect one."""
    page = visit(system, prepare=saying(sample(1)))
    expect(page.page.locator("#source")).to_have_text("i2c:1:0x68")
    expect(page.page.locator("#connect-sensor")).to_be_hidden()
    expect(page.page.locator("#to-connect")).to_be_hidden()


# -- the past of the charts ------------------------------------------------------------------------------------------


def test_charts_are_filled_on_opening(system: System, visit: Open) -> None:
    """A page that is opened shows the last seconds, asked for once and no more of it than the charts show."""
    eventually(lambda: int(system.json().get("seq", 0)) > 300, "there is a past of three seconds")
    page = visit(system)
    expect_state(page, "live")
    width = width_of(page.page, "az")
    eventually(
        lambda: len(inked_columns(page.page, "az")) > 0.25 * width, "three seconds are drawn"
    )
    (asked,) = [parse_qs(urlsplit(url).query) for url in page.histories()]
    assert 8 < float(asked["to"][0]) - float(asked["from"][0]) <= 10
    assert assert_balanced(page)["gaps"] == "0"


def spread(page: Visit, axis: str) -> tuple[float, int]:
    """The share of the chart's width that a curve spans, and its widest step in pixels."""
    columns = inked_columns(page.page, axis)
    if len(columns) < 2:
        return 0.0, 0
    steps = [right - left for left, right in pairwise(columns)]
    return (columns[-1] - columns[0]) / width_of(page.page, axis), max(steps)


def test_past_and_present_join_without_a_hole(system: System, visit: Open) -> None:
    """Where the history ends the stream goes on: nothing between them, nothing counted twice."""
    stream = "".join(sample(seq) for seq in range(900, 910))
    page = visit(system, prepare=Script(stream, past=range(100, 905)), viewport=TALL)
    eventually(lambda: spread(page, "temp")[0] > 0.78, "eight seconds of ten are drawn")
    assert spread(page, "temp")[1] <= 2
    accounts = assert_balanced(page)
    assert (accounts["received"], accounts["firstSeq"]) == ("10", "900")


def test_past_that_does_not_reach_the_present_leaves_a_hole(system: System, visit: Open) -> None:
    """What neither the history nor the stream brought is not drawn over."""
    stream = "".join(sample(seq) for seq in range(900, 910))
    page = visit(system, prepare=Script(stream, past=range(100, 600)), viewport=TALL)
    eventually(lambda: spread(page, "temp")[0] > 0.78, "the past is drawn")
    assert spread(page, "temp")[1] == pytest.approx(0.3 * width_of(page.page, "temp"), rel=0.05)


# -- a tab that comes back -------------------------------------------------------------------------------------------


def test_returning_tab_fetches_what_it_shows(system: System, visit: Open) -> None:
    """After a long sleep the page begins with the present, not with what it missed, and calls none of it lost."""
    page = visit(system)
    expect_state(page, "live")
    wait_for_newer(page)
    page.hide()
    held = int(page.accounts()["lastId"].rpartition("-")[2])
    eventually(lambda: int(system.json().get("seq", 0)) > held + 50, "the producer goes on")
    page.sleep(180)
    expect_state(page, "live")
    expect(page.page.locator("#last-skip")).to_contain_text("this tab slept for 3 min; ")
    wait_for_newer(page)
    assert "last_event_id" not in page.streams()[-1]
    assert len(page.histories()) == 2  # what was on screen at the opening, and now
    assert assert_balanced(page)["gaps"] == "0"


@pytest.mark.parametrize(
    ("newest", "words"),
    [
        (18_500, "samples 120 to 18,499 were not streamed"),
        (121, "sample 120 was not streamed"),
        (120, "nothing was missed"),
    ],
    ids=["long", "one", "none"],
)
def test_sleep_names_the_numbers_that_were_not_streamed(
    system: System, visit: Open, newest: int, words: str
) -> None:
    """What a sleeping tab did not receive has its numbers named, and is neither a gap nor a loss."""
    script = Script(sample(119))
    page = visit(system, prepare=script)
    eventually(lambda: page.accounts()["received"] == "1", "the first sample comes")
    page.hide()
    script.said = [sample(newest)]
    page.sleep(180)
    expect(page.page.locator("#last-skip")).to_have_text(
        re.compile(rf"^\d\d:\d\d:\d\d: this tab slept for 3 min; {words}$")
    )
    accounts = assert_balanced(page)
    assert (accounts["received"], accounts["gaps"], accounts["lost"]) == ("2", "0", "0")


def test_sleep_past_the_whole_ring_is_no_loss(idle_system: System, visit: Open) -> None:
    """A tab that slept while the ring went round says so, and the sum of all accounts is exact."""
    idle_system.start("producer", "--rate", "1000", "--capacity", "8192")
    idle_system.start("server")
    idle_system.wait()
    page = visit(idle_system)
    expect_state(page, "live")
    wait_for_newer(page)
    page.hide()
    held = int(
        page.page.evaluate("() => document.getElementById('accounts').dataset.lastId").rpartition(
            "-"
        )[2]
    )
    eventually(lambda: int(idle_system.json().get("seq", 0)) > held + 9000, "the ring goes round")
    page.page.evaluate("() => window.letTimePass(60)")
    page.unhide()
    expect(page.page.locator("#last-skip")).to_contain_text("were not streamed")
    wait_for_newer(page)
    accounts = assert_balanced(page)
    assert int(accounts["skipped"]) > 8000
    assert accounts["gaps"] == "0"


def test_sleep_in_which_nothing_was_measured_is_no_repeat(system: System, visit: Open) -> None:
    """The newest sample, which the server sends again to a page that comes back, is not counted again."""
    script = Script(sample(119))
    page = visit(system, prepare=script)
    eventually(lambda: page.accounts()["received"] == "1", "the first sample comes")
    page.hide()
    script.said = [sample(119) + sample(120)]
    page.sleep(180)
    eventually(lambda: page.accounts()["received"] == "2", "the next sample comes")
    assert assert_balanced(page)["gaps"] == "0"
    assert page.text("last-skip") == "nothing so far"


# -- the figures --------------------------------------------------------------------------------------------------


def test_first_figures_come_before_the_page(system: System, visit: Open) -> None:
    """The newest sample is on screen, with its badge, even if the rest of the page never arrives."""
    page = visit(
        system, prepare=lambda page: page.route("**/static/main.js", lambda route: route.abort())
    )
    eventually(lambda: 0.5 < page.number("value-az") < 1.5, "az is shown")
    assert re.fullmatch(rf"[+{MINUS}]0\.\d\d\d", page.text("value-ax"))
    assert 0 < page.number("value-temp") < 60
    expect(page.page.locator("#badge-simulated")).to_be_visible()
    expect(page.page.locator("#badge-replayed")).to_be_hidden()
    expect_state(page, "connecting")


def test_figures_are_those_of_json(system: System, visit: Open) -> None:
    """When the samples have stopped, each figure on the page is the one that /json has."""
    page = visit(system)
    expect_state(page, "live")
    system.kill("producer", signal.SIGTERM)
    expect_state(page, "stopped")
    latest = system.json()
    for key, value in latest["sample"].items():
        decimals = 2 if key in {"gx", "gy", "gz", "temp"} else 3
        eventually(
            lambda key=key, value=value, decimals=decimals: (  # type: ignore[misc]
                abs(page.number(f"value-{key}") - value) <= 0.501 * 10**-decimals
            ),
            f"{key} is that of /json",
        )


# -- pure parts ------------------------------------------------------------------------------------------------------


def test_events_are_the_same_however_they_are_cut(system: System, visit: Open) -> None:
    """The stream's text may come in any pieces, with any line ends, and with fields that are not known."""
    text = ": hi\n\nretry: 1\n\nid: a-1\ndata: {}\n\nevent: status\r\ndata:x\r\ndata: y\r\nother\r\n\r\n:\n\n"
    page = visit(system)
    heard = page.page.evaluate(
        """async (text) => {
          const { EventParser } = await import("/static/net/sse.js");
          return [1, 2, 3, 7, text.length].map((size) => {
            const parser = new EventParser();
            const events = [];
            for (let i = 0; i < text.length; i += size) events.push(...parser.feed(text.slice(i, i + size)));
            return events;
          });
        }""",
        text,
    )
    wanted = [{"name": "message", "data": "{}"}, {"name": "status", "data": "x\ny"}]
    assert heard == [wanted] * 5
