"""The rig's virtual machine, built once and run with one of our modules in it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.helpers.processes import ROOT

IMAGE: Final = ROOT / ".rig"


def rig() -> Path:
    """The rig's folder. Raises LookupError, which says what is missing, where it can't be used."""
    folder = Path(os.environ.get("TRIO_MPU_RIG") or ROOT.parent / "shared/rig").resolve()
    if not (folder / "build.sh").exists():
        raise LookupError(f"there is no rig in {folder}; TRIO_MPU_RIG says where it is")
    if shutil.which("qemu-system-x86_64") is None:
        raise LookupError("qemu is missing; do: sudo apt install qemu-system-x86")
    if os.geteuid() != 0:
        raise LookupError("to build the rig's machine needs root")
    return folder


def _built(folder: Path) -> Path:
    """The machine, built before if nothing of the rig has changed since."""
    newest_s = max(path.stat().st_mtime for path in folder.rglob("*"))
    ready = IMAGE / "initramfs.img"
    if not ready.exists() or ready.stat().st_mtime < newest_s:
        done = subprocess.run(
            [folder / "build.sh", IMAGE], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return IMAGE


def run(
    folder: Path, seconds: float, shared: Path, module: str, *arguments: object
) -> "subprocess.CompletedProcess[str]":
    """Run this module of `tests.kernel` in the machine, for so long at most; it may write into
    `shared`."""
    return subprocess.run(
        [
            *(folder / "run.sh", _built(folder), ROOT / "tests/kernel/guest.sh", shared),
            *(ROOT, sys.executable, folder, f"tests.kernel.{module}"),
            *map(str, arguments),
        ],
        env={**os.environ, "RIG_TIMEOUT": str(round(seconds))},
        capture_output=True,
        text=True,
        check=False,
    )
