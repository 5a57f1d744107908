"""Who may read: what each request has to pass, and what ends when a token is taken out.

1. A request for a host that is not allowed is none for this server (421), whatever else it has.
2. Where there are tokens, a program shows one in `Authorization`, and a browser the cookie that it got for
   one. Either is compared anew with each request, those of the request cache included.
3. A wrong token in the header is counted, and too many of one address are answered 429. Who has a right
   one is never refused. Wrong cookies are not counted: a browser keeps those of old tokens.
4. A few paths are open to all: what load balancers ask, and what signing in needs.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import trio

from trio_mpu.access.attempts import Attempts
from trio_mpu.access.cookie import cookies_of
from trio_mpu.access.hosts import Hosts
from trio_mpu.access.tokens import Token, Tokens
from trio_mpu.errors import RequestError
from trio_mpu.metrics.counters import Metrics
from trio_mpu.web.answer import Answer
from trio_mpu.web.readers import Readers
from trio_mpu.web.request import Request, shown

log = logging.getLogger(__name__)

SIGN_IN: Final = "/sign-in"
OPEN_PATHS: Final = frozenset(
    (
        "/livez",
        "/healthz",
        SIGN_IN,
        "/static/sign-in.css",
        "/static/sign-in.js",
        "/static/favicon.svg",
    )
)
# Bound "time to end after a token was taken out, s".
END_S: Final = 0.5  # for a stream's proper end; what takes longer is cut off
_REALM: Final = 'Bearer realm="trio-mpu"'


class Admission:
    """See above. Without tokens and hosts everybody may have everything."""

    def __init__(
        self, metrics: Metrics, tokens: Tokens | None = None, hosts: Hosts | None = None
    ) -> None:
        self.tokens = tokens
        self.readers = Readers()
        self._hosts = hosts
        self._metrics = metrics
        self._attempts = Attempts()

    def reader(self, request: Request) -> Token | None:
        """Return the token that a request has shown, None where none is needed.

        Raises RequestError: 421 for a host that is not allowed, 401 without a valid token.
        """
        if self._hosts is not None and not self._hosts.allow(request.host):
            raise RequestError(421, f"the host {shown(request.host)!r} is not allowed here")
        # What OPTIONS is answered says nothing; a browser asks it without a token (Fetch, 4.8).
        if self.tokens is None or request.path in OPEN_PATHS or request.method == "OPTIONS":
            return None
        token = self.shown_token(request)
        if token is None:
            wrong = ', error="invalid_token"' if _bearer(request) else ""
            raise RequestError(
                401,
                "the token is not valid" if wrong else "a token is needed: sign in, or send one",
                (("WWW-Authenticate", _REALM + wrong),),
            )
        return token

    def shown_token(self, request: Request) -> Token | None:
        """Return the valid token that a request has shown, in its header or by a cookie, if any."""
        if self.tokens is None:
            return None
        bearer, token = _bearer(request), None
        if bearer:
            token = self.tokens.find(bearer)
        if token is None and (cookies := cookies_of(request.headers.get("cookie", ""))):
            token = self.tokens.find_cookie(cookies)
        return token

    def refused(self, request: Request, error: RequestError) -> Answer:
        """Return what a browser gets in place of this error, or raise it; count it.

        One that opens the page is sent to the sign-in form.
        """
        if error.status == 421:
            self._metrics.count("hosts_refused")
        if error.status != 401:
            raise error
        self._metrics.count("requests_unauthorized")
        if _bearer(request):
            self.note_wrong(request.address)
        elif request.path == "/" and "text/html" in request.headers.get("accept", ""):
            # Relative, so that it also leads to the form below a path of a reverse proxy.
            return redirect(SIGN_IN[1:])
        raise error

    def note_wrong(self, address: str) -> None:
        """Count a wrong token. Raises RequestError: 429 if this address has shown too many."""
        self._metrics.count("tokens_wrong")
        log.warning("wrong token from %s", address)
        if wait_s := self._attempts.note(address, time.monotonic()):
            self._metrics.count("tokens_limited")
            raise RequestError(
                429,
                f"too many wrong tokens from your address: wait {wait_s} s",
                (("Retry-After", str(wait_s)),),
            )

    @contextmanager
    def reading(self, request: Request) -> Iterator[trio.CancelScope]:
        """Open a scope for a long answer: cancelled END_S after its token was taken out.

        Raises RequestError, as `reader` does.
        """
        with trio.CancelScope() as scope:

            def end() -> None:
                self._metrics.count("readers_ended")
                scope.deadline = trio.current_time() + END_S

            with self.readers.ended_by(self.reader(request), end):
                yield scope

    def replace(self, tokens: Tokens) -> None:
        """Go on with these tokens, and end what is read with any other."""
        self.tokens = tokens
        self.readers.end_all_but(tokens)


def redirect(where: str, *headers: tuple[str, str]) -> Answer:
    """Return an answer that lets a browser open another path, by GET."""
    more = (("Location", where), ("Cache-Control", "no-store"), *headers)
    return Answer(303, b"", "text/plain", more, reusable=False)


def _bearer(request: Request) -> str:
    # RFC 9110, section 11.1: the scheme's case does not matter.
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
