"""TLS without a socket: records in order, nothing lost between two who write."""

import ssl

import pytest

from tests.helpers.certificates import client_context, server_context
from trio_mpu.tls import session
from trio_mpu.tls.session import TlsSession

BIG = bytes(range(256)) * 1024


class Peer:
    """The other side: OpenSSL's client in memory."""

    def __init__(self, version: ssl.TLSVersion | None = None) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.ssl = client_context(version).wrap_bio(
            self.incoming, self.outgoing, server_hostname="localhost"
        )

    def says(self, data: bytes = b"") -> bytes:
        """The records with this data; without any, those of the handshake's next step."""
        try:
            if data:
                self.ssl.write(data)
            else:
                self.ssl.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()

    def hears(self, records: bytes) -> bytes:
        """What the records say; raises ssl.SSLError if they are not in order."""
        self.incoming.write(records)
        heard = b""
        try:
            while data := self.ssl.read(65_536):
                heard += data
        except ssl.SSLWantReadError:
            pass
        return heard


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def pair(request: pytest.FixtureRequest) -> tuple[TlsSession, Peer]:
    """Both sides after their handshake."""
    tls, peer = TlsSession(server_context()), Peer(request.param)
    while not tls.handshake(peer.says()):
        peer.incoming.write(tls.take())
    peer.incoming.write(tls.take())
    peer.says()
    return tls, peer


def test_what_one_side_says_the_other_reads(pair: tuple[TlsSession, Peer]) -> None:
    """Byte by byte too; None before a record is whole."""
    tls, peer = pair
    assert tls.read() is None
    for byte in (records := peer.says(b"question")):
        assert tls.read() is None
        tls.feed(bytes([byte]))
    assert len(records) > len(b"question")
    assert tls.read() == b"question"
    assert tls.read() is None
    assert peer.hears(tls.protect(b"answer")) == b"answer"
    assert peer.hears(tls.protect(memoryview(BIG))) == BIG
    assert tls.protect(b"") == b""


def test_what_the_kernel_did_not_take_comes_before_anything_else(
    pair: tuple[TlsSession, Peer],
) -> None:
    """However often it takes only a part, or nothing."""
    tls, peer = pair
    wire = b""
    for number in range(20):
        records = tls.protect(b"%04d" % number)
        taken = len(records) * (number % 5) // 5
        wire += records[:taken]
        tls.put_back(records[taken:])
    wire += tls.take()
    assert tls.take() == b""
    assert peer.hears(wire) == b"".join(b"%04d" % number for number in range(20))


def test_records_out_of_order_are_refused_by_clients(pair: tuple[TlsSession, Peer]) -> None:
    """Which is why nothing may overtake."""
    tls, peer = pair
    peer.hears(tls.take())
    tls.protect(b"lost")
    with pytest.raises(ssl.SSLError):
        peer.hears(tls.protect(b"next"))


def test_a_goodbye_is_the_end_of_what_can_be_read(pair: tuple[TlsSession, Peer]) -> None:
    """On both sides, whoever says it first; and it may be said again."""
    tls, peer = pair
    with pytest.raises(ssl.SSLWantReadError):
        peer.ssl.unwrap()
    tls.feed(peer.outgoing.read())
    assert tls.read() == b""
    records = tls.protect(b"last")
    tls.close()
    tls.close()
    peer.incoming.write(records + tls.take())
    assert peer.ssl.read(100) == b"last"
    with pytest.raises(ssl.SSLZeroReturnError):
        peer.ssl.read(100)


def test_a_goodbye_may_come_before_a_handshake() -> None:
    """There is nothing to be said then."""
    tls = TlsSession(server_context())
    tls.close()
    assert tls.take() == b""


def test_damage_is_an_error_with_an_alert(pair: tuple[TlsSession, Peer]) -> None:
    """The alert can still be sent."""
    tls, peer = pair
    peer.hears(tls.take())
    records = bytearray(peer.says(b"question"))
    records[-1] ^= 1
    tls.feed(bytes(records))
    with pytest.raises(ssl.SSLError):
        tls.read()
    with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
        peer.hears(tls.take())


def test_replies_that_nobody_fetches_have_a_bound(
    pair: tuple[TlsSession, Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client can't make this side remember without end."""
    tls, peer = pair
    monkeypatch.setattr(session, "MAX_REPLIES_BYTES", 3)
    tls.feed(peer.says(b"question"))
    tls._outgoing.write(b"1234")
    with pytest.raises(ssl.SSLError, match="too much"):
        tls.read()
