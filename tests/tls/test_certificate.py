"""What is refused, what is warned of, and that a bad new file leaves the old one."""

import datetime
import logging
import os
import re
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.helpers.certificates import DAY, Files, client_context, make_files
from tests.helpers.fake_devices import one_line
from tests.tls.test_session import Peer
from trio_mpu.errors import ServerError
from trio_mpu.tls.certificate import Certificate


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A certificate for a month."""
    return make_files(tmp_path)


def shown(certificate: Certificate) -> bytes:
    """The certificate that a client is shown, as DER."""
    tls, peer = certificate.session(), Peer()
    while not tls.handshake(peer.says()):
        peer.incoming.write(tls.take())
    return peer.ssl.getpeercert(binary_form=True) or b""


def first_of(path: str) -> bytes:
    """The first certificate of a file, as DER."""
    return ssl.PEM_cert_to_DER_cert(
        Path(path).read_text().partition("-----END CERTIFICATE-----")[0]
        + "-----END CERTIFICATE-----\n"
    )


def test_the_certificate_is_shown_and_http_agreed_on(files: Files) -> None:
    """HTTP/1.1 to who asks for it (ALPN), and to who only knows others nothing."""
    certificate = Certificate(files.cert, files.key)
    assert shown(certificate) == first_of(files.cert)
    for offered, agreed in ((["h2", "http/1.1"], "http/1.1"), (["h2"], None), ([], None)):
        tls, peer = certificate.session(), Peer()
        context = client_context()
        if offered:
            context.set_alpn_protocols(offered)
        peer.ssl = context.wrap_bio(peer.incoming, peer.outgoing, server_hostname="localhost")
        while not tls.handshake(peer.says()):
            peer.incoming.write(tls.take())
        assert peer.ssl.selected_alpn_protocol() == agreed


def test_the_key_may_be_in_the_same_file(files: Files) -> None:
    """As some programs write it."""
    together = Path(files.key)
    together.write_text(together.read_text() + Path(files.cert).read_text())
    assert shown(Certificate(files.key)) == first_of(files.cert)


def test_it_says_for_whom_and_how_long(files: Files, tmp_path: Path) -> None:
    """The names that browsers accept, and the last day."""
    last = (datetime.datetime.now(datetime.UTC) + 29 * DAY).date().isoformat()
    assert Certificate(files.cert, files.key).load() == f"localhost, 127.0.0.1, until {last}"


SPOIL: dict[str, tuple[Callable[[Files], object], str]] = {
    "no file": (lambda files: Path(files.cert).unlink(), "can't read .*cert: No such file"),
    "no key file": (lambda files: Path(files.key).unlink(), "can't read .*key: No such file"),
    "empty": (lambda files: Path(files.cert).write_text(""), "cert has no certificate in PEM"),
    "binary": (lambda files: Path(files.cert).write_bytes(b"\xff\0"), "no certificate in PEM"),
    "the key's file twice": (
        lambda files: Path(files.cert).write_bytes(Path(files.key).read_bytes()),
        "cert has no certificate in PEM",
    ),
    "no key": (
        lambda files: Path(files.key).write_bytes(Path(files.cert).read_bytes()),
        "key has no private key in PEM form: name its file with --tls-key FILE",
    ),
    "damaged": (
        lambda files: Path(files.cert).write_text(
            Path(files.cert).read_text()[:100] + "\n-----END CERTIFICATE-----\n"
        ),
        "the certificate in .*cert can't be used: ",
    ),
    "others may read": (
        lambda files: Path(files.key).chmod(0o604),
        r"mode 0604\): chmod 600 .*key$",
    ),
    "a group may read": (lambda files: Path(files.key).chmod(0o640), r"mode 0640\): chmod 600"),
}


@pytest.mark.parametrize("kind", SPOIL)
def test_what_can_not_be_used_is_one_line(files: Files, kind: str) -> None:
    """At the start; later it leaves what there was."""
    certificate = Certificate(files.cert, files.key)
    before = first_of(files.cert)
    spoil, words = SPOIL[kind]
    spoil(files)
    with pytest.raises(ServerError, match=words) as caught:
        Certificate(files.cert, files.key)
    one_line(caught.value)
    with pytest.raises(ServerError, match=words):
        certificate.load()
    assert shown(certificate) == before


def test_the_key_of_another_certificate_is_one_line(files: Files, tmp_path: Path) -> None:
    """It names both files."""
    other = make_files(tmp_path, name="other")
    words = "the key in .*other.key is not that of the certificate in .*server.cert"
    with pytest.raises(ServerError, match=words):
        Certificate(files.cert, other.key)


def test_a_key_with_a_passphrase_is_one_line(files: Files) -> None:
    """Nobody is asked for it."""
    key = serialization.load_pem_private_key(Path(files.key).read_bytes(), None)
    Path(files.key).write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ServerError, match="key has a passphrase: nobody is here to type it"):
        Certificate(files.cert, files.key)


def test_another_user_s_key_may_be_read_by_a_group(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Debian has it in /etc/ssl/private; but not by everybody."""
    Path(files.key).chmod(0o640)
    monkeypatch.setattr(os, "getuid", lambda: Path(files.key).stat().st_uid + 1)
    Certificate(files.cert, files.key)
    Path(files.key).chmod(0o644)
    with pytest.raises(ServerError, match="others can read the key"):
        Certificate(files.cert, files.key)


@pytest.mark.parametrize(
    ("begins_in", "days", "words"),
    [(-10, 5, "expired on "), (5, 5, "is valid from .* on, which by this computer's clock")],
)
def test_one_that_is_not_valid_today_is_used_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, begins_in: int, days: int, words: str
) -> None:
    """The clock may be wrong, as that of a board without a battery."""
    files = make_files(tmp_path, begins_in=begins_in, days=days)
    Certificate(files.cert, files.key)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"the certificate in {files.cert}" in record.message
    assert re.search(words, record.message)


def test_a_new_file_is_for_new_connections(files: Files, tmp_path: Path) -> None:
    """A session that was begun keeps what it has."""
    certificate = Certificate(files.cert, files.key)
    old = first_of(files.cert)
    begun = certificate.session()
    make_files(tmp_path)
    certificate.load()
    assert shown(certificate) == first_of(files.cert) != old
    peer = Peer()
    while not begun.handshake(peer.says()):
        peer.incoming.write(begun.take())
    assert peer.ssl.getpeercert(binary_form=True) == old
