"""Marks in a real browser: made, edited, removed, jumped to, kept, and shared with other tabs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Page, expect

from .scripted import expect_state, wait_for_newer
from .windows import address, parameters, saved, standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.helpers.programs import System

    from .conftest import Visit

    Open = Callable[..., Visit]

NO_STORAGE = """
Object.defineProperty(window, "localStorage", { get: () => { throw new Error("SecurityError"); } });
"""
FULL_STORAGE = """
Storage.prototype.setItem = () => { throw new Error("QuotaExceededError"); };
"""


def texts(page: Page) -> list[str]:
    """The texts of the marks in the list, newest first."""
    found: list[str] = page.locator("#marks-list input").evaluate_all(
        "(fields) => fields.map((field) => field.value)"
    )
    return found


def expect_marks(page: Page, count: int) -> None:
    expect(page.locator("#marks-list li")).to_have_count(count)


def opened(system: System, visit: Open, **options: object) -> Visit:
    page = visit(system, **options)
    expect_state(page, "live")
    wait_for_newer(page)
    return page


def test_marks_outlive_a_reload_with_their_edits(system: System, visit: Open) -> None:
    """A key or a tap makes one; its text is edited in place; what was removed stays removed."""
    page = opened(system, visit).page
    page.keyboard.press("m")
    page.locator("#mark-add").click()
    page.keyboard.press("m")
    expect_marks(page, 3)
    assert texts(page) == ["Mark 3", "Mark 2", "Mark 1"]
    times = page.locator("#marks-list button:first-child").all_inner_texts()
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d\.\d", time) for time in times)

    page.locator("#marks-list input").nth(0).fill("door, mmm")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Remove the mark").nth(1).click()
    expect_marks(page, 2)
    page.reload()
    expect_marks(page, 2)
    assert texts(page) == ["door, mmm", "Mark 1"]


def test_other_tabs_see_marks_and_keep_them(system: System, visit: Open) -> None:
    """Two tabs write into one list, and neither loses what the other one wrote."""
    here = opened(system, visit).page
    there = here.context.new_page()
    there.goto(system.url)
    here.keyboard.press("m")
    expect_marks(there, 1)
    there.locator("#marks-list input").fill("seen there")
    there.keyboard.press("Enter")
    expect(here.locator("#marks-list input")).to_have_value("seen there")
    here.bring_to_front()
    here.keyboard.press("m")
    expect_marks(there, 2)


def test_jump_shows_the_time_around_a_mark(system: System, visit: Open) -> None:
    """The window stands then, and the mark is in its middle."""
    page = opened(system, visit).page
    page.keyboard.press("m")
    page.locator("#marks-list button:first-child").click()
    expect(page.locator("#statistics-of")).to_contain_text("in 10 s")
    page.keyboard.press("m")  # in a window that stands, without a cursor: in the middle
    expect_marks(page, 2)
    first, second = page.locator("#marks-list button:first-child").all_inner_texts()
    assert first == second


@pytest.mark.parametrize("storage", [NO_STORAGE, FULL_STORAGE], ids=["none", "full"])
def test_without_a_storage_it_is_said_that_marks_end_with_the_page(
    system: System, visit: Open, storage: str
) -> None:
    """Marks work all the same, and the page has nothing to complain about."""
    visited = opened(system, visit, prepare=lambda page: page.add_init_script(storage))
    visited.page.keyboard.press("m")
    visited.page.keyboard.press("m")
    expect_marks(visited.page, 2)
    expect(visited.page.locator("#marks-note")).to_contain_text("these end with this page")
    assert visited.complaints == []


def test_mark_in_a_standing_window_is_where_the_cursor_is(system: System, visit: Open) -> None:
    """The key makes one mark, whether a plot has the focus or not."""
    page = standing(visit(system), system.url)
    window = parameters(address(page))
    middle_s = (float(window["from"]) + float(window["to"])) / 2
    canvas = page.locator("#chart-acceleration canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    page.wait_for_timeout(200)
    page.locator("#export-save").press("m")
    canvas.press("m")
    expect(page.locator("#marks-list li")).to_have_count(3)
    marks = json.loads(saved(page, "marks.json")[1])["marks"]
    assert [mark["time"] - middle_s > 0.5 for mark in marks] == [False, True, True]
