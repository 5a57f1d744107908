"""The server's certificate and key: read, tried before anybody sees them, and read again.

A certificate that can't be used ends a start, and at a reload the old one stays. One that clients
will refuse (expired, not valid yet, not for a server) is used all the same, with a warning: the
clock may be wrong, and a browser lets its user decide.
"""

import logging
import math
import os
import re
import ssl
import stat
import time
from pathlib import Path
from typing import Any, Final

from trio_mpu.errors import ServerError
from trio_mpu.iso_time import iso
from trio_mpu.tls.session import TlsSession

log = logging.getLogger(__name__)

_CERTIFICATE: Final = re.compile(
    "-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL
)
_KEY: Final = re.compile("-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")
# X509_V_FLAG_NO_CHECK_TIME in OpenSSL's x509_vfy.h, which Python has no name for.
_NO_CHECK_TIME: Final = 0x20_0000


class Certificate:
    """What new connections are shown. With an empty `key_file`, the key is in `certificate_file`."""

    def __init__(self, certificate_file: str, key_file: str = "") -> None:
        """Read both files. Raises ServerError."""
        self._certificate_file = certificate_file
        self._key_file = key_file or certificate_file
        self._context: ssl.SSLContext
        self.expires_s: float  # by the wall clock
        self.load()

    def load(self) -> str:
        """Read both files for connections from now on; return the certificate's names, and its end.

        Raises ServerError, and keeps what it has then.
        """
        first = _first_certificate(self._certificate_file)
        _check_key(self._key_file)
        context = _context(self._certificate_file, self._key_file)
        found = _as_a_client_sees_it(context, first, self._certificate_file)
        self.expires_s = _when(found, "notAfter", math.inf)
        self._warn_of_its_time(found)
        self._context = context
        names = ", ".join(name for _, name in found.get("subjectAltName", ()))
        return f"{names or 'no name'}, until {_day(self.expires_s)}"

    def session(self) -> TlsSession:
        """Return the TLS of a new connection."""
        return TlsSession(self._context)

    def _warn_of_its_time(self, found: dict[str, Any]) -> None:
        begins_s, now_s = _when(found, "notBefore", -math.inf), time.time()
        if now_s > self.expires_s:
            log.warning(
                "the certificate in %s expired on %s: browsers refuse it",
                self._certificate_file,
                _day(self.expires_s),
            )
        elif now_s < begins_s:
            log.warning(
                "the certificate in %s is valid from %s on, which by this computer's clock is yet "
                "to come: browsers refuse it",
                self._certificate_file,
                _day(begins_s),
            )


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise ServerError(f"TLS: can't read {path}: {error.strerror}") from error


def _first_certificate(path: str) -> str:
    """Return the server's own certificate, which is followed by those of who has signed it."""
    if found := _CERTIFICATE.search(_read(path)):
        return found[0]
    raise ServerError(f"{path} has no certificate in PEM form (-----BEGIN CERTIFICATE-----)")


def _check_key(path: str) -> None:
    if not _KEY.search(_read(path)):
        raise ServerError(
            f"{path} has no private key in PEM form: name its file with --tls-key FILE"
        )
    status = os.stat(path)  # noqa: PTH116 - of the file that a link leads to
    # As ssh has it: one's own keys are for oneself, those of another user may be for a group.
    forbidden = 0o077 if status.st_uid == os.getuid() else 0o007
    if status.st_mode & forbidden:
        mode = stat.S_IMODE(status.st_mode)
        raise ServerError(f"others can read the key in {path} (mode {mode:04o}): chmod 600 {path}")


def _context(certificate_file: str, key_file: str) -> ssl.SSLContext:
    """Return Python's defaults for a server, as of its version and OpenSSL's, for HTTP/1.1."""

    def refuse() -> str:
        raise ServerError(f"the key in {key_file} has a passphrase: nobody is here to type it")

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A second handshake on a connection is of use to nobody here, and costs the server most.
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate_file, key_file, refuse)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ServerError(
                f"the key in {key_file} is not that of the certificate in {certificate_file}"
            ) from error
        raise ServerError(
            f"the certificate in {certificate_file} can't be used: {_reason(error)}"
        ) from error
    except OSError as error:  # changed since it was read here
        raise ServerError(f"TLS: can't read {certificate_file}: {error.strerror}") from error
    return context


def _as_a_client_sees_it(context: ssl.SSLContext, first: str, path: str) -> dict[str, Any]:
    """Return what `SSLSocket.getpeercert` has of the certificate, after a handshake in memory.

    So whatever makes a handshake impossible is found now. Raises ServerError.
    """
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    try:
        trusting.load_verify_locations(cadata=first)
        client = trusting.wrap_bio(to_client, to_server)
        while not (_steps(client) & _steps(server)):
            pass
    except ssl.SSLCertVerificationError as error:
        log.warning("browsers will refuse the certificate in %s: %s", path, error.verify_message)
        return {}
    except ssl.SSLError as error:
        raise ServerError(f"the certificate in {path} can't be used: {_reason(error)}") from error
    return client.getpeercert() or {}


def _steps(side: ssl.SSLObject) -> bool:
    """Go on with one side's handshake; tell whether it is complete."""
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).lower().replace("_", " ")


def _when(found: dict[str, Any], key: str, otherwise: float) -> float:
    return ssl.cert_time_to_seconds(found[key]) if key in found else otherwise


def _day(time_s: float) -> str:
    return iso(int(time_s * 1e6))[:10] if math.isfinite(time_s) else "an unknown day"
