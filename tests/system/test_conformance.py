"""The conformance suite, held to our own server and to servers that are wrong in one thing."""

import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.certificates import make_files
from tests.helpers.fake_server import FakeServer
from tests.helpers.processes import ROOT
from tests.helpers.programs import System, eventually, fresh_ring, running
from tests.helpers.tokens import write_tokens
from trio_mpu.conformance import subject as subject_module
from trio_mpu.conformance.__main__ import main
from trio_mpu.conformance.check import Check
from trio_mpu.conformance.run import chosen, run_checks
from trio_mpu.conformance.subject import Subject
from trio_mpu.conformance.wire import Target

# Which check sees which fault of a server.
FAULTS = {
    "wrong length": "http.keep-alive",
    "no date": "http.date",
    "silent close": "http.close",
    "body after HEAD": "http.head",
    "stays open": "http.malformed",
    "text error": "error.path",
    "ignores parameters": "error.parameter",
    "old sample": "json.newest",
    "not a number": "json.object",
    "wrong type": "stream.type",
    "wrong chunk": "stream.framing",
    "no retry": "stream.framing",
    "no empty line": "stream.begins",
    "wrong id": "stream.framing",
    "skips": "stream.sequence",
    "repeats": "stream.sequence",
    "buffers": "stream.live",
    "ignores the id": "resume.header",
    "says another id": "resume.announced",
    "forgets the restart": "resume.generation",
    "counts wrong": "resume.lapped",
    "history skips": "history.json",
}


def verdicts(port: int, *names: str) -> dict[str, str]:
    """What becomes of these checks."""
    found: dict[str, str] = {}

    def say(check: Check, verdict: str) -> None:
        found[check.id] = verdict

    passed = run_checks(chosen(names), Subject(Target("127.0.0.1", port)), say)
    assert passed == (not any(verdict.startswith("FAILED") for verdict in found.values()))
    return found


@pytest.fixture
def _is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream need not be looked at for so long: the fault is in its first samples."""
    monkeypatch.setattr(subject_module, "OBSERVED_S", 1.0)


@pytest.mark.usefixtures("_is_quick")
def test_a_server_without_a_fault_passes_what_sees_the_faults() -> None:
    """Or else the checks below would prove nothing."""
    with FakeServer() as server:
        found = verdicts(server.port, *dict.fromkeys(FAULTS.values()))
    assert found == dict.fromkeys(found, "ok")


@pytest.mark.usefixtures("_is_quick")
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_seen(fault: str) -> None:
    """By the check that is there for it."""
    with FakeServer(fault) as server:
        (verdict,) = verdicts(server.port, FAULTS[fault]).values()
    assert verdict.startswith("FAILED"), verdict


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """Producer and server as a user starts them."""
    with fresh_ring() as ring, running(ring) as system:
        yield system


def conformance(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command in a Python that has nothing but the standard library."""
    command = ["python3", "-I", "-S", "-c", _ALONE, *arguments]
    return subprocess.run(command, text=True, capture_output=True, timeout=60)


_ALONE = f"""
import runpy, sys
sys.path.insert(0, {str(ROOT)!r})
sys.argv[0] = "conformance"
runpy.run_module("trio_mpu.conformance", run_name="__main__", alter_sys=True)
"""


def test_our_own_server_passes_every_check(system: System) -> None:
    """From a Python without a single package; none is left out but what its ring can't show yet."""
    done = conformance(system.url)
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    left_out = {line.split()[0] for line in lines if "not tried" in line.partition("  ")[2]}
    assert left_out <= {
        *("stream.statuses", "stream.heartbeat", "resume.lapped"),
        *("cors.preflight", "cors.exposed"),
    }
    assert lines[-1].startswith(f"{len(lines) - 1 - len(left_out)} ok, 0 FAILED")


def test_with_tls_and_a_token_it_passes_as_well(tmp_path: Path) -> None:
    """And without the token, or with a certificate that is not trusted, it says what is missing."""
    files, token = make_files(tmp_path), "0123456789abcdef"
    tokens = write_tokens(tmp_path / "tokens", f"alice {token}\n")
    with fresh_ring() as ring, System(ring) as system:
        system.start("producer")
        system.start(
            *("server", "--tls-cert", files.cert, "--tls-key", files.key),
            *("--token-file", str(tokens)),
        )
        url = system.url.replace("http:", "https:")
        trusted = ssl.create_default_context(cafile=files.ca)
        eventually(lambda: is_healthy(f"{url}/healthz", trusted), "it never serves samples")
        groups = [f"--only={group}" for group in ("http", "error", "json", "resume", "history")]
        done = conformance(url, "--token", token, "--cacert", files.ca, *groups)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        done = conformance(url, "--insecure", "--only=http.answers")
        assert (done.returncode, "give --token" in done.stdout) == (1, True), done.stdout
        done = conformance(url, "--only=http.answers")
        assert (done.returncode, "CERTIFICATE_VERIFY_FAILED" in done.stdout) == (1, True)


def is_healthy(url: str, context: ssl.SSLContext) -> bool:
    """Whether it serves fresh samples by now."""
    try:
        with urllib.request.urlopen(url, context=context) as answer:  # noqa: S310 - of our own server
            return bool(answer.status == 200)
    except OSError:
        return False


def test_with_another_origin_allowed_and_a_small_ring_the_rest_is_tried() -> None:
    """What the checks of a plain server had to leave out."""
    with fresh_ring() as ring, System(ring) as system:
        system.start("producer", "--capacity", "64")
        system.start("server", "--allow-origin", "*")
        system.wait()
        found = verdicts(system.port, "cors", "resume.lapped", "resume.earliest")
    assert found.pop("cors.refused").startswith("not tried")
    assert found == dict.fromkeys(found, "ok")


def test_mistakes_on_the_command_line_are_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    """And what there is can be listed without a server."""
    for arguments in ([], ["ftp://x"], ["http://x", "--only", "nothing"], ["http://[x"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
    assert main(["--list", "--only", "resume"]) == 0
    assert capsys.readouterr().out.count("resume.") == len(chosen(["resume"]))


def test_a_server_that_is_not_there_fails_in_good_time(capsys: pytest.CaptureFixture[str]) -> None:
    """With the reason."""
    with FakeServer() as server:
        port = server.port
    assert main([f"127.0.0.1:{port}", "--only", "http"]) == 1
    assert "can't connect" in capsys.readouterr().out
