"""What decides who may read: the token file, and what a client shows."""

import atexit
import ipaddress
import logging
from typing import Final

import trio
from trio.testing import MockClock

from fuzz.check import FileInMemory, check_message
from fuzz.targets.requests import app_with, conversation, deterministic
from trio_mpu.access.cookie import MAX_COOKIES, cookie_of, cookies_of
from trio_mpu.access.hosts import Hosts, name_of
from trio_mpu.access.token_file import read_tokens
from trio_mpu.access.tokens import parse_tokens
from trio_mpu.errors import UsageError

# No input has it: nothing that the fuzzer is given does.
TOKEN: Final = "kD3-vQ8_xN1.mZ7~pR5+"  # noqa: S105 - of this file alone
_TOKENS: Final = parse_tokens(f"alice {TOKEN}")
_NAMES: Final = ("pi", "pi.local", "imu.example.org")
_LOG: Final = logging.getLogger("trio_mpu")
_FILE: Final = FileInMemory()
atexit.register(_FILE.close)


def token_file(data: bytes) -> None:
    """A file is refused in one line that has no word of it; or each of its tokens is found, and by
    its cookie, and no other is."""
    try:
        tokens = read_tokens(str(_FILE.hold(data)))
    except UsageError as error:
        _check_refusal(str(error), data)
        check_message(error)
        return
    pairs = [line.split() for line in data.decode("utf-8-sig").splitlines()]
    pairs = [pair for pair in pairs if pair and not pair[0].startswith("#")]
    assert len(tokens) == len(pairs) > 0
    for name, token in pairs:
        found = tokens.find(token)
        assert found is not None
        assert found.name == name
        assert tokens.find_cookie([cookie_of(name, token)]) is found
        assert tokens.find(f"{token}=") is None or f"{token}=" in [other for _, other in pairs]
    assert tokens.find("") is None


def _check_refusal(message: str, data: bytes) -> None:
    words = data.decode("utf-8-sig", "replace").split()
    assert not any(word in message for word in words if len(word) >= 16)


def shown(data: bytes) -> None:
    """A Host and a Cookie are taken apart, whatever they are: no other host is allowed, and no other
    cookie is a token's."""
    host, _, cookie = data.decode("latin-1").partition("\n")
    if Hosts(_NAMES).allow(host) and (name := name_of(host)) and name not in _NAMES:
        assert ipaddress.ip_address(name.partition("%")[0])
    cookies = cookies_of(cookie)
    assert len(cookies) <= MAX_COOKIES
    assert _TOKENS.find_cookie(cookies) is None


def stranger(data: bytes) -> None:
    """As the target `request`, where a token is needed: who has none gets no sample."""
    level = _LOG.level
    _LOG.setLevel(logging.CRITICAL)  # each wrong token is a warning
    try:
        with deterministic():
            sent = trio.run(_ask, data, clock=MockClock(autojump_threshold=0))
    finally:
        _LOG.setLevel(level)
    for secret in (b'"ax"', b'"seq"', b"trio_mpu_head", TOKEN.encode()):
        assert secret not in sent, secret


async def _ask(data: bytes) -> bytes:
    return await conversation(app_with(_TOKENS), data[:1], data[1:])
