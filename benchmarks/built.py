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
