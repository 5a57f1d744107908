"""The token file: read only if nobody else can."""

import os
import stat
from typing import Final

from trio_mpu.access.tokens import Tokens, parse_tokens
from trio_mpu.errors import UsageError

# Bound "token file, bytes".
MAX_BYTES: Final = 65_536  # three times what the most and longest tokens need
_OTHERS: Final = 0o077


def read_tokens(path: str) -> Tokens:
    """Return the tokens of a file. Raises UsageError: one line, which never has a token."""
    try:
        text = _read(path)
        return parse_tokens(text)
    except OSError as error:
        raise UsageError(f"token file {path}: {error.strerror}") from error
    except UsageError as error:
        raise UsageError(f"token file {path}: {error}") from error


def _read(path: str) -> str:
    # Without waiting, should it be a pipe.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _check(os.fstat(fd))
        data = os.read(fd, MAX_BYTES + 1)
    finally:
        os.close(fd)
    if len(data) > MAX_BYTES:
        raise UsageError(f"it is larger than {MAX_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError("it is no text in UTF-8") from None  # that error has the bytes themselves


def _check(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UsageError("it is no regular file")
    if found.st_uid not in (0, os.geteuid()):
        raise UsageError(f"it belongs to user {found.st_uid}; it must be yours or root's")
    if found.st_mode & _OTHERS:
        raise UsageError("not only its owner has access to it; do: chmod 600 FILE")
