"""Others' SSE clients for Python, used as their own documentation shows.

    python -m benchmarks.peers.sse_client LIBRARY URL

Each event, and each exception that reaches the program, becomes a line of JSON on standard output.
Where the library leaves reconnecting to its user, the program does it with the id of the last event
that it could parse: an event without data or with half of it (ValueError) is not one.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

PAUSE_S: Final = 1.0  # until the server's `retry:` says otherwise; it says the same


def said(**line: object) -> None:
    """Write one line."""
    print(json.dumps(line), flush=True)


def event(data: str | None, name: str | None = None) -> None:
    """Report an event. Raises JSONDecodeError, as its user's program does, if it is not whole."""
    said(data=data or "", name=name or "message", at=time.time())
    json.loads(data or "")


def again(error: Exception | None) -> None:
    """Report a lost connection that the library left to its user."""
    said(error="the stream's end" if error is None else type(error).__name__)


def httpx_sse(url: str) -> None:
    """The recipe of "Handling reconnections", with the exceptions that it leaves out.

    It catches `ReadError`. A killed server is a `RemoteProtocolError`, one that is not back yet a
    `ConnectError`, and one that stops in good order ends the loop without any.
    """
    httpx, library = import_module("httpx"), import_module("httpx_sse")
    last_id = ""
    with httpx.Client(timeout=30) as client:  # the default, 5 s, is below our heartbeat
        while True:
            error = None
            try:
                headers = {"Last-Event-ID": last_id} if last_id else {}
                with library.connect_sse(client, "GET", url, headers=headers) as source:
                    for one in source.iter_sse():
                        event(one.data, one.event)
                        last_id = one.id or last_id
            except (httpx.TransportError, library.SSEError, ValueError) as caught:
                error = caught
            again(error)
            time.sleep(PAUSE_S)


def sseclient_py(url: str) -> None:
    """With requests, as in its README. Reconnecting is the user's."""
    requests, library = import_module("requests"), import_module("sseclient")
    last_id = ""
    while True:
        error = None
        try:
            headers = {"Last-Event-ID": last_id} if last_id else {}
            answer = requests.get(url, headers=headers, stream=True, timeout=30)
            answer.raise_for_status()
            for one in library.SSEClient(answer).events():
                event(one.data, one.event)
                last_id = one.id or last_id
        except (requests.RequestException, ValueError) as caught:
            error = caught
        again(error)
        time.sleep(PAUSE_S)


def requests_sse(url: str) -> None:
    """It reconnects by itself, except after an answer other than 200."""
    requests, library = import_module("requests"), import_module("requests_sse")
    last_id = ""
    while True:
        error = None
        try:
            headers = {"Last-Event-ID": last_id} if last_id else {}
            with library.EventSource(url, timeout=30, headers=headers) as source:
                for one in source:
                    event(one.data, one.type)
                    last_id = one.last_event_id or last_id
        except (requests.RequestException, ValueError) as caught:
            error = caught
        again(error)
        time.sleep(PAUSE_S)


async def aiohttp_sse_client(url: str) -> None:
    """It reconnects by itself after a proper end, once; everything else is the user's."""
    aiohttp, library = import_module("aiohttp"), import_module("aiohttp_sse_client.client")
    last_id = ""
    while True:
        error = None
        try:
            headers = {"Last-Event-ID": last_id} if last_id else {}
            endless = aiohttp.ClientTimeout(
                total=None, sock_read=30
            )  # the default ends it after 300 s
            async with library.EventSource(url, headers=headers, timeout=endless) as source:
                async for one in source:
                    event(one.data, one.type)
                    last_id = one.last_event_id or last_id
        except (aiohttp.ClientError, OSError, ValueError) as caught:
            error = caught
        again(error)
        await asyncio.sleep(PAUSE_S)


async def aiosseclient(url: str) -> None:
    """It has `last_id` for its user to reconnect with."""
    aiohttp, library = import_module("aiohttp"), import_module("aiosseclient")
    last_id = None
    while True:
        error = None
        try:
            async for one in library.aiosseclient(url, last_id=last_id, raise_for_status=True):
                event(one.data, one.event)
                last_id = one.id or last_id
        except (aiohttp.ClientError, ValueError) as caught:
            error = caught
        again(error)
        await asyncio.sleep(PAUSE_S)


SYNC: Final[dict[str, Callable[[str], None]]] = {
    "httpx-sse": httpx_sse,
    "sseclient-py": sseclient_py,
    "requests-sse": requests_sse,
}
ASYNC: Final[dict[str, Callable[[str], Any]]] = {
    "aiohttp-sse-client": aiohttp_sse_client,
    "aiosseclient": aiosseclient,
}


def main(library: str, url: str) -> None:
    """Read until killed."""
    try:
        said(version=version(library))
        if library in SYNC:
            SYNC[library](url)
        else:
            asyncio.run(ASYNC[library](url))
    except ModuleNotFoundError as missing:
        said(missing=str(missing))
    except Exception as unexpected:  # noqa: BLE001  the verdict shows it
        said(died=f"{type(unexpected).__name__}: {unexpected}")


if __name__ == "__main__":
    main(*sys.argv[1:])
