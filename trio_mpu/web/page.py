"""The live page's files, as answers."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from trio_mpu.web.answer import Answer, Headers
from trio_mpu.web.ranges import matches
from trio_mpu.web.request import Request, accepts_gzip

FOLDER: Final = Path(__file__).parent / "static"
# The page needs nothing from elsewhere, and this makes sure that it stays so: its own files, its own
# server, and pictures that it draws itself.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_HEADERS: Final = (
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Cache-Control", "no-cache"),
    ("Vary", "Accept-Encoding"),
)
_TYPES: Final = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
_GZIP_LEVEL: Final = 9  # the smallest: it is done once, and sent often


class _Form(NamedTuple):
    """A file's bytes in one content coding, and the strong validator of these very bytes."""

    body: bytes
    etag: str
    coding: Headers = ()


class _File(NamedTuple):
    """A file as it is, and compressed; both are the same if that makes it no smaller."""

    content_type: str
    plain: _Form
    gzipped: _Form

    @classmethod
    def of(cls, name: str, body: bytes) -> "_File":
        kind = _TYPES.get(name.rpartition(".")[2], "application/octet-stream")
        digest = hashlib.sha256(body).hexdigest()[:16]
        plain = gzipped = _Form(body, f'"{digest}"')
        # No time in it: all workers send the same bytes under the same validator.
        compressed = gzip.compress(body, _GZIP_LEVEL, mtime=0)
        if len(compressed) < len(body):
            gzipped = _Form(compressed, f'"{digest}-gzip"', (("Content-Encoding", "gzip"),))
        return cls(f"{kind}; charset=utf-8", plain, gzipped)


@dataclass(frozen=True)
class Page:
    """The files by their paths."""

    files: Mapping[str, _File] = field(default_factory=dict)

    @classmethod
    def load(cls) -> "Page":
        """Read the files, those in subfolders too, which are few and small."""
        found = (path for path in FOLDER.rglob("*") if path.is_file())
        return cls.of({path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in found})

    @classmethod
    def of(cls, contents: Mapping[str, bytes]) -> "Page":
        """Take file names, with their folders, and their bytes; `index.html` is the page."""
        return cls(
            {
                "/" if name == "index.html" else f"/static/{name}": _File.of(name, body)
                for name, body in contents.items()
            }
        )

    def answer(self, request: Request) -> Answer | None:
        """Return the file that a request asks for, compressed for a client that accepts gzip, or
        that it has not changed; None if there is no such file. Any query is accepted: what stands
        there is for the page's own script."""
        file = self.files.get(request.path)
        if file is None:
            return None
        form = file.gzipped if accepts_gzip(request) else file.plain
        headers = (*_HEADERS, ("ETag", form.etag))
        if matches(request.headers.get("if-none-match", ""), form.etag):
            return Answer(304, b"", file.content_type, headers)
        return Answer(200, form.body, file.content_type, (*headers, *form.coding))
