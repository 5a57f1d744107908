"""Exports in a real browser: the files have the ring's numbers, and all of them."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
import requests

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import expect

from tests.helpers.programs import PATIENCE_S, System

from .windows import AXES, address, choose, command, parameters, rows, saved, standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .conftest import Visit

    Open = Callable[..., Visit]


@pytest.fixture
def slow(ring_name: str) -> Iterator[System]:
    """A system at 50 Hz, of which the page has every sample."""
    with System(ring_name, rate=50) as system:
        system.start("producer")
        system.start("server")
        system.wait()
        yield system


def nearly(value: float) -> object:
    """What the stream has of a number: seven significant digits, where a row has nine."""
    return pytest.approx(value, rel=6e-7)


def test_what_is_shown_is_saved_as_it_is_in_the_ring(slow: System, visit: Open) -> None:
    """Every point is one sample here, in each format, and the mark is among them."""
    page = standing(visit(slow), slow.url)
    samples = rows(slow.url, page)
    name, data = saved(page, "shown.csv")
    assert re.fullmatch(r"trio-mpu_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ_2\.01s_shown\.csv", name)
    points = list(csv.DictReader(io.StringIO(data.decode())))
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
    assert name.endswith("_2.01s_marks.csv")
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
        assert re.fullmatch(r"trio-mpu_[\dTZ-]+_2\.01s_samples\.[a-z.]+", name)
        assert (tmp_path / name).read_bytes() == files[form]
        assert requests.get(url, timeout=PATIENCE_S).content == files[form]
    assert json.loads(files["json"])["samples"] == samples
    assert [json.loads(line) for line in files["ndjson"].splitlines()] == samples
    table = csv.DictReader(io.StringIO(files["csv"].decode()))
    assert [int(row["seq"]) for row in table] == [sample["seq"] for sample in samples]
    assert len(files["klipper"].splitlines()) == len(samples) + 1  # with a line of names
    assert files["gcsv"].splitlines()[-1].count(b",") == 6
    assert files["mcap"].startswith(b"\x89MCAP")


def test_attitude_comes_along_when_it_is_chosen(system: System, visit: Open) -> None:
    """In a file that is called the same but for it."""
    page = standing(visit(system), system.url)
    url = address(page, "samples.ndjson+attitude")
    assert url == address(page, "samples.ndjson") + "&attitude=1"
    plain = saved(page, "samples.csv+attitude")[1]
    assert plain == requests.get(address(page, "samples.csv+attitude"), timeout=PATIENCE_S).content
    assert plain.splitlines()[0].count(b",") > saved(page, "samples.csv")[1].splitlines()[0].count(
        b","
    )


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


def test_what_a_format_without_gaps_leaves_out_is_said(slow: System, visit: Open) -> None:
    """The server counts it in a header, which nobody sees who only gets the file."""
    page = standing(visit(slow), slow.url)
    page.route(
        "**/history?format=klipper*",
        lambda route: route.fulfill(body="#time", headers={"Samples-Left-Out": "1234"}),
    )
    saved(page, "samples.klipper")
    expect(page.locator("#export-note")).to_have_text(re.compile("^1,234 samples before"))


def test_link_to_the_view_has_the_choice_and_the_window(slow: System, visit: Open) -> None:
    """Somebody who opens it sees the same time; an unknown choice is the default."""
    page = standing(visit(slow), slow.url)
    choose(page, "samples.mcap")
    page.locator("#export-link").click()
    link = page.locator("#export-text").input_value()
    other = page.context.new_page()
    other.goto(link)
    expect(other.locator("#export-what")).to_have_value("samples.mcap")
    expect(other.locator("#statistics-of")).to_contain_text("from each sample")
    here, there = (parameters(address(each)) for each in (page, other))
    for name in ("from", "to"):
        assert float(there[name]) == pytest.approx(float(here[name]), abs=1e-3)
    other.goto(f"{slow.url}/#export=nonsense")
    other.reload()
    expect(other.locator("#export-what")).to_have_value("shown.csv")


def test_pictures_and_the_spectrum_are_files_too(slow: System, visit: Open) -> None:
    """A plot as a PNG; the spectrum only once it is open, which is said."""
    page = standing(visit(slow), slow.url)
    name, data = saved(page, "plot.acceleration")
    assert name.endswith("_2.01s_plot.acceleration.png")
    assert data.startswith(b"\x89PNG")
    choose(page, "spectrum.csv")
    page.locator("#export-save").click()
    expect(page.locator("#export-note")).to_have_text("Open the spectrum first.")
    page.locator("#spectrum-on").click()
    page.locator("#spectrum-body canvas").scroll_into_view_if_needed()
    expect(page.locator("#sp-peaks")).not_to_be_empty()
    _, data = saved(page, "spectrum.csv")
    head, *lines = data.decode().splitlines()
    assert head.startswith("freq")
    assert len(lines) > 10
    assert saved(page, "spectrum.png")[1].startswith(b"\x89PNG")
