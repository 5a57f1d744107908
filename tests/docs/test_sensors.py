"""docs/sensors.md, held to the code: its chip variants, and a row for each message of a sensor."""

from typing import Final

import pytest

from tests.helpers.messages import ROOT, all_messages, all_strings, is_of_a_sensor, pattern
from tests.helpers.pages import messages, table
from trio_mpu.device import parse_text
from trio_mpu.errors import NoSampleYet
from trio_mpu.sample import Sample
from trio_mpu.sensors.mpu6050.variants import VARIANTS, ChipVariant

TEXT: Final = (ROOT / "docs/sensors.md").read_text(encoding="utf-8")


def test_each_message_has_a_row_that_says_what_to_do() -> None:
    """Every line that a sensor can log or end in."""
    found = {message.text for message in all_messages() if is_of_a_sensor(message)}
    assert len(found) > 60
    rows = [pattern(row) for row in messages(TEXT)]
    assert [text for text in sorted(found) if not any(row.fullmatch(text) for row in rows)] == []


def test_each_row_is_a_message_of_the_code() -> None:
    """None is left of what was changed."""
    code = [*(message.text for message in all_messages()), *(text for text, _ in all_strings())]
    rows = messages(TEXT)
    assert [row for row in rows if not any(pattern(row).fullmatch(text) for text in code)] == []


def test_the_chip_variants_are_those_of_the_code() -> None:
    """Their ids, formulas and FIFOs."""
    rows = {int(row["WHO_AM_I"], 16): row for row in table(TEXT, "Chip variants")}
    assert list(rows) == list(VARIANTS)
    for who, row in rows.items():
        assert (row["chip variant"], row["°C"], row["FIFO, bytes"]) == described(VARIANTS[who])


def test_the_text_device_is_described_byte_for_byte() -> None:
    """The example is one that is read, and the bytes are the example's."""
    section = TEXT.partition("## The text device\n")[2].partition("\n## ")[0]
    example, dump = (block.strip("\n") + "\n" for block in section.split("```")[1:4:2])
    content = example.encode()
    assert f"These are {len(content)} bytes" in section
    # Each line of the dump has 39 columns for 16 bytes.
    assert bytes.fromhex("".join(line[:39] for line in dump.splitlines())) == content
    sample = parse_text(content, 5)
    assert sample == Sample(5, 0.195, 0.023, 0.906, -5.844, -0.473, 0.495, 26.101)
    assert parse_text(content.replace(b"\n", b"\r\n").removesuffix(b"\r\n"), 5) == sample
    waiting = content.splitlines(keepends=True)[0] + b"(no sample yet)\n"
    with pytest.raises(NoSampleYet):
        parse_text(waiting, 5)


def described(variant: ChipVariant) -> tuple[str, str, str]:
    formula = f"raw / {variant.temp_lsb_per_c:g} + {variant.temp_offset_c:g}"
    return variant.name, formula, str(variant.fifo_bytes)
