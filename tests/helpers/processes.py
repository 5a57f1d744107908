"""Real processes for tests: Python code run to its end, or to its death."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def python(
    *arguments: str, environ: Mapping[str, str] | None = None, output: int = subprocess.PIPE
) -> "subprocess.Popen[str]":
    """Start Python with the project importable; its output is text in pipes if not told otherwise."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})},
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )


@contextlib.contextmanager
def killed(process: "subprocess.Popen[str]") -> Iterator["subprocess.Popen[str]"]:
    """Kill the process at the end, if it still lives, and wait for it."""
    with process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
