# Pure: no I/O, no clock, no waiting.
"""What becomes of a check: it passes, or ends by one of these."""

import json
from typing import Any

from trio_mpu.errors import TrioMpuError


class Failed(TrioMpuError):
    """The server does not do what the protocol says; the message is what it did instead."""


class NotTried(TrioMpuError):
    """The check can't be made of this server now; the message is why."""


def require(holds: bool, problem: str) -> None:
    """Raise Failed, with what was found instead, unless the condition holds."""
    if not holds:
        raise Failed(problem)


def shown(value: object, most: int = 80) -> str:
    """Return what was found as a message shows it: on one line, and not too much of it."""
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}…"


def json_object(text: str | bytes, what: str) -> dict[str, Any]:
    """Return the object of JSON that a text is; `what` names the text. Raises Failed if it is none."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Failed(f"{what} is no JSON: {shown(text)}") from error
    require(isinstance(value, dict), f"{what} is no object of JSON: {shown(value)}")
    found: dict[str, Any] = value
    return found
