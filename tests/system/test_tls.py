"""TLS as its users meet it: real processes, and the tools that they have."""

import contextlib
import json
import re
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import requests

from tests.helpers.certificates import Files, make_files
from tests.helpers.processes import killed, python
from tests.helpers.programs import PATIENCE_S, System, eventually, start_script, workers


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A certificate for a month."""
    return make_files(tmp_path)


@contextlib.contextmanager
def secured(ring: str, files: Files, patch: pytest.MonkeyPatch, *options: str) -> Iterator[System]:
    """A system with TLS that gives samples."""
    patch.setenv("REQUESTS_CA_BUNDLE", files.ca)
    with System(ring) as system:
        system.url = f"https://localhost:{system.port}"
        system.start("producer")
        system.start("server", "--tls-cert", files.cert, "--tls-key", files.key, *options)
        system.wait()
        yield system


@pytest.fixture
def system(ring_name: str, files: Files, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    """A system with TLS that gives samples."""
    with secured(ring_name, files, monkeypatch) as system:
        yield system


def curl(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run curl to its end."""
    return subprocess.run(["curl", "-sS", *arguments], capture_output=True, text=True)


@pytest.mark.parametrize("version", ["--tlsv1.2 --tls-max 1.2", "--tlsv1.3"])
def test_curl_gets_the_sample_and_the_stream_to_its_proper_end(
    system: System, files: Files, version: str
) -> None:
    """It complains of nothing, also when the server is stopped in the middle of a stream."""
    options = [*version.split(), "--cacert", files.ca]
    answer = curl(*options, system.url + "/json")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert json.loads(answer.stdout)["status"] == "ok"
    with subprocess.Popen(
        ["curl", "-sSN", *options, system.url + "/events"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as stream:
        assert stream.stdout
        assert stream.stderr
        lines = [stream.stdout.readline() for _ in range(100)]
        system.processes["server"].send_signal(signal.SIGINT)
        lines += stream.stdout.readlines()
        assert (stream.wait(PATIENCE_S), stream.stderr.read()) == (0, "")
    assert system.processes["server"].wait(PATIENCE_S) == 0
    numbers = [int(number) for number in re.findall(r'"seq":(\d+)', "".join(lines))]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_who_does_not_know_the_authority_or_speaks_http_is_told(system: System) -> None:
    """By curl, and by one line of ours."""
    assert curl(system.url + "/json").returncode == 60  # its code for certificates
    answer = curl("-i", system.url.replace("https", "http") + "/json")
    assert answer.returncode == 0
    assert answer.stdout.startswith("HTTP/1.1 400")
    assert "this port speaks TLS: use https" in answer.stdout
    _, text = system.get("/metrics")
    assert "\ntrio_mpu_tls_failed_total 1\n" in text
    assert "\ntrio_mpu_tls_missing_total 1\n" in text


def test_libraries_for_python_read_samples_and_streams(system: System, files: Files) -> None:
    """requests and httpx, without a change but for the certificate."""
    assert requests.get(system.url + "/json", verify=files.ca, timeout=PATIENCE_S).ok
    with requests.get(
        system.url + "/events", verify=files.ca, stream=True, timeout=PATIENCE_S
    ) as stream:
        lines = stream.iter_lines()
        found = [line for line in (next(lines) for _ in range(60)) if line.startswith(b"data: ")]
    assert len(found) > 10
    context = ssl.create_default_context(cafile=files.ca)
    with (
        httpx.Client(verify=context, timeout=PATIENCE_S) as client,
        client.stream("GET", system.url + "/events") as answer,
    ):
        texts = answer.iter_lines()
        heard = [line for line in (next(texts) for _ in range(60)) if line.startswith("data: ")]
    assert len(heard) > 10


@pytest.mark.parametrize("key", ["K", "k"])
def test_a_client_may_change_its_keys_in_the_middle_of_a_stream(
    system: System, files: Files, tmp_path: Path, key: str
) -> None:
    """With TLS 1.3, and ask for new ones of the server (K): not a byte is lost."""
    seen = tmp_path / "messages"
    arguments = ["-quiet", "-no_ign_eof", "-tls1_3", "-msg", "-msgfile", str(seen)]
    arguments += ["-CAfile", files.ca, "-connect", f"localhost:{system.port}"]
    with killed(
        subprocess.Popen(
            ["openssl", "s_client", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    ) as client:
        assert client.stdin
        assert client.stdout
        client.stdin.write("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
        client.stdin.flush()
        text = ""
        for _ in range(5):
            text += "".join(client.stdout.readline() for _ in range(100))
            client.stdin.write(f"{key}\n")
            client.stdin.flush()
        text += "".join(client.stdout.readline() for _ in range(100))
    changes = re.findall("(>>>|<<<).*KeyUpdate", seen.read_text())
    assert changes.count(">>>") == 5
    assert changes.count("<<<") == (5 if key == "K" else 0)
    numbers = [int(number) for number in re.findall(r'"seq":(\d+)', text)]
    assert len(numbers) > 80
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@pytest.mark.parametrize("count", ["1", "2"])
def test_a_renewed_certificate_is_shown_after_sighup_and_streams_go_on(
    ring_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: str
) -> None:
    """By all workers; after a bad file the good one stays."""
    files = make_files(tmp_path)

    def shown() -> set[str]:
        return {ssl.get_server_certificate(("127.0.0.1", running.port)) for _ in range(8)}

    with secured(ring_name, files, monkeypatch, "--workers", count) as running:
        server = running.processes["server"]
        if count != "1":
            eventually(lambda: len(workers(ring_name)) == 2, "no two workers")
        (old,) = shown()
        with requests.get(
            running.url + "/events", verify=files.ca, stream=True, timeout=PATIENCE_S
        ) as stream:
            lines = stream.iter_lines()
            next(lines)
            make_files(tmp_path)
            server.send_signal(signal.SIGHUP)
            eventually(lambda: len(shown()) == 1 and old not in shown(), "never the new one")
            (new,) = shown()
            Path(files.cert).write_text("no certificate")
            server.send_signal(signal.SIGHUP)
            time.sleep(0.2)
            assert shown() == {new}
            for _ in range(200):
                next(lines)


def test_a_bad_certificate_ends_a_start_with_one_line(ring_name: str, files: Files) -> None:
    """It says what to do; so does the supervisor's end."""
    Path(files.key).chmod(0o644)
    line = f"others can read the key in {files.key} (mode 0644): chmod 600 {files.key}"
    options = ["--tls-cert", files.cert, "--tls-key", files.key]
    process = python("server_main.py", "--ring", ring_name, "--port", "0", *options)
    with killed(process):
        _, complaints = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 1
        assert complaints.splitlines()[-1].endswith(line)
    script = start_script("--device", "sim", f"--ring={ring_name}", "--tls-key", files.key)
    with killed(script):
        _, complaints = script.communicate(timeout=PATIENCE_S)
        assert script.returncode == 2
        assert "--tls-key is for a certificate: give --tls-cert FILE, too" in complaints
