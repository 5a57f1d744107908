"""What users read: plain English, and none of the phrases that were translated word by word."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.helpers.messages import ROOT, all_strings

FORBIDDEN: Final = re.compile(
    r"\b(whoever|in vain|at once|(?:is|are) told|tells|to the letter)\b", re.IGNORECASE
)
PAGES: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def phrases(text: str) -> Iterator[str]:
    """The forbidden phrases in a text, also across the end of a line."""
    yield from FORBIDDEN.findall(" ".join(text.split()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_in_plain_english(page: Path) -> None:
    """Short, active, concrete."""
    assert list(phrases(page.read_text(encoding="utf-8"))) == []


def test_messages_and_help_are_in_plain_english() -> None:
    """Every string of the package, and the descriptions that --help shows."""
    texts = [*all_strings()]
    for path in sorted(ROOT.glob("*_main.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts.append((ast.get_docstring(tree) or "", path.name))
    assert [(text, where) for text, where in texts for _ in phrases(text)] == []
