"""docs/import.md, held to the code: options, presets, bounds, and a row for each message."""

from typing import Final

from tests.helpers.messages import ROOT, all_messages, is_of_an_import, pattern
from tests.helpers.pages import messages, table, tables
from trio_mpu.importing import layout, log, timeline
from trio_mpu.importing.plan import NUMBER_NS, RATE, TEXTS, UNITS
from trio_mpu.importing.presets import PRESETS
from trio_mpu.options import options_of
from trio_mpu.sensors.replay.text import MAX_LINE_CHARACTERS
from trio_mpu.settings import ImportSettings

TEXT: Final = (ROOT / "docs/import.md").read_text(encoding="utf-8")


def test_each_message_has_a_row() -> None:
    """That says what it means, and what to do."""
    found = {message.text for message in all_messages() if is_of_an_import(message)}
    assert len(found) > 35
    rows = [pattern(row) for row in messages(TEXT)]
    assert [text for text in sorted(found) if not any(row.fullmatch(text) for row in rows)] == []


def test_each_row_is_a_message_of_the_code() -> None:
    """None is left of what was changed."""
    found = {message.text for message in all_messages() if is_of_an_import(message)}
    rows = messages(TEXT)
    assert [row for row in rows if not any(pattern(row).fullmatch(text) for text in found)] == []


def test_every_option_is_listed() -> None:
    """With each word that it takes."""
    rows = {row["option"].strip("`-"): row for row in table(TEXT, "Options")}
    assert [*rows] == options_of(ImportSettings)
    for word in (*NUMBER_NS, *TEXTS):
        assert f"`{word}`" in rows["time"]["meaning"]
    assert f"`{RATE}:HZ`" in rows["time"]["meaning"]
    for name, units in UNITS.items():
        for unit in units:
            assert f"`{unit}`" in rows[name]["meaning"]


def test_the_presets_are_those_of_the_code() -> None:
    """All of them and in order, with what they mean."""
    rows = table(TEXT, "Presets")
    shown = [
        (row["preset"], row["writer"], row["time"], row["accelerometer"], row["gyroscope"])
        for row in rows
    ]
    assert shown == [
        (f"`{name}`", preset.writer, *(f"`{each}`" for each in preset[1:4]))
        for name, preset in PRESETS.items()
    ]
    assert [row["temperature"].strip("`") for row in rows] == [
        preset.temp for preset in PRESETS.values()
    ]
    assert [row["one device"].strip("`") for row in rows] == [
        ", ".join(preset.constant) for preset in PRESETS.values()
    ]


def test_the_bounds_are_those_of_the_code() -> None:
    """In the page's order."""
    (rows,) = (rows for rows in tables(TEXT) if "bound" in rows[0])
    assert [float(row["value"].replace(",", "")) for row in rows] == [
        timeline.MAX_ROWS,
        layout.HEAD_LINES,
        MAX_LINE_CHARACTERS,
        log.MAX_LEFT_OUT,
    ]
