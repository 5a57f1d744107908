"""Clients with TLS, or without, for benchmarks.tls: a process of its own.

`python -m benchmarks.tls_load PORT stream|json CLIENTS [--tls]` connects, says "ready", and then after
each line on its standard input what it has received since the line before: a JSON object.
Certificates are not checked, which would be the client's cost.
"""

import json
import re
import resource
import select
import socket
import ssl
import sys
from argparse import ArgumentParser
from typing import Final

RECEIVE_BYTES: Final = 65_536
PATHS: Final = {"stream": "/events", "json": "/json"}
_SEQ: Final = re.compile(rb'"seq":(\d+),')
_SEQ_BYTES: Final = 24  # more than such a text has


class Client:
    """One connection, which streams, or asks again on each answer."""

    def __init__(self, port: int, what: str, context: ssl.SSLContext | None) -> None:
        connection = socket.create_connection(("127.0.0.1", port), 20)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            connection = context.wrap_socket(connection, server_hostname="localhost")
        self.connection = connection
        self.request = f"GET {PATHS[what]} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        self.asks_again = what == "json"
        self.received = self.first = self.last = 0
        self.rest = b""  # which may be the beginning of the next number
        connection.sendall(self.request)
        connection.setblocking(False)

    def take(self) -> None:
        """Read what there is. With TLS, the kernel may have no more although there is more here."""
        while True:
            try:
                data = self.connection.recv(RECEIVE_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            if not data:
                sys.exit("the server closed a connection")
            data = self.rest + data
            found = list(_SEQ.finditer(data))
            self.rest = data[max(found[-1].end() if found else 0, len(data) - _SEQ_BYTES) :]
            if found:
                self.received += len(found)
                self.first, self.last = self.first or int(found[0][1]), int(found[-1][1])
                if self.asks_again:
                    self.connection.sendall(self.request)
            if not isinstance(self.connection, ssl.SSLSocket):
                return

    def lost(self) -> int:
        """Return how many samples between its first and its last it has not had."""
        return 0 if self.asks_again else self.last - self.first + 1 - self.received


def main() -> None:
    """Connect, and read until standard input ends."""
    parser = ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("what", choices=PATHS)
    parser.add_argument("clients", type=int)
    parser.add_argument("--tls", action="store_true")
    options = parser.parse_args()
    context = None
    if options.tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    clients = {}
    for _ in range(options.clients):
        client = Client(options.port, options.what, context)
        clients[client.connection.fileno()] = client
    epoll = select.epoll()
    epoll.register(0, select.EPOLLIN)
    for fd in clients:
        epoll.register(fd, select.EPOLLIN)
    print("ready", flush=True)
    while True:
        for fd, _ in epoll.poll():
            if fd != 0:
                clients[fd].take()
                continue
            if not sys.stdin.readline():
                return
            usage = resource.getrusage(resource.RUSAGE_SELF)
            found = {
                "received": sum(client.received for client in clients.values()),
                "lost": sum(client.lost() for client in clients.values()),
                "cpu_s": usage.ru_utime + usage.ru_stime,
            }
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
