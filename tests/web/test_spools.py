"""Files of answers: made once, kept for a while, within bounds."""

import os
import random
from collections.abc import AsyncGenerator, Callable, Iterator
from io import FileIO
from typing import Any, Final
from unittest import mock

import pytest
import trio
import trio.testing

from trio_mpu.errors import RequestError, RingError
from trio_mpu.metrics.counters import Metrics
from trio_mpu.web import spool as spool_module
from trio_mpu.web import spools as spools_module
from trio_mpu.web.spool import READ_BYTES, WRITE_BYTES, Spool
from trio_mpu.web.spools import KEEP_S, LOOK_S, MAX_SPOOLS, Spools

CONTENT: Final = random.Random(1).randbytes(3 * WRITE_BYTES + 12_345)


@pytest.fixture
def spools() -> Iterator[Spools]:
    """An empty cache."""
    made = Spools(Metrics())
    yield made
    made.close()


class Source:
    """What makes an answer, and counts how often."""

    def __init__(self, content: bytes = b"content", piece_bytes: int = 30_000) -> None:
        self.content, self.piece_bytes = content, piece_bytes
        self.begun = self.ended = 0
        self.error: Exception | None = None
        self.before_end: Callable[[], object] = lambda: None
        self.gate = trio.Event()
        self.gate.set()

    async def __call__(self) -> AsyncGenerator[bytes, None]:
        """Give the pieces, once the gate is open."""
        self.begun += 1
        try:
            await self.gate.wait()
            for first in range(0, len(self.content), self.piece_bytes):
                yield self.content[first : first + self.piece_bytes]
            self.before_end()
            if self.error is not None:
                raise self.error
        finally:
            self.ended += 1


def counted(spools: Spools) -> tuple[int, int]:
    """How many files were made and how many refused."""
    return spools._metrics["files_made"], spools._metrics["files_refused"]


def is_closed(spool: Spool) -> bool:
    """Whether its room was given back."""
    return spool._file is None or spool._file.closed


async def read(spool: Spool, first: int, end: int) -> bytes:
    """All bytes of a part."""
    with spool.in_use():
        return b"".join([piece async for piece in spool.read(first, end)])


async def refused(spools: Spools, key: str, make: Source) -> tuple[int, str]:
    """The status and the reason with which a file is refused."""
    with pytest.raises(RequestError) as caught:
        await spools.find(key, make)
    return caught.value.status, str(caught.value)


# -- one file ---------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, WRITE_BYTES - 1, WRITE_BYTES, len(CONTENT)])
async def test_a_file_has_the_bytes_of_its_pieces(spools: Spools, size: int) -> None:
    """All of them, and each part of them."""
    file = await spools.find("key", Source(CONTENT[:size]))
    assert file.size == size
    places = sorted({place for place in (0, 1, 65_535, 65_536, 131_072, size) if place <= size})
    for first in places:
        for end in places:
            assert await read(file, first, end) == CONTENT[first:end] * (first <= end)


async def test_a_part_comes_in_pieces_of_a_bounded_size(spools: Spools) -> None:
    """However large it is: a slow client holds no more in memory."""
    file = await spools.find("key", Source(CONTENT))
    sizes = [len(piece) async for piece in file.read(5, len(CONTENT))]
    assert {*sizes[:-1]} == {READ_BYTES}
    assert sum(sizes) == len(CONTENT) - 5


async def test_equal_bytes_have_equal_validators(spools: Spools) -> None:
    """Whoever made them, and in whatever pieces; others have another one."""
    tags = [
        (await spools.find(str(number), Source(content, piece_bytes))).etag
        for number, (content, piece_bytes) in enumerate(
            [(CONTENT, 30_000), (CONTENT, 7_777), (CONTENT + b"x", 30_000), (b"", 1)]
        )
    ]
    assert tags[0] == tags[1]
    assert len({*tags}) == 3
    assert all(tag[0] == tag[-1] == '"' and tag[1:-1].isalnum() for tag in tags)


async def test_a_kernel_that_writes_only_half_is_given_the_rest(spools: Spools) -> None:
    """As one may that is interrupted."""

    class Reluctant(FileIO):
        def write(self, data: Any) -> int:  # noqa: ANN401 - any buffer
            return super().write(data[: max(1, len(data) // 2)])

    reluctant = Reluctant(os.memfd_create("it"), "r+")
    with mock.patch("tempfile.TemporaryFile", return_value=reluctant):
        file = await spools.find("key", Source(CONTENT))
    assert await read(file, 0, len(CONTENT)) == CONTENT


async def test_the_file_has_no_name(spools: Spools, tmp_path: os.PathLike[str]) -> None:
    """So nothing is left of it, however the server ends."""
    with mock.patch("tempfile.tempdir", str(tmp_path)):
        file = await spools.find("key", Source(CONTENT))
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - it may be any path
    assert file.size == len(CONTENT)


# -- made once --------------------------------------------------------------------------


async def test_all_who_ask_for_the_same_get_one_file(spools: Spools) -> None:
    """At the same time and later."""
    source, found = Source(CONTENT), []
    source.gate = trio.Event()

    async def ask() -> None:
        found.append(await spools.find("key", source))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        assert (source.begun, len(spools)) == (1, 1)
        source.gate.set()
    await ask()
    assert len({*map(id, found)}) == 1
    assert len(found) == 6
    assert (source.begun, source.ended) == (1, 1)
    assert counted(spools) == (1, 0)


async def test_what_is_asked_for_differently_is_another_file(spools: Spools) -> None:
    """Side by side."""
    one = await spools.find("one", Source(b"one"))
    two = await spools.find("two", Source(b"two"))
    assert (await read(one, 0, 3), await read(two, 0, 3)) == (b"one", b"two")
    assert counted(spools) == (2, 0)


async def test_when_the_maker_is_cancelled_the_next_one_makes_it(spools: Spools) -> None:
    """From the beginning, in a file of its own; those who wait go on waiting."""
    source, found, scope = Source(CONTENT), [], trio.CancelScope()
    source.gate = trio.Event()

    async def ask() -> None:
        found.append(await spools.find("key", source))

    async def leave() -> None:
        with scope:
            await spools.find("key", source)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave)
        await trio.testing.wait_all_tasks_blocked()
        first = spools._entries["key"].spool
        for _ in range(3):
            nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert (source.begun, source.ended) == (2, 1)
        source.gate.set()
    assert len({*map(id, found)}) == 1
    assert found[0] is not first
    assert is_closed(first)
    assert await read(found[0], 0, len(CONTENT)) == CONTENT
    assert counted(spools) == (1, 0)


async def test_a_cancelled_maker_leaves_nothing(spools: Spools) -> None:
    """No entry, no open file, no half of a production."""
    source = Source(CONTENT)
    with trio.CancelScope() as scope:
        source.before_end = scope.cancel
        await spools.find("key", source)
    assert (len(spools), source.begun, source.ended) == (0, 1, 1)
    assert spools._dropped == []


@pytest.mark.parametrize(
    ("error", "status"),
    [(RingError("the ring is gone"), 503), (RequestError(409, "the ring"), 409)],
)
async def test_an_error_is_everybodys_who_waits(
    spools: Spools, error: Exception, status: int
) -> None:
    """They had asked for the same; but the next one who asks may be luckier."""
    source, got = Source(CONTENT), []
    source.error, source.gate = error, trio.Event()

    async def ask() -> None:
        got.append(await refused(spools, "key", source))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        file = spools._entries["key"].spool
        source.gate.set()
    assert got == [(status, str(error))] * 3
    assert source.begun == source.ended == 1
    assert is_closed(file)
    assert counted(spools) == (0, 1)
    source.error = None
    assert (await spools.find("key", source)).size == len(CONTENT)


async def test_an_error_that_nobody_foresaw_leaves_nothing(spools: Spools) -> None:
    """It ends the connection that met it."""
    source = Source(CONTENT)
    source.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await spools.find("key", source)
    assert len(spools) == 0
    assert spools._dropped == []


# -- bounds -----------------------------------------------------------------------------


async def test_a_file_that_grows_too_large_is_given_up(spools: Spools) -> None:
    """At the bound and not beyond it; the production stops."""
    with mock.patch.object(spool_module, "MAX_SPOOL_BYTES", 300_000):
        exact = await spools.find("exact", Source(CONTENT[:300_000]))
        source = Source(CONTENT)
        status, reason = await refused(spools, "key", source)
    assert exact.size == 300_000
    assert (status, reason) == (400, "the answer has more than 300000 bytes: ask for less of it")
    assert source.ended == 1
    assert len(spools) == 1
    assert counted(spools) == (1, 1)


async def test_a_full_disk_is_said_in_one_line(spools: Spools) -> None:
    """And nothing is left of the attempt."""
    source = Source(CONTENT)
    with (
        open("/dev/full", "wb", buffering=0) as full,  # noqa: ASYNC230, PTH123 - it never blocks
        mock.patch("tempfile.TemporaryFile", return_value=full),
    ):
        assert await refused(spools, "key", source) == (
            507,
            "can't keep the answer in a file: No space left on device; TMPDIR says in which folder",
        )
        assert full.closed
    assert (len(spools), source.ended) == (0, 1)
    assert counted(spools) == (0, 1)


async def test_no_folder_for_it_is_said_in_one_line(spools: Spools) -> None:
    """As in a container that may write nowhere."""
    with mock.patch("tempfile.tempdir", "/nowhere"):
        status, reason = await refused(spools, "key", Source())
    assert status == 507
    assert "No such file or directory" in reason


async def test_the_file_that_was_not_used_for_longest_makes_room(
    spools: Spools, autojump_clock: trio.testing.MockClock
) -> None:
    """There are never more than MAX_SPOOLS."""
    files = []
    for number in range(MAX_SPOOLS):
        files.append(await spools.find(str(number), Source()))
        await trio.sleep(1)
    assert await spools.find("0", Source()) is files[0]
    await trio.sleep(1)
    await spools.find("more", Source())
    assert len(spools) == MAX_SPOOLS
    assert [is_closed(file) for file in files] == [False, True, False, False]


async def test_all_files_together_have_a_bound(spools: Spools) -> None:
    """Those being made count with all that they may get."""
    with (
        mock.patch.object(spools_module, "MAX_SPOOL_BYTES", 1000),
        mock.patch.object(spools_module, "MAX_SPOOLS_BYTES", 2000),
    ):
        small = await spools.find("small", Source(b"x" * 500))
        other = await spools.find("other", Source(b"x" * 500))
        assert len(spools) == 2
        third = await spools.find("third", Source(b"x" * 500))
        assert len(spools) == 3
        await spools.find("fourth", Source(b"x"))
        assert [is_closed(file) for file in (small, other, third)] == [True, False, False]
        await spools.find("fifth", Source(b"x"))
        assert [is_closed(file) for file in (small, other, third)] == [True, True, False]


async def test_a_file_that_is_being_made_counts_with_all_that_it_may_get(spools: Spools) -> None:
    """So that it never fails because of others that were made beside it."""
    source = Source()
    source.gate = trio.Event()
    with (
        mock.patch.object(spools_module, "MAX_SPOOL_BYTES", 1000),
        mock.patch.object(spools_module, "MAX_SPOOLS_BYTES", 2000),
    ):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(spools.find, "made", source)
            await trio.testing.wait_all_tasks_blocked()
            small = await spools.find("small", Source(b"x"))
            await spools.find("other", Source(b"x"))
            source.gate.set()
    assert is_closed(small)
    assert len(spools) == 2


async def test_what_is_in_use_makes_no_room(spools: Spools) -> None:
    """Neither what is being read nor what is being made: the next one is refused, with a 503."""
    source = Source()
    source.gate = trio.Event()
    with (
        mock.patch.object(spools_module, "MAX_SPOOLS", 2),
        mock.patch.object(spools_module, "MAX_SPOOLS_BYTES", 2**60),
    ):
        file = await spools.find("read", Source())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(spools.find, "made", source)
            await trio.testing.wait_all_tasks_blocked()
            with file.in_use():
                assert spools.has_room("made")
                assert not spools.has_room("key")
                assert await refused(spools, "key", Source()) == (
                    503,
                    "other files are being made and read: try again later",
                )
            assert counted(spools) == (1, 1)
            assert spools.has_room("key")
            await spools.find("key", Source())
            source.gate.set()
    assert is_closed(file)


# -- time -------------------------------------------------------------------------------


async def test_a_file_is_kept_while_it_is_used_and_a_while_longer(
    spools: Spools, autojump_clock: trio.testing.MockClock
) -> None:
    """From the last use on; then it is made anew."""
    source = Source()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(spools.run)
        file = await spools.find("key", source)
        for _ in range(3):
            await trio.sleep(KEEP_S - 1)
            assert await spools.find("key", source) is file
        with file.in_use():
            await trio.sleep(3 * KEEP_S)
        await trio.sleep(KEEP_S - 1)
        assert not is_closed(file)
        await trio.sleep(1 + LOOK_S)
        assert len(spools) == 0
        assert source.begun == 1
        await spools.find("key", source)
        assert source.begun == 2
        nursery.cancel_scope.cancel()
    assert is_closed(file)


async def test_a_file_that_takes_long_to_make_is_kept_all_the_same(
    spools: Spools, autojump_clock: trio.testing.MockClock
) -> None:
    """Its time begins when it is complete."""
    source = Source()
    source.gate = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(spools.run)
        nursery.start_soon(spools.find, "key", source)
        await trio.sleep(2 * KEEP_S)
        source.gate.set()
        await trio.sleep(KEEP_S / 2)
        assert (len(spools), source.begun) == (1, 1)
        await spools.find("key", source)
        assert source.begun == 1
        nursery.cancel_scope.cancel()
