# Pure: no I/O, no clock, no waiting.
"""Tokens: the text of a token file, and which token a client has shown.

A file has one token a line, with a name that says whose it is: `name token`. Empty lines and lines that
begin with `#` are for people. A message about a line never repeats what is in it: it might be a token.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from trio_mpu.access.cookie import Cookie, cookie_of
from trio_mpu.errors import UsageError

# Bound "tokens".
MAX_TOKENS: Final = 64  # arbitrary; each request with a token is compared with all of them
# Bound "token, least characters".
MIN_TOKEN: Final = 16  # 96 bits if they are random
# Bound "token, most characters".
MAX_TOKEN: Final = 256  # arbitrary
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_B64TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, section 2.1


@dataclass(frozen=True)
class Token:
    """A token by its name, and what it is recognized by; the token itself is not kept."""

    name: str
    digest: bytes = field(repr=False)
    cookie: Cookie = field(repr=False)
    cookie_digest: bytes = field(repr=False)

    @classmethod
    def of(cls, name: str, token: str) -> "Token":
        """Take a token and its name."""
        cookie = cookie_of(name, token)
        return cls(name, digest_of(token), cookie, digest_of(cookie.value))


class Tokens:
    """The tokens that are valid now."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._tokens = tuple(tokens)

    def __len__(self) -> int:
        return len(self._tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._tokens

    def find(self, token: str) -> Token | None:
        """Return the token with this text, in a time that says nothing of the others."""
        digest, found = digest_of(token), None
        for each in self._tokens:
            if hmac.compare_digest(each.digest, digest):
                found = each
        return found

    def find_cookie(self, cookies: Iterable[Cookie]) -> Token | None:
        """Return the token that one of these cookies stands for; see `find`."""
        found = None
        for cookie in cookies:
            digest = digest_of(cookie.value)
            for each in self._tokens:
                if hmac.compare_digest(each.cookie_digest, digest):
                    found = each
        return found


def digest_of(text: str) -> bytes:
    """Return a digest: to compare it takes as long for texts of any length."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def parse_tokens(text: str) -> Tokens:
    """Return the tokens of a file. Raises UsageError: one line, with the number of the wrong one."""
    tokens = list[Token]()
    seen = dict[str | bytes, int]()  # names and digests, and the line of each
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2:
            raise UsageError(f"line {number}: give a name and a token, with a space between them")
        token = Token.of(*_checked(number, *words))
        for what, key in (("name", token.name), ("token", token.digest)):
            if (before := seen.setdefault(key, number)) != number:
                raise UsageError(f"line {number}: it has the {what} of line {before}")
        tokens.append(token)
    if not tokens:
        raise UsageError("there is no token in it")
    if len(tokens) > MAX_TOKENS:
        raise UsageError(f"it has {len(tokens)} tokens, and {MAX_TOKENS} are the most")
    return Tokens(tokens)


def _checked(number: int, name: str, token: str) -> tuple[str, str]:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"line {number}: a name has up to 64 letters, digits, dots, dashes and underscores"
        )
    if not MIN_TOKEN <= len(token) <= MAX_TOKEN:
        raise UsageError(
            f"line {number}: the token has {len(token)} characters; give {MIN_TOKEN} to {MAX_TOKEN}"
        )
    if not _B64TOKEN.fullmatch(token):
        raise UsageError(
            f"line {number}: a token has letters, digits and -._~+/ only, and = at its end"
        )
    return name, token
