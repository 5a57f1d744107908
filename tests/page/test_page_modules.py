"""The modules of the page, each for itself, by the tests beside this file: *.test.mjs, under Node."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers.processes import ROOT

STATIC = "trio_mpu/web/static"
NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="there is no node on the path")
def test_the_modules_of_the_page_pass_their_own_tests(tmp_path: Path) -> None:
    """Each file of tests is run, and none of its tests is left out."""
    # Beside a package.json that calls them modules, which the product has no other use for.
    shutil.copytree(ROOT / STATIC, tmp_path / STATIC)
    tests = shutil.copytree(Path(__file__).parent, tmp_path / "tests/page")
    (tmp_path / "package.json").write_text('{"type": "module"}\n')
    files = sorted(tests.glob("*.test.mjs"))
    # In one process: with one for each file, most of the time would be theirs to start.
    (tmp_path / "all.mjs").write_text("".join(f'import "{file.as_uri()}";\n' for file in files))
    done = subprocess.run(
        ["node", "--test-reporter=tap", "all.mjs"],
        cwd=tmp_path,
        env={**os.environ, "TZ": "UTC"},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    written = [
        name for file in files for name in re.findall(r'(?m)^test\("(.+)", ', file.read_text())
    ]
    passed = re.findall(r"(?m)^ *ok \d+ - (.+)$", done.stdout)
    assert len(written) > len(files)
    assert set(written) - set(passed) == set(), done.stdout


# What a folder's modules may import, and whether they may use what only a browser has.
ALLOWED = {
    "model": {"model"},
    "net": {"net", "model"},
    "view": {"view", "model", "net/links.js"},
}


def test_modules_import_only_what_their_folder_may() -> None:
    """Numbers know nothing of the network, and neither knows anything of what is seen."""
    wrong = []
    for folder, allowed in ALLOWED.items():
        for file in (ROOT / STATIC / folder).glob("*.js"):
            for path in re.findall(r'from "(\..+?)";', file.read_text()):
                target = (file.parent / path).resolve().relative_to(ROOT / STATIC)
                if not {str(target), str(target.parent)} & allowed:
                    wrong.append(f"{folder}/{file.name} imports {target}")
    assert wrong == []


def test_models_use_nothing_of_a_browser() -> None:
    """They run anywhere: no document, no window, no requests."""
    for file in (ROOT / STATIC / "model").glob("*.js"):
        code = re.sub(r"/\*.*?\*/|//[^\n]*", "", file.read_text(), flags=re.DOTALL)
        assert not re.search(r"(?<!#)\b(document|window|fetch|localStorage)\b[.(]", code), file.name
