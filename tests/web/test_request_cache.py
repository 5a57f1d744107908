"""Requests that are known by their bytes."""

from trio_mpu.fanout.snapshot import Snapshot
from trio_mpu.web.request_cache import MAX_REQUEST_BYTES, MAX_REQUESTS, KnownRequest, RequestCache
from trio_mpu.web.routes import Target

NOW, LATER = Snapshot("ok", ""), Snapshot("ok", "")
TARGET = Target("/json", {})


class Maker:
    """Makes answers that tell how many were made."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, request: bytes, parsed: KnownRequest) -> bytes:
        assert parsed.target == TARGET
        self.made += 1
        return request + b"%d" % self.made


def test_an_answer_is_made_once_for_each_sample_and_second() -> None:
    """What changes neither with the one nor with the other is not made again."""
    request_cache, make = RequestCache(), Maker()
    assert request_cache.answer(b"a", NOW, 1, make) == b""
    request_cache.learn(b"a", TARGET, {})
    asked = [(NOW, 1), (NOW, 1), (LATER, 1), (LATER, 1), (LATER, 2), (NOW, 2)]
    answers = [request_cache.answer(b"a", snapshot, second, make) for snapshot, second in asked]
    assert answers == [b"a1", b"a1", b"a2", b"a2", b"a3", b"a4"]
    assert request_cache.answer(b"ab", NOW, 2, make) == b""


def test_what_is_remembered_is_bounded() -> None:
    """In number and in size; what came first stays."""
    request_cache, make = RequestCache(), Maker()
    request_cache.learn(bytes(MAX_REQUEST_BYTES + 1), TARGET, {})
    assert request_cache.answer(bytes(MAX_REQUEST_BYTES + 1), NOW, 1, make) == b""
    for number in range(MAX_REQUESTS + 1):
        request_cache.learn(b"%d" % number, TARGET, {})
    known = [bool(request_cache.answer(b"%d" % n, NOW, 1, make)) for n in range(MAX_REQUESTS + 1)]
    assert known == [True] * MAX_REQUESTS + [False]
