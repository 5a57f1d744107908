"""Tokens, as programs and browsers meet them in front of real processes."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.helpers.processes import killed
from tests.helpers.programs import (
    PATIENCE_S,
    eventually,
    free_port,
    get,
    programs,
    start_script,
    workers,
)
from tests.helpers.tokens import ALICE, BOB
from trio_mpu.web.admission import END_S


@contextlib.contextmanager
def started(
    ring: str, token_file: Path, *options: str
) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """start.sh with a simulator and a token file, once Bob gets samples of all workers; and the
    address."""
    port = free_port()
    arguments = ("--device=sim", f"--port={port}", f"--ring={ring}", f"--token-file={token_file}")
    with killed(start_script(*arguments, *options)) as script:
        url = f"http://127.0.0.1:{port}"
        number = 2 if "--workers=2" in options else 1
        up = f'"workers_up":{number}}}'
        eventually(lambda: up in get(url + "/healthz")[1], "not all workers are up")
        # Each time another connection, so another worker now and then.
        eventually(lambda: all(_has_sample(url) for _ in range(10)), "no sample for Bob")
        yield script, url


def _has_sample(url: str) -> bool:
    return get(url + "/json", bearer(BOB))[0] == 200


def bearer(token: str) -> dict[str, str]:
    """The header that has a token."""
    return {"Authorization": f"Bearer {token}"}


def curl(*arguments: str) -> str:
    """What curl shows."""
    command = ["curl", "-sS", "--max-time", str(PATIENCE_S), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("options", [(), ("--workers=2",)])
def test_a_token_that_is_taken_out_ends_what_it_opened(
    ring_name: str, token_file: Path, options: tuple[str, ...]
) -> None:
    """SIGHUP to `start` reaches all that serve, and ends none of them: Alice's streams end within a
    second, with a proper end, at whichever worker they are; Bob's go on."""
    with started(ring_name, token_file, *options) as (script, url), contextlib.ExitStack() as stack:

        def stream(token: str) -> Iterator[bytes]:
            answer = requests.get(
                url + "/events", stream=True, timeout=PATIENCE_S, headers=bearer(token)
            )
            lines = stack.enter_context(contextlib.closing(answer)).iter_lines()
            assert next(lines).startswith(b"retry:")
            return lines

        before = workers(ring_name)
        hers, his = [stream(ALICE) for _ in range(8)], stream(BOB)
        token_file.write_text(f"bob {BOB}\n")
        script.send_signal(signal.SIGHUP)
        begun_s = time.monotonic()
        for lines in hers:
            for _ in lines:  # without a proper end this raises ChunkedEncodingError
                pass
        # On an idle machine within some 10 ms, and cut off after END_S at the latest.
        assert time.monotonic() - begun_s < END_S + 4
        for _ in range(10):
            assert get(url + "/json", bearer(ALICE))[0] == 401
            assert get(url + "/json", bearer(BOB))[0] == 200
        newest = [line for line, _ in zip(his, range(300), strict=False)]
        assert any(line.startswith(b"id: ") for line in newest)
        assert workers(ring_name) == before
        # A file that can't be used changes nothing.
        token_file.chmod(0o644)
        script.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert get(url + "/json", bearer(BOB))[0] == 200
        script.send_signal(signal.SIGTERM)
        assert script.wait(PATIENCE_S) == 0
        assert script.stderr is not None
        said = script.stderr.read()
    number = len(before) or 1
    assert said.count("tokens: 1 read again") == number
    assert said.count("tokens not read again, the old ones stay: token file") == number
    assert ALICE not in said
    assert BOB not in said


def test_curl_reads_with_a_token_and_with_the_cookie_of_the_form(
    ring_name: str, token_file: Path, tmp_path: Path
) -> None:
    """As docs/operations.md has it; and not without."""
    jar = str(tmp_path / "jar")
    with started(ring_name, token_file) as (_, url):
        assert '"status":"error"' in curl(f"{url}/json")
        assert '"status":"ok"' in curl("-H", f"Authorization: Bearer {ALICE}", f"{url}/json")
        assert curl(f"{url}/livez") == '{"status":"ok"}\n'
        html = ("-H", "Accept: text/html")
        assert 'name="token"' in curl("-L", *html, f"{url}/")
        sign_in = ("-L", "-c", jar, "--data-urlencode", f"token={ALICE}", f"{url}/sign-in")
        assert '<p id="connection"' in curl(*sign_in)
        assert '"status":"ok"' in curl("-b", jar, f"{url}/json")
        curl("-b", jar, "-c", jar, "-d", "sign-out=1", f"{url}/sign-in")
        assert '"status":"error"' in curl("-b", jar, f"{url}/json")
        assert "421" in curl("-w", "%{http_code}", "-H", "Host: evil.example", f"{url}/json")


@pytest.mark.parametrize("options", [(), ("--workers=2",)])
def test_a_file_that_others_can_read_is_one_line(
    ring_name: str, token_file: Path, options: tuple[str, ...]
) -> None:
    """Nothing is served, and `start` ends."""
    token_file.chmod(0o640)
    script = start_script(
        "--device=sim", f"--port={free_port()}", f"--ring={ring_name}",
        f"--token-file={token_file}", *options,
    )  # fmt: skip
    with killed(script):
        assert script.wait(PATIENCE_S) == 2
        assert script.stderr is not None
        said = script.stderr.read()
    assert f"token file {token_file}: not only its owner has access to it; do: chmod 600" in said
    assert "Traceback" not in said


def test_a_hangup_ends_no_program_by_itself(ring_name: str, token_file: Path) -> None:
    """Nor the producer or a server that get it from somebody else than `start`."""
    with started(ring_name, token_file) as (_, url):
        before = programs(ring_name)
        for pid in before.values():
            os.kill(pid, signal.SIGHUP)
        time.sleep(0.3)
        assert programs(ring_name) == before
        assert get(url + "/json", bearer(BOB))[0] == 200
