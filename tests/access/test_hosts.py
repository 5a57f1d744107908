"""The hosts that a request may be for."""

import pytest

from trio_mpu.access.hosts import Hosts, own_names

HOSTS = Hosts([*own_names("Board.example"), "imu.example."])


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost:3737", "LOCALHOST.", "board", "Board.Example:80", "board.local"),
        *("imu.example", "imu.example.:1", "127.0.0.1", "192.0.2.1:3737", "[::1]", "[::1]:3737"),
        *("[fe80::1%25eth0]:3737", "[2001:DB8::1]", "", ":3737"),
    ],
)
def test_own_names_and_addresses_are_allowed(host: str) -> None:
    """With a port or without, in any case; also no host at all, which no browser sends."""
    assert HOSTS.allow(host)


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "localhost.evil.example", "board.local.evil.example", "notlocalhost"),
        *(
            "127.0.0.1.evil.example",
            "127.1",
            "0x7f000001",
            "2130706433",
            "[evil]",
            "sub.board.local",
        ),
        *("example", "local", ".local"),
    ],
)
def test_a_name_of_somebody_else_is_not(host: str) -> None:
    """Nor what only looks like an address."""
    assert not HOSTS.allow(host)


def test_a_computer_without_a_name_has_no_empty_one() -> None:
    """`.local` is nobody's."""
    assert own_names("") == {"localhost"}
    assert own_names("pi") == {"localhost", "pi", "pi.local"}
