"""The SQLite file."""

import contextlib
import fcntl
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.fake_devices import one_line
from tests.store.test_chunk import MS, ORIGIN, cut, series
from trio_mpu.errors import StoreError
from trio_mpu.sample import Flag, Gap
from trio_mpu.store import database as module
from trio_mpu.store.archive import Archive
from trio_mpu.store.chunk import decode
from trio_mpu.store.database import Database
from trio_mpu.store.keep import Keep


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where the file is to be."""
    return str(tmp_path / "history.db")


@contextlib.contextmanager
def opened(path: str) -> Iterator[Database]:
    """A database that is closed in the end."""
    with contextlib.closing(Database(path)) as database:
        yield database


def rows(path: str, statement: str) -> list[tuple[object, ...]]:
    """What another program reads."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def refusal(path: str) -> str:
    """The line that says why a file can't be used."""
    with pytest.raises(StoreError) as caught:
        Database(path)
    return one_line(caught.value)


def test_what_was_stored_is_read_by_others_meanwhile(path: str) -> None:
    """Chunks, windows and gaps; a file that is opened again knows where it ends."""
    with opened(path) as database:
        database.store(cut(series(1, 400), Gap(0, 1, None, "restart")))
        numbers = "SELECT first_seq, count, data FROM chunks ORDER BY id"
        assert [
            record.seq
            for first, count, data in rows(path, numbers)
            for record in decode(data, first, count)  # type: ignore[arg-type]  # of a query
        ] == [*range(1, 401)]
        assert rows(path, "SELECT after_seq, before_seq, lost, reason FROM gaps") == [
            (0, 1, None, "restart")
        ]
    with opened(path) as database:
        assert database.ends == {ORIGIN.generation: 400}


def test_windows_of_several_chunks_are_one(path: str) -> None:
    """As if all their samples had come together."""
    records = series(1, 300)
    records = [record._replace(ax=float(record.seq % 7)) for record in records]
    with opened(path) as database:
        for begin in range(0, 300, 60):
            database.store(cut(records[begin : begin + 60]))
    (window,) = rows(path, "SELECT count, min_ax, mean_ax, max_ax FROM pyramid WHERE level_s = 60")
    assert window == (300, 0, pytest.approx(sum(each.ax for each in records) / 300), 6)
    assert rows(path, "SELECT sum(count) FROM pyramid WHERE level_s = 1") == [(300,)]


def test_no_row_is_stored_twice(path: str) -> None:
    """A transaction that failed after all may have been written."""
    chunks = cut(series(1, 400))
    with opened(path) as database:
        database.store(chunks[:2])
        database.store(chunks)
    assert rows(path, "SELECT sum(count), max(first_seq) FROM chunks") == [(400, 301)]
    assert rows(path, "SELECT sum(count) FROM pyramid WHERE level_s = 3600") == [(400,)]


def test_a_new_calibration_is_a_new_session(path: str) -> None:
    """And its chunks refer to that. Its times remain as they are: nobody has set the clock."""
    first, second = series(1, 100), series(101, 100)
    with opened(path) as database:
        database.store(cut(first))
        database.store(
            [chunk._replace(origin=ORIGIN._replace(calibration="c")) for chunk in cut(second)]
        )
        database.store(
            [
                chunk._replace(origin=ORIGIN._replace(calibration="c"))
                for chunk in cut(series(201, 9))
            ]
        )
    assert rows(
        path,
        "SELECT first_seq, calibration, first_chunk_id, correction_ns FROM chunks "
        "JOIN sessions ON sessions.id = session_id JOIN clocks USING (session_id)",
    ) == [(1, "", 1, 0), (101, "c", 2, 0), (201, "c", 2, 0)]


def test_times_before_the_clock_was_set_can_be_put_right(path: str) -> None:
    """In all sessions of this start of the computer, and in no other one's."""
    records = [record._replace(time_ns=record.t_ns) for record in series(1, 20)]
    later = series(21, 10)
    later[0] = later[0]._replace(flags=Flag.CLOCK_STEP)
    other = ORIGIN._replace(generation="00000000000000aa", boot_id="other")
    calibrated = ORIGIN._replace(calibration="c")
    with opened(path) as database:
        database.store([chunk._replace(origin=other) for chunk in cut(records)])
        database.store(cut(records[:10]))
        database.store([each._replace(origin=calibrated) for each in cut(records[10:])])
        database.store([each._replace(origin=calibrated) for each in cut(later)])
        database.store([each._replace(origin=calibrated) for each in cut(series(31, 10))])
    assert rows(path, "SELECT session_id, correction_ns FROM clocks ORDER BY session_id") == [
        (1, 0),
        (2, 5000 * MS),
        (3, 5000 * MS),
        (4, 0),
    ]
    assert rows(path, "SELECT session_id FROM chunks ORDER BY id") == [(1,), (2,), (3,), (4,), (4,)]


def test_a_transaction_that_fails_leaves_nothing(path: str) -> None:
    """All of a chunk or none of it; the next try writes it."""
    chunks = cut(series(1, 400))
    broken = [*chunks[:1], chunks[1]._replace(gaps=[Gap(1, 2, 3, None)])]  # type: ignore[arg-type]
    with opened(path) as database:
        with pytest.raises(StoreError, match="NOT NULL"):
            database.store(broken)
        assert database.ends == {}
        assert rows(path, "SELECT count(*) FROM chunks") == [(0,)]
        database.store(chunks)
    assert rows(path, "SELECT sum(count) FROM chunks") == [(400,)]


def test_a_full_disk_is_one_line_and_room_helps(path: str) -> None:
    """SQLite itself says that there is no room."""
    with opened(path) as database:
        database._rows("PRAGMA max_page_count = 20")
        with pytest.raises(StoreError, match=f"can't write {path}: database or disk is full"):
            database.store(cut(series(1, 20_000)))
        database._rows("PRAGMA max_page_count = 100000")
        database.store(cut(series(1, 20_000)))
    assert rows(path, "SELECT sum(count) FROM chunks") == [(20_000,)]


def test_a_foreign_file_is_refused_and_left_alone(path: str) -> None:
    """Text, another program's database, a folder."""
    Path(path).write_text("my diary\n" * 100)
    assert refusal(path) == f"{path} is no SQLite file; choose another one"
    assert Path(path).read_text() == "my diary\n" * 100
    Path(path).unlink()
    rows(path, "CREATE TABLE mine (n)")
    before = Path(path).read_bytes()
    assert refusal(path) == f"{path} is a database of another program; choose another file"
    assert Path(path).read_bytes() == before
    assert refusal("/proc") == "can't write /proc: Is a directory"
    assert refusal("/dev/null") == "/dev/null is no regular file"


def test_another_version_is_refused(path: str) -> None:
    """Its tables may mean something else."""
    Database(path).close()
    rows(path, "PRAGMA user_version = 7")
    assert "has version 7 of the tables, but this program knows version 2" in refusal(path)


def test_a_damaged_file_is_refused(path: str) -> None:
    """The newest chunk, and the tables themselves."""
    with opened(path) as database:
        database.store(cut(series(1, 400)))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE chunks SET data = x'00' WHERE id = 3")
        connection.commit()
    assert refusal(path) == (f"{path}: the chunk from sample 301 on is damaged; move the file away")
    with Path(path).open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 4000)
    assert refusal(path) == f"{path} is damaged; move the file away"


def test_only_one_recorder_has_the_file(path: str) -> None:
    """The other is refused, and the first one goes on."""
    with opened(path) as database:
        assert refusal(path) == f"another recorder writes {path}"
        database.store(cut(series(1, 100)))
    Database(path).close()


def test_a_file_that_cant_be_locked_is_refused(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some network drives have no locks."""

    def flock(fd: int, how: int) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    assert refusal(path) == f"can't lock {path}: Function not implemented"


def test_a_file_that_was_removed_or_replaced_is_noticed(path: str) -> None:
    """Otherwise all would go into a file without a name."""
    with opened(path) as database:
        Path(path).unlink()
        with pytest.raises(StoreError, match="is gone: No such file or directory"):
            database.store(cut(series(1, 100)))
        Path(path).touch()
        with pytest.raises(StoreError, match="is another file now"):
            database.store(cut(series(1, 100)))


def test_old_chunks_go_and_windows_stay(path: str) -> None:
    """By age, as the clock was set last: what was measured before it was set is not old."""
    now_ns, now_t_ns = time.time_ns(), time.monotonic_ns()
    early = [
        record._replace(t_ns=now_t_ns - 9 * 10**9 + record.t_ns, time_ns=record.t_ns)
        for record in series(1, 100)
    ]
    late = [
        record._replace(t_ns=now_t_ns + record.t_ns, time_ns=now_ns + record.t_ns)
        for record in series(101, 100)
    ]
    late[0] = late[0]._replace(flags=Flag.CLOCK_STEP)
    with opened(path) as database:
        database.store(cut(early))
        database.store(cut(late))
        assert database.prune(Keep(age_ns=60 * 10**9)) == 0
        assert database.prune(Keep(age_ns=5 * 10**9)) == 100
        assert database.prune(Keep(age_ns=5 * 10**9)) == 0
    assert rows(path, "SELECT sum(count) FROM chunks") == [(100,)]
    assert rows(path, "SELECT sum(count) FROM pyramid WHERE level_s = 60") == [(200,)]


def test_a_file_that_is_too_large_shrinks(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks go until it is small enough, then windows of a second, then of a minute."""
    monkeypatch.setattr(module, "_WAL_PAGES", 0)
    monkeypatch.setattr(module, "_PRUNE_WINDOWS", 400)
    with opened(path) as database:
        database.store(cut(series(1, 40_000)))
        assert Path(path + "-wal").stat().st_size > 200_000
        deleted = database.prune(Keep(size_bytes=400_000))
        assert 0 < deleted < 40_000
        while more := database.prune(Keep(size_bytes=400_000)):
            deleted += more
        left = 40_000 - deleted
        assert left > 10_000
        assert rows(path, "SELECT sum(count) FROM chunks") == [(left,)]
        assert database.prune(Keep(size_bytes=1)) == left
        counts = "SELECT (SELECT count(*) FROM pyramid WHERE level_s = {})"
        assert rows(path, counts.format(1)) == [(401,)]
        database.prune(Keep(size_bytes=1))
        assert rows(path, counts.format(1)) == [(1,)]
        database.prune(Keep(size_bytes=1))
        database.prune(Keep(size_bytes=1))
        database.prune(Keep(size_bytes=1))
        assert rows(path, counts.format(60)) == [(0,)]
        assert rows(path, counts.format(3600)) == [(1,)]
    assert Path(path).stat().st_size < 100_000
    with opened(path) as database:
        assert database.ends == {ORIGIN.generation: 40_000}


def test_the_newest_sample_is_known_without_its_chunk(path: str) -> None:
    """A file of which all chunks were deleted goes on where it ended."""
    with opened(path) as database:
        database.store(cut(series(1, 100)))
        assert database.prune(Keep(age_ns=1)) == 100
    with opened(path) as database:
        database.store(cut(series(51, 50)))
        assert rows(path, "SELECT count(*) FROM chunks") == [(0,)]


def test_each_generation_has_its_end(path: str) -> None:
    """Of an earlier one, too, whose last chunk is not the file's."""
    other = ORIGIN._replace(generation="00000000000000aa")
    with opened(path) as database:
        database.store(cut(series(1, 400)))
        database.store([chunk._replace(origin=other) for chunk in cut(series(1, 30))])
        assert database.ends == {ORIGIN.generation: 400, other.generation: 30}
    with opened(path) as database:
        assert database.ends == {ORIGIN.generation: 400, other.generation: 30}
        database.store(cut(series(201, 200)))
        assert rows(path, "SELECT sum(count) FROM chunks") == [(430,)]


def test_windows_that_were_not_written_are_made_again(path: str) -> None:
    """After a kill, from the chunks: each sample counts once."""
    with opened(path) as database:
        database.store(cut(series(1, 300)))
        database.prune(Keep())
        database.store(cut(series(301, 300)))
        for name in ("", "-wal"):  # what a kill leaves
            Path(path + ".killed" + name).write_bytes(Path(path + name).read_bytes())
    total = "SELECT sum(count) FROM pyramid WHERE level_s = 60"
    assert rows(path + ".killed", total) == [(300,)]
    with opened(path + ".killed") as database:
        database.store(cut(series(601, 100)))
    assert rows(path + ".killed", total) == [(700,)]
    assert rows(path, total) == [(600,)]


def test_windows_that_were_written_are_not_made_again(path: str) -> None:
    """However often the file is opened."""
    for first in (1, 101, 201):
        with opened(path) as database:
            database.store(cut(series(first, 100)))
    assert rows(path, "SELECT sum(count) FROM pyramid WHERE level_s = 60") == [(300,)]


@pytest.mark.parametrize("text", [b"FROM sessions", b"FOLLOWING", b"INTEGER PRIMARY", b"clocks"])
def test_a_damaged_statement_of_the_file_itself_is_one_line(path: str, text: bytes) -> None:
    """SQLite's message quotes it, in bytes that are no text."""
    with opened(path) as database:
        database.store(cut(series(1, 10)))
    content = Path(path).read_bytes()
    assert text in content
    Path(path).write_bytes(content.replace(text, b"\xff" + text[1:]))
    with pytest.raises(StoreError) as caught, Archive(path) as archive:
        archive.sessions()
    assert one_line(caught.value)
    with contextlib.suppress(StoreError), opened(path):
        pass
