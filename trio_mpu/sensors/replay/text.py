"""Reading the lines of a recording, in whatever encoding a program has saved it."""

import codecs
import io
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from trio_mpu.errors import UsageError
from trio_mpu.sensors.replay.compressed import Unpacked
from trio_mpu.sensors.replay.rows import Line

MAX_LINE_CHARACTERS: Final = 4096  # an event with a gap and its ledger has about 1,000
# Bound on what is read as a whole: JSON that does not have an object a line.
MAX_DOCUMENT_BYTES: Final = 64_000_000
SQLITE: Final = b"SQLite format 3\0"  # https://www.sqlite.org/fileformat.html, section 1.3
_LOOKED_AT_BYTES: Final = 64  # to find the encoding


class Text:
    """A text file, also one that gzip has compressed."""

    def __init__(self, path: Path) -> None:
        """Find the encoding. Raises UsageError if the file can't be text, and OSError."""
        self._path = path
        self._is_compressed = head_of(path).startswith(b"\x1f\x8b")
        self.damage = ""  # why the last reading ended before the end of what was compressed
        with self._opened() as file:
            head = file.read(_LOOKED_AT_BYTES)
            self._note_damage(file)
        if self.damage and not head:
            raise UsageError(self.damage)
        if self._is_compressed and head.startswith(SQLITE):
            raise UsageError("it is a compressed database: unpack it with gunzip first")
        self._encoding = _encoding(head)

    def lines(self) -> Iterator[Line]:
        """Yield the lines, without their ends. Of a line that is too long only the beginning comes,
        as one that has no end. The head of an HTTP answer (curl -i) is left out. Raises OSError.

        What can't be decoded turns into characters that no row can have: the row is refused.
        """
        self.damage = ""
        buffer = self._opened()
        with io.TextIOWrapper(buffer, encoding=self._encoding, errors="replace") as file:
            number, in_head = 0, False
            while text := file.readline(MAX_LINE_CHARACTERS):
                number += 1
                if in_head or (number == 1 and text.startswith("HTTP/")):
                    in_head = text != "\n"
                    continue
                yield Line(number, text.removesuffix("\n"), ended=text.endswith("\n"))
                while not text.endswith("\n") and (text := file.readline(MAX_LINE_CHARACTERS)):
                    pass
            self._note_damage(buffer)

    def whole(self) -> str:
        """Return all of the text. Raises UsageError if it is too much, and OSError."""
        with self._opened() as file:
            content = file.read(MAX_DOCUMENT_BYTES + 1)
            self._note_damage(file)
        if len(content) > MAX_DOCUMENT_BYTES:
            raise UsageError(
                f"it has more than {MAX_DOCUMENT_BYTES // 10**6} MB of JSON that is not an object "
                "a line: use jq -c"
            )
        return content.decode(self._encoding, errors="replace")

    def _opened(self) -> io.BufferedReader:
        if self._is_compressed:
            return io.BufferedReader(Unpacked(self._path))
        return self._path.open("rb")

    def _note_damage(self, file: io.BufferedReader) -> None:
        self.damage = file.raw.damage if isinstance(file.raw, Unpacked) else ""


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file. Raises UsageError if it is no plain file, and OSError."""
    # Anything else, a pipe for instance, might let all of the producer wait.
    if not stat.S_ISREG(path.stat().st_mode):
        raise UsageError("it is not a plain file")
    with path.open("rb") as file:
        return file.read(_LOOKED_AT_BYTES)


def _encoding(head: bytes) -> str:
    """Return the encoding of a text, by its byte-order mark or its zeros. Raises UsageError if it
    can't be text."""
    if head.startswith(b"PK\x03\x04"):
        raise UsageError("it is a spreadsheet's own file, or a zip archive: save it as CSV")
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head and not any(head[1::2]) and all(head[0::2]):
        return "utf-16-le"
    if b"\0" in head:
        raise UsageError("it is not text")
    return "utf-8-sig"
