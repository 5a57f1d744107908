"""Several server processes on one port, as their users meet them."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import requests
import trio

from tests.helpers.http_client import Client, NoMore, request
from tests.helpers.metrics import metrics_of
from tests.helpers.processes import killed, python
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
    start_script,
    workers,
)
from trio_mpu.lifecycle import ONE_WISH_S

ESTABLISHED: Final = "01"


@contextlib.contextmanager
def running(ring: str, *options: str, number: int = 3) -> Iterator[System]:
    """A system whose server has so many workers, all up; at the end none may be left."""
    with System(ring) as system:
        system.start("producer")
        system.start("server", f"--workers={number}", *options)
        all_up(system, number)
        system.wait()
        yield system
    nobody_left(ring)


def all_up(system: System, number: int) -> None:
    """Wait until so many workers are up."""
    told = f'"workers":{number},"workers_up":{number}}}'
    eventually(lambda: told in system.get("/healthz")[1], f"never {number} workers up")


def nobody_left(ring: str) -> None:
    """Wait until the last worker is gone."""
    eventually(lambda: not workers(ring), "a worker is left")


def clients_of(pid: int, port: int) -> set[int]:
    """The ports of the clients whose connections to this port a process has."""
    sockets = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, *_, inode = line.split()[:10]
        if state == ESTABLISHED and int(local.partition(":")[2], 16) == port:
            sockets[f"socket:[{inode}]"] = int(remote.partition(":")[2], 16)
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(sockets.get(str(link.readlink()), 0))
    return found - {0}


async def in_time(condition: Any, what: str) -> None:  # noqa: ANN401 - any function
    """Wait as eventually() does, while other tasks run."""
    with trio.move_on_after(PATIENCE_S) as scope:
        while not condition():  # noqa: ASYNC110 - a test looks from outside; nobody tells it
            await trio.sleep(0.01)
    assert not scope.cancelled_caught, what


class Crowd:
    """Clients that follow the stream, by their ports."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.samples: dict[int, list[tuple[int, str]]] = defaultdict(list)
        self.ended = set[int]()

    async def follow(self) -> None:
        """Follow it to its end."""
        async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
            me: int = stream.socket.getsockname()[1]
            client = Client(stream)
            with contextlib.suppress(NoMore, trio.BrokenResourceError, trio.TooSlowError):
                await client.open_events()
                while True:
                    event = await client.event()
                    if event.id:
                        self.samples[me].append((int(event.id.partition("-")[2]), event.data))
            self.ended.add(me)

    def least(self, ports: set[int]) -> int:
        """How many samples each of these has got at least."""
        return min(len(self.samples[port]) for port in ports)

    def check(self, ports: set[int]) -> None:
        """Each sample once, in order, and the same for all."""
        seen: dict[int, str] = {}
        for port in ports:
            numbers = [seq for seq, _ in self.samples[port]]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            for seq, data in self.samples[port]:
                assert '"gap"' not in data or '"device"' in data
                # The mean of the last 128 is of those that a server knows, since it began.
                assert seen.setdefault(seq, part(data)) == part(data)


def part(data: str) -> str:
    """A sample without its average."""
    return re.sub(r'"average":\{[^}]*\},', "", data)


# -- serving ----------------------------------------------------------------------------


async def test_all_workers_serve_one_port_and_each_stream_is_whole(ring_name: str) -> None:
    """60 streams over 3 workers at the same time: every sample once, in order, the same for all;
    and whoever is asked counts all of them."""
    with running(ring_name) as system:
        crowd = Crowd(system.port)
        async with trio.open_nursery() as nursery:
            for _ in range(60):
                nursery.start_soon(crowd.follow)
            await in_time(lambda: len(crowd.samples) == 60, "not all streams began")
            served = {
                slot: clients_of(pid, system.port) for slot, pid in workers(ring_name).items()
            }
            assert sorted(served) == [0, 1, 2]
            assert all(served.values())
            everyone = set[int]().union(*served.values())
            assert everyone == set(crowd.samples)
            await in_time(lambda: crowd.least(everyone) > 200, "the streams stood still")

            asked, found = 0, {"connections_total": 0.0}
            with trio.fail_after(PATIENCE_S):
                # Each time another connection, so another worker now and then. They write their
                # counters down twice a second.
                while asked < 10 or found["connections_total"] < 60 + asked:
                    asked += 1
                    _, text = await trio.to_thread.run_sync(system.get, "/metrics")
                    found = metrics_of(text)
                    assert (found["workers"], found["workers_up"]) == (3, 3)
                    assert found["streams_open"] == 60
                    assert found["connections_open"] >= 61
            nursery.cancel_scope.cancel()
        assert not crowd.ended
        crowd.check(everyone)


async def test_the_metrics_of_all_workers_add_up(ring_name: str) -> None:
    """Latencies and bytes are of both, any of them shows both processes, and each count is that of
    its histogram's buckets."""
    with running(ring_name, number=2) as system:
        crowd = Crowd(system.port)
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(crowd.follow)
            await in_time(lambda: len(crowd.samples) == 20, "not all streams began")
            await in_time(lambda: crowd.least({*crowd.samples}) > 200, "the streams stood still")
            await trio.sleep(1)  # a worker that is not asked writes its numbers twice a second
            for _ in range(5):
                _, text = await trio.to_thread.run_sync(system.get, "/metrics")
                found = metrics_of(text)
                for name in ("ring_latency_seconds", "socket_latency_seconds"):
                    count = found[f"{name}_count"]
                    assert count == found[f"{name}_bucket{{le=+Inf}}"] > 0
                    assert 0 < found[f"{name}_sum"] < count
                # Both read each of the samples; one may be in the middle of writing its numbers.
                assert found["ring_latency_seconds_count"] == pytest.approx(
                    found["events_total"], rel=0.1
                )
                assert found["events_total"] > 400
                assert found["sent_bytes_total"] > 20 * 200 * 300
                for number in (0, 1):
                    assert found[f"process_cpu_seconds_total{{worker={number}}}"] > 0
                    memory = found[f"process_resident_memory_bytes{{worker={number}}}"]
                    assert 10e6 < memory < 200e6
            nursery.cancel_scope.cancel()


def test_one_worker_is_one_process(ring_name: str) -> None:
    """No supervisor, no other process, as without the option."""
    with running(ring_name, number=1) as system:
        pid = system.processes["server"].pid
        assert Path(f"/proc/{pid}/task/{pid}/children").read_text() == ""
        assert workers(ring_name) == {}
        found = metrics_of(system.get("/metrics")[1])
        assert (found["workers"], found["workers_up"]) == (1, 1)


# -- a worker dies ----------------------------------------------------------------------


async def test_a_killed_worker_is_replaced_and_the_others_go_on(ring_name: str) -> None:
    """Their streams have no gap, the totals never go down, and its connections are free again."""
    with running(ring_name) as system:
        crowd = Crowd(system.port)
        async with trio.open_nursery() as nursery:
            for _ in range(30):
                nursery.start_soon(crowd.follow)
            await in_time(lambda: len(crowd.samples) == 30, "not all streams began")
            before = workers(ring_name)
            served = {slot: clients_of(pid, system.port) for slot, pid in before.items()}
            victim = max(served, key=lambda slot: len(served[slot]))
            lost = served.pop(victim)
            others = set[int]().union(*served.values())
            assert lost
            assert others
            old: dict[str, float] = {}

            async def totals() -> dict[str, float]:
                status, text = await trio.to_thread.run_sync(system.get, "/metrics")
                found = metrics_of(text)
                if status:  # else it met the worker that died
                    for name, value in found.items():
                        # The ring's numbers are as each worker saw them last.
                        if "_total" in name and not name.startswith(("process_", "samples_t")):
                            assert value >= old.get(name, 0), name
                    old.update(found)
                return old

            assert (await totals())["streams_open"] == 30
            os.kill(before[victim], signal.SIGKILL)
            await in_time(lambda: crowd.ended == lost, "not exactly its clients were lost")
            with trio.fail_after(PATIENCE_S):
                while (await totals())["worker_restarts_total"] < 1:
                    pass
                while (await totals())["workers_up"] < 3:
                    pass
            assert (await totals())["streams_open"] == len(others)
            after = workers(ring_name)
            assert after.pop(victim) != before.pop(victim)
            assert after == before
            seen = crowd.least(others)
            await in_time(lambda: crowd.least(others) > seen + 100, "the others stood still")
            nursery.cancel_scope.cancel()
        crowd.check(others)
        assert crowd.ended == lost
        fresh = await follow(system.url, "", 30)
        assert numbers_of(fresh) == list(range(fresh[0]["seq"], fresh[0]["seq"] + len(fresh)))


# -- the limit --------------------------------------------------------------------------


class Streams:
    """Clients that ask for the stream, of whom some are admitted; and one who watches."""

    def __init__(self, port: int, watch: Client) -> None:
        self.port = port
        self.watch = watch
        self.admitted: list[trio.SocketStream] = []

    async def attempt(self) -> None:
        """Come, and stay if admitted."""
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        client = Client(stream)
        # One refused may be told so, or, where even refusals are too many, be cut off.
        with contextlib.suppress(NoMore, trio.BrokenResourceError):
            await client.send(request("/events"))
            if (await client.head()).status == 200:
                self.admitted.append(stream)
                return
        await stream.aclose()

    async def fill(self, number: int) -> None:
        """Come one after the other, until so many are admitted."""
        while len(self.admitted) < number:
            await self.attempt()

    async def leave(self) -> None:
        """Let all who were admitted leave, and wait until that is noticed."""
        while self.admitted:
            await self.admitted.pop().aclose()
        await self.nobody()

    async def nobody(self) -> None:
        """Wait until nobody is connected but the one who watches."""
        while await self.counted() != 0:
            pass

    async def counted(self) -> int:
        """How many the server says that there are beside the one who watches."""
        numbers = metrics_of((await self.watch.get("/metrics")).body.decode())
        return int(numbers["connections_open"]) - 1


async def test_the_limit_on_clients_is_for_all_workers_together(ring_name: str) -> None:
    """However many come at once; the place of one who leaves is free for any."""
    room = 20
    with running(ring_name, f"--max-clients={room + 1}") as system:
        async with await trio.open_tcp_stream("127.0.0.1", system.port) as stream:
            streams = Streams(system.port, Client(stream))
            with trio.fail_after(2 * PATIENCE_S):
                await streams.nobody()  # those are gone that asked whether all is up
                async with trio.open_nursery() as nursery:
                    for _ in range(150):
                        nursery.start_soon(streams.attempt)
                assert await streams.counted() == len(streams.admitted) <= room
                # Two that came at the same instant may both have been refused.
                await streams.fill(room)
                for _ in range(20):
                    await streams.attempt()
                assert await streams.counted() == len(streams.admitted) == room
                await streams.leave()
                await streams.fill(room)
                assert await streams.counted() == room
                await streams.leave()


# -- the end ----------------------------------------------------------------------------


@contextlib.contextmanager
def logged(
    ring: str, folder: Path, *options: str, environ: dict[str, str] | None = None
) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """A server on a ring that there is not, and the file with what it says."""
    log = folder / "log"
    with (
        log.open("w") as file,
        killed(
            python(
                *("server_main.py", "--ring", ring, *options),
                environ=environ,
                output=file.fileno(),
            )
        ) as process,
    ):
        yield process, log
    nobody_left(ring)


def test_a_stop_reaches_all_workers_and_ends_their_streams(ring_name: str) -> None:
    """Within 4 s, with status 0, a proper last chunk, and nobody left; from either signal."""
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.ExitStack() as stack:
            system = stack.enter_context(running(ring_name))
            streams = [
                stack.enter_context(
                    contextlib.closing(
                        requests.get(system.url + "/events", stream=True, timeout=PATIENCE_S)
                    )
                )
                for _ in range(12)
            ]
            lines = [stream.iter_lines() for stream in streams]
            for each in lines:
                assert next(each).startswith(b"retry:")
            begun_s = time.monotonic()
            assert system.kill("server", number) == 0
            assert time.monotonic() - begun_s < 4
            assert workers(ring_name) == {}
            for each in lines:
                for _ in each:  # without a proper end this raises ChunkedEncodingError
                    pass


def test_a_second_signal_ends_all_at_once(ring_name: str, tmp_path: Path) -> None:
    """Although clients are in the middle of their requests."""
    port = free_port()
    with logged(ring_name, tmp_path, f"--port={port}", "--workers=2") as (server, log):
        eventually(lambda: '"workers_up":2' in get(f"http://127.0.0.1:{port}/healthz")[1], "not up")
        with contextlib.ExitStack() as stack:
            for _ in range(20):
                client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                client.sendall(b"GET /js")
            server.send_signal(signal.SIGTERM)
            eventually(lambda: log.read_text().count("SIGTERM: stopping") == 3, "not told to all")
            time.sleep(2 * ONE_WISH_S)  # sooner it would be the same wish
            server.send_signal(signal.SIGTERM)
            assert server.wait(PATIENCE_S) == 0
        assert workers(ring_name) == {}
        assert "SIGTERM again: stopping immediately" in log.read_text()
        assert "Traceback" not in log.read_text()


def test_without_their_supervisor_the_workers_stop(ring_name: str, tmp_path: Path) -> None:
    """Nobody is left on the port, however the supervisor died; another one may begin there."""
    port = free_port()
    up = f"http://127.0.0.1:{port}/healthz"
    with logged(ring_name, tmp_path, f"--port={port}", "--workers=3") as (server, log):
        eventually(lambda: '"workers_up":3' in get(up)[1], "not up")
        assert len(workers(ring_name)) == 3
        server.kill()
        server.wait()
        nobody_left(ring_name)
        assert log.read_text().count("the supervisor is gone: stopping") == 3
        assert "Traceback" not in log.read_text()
    with logged(ring_name, tmp_path, f"--port={port}", "--workers=2") as (server, _):
        eventually(lambda: '"workers_up":2' in get(up)[1], "not up")


def test_start_sh_hands_it_on(ring_name: str) -> None:
    """And stops all of them."""
    port = free_port()
    options = ("--device=sim", f"--port={port}", f"--ring={ring_name}", "--workers", "2")
    with killed(start_script(*options)) as script:
        up = f"http://127.0.0.1:{port}/healthz"
        eventually(lambda: '"ok","workers":2,"workers_up":2' in get(up)[1], "not up")
        script.send_signal(signal.SIGTERM)
        assert script.wait(PATIENCE_S) == 0
    assert (workers(ring_name), programs(ring_name)) == ({}, {})
    assert left_behind(ring_name) == []


# -- what goes wrong at the start ---------------------------------------------------------


def says(*options: str) -> tuple[int, list[str]]:
    """Run a server until it gives up; return its exit status and all that it said."""
    with killed(python("server_main.py", *options)) as process:
        _, complaints = process.communicate(timeout=PATIENCE_S)
        return process.returncode, complaints.splitlines()


@pytest.mark.parametrize("shared", [False, True])
def test_a_port_in_use_is_said_in_one_line(ring_name: str, shared: bool) -> None:
    """Also when the other one would share it; no worker is started."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
        other.bind(("", 0))
        other.listen()
        port = other.getsockname()[1]
        status, lines = says(f"--port={port}", "--ring", ring_name, "--workers=2")
    assert status == 1
    assert lines == [
        f"server: port {port} is in use by another program; choose another with --port"
    ]


def test_a_second_supervisor_is_refused(ring_name: str) -> None:
    """In the same line, and the first one serves on."""
    with running(ring_name, number=2) as system:
        for number in ("1", "2"):
            status, lines = says(
                *("--host=127.0.0.1", f"--port={system.port}"),
                *("--ring", ring_name, f"--workers={number}"),
            )
            assert status == 1
            (line,) = lines
            assert f"port {system.port} is in use" in line
        all_up(system, 2)


def test_any_free_port_is_the_same_for_all(ring_name: str, tmp_path: Path) -> None:
    """And the same on IPv4 and IPv6; the number of workers may stand in the environment."""
    environ = {"TRIO_MPU_WORKERS": "3"}
    with logged(ring_name, tmp_path, "--port=0", environ=environ) as (server, log):
        eventually(lambda: log.read_text().count("serving ring") == 3, "not all serve")
        (port,) = set(re.findall(r"port (\d+)", log.read_text()))
        for host in ("127.0.0.1", "[::1]"):
            assert '"workers":3' in get(f"http://{host}:{port}/healthz")[1]
        server.send_signal(signal.SIGINT)
        assert server.wait(PATIENCE_S) == 0
        assert workers(ring_name) == {}
        assert log.read_text().count("stopped\n") == 3


@pytest.mark.parametrize("option", ["--workers=0", "--workers=65", "--workers=two", "--worker=x"])
def test_a_bad_value_is_one_line(option: str) -> None:
    """Status 2."""
    status, (line,) = says(option)
    assert status == 2
    assert f"argument {option.partition('=')[0]}: " in line


@pytest.mark.parametrize("place", ["0:0", "0:1000"])
def test_a_worker_without_a_supervisor_is_refused(place: str) -> None:
    """Who starts one by hand is told what to use."""
    status, (line,) = says(f"--worker={place}", "--port=0")
    assert status == 2
    assert line.endswith("--worker is internal; use --workers")
