"""What all tests share."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.programs import fresh_ring
from tests.helpers.tokens import ALICE, BOB, write_tokens
from trio_mpu.fanout import forms

# Whoever runs the tests may have calibrations, even of simulated sensors: neither the tests nor the
# programs that they start are to find them.
os.environ["XDG_CONFIG_HOME"] = "/proc/nowhere"  # nor can anybody make it


@pytest.fixture(autouse=True)
def _time_for_all_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, no form of the stream is late, unless a test says so."""
    monkeypatch.setattr(forms, "LIVE_S", math.inf)


@pytest.fixture
def ring_name() -> Iterator[str]:
    """The name of a ring that nobody else has; whatever was made of it is removed afterwards."""
    with fresh_ring() as name:
        yield name


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """The token file of Alice and Bob."""
    return write_tokens(tmp_path / "tokens", f"# who may read\nalice {ALICE}\nbob {BOB}\n")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why continuous integration fails when a test was skipped."""
    if _skips_are_failures(terminalreporter):
        terminalreporter.write_line("tests were skipped, and TRIO_MPU_NO_SKIPS is set", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the session when a test was skipped that may not be."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if isinstance(reporter, pytest.TerminalReporter) and _skips_are_failures(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _skips_are_failures(reporter: pytest.TerminalReporter) -> bool:
    return "TRIO_MPU_NO_SKIPS" in os.environ and bool(reporter.stats.get("skipped"))
