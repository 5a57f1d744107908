# Pure: no I/O, no clock, no waiting.
"""Events as text/event-stream bytes (WHATWG HTML, section 9.2 "Server-sent events")."""

from typing import Final

# How long a browser waits before it reconnects, in milliseconds. Also the stream's first line, so
# that headers and first bytes leave immediately.
# Bound "retry:, ms".
RETRY_MS: Final = 1000

# Without a blank line of its own: some clients (httpx-sse, sseclient) give their users an event with
# empty data for a block that has nothing else.
OPENING: Final = f"retry: {RETRY_MS}\n".encode()
HEARTBEAT: Final = b":\n"  # a comment line; a blank line after it would end a block, as above


def event(data: str, *, event_id: str = "", name: str = "") -> bytes:
    """Return one event. `data` may have several lines; id and name may not.

    Without a name it is a "message", which is what simple clients listen for.
    """
    head = (f"event: {name}\n" if name else "") + (f"id: {event_id}\n" if event_id else "")
    if "\n" in data or "\r" in data:
        # CR LF, CR and LF end a line; the other characters that str.splitlines() splits at do not.
        lines = data.replace("\r\n", "\n").replace("\r", "\n")
        data = lines.replace("\n", "\ndata: ")
    return f"{head}data: {data}\n\n".encode()
