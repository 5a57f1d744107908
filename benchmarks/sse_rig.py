"""What a trial of SSE clients is made of: our programs, proxies before them, and the clients."""

import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.built import ROOT, Missing
from benchmarks.servers import STOP_S, NoAnswer, remove_ring

PATIENCE_S: Final = 30.0
_CONNECTION_S: Final = 0.5  # how long the cutting proxy lets a stream run
_NGINX: Final = """
{user}
daemon off;
pid nginx.pid;
error_log stderr crit;
events {{ }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
{text}
}}
"""
_COMPRESSING: Final = """
    gzip on;
    gzip_types text/event-stream application/json;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://127.0.0.1:{upstream}; }}
    }}
"""


def free_port() -> int:
    """Return a port below those that Linux gives to outgoing connections: a server that is started
    again must not find it taken by a client that tries to reach it."""
    while True:
        port = random.randrange(10_000, 32_768)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


class Ours:
    """Our server and our producer, each of which can be killed and started again."""

    def __init__(self, ring: str, rate_hz: float) -> None:
        self.port = free_port()
        self._ring = ring
        self._arguments = {
            "producer": f"producer_main.py --device sim:seed=1 --rate {rate_hz:g}",
            "server": f"server_main.py --host 127.0.0.1 --port {self.port}",
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Start one of the two."""
        command = [sys.executable, *self._arguments[name].split(), "--ring", self._ring]
        self._running[name] = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)

    def end(self, name: str, number: signal.Signals) -> None:
        """Send a signal to one of the two and wait for its end."""
        self._running[name].send_signal(number)
        self._running.pop(name).wait(PATIENCE_S)

    def head(self) -> int:
        """Return the newest sample's number; 0 while nobody answers."""
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            return int(json.loads(fetch(self.port, "/json")[1]).get("seq", 0))
        return 0

    def wait(self, after: int) -> None:
        """Wait for a sample newer than number `after`. Raises NoAnswer."""
        deadline_s = time.monotonic() + PATIENCE_S
        while self.head() <= after:
            if time.monotonic() > deadline_s:
                raise NoAnswer("no new samples")
            time.sleep(0.02)

    def close(self) -> None:
        """Stop both and remove the ring."""
        for process in self._running.values():
            stop(process)
        remove_ring(self._ring)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End a process that this program started."""
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def fetch(
    port: int, path: str, encoding: str = "identity", *, body: bool = True
) -> tuple[dict[str, str], bytes]:
    """Return an answer's head and its body; without `body` only the head, of a stream for example."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Accept-Encoding": encoding})
        answer = connection.getresponse()
        head = {name.lower(): value for name, value in answer.getheaders()}
        return head, answer.read() if body else b""


def nginx_config(text: str) -> str:
    """Return a whole configuration, for a folder of its own, with this text within `http`."""
    return _NGINX.format(user="user root;" if os.geteuid() == 0 else "", text=text)


@contextlib.contextmanager
def nginx(upstream: int) -> Iterator[int]:
    """Run nginx, which compresses streams and JSON, and is otherwise as it comes; yield its port."""
    if (program := shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")) is None:
        raise Missing("nginx is needed: sudo apt install nginx-light")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        text = nginx_config(_COMPRESSING.format(port=port, upstream=upstream))
        (Path(folder) / "nginx.conf").write_text(text)
        process = subprocess.Popen([program, "-p", folder, "-c", "nginx.conf"])
        try:
            deadline_s = time.monotonic() + PATIENCE_S
            while True:
                with contextlib.suppress(OSError):
                    fetch(port, "/json")
                    break
                if time.monotonic() > deadline_s or process.poll() is not None:
                    raise NoAnswer("nginx does not answer")
                time.sleep(0.05)
            yield port
        finally:
            stop(process)


class CuttingProxy:
    """Ends each of a client's first connections in the middle of an event, at another place.

    With `chunked` the client can see that the answer is incomplete. Without, the server is asked in
    HTTP/1.0, as nginx asks it, and a cut looks like a proper end.
    """

    PLACES: Final[tuple[Callable[[bytes], int], ...]] = (  # from an event's bytes
        lambda text: text.find(b"id: ") + 12,
        lambda text: text.find(b"data: ") + 100,
        lambda text: text.find(b"\n") + 1,
        lambda text: text.find(b"\n\n") + 1,
    )

    def __init__(self, upstream: int, *, chunked: bool) -> None:
        self._upstream, self._chunked = upstream, chunked
        self._listener = socket.create_server(("127.0.0.1", free_port()))
        self.port = int(self._listener.getsockname()[1])
        self.cuts = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # close() ends it
            while True:
                client, _ = self._listener.accept()
                with client, contextlib.suppress(OSError):
                    self._relay(client)

    def _relay(self, client: socket.socket) -> None:
        request = client.recv(65536)
        if not self._chunked:
            request = request.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)
        with socket.create_connection(("127.0.0.1", self._upstream)) as server:
            server.sendall(request)
            begun_s = time.monotonic()
            while data := server.recv(65536):
                # A sample that was not read together with others is one chunk: its header, the lines.
                begin = min(
                    (at for at in map(data.find, (b"id: ", b"data: ")) if at >= 0), default=0
                )
                event = data[begin:]
                alone = event.count(b"\n\n") == 1 and event.endswith((b"\n\n", b"\n\n\r\n"))
                ripe = alone and time.monotonic() - begun_s > _CONNECTION_S
                if ripe and self.cuts < len(self.PLACES):
                    client.sendall(data[: begin + self.PLACES[self.cuts](event)])
                    self.cuts += 1
                    return
                client.sendall(data)

    def close(self) -> None:
        """Take no further connections."""
        self._listener.close()


class Sample(NamedTuple):
    """What is judged of an event."""

    generation: str
    seq: int
    gap: tuple[int, int, int | None] | None  # from, to, lost
    late_s: float


class Client:
    """One client of another's library, as a process of its own, and what it has said so far."""

    def __init__(self, command: list[str]) -> None:
        self.samples: list[Sample] = []
        self.said: Counter[str] = Counter()  # exceptions and errors that reached the program
        self.counts: Counter[str] = Counter()
        self.version = self.missing = ""
        # What a library logs is no concern of the verdict, and what it raises is on standard output.
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for text in self._process.stdout:
            with contextlib.suppress(json.JSONDecodeError):  # the last line, when it is stopped
                self._take(json.loads(text))

    def _take(self, line: dict[str, str]) -> None:
        if "missing" in line:
            self.missing = line["missing"]
        elif "version" in line:
            self.version = line["version"]
        elif "data" not in line:
            self.said[line.get("error") or line["died"]] += 1
        elif not line["data"]:
            self.counts["empty"] += 1
        else:
            try:
                event = json.loads(line["data"])
            except json.JSONDecodeError:
                self.counts["torn"] += 1
                return
            if line["name"] == "message":
                gap = event.get("gap")
                told = (gap["from"], gap["to"], gap["lost"]) if gap else None
                generation = event["id"].partition("-")[0]
                late_s = float(line["at"]) - event["time"]
                self.samples.append(Sample(generation, event["seq"], told, late_s))

    def last(self) -> int:
        """Return the number of its newest sample; 0 without any."""
        return self.samples[-1].seq if self.samples else 0

    def close(self) -> None:
        """Stop it."""
        stop(self._process)
        self._thread.join()
