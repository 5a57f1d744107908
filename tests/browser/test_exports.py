"""Statistics and exports in a real browser: the numbers are those of the ring, and the files have all of them."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import shutil
import statistics
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import requests

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Page, expect

from tests.helpers.programs import PATIENCE_S, System, eventually, get

from .scripted import expect_state, wait_for_newer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .conftest import Visit

    Open = Callable[..., Visit]

AXES = ("ax", "ay", "az", "gx", "gy", "gz", "temp")
SPAN_S = 2
NOT_KNOWN = "\N{EN DASH}"


@pytest.fixture
def slow(ring_name: str) -> Iterator[System]:
    """A system at 50 Hz, of which the page has every sample."""
    with System(ring_name, rate=50) as system:
        system.start("producer")
        system.start("server")
        system.wait()
        yield system


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


def nearly(value: float) -> object:
    """What the stream has of a number: seven significant digits, where a row has nine."""
    return pytest.approx(value, rel=6e-7)


def figure(text: str) -> float:
    return float(text.replace("\N{MINUS SIGN}", "-"))


def test_statistics_of_a_standing_window_are_those_of_its_samples(
    system: System, visit: Open
) -> None:
    """At 100 Hz the page itself has means only, so it asks for the samples."""
    page = standing(visit(system), system.url)
    expect(page.locator("#statistics-of")).to_contain_text("from each sample")
    samples = rows(system.url, page)
    expect(page.locator("#statistics-of")).to_contain_text(f"{len(samples)} samples in 2 s")
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


def test_what_is_shown_is_saved_as_it_is_in_the_ring(slow: System, visit: Open) -> None:
    """Every point is one sample here, in each format, and the mark is among them."""
    page = standing(visit(slow), slow.url)
    samples = rows(slow.url, page)
    name, data = saved(page, "shown.csv")
    assert re.fullmatch(r"trio-mpu_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ_2s_shown\.csv", name)
    points = list(csv.DictReader(io.StringIO(data.decode())))
    # One right at an end of the window may belong to it or not: by which clock it is seen.
    begin_s, end_s = float(points[0]["time"]) - 0.01, float(points[-1]["time"]) + 0.01
    samples = [sample for sample in samples if begin_s < sample["time"] < end_s]
    assert 99 <= len(points) == len(samples)
    for point, sample in zip(points, samples, strict=True):
        assert float(point["time"]) == pytest.approx(sample["time"], abs=1e-3)
        assert point["n"] == "1"
        for axis in AXES:
            (value,) = {float(point[f"{part}_{axis}"]) for part in ("min", "mean", "max")}
            assert value == nearly(sample[axis])
    assert [point["mark"] for point in points if point["mark"]] == ["Mark 1"]

    shown = json.loads(saved(page, "shown.json")[1])
    lines = [json.loads(line) for line in saved(page, "shown.ndjson")[1].splitlines()]
    wanted = [nearly(sample["gz"]) for sample in samples]
    assert [point["mean"]["gz"] for point in shown["points"]] == wanted
    assert [line["mean"]["gz"] for line in lines if "n" in line] == wanted
    assert [line["mark"] for line in lines if "mark" in line] == ["Mark 1"]
    assert shown["marks"] == [line for line in lines if "mark" in line]
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)


def test_marks_are_a_file_of_their_own(slow: System, visit: Open) -> None:
    """Beside every sample, which the server knows no marks of."""
    page = standing(visit(slow), slow.url)
    page.locator("#marks-list input").fill('the "door", slammed')
    page.keyboard.press("Enter")
    name, data = saved(page, "marks.csv")
    assert name.endswith("_2s_marks.csv")
    (mark,) = csv.DictReader(io.StringIO(data.decode()))
    assert mark["mark"] == 'the "door", slammed'
    window = parameters(address(page))
    assert float(window["from"]) < float(mark["time"]) < float(window["to"])
    assert [each["mark"] for each in json.loads(saved(page, "marks.json")[1])["marks"]] == [
        'the "door", slammed'
    ]


def test_every_sample_is_saved_and_the_copied_command_gives_the_same_bytes(
    system: System, visit: Open, tmp_path: Path
) -> None:
    """What the browser saves, what curl fetches and what the address answers is one file, in every format."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl on the path")
    page = standing(visit(system), system.url)
    samples = rows(system.url, page)
    files = {}
    for form in ("csv", "ndjson", "json", "klipper", "gcsv", "mcap"):
        _, files[form] = saved(page, f"samples.{form}")
        line = command(page, f"samples.{form}")
        subprocess.run(["sh", "-c", line], cwd=tmp_path, check=True, capture_output=True)
        *_, name, url = shlex.split(line)
        assert re.fullmatch(r"trio-mpu_[\dTZ-]+_2s_samples\.[a-z.]+", name)
        assert (tmp_path / name).read_bytes() == files[form]
        assert requests.get(url, timeout=PATIENCE_S).content == files[form]
    assert json.loads(files["json"])["samples"] == samples
    assert [json.loads(line) for line in files["ndjson"].splitlines()] == samples
    table = csv.DictReader(io.StringIO(files["csv"].decode()))
    assert [int(row["seq"]) for row in table] == [sample["seq"] for sample in samples]
    assert len(files["klipper"].splitlines()) == len(samples) + 1  # with a line of names
    assert files["gcsv"].splitlines()[-1].count(b",") == 6
    assert files["mcap"].startswith(b"\x89MCAP")


def test_refusal_is_said_and_nothing_is_saved(slow: System, visit: Open) -> None:
    """The server's reason stands on the page: for a window of one sample, and without a server."""
    page = standing(visit(slow), slow.url, span_s=0.03)
    downloads: list[str] = []
    page.on("download", lambda download: downloads.append(download.suggested_filename))
    choose(page, "samples.klipper")
    page.locator("#export-save").click()
    note = page.locator("#export-note")
    expect(note).to_contain_text("Not saved: ")
    expect(note).to_contain_text("it needs 2 samples")
    slow.kill("server")
    page.locator("#export-save").click()
    expect(note).to_contain_text("the server does not answer")
    assert downloads == []


def test_choice_of_the_export_is_in_the_link_to_the_view(slow: System, visit: Open) -> None:
    """Whoever opens the copied link finds the same choice; an unknown one is the default."""
    page = standing(visit(slow), slow.url)
    choose(page, "samples.mcap")
    page.locator("#export-link").click()
    link = page.locator("#export-text").input_value()
    other = page.context.new_page()
    other.goto(link)
    expect(other.locator("#export-what")).to_have_value("samples.mcap")
    other.goto(f"{slow.url}/#export=nonsense")
    other.reload()
    expect(other.locator("#export-what")).to_have_value("shown.csv")
