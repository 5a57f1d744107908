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
    done = subprocess.run(
        ["node", "--test", "--test-reporter=tap", *files],
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
