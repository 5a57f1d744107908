"""What all targets share: what an error may look like, and a file in memory."""

import os
import tempfile
from pathlib import Path
from typing import Final

from trio_mpu.record import Record
from trio_mpu.sample import Sample
from trio_mpu.shm import layout

MAX_MESSAGE: Final = 500  # characters: one line in a log
# A file of /dev/shm is as fast as memory; where there is none, any folder will do.
_SHM: Final = "/dev/shm"  # noqa: S108 - a name of its own is made there


def check_message(error: BaseException) -> None:
    """Check that an error is what the documentation says of all: one line for a person."""
    message = str(error)
    assert message.isprintable(), repr(message)
    assert 0 < len(message) <= MAX_MESSAGE, repr(message)


def ringed(sample: Sample, seq: int) -> Record:
    """Return a sample as it comes out of the ring."""
    seq = min(seq, 2**64 - 1)
    record = Record.of(seq, 1_700_000_000_000_000_000, sample)
    (found,) = layout.parse_records(layout.pack_records([record]), seq)
    return found


def folder() -> str:
    """Return where files in memory are."""
    return _SHM if Path(_SHM).is_dir() else tempfile.gettempdir()


class FileInMemory:
    """A file whose content is replaced for each run, until it is closed."""

    def __init__(self, suffix: str = "") -> None:
        fd, name = tempfile.mkstemp(suffix, f"trio-mpu-fuzz-{os.getpid()}-", folder())
        os.close(fd)
        self.path = Path(name)

    def hold(self, data: bytes) -> Path:
        """Let it have this content; return where it is."""
        self.path.write_bytes(data)
        return self.path

    def close(self) -> None:
        """Remove it."""
        self.path.unlink(missing_ok=True)
