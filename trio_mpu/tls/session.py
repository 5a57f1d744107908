"""One connection's TLS without its socket: records in, plaintext out, and the other way.

OpenSSL does all of it, in memory; the owner of the socket reads and writes there. So the same records
can be sent by the connection's task and, while that sleeps, by the hub (fanout/direct_write.py). The
rules:

1. Records arrive in the order in which they were made, whole, or the client gives up. What was made
   and not yet taken by the kernel is put back here, and nothing goes out before it.
2. Only what writes sends. Reading may make records too (an alert, the answer to new keys); they stay
   here until something is sent.
3. A write needs no read: neither side may begin a second handshake (RFC 8446 has none; of TLS 1.2,
   certificate.py refuses it), and new keys of TLS 1.3 are one more record.
"""

import contextlib
import ssl
from typing import Final

READ_BYTES: Final = 16_384  # a record has no more plaintext: RFC 8446, section 5.1
# Bound "unread TLS replies, bytes".
MAX_REPLIES_BYTES: Final = 65_536  # arbitrary; an honest client causes a few hundred


class TlsSession:
    """The server's side of one connection. What its methods raise is ssl.SSLError: the connection is
    of no more use then, though the alert that says why may still be sent."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._unsent = b""

    def handshake(self, received: bytes) -> bool:
        """Go on with the handshake; tell whether it is complete. Either way there may be records to
        send: the last ones are tickets for the client's next visit."""
        self._incoming.write(received)
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def feed(self, received: bytes) -> None:
        """Take what came from the socket."""
        self._incoming.write(received)

    def read(self) -> bytes | None:
        """Return the next plaintext; b"" after the client's last, None before more was fed."""
        try:
            data = self._ssl.read(READ_BYTES)
        except ssl.SSLWantReadError:
            data = None
        except ssl.SSLZeroReturnError:
            data = b""
        if self._outgoing.pending > MAX_REPLIES_BYTES:
            raise ssl.SSLError("the client makes too much talk of TLS")
        return data

    def protect(self, data: bytes | memoryview) -> bytes:
        """Return the records to send now, which end with those of the data (it may be empty)."""
        if data:
            self._ssl.write(data)
        return self.take()

    def take(self) -> bytes:
        """Return the records that were made, to be sent; what is not taken of them is to be put back."""
        records = self._outgoing.read()
        if self._unsent:
            records, self._unsent = self._unsent + records, b""
        return records

    def put_back(self, rest: bytes) -> None:
        """Keep what the kernel has not taken, to be sent before anything else."""
        self._unsent = rest

    def close(self) -> None:
        """Make the record that says that nothing more will come (close_notify), if that can be said."""
        with contextlib.suppress(ssl.SSLError):
            # OpenSSL wants to read the client's own; waiting for that is not needed (RFC 8446, 6.1).
            self._ssl.unwrap()
