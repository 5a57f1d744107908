"""A small server of the protocol, correct but for one fault: does the conformance suite see it?

A sample each 10 ms, without a sensor: which one is the newest follows from the time. It shares nothing
with the real server but the text of a sample.
"""

import json
import socket
import threading
import time
from contextlib import suppress
from email.utils import formatdate
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qsl, urlsplit

from tests.helpers.fakes import GENERATION, make_record
from trio_mpu.conformance.samples import SERVER_LEDGER
from trio_mpu.formats import Origin, event_id, parse_event_id, row_json, sample_json
from trio_mpu.record import LEDGER, values_of
from trio_mpu.sample import Gap

PERIOD_S: Final = 0.01
CAPACITY: Final = 3000
AHEAD: Final = 5000  # samples before the server was started: more than the ring holds
ORIGIN: Final = Origin(GENERATION, "fake")
KNOWN: Final = {
    "/json": ("verbose", "max_age"),
    "/events": ("rate",),
    "/history": ("limit", "since"),
    "/healthz": (),
    "/livez": (),
}
IDS: Final = ("last_event_id", "lastEventId", "Last-Event-ID", "evs_last_event_id")
PAUSE_S: Final = 0.005


def ledger() -> dict[str, int]:
    """A ledger of nothing."""
    return dict.fromkeys((*LEDGER, *SERVER_LEDGER), 0)


class FakeServer:
    """Serves with this fault, until it is closed; "" is none."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self._begun_s = time.monotonic()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._closed = True
        self._listener.close()

    def head(self) -> int:
        """The number of the newest sample."""
        return AHEAD + int((time.monotonic() - self._begun_s) / PERIOD_S)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError), connection, connection.makefile("rb") as file:
            while not self._closed and (line := file.readline()):
                method, target, version = line.decode().split()
                fields: dict[str, str] = {}
                while (line := file.readline()) not in (b"\r\n", b""):
                    name, _, value = line.decode().partition(":")
                    if fields.get(name.lower(), value.strip()) != value.strip():
                        fields.pop("host", None)  # it contradicts itself, and is refused below
                    fields[name.lower()] = value.strip()
                if not self._answer(connection, method, target, version, fields):
                    connection.shutdown(socket.SHUT_WR)
                    return

    def _answer(
        self,
        connection: socket.socket,
        method: str,
        target: str,
        version: str,
        fields: dict[str, str],
    ) -> bool:
        """Answer one request; return whether another may follow."""
        url = urlsplit(target)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        closes = fields.get("connection") == "close" or version.endswith("1.0")
        if version.endswith("1.1") and "host" not in fields:
            return self._error(
                connection, method, 400, "no host", closes=self.fault != "stays open"
            )
        known = (*KNOWN.get(url.path, ()), *(IDS if url.path == "/events" else ()), "_")
        unknown = [name for name in query if name not in known]
        if unknown and url.path in KNOWN and self.fault != "ignores parameters":
            return self._error(connection, method, 400, f"no parameter {unknown[0]}", closes=closes)
        if url.path == "/livez":
            return self._send(connection, method, 200, b'{"status":"ok"}\n', closes=closes)
        if url.path == "/json":
            number = self.head() - 500 * (self.fault == "old sample")
            body = self._text(number).encode() + b"\n"
            return self._send(connection, method, 200, body, closes=closes)
        if url.path == "/history":
            return self._history(connection, method, query)
        if url.path == "/events":
            self._stream(connection, method, query, fields)
            return False
        if self.fault == "text error":
            return self._send(connection, method, 404, b"nothing\n", closes=closes)
        return self._error(connection, method, 404, "there is no such path", closes=closes)

    def _error(
        self, connection: socket.socket, method: str, status: int, reason: str, *, closes: bool
    ) -> bool:
        body = json.dumps({"status": "error", "reason": reason}).encode()
        return self._send(connection, method, status, body, closes=closes)

    def _send(
        self, connection: socket.socket, method: str, status: int, body: bytes, *, closes: bool
    ) -> bool:
        length = len(body) + (self.fault == "wrong length")
        lines = [
            f"HTTP/1.1 {status} X",
            f"Content-Length: {length}",
            "Content-Type: application/json",
        ]
        if self.fault != "no date":
            lines.append(f"Date: {formatdate(usegmt=True)}")
        if closes and self.fault != "silent close":
            lines.append("Connection: close")
        if method == "HEAD" and self.fault != "body after HEAD":
            body = b""
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        return not closes

    def _text(self, seq: int, gap: Gap | None = None) -> str:
        record = make_record(seq)
        text = sample_json(record, values_of(record), ORIGIN, gap=gap, ledger=ledger)
        if self.fault == "not a number":
            text = text.replace('"az":1', '"az":NaN')
        return text

    def _history(self, connection: socket.socket, method: str, query: dict[str, str]) -> bool:
        head, limit = self.head(), int(query.get("limit", 500))
        after = parse_event_id(query.get("since", ""))
        first = after[1] + 1 if after else max(1, head - limit + 1)
        numbers = [*range(first, min(head + 1, first + limit))]
        if self.fault == "history skips" and len(numbers) > 5:
            del numbers[3]
        rows = ",\n".join(row_json(make_record(seq), ORIGIN) for seq in numbers)
        body = f'{{"generation":"{GENERATION:016x}","samples":[{rows}]}}'.encode()
        return self._send(connection, method, 200, body, closes=False)

    # -- the stream -------------------------------------------------------------------------

    def _stream(
        self, connection: socket.socket, method: str, query: dict[str, str], fields: dict[str, str]
    ) -> None:
        asked = fields.get("last-event-id") or next(
            (query[name] for name in IDS if name in query), ""
        )
        after, gap = self._place("" if self.fault == "ignores the id" else asked)
        kind = "text/plain" if self.fault == "wrong type" else "text/event-stream"
        said = after + (self.fault == "says another id")
        lines = [
            *("HTTP/1.1 200 OK", f"Date: {formatdate(usegmt=True)}", f"Content-Type: {kind}"),
            *(
                "Cache-Control: no-store, no-transform",
                "X-Accel-Buffering: no",
                "Connection: close",
            ),
            *("Transfer-Encoding: chunked", f"Last-Event-ID: {event_id(GENERATION, said)}"),
        ]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        if method == "HEAD":
            return
        self._send_chunk(connection, b"" if self.fault == "no retry" else b"retry: 1000\n")
        pending, count = b"", 0
        while not self._closed:
            head = self.head()
            while after < head:
                after += 1
                count += 1
                if self.fault == "skips" and count == 20:
                    continue
                for _ in range(1 + (self.fault == "repeats" and count == 20)):
                    pending += self._event(after, gap)
                gap = None
            if pending and (self.fault != "buffers" or len(pending) > 40_000):
                self._send_chunk(connection, pending)
                pending = b""
            time.sleep(PAUSE_S)

    def _place(self, asked: str) -> tuple[int, Gap | None]:
        """Return after which sample a stream begins, and what is missing before its first."""
        head, oldest = self.head(), self.head() - CAPACITY + 100
        if asked == "earliest":
            return oldest - 1, None
        parsed = parse_event_id(asked)
        if parsed is None or (parsed[0] == GENERATION and parsed[1] > head):
            return head - 1, None
        generation, seq = parsed
        if generation != GENERATION:
            gap = Gap(seq, head, None, "restart")
            return head - 1, None if self.fault == "forgets the restart" else gap
        if seq < oldest - 1:
            lost = oldest - seq - 1 - 5 * (self.fault == "counts wrong")
            return oldest - 1, Gap(seq, oldest, lost, "lapped")
        return seq, None

    def _event(self, seq: int, gap: Gap | None) -> bytes:
        number = seq + (self.fault == "wrong id")
        end = "\n" if self.fault == "no empty line" else "\n\n"
        return f"id: {event_id(GENERATION, number)}\ndata: {self._text(seq, gap)}{end}".encode()

    def _send_chunk(self, connection: socket.socket, payload: bytes) -> None:
        if payload:
            size = len(payload) + (self.fault == "wrong chunk" and b"data" in payload)
            connection.sendall(b"%x\r\n%b\r\n" % (size, payload))
