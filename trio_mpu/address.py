# Pure: no I/O, no clock, no waiting.
"""What counts as one client's address."""

import ipaddress
from functools import lru_cache
from typing import Final

_HOST_BITS: Final = 64  # of an IPv6 address: RFC 4291, section 2.5.4; a host can choose them freely


@lru_cache(1024)  # arbitrary
def network_of(address: str) -> str:
    """Return the network whose hosts share what one client may have: an IPv4 address by itself, the /64
    of an IPv6 address; whatever is no IP address, as it is.

    All addresses of one link have the same link-local prefix, so these count by themselves.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    if found.is_link_local or found.is_loopback:
        return address
    network = ipaddress.IPv6Network((int(found), _HOST_BITS), strict=False)
    return str(network)
