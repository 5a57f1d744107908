# Pure: no I/O, no clock, no waiting.
"""A complete answer, and the form that all errors have."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

ALLOW: Final = "GET, HEAD"
# Bound "Retry-After, s".
RETRY_AFTER_S: Final = 2  # what a 503 suggests: samples and free places come soon

Headers = tuple[tuple[str, str], ...]

# What a browser is to make of an error that somebody opens in it: nothing but its text.
_ERROR_HEADERS: Final = (
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "same-origin"),
)


@dataclass(frozen=True)
class Answer:
    """Everything that is sent for a request.

    It is `reusable` if the same request has the same answer until the next sample or second.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Headers = (("Cache-Control", "no-store"),)
    reusable: bool = True


def json_answer(status: int, content: Mapping[str, object]) -> Answer:
    """Return an answer of one JSON object; a 503 says when to come back."""
    headers: Headers = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))
    if status == 405:
        headers = (*headers, ("Allow", ALLOW))
    if status == 503:
        headers = (*headers, ("Retry-After", str(RETRY_AFTER_S)))
    return Answer(status, json_body(content), headers=headers)


def error_answer(status: int, reason: str, more: Headers = ()) -> Answer:
    """Return the answer for an error: JSON with its reason, and `more` headers."""
    word = "error" if status != 503 else "unavailable"
    answer = json_answer(status, {"status": word, "reason": reason})
    return replace(answer, headers=(*answer.headers, *_ERROR_HEADERS, *more))


def json_body(content: Mapping[str, object]) -> bytes:
    """Return the object as one line of JSON."""
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"
