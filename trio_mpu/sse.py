"""Events as text/event-stream bytes (WHATWG HTML, section 9.2 "Server-sent events")."""

import re
from typing import Final

# How long a browser waits before it connects again, in milliseconds. Also the stream's first
# line, so that headers and first bytes leave at once.
RETRY_MS: Final = 1000

OPENING: Final = f"retry: {RETRY_MS}\n\n".encode()
HEARTBEAT: Final = b":\n\n"  # a comment: every client ignores it, no proxy thinks us dead

# These three end a line, and nothing else does that str.splitlines() would split at.
_LINE_END = re.compile(r"\r\n|\n|\r")


def event(data: str, *, event_id: str = "", name: str = "") -> bytes:
    """Return one event. `data` may have several lines; id and name must not.

    Without a name it is a "message", which is what simple clients listen for.
    """
    head = (f"event: {name}\n" if name else "") + (f"id: {event_id}\n" if event_id else "")
    body = "".join(f"data: {line}\n" for line in _LINE_END.split(data))
    return f"{head}{body}\n".encode()
