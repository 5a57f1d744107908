"""Certificates that tests make, and connections with TLS to talk over."""

import datetime
import functools
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import trio
import trustme

from tests.helpers.fakes import tcp_pair
from tests.helpers.http_client import Client
from trio_mpu.tls.session import TlsSession

S = TypeVar("S", bound=trio.abc.Stream)

NAMES = ("localhost", "127.0.0.1")
DAY = datetime.timedelta(days=1)


@functools.cache
def authority() -> trustme.CA:
    """Who signs all certificates of the tests."""
    return trustme.CA()


@dataclass(frozen=True)
class Files:
    """Where a certificate and its key are, and the certificate of who has signed it."""

    cert: str
    key: str
    ca: str


def make_files(
    folder: Path, *names: str, begins_in: int = -1, days: int = 30, name: str = "server"
) -> Files:
    """Write a new certificate and its key; it begins in so many days, and lasts `days`."""
    begin = datetime.datetime.now(datetime.UTC) + begins_in * DAY
    issued = authority().issue_cert(
        *(names or NAMES), not_before=begin, not_after=begin + days * DAY
    )
    files = Files(*(str(folder / f"{name}.{kind}") for kind in ("cert", "key", "ca")))
    Path(files.cert).write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    Path(files.key).touch(0o600)
    issued.private_key_pem.write_to_path(files.key)
    authority().cert_pem.write_to_path(files.ca)
    return files


@functools.cache
def server_context() -> ssl.SSLContext:
    """A server's context as Python has it, for tests of what is done with one."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority().issue_cert(*NAMES).configure_cert(context)
    return context


def client_context(version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A context that trusts these certificates; for one version of TLS only, if one is given."""
    context = ssl.create_default_context()
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # which some versions of Python set
    authority().configure_trust(context)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


@asynccontextmanager
async def tls_pair() -> AsyncIterator[
    tuple[trio.SocketStream, TlsSession, "trio.SSLStream[trio.SocketStream]"]
]:
    """Open a real connection with TLS: the server's end with its session, and the client's."""
    async with tcp_pair() as (server, client):
        tls, secure = TlsSession(server_context()), tls_client(client)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(secure.do_handshake)
            while not tls.handshake(await server.receive_some()):
                await server.send_all(tls.take())
            await server.send_all(tls.take())
        yield server, tls, secure


@asynccontextmanager
async def connect_tls(port: int, context: ssl.SSLContext | None = None) -> AsyncIterator[Client]:
    """Open a connection with TLS; that it ends without a goodbye is an error."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with tls_client(stream, context) as secure:
        await secure.do_handshake()
        yield client_over(secure)


def client_over(secure: "trio.SSLStream[Any]") -> Client:
    """A client that talks over TLS; it can't close its side alone."""
    return Client(secure)  # type: ignore[arg-type]


def tls_client(stream: S, context: ssl.SSLContext | None = None) -> "trio.SSLStream[S]":
    """The client's end of a connection with TLS."""
    return trio.SSLStream(stream, context or client_context(), server_hostname="localhost")
