# Pure: no I/O, no clock, no waiting.
"""Pages of other origins: what a browser asks before it lets their scripts read an answer.

The Fetch standard, section 3.2 ("CORS protocol"). Without `--allow-origin` nothing is said, and
browsers keep the answers from such scripts.
"""

from typing import Final

from trio_mpu.web.answer import Answer, Headers

METHODS: Final = "GET, HEAD, OPTIONS"
# Beyond what is always allowed: a cursor, what EventSource polyfills add to it, and what viewers ask
# for parts of a file with.
_REQUEST_HEADERS: Final = (
    "Authorization, Cache-Control, Content-Type, If-Range, Last-Event-ID, Range, X-Requested-With"
)
_RESPONSE_HEADERS: Final = (
    "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, Date, ETag, Last-Event-ID, "
    "Retry-After, Ring-Generation, Samples-Left-Out"
)
_MAX_AGE_S: Final = 86_400  # browsers cut it down to their own limits


def headers(allow_origin: str) -> Headers:
    """Return what every answer has, errors too; `allow_origin` is `*`, an origin, or empty."""
    if not allow_origin:
        return ()
    allowed = (
        ("Access-Control-Allow-Origin", allow_origin),
        ("Access-Control-Expose-Headers", _RESPONSE_HEADERS),
    )
    # A cache must not give one origin's answer to another.
    return allowed if allow_origin == "*" else (*allowed, ("Vary", "Origin"))


def preflight() -> Answer:
    """Return the answer to OPTIONS, with which a browser asks whether it may ask."""
    more = (
        ("Allow", METHODS),
        ("Access-Control-Allow-Methods", METHODS),
        ("Access-Control-Allow-Headers", _REQUEST_HEADERS),
        ("Access-Control-Max-Age", str(_MAX_AGE_S)),
    )
    return Answer(204, b"", headers=more)
