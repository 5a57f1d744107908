"""The files in deploy/: well-formed, and in agreement with the programs and with each other."""

import re
import shutil
import subprocess
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.helpers.pages import code_blocks
from trio_mpu.options import parse
from trio_mpu.settings import ServerSettings, StartSettings
from trio_mpu.supervisor.keeper import LEAVE_S
from trio_mpu.supervisor.start import STOP_S
from trio_mpu.web.event_stream import HEARTBEAT_S

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
UNIT: Final = (DEPLOY / "systemd/trio-mpu.service").read_text("utf-8")
OPTIONS: Final = (DEPLOY / "systemd/trio-mpu.conf").read_text("utf-8")
INSTALL: Final = (ROOT / "docs/install.md").read_text("utf-8")
VARIABLE: Final = re.compile(r"\bTRIO_MPU_\w+")
PORT: Final = ServerSettings().port


def settings_of(unit: str) -> dict[str, list[str]]:
    """A unit's settings, each with all its values."""
    found: dict[str, list[str]] = {}
    for line in unit.splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


# -- systemd ------------------------------------------------------------------------------


def test_the_unit_has_what_the_programs_need() -> None:
    """Readiness, a watchdog, SIGHUP for a reload, and shared memory that outlives a stop."""
    unit = settings_of(UNIT)
    assert unit["Type"] == ["notify"]
    assert float(*unit["WatchdogSec"]) >= 10
    assert unit["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert unit["RemoveIPC"] == ["no"]
    assert unit["EnvironmentFile"] == ["-/etc/trio-mpu.conf"]
    assert "PrivateNetwork" not in unit
    assert "DynamicUser" not in unit


def test_systemd_waits_for_a_stop_longer_than_the_programs_take() -> None:
    """Or it would kill a recorder that is about to write its last samples."""
    assert float(*settings_of(UNIT)["TimeoutStopSec"]) > STOP_S + LEAVE_S + 1


def test_the_unit_gives_its_user_only_the_devices_of_a_sensor() -> None:
    """And that user is the one that sysusers.d makes, in the groups of these devices."""
    unit = settings_of(UNIT)
    assert unit["DevicePolicy"] == ["closed"]
    assert {each.split()[0] for each in unit["DeviceAllow"]} == {
        *("char-i2c", "char-iio", "/dev/mpu6050")
    }
    users = (DEPLOY / "systemd/trio-mpu.sysusers").read_text("utf-8")
    lines = [line.split() for line in users.splitlines() if line and not line.startswith("#")]
    made = {line[1] for line in lines if line[0] in "gu"}
    assert unit["User"] == unit["Group"] == ["trio-mpu"]
    assert made == {"trio-mpu", "i2c", "iio"}
    assert {tuple(line[1:]) for line in lines if line[0] == "m"} == {
        *(("trio-mpu", "i2c"), ("trio-mpu", "iio"))
    }


def test_the_example_of_options_is_a_valid_one() -> None:
    """Those that are switched off by a `#`, too."""
    environ = dict(re.findall(r"^#?(TRIO_MPU_\w+)=(.*)$", OPTIONS, re.MULTILINE))
    assert len(environ) >= 6
    settings = parse(StartSettings, "start", "", [], environ)
    (folder,) = settings_of(UNIT)["StateDirectory"]
    assert settings.store.startswith(f"/var/lib/{folder}/")


@pytest.mark.parametrize(
    "path",
    [*(path for path in DEPLOY.rglob("*") if path.is_file()), ROOT / "docs/install.md"],
    ids=lambda path: path.name,
)
def test_every_variable_that_is_named_is_an_option(path: Path) -> None:
    """A misspelt one would be ignored."""
    known = {f"TRIO_MPU_{name.upper()}" for name in vars(StartSettings())} | {"TRIO_MPU_"}
    assert set(VARIABLE.findall(path.read_text("utf-8"))) <= known


# -- udev, Avahi ----------------------------------------------------------------------------


def test_the_udev_rules_are_lines_of_matches_and_assignments() -> None:
    """As udev(7) has them."""
    text = (DEPLOY / "udev/60-trio-mpu.rules").read_text("utf-8").replace("\\\n", "")
    pair = r'[A-Z]+(?:\{[\w]+\})?(?:==|!=|=|\+=|:=)"[^"]*"'
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(lines) == 2
    for line in lines:
        assert re.fullmatch(rf"{pair}(?:, +{pair})*", line), line


def test_avahi_announces_the_page_on_the_servers_port() -> None:
    """In well-formed XML."""
    group = ElementTree.parse(DEPLOY / "avahi/trio-mpu.service").getroot()  # noqa: S314 - our own
    assert group.tag == "service-group"
    assert group.findtext("name") == "trio-mpu on %h"
    assert group.findtext("service/type") == "_http._tcp"
    assert group.findtext("service/port") == str(PORT)
    assert group.findtext("service/txt-record") == "path=/"


# -- containers -------------------------------------------------------------------------------


def compose() -> dict[str, Any]:
    """The compose file."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "container/compose.yaml").read_text("utf-8"))
    return found


def test_containers_are_read_only_and_without_capabilities() -> None:
    """The one with the sensor has no network, and those with a network have no sensor."""
    services = compose()["services"]
    assert {*services} == {"producer", "recorder", "server"}
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "ring:/dev/shm" in service["volumes"]
        assert ("devices" in service) <= (service.get("network_mode") == "none")
    assert services["server"]["ports"] == [f"{PORT}:{PORT}"]


def test_the_ring_belongs_to_the_user_of_the_image() -> None:
    """By its number, which is the same in every container."""
    dockerfile = (DEPLOY / "container/Dockerfile").read_text("utf-8")
    (number,) = re.findall(r"useradd .*--uid (\d+)", dockerfile)
    assert f"uid={number}," in compose()["volumes"]["ring"]["driver_opts"]["o"]
    assert f"EXPOSE {PORT}" in dockerfile


def test_the_image_gets_all_that_the_package_is_made_of() -> None:
    """Files that are copied exist, and are not left out by the list beside the Dockerfile."""
    dockerfile = (DEPLOY / "container/Dockerfile").read_text("utf-8")
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", dockerfile, re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    ignored = (DEPLOY / "container/Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert names == {line[1:] for line in ignored if line.startswith("!")}
    assert all((ROOT / name).exists() for name in names)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    modules = project["tool"]["setuptools"]["py-modules"]
    assert {f"{module}.py" for module in modules} <= names


# -- proxies ------------------------------------------------------------------------------------

PROXIES: Final = ("nginx.conf", "Caddyfile", "apache.conf", "haproxy.cfg")


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_reaches_the_servers_port_and_serves_below_a_prefix(name: str) -> None:
    """The same in all of them."""
    text = (DEPLOY / "proxy" / name).read_text("utf-8")
    assert f"127.0.0.1:{PORT}" in text
    assert "/imu/" in text


@pytest.mark.parametrize("name", ["apache.conf", "haproxy.cfg"])
def test_a_proxys_timeout_is_above_the_heartbeat(name: str) -> None:
    """A stream can be silent for so long."""
    text = (DEPLOY / "proxy" / name).read_text("utf-8")
    found = re.findall(r"timeout(?:=| client | server )(\d+)", text)
    assert found
    assert all(int(each) >= 2 * HEARTBEAT_S for each in found)


# -- the page ---------------------------------------------------------------------------------------


def test_the_install_page_has_five_commands_for_a_start_at_boot() -> None:
    """As its heading says."""
    first = code_blocks(INSTALL.partition("in five commands")[2], "sh")[0]
    assert len(first.splitlines()) == 5


def test_every_file_that_the_install_page_names_exists() -> None:
    """And each file of deploy/ for systemd, udev and Avahi is installed by it."""
    named = {ROOT / name for name in re.findall(r"\bdeploy/[\w./-]*\w", INSTALL)}
    assert [path for path in named if not path.exists()] == []
    folders = ("systemd", "udev", "avahi")
    there = {path for folder in folders for path in (DEPLOY / folder).iterdir()}
    assert there - named == set()


def test_what_is_installed_is_where_the_unit_looks_for_it() -> None:
    """The command, and the options."""
    unit = settings_of(UNIT)
    assert unit["ExecStart"] == ["/opt/trio-mpu/bin/trio-mpu start"]
    assert "python3 -m venv /opt/trio-mpu " in INSTALL
    assert f"deploy/systemd/trio-mpu.conf {unit['EnvironmentFile'][0][1:]}\n" in INSTALL


def test_what_is_installed_is_removed() -> None:
    """Each file that a command puts somewhere, by one below "Remove"."""
    put = re.findall(r"install -D -m 644 \S+ (\S+)", INSTALL)
    removal = INSTALL.partition("## Remove")[2].partition("## Without root")[0]
    assert len(set(put)) == 5
    assert [path for path in put if path not in removal] == []


def test_the_commands_of_the_install_page_are_sound_for_a_shell() -> None:
    """Its syntax, at least."""
    bash = shutil.which("bash") or "bash"
    for block in code_blocks(INSTALL, "sh"):
        subprocess.run([bash, "-n", "-c", block], check=True)
