"""The unit and its user, judged by systemd's own programs, which need no running systemd."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers.processes import ROOT

UNIT = ROOT / "deploy/systemd/trio-mpu.service"
USERS = ROOT / "deploy/systemd/trio-mpu.sysusers"

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is needed: sudo apt install systemd"
)


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    """No setting is unknown or malformed; the command, which is not installed here, is another."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text("utf-8").replace("/opt/trio-mpu/bin/trio-mpu", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=one", str(unit)],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_exposes_little() -> None:
    """2.0 at most, of 10: what is left is the network, the devices and the user's own files."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(UNIT)],
        capture_output=True,
        text=True,
    )
    assert re.search(r"Overall exposure level for trio-mpu.service: [01]\.\d|2\.0", done.stdout)
    assert done.returncode == 0, done.stdout


def test_the_user_is_made(tmp_path: Path) -> None:
    """With its groups, without a home, and without a shell to log in with."""
    (tmp_path / "etc").mkdir()
    with USERS.open("rb") as users:
        subprocess.run(["systemd-sysusers", f"--root={tmp_path}", "-"], stdin=users, check=True)
    (user,) = (tmp_path / "etc/passwd").read_text().splitlines()
    assert re.fullmatch(r"trio-mpu:x:\d+:\d+:trio-mpu:/:/usr/sbin/nologin", user)
    lines = (tmp_path / "etc/group").read_text().splitlines()
    groups = {line.split(":")[0]: line.split(":")[3] for line in lines}
    assert groups == {"i2c": "trio-mpu", "iio": "trio-mpu", "trio-mpu": ""}
