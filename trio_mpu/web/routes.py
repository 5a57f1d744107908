# Pure: no I/O, no clock, no waiting.
"""A request and the latest state → what to answer, without sending it.

This file reads no socket and no clock: all it needs is in its arguments.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import parse_qs, unquote

from trio_mpu.errors import RequestError
from trio_mpu.fanout.encoder import (
    EVERY_SAMPLE,
    MAX_FLUSH_MS,
    MAX_RATE_HZ,
    MIN_RATE_HZ,
    StreamOptions,
)
from trio_mpu.fanout.snapshot import WAITING, Snapshot
from trio_mpu.formats import parse_event_id, sample_json
from trio_mpu.metrics.scoreboard import Workers

ALLOW: Final = "GET, HEAD"
# Bound "Retry-After, s".
RETRY_AFTER_S: Final = 2  # what a 503 suggests: samples and free places come soon
# Bound "seconds=, most".
MAX_SECONDS: Final = 10**6
HISTORY_TYPES: Final = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8; header=present",
    "ndjson": "application/x-ndjson",
}
_PAGE_HEADERS: Final = (
    # The page needs nothing from elsewhere, and this makes sure that it stays so.
    ("Content-Security-Policy", "default-src 'self'; img-src 'self' data:"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-cache"),
)

# RFC 3986, section 3.2.2 and 3.2.3: a name, an IPv4 address or an IP literal, then a port.
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]{0,5})?")
# RFC 9110, section 4.2.1: a recipient MUST reject a URI of http with an empty host.
_ABSOLUTE = re.compile(
    r"https?://(?P<authority>[^/?:][^/?]*)(?P<path>[^?]*)(?P<rest>.*)", re.IGNORECASE
)


@dataclass(frozen=True)
class Target:
    """A request's target, taken apart."""

    path: str
    query: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """A complete answer."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = (("Cache-Control", "no-store"),)


@dataclass(frozen=True)
class Events:
    """Answer with the stream, in the form that was asked for."""

    last_event_id: str = ""
    options: StreamOptions = EVERY_SAMPLE


@dataclass(frozen=True)
class History:
    """Answer with what the ring still holds, from after `since` or from `seconds` ago on.

    `limit` samples at most: the oldest of them after `since`, the newest otherwise.
    """

    format: str = "json"
    since: tuple[int, int] | None = None
    seconds: float | None = None
    limit: int | None = None


@dataclass(frozen=True)
class Numbers:
    """Answer with the metrics."""


Route = Answer | Events | History | Numbers


class Accounts(Protocol):
    """What is known beside the samples."""

    def report(self) -> Workers:
        """Return how all workers stand."""
        ...

    def ledger(self) -> Mapping[str, int]:
        """Return the loss ledger, of all workers together."""
        ...

    def device(self) -> Mapping[str, object]:
        """Return what the ring says of the device."""
        ...


@dataclass(frozen=True)
class Page:
    """The files of the live page, ready to be sent."""

    files: Mapping[str, Answer] = field(default_factory=dict)

    @classmethod
    def of(cls, contents: Mapping[str, bytes]) -> "Page":
        """Take file names and their bytes; `index.html` is the page."""
        types = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
        types["svg"] = "image/svg+xml"
        files = {}
        for name, body in contents.items():
            path = "/" if name == "index.html" else f"/static/{name}"
            kind = types.get(name.rpartition(".")[2], "application/octet-stream")
            etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            headers = (*_PAGE_HEADERS, ("ETag", etag))
            files[path] = Answer(200, body, f"{kind}; charset=utf-8", headers)
        return cls(files)


def parse_target(target: bytes, hosts: list[bytes]) -> Target:
    """Take a request's target apart; a query never changes the path.

    `hosts` are the values of its Host header fields. Raises RequestError for a malformed host,
    and for targets of proxies.
    """
    text = target.decode("ascii", errors="replace")
    if not text.startswith("/"):
        # RFC 9112, section 3.2.2: "a server MUST accept the absolute-form in requests".
        absolute = _ABSOLUTE.fullmatch(text)
        if absolute is None:
            raise RequestError(400, "the request's target is not a path")
        hosts = [*hosts, absolute["authority"].encode()]
        text = absolute["path"] + absolute["rest"]
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise RequestError(400, "malformed Host")
    path, _, rest = text.partition("?")
    query = parse_qs(rest, keep_blank_values=True)
    return Target(unquote(path) or "/", {name: values[-1] for name, values in query.items()})


def route(
    method: str,
    target: Target,
    headers: Mapping[str, str],
    snapshot: Snapshot,
    page: Page,
    accounts: Accounts,
) -> Route:
    """Return what to answer. `headers` has lower-case names; `accounts` are asked where needed.

    Raises RequestError where an error is the answer.
    """
    if method not in ("GET", "HEAD"):
        raise RequestError(405, f"only {ALLOW} here")
    match target.path:
        case "/json":
            return _latest(snapshot, accounts, verbose=_switch(target.query, "verbose"))
        case "/events":
            asked = headers.get("last-event-id") or target.query.get("last_event_id", "")
            return Events(asked, _options(target.query))
        case "/history":
            return _history(target.query)
        case "/healthz":
            return _health(snapshot, accounts.report())
        case "/metrics":
            return Numbers()
        case path if path in page.files:
            file = page.files[path]
            if headers.get("if-none-match") == dict(file.headers)["ETag"]:
                return Answer(304, b"", file.content_type, file.headers)
            return file
    raise RequestError(404, f"there is no {target.path[:100]}")


def error_answer(status: int, message: str) -> Answer:
    """Return the answer for an error: JSON with its reason, and what a client may do."""
    headers: tuple[tuple[str, str], ...] = (("Cache-Control", "no-store"),)
    if status == 405:
        headers = (*headers, ("Allow", ALLOW))
    if status == 503:
        headers = (*headers, ("Retry-After", str(RETRY_AFTER_S)))
    body = {"status": "error" if status != 503 else "unavailable", "reason": message}
    return Answer(status, _json(body), headers=headers)


def _latest(snapshot: Snapshot, accounts: Accounts, *, verbose: bool) -> Answer:
    more = {"ledger": accounts.ledger(), "device": accounts.device()} if verbose else {}
    status, _, origin, record, average = snapshot
    if record is None or status == WAITING:
        return _unavailable(snapshot, more)
    text = sample_json(record, average, origin, status, ledger=accounts.ledger).encode()
    # One object of two: `more` may be empty, a sample never is.
    return Answer(200, text[:-1] + b"," + _json(more)[1:] if more else text + b"\n")


def _health(snapshot: Snapshot, workers: Workers) -> Answer:
    more = {"workers": workers.number, "workers_up": workers.up}
    if snapshot.status != "ok":
        return _unavailable(snapshot, more)
    return Answer(200, _json({"status": "ok", **more}))


def _unavailable(snapshot: Snapshot, more: Mapping[str, object]) -> Answer:
    answer = error_answer(503, snapshot.reason)
    body = _json({"status": snapshot.status, "reason": snapshot.reason, **more})
    return Answer(503, body, headers=answer.headers)


def _json(answer: Mapping[str, object]) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode() + b"\n"


def _options(query: Mapping[str, str]) -> StreamOptions:
    rate_hz = _number(query, "rate", MIN_RATE_HZ, MAX_RATE_HZ) or 0.0
    flush_ms = _number(query, "flush_ms", 0, MAX_FLUSH_MS) or 0.0
    return StreamOptions(rate_hz, _switch(query, "stats") and rate_hz > 0, int(flush_ms))


def _switch(query: Mapping[str, str], name: str) -> bool:
    if (text := query.get(name, "0")) not in ("0", "1"):
        raise RequestError(400, f"{name} is 0 or 1")
    return text == "1"


def _number(query: Mapping[str, str], name: str, low: float, high: float) -> float | None:
    """Return a field's decimal number; None if there is no such field."""
    if name not in query:
        return None
    text = query[name]
    if not re.fullmatch(r"\d{1,7}(\.\d{0,9})?", text, re.ASCII) or not low <= float(text) <= high:
        raise RequestError(400, f"{name} is a number from {low:g} to {high:g}")
    return float(text)


def _history(query: Mapping[str, str]) -> History:
    kind = query.get("format", "json")
    if kind not in HISTORY_TYPES:
        raise RequestError(400, f"format is one of {', '.join(HISTORY_TYPES)}")
    since = None
    if "since" in query and (since := parse_event_id(query["since"])) is None:
        raise RequestError(400, "since is the id of an event, such as 0123456789abcdef-42")
    seconds = _number(query, "seconds", 0, MAX_SECONDS)
    limit = None
    if "limit" in query:
        if not re.fullmatch(r"\d{1,9}", query["limit"], re.ASCII):
            raise RequestError(400, "limit is a whole number below 1,000,000,000")
        limit = int(query["limit"])
    return History(kind, since, seconds, limit)
