"""docs/conformance.md, held to the code: a row for each check, which leads to a section."""

import re
from typing import Final

from tests.helpers.messages import ROOT
from tests.helpers.pages import table
from trio_mpu.conformance.__main__ import _parser
from trio_mpu.conformance.run import CHECKS

TEXT: Final = (ROOT / "docs/conformance.md").read_text(encoding="utf-8")
PROTOCOL: Final = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")


def test_each_check_has_a_row() -> None:
    """In the order in which they are made."""
    rows = [
        (row["check"].strip("`"), row["what must hold"], row["section"])
        for row in table(TEXT, "The checks")
    ]
    assert rows == [(check.id, check.holds, check.section) for check in CHECKS]


def test_each_check_leads_to_a_section_of_the_protocol() -> None:
    """By its heading."""
    headings = set(re.findall(r"^#+ (.+)$", PROTOCOL, re.MULTILINE))
    assert {check.section for check in CHECKS} <= headings


def test_no_two_checks_have_one_name() -> None:
    """Each can be made alone."""
    assert len({check.id for check in CHECKS}) == len(CHECKS)


def test_each_option_has_a_row() -> None:
    """And each row is an option."""
    options = {each for action in _parser()._actions for each in action.option_strings}
    assert {row["option"].strip("`") for row in table(TEXT, "Conformance")} == options - {
        "-h",
        "--help",
    }
