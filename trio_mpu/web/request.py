# Pure: no I/O, no clock, no waiting.
"""What a client asks: a request, taken apart."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, unquote

from trio_mpu.errors import RequestError
from trio_mpu.formats import Notation

# RFC 3986, section 3.2.2 and 3.2.3: a name, an IPv4 address or an IP literal, then a port.
# RFC 6874: behind "%25" an address of this link has a zone; many programs write a bare "%".
_HOST = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._~%-]+)?\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]{0,5})?"
)
# RFC 9110, section 4.2.1: a recipient MUST reject a URI of http with an empty host.
_ABSOLUTE = re.compile(
    r"https?://(?P<authority>[^/?:][^/?]*)(?P<path>[^?]*)(?P<rest>.*)", re.IGNORECASE
)
NOTATION: Final = ("iso", "units", "attitude")  # the parameters of `notation`
_SHOWN: Final = 100  # characters of a client's words that an error repeats


@dataclass(frozen=True)
class Request:
    """A sound request without its body; `headers` has lower-case names, `address` is the client's,
    `host` what it takes this server for (each empty where there is none). `secure`: it came by TLS."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    secure: bool = False
    host: str = ""


def parse_target(target: bytes, hosts: list[bytes]) -> tuple[str, dict[str, str]]:
    """Return the path and the query of a request's target; a query never changes the path.

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
    return unquote(path) or "/", {name: values[-1] for name, values in query.items()}


def host_of(target: bytes, hosts: list[bytes]) -> str:
    """Return the host that a sound request is for.

    RFC 9112, section 3.2.2: with a target in absolute form, a server "MUST ignore the received Host".
    """
    if (absolute := _ABSOLUTE.fullmatch(target.decode("ascii", errors="replace"))) is not None:
        return absolute["authority"]
    return b"".join(hosts).decode("ascii", errors="replace")  # there is one at most


def shown(text: str) -> str:
    """Return a client's words as an error may repeat them: not too many."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def check_parameters(request: Request, known: tuple[str, ...]) -> None:
    """Raise RequestError if the query has a parameter that this path does not have.

    A misspelt parameter that is ignored is a wrong answer that looks right. `_` alone is ignored
    everywhere: scripts append it, with the time, to get past caches.
    """
    unknown = [name for name in request.query if name not in (*known, "_")]
    if unknown:
        names = ", ".join(map(repr, unknown))
        has = f"it has {', '.join(known)}" if known else "it has none"
        raise RequestError(400, f"{request.path} has no parameter {shown(names)}: {has}")


def switch(query: Mapping[str, str], name: str) -> bool:
    """Return whether a parameter is on; without it, it is off."""
    if (text := query.get(name, "0")) not in ("0", "1"):
        raise RequestError(400, f"{name} is 0 or 1")
    return text == "1"


def notation(query: Mapping[str, str]) -> Notation:
    """Return how times and values are to be written: `iso=1`, `units=si`, `attitude=1`."""
    if query.get("units", "si") != "si":
        raise RequestError(400, "units is si; without it, units are g, °/s and °C")
    return Notation(switch(query, "iso"), "units" in query, switch(query, "attitude"))


def number(query: Mapping[str, str], name: str, low: float, high: float) -> float | None:
    """Return a parameter's decimal number; None without it."""
    if name not in query:
        return None
    text = query[name]
    if not re.fullmatch(r"\d{1,9}(\.\d{0,9})?", text, re.ASCII) or not low <= float(text) <= high:
        raise RequestError(400, f"{name} is a number from {low:g} to {high:g}")
    return float(text)


def accepts_gzip(request: Request) -> bool:
    """Tell whether the client takes an answer in gzip (RFC 9110, section 12.5.3)."""
    weights = {}
    for coding in request.headers.get("accept-encoding", "").lower().split(","):
        name, _, weight = coding.partition(";")
        # A weight of 0 to 0.000 means "not acceptable".
        weights[name.strip()] = not re.fullmatch(r"\s*q=0(\.0*)?\s*", weight)
    return weights.get("gzip", weights.get("*", False))
