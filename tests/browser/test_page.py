"""The live page in a real browser, before the real product: what a person sees, whatever goes wrong."""

from __future__ import annotations

import contextlib
import functools
import re
import signal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import requests

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Page, expect

from tests.helpers.programs import PATIENCE_S, SHM, System, eventually, get, left_behind

from .scripted import (
    assert_balanced,
    chart,
    expect_state,
    gap,
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

AXES = ("ax", "ay", "az", "gx", "gy", "gz", "temp")
DEVICES: dict[str, dict[str, Any]] = {
    "phone": {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2},
    "tablet": {"viewport": {"width": 820, "height": 1180}},
    "desktop": {"viewport": {"width": 1366, "height": 768}},
}
MINUS = "\N{MINUS SIGN}"


# -- an ordinary day -------------------------------------------------------------------------------------------------


def changed(page: Visit, axis: str, before: str) -> bool:
    """Tell whether the figure of an axis is another one by now."""
    return page.text(f"value-{axis}") != before


def drawn(page: Visit, axis: str) -> bool:
    """Tell whether there is a curve of an axis, once it is on screen."""
    page.page.locator(chart(axis)).scroll_into_view_if_needed()
    return len(inked_columns(page.page, axis)) > 10


def test_figures_are_live_and_in_their_units(system: System, visit: Open) -> None:
    """Each figure changes by itself, and gravity shows as about 1 g along z."""
    page = visit(system)
    expect_state(page, "live")
    for axis in AXES:
        eventually(
            functools.partial(changed, page, axis, page.text(f"value-{axis}")), f"{axis} changes"
        )
    eventually(lambda: 0.7 < page.number("value-az") < 1.3, "az is about 1 g")
    assert 0.7 < page.number("mean-az") < 1.3
    assert 0 < page.number("value-temp") < 60


def test_rate_is_the_rate_at_which_samples_arrive(system: System, visit: Open) -> None:
    """A producer at 100 Hz is shown at about 100 Hz, and as nothing once it has stopped."""
    page = visit(system)
    eventually(lambda: 95 < page.number("rate") < 105, "the rate is about 100 Hz")
    system.kill("producer", signal.SIGTERM)
    eventually(lambda: page.number("rate") == 0, "the rate falls to 0")


def test_every_axis_has_a_trace(system: System, visit: Open) -> None:
    """Each canvas holds a curve in the ink of its axis."""
    page = visit(system)
    for axis in AXES:
        eventually(functools.partial(drawn, page, axis), f"{axis} draws a curve")


def test_source_and_badge_say_that_it_is_simulated(system: System, visit: Open) -> None:
    """Simulated samples are never shown without the badge."""
    page = visit(system)
    expect(page.page.locator("#badge-simulated")).to_be_visible()
    expect(page.page.locator("#badge-simulated")).to_have_text("SIMULATED")
    expect(page.page.locator("#source")).to_have_text(re.compile("^sim"))


def test_page_is_complete_in_itself(system: System, visit: Open) -> None:
    """The page asks its own server only, and the browser has nothing to complain about."""
    page = visit(system)
    expect_state(page, "live")
    wait_for_newer(page)
    assert page.requests
    assert [url for url in page.requests if not url.startswith((system.url, "data:"))] == []
    assert page.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", list(DEVICES))
def test_page_fits_its_window(system: System, visit: Open, scheme: str, device: str) -> None:
    """Light or dark, on a phone, a tablet or a desktop, nothing sticks out sideways."""
    page = visit(system, color_scheme=scheme, **DEVICES[device])
    expect_state(page, "live")
    wait_for_newer(page)
    assert page.page.evaluate(
        "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    lightness = page.page.evaluate(
        "() => Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])"
    )
    assert (lightness > 128) == (scheme == "light")


def test_only_the_connection_is_announced(system: System, visit: Open) -> None:
    """Screen readers hear of the connection, not of a hundred numbers a second."""
    page = visit(system)
    announced = page.page.locator(
        "[aria-live]:not([aria-live=off]), [role=status], [role=alert], [role=log], output"
    )
    assert announced.evaluate_all("(elements) => elements.map((e) => e.id)") == ["connection"]


def test_less_motion_is_respected(system: System, visit: Open) -> None:
    """Whoever prefers reduced motion gets a few steps a second instead of running paper."""

    def count_drawings(page: Page) -> None:
        page.add_init_script("""
          window.drawings = 0;
          const clip = CanvasRenderingContext2D.prototype.clip; // once a drawing
          CanvasRenderingContext2D.prototype.clip = function () {
            window.drawings += 1;
            clip.apply(this);
          };
        """)

    page = visit(system, prepare=count_drawings, reduced_motion="reduce")
    expect_state(page, "live")
    # On a busy machine two seconds may last longer, so the time that went by is measured too.
    received, drawings, seconds = page.page.evaluate("""() => new Promise((done) => {
      const { dataset } = document.getElementById("accounts");
      const [received, drawings] = [Number(dataset.received), window.drawings];
      const begun_ms = performance.now();
      setTimeout(() => done([
        Number(dataset.received) - received,
        (window.drawings - drawings) / 7,
        (performance.now() - begun_ms) / 1000,
      ]), 2000);
    })""")
    assert received > 100
    assert 1 <= drawings <= 3 * seconds


def test_page_keeps_up_with_a_thousand_samples_a_second(idle_system: System, visit: Open) -> None:
    """At 1,000 Hz the page takes every sample and stays within a quarter of a second of the server."""
    idle_system.start("producer", "--rate", "1000")
    idle_system.start("server")
    idle_system.wait()
    page = visit(idle_system)
    eventually(lambda: int(page.accounts()["received"]) > 2000, "2,000 samples reach the page")

    def close_behind() -> bool:
        latest = idle_system.json()
        return int(latest.get("seq", 0)) - int(page.accounts()["lastId"].rpartition("-")[2]) < 250

    eventually(close_behind, "the page is close behind the server")
    assert_balanced(page)


# -- what goes wrong -------------------------------------------------------------------------------------------------


def test_before_the_first_sample_the_page_says_what_it_waits_for(
    idle_system: System, visit: Open
) -> None:
    """Without a producer the page shows the server's reason; with one it goes live by itself."""
    idle_system.start("server")
    eventually(lambda: get(idle_system.url + "/json")[0] == 503, "the server answers")
    page = visit(idle_system)
    expect_state(page, "waiting")
    expect(page.page.locator("#connection-reason")).to_contain_text(
        re.compile("no sample|wait", re.IGNORECASE)
    )
    expect(page.page.locator("#badge-simulated")).to_be_hidden()
    idle_system.start("producer")
    expect_state(page, "live")


def test_killed_server_costs_no_sample(system: System, visit: Open) -> None:
    """After the server was killed and started again the page resumes without a reload, a repeat or a loss."""
    page = visit(system)
    expect_state(page, "live")
    system.kill("server", signal.SIGKILL)
    expect_state(page, "offline")
    expect(page.page.locator("#retry")).to_contain_text("next attempt")
    system.start("server")
    expect_state(page, "live")
    wait_for_newer(page)
    assert assert_balanced(page)["gaps"] == "0"


def test_frozen_server_is_noticed(system: System, visit: Open) -> None:
    """A server that holds the connection but says nothing is not shown as live; once it speaks, nothing is lost."""
    page = visit(system)
    expect_state(page, "live")
    system.processes["server"].send_signal(signal.SIGSTOP)
    expect_state(page, "offline")
    system.processes["server"].send_signal(signal.SIGCONT)
    expect_state(page, "live")
    wait_for_newer(page)
    assert assert_balanced(page)["gaps"] == "0"


def stream_of(system: System, stack: contextlib.ExitStack) -> int:
    """Open the stream as another client, to be closed by the stack; return the status."""
    answer = requests.get(f"{system.url}/events", stream=True, timeout=PATIENCE_S)
    stack.callback(answer.close)
    return answer.status_code


def test_full_server_is_tried_again(system: System, visit: Open) -> None:
    """A 503 closes an EventSource for good: the page tells the reason and gets in once there is room."""
    page = visit(system)
    expect_state(page, "live")
    page.hide()  # so that the other client is first
    system.kill("server", signal.SIGTERM)
    system.start("server", "--max-clients", "1")
    eventually(lambda: get(system.url + "/json")[0] == 200, "the server answers")
    with contextlib.ExitStack() as stack:
        # The place of the connection before may not be free at once.
        eventually(lambda: stream_of(system, stack) == 200, "there is a place")
        page.unhide()
        expect_state(page, "offline")
        expect(page.page.locator("#connection-reason")).to_contain_text("client")
    expect_state(page, "live")
    wait_for_newer(page)
    assert_balanced(page)


def test_stopped_producer_shows_and_returns(system: System, visit: Open) -> None:
    """A producer that ends is shown as stopped, and its return as live."""
    page = visit(system)
    expect_state(page, "live")
    system.kill("producer", signal.SIGTERM)
    expect_state(page, "stopped")
    system.start("producer")
    expect_state(page, "live")


def test_killed_producer_shows(system: System, visit: Open) -> None:
    """A producer that was killed could say nothing, and yet the page does not stay live."""
    page = visit(system)
    expect_state(page, "live")
    system.kill("producer", signal.SIGKILL)
    expect_state(page, "stale", "stopped")
    eventually(lambda: page.number("rate") == 0, "the rate falls to 0")


def test_frozen_producer_is_stale_until_it_thaws(system: System, visit: Open) -> None:
    """Samples that stop coming are called stale, and live again when they come."""
    page = visit(system)
    expect_state(page, "live")
    system.processes["producer"].send_signal(signal.SIGSTOP)
    expect_state(page, "stale")
    system.processes["producer"].send_signal(signal.SIGCONT)
    expect_state(page, "live")


def test_page_opened_after_the_stop_shows_the_last_sample(system: System, visit: Open) -> None:
    """A stream with nothing to say does not leave the page empty: the last sample is shown, as what it is."""
    system.kill("producer", signal.SIGTERM)
    page = visit(system)
    expect_state(page, "stopped")
    eventually(lambda: 0.5 < page.number("value-az") < 1.5, "the last az is shown")
    expect(page.page.locator("#badge-simulated")).to_be_visible()


# -- hidden pages ----------------------------------------------------------------------------------------------------


def test_hidden_page_holds_no_stream_and_resumes_by_id(system: System, visit: Open) -> None:
    """A hidden page frees its connection; visible again soon, it takes up after the last sample it had."""
    page = visit(system)
    expect_state(page, "live")
    wait_for_newer(page)
    page.hide()
    expect_state(page, "paused")
    streams = len(page.streams())
    eventually(lambda: page.text("rate") == "0.0", "the last painting is done")
    held = page.accounts()["lastId"]

    def missed_a_hundred() -> bool:
        latest = system.json()
        return int(latest.get("seq", 0)) > int(held.rpartition("-")[2]) + 100

    eventually(missed_a_hundred, "the producer goes on")
    assert page.accounts()["lastId"] == held
    assert len(page.streams()) == streams

    page.unhide()
    expect_state(page, "live")
    wait_for_newer(page)
    assert len(page.streams()) == streams + 1
    assert page.streams()[-1].endswith(f"&last_event_id={held}")
    assert assert_balanced(page)["gaps"] == "0"


def test_new_ring_is_a_gap_of_unknown_size(system: System, visit: Open) -> None:
    """A segment made anew starts another generation: one gap, called restart, and counting goes on."""
    page = visit(system)
    expect_state(page, "live")
    system.kill("producer", signal.SIGKILL)
    for name in left_behind(system.ring):
        (SHM / name).unlink()
    system.start("producer")
    eventually(lambda: page.accounts()["gaps"] == "1", "one gap is counted")
    expect(page.page.locator("#gaps")).to_have_text("1")
    expect(page.page.locator("#last-gap")).to_contain_text("restart")
    expect_state(page, "live")
    wait_for_newer(page)
    assert page.accounts()["repeats"] == "0"


# -- exact streams: the page before a server that says just this -----------------------------------------------------


def test_samples_of_a_real_sensor_have_no_badge(system: System, visit: Open) -> None:
    """The badge follows the flag, whatever other flags there are."""
    page = visit(system, prepare=saying(sample(1, flags=["clipped", "<b>not known here</b>"])))
    expect(page.page.locator("#source")).to_have_text("i2c:1:0x68")
    expect(page.page.locator("#badge-simulated")).to_be_hidden()
    expect(page.page.locator("#flags")).to_have_text("<b>not known here</b>, clipped")


def test_figures_keep_their_form(system: System, visit: Open) -> None:
    """Fixed decimals, a true minus sign, and no sign on what rounds to zero."""
    page = visit(system, prepare=saying(sample(1)))
    shown = {
        "ax": "0.000",
        "ay": "0.000",
        "az": "+1.000",
        "gx": f"{MINUS}12.35",
        "gz": "+250.00",
        "temp": f"{MINUS}3.50",
    }
    for axis, text in shown.items():
        expect(page.page.locator(f"#value-{axis}")).to_have_text(text)


def test_repeats_are_not_counted(system: System, visit: Open) -> None:
    """A sample that comes twice, or after its successor, is one sample."""
    page = visit(system, prepare=saying(*(sample(seq) for seq in (7, 8, 8, 7, 9))))
    eventually(lambda: page.accounts().get("repeats") == "2", "two repeats are noticed")
    accounts = page.accounts()
    assert (accounts["received"], accounts["lost"], accounts["gaps"]) == ("3", "0", "0")


@pytest.mark.parametrize(
    ("seq", "changes", "lost", "line"),
    [
        (
            20,
            {"gap": gap(9, 20, 10, "lapped")},
            "10",
            r"10 samples \(10 to 19\) lost, lapped: the ring had moved on",
        ),
        (
            11,
            {"gap": gap(9, 11, 1, "slow")},
            "1",
            r"1 sample \(10\) lost, slow: this page was too slow",
        ),
        (
            12,
            {"gap": gap(9, 12, 5, "slow")},
            "5",
            r"5 samples \(10 to 11, and 3 that the sensor did not deliver\) lost, slow: ",
        ),
        (
            10,
            {"gap": gap(9, 10, 3, "device")},
            "3",
            "3 readings lost, device: the sensor did not deliver them",
        ),
        (
            10,
            {"gap": gap(9, 10, 1, "restart")},
            "1",
            "1 reading lost, restart: the producer was restarted$",
        ),
        (
            10,
            {"gap": {"reason": "new here"}},
            "unknown",
            "an unknown number of readings lost, new here$",
        ),
        (12, {}, "2", r"2 samples \(10 to 11\) lost, untold: "),
        (
            1,
            {"id": "0000000000000001-1"},
            "unknown",
            "an unknown number of readings lost, restart: ",
        ),
    ],
    ids=[
        *("lapped", "slow", "slow and device", "device", "restart"),
        *("unheard-of", "untold", "new ring"),
    ],
)
def test_gaps_are_counted_and_explained(
    system: System, visit: Open, seq: int, changes: dict[str, Any], lost: str, line: str
) -> None:
    """Each gap is counted, summed up and put into words: the missing numbers, and whose doing it was."""
    page = visit(system, prepare=saying(sample(8), sample(9), sample(seq, **changes)))
    expect(page.page.locator("#last-gap")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d: .*" + line))
    expect(page.page.locator("#gaps")).to_have_text("1")
    expect(page.page.locator("#lost")).to_have_text(lost)


def test_gap_lifts_the_pen(system: System, visit: Open) -> None:
    """Nothing is drawn over what was not measured, and an unbroken stream has no hole."""
    before = [sample(seq) for seq in range(300)]
    after = [sample(seq) for seq in range(601, 900)]
    page = visit(
        system, prepare=saying(*before, sample(600, gap=gap(299, 600, 300, "lapped")), *after)
    )
    eventually(lambda: page.accounts().get("received") == "600", "all of it is drawn")
    eventually(lambda: len(inked_columns(page.page, "az")) > 100, "the curve is drawn")
    columns = inked_columns(page.page, "az")
    steps = [right - left for left, right in pairwise(columns)]
    assert sum(step > 8 for step in steps) == 1  # within a dotted line they are shorter
    assert max(steps) / (columns[-1] - columns[0]) == pytest.approx(300 / 900, abs=0.04)


def test_a_recording_has_a_badge(system: System, visit: Open) -> None:
    """It is never shown as live, whether it was simulated or not."""
    replayed = [sample(seq, source="replay:a.csv", flags=["replayed"]) for seq in range(3)]
    page = visit(system, prepare=saying(*replayed))
    eventually(lambda: page.accounts().get("received") == "3", "all of it has come")
    expect(page.page.locator("#badge-replayed")).to_be_visible()
    expect(page.page.locator("#badge-replayed")).to_have_text("REPLAYED")
    expect(page.page.locator("#badge-simulated")).to_be_hidden()


def test_traces_of_one_source_are_not_the_past_of_another(system: System, visit: Open) -> None:
    """When a simulated source gives way to a real one, the simulated curve goes with its badge."""
    simulated = [sample(seq, source="sim:seed=1", flags=["simulated"]) for seq in range(300)]
    page = visit(system, prepare=saying(*simulated, *(sample(seq) for seq in range(300, 400))))
    eventually(lambda: page.accounts().get("received") == "400", "all of it has come")
    expect(page.page.locator("#badge-simulated")).to_be_hidden()

    def a_second_of_ten() -> bool:
        columns = inked_columns(page.page, "az")
        return bool(columns) and columns[-1] - columns[0] < width_of(page.page, "az") * 0.2

    eventually(a_second_of_ten, "only the real second is drawn")


@pytest.mark.parametrize("status", ["stale", "stopped"])
def test_status_event_is_no_sample(system: System, visit: Open, status: str) -> None:
    """A status event changes what is said of the samples, and counts for none."""

    def prepare(page: Page) -> None:
        saying(sample(1), "event: status\n" + sample(1, status=status))(page)
        # The stream ends there, so the state is soon another: what was shown is noted down as it happens.
        page.add_init_script("""
          window.states = [];
          new MutationObserver((changes) => changes.forEach(() => {
            window.states.push(document.documentElement.dataset.state);
          })).observe(document, { attributes: true, subtree: true, attributeFilter: ["data-state"] });
        """)

    page = visit(system, prepare=prepare)
    eventually(lambda: status in page.page.evaluate("() => window.states"), f"{status} is shown")
    # The accounts are painted with the next frame, which comes after the state.
    eventually(lambda: page.accounts()["received"] == "1", "one sample is counted")
    assert page.accounts()["repeats"] == "0"


# -- pure parts ------------------------------------------------------------------------------------------------------


def test_back_off_is_bounded_and_spread(system: System, visit: Open) -> None:
    """Waits double from a quarter of a second, never exceed five seconds, and differ from page to page."""
    page = visit(system)
    waits = page.page.evaluate("""async () => {
      const { backoff } = await import("/static/net/stream.js");
      return [0, 1, 2, 3, 4, 5, 50].map((failures) => [0, 0.5, 1].map((random) => backoff(failures, random)));
    }""")
    assert [middle for _, middle, _ in waits] == [250, 500, 1000, 2000, 4000, 5000, 5000]
    assert all(least <= middle <= most <= 5000 for least, middle, most in waits)
    assert waits[0][0] < waits[0][1] < waits[0][2]
