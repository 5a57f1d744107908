# Pure: no I/O, no clock, no waiting.
"""Events as text/event-stream bytes (WHATWG HTML, section 9.2 "Server-sent events")."""

from typing import Final

# How long a browser waits before it connects again, in milliseconds. Also the stream's first
# line, so that headers and first bytes leave at once.
# Bound "retry:, ms".
RETRY_MS: Final = 1000

OPENING: Final = f"retry: {RETRY_MS}\n\n".encode()
HEARTBEAT: Final = b":\n\n"  # a comment: every client ignores it, no proxy thinks us dead


def event(data: str, *, event_id: str = "", name: str = "") -> bytes:
    """Return one event. `data` may have several lines; id and name must not.

    Without a name it is a "message", which is what simple clients listen for.
    """
    head = (f"event: {name}\n" if name else "") + (f"id: {event_id}\n" if event_id else "")
    if "\n" in data or "\r" in data:
        # These three end a line, and nothing else does that str.splitlines() would split at.
        lines = data.replace("\r\n", "\n").replace("\r", "\n")
        data = lines.replace("\n", "\ndata: ")
    return f"{head}data: {data}\n\n".encode()
