"""`--log-format json`, for all programs that `start` runs."""

import json
import os
import signal

import pytest

from tests.helpers.processes import killed
from tests.helpers.programs import PATIENCE_S, eventually, free_port, get, programs, start_script


@pytest.mark.parametrize("workers", [1, 2])
def test_every_line_of_every_program_is_an_object(ring_name: str, workers: int) -> None:
    """From the start to the stop, with a program that is killed and started again between them."""
    port = free_port()
    options = ("--device=sim", f"--port={port}", f"--ring={ring_name}", f"--workers={workers}")
    with killed(start_script(*options, "--log-format=json")) as script:
        eventually(lambda: get(f"http://127.0.0.1:{port}/json")[0] == 200, "no sample")
        before = programs(ring_name)["producer"]
        os.kill(before, signal.SIGKILL)
        eventually(
            lambda: programs(ring_name).get("producer", before) != before,
            "it was not started again",
        )
        script.send_signal(signal.SIGTERM)
        _, err = script.communicate(timeout=PATIENCE_S)
    lines = [json.loads(line) for line in err.splitlines()]
    said_by = {line["program"] for line in lines}
    assert said_by >= {"start", "producer"} | ({"server"} if workers == 1 else {"worker 0"})
    assert any("SIGKILL; starting it again" in line["message"] for line in lines)


def test_why_a_program_can_not_start_is_an_object(ring_name: str) -> None:
    """Of the program itself, and of `start`, which ends with it."""
    options = ("--device=/no/such/device", f"--ring={ring_name}", "--port=0")
    with killed(start_script(*options, "--log-format=json")) as script:
        _, err = script.communicate(timeout=PATIENCE_S)
    assert script.returncode == 1
    lines = [json.loads(line) for line in err.splitlines()]
    assert [line["program"] for line in lines if line["level"] == "error"] == ["producer", "start"]
