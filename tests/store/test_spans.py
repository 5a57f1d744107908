"""Finding and reading what the file has."""

import contextlib
import math
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.test_chunk import MS, ORIGIN, cut, series
from tests.store.test_database import opened, path, rows
from trio_mpu.errors import StoreError
from trio_mpu.record import Record
from trio_mpu.sample import Flag, Gap
from trio_mpu.store import spans
from trio_mpu.store.archive import Archive
from trio_mpu.store.spans import Span

__all__ = ["path"]

OTHER = ORIGIN._replace(generation="00000000000000aa")
CALIBRATED = OTHER._replace(calibration="c")


def timed(records: list[Record], start_s: int) -> list[Record]:
    """The same records, but the first one's time is `start_s`."""
    first = records[0].t_ns
    return [each._replace(time_ns=start_s * 10**9 + each.t_ns - first) for each in records]


@pytest.fixture
def archive(path: str) -> Iterator[Archive]:
    """Three sessions of two rings, 100 samples a second.

    Samples 1 to 400 and 501 to 700 from 1000 s on; then another ring's 1 to 300 from 2000 s on and,
    calibrated, 301 to 500 from 2003 s on.
    """
    with opened(path) as database:
        database.store(cut(timed(series(1, 400), 1000)))
        later = timed(series(501, 200), 1005)
        later[50] = later[50]._replace(flags=Flag.DEVICE_GAP, lost=7)
        database.store(cut(later, Gap(400, 501, 100, "lapped")))
        other = [each._replace(origin=OTHER) for each in cut(timed(series(1, 300), 2000))]
        other[0].gaps.insert(0, Gap(0, 1, None, "restart"))
        database.store(other)
        database.store(
            [each._replace(origin=CALIBRATED) for each in cut(timed(series(301, 200), 2003))]
        )
        with contextlib.closing(Archive(path)) as opened_archive:
            yield opened_archive


def numbers(archive: Archive, found: list[Span]) -> list[int]:
    """The numbers of all samples of these spans; the spans count as many."""
    seqs = [
        record.seq
        for span in found
        for held in spans.read(archive, span, span.first_chunk_id, 10**6)
        for record in held.records
    ]
    assert spans.count(archive, found) == len(seqs)
    return seqs


def places(found: list[Span]) -> list[tuple[int, ...]]:
    """Spans without their sessions."""
    return [span[1:] for span in found]


FIRST = [*range(1, 401), *range(501, 701)]
SECOND = [*range(1, 501)]


@pytest.mark.parametrize(
    ("from_s", "to_s", "expected"),
    [
        (None, None, FIRST + SECOND),
        (0, 9999, FIRST + SECOND),
        (1000, 1001, [*range(1, 101)]),
        (1000.005, 1000.025, [2, 3]),
        (1003.99, 1005, [400]),
        (1003.991, 1005, []),
        (1004, 1005.01, [501]),
        (1006.98, 2000.01, [699, 700, 1]),
        (2002.99, 2003.02, [300, 301, 302]),
        (2004.99, None, [500]),
        (2004.991, None, []),
        (None, 1000.01, [1]),
        (None, 1000, []),
        (2001, 1001, []),
    ],
)
def test_samples_are_found_by_time(
    archive: Archive, from_s: float | None, to_s: float | None, expected: list[int]
) -> None:
    """From the first one on, and without the last one."""
    from_ns = None if from_s is None else round(from_s * 10**9)
    to_ns = None if to_s is None else round(to_s * 10**9)
    assert (
        numbers(archive, spans.between(archive, spans.everything(archive), from_ns, to_ns))
        == expected
    )


@pytest.mark.parametrize("seq", [0, 1, 149, 150, 151, 399, 400, 450, 500, 501, 650, 699, 700, 800])
def test_samples_are_found_by_number(archive: Archive, seq: int) -> None:
    """Those after it, and then those of later rings."""
    found = spans.after(archive, ORIGIN.generation, seq)
    assert found is not None
    assert numbers(archive, found) == [each for each in FIRST if each > seq] + SECOND
    found = spans.after(archive, OTHER.generation, seq)
    assert found is not None
    assert numbers(archive, found) == [each for each in SECOND if each > seq]
    assert spans.after(archive, "00000000000000bb", seq) is None


@pytest.mark.parametrize(
    "samples", [0, 1, 199, 200, 201, 499, 500, 501, 700, 701, 1099, 1100, 9999]
)
def test_the_newest_are_found(archive: Archive, samples: int) -> None:
    """As many as there are; what is missing does not count."""
    found = spans.newest(archive, spans.everything(archive), samples)
    assert numbers(archive, found) == (FIRST + SECOND)[max(0, 1100 - samples) :]


@pytest.mark.parametrize("samples", [0, 1, 399, 400, 401, 599, 600, 601, 900, 1100, 9999])
def test_the_oldest_are_found(archive: Archive, samples: int) -> None:
    """As many as there are; what is missing does not count."""
    found = spans.oldest(archive, spans.everything(archive), samples)
    assert numbers(archive, found) == (FIRST + SECOND)[:samples]


def test_the_newest_without_a_gap_are_found(archive: Archive) -> None:
    """Whoever noted the gap; a new calibration is none."""
    whole = spans.everything(archive)
    assert numbers(archive, spans.without_gap(archive, whole)) == SECOND
    assert numbers(archive, spans.without_gap(archive, whole[:1])) == [*range(551, 701)]
    for to_ns, expected in ((1005_300, range(501, 531)), (1004_000, range(1, 401))):
        found = spans.without_gap(archive, spans.between(archive, whole, None, to_ns * MS))
        assert numbers(archive, found) == [*expected]
    assert numbers(archive, spans.without_gap(archive, [whole[0], whole[2]])) == [*range(301, 501)]


def test_gaps_come_with_the_sample_after_them(archive: Archive) -> None:
    """Those that the recorder found: the producer's are in the sample's own flags."""
    found = [
        (held.records[0].seq, held.gap)
        for span in spans.everything(archive)
        for held in spans.read(archive, span, span.first_chunk_id, 10**6)
        if held.gap is not None
    ]
    assert found == [(501, Gap(400, 501, 100, "lapped")), (1, Gap(0, 1, None, "restart"))]
    (span,) = spans.between(archive, spans.everything(archive), 1005_010_000_000, 1005_020_000_000)
    (held,) = spans.read(archive, span, span.first_chunk_id, 1)
    assert (held.gap, [each.seq for each in held.records]) == (None, [502])


def test_a_span_is_read_chunk_by_chunk(archive: Archive) -> None:
    """As many as have the samples that are wanted."""
    (span, *_) = spans.between(archive, spans.everything(archive), 1001_000_000_000, None)
    first = spans.read(archive, span, span.first_chunk_id, 1)
    assert [each.seq for held in first for each in held.records] == [*range(101, 151)]
    more = spans.read(archive, span, first[-1].chunk_id + 1, 151)
    assert [each.seq for held in more for each in held.records] == [*range(151, 401)]


def test_times_are_by_the_clock_as_it_was_set_last(path: str) -> None:
    """What was recorded before that is found by its right time."""
    records = timed(series(1, 200), 0)
    later = timed(series(201, 100), 5002)
    later[0] = later[0]._replace(flags=Flag.CLOCK_STEP)
    with opened(path) as database:
        database.store(cut(records))
        database.store(cut(later))
        with Archive(path) as archive:
            found = spans.between(
                archive, spans.everything(archive), 5001_000_000_000, 5002_020_000_000
            )
            assert numbers(archive, found) == [*range(101, 203)]
            (held,) = spans.read(archive, found[0], found[0].first_chunk_id, 1)
            assert held.records[0].time_ns == 5001_000_000_000


def test_what_was_deleted_is_not_there(path: str) -> None:
    """Nor are sessions of which nothing is left."""
    with opened(path) as database:
        database.store(cut(timed(series(1, 400), 1000)))
        database.store([each._replace(origin=OTHER) for each in cut(timed(series(1, 400), 2000))])
        with Archive(path) as archive:
            (before, _) = spans.everything(archive)
            database._execute("DELETE FROM chunks WHERE id <= 4")
            (span,) = spans.everything(archive)
            assert (span.after_seq, span.until_seq) == (150, 400)
            assert spans.read(archive, before, before.first_chunk_id, 1) == []
            database._execute("DELETE FROM chunks")
            assert spans.everything(archive) == []
            assert spans.after(archive, OTHER.generation, 0) is None


def test_spans_of_which_something_was_deleted_meanwhile_are_what_is_left(path: str) -> None:
    """A later question may be asked with the spans of an earlier one."""
    with opened(path) as database, contextlib.closing(Archive(path)) as archive:
        database.store(cut(timed(series(1, 400), 1000)))
        database.store([each._replace(origin=OTHER) for each in cut(timed(series(1, 400), 2000))])
        before = spans.everything(archive)
        database._execute("DELETE FROM chunks WHERE id <= 1")
        assert spans.first_time_ns(archive, before) == 1001_500_000_000
        left = spans.remaining(archive, before)
        assert places(left) == places(spans.everything(archive))
        assert numbers(archive, spans.oldest(archive, left, 100)) == [*range(151, 251)]
        database._execute("DELETE FROM chunks WHERE id <= 4")
        assert spans.first_time_ns(archive, before[:1]) is None
        left = spans.remaining(archive, before)
        assert places(left) == places(spans.everything(archive))
        for find in (spans.newest, spans.oldest):
            for samples in (1, 100, 300, 500):  # they may find too few, as a count is of what was
                found = find(archive, before, samples)
                held = [each for span in found for each in spans.read(archive, span, 0, 10**6)]
                assert all(each.records[0].seq > 150 for each in held)
        database._execute("DELETE FROM chunks")
        assert spans.remaining(archive, before) == []
        assert spans.without_gap(archive, before[1:]) == before[1:]


def test_another_rings_samples_in_a_file_that_was_replaced_are_not_taken_for_these(
    path: str,
) -> None:
    """The recorder makes a new file where it was deleted, and numbers its chunks anew."""
    with opened(path) as database, contextlib.closing(Archive(path)) as archive:
        database.store(cut(timed(series(1, 400), 1000)))
        (before,) = spans.everything(archive)
    Path(path).unlink()
    with opened(path) as database, contextlib.closing(Archive(path)) as archive:
        database.store([each._replace(origin=OTHER) for each in cut(timed(series(1, 400), 2000))])
        assert spans.read(archive, before, before.first_chunk_id, 10**6) == []


def test_a_snapshot_stays_as_it_is(path: str) -> None:
    """Whatever is written meanwhile."""
    with opened(path) as database:
        database.store(cut(timed(series(1, 100), 1000)))
        with Archive(path) as archive, archive.snapshot():
            assert len(numbers(archive, spans.everything(archive))) == 100
            database.store(cut(timed(series(101, 100), 1001)))
            assert len(numbers(archive, spans.everything(archive))) == 100


def test_a_file_that_is_not_ours_is_refused(path: str) -> None:
    """In one line, and nothing is written."""
    with pytest.raises(StoreError, match=f"can't read {path}: No such file or directory"):
        Archive(path)
    Path(path).touch()
    with pytest.raises(StoreError, match=f"{path} is empty: nothing has been recorded"):
        Archive(path)
    Path(path).write_text("my diary\n" * 100)
    with pytest.raises(StoreError, match=f"{path} is no SQLite file; choose another one"):
        Archive(path)
    Path(path).unlink()
    rows(path, "CREATE TABLE mine (n)")
    with pytest.raises(StoreError, match="is a database of another program"):
        Archive(path)
    Path(path).unlink()
    os.mkfifo(path)
    with pytest.raises(StoreError, match=f"{path} is no regular file"):
        Archive(path)
    with pytest.raises(StoreError, match=f"{Path(path).parent} is no regular file"):
        Archive(str(Path(path).parent))


def test_a_damaged_generation_is_found(path: str) -> None:
    """It is the first half of each id."""
    with opened(path) as database:
        database.store(cut(series(1, 10)))
        database._execute("UPDATE sessions SET generation = '000000000000g0ff'")
        with Archive(path) as archive, pytest.raises(StoreError, match=f"{path} is damaged"):
            archive.sessions()


def test_a_damaged_chunk_is_named(path: str) -> None:
    """With the numbers that it had; one of a later format is not taken for one of ours."""
    with opened(path) as database:
        database.store(cut(timed(series(1, 400), 1000)))
        database._execute("UPDATE chunks SET format = 9 WHERE id = 1")
        database._execute("UPDATE chunks SET data = x'00' WHERE id = 2")
        database._execute("UPDATE chunks SET data = 'text' WHERE id = 3")
        with Archive(path) as archive:
            (span,) = spans.everything(archive)
            found = spans.read(archive, span, 1, 400)
            assert [(held.numbers, held.records, held.gap) for held in found] == [
                (range(1, 151), [], None),
                (range(151, 301), [], None),
                (range(301, 401), [], None),
            ]
            wrong_format = (
                f"{path}: the chunk from sample 1 on has format 9, but this program knows"
            )
            assert found[0].damage.startswith(wrong_format)
            assert found[1].damage == f"{path}: the chunk from sample 151 on is damaged"
            assert found[2].damage == f"{path}: the chunk from sample 301 on is damaged"
            (part,) = spans.read(archive, span._replace(after_seq=200, until_seq=250), 2, 1)
            assert (part.numbers, part.records) == (range(201, 251), [])


@pytest.mark.parametrize(("after", "until"), [(0, 300), (149, 151), (150, 290), (160, 161)])
def test_times_within_a_damaged_chunk_are_estimated(path: str, after: int, until: int) -> None:
    """At a constant rate the numbers are those that the times had."""
    records = timed(series(1, 400), 1000)
    with opened(path) as database:
        database.store(cut(records))
        with Archive(path) as archive:
            whole = spans.everything(archive)
            bounds = (records[after].time_ns, records[until].time_ns)
            undamaged = spans.between(archive, whole, *bounds)
            first_ns = spans.first_time_ns(archive, whole)
            database._execute("UPDATE chunks SET data = x'00'")
            assert spans.between(archive, whole, *bounds) == undamaged
            assert places(undamaged)[0][-2:] == (after, until)
            assert spans.newest_time_ns(archive) == records[-1].time_ns
            assert spans.first_time_ns(archive, whole) == first_ns == records[0].time_ns


def test_a_chunk_with_a_bad_page_is_damaged(path: str) -> None:
    """As its own head can still be read; the others are given."""
    records = [
        record._replace(t_ns=record.t_ns // 10, ax=math.sin(record.seq), ay=math.cos(record.seq))
        for record in timed(series(1, 4000), 1000)
    ]
    with opened(path) as database:
        database.store(cut(records))
    file = Path(path)
    with Archive(path) as archive:
        ((data,),) = archive.rows("SELECT data FROM chunks WHERE id = 2")
    content = bytearray(file.read_bytes())
    # In the middle of many pages, each of which begins with the number of the next one.
    page = content.index(data[len(data) // 2 :][:32]) // 4096 * 4096
    content[page : page + 4] = b"\x7f" * 4
    file.write_bytes(content)
    with Archive(path) as archive:
        (span,) = spans.everything(archive)
        found = spans.read(archive, span, 1, 4000)
        assert [bool(held.damage) for held in found] == [False, True, False]
        assert found[1].damage == f"{path} is damaged; move the file away"
        assert found[1].numbers == range(found[0].numbers.stop, found[2].numbers.start)


def test_it_is_known_whether_the_path_leads_elsewhere(path: str) -> None:
    """A file that was removed or replaced."""
    with opened(path) as database, Archive(path) as archive:
        database.store(cut(series(1, 10)))
        assert archive.is_current()
        Path(path).rename(path + ".old")
        assert not archive.is_current()
        Path(path).touch()
        assert not archive.is_current()


def test_a_file_in_a_folder_that_is_not_ours_is_read(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a medium that can't be written, for instance."""
    with opened(path) as database:
        database.store(cut(series(1, 10)))
    monkeypatch.setattr("os.access", lambda *_: False)
    with Archive(path) as archive:
        assert numbers(archive, spans.everything(archive)) == [*range(1, 11)]
        assert archive.is_current()
        with opened(path) as database:
            database.store(cut(series(11, 10)))
            assert not archive.is_current()


def test_what_a_recorder_writes_in_a_folder_that_is_not_ours_is_read(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs as another user, and the newest samples are in its write-ahead log."""
    monkeypatch.setattr("os.access", lambda *_: False)
    with opened(path) as database:
        database.store(cut(series(1, 10)))
        with Archive(path) as archive:
            assert numbers(archive, spans.everything(archive)) == [*range(1, 11)]
            database.store(cut(series(11, 10)))
            assert numbers(archive, spans.everything(archive)) == [*range(1, 21)]
            assert archive.is_current()


def test_all_times_are_whole(archive: Archive) -> None:
    """A sanity check of the fixture."""
    assert {span.session.correction_ns % MS for span in spans.everything(archive)} == {0}


CELLS = {
    "a session's ring is a number": "UPDATE sessions SET generation = 7",
    "a session's sensor is a number": "UPDATE sessions SET source = 7",
    "a session's period is text": "UPDATE sessions SET period_ns = 'x'",
    "a session begins with text": "UPDATE sessions SET first_chunk_id = 'x' WHERE id = 2",
    "a session begins beyond the chunks": "UPDATE sessions SET first_chunk_id = 77 WHERE id = 2",
    "a first number is text": "UPDATE chunks SET first_seq = 'x'",
    "a first number is 0": "UPDATE chunks SET first_seq = 0",
    "a count is negative": "UPDATE chunks SET count = -5",
    "a count is bytes": "UPDATE chunks SET count = x'00'",
    "a chunk is of no session": "UPDATE chunks SET session_id = 99",
    "a time is text": "UPDATE chunks SET first_time_ns = 'x', last_time_ns = 'x'",
    "a time is as large as can be": "UPDATE chunks SET last_time_ns = 9223372036854775807",
    "a clock is as wrong as can be": "UPDATE sessions SET boot_offset_ns = -9223372036854775808",
    "a gap's number is text": "UPDATE gaps SET after_seq = 'x', before_seq = 'y'",
}


@pytest.mark.parametrize("what", CELLS)
def test_a_cell_that_no_recorder_writes_is_damage_and_no_traceback(path: str, what: str) -> None:
    """Whatever reads it says that the file is damaged, or does without it."""
    with opened(path) as database:
        database.store(cut(series(1, 400)))
        database.store(cut(series(500, 100), Gap(400, 500, 99, "lapped")))
        database.store([c._replace(origin=OTHER) for c in cut(series(1, 100))])
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(CELLS[what])
        connection.commit()
    for from_ns, to_ns in ((None, None), (5_500 * MS, 6_500 * MS)):
        with contextlib.suppress(StoreError), Archive(path) as archive:
            found = spans.between(archive, spans.everything(archive), from_ns, to_ns)
            for span in found:
                spans.read(archive, span, span.first_chunk_id, 10_000)
            spans.without_gap(archive, found)
            spans.newest(archive, found, 50)
            spans.first_time_ns(archive, found)
            spans.newest_time_ns(archive)
            spans.after(archive, ORIGIN.generation, 45)
