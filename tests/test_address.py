"""What counts as one client's address."""

import pytest

from trio_mpu.address import network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1:2:3", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1", "fe80::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("::1", "::1"),
        ("", ""),
        ("pipe", "pipe"),
    ],
)
def test_a_host_counts_once_whatever_address_it_takes(address: str, network: str) -> None:
    """An IPv6 host has 2^64 addresses; on the link alone, each is another host's."""
    assert network_of(address) == network
