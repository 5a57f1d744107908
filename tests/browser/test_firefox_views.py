"""Plots, spectrum, marks and export of the live page in Firefox, of a machine that vibrates at a known frequency."""

from __future__ import annotations

import functools
import json
import re
import shlex
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("websockets", reason="websockets is not installed")

from tests.helpers.programs import System, eventually, fresh_ring, get, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .firefox import Tab

VIBRATION_HZ = 87.0
RATE_HZ = 500
RESOLUTION_HZ = 2.0  # of the spectrum; what is found between two of its lines is closer

# How many of the pixel columns of the canvas in an element hold ink: neither paper, nor as pale as the grid.
INKED_COLUMNS = """(chart) => {
  const canvas = document.querySelector(`#chart-${chart} canvas`);
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const colours = ["--x", "--y", "--z", "--t"].map((name) => {
    const value = getComputedStyle(document.body).getPropertyValue(name).trim();
    return value.match(/\\w\\w/g).map((part) => parseInt(part, 16));
  });
  const isInk = (i) => colours.some((ink) => ink.every((part, k) => Math.abs(part - data[i + k]) < 24));
  let columns = 0;
  for (let x = 46; x < width; x += 1) { // right of the figures of the scale
    for (let y = 0; y < height; y += 1) {
      if (isInk(4 * (y * width + x))) { columns += 1; break; }
    }
  }
  return columns / (width - 46);
}"""


@pytest.fixture(scope="module")
def machine() -> Iterator[System]:
    """The product with a machine that vibrates along x, with samples of five seconds."""
    device = f"sim:vibration={VIBRATION_HZ:g}@0.2x"
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


def is_drawn(tab: Tab, chart: str) -> bool:
    """Tell whether a curve goes through a third of a chart's width at least."""
    return bool(tab.evaluate(INKED_COLUMNS, chart) > 1 / 3)


def picture(tab: Tab, chart: str) -> str:
    """All that is drawn in a chart."""
    drawn = "(chart) => document.querySelector(`#chart-${chart} canvas`).toDataURL()"
    return str(tab.evaluate(drawn, chart))


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
    for chart in ("acceleration", "angular-rate", "temperature"):
        eventually(functools.partial(is_drawn, tab, chart), f"{chart} is drawn")
    assert tab.complaints == []


def test_pause_holds_the_picture(machine: System, tab: Tab) -> None:
    """After a click on the button not a pixel changes, while samples go on coming; after another the paper moves."""
    opened(tab, machine)
    eventually(lambda: is_drawn(tab, "acceleration"), "it is drawn")
    tab.click("plots-live")
    eventually(lambda: tab.text("plots-live") == "Live", "it is paused")
    received = int(tab.accounts()["received"])
    later = received + 2 * RATE_HZ  # by then the past has come, too
    eventually(lambda: int(tab.accounts()["received"]) > later, "the samples go on")
    before = picture(tab, "acceleration")
    later += RATE_HZ // 2
    eventually(lambda: int(tab.accounts()["received"]) > later, "the samples go on")
    assert picture(tab, "acceleration") == before
    tab.click("plots-live")
    eventually(lambda: picture(tab, "acceleration") != before, "it moves")


def test_keys_move_in_time(machine: System, tab: Tab) -> None:
    """In a plot that has the focus, plus and minus zoom, an arrow pans, and Space goes back to live."""
    opened(tab, machine)
    focus(tab, "#chart-acceleration canvas")
    eventually(lambda: window(tab) == "10 s", "the window has its usual length")
    tab.press("+")
    eventually(lambda: window(tab) == "6.667 s", "plus zooms in")
    tab.press("-")
    eventually(lambda: window(tab) == "10 s", "minus zooms out")
    tab.press("ArrowLeft")
    eventually(lambda: tab.text("plots-live") == "Live", "an arrow goes to the past")
    tab.press(" ")
    eventually(lambda: tab.text("plots-live") == "Pause", "Space goes on")


def test_spectrum_has_its_peak_where_the_machine_vibrates(machine: System, tab: Tab) -> None:
    """The strongest peak is at the frequency of the vibration."""
    opened(tab, machine, "spectrum=1&sp-last=2")

    def strongest_hz() -> float:
        found = re.search(r"([\d.]+) Hz", tab.text("sp-peaks"))
        return float(found[1]) if found else 0.0

    eventually(lambda: abs(strongest_hz() - VIBRATION_HZ) < RESOLUTION_HZ, "the peak is there")
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
