"""docs/operations.md, held to the code: a row for each message of a calibration."""

import ast
import re
from typing import Final

from tests.docs.test_sensors import ROOT, said
from tests.helpers.pages import table

TEXT: Final = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
ERRORS: Final = {"CalibrationError", "NoCalibration", "UsageError", "_below"}
LOGS: Final = {"info", "warning"}


def messages() -> set[str]:
    """What errors and log lines say, with … for what is put into it."""
    found = set[str]()
    paths = [*(ROOT / "trio_mpu/calibration").glob("*.py")]
    paths += (ROOT / "trio_mpu/sensors").rglob("self_test.py")
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=called), args=[text, *_]) if called in ERRORS:
                    found.add(said(text))
                case ast.Call(func=ast.Attribute(attr=called), args=[text, *_]) if called in LOGS:
                    found.add(said(text))
                case ast.AnnAssign(target=ast.Name(id="_CONTRADICTION"), value=ast.expr() as text):
                    found.add(said(text))
    return found - {"…"}


def rows() -> list[re.Pattern[str]]:
    """The messages of the table, with … for anything."""
    column = (row["message"].strip("`") for row in table(TEXT, "What a calibration says"))
    return [re.compile(".*".join(map(re.escape, row.strip("…").split("…")))) for row in column]


def test_each_message_has_a_row() -> None:
    """That says what it means, or what to do."""
    found = messages()
    assert len(found) > 25
    assert [text for text in sorted(found) if not any(row.search(text) for row in rows())] == []


def test_each_row_is_a_message() -> None:
    """None is left of what was changed."""
    code = "\n".join(messages())
    assert [row.pattern for row in rows() if not row.search(code)] == []
