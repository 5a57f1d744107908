"""The recorder beside producer and server, as `start` runs it."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import trio

from tests.helpers.processes import ROOT, killed
from tests.helpers.programs import (
    PATIENCE_S,
    eventually,
    free_port,
    get,
    left_behind,
    programs,
)
from tests.system.test_record import newest, numbers
from trio_mpu.ring import RingReader


@contextlib.contextmanager
def started(
    ring: str, folder: Path, *options: str, environ: dict[str, str] | None = None
) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """start.sh, called in a folder, once its page answers; and the address."""
    port = free_port()
    with said(folder).open("w") as log:
        script = subprocess.Popen(
            [str(ROOT / "start.sh"), "--device=sim", f"--port={port}", f"--ring={ring}", *options],
            cwd=folder,
            env={**os.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stderr=log,
            text=True,
        )
    with killed(script):
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: get(url + "/json")[0] == 200, "start.sh gave no sample")
        yield script, url


def said(folder: Path) -> Path:
    """Where its messages are."""
    return folder / "said.txt"


def stop(script: "subprocess.Popen[str]") -> None:
    """Press Ctrl-C."""
    begun_s = time.monotonic()
    script.send_signal(signal.SIGINT)
    assert script.wait(PATIENCE_S) == 0
    assert time.monotonic() - begun_s < 4


def head(reader: RingReader) -> int:
    """The newest number that the ring ever had."""
    return trio.run(reader.header).head


def test_every_sample_to_the_last_is_in_the_file(ring_name: str, tmp_path: Path) -> None:
    """Across a SIGKILL of the recorder, and with what the producer wrote when all were stopped."""
    file = tmp_path / "a history.db"
    options = ("--store=a history.db", "--keep=1GB", "--rate=500")
    with started(ring_name, tmp_path, *options) as (script, _), RingReader(ring_name) as reader:
        reader.bell.close()
        eventually(lambda: newest(file) > 0, "nothing recorded")
        before = programs(ring_name)
        os.kill(before["record"], signal.SIGKILL)
        eventually(lambda: programs(ring_name).keys() == before.keys(), "not started again")
        reached = newest(file)
        eventually(lambda: newest(file) > reached, "nothing recorded any more")
        assert programs(ring_name)["producer"] == before["producer"]
        stop(script)
        assert numbers(file) == [*range(1, head(reader) + 1)]
    text = said(tmp_path).read_text()
    assert "start: record was killed by SIGKILL; starting it again in 0.5 s" in text
    assert "did not stop in time" not in text
    assert left_behind(ring_name) == []
    assert programs(ring_name) == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == [file.name, "said.txt"]


def test_another_programs_file_takes_the_page_from_nobody(ring_name: str, tmp_path: Path) -> None:
    """One line, and nothing is written to it; when it is away, the recorder begins."""
    file = tmp_path / "history.db"
    file.write_bytes(b"a letter to grandmother\n" * 100)
    with started(ring_name, tmp_path, f"--store={file}") as (script, url):
        text = said(tmp_path)
        eventually(lambda: "choose another one" in text.read_text(), "no complaint")
        before = programs(ring_name)
        file.rename(tmp_path / "letter.txt")
        eventually(lambda: newest(file) > 0, "nothing recorded")
        assert programs(ring_name) == before
        assert get(url + "/healthz")[0] == 200
        stop(script)
    assert numbers(file)[0] == 1
    assert (tmp_path / "letter.txt").read_bytes() == b"a letter to grandmother\n" * 100
    (line,) = [line for line in text.read_text().splitlines() if "history.db is" in line]
    assert "no SQLite file; choose another one; trying again every 5 s" in line


def test_file_and_bound_can_come_from_the_environment(ring_name: str, tmp_path: Path) -> None:
    """`~` is home there too, although no shell has expanded it."""
    environ = {"HOME": str(tmp_path), "TRIO_MPU_STORE": "~/h.db", "TRIO_MPU_KEEP": "1GB,30d"}
    with started(ring_name, tmp_path, environ=environ) as (script, _):
        eventually(lambda: newest(tmp_path / "h.db") > 0, "nothing recorded")
        stop(script)


def test_what_could_not_be_written_is_recorded_at_the_next_start(
    ring_name: str, tmp_path: Path
) -> None:
    """The ring stays for that, with all numbers; and is removed when all is in the file."""
    file = tmp_path / "history.db"
    file.mkdir()
    with (
        started(ring_name, tmp_path, f"--store={file}") as (script, _),
        RingReader(ring_name) as reader,
    ):
        reader.bell.close()
        eventually(lambda: "trying again" in said(tmp_path).read_text(), "no complaint")
        stop(script)
        reached = head(reader)
    assert f"ring {ring_name} stays" in said(tmp_path).read_text()
    file.rmdir()
    with started(ring_name, tmp_path, f"--store={file}") as (script, _):
        eventually(lambda: newest(file) > reached, "nothing recorded")
        stop(script)
    kept = numbers(file)
    assert kept == [*range(1, kept[-1] + 1)]
    assert left_behind(ring_name) == []
