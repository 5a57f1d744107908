"""The least ASGI application that answers /json with bytes like ours, for uvicorn."""

from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.peers.ticker import event

_BODY = event(1).split(b"data: ")[1].strip()
_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"application/json"),
        (b"cache-control", b"no-store"),
        (b"content-length", str(len(_BODY)).encode()),
    ],
}


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Answer every request alike."""
    del receive
    assert scope["type"] == "http"
    await send(_START)
    await send({"type": "http.response.body", "body": _BODY})
