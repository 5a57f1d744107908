"""Statistics in a real browser: the numbers are those of the ring."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import expect

from .windows import AXES, SPAN_S, rows, standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.helpers.programs import System

    from .conftest import Visit

    Open = Callable[..., Visit]

NOT_KNOWN = "\N{EN DASH}"


def figure(text: str) -> float:
    return float(text.replace("\N{MINUS SIGN}", "-"))


def test_statistics_of_a_standing_window_are_those_of_its_samples(
    system: System, visit: Open
) -> None:
    """At 100 Hz the page itself has means only, so it asks for the samples."""
    page = standing(visit(system), system.url)
    expect(page.locator("#statistics-of")).to_contain_text("from each sample")
    samples = rows(system.url, page)
    expect(page.locator("#statistics-of")).to_contain_text(f"{len(samples)} samples in {SPAN_S} s")
    for axis in AXES:
        values = [sample[axis] for sample in samples]
        wanted = {
            "mean": statistics.fmean(values),
            "deviation": statistics.pstdev(values),
            "least": min(values),
            "greatest": max(values),
            "rms": statistics.fmean(value**2 for value in values) ** 0.5,
        }
        for name, value in wanted.items():
            text = page.locator(f"#{axis}-{name}").inner_text()
            decimals = len(text.partition(".")[2])
            assert decimals >= 3
            assert figure(text) == pytest.approx(value, abs=0.51 * 10**-decimals)


def test_statistics_of_a_moving_window_come_from_the_curves(system: System, visit: Open) -> None:
    """While the window moves, deviations are known as soon as all of it came by the stream."""
    visited = visit(system)
    expect(visited.page.locator("#statistics-of")).to_contain_text("from the points of the curves")
    expect(visited.page.locator("#ax-deviation")).not_to_have_text(NOT_KNOWN)
    assert 0.9 < visited.number("az-mean") < 1.1
    assert visited.number("az-least") <= visited.number("az-mean") <= visited.number("az-greatest")
    assert visited.complaints == []
