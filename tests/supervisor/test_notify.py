"""What systemd hears: a real datagram socket in its place."""

import math
import os
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from trio_mpu.supervisor import notify
from trio_mpu.supervisor.notify import Notifier, address_of, sign_of_life_s


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket of either kind, and what systemd would put into NOTIFY_SOCKET."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@{uuid.uuid4().hex}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        listening.setblocking(False)
        yield listening, name


def heard(systemd: socket.socket) -> list[bytes]:
    """The datagrams that have come."""
    found = []
    while True:
        try:
            found.append(systemd.recv(1000))
        except BlockingIOError:
            return found


def test_systemd_hears_each_change_once(systemd: tuple[socket.socket, str]) -> None:
    """In the words of sd_notify(3), a datagram each."""
    listening, name = systemd
    notifier = Notifier.of({"NOTIFY_SOCKET": name})
    for _ in range(2):
        notifier.ready()
        notifier.alive()  # no watchdog: nothing is due
    for _ in range(2):
        notifier.stopping()
    assert heard(listening) == [b"READY=1", b"STOPPING=1"]


def test_a_sign_of_life_comes_twice_in_the_time_that_systemd_waits(
    systemd: tuple[socket.socket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not more often, however often it is asked for; the first immediately."""
    listening, name = systemd
    now_s = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    environ = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}
    notifier = Notifier.of(environ)
    assert notifier.due_s == -math.inf
    for now_s, count in ((100.0, 1), (114.9, 0), (115.0, 1), (115.1, 0), (200.0, 1), (200.1, 0)):
        notifier.alive()
        assert heard(listening) == [b"WATCHDOG=1"] * count
        assert notifier.due_s > now_s


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", ""),
        ("/run/systemd/notify", "/run/systemd/notify"),
        ("@name", "\0name"),
        ("@/a@b", "\0/a@b"),
        ("@", ""),
        ("/", ""),
        ("vsock:2:1234", ""),
        ("relative", ""),
    ],
)
def test_the_address_is_a_path_or_an_abstract_name(text: str, address: str) -> None:
    """As sd_notify(3) has them; other kinds of sockets are for virtual machines."""
    assert address_of({"NOTIFY_SOCKET": text}) == address


@pytest.mark.parametrize(
    ("environ", "every_s"),
    [
        ({}, math.inf),
        ({"WATCHDOG_USEC": "10000000"}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "7"}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "8"}, math.inf),
        ({"WATCHDOG_USEC": "0"}, math.inf),
        ({"WATCHDOG_USEC": "-1"}, math.inf),
        ({"WATCHDOG_USEC": "soon"}, math.inf),
    ],
)
def test_signs_of_life_are_for_the_process_that_is_meant(
    environ: dict[str, str], every_s: float
) -> None:
    """A program inherits the variables of the one that started it."""
    assert sign_of_life_s(environ, 7) == every_s


def test_without_systemd_nothing_is_sent_and_nothing_is_due() -> None:
    """Whatever the rest of the environment says."""
    for environ in ({}, {"NOTIFY_SOCKET": ""}, {"WATCHDOG_USEC": "10000000"}):
        notifier = Notifier.of(environ)
        notifier.ready()
        notifier.alive()
        notifier.stopping()
        assert notifier.due_s == math.inf


def test_what_could_not_be_sent_is_sent_again(tmp_path: Path) -> None:
    """Readiness above all: systemd would kill a service that never was ready."""
    path = tmp_path / "notify"
    notifier = Notifier(str(path), 1.0)
    notifier.ready()
    notifier.alive()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        listening.setblocking(False)
        notifier.ready()
        notifier.ready()
        assert heard(listening) == [b"READY=1"]


def test_a_systemd_that_does_not_read_delays_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its queue is full after a few datagrams."""
    monkeypatch.setattr(notify, "SEND_S", 0.001)
    path = tmp_path / "notify"
    notifier = Notifier(str(path), 1e-9)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        listening.setblocking(False)
        for _ in range(600):  # net.unix.max_dgram_qlen is 10, or 512 as systemd sets it
            notifier.alive()
        assert 0 < len(heard(listening)) <= 600
