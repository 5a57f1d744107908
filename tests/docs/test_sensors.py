"""docs/sensors.md, held to the code: its dies, and a row for each message of a sensor."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.helpers.pages import table
from trio_mpu.sensors.mpu6050.variants import VARIANTS, ChipVariant

ROOT: Final = Path(__file__).parents[2]
TEXT: Final = (ROOT / "docs/sensors.md").read_text(encoding="utf-8")
ERRORS: Final = {"DeviceError", "UsageError", "NoDevice", "NoSampleYet"}
LOGS: Final = {"info", "warning"}
# An error of the system's, in words that are made elsewhere; and one that another wraps.
NO_MESSAGES: Final = {"…", "…: …", "… (…)"}


def said(node: ast.expr) -> str:
    """The text that an expression makes, with … for what is put into it."""
    match node:
        case ast.Constant(value=str(text)):
            return re.sub(r"%(\.\d)?[sdgf]", "…", text)
        case ast.JoinedStr(values=parts):
            return "".join(map(said, parts))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return said(left) + said(right)
    return "…"


def texts(node: ast.AST) -> Iterator[tuple[str, str]]:
    """What raises, logs or returns a text anywhere in here, and which text."""
    for part in ast.walk(node):
        match part:
            case ast.Call(func=ast.Name(id=name), args=[text, *_]) if name in ERRORS:
                yield "error", said(text)
            case ast.Call(func=ast.Attribute(attr=name), args=[text, *_]) if name in LOGS:
                yield "log", said(text)
            case ast.Constant(value=str(text)):
                yield "other", text
            case ast.JoinedStr():
                yield "other", said(part)


def all_texts() -> list[tuple[str, str]]:
    """The texts of all modules that have to do with sensors."""
    package = ROOT / "trio_mpu"
    # Beside the sensors' own folder, whatever of the shared files can say that a sensor failed.
    paths = [*(package / "sensors").rglob("*.py")]
    paths += (
        path for path in package.glob("*.py") if "import DeviceError" in path.read_text("utf-8")
    )
    return [text for path in paths for text in texts(ast.parse(path.read_text("utf-8")))]


def row_patterns() -> list[re.Pattern[str]]:
    """What stands in the first column of the messages, with … for anything."""
    rows = (re.search("`(.+?)`", row["message"]) for row in table(TEXT, "Messages"))
    return [
        re.compile(".*".join(map(re.escape, row[1].strip("…").split("…")))) for row in rows if row
    ]


def test_each_message_has_a_row_that_says_what_to_do() -> None:
    """Every error that a sensor can end in."""
    errors = {text for kind, text in all_texts() if kind == "error"} - NO_MESSAGES
    assert len(errors) > 40
    patterns = row_patterns()
    assert [text for text in sorted(errors) if not any(p.search(text) for p in patterns)] == []


def test_each_row_is_a_message_of_the_code() -> None:
    """None is left of what was changed."""
    code = "\n".join(text for _, text in all_texts())
    assert [p.pattern for p in row_patterns() if not p.search(code)] == []


def test_the_dies_are_those_of_the_code() -> None:
    """Their ids, formulas and queues."""
    rows = {int(row["WHO_AM_I"], 16): row for row in table(TEXT, "Dies")}
    assert list(rows) == list(VARIANTS)
    for who, row in rows.items():
        assert (row["die"], row["°C"], row["queue, bytes"]) == described(VARIANTS[who])


def described(variant: ChipVariant) -> tuple[str, str, str]:
    formula = f"raw / {variant.temp_lsb_per_c:g} + {variant.temp_offset_c:g}"
    return variant.name, formula, str(variant.fifo_bytes)
