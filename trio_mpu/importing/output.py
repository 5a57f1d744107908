"""Writes the recording: a whole file or none, and never over another one unasked."""

import contextlib
import gzip
import io
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from trio_mpu.errors import ImportRefused

MAX_NAME: Final = 100  # characters of the file's name in that of the temporary one


def check(path: Path, source: Path, *, force: bool) -> None:
    """Raise ImportRefused if the recording of `source` can't have this path, before any work."""
    if not os.path.isdir(path.parent):  # noqa: PTH112 - is_dir raises PermissionError
        raise ImportRefused(f"can't write {path}: there is no folder {path.parent}")
    if not os.path.lexists(path):
        return
    if not os.path.isfile(path):  # noqa: PTH113 - likewise
        raise ImportRefused(f"can't write {path}: it is not a plain file")
    if os.path.samefile(path, source):  # noqa: PTH121 - likewise
        raise ImportRefused(f"can't write {path}: it is the log itself")
    if not force:
        raise ImportRefused(f"{path} exists already; --force overwrites it")


def write(path: Path, lines: Iterable[str], *, force: bool) -> None:
    """Write the lines to a file, compressed if its name ends in .gz.

    The file appears when it is complete. Raises ImportRefused if it can't be written, or if there
    is one by now and `force` is not set.
    """
    try:
        fd, temporary = tempfile.mkstemp(prefix=f".{path.name[:MAX_NAME]}.", dir=path.parent)
        try:
            with os.fdopen(fd, "wb") as file:
                with _text(file, compress=path.suffix == ".gz") as text:
                    text.writelines(lines)
                file.flush()
                os.fsync(fd)
            Path(temporary).chmod(0o644)  # it is no more secret than the log
            if not force:
                path.touch(exist_ok=False)  # of two programs, only one gets the name
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except FileExistsError as error:
        raise ImportRefused(f"{path} exists already; --force overwrites it") from error
    except OSError as error:
        raise ImportRefused(f"can't write {path}: {error.strerror}") from error


@contextlib.contextmanager
def _text(file: io.BufferedWriter, *, compress: bool) -> Iterator[io.TextIOWrapper]:
    """Make a text file of a binary one, which stays open."""
    binary = gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) if compress else file
    text = io.TextIOWrapper(binary, encoding="utf-8", newline="\n")
    try:
        yield text
        text.flush()
    finally:
        text.detach()
        if compress:
            binary.close()
