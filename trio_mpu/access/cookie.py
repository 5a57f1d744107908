# Pure: no I/O, no clock, no waiting.
"""The cookie that stands for a token in a browser.

A page can't give an EventSource or a link a header, so a browser that has signed in has a cookie.

1. It is not the token: its value is the token's name and an HMAC whose key is the token. Somebody
   who finds it can read as long as the token is valid, but can't sign in. The server keeps no sessions: all
   workers agree, and a token that is taken out ends its cookies.
2. Its own name is made of the token, too. Browsers don't tell the ports of a host apart, so two servers
   on one computer would otherwise overwrite each other's.
3. `SameSite=Strict`: no request that another site makes has it. `HttpOnly`: no script reads it.
4. It has no Path. A browser then takes the folder of the sign-in form (RFC 6265, section 5.1.4), which is
   that of the page, also below a path of a reverse proxy.
"""

import hmac
from collections.abc import Iterator
from typing import Final, NamedTuple

PREFIX: Final = "trio_mpu_"
# Bound "time a browser stays signed in, s".
MAX_AGE_S: Final = 2_592_000  # 30 days; arbitrary. The server itself has no such limit
# Bound "cookies looked at".
MAX_COOKIES: Final = 16  # arbitrary: old ones of other tokens may be among them
_ATTRIBUTES: Final = "HttpOnly; SameSite=Strict"


class Cookie(NamedTuple):
    """A name and a value."""

    name: str
    value: str


def cookie_of(name: str, token: str) -> Cookie:
    """Return the cookie that stands for a token with this name."""
    return Cookie(PREFIX + _mac(token, "name")[:8], f"{name}.{_mac(token, f'value {name}')}")


def _mac(token: str, purpose: str) -> str:
    return hmac.new(token.encode(), f"trio-mpu cookie {purpose}".encode(), "sha256").hexdigest()


def cookies_of(header: str) -> list[Cookie]:
    """Return those of a Cookie header that may be ours, the first MAX_COOKIES."""
    return [cookie for _, cookie in zip(range(MAX_COOKIES), _ours(header), strict=False)]


def _ours(header: str) -> Iterator[Cookie]:
    for pair in header.split(";"):
        name, _, value = pair.strip().partition("=")
        if name.startswith(PREFIX):
            yield Cookie(name, value)


def setting(cookie: Cookie, *, secure: bool) -> str:
    """Return the value of the Set-Cookie header that gives it to a browser."""
    text = f"{cookie.name}={cookie.value}; Max-Age={MAX_AGE_S}; {_ATTRIBUTES}"
    return f"{text}; Secure" if secure else text


def removal(cookie: Cookie) -> str:
    """Return the value of the Set-Cookie header that takes it from a browser."""
    return f"{cookie.name}=; Max-Age=0; {_ATTRIBUTES}"
