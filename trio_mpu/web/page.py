"""The live page's files, as answers."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from trio_mpu.web.answer import Answer
from trio_mpu.web.ranges import matches
from trio_mpu.web.request import Request

_HEADERS: Final = (
    # The page needs nothing from elsewhere, and this makes sure that it stays so.
    ("Content-Security-Policy", "default-src 'self'; img-src 'self' data:"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-cache"),
)
_TYPES: Final = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Page:
    """The files by their paths."""

    files: Mapping[str, Answer] = field(default_factory=dict)

    @classmethod
    def load(cls) -> "Page":
        """Read the files, which are few and small."""
        folder = Path(__file__).parent / "static"
        return cls.of({path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()})

    @classmethod
    def of(cls, contents: Mapping[str, bytes]) -> "Page":
        """Take file names and their bytes; `index.html` is the page."""
        files = {}
        for name, body in contents.items():
            path = "/" if name == "index.html" else f"/static/{name}"
            kind = _TYPES.get(name.rpartition(".")[2], "application/octet-stream")
            etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            headers = (*_HEADERS, ("ETag", etag))
            files[path] = Answer(200, body, f"{kind}; charset=utf-8", headers)
        return cls(files)

    def answer(self, request: Request) -> Answer | None:
        """Return the file that a request asks for, or that it has not changed; None if there is
        no such file. Any query is accepted: what stands there is for the page's own script."""
        file = self.files.get(request.path)
        if file and matches(request.headers.get("if-none-match", ""), dict(file.headers)["ETag"]):
            return Answer(304, b"", file.content_type, file.headers)
        return file
