# Pure: no I/O, no clock, no waiting.
"""An answer of HTTP/1.1, and whether its head is as RFC 9112 has it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from trio_mpu.conformance.verdict import Failed, json_object, require, shown

_STATUS: Final = re.compile(rb"HTTP/1\.1 ([1-5]\d\d) ([^\r\n]*)")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*")
_LENGTH: Final = re.compile(r"\d{1,18}", re.ASCII)


@dataclass
class Answer:
    """An answer to a request of `method`; `fields` have lower-case names."""

    method: str
    status: int
    fields: list[tuple[str, str]]
    body: bytes = b""

    def field(self, name: str) -> str:
        """Return a field's value, several joined by commas; empty without it."""
        return ", ".join(value for key, value in self.fields if key == name)

    @property
    def has_body(self) -> bool:
        """Whether a body follows the head (RFC 9112, section 6.3)."""
        return self.method != "HEAD" and self.status not in (204, 304) and self.status >= 200

    @property
    def is_chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return self.field("transfer-encoding").lower() == "chunked"

    @property
    def length(self) -> int | None:
        """The body's length, if the head has it."""
        text = self.field("content-length")
        return int(text) if text else None

    @property
    def closes(self) -> bool:
        """Whether it says that the server will close the connection."""
        return self.field("connection").lower() == "close"

    @property
    def type(self) -> str:
        """The media type, without parameters."""
        return self.field("content-type").partition(";")[0].strip().lower()

    def json(self) -> dict[str, Any]:
        """Return the object that the body is. Raises Failed if it is none."""
        return json_object(self.body, "the body")

    def require(self, status: int, kind: str = "") -> "Answer":
        """Return it if it has this status and media type. Raises Failed."""
        require(self.status == status, f"status {self.status}, not {status}")
        require(kind in ("", self.type), f"its type is {self.type or 'missing'}, not {kind}")
        return self


def head_of(lines: Sequence[bytes], method: str) -> Answer:
    """Return the answer that begins with these lines. Raises Failed if they are malformed, or
    contradict each other about where the body ends."""
    found = _STATUS.fullmatch(lines[0] if lines else b"")
    if found is None:
        raise Failed(f"an answer begins with {shown(lines[0] if lines else b'')}")
    fields = []
    for line in lines[1:]:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise Failed(f"a malformed header field: {shown(line)}")
        fields.append((field[1].decode().lower(), field[2].decode("latin-1")))
    answer = Answer(method, int(found[1]), fields)
    coding, length = answer.field("transfer-encoding"), answer.field("content-length")
    require(coding.lower() in ("", "chunked"), f"the transfer coding {shown(coding)}")
    require(not (coding and length), "it has both Content-Length and Transfer-Encoding")
    require(not length or bool(_LENGTH.fullmatch(length)), f"Content-Length is {shown(length)}")
    return answer
