"""Taking addresses: alone, together with others, or for others."""

import errno
import re
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import trio

from tests.helpers.http_client import PATIENCE_S
from trio_mpu.errors import ServerError
from trio_mpu.server.listeners import PORT_TRIES, open_listeners, reserve, urls

HOST = "127.0.0.1"


@asynccontextmanager
async def listening_at(
    port: int, host: str | None = HOST, *, shared: bool = True
) -> AsyncIterator[list[trio.SocketListener]]:
    """Listen for the length of a block."""
    async with AsyncExitStack() as stack:
        listeners = await open_listeners(host, port, shared=shared)
        for listener in listeners:
            await stack.enter_async_context(listener)
        yield listeners


async def reserved(host: str | None = HOST, port: int = 0) -> tuple[int, list[Any]]:
    """Reserve a port."""
    sockets = await reserve(host, port)
    return sockets[0].getsockname()[1], sockets


def close(sockets: list[Any]) -> None:
    """Give the addresses back."""
    for each in sockets:
        each.close()


async def accepting(port: int, listeners: list[trio.SocketListener]) -> set[int]:
    """Connect until each has accepted something: the kernel distributes by a hash of ports."""
    found = set[int]()

    async def accept(number: int) -> None:
        await (await listeners[number].accept()).aclose()
        found.add(number)
        nursery.cancel_scope.cancel()

    while len(found) < len(listeners):
        async with await trio.open_tcp_stream(HOST, port), trio.open_nursery() as nursery:
            for number in range(len(listeners)):
                nursery.start_soon(accept, number)
    return found


async def test_a_reserved_port_is_for_our_own_processes_alone() -> None:
    """Several of them listen there; before, then and after nobody else can."""
    port, sockets = await reserved()

    async def refuse_others() -> None:
        with pytest.raises(ServerError, match=f"port {port} is in use by another program"):
            await open_listeners(HOST, port)
        with pytest.raises(ServerError, match="in use"):
            await reserve(HOST, port)

    with pytest.raises(ServerError, match="in use"):
        await reserve(HOST, port)
    for _ in range(2):
        async with listening_at(port) as one, listening_at(port) as two:
            await refuse_others()
            with trio.fail_after(PATIENCE_S):
                assert await accepting(port, one + two) == {0, 1}
        await refuse_others()
    close(sockets)
    async with listening_at(port, shared=False):
        pass


async def test_a_port_with_closed_connections_is_free() -> None:
    """Those that the kernel remembers for a minute after their end (TIME_WAIT) are no hindrance."""
    async with listening_at(0, shared=False) as (listener,):
        port = listener.socket.getsockname()[1]
        async with await trio.open_tcp_stream(HOST, port) as client:
            await (await listener.accept()).aclose()  # who closes first has to remember
            assert await client.receive_some() == b""
    for _ in range(2):
        _, sockets = await reserved(port=port)
        async with (
            listening_at(port) as (listener,),
            await trio.open_tcp_stream(HOST, port) as client,
        ):
            await (await listener.accept()).aclose()
            assert await client.receive_some() == b""
        close(sockets)
        async with listening_at(port, shared=False):
            pass


@pytest.mark.parametrize("shared_by_other", [False, True])
async def test_a_port_that_another_has_cannot_be_reserved(shared_by_other: bool) -> None:
    """Be it willing to share or not: it knows nothing of us."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared_by_other))
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        for host in (HOST, None):
            with pytest.raises(ServerError, match=f"port {port} is in use by another program"):
                await reserve(host, port)
            with pytest.raises(ServerError, match="in use"):
                await open_listeners(host, port)


@pytest.mark.parametrize("shared", [False, True])
async def test_any_free_port_is_the_same_on_all_addresses(shared: bool) -> None:
    """IPv4 and IPv6, for those who listen and for those who reserve."""
    async with listening_at(0, None, shared=shared) as listeners:
        assert len({listener.socket.getsockname()[1] for listener in listeners}) == 1
        families = [listener.socket.family for listener in listeners]
        assert sorted(families) == [socket.AF_INET, socket.AF_INET6]
    port, sockets = await reserved(None)
    assert [each.getsockname()[1] for each in sockets] == [port, port]
    close(sockets)


def failing(monkeypatch: pytest.MonkeyPatch, errors: list[OSError | None], method: str) -> None:
    """Let the next calls of a socket's method fail, or not."""
    make = trio.socket.socket

    def make_failing(*args: int) -> Any:  # noqa: ANN401
        made: Any = make(*args)
        genuine = getattr(made, method)

        def fail(*args: object) -> object:
            if errors and (error := errors.pop(0)):
                raise error
            return genuine(*args)

        setattr(made, method, fail)
        return made

    monkeypatch.setattr(trio.socket, "socket", make_failing)


async def test_a_port_that_is_free_on_one_address_only_is_no_free_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another one is looked for, a few times."""
    taken = OSError(errno.EADDRINUSE, "taken")
    failing(monkeypatch, [None, taken, taken, None, taken], "bind")
    async with listening_at(0, None) as listeners:
        assert len({listener.socket.getsockname()[1] for listener in listeners}) == 1
    failing(monkeypatch, [None, taken] * PORT_TRIES, "bind")
    with pytest.raises(ServerError, match="in use"):
        await open_listeners(None, 0)


async def test_a_machine_without_ipv6_serves_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without either, the reason is said."""
    make = trio.socket.socket
    missing = {socket.AF_INET6}

    def make_some(family: int, *args: int) -> Any:  # noqa: ANN401
        if family in missing:
            raise OSError(errno.EAFNOSUPPORT, "not supported")
        return make(family, *args)

    monkeypatch.setattr(trio.socket, "socket", make_some)
    async with listening_at(0, None) as (listener,):
        assert listener.socket.family == socket.AF_INET
    missing.add(socket.AF_INET)
    with pytest.raises(ServerError, match=r"can't listen .* not supported"):
        await open_listeners(None, 0)


async def test_no_room_for_a_socket_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, as any other reason."""

    def fail(*_: int) -> None:
        raise OSError(errno.EMFILE, "no room")

    monkeypatch.setattr(trio.socket, "socket", fail)
    with pytest.raises(ServerError, match=r"can't listen on port 80: .*no room"):
        await reserve(None, 80)


async def test_another_who_was_quicker_to_listen_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel tells it only then, if both may reuse the address."""
    failing(monkeypatch, [OSError(errno.EADDRINUSE, "taken")], "listen")
    with pytest.raises(ServerError, match="in use"):
        await open_listeners(None, 0)


async def test_an_address_that_is_not_here_is_left_out_if_another_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`localhost` is ::1 too, also where the loopback interface has no IPv6."""
    getaddrinfo = trio.socket.getaddrinfo

    async def both(_: str, port: int, **options: Any) -> Any:  # noqa: ANN401 - as it has it
        await trio.lowlevel.checkpoint()
        found = [await getaddrinfo(each, port, **options) for each in ("192.0.2.1", "127.0.0.1")]
        return [address for addresses in found for address in addresses]

    monkeypatch.setattr(trio.socket, "getaddrinfo", both)
    async with listening_at(0, "localhost") as listeners:
        assert [each.socket.getsockname()[0] for each in listeners] == ["127.0.0.1"]


def test_people_are_given_addresses_to_open() -> None:
    """That of this computer first; an IPv6 address in brackets."""
    assert urls("::1", 80) == ["http://[::1]:80/"]
    assert urls("pi.local", 3737) == ["http://pi.local:3737/"]
    first, *others = urls(None, 3737)
    assert first == "http://localhost:3737/"
    assert all(re.fullmatch(r"http://\d+\.\d+\.\d+\.\d+:3737/", each) for each in others)
