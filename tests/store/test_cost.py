"""Questions about a long file cost hardly more than those about a short one."""

import contextlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.store.test_chunk import MS, ORIGIN, cut, series
from tests.store.test_database import opened
from trio_mpu.sample import Flag
from trio_mpu.store import schema, spans, summary
from trio_mpu.store.archive import Archive

SHORT, LONG = 100, 1600  # chunks
STEP_NS = 60_000 * MS  # a chunk for each sample, and a window of each level but the last
SLOW = ORIGIN._replace(generation="00000000000000aa", boot_id="slow")

Question = Callable[[Archive], object]


def middle(archive: Archive) -> tuple[str, int, int]:
    """Generation and number of a sample in the middle of the file, and its time."""
    span = max(spans.everything(archive), key=lambda span: span.until_seq)
    seq = span.until_seq // 2
    return span.session.generation, seq, seq * STEP_NS + 5000 * MS


def about_all(name: str, *values: object) -> Question:
    """A question about all spans."""
    return lambda archive: getattr(spans, name)(archive, spans.everything(archive), *values)


def unsettled(archive: Archive) -> object:
    """What a recorder reads when it opens the file."""
    return archive.rows(schema.UNSETTLED, *archive.rows(schema.SETTLED)[0])


QUESTIONS: dict[str, Question] = {
    "everything": spans.everything,
    "newest_time_ns": spans.newest_time_ns,
    "first_time_ns": about_all("first_time_ns"),
    "count": about_all("count"),
    "newest": about_all("newest", 50),
    "oldest": about_all("oldest", 50),
    "without_gap": about_all("without_gap"),
    "after": lambda archive: spans.after(archive, *middle(archive)[:2]),
    "between": lambda archive: about_all("between", middle(archive)[2], None)(archive),
    "oldest_ns": summary.oldest_ns,
    "unsettled": unsettled,
    "oldest_chunks": lambda archive: archive.rows(schema.OLDEST, 50),
    "level_for": lambda archive: summary.level_for(archive, 10**9, 0, 10**12),
}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A short file and a long one. At their ends, a clock was slow and then set."""
    folder = tmp_path_factory.mktemp("archives")
    files = {}
    for chunks in (SHORT, LONG):
        files[chunks] = folder / f"{chunks}.db"
        with opened(str(files[chunks])) as database:
            database.store(cut(series(1, chunks, STEP_NS)))
            begin_ns = (chunks + 2) * STEP_NS
            slow = [each._replace(time_ns=each.t_ns + begin_ns) for each in series(1, 10, STEP_NS)]
            slow[5:] = [each._replace(time_ns=each.time_ns + 10**12) for each in slow[5:]]
            slow[5] = slow[5]._replace(flags=Flag.CLOCK_STEP)
            database.store([each._replace(origin=SLOW) for each in cut(slow)])
    return files


def steps(file: Path, question: Question) -> int:
    """How many tens of steps SQLite's machine takes for the answer."""
    counted = list[int]()
    with contextlib.closing(Archive(str(file))) as archive:
        archive._connection.set_progress_handler(partial(counted.append, 1), 10)
        question(archive)
    return len(counted)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_about_a_long_file_costs_hardly_more(
    archives: dict[int, Path], name: str
) -> None:
    """Sixteen times the chunks; twice the steps are allowed, for halving."""
    few, many = (steps(archives[chunks], QUESTIONS[name]) for chunks in (SHORT, LONG))
    assert 0 < many < 2 * few
