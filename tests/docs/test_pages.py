"""All pages of the documentation: their links, the files they name, and the README's tables."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.helpers.pages import table
from trio_mpu.options import options_of
from trio_mpu.settings import ProducerSettings, RecordSettings, ServerSettings, StartSettings
from trio_mpu.web.routes import ROUTES

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted(
    str(path.relative_to(ROOT))
    for folder in (".", "docs", "benchmarks")
    for path in (ROOT / folder).glob("*.md")
)
LINK: Final = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")
MODULES: Final = {path.name for path in (ROOT / "trio_mpu").rglob("*.py")} - {"__init__.py"}


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def anchors(text: str) -> set[str]:
    """The names that a page's headings have in links, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    """To a file that exists and, within it, to a heading."""
    for name, anchor in LINK.findall(text_of(page)):
        target = (ROOT / page).parent / name if name else ROOT / page
        assert target.exists(), name
        assert not anchor or anchor in anchors(target.read_text("utf-8")), anchor


@pytest.mark.parametrize("page", [page for page in PAGES if page != "CONTRIBUTING.md"])
def test_pages_for_users_name_no_module(page: str) -> None:
    """A reader of these pages knows what a client can see, and nothing of the files within."""
    assert set(re.findall(r"\b\w+\.py\b", text_of(page))) & MODULES == set()


def test_every_file_that_a_recipe_names_exists() -> None:
    """But for those that are to be made, which have NAME in theirs."""
    named = re.findall(
        r"`((?:trio_mpu|tests|docs|benchmarks|examples)/[\w./]*)`", text_of("CONTRIBUTING.md")
    )
    assert len(named) > 20
    assert [name for name in named if "NAME" not in name and not (ROOT / name).exists()] == []


def test_the_readme_lists_every_endpoint() -> None:
    """And no other."""
    listed = [row["path"].strip("`") for row in table(text_of("README.md"), "trio-mpu")]
    assert listed == ["/", *ROUTES]


def test_the_readme_lists_every_option_of_start() -> None:
    """With its default, and with the program that has it."""
    kinds = {"producer": ProducerSettings, "recorder": RecordSettings, "server": ServerSettings}
    rows = {row["option"].strip("`-"): row for row in table(text_of("README.md"), "Options")}
    assert set(rows) == set(options_of(StartSettings))
    for name, row in rows.items():
        having = [program for program, kind in kinds.items() if name in options_of(kind)]
        assert row["of"] == ("all" if having == [*kinds] else ", ".join(having))
        default = getattr(StartSettings(), name.replace("-", "_"))
        shown = default if isinstance(default, str) else f"{default:g}"
        if shown:  # else the table says in words what an empty value means
            assert row["default"].strip("`") == shown
