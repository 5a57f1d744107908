"""The live page by HTTPS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from tests.helpers.certificates import make_files

from .scripted import expect_state, wait_for_newer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.helpers.programs import System

    from .conftest import Visit


def test_the_page_shows_samples_over_tls(
    visit: Callable[..., Visit],
    idle_system: System,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All that it asks for comes by HTTPS, and nothing is complained of."""
    files = make_files(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", files.ca)
    idle_system.url = f"https://localhost:{idle_system.port}"
    idle_system.start("producer")
    idle_system.start("server", "--tls-cert", files.cert, "--tls-key", files.key)
    idle_system.wait()
    shown = visit(idle_system, ignore_https_errors=True)
    expect_state(shown, "live")
    wait_for_newer(shown)
    assert all(url.startswith(idle_system.url) for url in shown.requests)
    assert shown.complaints == []
