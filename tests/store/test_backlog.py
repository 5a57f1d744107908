"""What waits to be written."""

import pytest

from tests.store.test_chunk import cut, series
from trio_mpu.store import backlog
from trio_mpu.store.backlog import Backlog


def test_chunks_leave_in_order_once_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that failed finds them again."""
    monkeypatch.setattr(backlog, "MAX_CHUNKS_A_WRITE", 2)
    chunks = cut(series(1, 400))
    waiting = Backlog()
    waiting.add(chunks)
    assert waiting.samples() == 400
    assert waiting.oldest() == waiting.oldest() == chunks[:2]
    waiting.written(2)
    assert waiting.oldest() == chunks[2:]
    assert waiting.samples() == 100


def test_it_is_full_by_bytes_and_has_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many samples these are."""
    chunks = cut(series(1, 200))
    monkeypatch.setattr(backlog, "MAX_BYTES", len(chunks[0].data) + 1)
    waiting = Backlog()
    waiting.add(chunks[:1])
    assert not waiting.is_full()
    waiting.add(chunks[1:])
    assert waiting.is_full()
    waiting.written(1)
    assert not waiting.is_full()
