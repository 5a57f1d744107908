"""Machines without IPv6, without Unix sockets, without room: both programs run, or say why not."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.processes import ROOT, killed
from tests.helpers.programs import (
    PATIENCE_S,
    SHM,
    eventually,
    free_port,
    get,
    left_behind,
)
from tests.helpers.sandbox import LOOPBACK_UP, NO_IPV6, namespace, without_unix_sockets
from trio_mpu.shm.layout import segment_bytes

MAIN = str(ROOT / "trio_mpu" / "__main__.py")


@contextlib.contextmanager
def program(
    said: Path, name: str, *options: str, within: list[str] | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """One of our programs, in a namespace or sandbox; what it says is added to a file."""
    with said.open("a") as log:
        process = subprocess.Popen(
            [*(within or []), sys.executable, "-P", MAIN, name, *options],
            stdin=subprocess.DEVNULL,
            stderr=log,
            text=True,
        )
    with killed(process):
        yield process


def fetch(url: str, within: list[str]) -> dict[str, Any]:
    """GET a JSON object from inside a namespace; empty while nobody answers."""
    done = subprocess.run(
        [*within, "curl", "--silent", "--globoff", url],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    return json.loads(done.stdout) if done.stdout else {}


def lines(said: Path) -> list[str]:
    """What was said, without what says that all is well."""
    return [line for line in said.read_text().splitlines() if "no doorbell" in line]


# -- addresses ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "has_ipv6", "url"),
    [
        ("", False, "127.0.0.1"),
        ("0.0.0.0", False, "127.0.0.1"),
        ("localhost", False, "127.0.0.1"),
        ("", True, "[::1]"),
        ("localhost", True, "127.0.0.1"),
        ("::1", True, "[::1]"),
        ("[::1]", True, "[::1]"),
        ("::", True, "[::1]"),
    ],
)
def test_a_server_serves_what_addresses_there_are(
    tmp_path: Path, ring_name: str, host: str, has_ipv6: bool, url: str
) -> None:
    """All of them, by default; a machine whose kernel has IPv6 switched off has fewer."""
    said, options = tmp_path / "said", (f"--host={host}", "--port=4510", f"--ring={ring_name}")
    with (
        namespace("--net", setup=LOOPBACK_UP if has_ipv6 else NO_IPV6) as within,
        program(said, "server", *options, within=within),
    ):
        expected = {"status": "ok"}
        eventually(
            lambda: fetch(f"http://{url}:4510/livez", within) == expected,
            f"{url} does not answer",
        )
    assert "Traceback" not in said.read_text()


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_address_that_there_is_not_is_one_line(
    tmp_path: Path, ring_name: str, host: str
) -> None:
    """Without IPv6 there is no ::1."""
    said = tmp_path / "said"
    with (
        namespace("--net", setup=NO_IPV6) as within,
        program(said, "server", f"--host={host}", f"--ring={ring_name}", within=within) as server,
    ):
        assert server.wait(PATIENCE_S) == 1
    assert said.read_text() == "server: ::1 is no address of this machine; see --host\n"


# -- the doorbell ------------------------------------------------------------------------


@contextlib.contextmanager
def both(
    tmp_path: Path,
    ring: str,
    *,
    producer_within: list[str] | None = None,
    server_within: list[str] | None = None,
) -> Iterator[str]:
    """Producer and server once samples come: the address."""
    port, said = free_port(), tmp_path / "said"
    with (
        program(
            said, "producer", "--device=sim", "--rate=200", f"--ring={ring}", within=producer_within
        ),
        program(
            said,
            "server",
            "--host=127.0.0.1",
            f"--port={port}",
            f"--ring={ring}",
            within=server_within,
        ),
    ):
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: get(f"{url}/healthz")[0] == 200, "no samples")
        yield url


def ages_s(url: str) -> list[float]:
    """How old the newest sample is at any time, in order: 100 looks."""
    found = []
    for _ in range(100):
        answer = json.loads(get(f"{url}/json?verbose=1")[1])
        found.append(answer["now"] - answer["time"])
    return sorted(found)


def test_without_unix_sockets_samples_come_a_period_later_at_most(
    tmp_path: Path, ring_name: str
) -> None:
    """As under systemd's RestrictAddressFamilies=AF_INET; each program says so in one line."""
    sandbox = without_unix_sockets()
    with both(tmp_path, ring_name, producer_within=sandbox, server_within=sandbox) as url:
        # Half the looks find one that is younger than two periods, some more on a busy machine. A
        # reader that looked each 100 ms would give 50 ms.
        assert ages_s(url)[50] < 0.035
    said = lines(tmp_path / "said")
    assert len(said) == 2
    assert all(line.endswith("readers look once a period") for line in said)


def test_bells_that_do_not_reach_another_network_namespace_cost_a_period(
    tmp_path: Path, ring_name: str
) -> None:
    """As under systemd's PrivateNetwork=yes; nothing is said, as neither side can know."""
    with namespace("--net") as within, both(tmp_path, ring_name, producer_within=within) as url:
        assert ages_s(url)[50] < 0.035
    assert lines(tmp_path / "said") == []


# -- memory ------------------------------------------------------------------------------


def test_a_full_memory_is_one_line_and_leaves_nothing(tmp_path: Path, ring_name: str) -> None:
    """All pages are there before anybody touches one: nobody is killed by SIGBUS later."""
    said = tmp_path / "said"
    small = "mount -t tmpfs -o size=200k tmpfs /dev/shm"
    options = (f"--ring={ring_name}", "--device=sim", "--attitude=off")
    with namespace("--mount", setup=small) as within:
        with program(said, "producer", *options, within=within) as producer:
            assert producer.wait(PATIENCE_S) == 1
        text = said.read_text()
        assert text == (
            f"producer: no room in /dev/shm for a ring of {segment_bytes(65536)} bytes: "
            "choose a smaller --capacity\n"
        )
        found = subprocess.run(
            [*within, "ls", "/dev/shm"], capture_output=True, text=True, check=True
        )
        assert found.stdout == ""
        # One that fits runs on when all the rest is taken.
        fill = "dd if=/dev/zero of=/dev/shm/rest bs=1k 2>/dev/null; df /dev/shm | grep -q 100%"
        with program(said, "producer", *options, "--capacity=1000", within=within) as producer:
            eventually(lambda: "reading sim" in said.read_text(), "no ring")
            assert subprocess.run([*within, "sh", "-c", fill], check=False).returncode == 0
            with pytest.raises(subprocess.TimeoutExpired):
                producer.wait(2.5)
            producer.terminate()
            assert producer.wait(PATIENCE_S) == 0


# -- users -------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may take over what others have")
def test_root_takes_over_another_users_ring(tmp_path: Path, ring_name: str) -> None:
    """Where fs.protected_regular is set, as Debian does, O_CREAT on it is refused even to root."""
    said = tmp_path / "said"
    options = (f"--ring={ring_name}", "--device=sim", "--attitude=off")
    with program(said, "producer", *options) as producer:
        eventually(lambda: said.exists() and "reading sim" in said.read_text(), "no ring")
        producer.terminate()
        assert producer.wait(PATIENCE_S) == 0
    inode = (SHM / ring_name).stat().st_ino
    for name in left_behind(ring_name):
        os.chown(SHM / name, 65534, 65534)
    with program(said, "producer", *options) as producer:
        eventually(lambda: said.read_text().count("reading sim") == 2, said.read_text())
        assert (SHM / ring_name).stat().st_ino == inode
        assert producer.poll() is None
