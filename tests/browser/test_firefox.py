"""The live page in Firefox, before the real product: what must hold in each browser, and what only Firefox can show.

Its tabs are hidden in earnest when another one comes to the front, which Chromium's are not when it is driven.
"""

from __future__ import annotations

import contextlib
import functools
import signal
import struct
import zlib
from typing import TYPE_CHECKING

import pytest
import requests

pytest.importorskip("websockets", reason="websockets is not installed")
pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from tests.helpers.programs import PATIENCE_S, System, eventually

from .scripted import assert_balanced, wait_for_newer

if TYPE_CHECKING:
    from .firefox import Firefox, Tab

AXES = ("ax", "ay", "az", "gx", "gy", "gz", "temp")
WINDOWS_PX = {"phone": (450, 740), "desktop": (1366, 768)}  # Firefox has none narrower than 450
TABS = 12  # twice as many as a browser opens connections to one server


def expect_state(tab: Tab, *states: str) -> None:
    eventually(lambda: tab.state() in states, f"the page is {' or '.join(states)}")


def opened(tab: Tab, system: System) -> Tab:
    """Open the page and wait until it is live."""
    tab.go(system.url)
    expect_state(tab, "live")
    return tab


def changed(tab: Tab, axis: str, before: str) -> bool:
    """Tell whether the figure of an axis is another one by now."""
    return tab.text(f"value-{axis}") != before


def newest(system: System) -> int:
    """The number of the newest sample that the server has."""
    return int(system.json().get("seq", 0))


def sequence(tab: Tab) -> int:
    """The number of the newest sample that the page has taken."""
    return int(tab.accounts()["lastId"].rpartition("-")[2])


def image_rows(png: bytes) -> list[bytes]:
    """The rows of a PNG as they are stored: each is a filter's number and what it left of the pixels."""
    data, at = b"", len(b"\x89PNG\r\n\x1a\n")
    height = struct.unpack(">I", png[20:24])[0]
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at : at + 8])
        if kind == b"IDAT":
            data += png[at + 8 : at + 8 + size]
        at += size + 12
    pixels = zlib.decompress(data)
    stride = len(pixels) // height
    return [pixels[start : start + stride] for start in range(0, len(pixels), stride)]


def test_figures_are_live(shared_system: System, tab: Tab) -> None:
    """The page goes live, each figure changes by itself, and gravity shows as about 1 g along z."""
    opened(tab, shared_system)
    for axis in AXES:
        eventually(
            functools.partial(changed, tab, axis, tab.text(f"value-{axis}")), f"{axis} changes"
        )
    eventually(lambda: 0.7 < tab.number("value-az") < 1.3, "az is about 1 g")
    eventually(lambda: 95 < tab.number("rate") < 105, "the rate is about 100 Hz")


def test_figures_are_those_of_json(system: System, tab: Tab) -> None:
    """When the samples have stopped, each figure on the page is the one that /json has."""
    opened(tab, system)
    system.kill("producer", signal.SIGTERM)
    expect_state(tab, "stopped")
    for axis, value in system.json()["sample"].items():
        half_a_digit = 0.00501 if axis in {"gx", "gy", "gz", "temp"} else 0.000501

        def is_shown(axis: str = axis, value: float = value, most: float = half_a_digit) -> bool:
            return abs(tab.number(f"value-{axis}") - value) <= most

        eventually(is_shown, f"{axis} is that of /json")


def test_page_is_complete_in_itself(shared_system: System, tab: Tab) -> None:
    """The page asks its own server only, and the browser has nothing to complain about."""
    opened(tab, shared_system)
    wait_for_newer(tab)
    assert tab.requests
    assert [url for url in tab.requests if not url.startswith((shared_system.url, "data:"))] == []
    assert tab.complaints == []


def test_page_keeps_up_with_a_thousand_samples_a_second(idle_system: System, tab: Tab) -> None:
    """At 1,000 Hz the page takes every sample and stays within a quarter of a second of the server."""
    idle_system.start("producer", "--rate", "1000")
    idle_system.start("server")
    idle_system.wait()
    opened(tab, idle_system)
    eventually(lambda: int(tab.accounts()["received"]) > 2000, "2,000 samples reach the page")
    eventually(
        lambda: newest(idle_system) - sequence(tab) < 250, "the page is close behind the server"
    )
    accounts = tab.accounts()
    taken = int(accounts["lastId"].rpartition("-")[2]) - int(accounts["firstSeq"]) + 1
    # What a busy machine's producer did not measure has no numbers.
    assert (int(accounts["received"]), accounts["repeats"]) == (taken, "0")


def test_killed_server_costs_no_sample(system: System, tab: Tab) -> None:
    """After the server was killed and started again the page resumes without a reload, a repeat or a loss."""
    opened(tab, system)
    system.kill("server")
    expect_state(tab, "offline")
    system.start("server")
    expect_state(tab, "live")
    resumed = sequence(tab)
    eventually(lambda: sequence(tab) > resumed + 50, "the samples go on")
    assert assert_balanced(tab)["gaps"] == "0"


def test_killed_producer_shows_and_returns(system: System, tab: Tab) -> None:
    """The page says that the samples have stopped, and goes on with the next producer, without a reload."""
    opened(tab, system)
    system.kill("producer", signal.SIGKILL)
    expect_state(tab, "stopped", "stale")
    system.start("producer")
    expect_state(tab, "live")
    eventually(lambda: tab.accounts()["gaps"] == "1", "it says what nobody measured")
    assert tab.accounts()["repeats"] == "0"


def test_full_server_is_tried_again(system: System, firefox: Firefox, tab: Tab) -> None:
    """A page that finds no place says so, and gets in when there is one."""
    opened(tab, system)
    firefox.tab(beside=tab)  # so that the other client is first
    expect_state(tab, "paused")
    system.kill("server", signal.SIGTERM)
    system.start("server", "--max-clients", "1")
    system.wait()
    with contextlib.ExitStack() as stack:

        def takes_the_place() -> bool:
            answer = requests.get(f"{system.url}/events", stream=True, timeout=PATIENCE_S)
            stack.callback(answer.close)
            return answer.status_code == 200

        eventually(takes_the_place, "another client has the only place")
        tab.to_front()
        expect_state(tab, "offline")
        eventually(lambda: "client" in tab.text("connection-reason"), "it says why")
    expect_state(tab, "live")
    wait_for_newer(tab)
    assert_balanced(tab)


def test_hidden_tab_holds_no_stream_and_resumes_by_id(
    shared_system: System, firefox: Firefox, tab: Tab
) -> None:
    """A tab behind another one frees its connection; in front again soon, it takes up after its last sample."""
    opened(tab, shared_system)
    wait_for_newer(tab)
    firefox.tab(beside=tab)
    expect_state(tab, "paused")
    before, streams = sequence(tab), len(tab.streams())
    eventually(lambda: newest(shared_system) > before + 50, "the producer goes on")
    assert (sequence(tab), len(tab.streams())) == (before, streams)

    tab.to_front()
    expect_state(tab, "live")
    wait_for_newer(tab)
    assert len(tab.streams()) == streams + 1
    # What it took last it had no more time to paint.
    assert int(tab.streams()[-1].rpartition("-")[2]) >= before
    assert assert_balanced(tab)["gaps"] == "0"


def test_of_twelve_tabs_the_front_one_holds_a_stream(
    shared_system: System, firefox: Firefox, tab: Tab
) -> None:
    """More tabs than a browser opens connections take no place of each other, and each is live when it is in front."""
    tabs = [tab, *(firefox.tab(beside=tab) for _ in range(TABS - 1))]
    for each in tabs:
        each.to_front()
        opened(each, shared_system)
    for each in (tabs[0], tabs[7], tabs[-1]):
        each.to_front()
        expect_state(each, "live")
        wait_for_newer(each)
        assert assert_balanced(each)["gaps"] == "0"
        behind = {other.state() for other in tabs if other is not each}
        assert behind == {"paused"}
        eventually(lambda: shared_system.streams_open() == 1, "the others hold no stream")


def test_page_that_is_gone_back_to_is_live(shared_system: System, tab: Tab) -> None:
    """After another page was looked at, the live page goes on as it was, or begins anew; it does not stand still."""
    opened(tab, shared_system)
    tab.go(f"{shared_system.url}/healthz")
    tab.move(-1)
    expect_state(tab, "live")
    wait_for_newer(tab)
    assert_balanced(tab)


@pytest.mark.parametrize("window", list(WINDOWS_PX))
def test_page_fits_its_window_and_is_painted(shared_system: System, tab: Tab, window: str) -> None:
    """On a phone and on a desktop nothing sticks out sideways, and there is a picture: most of its rows differ."""
    tab.resize(*WINDOWS_PX[window])
    opened(tab, shared_system)
    wait_for_newer(tab)
    assert tab.evaluate(
        "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    rows = image_rows(tab.screenshot())
    assert len(set(rows)) > len(rows) / 4
