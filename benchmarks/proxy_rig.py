"""The proxies of deploy/proxy, as real programs: with the configurations that are there, on free ports.

What is theirs alone (the port of the web, the server's) is changed, and what belongs to the rest of
such a program's configuration, on a system that has it installed, is put around it.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.built import ROOT, Missing
from benchmarks.servers import NoAnswer
from benchmarks.sse_rig import PATIENCE_S, fetch, free_port, nginx_config

FOLDER: Final = ROOT / "deploy/proxy"
SERVER: Final = "127.0.0.1:3737"  # as it stands in each configuration

_APACHE: Final = """
ServerName localhost
DefaultRuntimeDir {folder}
PidFile {folder}/apache.pid
ErrorLog /dev/stderr
LogLevel crit
{user}
{modules}
Listen {address}
{text}
"""
_APACHE_MODULES: Final = (
    "mpm_event",
    "authz_core",
    "alias",
    "deflate",
    "filter",
    "proxy",
    "proxy_http",
)
_APACHE_FOLDER: Final = Path("/usr/lib/apache2/modules")
_CADDY: Final = "{{\n\tadmin off\n\tauto_https off\n}}\n{text}"


@dataclass(frozen=True)
class _Kind:
    """A program, the Debian package that has it, its file here, and where that has its port."""

    program: str
    package: str
    file: str
    listens: str  # in the file
    there: str  # in its place, with {address}
    whole: Callable[[str, str, str], str]  # (text, folder, address) → the configuration
    command: tuple[str, ...]  # after the program, with {file} and {folder}


def _nginx(text: str, _folder: str, _address: str) -> str:
    return nginx_config(text)


def _apache(text: str, folder: str, address: str) -> str:
    modules = "\n".join(
        f"LoadModule {name}_module {_APACHE_FOLDER}/mod_{name}.so" for name in _APACHE_MODULES
    )
    user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
    return _APACHE.format(folder=folder, user=user, modules=modules, address=address, text=text)


def _caddy(text: str, _folder: str, _address: str) -> str:
    return _CADDY.format(text=text)


def _haproxy(text: str, _folder: str, _address: str) -> str:
    return text


KINDS: Final = {
    "nginx": _Kind(
        *("nginx", "nginx-light", "nginx.conf", "listen 80;", "listen {address};"),
        _nginx,
        ("-p", "{folder}", "-c", "{file}"),
    ),
    "Caddy": _Kind(
        *("caddy", "caddy", "Caddyfile", "\n:80 {", "\nhttp://{address} {{"),
        _caddy,
        ("run", "--config", "{file}", "--adapter", "caddyfile"),
    ),
    "Apache": _Kind(
        *("apache2", "apache2-bin", "apache.conf", "<VirtualHost *:80>", "<VirtualHost {address}>"),
        _apache,
        ("-f", "{file}", "-DFOREGROUND"),
    ),
    "HAProxy": _Kind(
        *("haproxy", "haproxy", "haproxy.cfg", "bind :80", "bind {address}"),
        _haproxy,
        ("-db", "-q", "-f", "{file}"),
    ),
}


def _replaced(text: str, before: str, after: str) -> str:
    assert before in text, f"{before!r} is not in the configuration"
    return text.replace(before, after)


@contextlib.contextmanager
def proxy(name: str, server_port: int) -> Iterator[int]:
    """Run a proxy before our server; yield the port that has the page at /imu/. Raises Missing."""
    kind = KINDS[name]
    program = shutil.which(kind.program, path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise Missing(f"{name} is needed: sudo apt install {kind.package}")
    port = free_port()
    address = f"127.0.0.1:{port}"
    text = (FOLDER / kind.file).read_text("utf-8")
    text = _replaced(text, kind.listens, kind.there.format(address=address))
    text = _replaced(text, SERVER, f"127.0.0.1:{server_port}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / kind.file
        file.write_text(kind.whole(text, folder, address), "utf-8")
        words = [word.format(file=file, folder=folder) for word in kind.command]
        environ = {**os.environ, "HOME": folder, "XDG_CONFIG_HOME": folder, "XDG_DATA_HOME": folder}
        process = subprocess.Popen([program, *words], env=environ, stderr=subprocess.PIPE)
        try:
            _wait(name, process, port)
            yield port
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE_S)


def _wait(name: str, process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        with contextlib.suppress(OSError):
            fetch(port, "/imu/livez")
            return
        if process.poll() is not None:
            _, said = process.communicate()
            raise NoAnswer(f"{name} ended: {said.decode(errors='replace')[-500:]}")
        if time.monotonic() > deadline_s:
            raise NoAnswer(f"{name} does not answer")
        time.sleep(0.02)
