"""What has to be made before a measurement: the C programs, and the peers' environment."""

import functools
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent
EVENT_FILE: Final = HERE / "event.txt"

_BUILD = HERE / "build"
_PEERS = HERE / ".venv"
_CFLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wno-unused-function")


class Missing(Exception):
    """Something this machine lacks; the message says what."""


@functools.cache
def program(name: str) -> str:
    """Return the path of a C program of this folder, compiled if it is out of date."""
    target, source = _BUILD / name, HERE / f"{name}.c"
    newest = max(path.stat().st_mtime for path in (source, *HERE.glob("*.h")))
    if not target.exists() or target.stat().st_mtime < newest:
        _BUILD.mkdir(exist_ok=True)
        if (compiler := shutil.which("cc")) is None:
            raise Missing("a C compiler is needed: sudo apt install gcc libc6-dev")
        subprocess.run([compiler, *_CFLAGS, "-o", target, source], check=True)
    return str(target)


@functools.cache
def peers_python() -> str:
    """Return the interpreter that has the peers' packages; the first call installs them."""
    wanted = HERE / "requirements.txt"
    stamp, python = _PEERS / "ready", _PEERS / "bin" / "python"
    if not stamp.exists() or stamp.read_bytes() != wanted.read_bytes():
        print("installing the peers into benchmarks/.venv, once", file=sys.stderr)
        venv.create(_PEERS, clear=True, with_pip=True)
        command: list[str | Path] = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--requirement",
            wanted,
        ]
        subprocess.run(command, check=True)
        stamp.write_bytes(wanted.read_bytes())
    return str(python)


def node() -> str:
    """Return Node's program."""
    if (found := shutil.which("node")) is None:
        raise Missing("Node is needed (sudo apt install nodejs), or leave it out with --servers")
    return found


@functools.cache
def certificate() -> str:
    """Return a file with a key and a certificate for this computer, signed by nobody else."""
    path = _BUILD / "certificate.pem"
    if (openssl := shutil.which("openssl")) is None:
        raise Missing("OpenSSL is needed: sudo apt install openssl")
    _BUILD.mkdir(exist_ok=True)
    path.touch(0o600)
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    options += " -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    files = ["-keyout", str(path), "-out", str(path)]
    made = subprocess.run(
        [openssl, *options.split(), *files], capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise Missing(f"no certificate: {made.stderr[-500:]}")
    return str(path)


NGINX: Final = """\
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  keepalive_requests 100000000;
  upstream behind {{ server 127.0.0.1:{behind} max_fails=0; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {certificate}; ssl_certificate_key {certificate};
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {{ proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""


def nginx(port: int, behind: int) -> list[str]:
    """Return the command of an nginx that speaks TLS on one port, and HTTP to what is behind."""
    if (found := shutil.which("nginx") or shutil.which("/usr/sbin/nginx")) is None:
        raise Missing("nginx is needed: sudo apt install nginx-light")
    folder = _BUILD / "nginx"
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "nginx.conf"
    settings.write_text(
        NGINX.format(folder=folder, port=port, behind=behind, certificate=certificate())
    )
    return [found, "-c", str(settings), "-p", str(folder)]
