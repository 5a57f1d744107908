"""The recorder as a user starts it, killed as a user would not."""

import contextlib
import random
import signal
import sqlite3
import subprocess
import zlib
from functools import partial
from pathlib import Path

from tests.helpers.processes import killed, python
from tests.helpers.programs import PATIENCE_S, System, eventually


def recorder(ring: str, file: Path) -> "subprocess.Popen[str]":
    """Start it."""
    arguments = ("-m", "trio_mpu", "record", "--ring", ring, "--store", str(file))
    return python(*arguments, output=subprocess.DEVNULL)


def numbers(file: Path) -> list[int]:
    """All sequence numbers, as another program reads them."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        found: list[int] = []
        for data, record_bytes in connection.execute(
            "SELECT data, record_bytes FROM chunks ORDER BY id"
        ):
            records = zlib.decompress(data)
            found += [
                int.from_bytes(records[place : place + 8], "little")
                for place in range(0, len(records), record_bytes)
            ]
        return found


def newest(file: Path) -> int:
    """The newest number in the file, 0 while it has none."""
    with contextlib.suppress(sqlite3.OperationalError):
        return numbers(file)[-1] if file.exists() and numbers(file) else 0
    return 0


def has_more(file: Path, before: int) -> bool:
    """Whether there is a number above that."""
    return newest(file) > before


def test_no_sample_is_missing_or_there_twice_after_kills(ring_name: str, tmp_path: Path) -> None:
    """SIGKILL at any moment, five times; the ring has what the file has not."""
    file = tmp_path / "history.db"
    with System(ring_name, rate=500) as system:
        system.start("producer")
        for _ in range(5):
            with killed(recorder(ring_name, file)) as process:
                eventually(partial(has_more, file, newest(file)), "nothing recorded")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(random.random())  # it ends by our signal only
                process.send_signal(signal.SIGKILL)
        with killed(recorder(ring_name, file)) as process:
            eventually(partial(has_more, file, newest(file)), "nothing recorded")
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0
    found = numbers(file)
    assert found == [*range(1, len(found) + 1)]
    assert len(found) > 1000
    with contextlib.closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM gaps").fetchall() == [(0,)]
        for level_s in (1, 60, 3600):
            total = "SELECT sum(count) FROM pyramid WHERE level_s = ?"
            assert connection.execute(total, (level_s,)).fetchall() == [(len(found),)]
