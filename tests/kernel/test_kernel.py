"""The programs on a real kernel: boots the rig's virtual machine and runs `guest.py` in it."""

import faulthandler
import json
from pathlib import Path
from typing import Final

import pytest

from tests.kernel import machine

MAX_S: Final = 700  # it takes 180, or several times that beside other work


@pytest.mark.timeout(MAX_S)
def test_what_is_promised_holds_on_a_real_kernel(tmp_path: Path) -> None:
    """The chip over I2C, IIO by its buffer and by sysfs, and the text device, from the ring and
    from the stream: values equal to the emulators' own formulas, sample for sample, and told gaps
    equal to those that were made."""
    faulthandler.cancel_dump_traceback_later()
    try:
        folder = machine.rig()
    except LookupError as missing:
        pytest.skip(str(missing))
    results = tmp_path / "results.json"
    done = machine.run(folder, MAX_S - 40, tmp_path, "guest", results)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    found = json.loads(results.read_text())
    for name, each in found.items():
        print(f"{name} ({each['seconds']} s): {each['said']}")
    failed = [name for name, each in found.items() if each["error"]]
    assert not failed, output
    assert len(found) > 1, output
