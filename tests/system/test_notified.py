"""`trio-mpu start` as a service of systemd: what it sends, and when."""

import os
import signal
import socket
import time
from pathlib import Path

from tests.helpers.processes import killed, python
from tests.helpers.programs import PATIENCE_S, free_port, get, left_behind


def test_a_service_is_ready_lives_and_stops(ring_name: str, tmp_path: Path) -> None:
    """Ready when the page is served, not before; then signs of life; at last, that it is about to stop."""
    path = tmp_path / "notify"
    port = free_port()
    command = ["-m", "trio_mpu", "start", "--device=sim", f"--port={port}", f"--ring={ring_name}"]
    environ = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "200000"}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        systemd.settimeout(PATIENCE_S)
        with killed(python("-P", *command, environ=environ)) as process:
            heard = [systemd.recv(1000)]
            while heard[-1] != b"READY=1":
                heard.append(systemd.recv(1000))
            assert get(f"http://127.0.0.1:{port}/livez")[0] == 200
            assert set(heard[:-1]) == {b"WATCHDOG=1"}
            begun_s = time.monotonic()
            assert [systemd.recv(1000) for _ in range(5)] == [b"WATCHDOG=1"] * 5
            assert 0.3 < time.monotonic() - begun_s < PATIENCE_S
            os.kill(process.pid, signal.SIGTERM)
            heard = [systemd.recv(1000)]
            while heard[-1] != b"STOPPING=1":
                heard.append(systemd.recv(1000))
            assert process.wait(PATIENCE_S) == 0
    assert left_behind(ring_name) == []
