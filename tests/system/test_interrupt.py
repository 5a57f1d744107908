"""Ctrl-C while a program is still being imported."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.helpers.processes import ROOT, killed, python
from tests.helpers.programs import PATIENCE_S

# In place of a module that is imported: says so, and takes its time.
SLOW = """
import time
print("importing", flush=True)
time.sleep(60)
"""


def importing(folder: Path, command: str, module: str, *options: str) -> "subprocess.Popen[str]":
    """Start a command that doesn't get beyond the import of a module."""
    (folder / f"{module}.py").write_text(SLOW)
    process = python(
        *("-P", "trio_mpu/__main__.py", command, *options),
        environ={"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "importing\n"
    return process


@pytest.mark.parametrize(
    ("command", "module"),
    [
        *((command, "argparse") for command in ("start", "producer", "server", "import")),
        ("start", "dataclasses"),
        *((command, "trio") for command in ("producer", "server", "record", "calibrate")),
    ],
)
def test_an_early_interrupt_ends_a_program_without_a_word(
    tmp_path: Path, command: str, module: str
) -> None:
    """As SIGINT ends any program: a shell sees status 130."""
    with killed(importing(tmp_path, command, module)) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out, err) == (-signal.SIGINT, "", "")


def test_a_program_that_is_to_ignore_interrupts_goes_on(tmp_path: Path) -> None:
    """As one that a shell's script has put into the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = importing(tmp_path, "start", "argparse")
    finally:
        signal.signal(signal.SIGINT, before)
    with killed(process):
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)
        process.terminate()
        assert process.wait(PATIENCE_S) == -signal.SIGTERM
