"""Recordings that gzip has compressed."""

import bz2
import gzip
import io
import itertools
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from trio.testing import MockClock

from tests.helpers.recordings import as_csv, records
from tests.sensors.replay.test_files_of_others import (
    PLAYED,
    WHOLE,
    facts,
    play,
    refusal,
    written,
)
from trio_mpu.errors import DeviceError, UsageError
from trio_mpu.sensors.replay import text as text_module
from trio_mpu.sensors.replay.compressed import MAX_TIMES, Unpacked
from trio_mpu.sensors.replay.device import Replay
from trio_mpu.sensors.replay.options import Options
from trio_mpu.sensors.replay.text import SQLITE

CUT = "its end: its compressed data ends too early: the file was cut"
DAMAGED = "its end: its compressed data is damaged"
LONG = as_csv(records(*range(1, 3000)))


@pytest.mark.parametrize("name", [name for name in PLAYED if "twice (cat)" not in name])
async def test_each_form_is_played_compressed_as_it_is_plain(
    name: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Encodings, separators and JSON in any layout too."""
    content = PLAYED[name]
    whole = content if isinstance(content, bytes) else content.encode()
    samples, errors = await play(written(tmp_path / "recording", gzip.compress(whole)))
    assert errors == []
    assert facts(samples) == WHOLE


async def test_several_members_are_one_file(tmp_path: Path, autojump_clock: MockClock) -> None:
    """As cat(1) joins them, wherever a row is cut in two."""
    half = len(LONG) // 2
    packed = gzip.compress(LONG[:half].encode()) + gzip.compress(LONG[half:].encode())
    samples, errors = await play(written(tmp_path / "recording", packed))
    assert (len(samples), errors) == (2999, [])


def flipped(packed: bytes, place: int) -> bytes:
    return packed[:place] + bytes([packed[place] ^ 0xFF]) + packed[place + 1 :]


@pytest.mark.parametrize(
    ("damage", "problem", "least"),
    [
        (lambda packed: packed[: len(packed) // 2], CUT, 1400),
        (lambda packed: packed[:-8], CUT, 2999),
        (lambda packed: packed[:-1], CUT, 2999),
        (lambda packed: flipped(packed, len(packed) - 6), DAMAGED, 2999),  # of the sum
        (lambda packed: packed + b"garbage behind it", DAMAGED, 2999),
        (lambda packed: packed[: len(packed) // 2] + b"\xff" * 100, DAMAGED, 1300),
    ],
)
async def test_what_can_be_unpacked_is_played_and_the_end_is_a_bad_row(
    damage: Callable[[bytes], bytes],
    problem: str,
    least: int,
    tmp_path: Path,
    autojump_clock: MockClock,
) -> None:
    """Every sample before the damage, each as it was measured, and one error more."""
    path = written(tmp_path / "recording", damage(gzip.compress(LONG.encode())))
    samples, errors = await play(path)
    assert errors[-1] == f"{path}: {problem}"
    assert len(errors) <= 2  # the row that was cut
    assert len(samples) >= least
    assert [round(taken.ax * 1024) for taken in samples] == [
        seq % 1000 for seq in range(1, len(samples) + 1)
    ]


@pytest.mark.parametrize("name", ["our CSV", "our JSON", "our /events", "jq . of our JSON"])
async def test_wherever_a_file_is_cut_it_is_played_or_refused(
    name: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """In one line each, and no sample is another than what was recorded."""
    content = PLAYED[name]
    assert isinstance(content, str)
    packed = gzip.compress(content.encode())
    played = 0
    for cut in range(2, len(packed), 7):
        path = written(tmp_path / "recording", packed[:cut])
        try:
            samples, errors = await play(path)
        except UsageError:
            refusal(path)
            continue
        assert errors
        assert facts(samples) == WHOLE[: len(samples)]
        played += 1
    assert played


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x1f\x8b", "its compressed data ends too early: the file was cut"),
        (b"\x1f\x8b\x08" + bytes(100), "its compressed data is damaged"),
        (gzip.compress(b""), "it is empty"),
        (gzip.compress(gzip.compress(b"x")), "it is not text"),
        (gzip.compress(SQLITE + bytes(100)), "it is a compressed database: unpack it with gunzip"),
        (gzip.compress(b"PK\x03\x04"), "save it as CSV"),
        (gzip.compress(bytes(1000)), "it is not text"),
        (bz2.compress(b"x"), "it is not text"),
    ],
    ids=itertools.count(),
)
async def test_everything_else_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    """As it is when it is not compressed."""
    assert reason in refusal(written(tmp_path / "recording", content))


async def test_a_large_document_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what it is when it is unpacked."""
    monkeypatch.setattr(text_module, "MAX_DOCUMENT_BYTES", 2_000_000)
    filler = "".join(f'{{"{n}": {zlib.crc32(str(n).encode())}}}, ' for n in range(100_000))
    packed = gzip.compress(b"[\n" + filler.encode(), 1)
    assert len(packed) < 2_000_000 < len(filler)
    assert "more than 2 MB of JSON" in refusal(written(tmp_path / "recording", packed))


async def test_what_unpacks_to_very_much_ends_early(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Memory and time are bounded by the size of the file."""
    bomb = gzip.compress(LONG.encode() + b" " * 5_000_000)
    path = written(tmp_path / "recording", bomb)
    samples, errors = await play(path)
    assert len(samples) == 2999
    assert errors[-1].endswith(
        f"its compressed data unpacks to more than {MAX_TIMES} times its size"
    )
    assert len(errors) == 1
    with io.BufferedReader(Unpacked(path)) as file:
        assert len(file.read()) <= MAX_TIMES * len(bomb)


async def test_rows_before_a_bad_end_are_played_in_each_round(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The damage is found anew."""

    packed = gzip.compress(as_csv(records(1, 2, 3)).encode())[:-4]
    player = Replay(Options(str(written(tmp_path / "recording", packed)), loop=True))
    for _ in range(3):
        for seq in (1, 2, 3):
            [taken] = await player.read()
            assert round(taken.ax * 1024) == seq
        with pytest.raises(DeviceError, match="ends too early"):
            await player.read()
    await player.aclose()
