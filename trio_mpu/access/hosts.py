# Pure: no I/O, no clock, no waiting.
"""The hosts that a request may be for: against DNS rebinding.

A page of another site may let its own name point to this computer's address. To the browser the answers
then are that site's, and its script may read them, whatever CORS says. But the request has the other
site's name as its Host. A page can't do that with an address, nor with a name that is not its own.
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache


class Hosts:
    """The names that are allowed; addresses always are, and so is a request without a Host, which no
    browser sends."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(name.lower().rstrip(".") for name in names)

    def allow(self, host: str) -> bool:
        """Tell whether a request may have this Host: a name or an address, with a port or without."""
        name = name_of(host)
        return not name or name in self._names or _is_address(name)


def name_of(host: str) -> str:
    """Return the name or address in a Host, without its port and brackets, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().rstrip(".")


@lru_cache(256)  # arbitrary
def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


def own_names(hostname: str) -> set[str]:
    """Return the names by which a computer with this host name is reached on its own network: with
    multicast DNS (RFC 6762) also below `.local`."""
    label = hostname.partition(".")[0]
    return {"localhost", hostname, label, f"{label}.local"} - {"", ".local"}
