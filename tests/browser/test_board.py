"""The board is drawn as it lies, or the page says why it is not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import expect

from .scripted import sample, saying

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.helpers.programs import System

    from .conftest import Visit

    Open = Callable[..., Visit]


TALL = {"width": 1280, "height": 2000}  # all of the page is in sight


def turned(yaw: float, flags: tuple[str, ...] = ()) -> str:
    """A sample of a level board that was turned to the left."""
    half = math.radians(yaw) / 2
    q = [math.cos(half), 0, 0, math.sin(half)]
    linear = {"ax": 0, "ay": 0, "az": 0}
    attitude = {"q": q, "roll": 0, "pitch": 0, "yaw": yaw, "linear": linear}
    return sample(1, attitude=attitude, flags=list(flags))


def picture(visit: Visit) -> str:
    """What is drawn, to be compared."""
    drawn: str = visit.page.evaluate("() => document.getElementById('picture').toDataURL()")
    return drawn


def test_the_board_is_drawn_as_it_lies(system: System, visit: Open) -> None:
    """Angles, picture and label are those of the attitude; the yaw can be reset, with button or key."""
    page = visit(system, prepare=saying(turned(30)), viewport=TALL)
    expect(page.page.locator("#yaw")).to_have_text("+30.0")
    expect(page.page.locator("#roll")).to_have_text("0.0")
    expect(page.page.locator("#trust")).to_have_text("settled")
    expect(page.page.locator("#picture")).to_have_attribute(
        "aria-label", "The board, seen from the south and above: roll 0°, pitch 0°, yaw 30°"
    )
    before = picture(page)
    page.page.locator("#reset-yaw").click()
    expect(page.page.locator("#yaw")).to_have_text("0.0")
    assert picture(page) != before
    assert page.page.url.endswith("yaw0=30")
    page.page.evaluate("() => { location.hash = ''; }")
    expect(page.page.locator("#yaw")).to_have_text("+30.0")
    page.page.keyboard.press("y")
    expect(page.page.locator("#yaw")).to_have_text("0.0")


def test_what_is_doubtful_about_an_attitude_is_said(system: System, visit: Open) -> None:
    """In words, for as long as it takes to read them."""
    page = visit(system, prepare=saying(turned(30, ("attitude_bias",))), viewport=TALL)
    expect(page.page.locator("#trust")).to_contain_text("the gyroscope's bias is not known yet")
    expect(page.page.locator("#trust")).to_have_text("settled")


def test_without_an_attitude_the_page_says_how_to_get_one(system: System, visit: Open) -> None:
    """No board is drawn that nobody knows the attitude of."""
    page = visit(system, prepare=saying(sample(1)), viewport=TALL)
    expect(page.page.locator("#trust")).to_have_text("These samples have none.")
    expect(page.page.locator("#get-attitude")).to_contain_text(
        'pip install "trio-mpu[orientation]"'
    )
    for hidden in ("#picture", "#reset-yaw", "#relative"):
        expect(page.page.locator(hidden)).to_be_hidden()


def test_a_board_out_of_sight_is_not_drawn(system: System, visit: Open) -> None:
    """What nobody sees costs nothing; scrolled to, it is there."""
    page = visit(system, prepare=saying(turned(30)), viewport={"width": 1280, "height": 300})
    expect(page.page.locator("#source")).to_have_text("i2c:1:0x68")
    page.page.wait_for_timeout(1000)  # several paintings
    assert page.text("yaw") == "\N{EN DASH}"
    page.page.locator("#attitude").scroll_into_view_if_needed()
    expect(page.page.locator("#yaw")).to_have_text("+30.0")


def test_a_paused_page_shows_how_the_board_lay(system: System, visit: Open) -> None:
    """At the end of the window on screen, where there is an attitude in it."""
    page = visit(system, prepare=saying(turned(30)), viewport=TALL)
    expect(page.page.locator("#yaw")).to_have_text("+30.0")
    page.page.get_by_role("button", name="Pause").click()
    page.page.locator("#reset-yaw").click()
    expect(page.page.locator("#yaw")).to_have_text("0.0")
    plot = page.page.locator("#chart-attitude canvas").first
    plot.focus()
    for _ in range(30):
        plot.press("Shift+ArrowLeft")
    expect(page.page.locator("#trust")).to_have_text("No attitude was stored for this time.")
