"""The spectrum and the waterfall of the page in a real browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import expect

from tests.helpers.klipper import MM_S2, klipper
from tests.helpers.programs import System, eventually, running

from .scripted import Script, gap, sample, saying, wait_for_newer

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Visit

    Open = Callable[..., Visit]

FS_HZ = 500.0
TONE_HZ = 57.3
TONE_G = 0.3
MINUS = "\N{MINUS SIGN}"


def swinging(
    seqs: range, tone_g: float = TONE_G, noise_g: float = 0.002, **changes: object
) -> list[str]:
    """Samples at FS_HZ of a tone along x and noise along all; `changes` are those of the first."""
    random = np.random.default_rng(seqs.start)
    events = []
    for seq in seqs:
        t_s = seq / FS_HZ
        x, y, z = random.normal(0, noise_g, 3)
        reading = {"ax": x + tone_g * np.sin(2 * np.pi * TONE_HZ * t_s), "ay": y, "az": 1 + z}
        still = {"gx": 0.0, "gy": 0.0, "gz": 0.0, "temp": 20.0}
        more = changes if seq == seqs.start else {}
        t_ns = round((100 + t_s) * 1e9)
        events.append(sample(seq, sample=reading | still, t_ns=t_ns, time=1.7e9 + t_s, **more))
    return events


def peaks(page: Visit) -> list[tuple[float, float]]:
    """The peaks in words: frequencies in Hz and heights in g, the highest first."""
    found = re.findall(r"([\d.]+) Hz ([\d.e-]+) g", page.text("sp-peaks"))
    return [(float(hz), float(height)) for hz, height in found]


def opened(page: Visit, received: int) -> Visit:
    """Open the spectrum of a scripted stream, and wait until it is calculated from all of it."""
    eventually(lambda: page.accounts().get("received") == str(received), "all of it has come")
    page.page.click("#spectrum-on")
    page.page.locator("#spectrum-canvas").scroll_into_view_if_needed()
    eventually(lambda: "averaged" in page.text("sp-words"), page.text("sp-words"))
    return page


def bin_hz(page: Visit) -> float:
    found = re.search(r"a bin is ([\d.]+) Hz", page.text("sp-words"))
    assert found is not None
    return float(found[1])


def inked_rows(page: Visit, part: float) -> int:
    """How many pixels of one column of the plot, at a part of its height or above, have ink. `part` counts from the top."""
    rows: int = page.page.evaluate(
        """([hz, top_hz, part]) => {
          const canvas = document.getElementById("spectrum-canvas");
          const { width, height } = canvas;
          const x = Math.round(46 + (hz / top_hz) * (width - 54));
          const { data } = canvas.getContext("2d").getImageData(x - 1, 0, 3, Math.floor(height * part));
          let inked = 0;
          for (let i = 0; i < data.length; i += 4) inked += data[i] < 128 && data[i + 1] < 128 && data[i + 2] < 160;
          return inked;
        }""",
        [TONE_HZ, FS_HZ / 2, part],
    )
    return rows


def test_a_simulated_vibration_is_shown_where_and_as_high_as_it_is(
    ring_name: str, visit: Open
) -> None:
    """Off, the page asks for means; opened, for every sample, and the peak is right."""
    with running(ring_name, device="sim:vibration=33.7@0.2x+12@0.05z", rate=100) as system:
        page = visit(system)
        wait_for_newer(page)
        assert "rate=50" in page.streams()[0]
        expect(page.page.locator("#spectrum-body")).to_be_hidden()
        page.page.click("#spectrum-on")
        eventually(lambda: len(peaks(page)) >= 2, "two peaks are found")
        assert "rate=" not in page.streams()[-1]

        def is_right() -> bool:
            found = sorted(peaks(page))
            return len(found) == 2 and all(
                abs(hz - wanted_hz) < bin_hz(page) and abs(height / wanted - 1) < 0.01
                for (hz, height), (wanted_hz, wanted) in zip(
                    found, [(12, 0.05), (33.7, 0.2)], strict=True
                )
            )

        eventually(is_right, "within one bin, and 1 % of its height")
        assert page.complaints == []


def test_the_preset_for_printers_gives_klippers_numbers(system: System, visit: Open) -> None:
    """Each bin that the cursor steps over says what Klipper's method says, to the digits shown."""
    events = swinging(range(2000))
    page = opened(visit(system, prepare=saying(*events)), 2000)
    page.page.check("#sp-printer")
    page.page.uncheck("#sp-db")
    eventually(lambda: "kaiser window" in page.text("sp-words"), "the preset is in force")
    values = [float(event.partition('"ax": ')[2].partition(",")[0]) for event in events]
    x = np.array(values, dtype=np.float32)
    frequencies, (density, _) = klipper(np.arange(2000) / FS_HZ, [x.astype(np.float64)])
    expect(page.page.locator("#sp-unit")).to_have_text("(mm/s²)²/Hz")
    page.page.focus("#spectrum-canvas")
    for _ in range(40):
        before = page.text("sp-cursor")
        page.page.keyboard.press("ArrowRight")
        eventually(lambda before=before: page.text("sp-cursor") != before, "the cursor moves")  # type: ignore[misc]
        found = re.match(r"([\d.]+) Hz: x ([\d.e+-]+),", page.text("sp-cursor"))
        assert found is not None
        k = round(float(found[1]) / frequencies[1])
        assert float(found[1]) == pytest.approx(frequencies[k], abs=0.051)
        assert float(found[2]) == pytest.approx(density[k], rel=6e-4)


def test_a_gap_is_said_and_adds_no_peak(system: System, visit: Open) -> None:
    """Stretches apart, the samples' own rate, and the tone alone."""
    before = swinging(range(1500))
    after = swinging(range(1801, 3300), gap=gap(1499, 1801, 301, "lapped"))
    page = opened(visit(system, prepare=saying(*before, *after)), 2999)
    expect(page.page.locator("#sp-words")).to_contain_text("with 1 gap: 2 stretches apart")
    expect(page.page.locator("#sp-words")).to_contain_text("at 500 Hz")
    [(hz, height)] = peaks(page)
    assert hz == pytest.approx(TONE_HZ, abs=bin_hz(page))
    assert height == pytest.approx(TONE_G, rel=0.01)


def test_the_maximum_is_held_and_let_go(system: System, visit: Open) -> None:
    """A tone that has gone is still drawn while it is held."""
    script = Script("".join(swinging(range(1500))))
    page = opened(visit(system, prepare=script), 1500)
    page.page.check("#sp-hold")
    page.page.select_option("#sp-last", "1")
    eventually(lambda: page.text("sp-words").startswith("1.0 s at"), "it is calculated again")
    assert len(peaks(page)) == 1
    script.said.append("".join(swinging(range(1500, 2600), tone_g=0)))
    eventually(lambda: page.accounts().get("received") == "2600", "the quiet has come")
    eventually(lambda: peaks(page) == [], "there is no tone")
    eventually(lambda: inked_rows(page, 0.3) > 0, "it is still drawn")
    page.page.uncheck("#sp-hold")
    eventually(lambda: inked_rows(page, 0.3) == 0, "it is gone")


def test_a_reference_survives_a_reload_until_it_is_removed(system: System, visit: Open) -> None:
    """Kept, it is drawn again after a reload, under its time."""
    script = Script("".join(swinging(range(1500))))
    page = opened(visit(system, prepare=script), 1500)
    expect(page.page.locator("#sp-reference")).to_have_text("")
    page.page.click("#sp-keep")
    expect(page.page.locator("#sp-reference")).to_contain_text("Reference of")
    page.page.reload()
    script.said.append("".join(swinging(range(3000, 4500), tone_g=0)))
    page.page.locator("#spectrum-canvas").scroll_into_view_if_needed()
    eventually(lambda: "averaged" in page.text("sp-words"), "it is open again, as the address says")
    expect(page.page.locator("#sp-reference")).to_contain_text("Reference of")
    assert peaks(page) == []
    eventually(lambda: inked_rows(page, 0.3) > 0, "the tone of the reference is drawn")
    page.page.click("#sp-remove")
    expect(page.page.locator("#sp-reference")).to_have_text("")
    eventually(lambda: inked_rows(page, 0.3) == 0, "and no more")


def test_noise_at_rest_is_measured(system: System, visit: Open) -> None:
    """Two seconds after the button, in the unit of Klipper's measure."""
    script = Script("".join(swinging(range(1500), tone_g=0)))
    page = opened(visit(system, prepare=script), 1500)
    page.page.click("#sp-rest")
    expect(page.page.locator("#sp-noise")).to_contain_text("still")
    script.said.append("".join(swinging(range(1500, 2600), tone_g=0)))
    expect(page.page.locator("#sp-noise")).to_have_text(
        re.compile(r"^Noise in .*: x 1\.\d+ good, y 1\.\d+ good, z 1\.\d+ good$")
    )


def test_velocity_and_crest_factor_are_those_of_a_sine(system: System, visit: Open) -> None:
    """In the table beside the plot, with the band that the rate allows."""
    page = opened(visit(system, prepare=saying(*swinging(range(3000)))), 3000)
    expect(page.page.locator("#sp-band")).to_have_text(", 10 to 250 Hz")
    cells = page.page.locator("#sp-table tr:nth-child(2) td").all_text_contents()
    rms, peak, crest, velocity = (float(cell) for cell in cells)
    assert rms == pytest.approx(TONE_G / 2**0.5, rel=0.01)
    assert peak == pytest.approx(TONE_G, rel=0.03)
    assert crest == pytest.approx(2**0.5, rel=0.03)
    assert velocity == pytest.approx(rms * MM_S2 / (2 * np.pi * TONE_HZ), rel=0.01)


def test_the_waterfall_has_a_row_for_each_moment_and_none_for_a_gap(
    system: System, visit: Open
) -> None:
    """Newest on top; where samples were lost, the paper shows."""
    before = swinging(range(2500))
    after = swinging(range(3501, 6000), gap=gap(2499, 3501, 1001, "lapped"))
    page = visit(system, prepare=saying(*before, *after))
    eventually(lambda: page.accounts().get("received") == "4999", "all of it has come")
    page.page.click("#waterfall-on")
    page.page.select_option("#wf-minutes", "1")
    expect(page.page.locator("#wf-words")).to_contain_text("Dark blue is")
    page.page.focus("#waterfall-canvas")

    def said() -> str:
        return page.text("wf-cursor")

    levels = {}
    page.page.keyboard.press("ArrowDown")
    for _ in range(58):
        before_it = said()
        page.page.keyboard.press("ArrowDown")
        eventually(lambda before_it=before_it: said() != before_it, "the cursor moves")  # type: ignore[misc]
        found = re.search(r", ([\d.]+) s ago: (.*)$", said())
        assert found is not None
        levels[float(found[1])] = found[2]
    blank = [age for age, level in levels.items() if level == "no samples"]
    assert 2.0 <= max(age for age in blank if age < 9) - min(blank) <= 3.6
    assert min(blank) == pytest.approx(5.0, abs=1)
    assert sum(level.startswith(MINUS) for level in levels.values()) > 30


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_opened_it_fits_a_phone(system: System, visit: Open, scheme: str) -> None:
    """Nothing sticks out sideways, in either scheme, and each control can be touched."""
    options: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True}
    page = visit(system, color_scheme=scheme, **options, is_mobile=True)
    page.page.click("#spectrum-on")
    page.page.click("#waterfall-on")
    eventually(lambda: "averaged" in page.text("sp-words"), "it is calculated")
    assert page.page.evaluate(
        "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    small = page.page.evaluate(
        """() => [...document.querySelectorAll("#spectrum :is(button, label), #waterfall :is(button, label)")]
          .filter((element) => element.getBoundingClientRect().height < 44).map((element) => element.textContent)"""
    )
    assert small == []
    assert page.complaints == []
