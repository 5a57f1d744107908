"""Plots, spectrum, marks and export of the live page in Firefox, of a machine that vibrates at a known frequency."""

from __future__ import annotations

import functools
import json
import re
import shlex
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("websockets", reason="websockets is not installed")
pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from tests.helpers.programs import System, eventually, fresh_ring, get, running

from .scripted import chart, inked_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .firefox import Tab

VIBRATION_HZ = 87.0
VIBRATION_G = 0.2
RATE_HZ = 500
AXES = ("ax", "ay", "az")
LEVEL_DEG = 3.0  # 0.2 g along x shakes the estimate


@pytest.fixture(scope="module")
def machine() -> Iterator[System]:
    """The product with a machine that vibrates along x, with samples of five seconds."""
    device = f"sim:vibration={VIBRATION_HZ:g}@{VIBRATION_G:g}x"
    with fresh_ring() as ring, running(ring, device=device, rate=RATE_HZ) as system:
        eventually(lambda: int(system.json()["seq"]) > 5 * RATE_HZ, "there is a past")
        yield system


def opened(tab: Tab, system: System, settings: str = "") -> Tab:
    """Open the page with settings of its address, in a window high enough for all of it; wait until it is live."""
    tab.resize(1366, 3000)
    tab.go(f"{system.url}/#{settings}")
    eventually(lambda: tab.state() == "live", "the page is live")
    return tab


def focus(tab: Tab, selector: str) -> None:
    tab.evaluate("(selector) => document.querySelector(selector).focus()", selector)


def window(tab: Tab) -> str:
    """The length of the window on screen, in words."""
    selected = (
        "() => document.querySelector('#toolbar select').selectedOptions[0].textContent.trim()"
    )
    return str(tab.evaluate(selected))


def is_drawn(tab: Tab, axis: str) -> bool:
    """Tell whether the curve of an axis goes through a third of its chart's width at least."""
    width = tab.evaluate("(selector) => document.querySelector(selector).width", chart(axis))
    return len(inked_columns(tab, axis)) > int(width) / 3


def picture(tab: Tab) -> str:
    """All that is drawn in the chart of the acceleration."""
    drawn = "(selector) => document.querySelector(selector).toDataURL()"
    return str(tab.evaluate(drawn, chart("ax")))


def readings(tab: Tab, kind: str = "reading") -> list[str]:
    """What the legend of the acceleration shows at the cursor."""
    texts = "(selector) => [...document.querySelectorAll(selector)].map((all) => all.textContent)"
    return list(tab.evaluate(texts, f"#chart-acceleration .{kind}"))


def number(text: str) -> float:
    return float(text.replace("\N{MINUS SIGN}", "-"))


def choose(tab: Tab, ident: str, value: str) -> None:
    """Choose an entry of a list, as a person does."""
    tab.evaluate(
        """([id, value]) => {
          const select = document.getElementById(id);
          select.value = value;
          select.dispatchEvent(new Event("change", { bubbles: true }));
        }""",
        [ident, value],
    )


def test_plots_draw(machine: System, tab: Tab) -> None:
    """Each chart has a curve, most of which was there before the page was opened."""
    opened(tab, machine)
    for axis in ("ax", "gy", "temp"):
        eventually(functools.partial(is_drawn, tab, axis), f"{axis} is drawn")
    assert tab.complaints == []


def test_attitude_is_shown(machine: System, tab: Tab) -> None:
    """A machine that lies level has no roll and no pitch."""
    opened(tab, machine)

    def is_level() -> bool:
        return max(abs(tab.number("roll")), abs(tab.number("pitch"))) < LEVEL_DEG

    eventually(is_level, "roll and pitch are about 0")


def test_pause_holds_the_picture(machine: System, tab: Tab) -> None:
    """After a click on the button not a pixel changes, while samples go on coming; after another the paper moves."""
    opened(tab, machine)
    eventually(lambda: is_drawn(tab, "ax"), "it is drawn")
    tab.click("plots-live")
    eventually(lambda: tab.text("plots-live") == "Live", "it is paused")
    received = int(tab.accounts()["received"])
    later = received + 2 * RATE_HZ  # by then the past has come, too
    eventually(lambda: int(tab.accounts()["received"]) > later, "the samples go on")
    before = picture(tab)
    later += RATE_HZ // 2
    eventually(lambda: int(tab.accounts()["received"]) > later, "the samples go on")
    assert picture(tab) == before
    tab.click("plots-live")
    eventually(lambda: picture(tab) != before, "it moves")


def test_keys_move_in_time(machine: System, tab: Tab) -> None:
    """In a plot that has the focus, plus and minus zoom, an arrow pans, and Space goes back to live."""
    opened(tab, machine)
    focus(tab, chart("ax"))
    eventually(lambda: is_drawn(tab, "ax"), "there is a window to zoom")
    assert window(tab) == "10 s"
    tab.press("+")
    eventually(lambda: window(tab) == "6.667 s", "plus zooms in")
    tab.press("-")
    eventually(lambda: window(tab) == "10 s", "minus zooms out")
    tab.press("ArrowLeft")
    eventually(lambda: tab.text("plots-live") == "Live", "an arrow goes to the past")
    tab.press(" ")
    eventually(lambda: tab.text("plots-live") == "Pause", "Space goes on")


def test_cursors_read_the_samples_of_the_history(machine: System, tab: Tab) -> None:
    """Set with a bracket, the cursor shows what /history has; pinned, and moved, the difference between the two."""
    opened(tab, machine, "span=1")
    eventually(lambda: is_drawn(tab, "ax"), "there is something to read")
    focus(tab, chart("ax"))
    tab.press(" ")
    eventually(lambda: tab.text("plots-live") == "Live", "it is paused")
    tab.press("[")
    eventually(lambda: "" not in readings(tab), "it is read")
    first = [number(text) for text in readings(tab)]
    _, text = get(f"{machine.url}/history?format=json&seconds=10")
    measured = [[round(row[key], 3) + 0.0 for key in AXES] for row in json.loads(text)["samples"]]
    assert first in measured
    tab.press("Enter")
    tab.press("{")
    eventually(lambda: "Δ" in tab.text("plots-note"), "there is a difference")
    second = [number(text) for text in readings(tab)]
    shown = [number(text.removeprefix("Δ ")) for text in readings(tab, "delta")]
    assert shown == pytest.approx([b - a for a, b in zip(first, second, strict=True)], abs=0.002)
    tab.press("Escape")
    eventually(lambda: tab.text("plots-note") == "", "both are gone")


def test_spectrum_has_its_peak_where_the_machine_vibrates(machine: System, tab: Tab) -> None:
    """The strongest peak has the frequency of the vibration within a bin, and its height within 1 %."""
    opened(tab, machine, "spectrum=1")

    def is_right() -> bool:
        bin_hz = re.search(r"a bin is ([\d.]+) Hz", tab.text("sp-words"))
        peak = re.search(r"([\d.]+) Hz ([\d.e-]+) g", tab.text("sp-peaks"))
        if bin_hz is None or peak is None:
            return False
        apart_hz, height = abs(float(peak[1]) - VIBRATION_HZ), float(peak[2])
        return apart_hz < float(bin_hz[1]) and abs(height / VIBRATION_G - 1) < 0.01

    eventually(is_right, "the peak is there")
    assert tab.complaints == []


def test_marks_outlive_a_reload(machine: System, tab: Tab) -> None:
    """A mark set with a key is still there after the page was loaded again."""
    texts = "() => [...document.querySelectorAll('#marks-list input')].map(({ value }) => value)"
    opened(tab, machine)
    eventually(lambda: tab.number("value-az") > 0, "there is a time to mark")
    tab.press("m")
    eventually(lambda: tab.evaluate(texts) == ["Mark 1"], "it is listed")
    tab.reload()
    eventually(lambda: tab.evaluate(texts) == ["Mark 1"], "it is still listed")


def test_export_has_the_samples_of_the_ring(machine: System, tab: Tab) -> None:
    """The address that an export has is of the paused window: every sample of its ten seconds, in order."""
    opened(tab, machine)
    eventually(lambda: tab.number("rate") > 0, "samples come")
    tab.click("plots-live")
    eventually(lambda: tab.text("plots-live") == "Live", "it is paused")
    choose(tab, "export-what", "samples.ndjson")
    eventually(
        lambda: not tab.evaluate("() => document.getElementById('export-curl').disabled"),
        "there is a command for it",
    )
    tab.click("export-curl")
    command = str(tab.evaluate("() => document.getElementById('export-text').value"))
    status, text = get(shlex.split(command)[-1])
    assert status == 200
    rows = [json.loads(line) for line in text.splitlines()]
    numbers = [row["seq"] for row in rows]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    span_s = (rows[-1]["t_ns"] - rows[0]["t_ns"]) / 1e9
    assert 4 < span_s <= 10.01
    assert rows[-1] == json.loads(
        get(f"{machine.url}/history?format=ndjson&from={rows[-1]['time']}")[1].splitlines()[0]
    )
