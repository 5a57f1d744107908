"""The whole system as its users meet it: real processes, real rings, real sockets, their tools."""

import contextlib
import itertools
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx_sse
import pytest
import requests
import sseclient
import trio

from tests.helpers.processes import ROOT, killed, python
from tests.helpers.programs import (
    PATIENCE_S,
    System,
    eventually,
    follow,
    free_port,
    get,
    left_behind,
    numbers_of,
    programs,
    running,
    start_script,
)
from tests.helpers.version_1 import version_1
from tests.test_sample import TEXT
from trio_mpu.shm import layout
from trio_mpu.supervisor.program import our_command

# -- start.sh ---------------------------------------------------------------------------


@contextlib.contextmanager
def started(ring: str, *options: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """start.sh with a simulator, once its page answers; and the address."""
    port = free_port()
    with killed(
        start_script("--device", "sim", "--port", str(port), f"--ring={ring}", *options)
    ) as script:
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: get(url + "/json")[0] == 200, "start.sh gave no sample")
        yield script, url


@pytest.mark.parametrize(
    ("name", "options", "serves"),
    [
        ("start", ("--device=sim", "--port=0"), b"following ring"),
        ("producer", ("--device=sim",), b"sim"),
        ("server", ("--port=0",), b"serving ring"),
    ],
)
def test_closing_the_terminal_ends_it_cleanly(
    ring_name: str, name: str, options: tuple[str, ...], serves: bytes
) -> None:
    """As Ctrl-C does: nothing runs on that nobody sees any more."""
    pid, terminal = pty.fork()
    if pid == 0:
        command = our_command(name, f"--ring={ring_name}", *options)
        os.execv(command[0], command)  # noqa: S606
    said = b""
    try:
        while serves not in said:
            said += os.read(terminal, 65_536)
    finally:
        os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    # A producer by itself leaves the ring to its successor.
    assert bool(left_behind(ring_name)) == (name == "producer")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_command_serves_and_a_signal_ends_it_cleanly(
    ring_name: str, number: signal.Signals
) -> None:
    """Page, latest sample and stream answer; the end comes within 4 s, with status 0 and nothing
    left, while a client is still connected."""
    with started(ring_name) as (script, url):
        assert "<html" in get(url + "/")[1]
        with contextlib.closing(
            requests.get(url + "/events", stream=True, timeout=PATIENCE_S)
        ) as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith(b"retry:")
            begun_s = time.monotonic()
            script.send_signal(number)
            assert script.wait(PATIENCE_S) == 0
            assert time.monotonic() - begun_s < 4
            for _ in lines:  # the stream has a proper end, or this raises ChunkedEncodingError
                pass
    assert left_behind(ring_name) == []
    assert programs(ring_name) == {}


@pytest.mark.parametrize("victim", ["producer", "server"])
def test_a_program_that_is_killed_is_started_again_and_it_is_said(
    ring_name: str, victim: str
) -> None:
    """The other one goes on, and the page answers with samples again; nothing is left at the end."""
    with started(ring_name) as (script, url):
        before = programs(ring_name)
        os.kill(before[victim], signal.SIGKILL)
        # Not by its name alone: a killed program is listed for a moment longer.
        old = before[victim]
        eventually(lambda: programs(ring_name).get(victim, old) != old, "not started again")
        eventually(lambda: get(url + "/healthz")[0] == 200, "no samples again")
        after = programs(ring_name)
        assert {name for name in before if before[name] != after[name]} == {victim}
        script.send_signal(signal.SIGTERM)
        _, complaints = script.communicate(timeout=PATIENCE_S)
    assert script.returncode == 0
    assert f"start: {victim} was killed by SIGKILL; starting it again in 0.5 s" in complaints
    assert left_behind(ring_name) == []
    assert programs(ring_name) == {}


def test_when_the_supervisor_is_killed_both_programs_stop(ring_name: str) -> None:
    """By themselves, in good order. The ring is left, and the next start goes on with it."""
    with started(ring_name) as (script, url):
        last = json.loads(get(url + "/json")[1])
        script.kill()
        eventually(lambda: programs(ring_name) == {}, "a program is left")
    with started(ring_name) as (script, url):
        eventually(lambda: get(url + "/healthz")[0] == 200, "no samples again")
        sample = json.loads(get(url + "/json")[1])
        assert sample["id"].partition("-")[0] == last["id"].partition("-")[0]
        assert sample["seq"] > last["seq"]
        script.send_signal(signal.SIGTERM)
        assert script.wait(PATIENCE_S) == 0
    assert left_behind(ring_name) == []


def test_start_works_through_a_link_from_any_folder(ring_name: str, tmp_path: Path) -> None:
    """Relative paths are the caller's, `~` is home, and blanks are no matter."""
    home = tmp_path / "a home"
    home.mkdir()
    (home / "my device").write_bytes(TEXT)
    link = tmp_path / "a link"
    link.symlink_to(ROOT / "start.sh")
    for device, environ in (("./my device", {}), ("~/my device", {"HOME": str(home)})):
        port = free_port()
        script = subprocess.Popen(
            [str(link), f"--device={device}", f"--port={port}", f"--ring={ring_name}"],
            cwd=home,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        with killed(script):
            url = f"http://127.0.0.1:{port}/json"
            eventually(lambda: get(url)[0] == 200, "no sample")  # noqa: B023 - within the turn
            source = json.loads(get(url)[1])["source"]
            assert source in ("./my device", str(home / "my device"))
            script.send_signal(signal.SIGTERM)
            assert script.wait(PATIENCE_S) == 0
    assert left_behind(ring_name) == []


def test_a_second_start_is_refused_and_leaves_the_first_alone(ring_name: str) -> None:
    """The ring's living producer is named; its ring is not removed."""
    with started(ring_name) as (first, url):
        pid = programs(ring_name)["producer"]
        with killed(
            start_script("--device=sim", f"--port={free_port()}", f"--ring={ring_name}")
        ) as second:
            _, complaints = second.communicate(timeout=PATIENCE_S)
        assert second.returncode == 1
        assert f"has a producer already: process {pid}" in complaints
        assert (
            "start: producer ended with exit status 1 before it was ready: stopping" in complaints
        )
        assert get(url + "/json")[0] == 200
        first.send_signal(signal.SIGTERM)
        assert first.wait(PATIENCE_S) == 0


def test_a_port_in_use_is_said_in_one_line(ring_name: str) -> None:
    """The line says which port and what to do; the producer is stopped and nothing left."""
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with killed(
            start_script("--device=sim", f"--port={port}", f"--ring={ring_name}")
        ) as script:
            _, complaints = script.communicate(timeout=PATIENCE_S)
    assert script.returncode == 1
    assert f"server: port {port} is in use by another program; choose another with --port" in (
        complaints.splitlines()
    )
    assert "Traceback" not in complaints
    assert left_behind(ring_name) == []


@pytest.mark.parametrize(
    "options", [["--speed", "9"], ["--port"], ["fast"], ["--rate", "0"], ["--port", "x"]]
)
def test_a_wrong_option_is_said_in_a_line_each(ring_name: str, options: list[str]) -> None:
    """Exit status 2, no traceback, nothing left."""
    with killed(start_script(f"--ring={ring_name}", "--device=sim", *options)) as script:
        _, complaints = script.communicate(timeout=PATIENCE_S)
    assert script.returncode == 2
    assert "Traceback" not in complaints
    assert any(options[0] in line for line in complaints.splitlines())
    assert left_behind(ring_name) == []


def fresh_tree(folder: Path) -> Path:
    """A copy of what start.sh needs, without a virtual environment."""
    for name in ("start.sh", "test.sh", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    return folder


@pytest.mark.parametrize("script", ["start.sh", "test.sh"])
@pytest.mark.parametrize(
    ("python_does", "message"),
    [
        ("exit 127", None),
        ('[ "$2" != "import venv, ensurepip" ] || exit 1; exec python3 "$@"', "python3-venv"),
        ('case $2 in *version_info*) exit 1;; esac; echo "Python 3.9.2"', "3.11 or later"),
        ('[ "$2" != venv ] || exit 1; exec python3 "$@"', "can't make .venv"),
    ],
)
def test_what_is_missing_on_a_machine_is_said_in_one_line(
    tmp_path: Path, script: str, python_does: str, message: str | None
) -> None:
    """No Python, an old one, no venv module, no place for it: one line says what to do."""
    tree = fresh_tree(tmp_path)
    fake = tree / "fake-python"
    fake.write_text(f"#!/bin/bash\n{python_does}\n")
    fake.chmod(0o755)
    environ = {**os.environ, "PYTHON": str(fake) if message else str(tree / "no-python")}
    done = subprocess.run(
        [str(tree / script)], env=environ, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"{script}: ")
    assert (message or "Python is missing") in line


@pytest.mark.parametrize("script", ["start.sh", "test.sh"])
@pytest.mark.parametrize(
    ("machine", "bits", "needs"),
    [
        ("x86_64", 64, ""),
        ("aarch64", 64, ""),
        ("armv7l", 32, ", and on armv7l a C compiler: sudo apt install gcc python3-dev"),
        ("riscv64", 64, ", and on riscv64 a C compiler: sudo apt install gcc python3-dev"),
        ("aarch64", 32, ", and on 32-bit aarch64 a C compiler: sudo apt install gcc python3-dev"),
    ],
)
def test_a_machine_without_a_wheel_needs_a_compiler(
    tmp_path: Path, script: str, machine: str, bits: int, needs: str
) -> None:
    """If installing fails, the line says so where posix_ipc is compiled, and only there."""
    tree = fresh_tree(tmp_path)
    fakes = {
        "uname": f"echo {machine}",
        "python": f"""case "$*" in
            *maxsize*) exit $(({bits} == 32)) ;;
            "-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
            "-m pip --version") ;;
            "-m pip"*) echo "error: command 'gcc' failed" >&2; exit 1 ;;
            *) exec {sys.executable} "$@" ;;
            esac""",
    }
    (tree / "fakes").mkdir()
    for name, does in fakes.items():
        fake = tree / "fakes" / name
        fake.write_text(f"#!/bin/bash\n{does}\n")
        fake.chmod(0o755)
    environ = {
        **os.environ,
        "PATH": f"{tree / 'fakes'}:{os.environ['PATH']}",
        "PYTHON": str(tree / "fakes" / "python"),
    }
    done = subprocess.run(
        [str(tree / script)], env=environ, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:] == [
        "error: command 'gcc' failed",
        f"{script}: installing failed (see above); the first start needs the internet{needs}",
    ]


@pytest.mark.parametrize(
    ("mcap", "without", "complaints"),
    [
        ("exit 0", "exit 9", []),
        ("echo no wheel of lz4 >&2; exit 1", "exit 0", []),
        (
            "exit 1",
            "echo no network >&2; exit 1",
            [
                "no network",
                (
                    "start.sh: MCAP's library is missing (see above); "
                    "for format=mcap do: HERE/.venv/bin/pip install mcap"
                ),
            ],
        ),
    ],
)
def test_a_machine_without_a_wheel_of_the_extra_starts_all_the_same(
    tmp_path: Path, mcap: str, without: str, complaints: list[str]
) -> None:
    """What MCAP compresses with is left out then; and where nothing helps, one line says so."""
    tree = fresh_tree(tmp_path)
    fake = tree / "fake-python"
    fake.write_text(f"""#!/bin/bash
        case "$*" in
        "-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
        "-m pip --version") ;;
        *wanted-orientation) ;;
        *wanted-mcap*--no-deps) {without} ;;
        *wanted-mcap) grep -q ^mcap .venv/wanted-mcap && {mcap} ;;
        "-m pip"*) ! grep mcap .venv/wanted >&2 ;;
        -P*) echo "started $2 $3" ;;
        *) exec {sys.executable} "$@" ;;
        esac""")
    fake.chmod(0o755)
    done = subprocess.run(
        [str(tree / "start.sh")],
        env={**os.environ, "PYTHON": str(fake)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.stdout == f"started {tree}/trio_mpu/__main__.py start\n"
    assert [line.replace(str(tree), "HERE") for line in done.stderr.splitlines()] == [
        "start.sh: installing what is needed into .venv, once",
        *complaints,
    ]


# -- what goes wrong at the start ---------------------------------------------------------


def producer_says(*options: str) -> tuple[int, str]:
    """Run the producer until it gives up; return its exit status and all that it said."""
    with killed(python("producer_main.py", *options)) as process:
        _, complaints = process.communicate(timeout=PATIENCE_S)
        return process.returncode, complaints


def unusable_devices(folder: Path) -> dict[str, Path]:
    """Device paths that can't work, by what is wrong with them."""
    made = {name: folder / name for name in ("empty", "garbage", "silent", "no such file")}
    made["empty"].touch()
    made["garbage"].write_bytes(b"\x7fELF\0\n1,2")
    os.mkfifo(made["silent"])
    return {**made, "a directory": folder}


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("empty", "returned no text"),
        ("garbage", "is not IRQ count"),
        ("silent", "did not answer within 1 s"),
        ("no such file", "No such file or directory"),
        ("a directory", "Is a directory"),
    ],
)
def test_an_unusable_device_is_said_in_one_line(
    ring_name: str, tmp_path: Path, what: str, message: str
) -> None:
    """Exit status 1, the path and the reason, no ring left."""
    path = unusable_devices(tmp_path)[what]
    status, complaints = producer_says("--device", str(path), "--ring", ring_name)
    assert status == 1
    (line,) = complaints.splitlines()
    assert line.startswith("producer: ")
    assert message in line
    assert str(path) in line
    assert left_behind(ring_name) == []


@pytest.mark.parametrize("version", [None, 1, 99])
def test_a_segment_of_another_version_is_refused_in_one_line(
    ring_name: str, version: int | None
) -> None:
    """So is one that is no ring at all; neither is touched."""
    data = bytearray(layout.segment_bytes(4))
    layout.lay_out(data, 4, 1)
    layout.put(data, "magic" if version is None else "version", version or 1)
    if version == 1:
        data[:] = version_1()
    path = Path("/dev/shm") / ring_name
    path.write_bytes(data)
    status, complaints = producer_says("--device=sim", "--ring", ring_name)
    assert status == 1
    (line,) = complaints.splitlines()
    assert "is not a ring" in line if version is None else f"of version {version}, but" in line
    assert version is None or "knows version 2; stop the other program and remove it" in line
    assert path.read_bytes() == data


def test_the_server_says_why_it_waits(ring_name: str) -> None:
    """No ring, then one of another version: `/json` has the reason, and it goes on waiting."""
    port = free_port()
    with killed(python("server_main.py", "--port", str(port), "--ring", ring_name)) as server:
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: "is the producer running" in get(url + "/json")[1], "no reason given")
        data = bytearray(layout.segment_bytes(4))
        layout.lay_out(data, 4, 1)
        layout.put(data, "version", 99)
        (Path("/dev/shm") / ring_name).write_bytes(data)
        eventually(lambda: "version 99" in get(url + "/healthz")[1], "no reason given")
        assert get(url + "/healthz")[0] == 503
        server.send_signal(signal.SIGINT)
        _, complaints = server.communicate(timeout=PATIENCE_S)
    assert server.returncode == 0
    assert "Traceback" not in complaints


# -- the stream, read by programs that others wrote -----------------------------------------


def test_httpx_sse_reads_the_stream_unchanged(ring_name: str) -> None:
    """Ids follow each other and the data is the documented object."""
    with (
        running(ring_name) as system,
        httpx.Client(timeout=PATIENCE_S) as client,
        httpx_sse.connect_sse(client, "GET", system.url + "/events") as source,
    ):
        events = source.iter_sse()  # an event without data would fail as JSON
        first = next(events)
        for number in range(50):
            event = next(events)
            sample = event.json()
            assert sample["id"] == event.id
            assert sample["seq"] == json.loads(first.data)["seq"] + number + 1
            assert sample["status"] == "ok"
            assert abs(sum(sample["sample"][axis] ** 2 for axis in ("ax", "ay", "az")) - 1) < 0.1


def test_sseclient_reads_the_stream_unchanged(ring_name: str) -> None:
    """A second library, of other authors and with another parser."""
    with (
        running(ring_name) as system,
        requests.get(system.url + "/events", stream=True, timeout=PATIENCE_S) as answer,
    ):
        events = sseclient.SSEClient(answer.iter_content(None)).events()
        numbers = [json.loads(next(events).data)["seq"] for _ in range(50)]
        assert numbers == list(range(numbers[0], numbers[0] + 50))


def test_curl_reads_the_stream(ring_name: str) -> None:
    """The README's command."""
    curl = shutil.which("curl")
    assert curl is not None
    with running(ring_name) as system:
        command = [curl, "-sN", system.url + "/events"]
        with killed(subprocess.Popen(command, text=True, stdout=subprocess.PIPE)) as process:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            assert next(lines).startswith("retry: ")
            data = (line for line in lines if line.startswith("data: {"))
            assert len(list(itertools.islice(data, 21))) == 21


# -- ordered and complete -----------------------------------------------------------------


async def test_twenty_clients_get_every_sample_of_a_kilohertz_once(ring_name: str) -> None:
    """In order, and the same ones."""
    results: list[list[int]] = []
    with running(ring_name, rate=1000) as system:

        async def client() -> None:
            results.append(numbers_of(await follow(system.url, "", 2000)))

        with trio.fail_after(PATIENCE_S):
            async with trio.open_nursery() as nursery:
                for _ in range(20):
                    nursery.start_soon(client)
    assert len(results) == 20
    for numbers in results:
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert len(numbers) >= 2000


async def test_nothing_is_lost_across_a_restart_of_the_server(ring_name: str) -> None:
    """A client that comes back with its last id gets what was measured meanwhile."""
    with running(ring_name, rate=1000) as system:
        for number in (signal.SIGTERM, signal.SIGKILL):
            before = await follow(system.url, "", 300)
            system.kill("server", number)
            system.start("server")
            system.wait()
            after = await follow(system.url, before[-1]["id"], 300)
            numbers = numbers_of(before + after)
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            assert not any(
                "gap" in sample and sample["gap"]["reason"] != "device" for sample in after
            )


async def test_a_killed_producers_gap_is_told_and_the_numbers_go_on(ring_name: str) -> None:
    """The first sample of its successor says how many readings nobody took, to all clients."""
    with running(ring_name) as system:
        first: list[dict[str, Any]] = []

        async def client() -> None:
            first.extend(await follow(system.url, "", 200))

        with trio.fail_after(PATIENCE_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client)
                await trio.sleep(0.01)
                system.kill("producer")
                await trio.to_thread.run_sync(system.wait, "stopped")
                system.start("producer")
    numbers = numbers_of(first)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    (told,) = (sample for sample in first if "restart_gap" in sample["flags"])
    before = first[first.index(told) - 1]
    assert told["gap"]["reason"] == "restart"
    assert (told["gap"]["from"], told["gap"]["to"]) == (before["seq"], told["seq"])
    missing = (told["t_ns"] - before["t_ns"]) / 10**7 - 1
    assert told["gap"]["lost"] == pytest.approx(missing, abs=1)


def test_a_recording_can_be_replayed(ring_name: str, tmp_path: Path) -> None:
    """What `/history` gave comes out again, with another source."""
    with running(ring_name) as system:
        eventually(lambda: system.json().get("seq", 0) > 30, "no samples")
        text = system.get("/history?format=csv&limit=30")[1]
        system.kill("producer", signal.SIGTERM)
    (tmp_path / "recorded.csv").write_text(text)
    recorded = [line.split(",") for line in text.splitlines()[1:]]
    source = f"replay:{tmp_path / 'recorded.csv'}"
    with System(ring_name, device=source) as system:
        system.start("producer")
        system.start("server")
        # Until the producer has made its ring, the server finds the one of before, stopped too.
        eventually(lambda: system.json().get("source") == source, "never replayed")
        system.wait("stopped")
        rows = json.loads(system.get("/history")[1])["samples"]
    assert [row["ax"] for row in rows] == [float(line[3]) for line in recorded]
    assert {row["source"] for row in rows} == {source}
    assert all({"simulated", "replayed"} <= {*row["flags"]} for row in rows)
