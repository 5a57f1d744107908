"""What the page is written in: the notice for old browsers, and all the rest."""

import re

from trio_mpu.web.page import FOLDER

# What came into JavaScript after what old.js asks for; where it is missing a part of the page would fail.
NEWER = r"\b(?:toReversed|toSorted|toSpliced|groupBy|withResolvers|fromAsync|isWellFormed)\b"


def code_of(name: str) -> str:
    """A script without comments and texts."""
    return re.sub(r"//.*|/\*[\s\S]*?\*/|\"[^\"\n]*\"", "S", (FOLDER / name).read_text())


def test_the_notice_for_old_browsers_is_written_for_them() -> None:
    """No word of its script is younger than 2009: a browser would refuse all of it."""
    code = code_of("old.js")
    newer = r"=>|`|\.\.\.|\?\.|\?\?|\*\*|#|@|,\s*[\]})]"
    words = r"\b(?:let|const|class|async|await|import|export|yield|of)\b"
    assert re.findall(f"{newer}|{words}", code) == []
    assert len(re.findall(r"\bfunction\b", code)) >= 3


def test_the_page_needs_no_more_than_the_notice_asks_for() -> None:
    """A browser that is not called too old can run all of it."""
    files = [str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.js")]
    assert len(files) > 20
    assert [name for name in files if re.search(NEWER, code_of(name))] == []
