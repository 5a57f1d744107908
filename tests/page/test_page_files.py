"""The page's files as they lie on the disk, are packaged and are loaded."""

import glob
import tomllib
from pathlib import Path

import pytest

from tests.helpers.processes import ROOT
from trio_mpu.web import page
from trio_mpu.web.page import FOLDER, Page

# Arbitrary; a page that a small board sends to a telephone without anybody waiting. On the way it is
# compressed, as every browser accepts it: the comments are for readers.
MAX_PAGE_BYTES = 120_000


def page_files() -> set[Path]:
    """Everything below the folder of the page."""
    return {path for path in FOLDER.rglob("*") if path.is_file()}


def test_the_page_stays_small() -> None:
    """All of its files together, as they are sent."""
    sent = [len(file.gzipped.body) for file in Page.load().files.values()]
    assert len(sent) == len(page_files())
    assert sum(sent) < MAX_PAGE_BYTES


def test_all_files_of_the_page_are_packaged() -> None:
    """The patterns of the package's data find each of them, in subfolders too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["trio_mpu.web"]
    assert patterns == ["static/**/*"]
    root = str(FOLDER.parent)
    found = {
        FOLDER.parent / name
        for pattern in patterns
        for name in glob.glob(pattern, root_dir=root, recursive=True)  # noqa: PTH207 - as setuptools does
    }
    assert page_files() <= found


def test_files_in_subfolders_are_loaded_under_their_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page itself under `/`, all others below `/static/`."""
    (tmp_path / "view/more").mkdir(parents=True)
    for name in ("index.html", "main.js", "view/plot.css", "view/more/plot.js"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(page, "FOLDER", tmp_path)
    assert Page.load().files.keys() == {
        "/",
        "/static/main.js",
        "/static/view/plot.css",
        "/static/view/more/plot.js",
    }
