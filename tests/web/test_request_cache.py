"""Requests that are known by their bytes."""

from trio_mpu.fanout.snapshot import Snapshot
from trio_mpu.web.request import Request
from trio_mpu.web.request_cache import MAX_REQUEST_BYTES, MAX_REQUESTS, RequestCache

NOW, LATER = Snapshot("ok", ""), Snapshot("ok", "")
REQUEST = Request("GET", "/json")


class Maker:
    """Makes answers that say how many were made."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, data: bytes, request: Request) -> bytes:
        assert request == REQUEST
        self.made += 1
        return data + b"%d" % self.made


def test_an_answer_is_made_once_for_each_sample_and_second() -> None:
    """What changes neither with the one nor with the other is not made again."""
    cache, make = RequestCache(), Maker()
    assert cache.find(b"a") is None
    cache.learn(b"a", REQUEST)
    known = cache.find(b"a")
    assert known is not None
    asked = [(NOW, 1), (NOW, 1), (LATER, 1), (LATER, 1), (LATER, 2), (NOW, 2)]
    answers = [known.answer(snapshot, second, make) for snapshot, second in asked]
    assert answers == [b"a1", b"a1", b"a2", b"a2", b"a3", b"a4"]
    assert cache.find(b"ab") is None


def test_what_is_remembered_is_bounded_in_size() -> None:
    """A longer request is parsed each time."""
    cache = RequestCache()
    cache.learn(bytes(MAX_REQUEST_BYTES + 1), REQUEST)
    assert cache.find(bytes(MAX_REQUEST_BYTES + 1)) is None
    cache.learn(bytes(MAX_REQUEST_BYTES), REQUEST)
    assert cache.find(bytes(MAX_REQUEST_BYTES)) is not None


def test_what_is_used_least_makes_room() -> None:
    """However long ago it came; the others stay."""
    cache = RequestCache()
    names = [b"%d" % number for number in range(MAX_REQUESTS)]
    for name in names:
        cache.learn(name, REQUEST)
        for _ in range(1 if name == b"7" else 3):
            assert cache.find(name)
    cache.learn(b"new", REQUEST)
    assert [name for name in names if cache.find(name) is None] == [b"7"]
    assert cache.find(b"new")


def test_what_was_popular_once_makes_room_in_the_end() -> None:
    """Counts are halved with each request that takes another's room."""
    cache = RequestCache()
    cache.learn(b"old", REQUEST)
    for _ in range(1000):
        cache.find(b"old")
    for round_ in range(12):
        for number in range(MAX_REQUESTS):
            name = b"%d-%d" % (round_, number)
            cache.learn(name, REQUEST)
            for _ in range(4):
                cache.find(name)
    assert cache.find(b"old") is None


def test_a_request_that_is_known_keeps_its_count() -> None:
    """Learning it again, from another connection, changes nothing."""
    cache = RequestCache()
    cache.learn(b"a", REQUEST)
    known = cache.find(b"a")
    cache.learn(b"a", REQUEST)
    assert cache.find(b"a") is known
