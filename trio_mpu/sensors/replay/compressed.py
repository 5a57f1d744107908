"""Unpacking a recording that gzip has compressed, also one that is damaged or cut."""

import gzip
import io
import zlib
from pathlib import Path
from typing import Any, Final

# gzip packs recordings to a fifth or a tenth of their size, and zeros to a thousandth.
MAX_TIMES: Final = 100
_ALWAYS_BYTES: Final = 1_000_000  # so much may come of any file


class Unpacked(io.RawIOBase):
    """The bytes in a file of one or several gzip members.

    They end where the file is damaged, is cut, or unpacks to more than MAX_TIMES its size; `damage`
    then says which. Methods raise OSError if the file can't be read.
    """

    def __init__(self, path: Path) -> None:
        self.damage = ""
        self._file = path.open("rb")
        self._gzip = gzip.GzipFile(fileobj=self._file)
        self._count = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - what has a buffer has no name yet
        """Fill the buffer, or a part of it; return how many bytes that are. 0 is the end."""
        content = b"" if self.damage else self._read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def _read(self, most: int) -> bytes:
        try:
            content = self._gzip.read1(most)
        except EOFError:
            self.damage = "its compressed data ends too early: the file was cut"
        except (zlib.error, gzip.BadGzipFile):
            self.damage = "its compressed data is damaged"
        else:
            self._count += len(content)
            if self._count <= max(_ALWAYS_BYTES, MAX_TIMES * self._file.tell()):
                return content
            self.damage = f"its compressed data unpacks to more than {MAX_TIMES} times its size"
        return b""

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
