"""The producer on a real kernel: boots the rig's virtual machine and runs `guest.py` in it."""

import faulthandler
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.processes_for_tests import ROOT

MAX_S: Final = 180
IMAGE: Final = ROOT / ".rig"


def rig() -> Path:
    """The rig's folder; the test is skipped where something of it is missing."""
    folder = Path(os.environ.get("TRIO_MPU_RIG") or ROOT.parent / "shared/rig").resolve()
    if not (folder / "build.sh").exists():
        pytest.skip(f"there is no rig in {folder}; TRIO_MPU_RIG says where it is")
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("qemu is missing; do: sudo apt install qemu-system-x86")
    if os.geteuid() != 0:
        pytest.skip("to build the rig's machine needs root")
    return folder


def built(folder: Path) -> Path:
    """The machine, built before if nothing of the rig has changed since."""
    newest_s = max(path.stat().st_mtime for path in folder.rglob("*"))
    ready = IMAGE / "initramfs.img"
    if not ready.exists() or ready.stat().st_mtime < newest_s:
        done = subprocess.run(
            [folder / "build.sh", IMAGE], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return IMAGE


@pytest.mark.timeout(MAX_S)
def test_the_producer_holds_what_it_promises_on_a_real_kernel(tmp_path: Path) -> None:
    """IIO by its buffer and by sysfs, and the text device: values equal to the emulators' own
    formulas, sample for sample, and told gaps equal to those that were made."""
    faulthandler.cancel_dump_traceback_later()
    folder = rig()
    results = tmp_path / "results.json"
    done = subprocess.run(
        [
            *(folder / "run.sh", built(folder), ROOT / "tests/kernel/guest.sh", tmp_path),
            *(ROOT, sys.executable, folder, results),
        ],
        env={**os.environ, "RIG_TIMEOUT": str(MAX_S - 30)},
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    found = json.loads(results.read_text())
    for name, each in found.items():
        print(f"{name} ({each['seconds']} s): {each['said']}")
    failed = [name for name, each in found.items() if each["error"]]
    assert not failed, output
    assert len(found) > 1, output
