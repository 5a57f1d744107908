"""The plots in a real browser: what is drawn, and what hands on a wheel, a pointer or the keys make of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import requests

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import expect

from tests.helpers.programs import System, eventually, get

from .scripted import (
    LEFT_PX,
    chart,
    expect_state,
    gap,
    inked,
    inked_columns,
    sample,
    saying,
    wait_for_newer,
    width_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator

    from .conftest import Visit

    Open = Callable[..., Visit]

MINUS = "\N{MINUS SIGN}"
STILL = {"ax": 0.0, "ay": 0.5, "az": 1.0, "gx": 1.0, "gy": 2.0, "gz": 3.0, "temp": 20.0}
PAPER = [0xFC, 0xFD, 0xFA, 0xFF]  # in a light scheme
DIFFERENT = r"Δ (.+) (ms|s)"


@pytest.fixture
def plots(system: System, visit: Open) -> Visit:
    """The page of a simulated sensor at 100 Hz, live and drawing."""
    page = visit(system)
    expect_state(page, "live")
    eventually(lambda: len(inked_columns(page.page, "az")) > 10, "a curve is drawn")
    return page


def button(page: Visit, name: str) -> Locator:
    return page.page.get_by_role("button", name=name, exact=True)


def live(page: Visit) -> bool:
    """Whether the window follows the newest sample."""
    return page.text("plots-live") == "Pause"


def spoken(page: Visit, axis: str = "ax") -> str:
    """The description of a plot."""
    return page.page.locator(chart(axis)).get_attribute("aria-label") or ""


def hover(page: Visit, share: float, axis: str = "ax") -> None:
    """Move the mouse to a place of a plot, as a share of the width of its curves."""
    page.page.locator(chart(axis)).scroll_into_view_if_needed()
    box = page.page.locator(chart(axis)).bounding_box()
    assert box is not None
    x = box["x"] + LEFT_PX + share * (box["width"] - LEFT_PX)
    page.page.mouse.move(x, box["y"] + box["height"] / 3)


def readings(page: Visit, chart_id: str = "chart-acceleration") -> list[str]:
    """The values at the cursor that the legend of a plot shows."""
    return page.page.locator(f"#{chart_id} .reading").all_inner_texts()


def number(text: str) -> float:
    return float(text.replace(MINUS, "-"))


def window(page: Visit) -> str:
    """The window's length, as the list of them says."""
    chosen = page.page.get_by_role("combobox", name="Window")
    return str(chosen.evaluate("(select) => select.selectedOptions[0].textContent"))


def picture(page: Visit, axis: str) -> str:
    """All that is drawn in a plot."""
    return str(page.page.locator(chart(axis)).evaluate("(canvas) => canvas.toDataURL()"))


def stretch(count: int, *, spike: int | None = None) -> list[str]:
    """A still sensor's samples, one of which may be a spike along x."""
    return [
        sample(seq, sample=STILL | {"ax": 1.8 if seq == spike else 0.0}) for seq in range(count)
    ]


# -- the window of time ----------------------------------------------------------------------------------------------


def test_pause_holds_the_picture_and_live_returns(plots: Visit) -> None:
    """Paused, not a pixel changes while samples go on coming; live again, the newest is shown."""
    button(plots, "Pause, or go back to live").click()
    expect(plots.page.locator("#plots-live")).to_have_text("Live")

    def still() -> bool:
        before = picture(plots, "ax")
        wait_for_newer(plots)
        plots.page.wait_for_timeout(1200)  # longer than it takes to draw what came from the past
        return picture(plots, "ax") == before

    eventually(still, "nothing moves any more")
    before = picture(plots, "ax")
    button(plots, "Pause, or go back to live").click()
    eventually(lambda: picture(plots, "ax") != before, "it moves again")


def test_window_can_be_chosen_and_is_in_the_address(plots: Visit) -> None:
    """Choosing a window shows that much, live, and an address that restores it."""
    plots.page.get_by_role("combobox", name="Window").select_option("1 min")
    expect(plots.page).to_have_url(re.compile("#.*span=60"))
    assert live(plots)
    eventually(lambda: "last 1 min" in spoken(plots), "the plot says so")


def test_wheel_zooms_only_where_it_was_asked_to(plots: Visit) -> None:
    """A plain wheel scrolls the page; with Ctrl it zooms, and pauses."""
    hover(plots, 0.5)
    scrolled = plots.page.evaluate("() => scrollY")
    plots.page.mouse.wheel(0, 120)
    eventually(lambda: plots.page.evaluate("() => scrollY") > scrolled, "the page scrolls")
    assert live(plots)
    hover(plots, 0.5)
    plots.page.keyboard.down("Control")
    plots.page.mouse.wheel(0, -300)
    plots.page.keyboard.up("Control")
    eventually(lambda: not live(plots), "it is paused")
    eventually(lambda: window(plots) != "10 s", "another window is shown")
    assert number(window(plots).partition(" ")[0]) < 10


def test_wheel_keeps_the_time_under_the_pointer(plots: Visit) -> None:
    """The cursor's time stays what it was while the window shrinks around it."""
    button(plots, "Pause, or go back to live").click()
    hover(plots, 0.7)
    eventually(lambda: plots.text("plots-note") != "", "the cursor has a time")
    before = plots.text("plots-note")
    plots.page.keyboard.down("Control")
    plots.page.mouse.wheel(0, -300)
    plots.page.keyboard.up("Control")
    eventually(lambda: window(plots) != "10 s", "it has zoomed")
    # A pixel of ten seconds is ten milliseconds.
    assert plots.text("plots-note")[:10] == before[:10]


def test_drag_pans_and_double_click_returns(plots: Visit) -> None:
    """Dragged to the right, an earlier time comes in; a double click goes back to live."""
    hover(plots, 0.3)
    plots.page.mouse.down()
    hover(plots, 0.8)
    plots.page.mouse.up()
    eventually(lambda: not live(plots), "it is paused")
    assert window(plots) == "10 s"
    hover(plots, 0.5)
    plots.page.mouse.dblclick(*centre(plots))
    eventually(lambda: live(plots), "it is live")


def centre(page: Visit) -> tuple[float, float]:
    """The middle of the plot of acceleration."""
    box = page.page.locator(chart("ax")).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_drag_with_shift_selects_what_to_show(plots: Visit) -> None:
    """A quarter of the width becomes the window."""
    button(plots, "Pause, or go back to live").click()
    plots.page.keyboard.down("Shift")
    hover(plots, 0.5)
    plots.page.mouse.down()
    hover(plots, 0.75)
    plots.page.mouse.up()
    plots.page.keyboard.up("Shift")
    eventually(lambda: not live(plots), "it is paused")
    eventually(lambda: window(plots) != "10 s", "another window is shown")
    assert number(window(plots).partition(" ")[0]) == pytest.approx(2.5, abs=0.1)


def test_keys_do_all_that_a_pointer_does(plots: Visit) -> None:
    """Pause, zoom, pan, oldest, newest, cursor, pin, mark and clear, in a plot that has the focus."""
    canvas = plots.page.locator(chart("ax"))
    canvas.focus()
    keyboard = plots.page.keyboard
    keyboard.press("Space")
    eventually(lambda: not live(plots), "Space pauses")
    keyboard.press("Space")
    eventually(lambda: live(plots), "Space goes on")
    keyboard.press("-")
    eventually(lambda: window(plots) == "15 s", "minus zooms out")
    keyboard.press("+")
    eventually(lambda: window(plots) == "10 s", "plus zooms in")
    keyboard.press("ArrowLeft")
    keyboard.press("[")
    eventually(lambda: plots.text("plots-note") != "", "a bracket sets a cursor")
    keyboard.press("Enter")
    keyboard.press("{")
    eventually(lambda: re.search(DIFFERENT, plots.text("plots-note")) is not None, "pinned")
    keyboard.press("m")
    eventually(
        lambda: "Mark 1" in str(plots.page.evaluate("() => JSON.stringify({ ...localStorage })")),
        "M sets a mark",
    )
    keyboard.press("Escape")
    eventually(lambda: plots.text("plots-note") == "", "Escape removes the cursors")
    keyboard.press("Home")
    assert not live(plots)
    keyboard.press("End")
    eventually(lambda: live(plots), "End shows the newest")


def test_finger_can_still_scroll_the_page(plots: Visit) -> None:
    """Up and down belongs to the page, on every plot."""
    canvases = plots.page.locator(".chart canvas")
    actions = canvases.evaluate_all("(all) => all.map((c) => getComputedStyle(c).touchAction)")
    assert set(actions) == {"pan-y"}


# -- cursors ---------------------------------------------------------------------------------------------------------


def test_cursor_reads_the_samples_of_the_history(plots: Visit, system: System) -> None:
    """In a window of a second, where each sample is drawn, the legend has the values that /history has."""
    plots.page.get_by_role("combobox", name="Window").select_option("1 s")
    plots.page.wait_for_timeout(1500)  # until the window is of samples that came one by one
    button(plots, "Pause, or go back to live").click()
    hover(plots, 0.6)
    eventually(lambda: readings(plots)[0] != "", "there is a reading")
    shown = [number(text) for text in readings(plots) + readings(plots, "chart-angular-rate")]
    rows = requests.get(f"{system.url}/history?format=json&seconds=10", timeout=5).json()["samples"]
    keys = ("ax", "ay", "az", "gx", "gy", "gz")
    places = (3, 3, 3, 2, 2, 2)
    measured = [
        [round(row[key], n) + 0.0 for key, n in zip(keys, places, strict=True)] for row in rows
    ]
    assert shown in measured


def test_pinned_cursor_shows_the_difference(plots: Visit) -> None:
    """After a click, the time and the values between it and the pointer are shown."""
    begins = 0.75 * width_of(plots.page, "ax")
    eventually(lambda: inked_columns(plots.page, "ax")[0] < begins, "the curve is long enough")
    button(plots, "Pause, or go back to live").click()
    hover(plots, 0.9)
    plots.page.mouse.down()
    plots.page.mouse.up()
    eventually(lambda: "" not in readings(plots), "it is read")
    pinned = [number(text) for text in readings(plots)]
    hover(plots, 0.8)
    eventually(lambda: re.search(DIFFERENT, plots.text("plots-note")) is not None, "a difference")
    found = re.search(DIFFERENT, plots.text("plots-note"))
    assert found is not None
    assert number(found[1]) == pytest.approx(-1 if found[2] == "s" else -1000, rel=0.02)
    for text, value, before in zip(
        plots.page.locator("#chart-acceleration .delta").all_inner_texts(),
        readings(plots),
        pinned,
        strict=True,
    ):
        assert number(text.removeprefix("Δ ")) == pytest.approx(number(value) - before, abs=0.002)


def test_fingers_set_two_cursors_and_take_them_away(system: System, visit: Open) -> None:
    """A tap sets one, a tap elsewhere the second one, and a tap on the pinned one removes both."""
    page = visit(system, viewport={"width": 400, "height": 900}, has_touch=True)
    eventually(lambda: len(inked_columns(page.page, "az")) > 10, "a curve is drawn")
    button(page, "Pause, or go back to live").click()
    page.page.locator(chart("ax")).scroll_into_view_if_needed()
    box = page.page.locator(chart("ax")).bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 3
    for share in (0.4, 0.8):
        page.page.touchscreen.tap(box["x"] + box["width"] * share, y)
        page.page.wait_for_timeout(500)  # two taps in a shorter time are a double one
    eventually(lambda: re.search(DIFFERENT, page.text("plots-note")) is not None, "a difference")
    page.page.touchscreen.tap(box["x"] + box["width"] * 0.4, y)
    eventually(lambda: page.text("plots-note") == "", "both are gone")


def test_cursor_is_in_all_plots(system: System, visit: Open) -> None:
    """Pointing at one plot reads all that are on screen."""
    page = visit(system, viewport={"width": 1280, "height": 1600})
    eventually(lambda: len(inked_columns(page.page, "temp")) > 10, "a curve is drawn")
    hover(page, 0.99)
    eventually(lambda: readings(page, "chart-temperature")[0] != "", "temperature is read")


# -- what is drawn ---------------------------------------------------------------------------------------------------


def test_spike_of_one_sample_is_seen_in_a_long_window(system: System, visit: Open) -> None:
    """One sample of two thousand, in a window of half an hour: its value is inked."""
    page = visit(system, prepare=saying(*stretch(2000, spike=700)))
    eventually(lambda: page.accounts().get("received") == "2000", "all of it has come")
    page.page.get_by_role("combobox", name="Window").select_option("30 min")

    def rows() -> list[int]:
        return [upper for upper, _ in inked(page.page, "ax").values()]

    eventually(lambda: len(rows()) > 5, "the curve is drawn")
    # Still it lies in the middle of the scale; the spike reaches far above.
    eventually(lambda: max(rows()) - min(rows()) > 60, "the spike is drawn")


def test_before_the_first_sample_there_is_empty_paper(idle_system: System, visit: Open) -> None:
    """The plots have their colour, their buttons their state, and zooming does no harm to what comes."""
    idle_system.start("server")
    eventually(lambda: get(idle_system.url + "/json")[0] == 503, "the server answers")
    page = visit(idle_system)
    expect(button(page, "Show ax")).to_have_attribute("aria-pressed", "true")
    assert window(page) == "10 s"
    corner = "(canvas) => [...canvas.getContext('2d').getImageData(60, 20, 1, 1).data]"
    eventually(lambda: page.page.locator(chart("ax")).evaluate(corner) == PAPER, "it is paper")
    page.page.locator(chart("ax")).focus()
    for key in ("+", "ArrowLeft", "Home", "[", "Enter", "Escape", "End"):
        page.page.keyboard.press(key)
    idle_system.start("producer")
    eventually(lambda: len(inked_columns(page.page, "az")) > 10, "a curve is drawn")
    # A 503 is expected here, and the test itself reads pictures back.
    expected = re.compile("503|readback")
    assert [text for text in page.complaints if not expected.search(text)] == []


def test_hidden_axis_is_not_drawn_and_stays_hidden(
    plots: Visit, system: System, visit: Open
) -> None:
    """The button of an axis takes it out of the plot, and the address keeps it out."""
    eventually(lambda: len(inked_columns(plots.page, "ay")) > 10, "it is drawn")
    button(plots, "Show ay").click()
    eventually(lambda: inked_columns(plots.page, "ay") == [], "it is gone")
    expect(button(plots, "Show ay")).to_have_attribute("aria-pressed", "false")
    assert "off=ay" in plots.page.url
    other = visit(system, prepare=lambda page: page.add_init_script("location.hash = 'off=ay'"))
    eventually(lambda: len(inked_columns(other.page, "ax")) > 10, "the others are drawn")
    assert inked_columns(other.page, "ay") == []


def test_gap_is_shown_with_its_reason(system: System, visit: Open) -> None:
    """Pointed at, a gap says what was lost and why."""
    before = [sample(seq) for seq in range(300)]
    after = [sample(seq) for seq in range(601, 900)]
    said = saying(*before, sample(600, gap=gap(299, 600, 300, "lapped")), *after)
    page = visit(system, prepare=said)
    eventually(lambda: page.accounts().get("received") == "600", "all of it is drawn")
    hover(page, 1 - 4.5 / 10)
    expect(page.page.locator("#plots-note")).to_contain_text(
        "300 samples (300 to 599) lost, lapped: the ring had moved on before they were read"
    )
    hover(page, 1 - 1 / 10)
    expect(page.page.locator("#plots-note")).not_to_contain_text("lost")


def test_clipped_samples_are_marked_and_named(system: System, visit: Open) -> None:
    """A legend names the mark while it is on screen, and only then."""
    page = visit(system, prepare=saying(*stretch(50), sample(50, flags=["clipped"])))
    notes = page.page.locator("#chart-acceleration .plot-notes")
    expect(notes).to_contain_text("clipped")
    expect(notes).not_to_contain_text("repeated")


def test_axes_apart_have_strips_of_their_own(plots: Visit) -> None:
    """Together the curves share a scale; apart, x is all above y, and y above z."""
    height = plots.page.locator(chart("ax")).evaluate("(canvas) => canvas.height")
    button(plots, "Axes apart, each in a strip of its own").click()
    expect(plots.page).to_have_url(re.compile("apart=1"))

    def in_order() -> bool:
        rows = [inked(plots.page, axis).values() for axis in ("ax", "ay", "az")]
        if not all(rows):
            return False
        tops = [min(upper for upper, _ in each) for each in rows]
        ends = [max(lower for _, lower in each) for each in rows]
        return ends[0] <= tops[1] and ends[1] <= tops[2]

    eventually(in_order, "each is in its strip")
    assert plots.page.locator(chart("ax")).evaluate("(canvas) => canvas.height") > height


def test_settings_of_the_address_are_restored(system: System, visit: Open) -> None:
    """Window, axes, strips, times and scale, as somebody sent them."""
    address = "span=5&off=ax.gz&apart=1&relative=1&scale-acceleration=-3..4&scale-temperature=range"
    page = visit(
        system, prepare=lambda page: page.add_init_script(f"location.hash ||= '{address}'")
    )
    expect_state(page, "live")
    assert window(page) == "5 s"
    assert page.page.get_by_role("combobox", name="Times").input_value() == "relative"
    for name in ("Show ax", "Show gz"):
        expect(button(page, name)).to_have_attribute("aria-pressed", "false")
    expect(button(page, "Axes apart, each in a strip of its own")).to_have_attribute(
        "aria-pressed", "true"
    )
    limits = page.page.locator("#chart-acceleration input")
    assert [limits.nth(i).input_value() for i in (0, 1)] == ["-3", "4"]
    scales = page.page.get_by_role("combobox", name="Scale")
    assert scales.nth(2).input_value() == "range"


def test_scale_by_hand_refuses_what_is_none(plots: Visit) -> None:
    """The lower limit must be below the upper one; until it is, the scale stays."""
    scale = plots.page.get_by_role("combobox", name="Scale").first
    scale.select_option("by hand")
    limits = plots.page.locator("#chart-acceleration input")
    limits.nth(0).fill("5")
    limits.nth(0).blur()
    assert limits.nth(0).evaluate("(input) => input.validationMessage").startswith("The lowest")
    assert "5.." not in plots.page.url
    limits.nth(0).fill("-2")
    limits.nth(0).blur()
    expect(plots.page).to_have_url(re.compile(r"scale-acceleration=-2\.\."))


def test_times_can_be_relative(plots: Visit) -> None:
    """The time axis is another one, and the choice is in the address."""
    button(plots, "Pause, or go back to live").click()
    plots.page.wait_for_timeout(1200)
    before = picture(plots, "ax")
    plots.page.get_by_role("combobox", name="Times").select_option("relative")
    eventually(lambda: picture(plots, "ax") != before, "the ticks are others")
    assert "relative=1" in plots.page.url


# -- for everybody ---------------------------------------------------------------------------------------------------


def test_plot_is_described_in_words(plots: Visit) -> None:
    """Its description names the quantity, the window and each axis, and how to move in it."""
    eventually(
        lambda: (
            re.match(
                r"Acceleration, last 10 s: x mean \S+ g, between \S+ and \S+; y", spoken(plots)
            )
            is not None
        ),
        "acceleration is described",
    )
    helped = plots.page.locator(chart("ax")).evaluate(
        "(canvas) => document.getElementById(canvas.getAttribute('aria-describedby')).textContent"
    )
    assert "Arrow keys" in helped


def test_attitude_says_why_there_is_none(system: System, visit: Open) -> None:
    """Instead of an empty plot there is a line of text."""
    page = visit(system, prepare=saying(sample(1)))
    page.page.locator("#chart-attitude").scroll_into_view_if_needed()
    expect(page.page.locator("#chart-attitude .plot-absent")).to_be_visible()
    expect(page.page.locator("#chart-attitude canvas")).to_be_hidden()


def test_picture_of_a_plot_has_its_title(plots: Visit) -> None:
    """The export is a PNG twice as fine as the screen, on paper, and not only of paper."""
    found: dict[str, Any] = plots.page.evaluate(
        """async () => {
          const { PlotsView } = await import("/static/view/plots.js");
          const { png } = await import("/static/view/plotpng.js");
          const { QUANTITIES } = await import("/static/view/quantities.js");
          const series = { each() {}, extremes: () => ({ least: -1, greatest: 1 }) };
          const scene = { series, timeline: { wall_s: (s) => s, t_s: (s) => s }, from_s: 1e9, span_s: 10, gaps: [],
            marks: [{ wall_s: 1e9 + 5, text: "here" }], off: new Set(), apart: false, relative: false, zero_s: 1e9, scale: "auto",
            cursor_s: NaN, pin_s: NaN, selection: null, fresh: true };
          const blob = await png(QUANTITIES[0], scene, { flags: ["simulated"], source: "sim" });
          const picture = await createImageBitmap(blob);
          return { type: blob.type, width: picture.width, height: picture.height, has: "plotPng" in PlotsView.prototype };
        }"""
    )
    assert found == {"type": "image/png", "width": 2400, "height": 1072, "has": True}
