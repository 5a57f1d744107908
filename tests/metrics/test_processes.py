"""Prometheus's own metrics of processes."""

import os
import subprocess
import sys

from trio_mpu.metrics.processes import process_families


def test_a_server_by_itself_has_no_label() -> None:
    """Its metrics are those that dashboards for processes expect."""
    names = {sample.name for family in process_families({}) for sample in family.samples}
    assert {
        *("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"),
        *("process_max_fds", "process_start_time_seconds", "process_virtual_memory_bytes"),
    } <= names
    assert not any(sample.labels for family in process_families({}) for sample in family.samples)


def test_each_worker_has_its_own() -> None:
    """One that has just ended is left out, and each metric comes once."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with subprocess.Popen(["sleep", "60"]) as other:
        families = list(process_families({0: os.getpid(), 1: dead.pid, 3: other.pid}))
        other.kill()
    assert len({family.name for family in families}) == len(families)
    memory = {
        sample.labels["worker"]: sample.value
        for family in families
        for sample in family.samples
        if sample.name == "process_resident_memory_bytes"
    }
    assert memory.keys() == {"0", "3"}
    assert min(memory.values()) > 0
