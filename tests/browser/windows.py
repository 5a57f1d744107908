"""A window of time on the page that stands, and the files that are made of it."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from tests.helpers.programs import eventually, get

from .scripted import expect_state, wait_for_newer

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from .conftest import Visit

AXES = ("ax", "ay", "az", "gx", "gy", "gz", "temp")
SPAN_S = 2.005  # around a sample: its ends are between samples, at 50 and at 100 Hz


def standing(visited: Visit, url: str, span_s: float = SPAN_S) -> Page:
    """The page with a window that stands, around a mark, and of which all has been measured."""
    page = visited.page
    page.goto(f"{url}/?#span={span_s}")
    expect_state(visited, "live")
    wait_for_newer(visited)
    page.wait_for_timeout(1000 * span_s)
    page.keyboard.press("m")
    page.locator("#marks-list button:first-child").first.click()
    to_s = float(parameters(address(page))["to"])
    eventually(lambda: json.loads(get(f"{url}/json")[1])["time"] > to_s + 0.2, "it is measured")
    return page


def choose(page: Page, what: str) -> None:
    page.locator("#export-what").select_option(what)


def command(page: Page, what: str = "samples.csv") -> str:
    """The command that is copied for an export."""
    choose(page, what)
    page.locator("#export-curl").click()
    return page.locator("#export-text").input_value()


def address(page: Page, what: str = "samples.csv") -> str:
    return shlex.split(command(page, what))[-1]


def parameters(url: str) -> dict[str, str]:
    return dict(part.split("=") for part in url.partition("?")[2].split("&"))


def saved(page: Page, what: str) -> tuple[str, bytes]:
    """The name and the content of the file that an export makes."""
    choose(page, what)
    with page.expect_download() as waiting:
        page.locator("#export-save").click()
    return waiting.value.suggested_filename, waiting.value.path().read_bytes()


def rows(url: str, page: Page) -> list[dict[str, Any]]:
    """The samples of the window, taken from all that the ring has, without the server's selection."""
    window = parameters(address(page))
    samples: list[dict[str, Any]] = json.loads(get(f"{url}/history?format=json")[1])["samples"]
    return [row for row in samples if float(window["from"]) <= row["time"] < float(window["to"])]
