"""A ring → each form in which its samples can be kept → `replay:` → a ring with the same samples."""

import contextlib
import gzip
import random
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.helpers.fakes import GENERATION, FakeRecords, make_app
from tests.helpers.replies import text_of
from trio_mpu.producer.run import run_producer
from trio_mpu.record import Batch, Record, State
from trio_mpu.ring import RingReader
from trio_mpu.sample import Flag, Gap, Sample
from trio_mpu.settings import ProducerSettings
from trio_mpu.store.chunk import Origin, chunks_of
from trio_mpu.store.database import Database
from trio_mpu.wall_clock import StepWatch

LAPPED = range(151, 171)  # never in any answer
SET_AT, SET_BY_NS = 200, 3 * 10**9  # the wall clock
Facts = tuple[tuple[float, ...], int, int, int]
FLAGS = Flag.CLIPPED | Flag.INTERPOLATED_TIME | Flag.STALE_REPEAT | Flag.UNCALIBRATED


def recorded() -> list[Record]:
    """A ring's samples: any float32, uneven times, each kind of gap and flag, a clock that was set."""
    chance = random.Random(1)
    records, t_ns, offset_ns = [], 10**12, 1_700_000_000_123_456_789
    for seq in range(1, 301):
        flags, lost = 0, 0
        if seq % 50 == 0:
            flags, lost = Flag.DEVICE_GAP, seq // 50
        if seq == 120:
            flags, lost = Flag.RESTART_GAP, 17
        if seq == 171:  # the producer's, right after what was overwritten
            flags, lost = Flag.DEVICE_GAP, 4
        if seq == SET_AT:
            flags |= Flag.CLOCK_STEP
            offset_ns += SET_BY_NS
        if seq % 7 == 0:
            flags |= chance.choice([*FLAGS, Flag.SIMULATED])
        t_ns += 10**7 * (1 + lost) + chance.randint(-(10**5), 10**5)
        drawn = [chance.uniform(-bound, bound) for bound in (16, 2, 1e-3, 2000, 30, 1e-5, 70)]
        values = struct.unpack("7f", struct.pack("7f", *drawn))
        records.append(
            Record.of(
                seq, t_ns + offset_ns, Sample(t_ns, *values)._replace(flags=int(flags), lost=lost)
            )
        )
    return records


RECORDS = recorded()
KEPT = [each for each in RECORDS if each.seq not in LAPPED]


@pytest.fixture(autouse=True)
def _clock_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause of this computer between two looks at its clocks would look like a step."""
    monkeypatch.setattr(StepWatch, "has_stepped", lambda _: False)


class Holed(FakeRecords):
    """A ring that has overwritten LAPPED before they could be read."""

    async def read(self, generation: int, after: int, limit: int) -> Batch:
        await trio.lowlevel.checkpoint()
        records = [each for each in KEPT if each.seq > after][: min(limit, 512)]
        if not records:
            return Batch([], None, RECORDS[-1].seq)
        first = records[0].seq
        consecutive = [each for n, each in enumerate(records) if each.seq == first + n]
        gap = Gap(after, first, first - after - 1, "lapped") if first > after + 1 else None
        return Batch(consecutive, gap, RECORDS[-1].seq)


def float32(value: float) -> float:
    """The nearest number that the ring can hold."""
    nearest: float = struct.unpack("f", struct.pack("f", value))[0]
    return nearest


def expected(digits: int = 9) -> list[Facts]:
    """Values as they are after they were written with so many digits, time since the first, flags
    and losses of each sample. Nine digits are all of a float32."""
    found, last = list[Facts](), KEPT[0].seq - 1
    for record in KEPT:
        skipped = record.seq - last - 1
        last = record.seq
        flags = (record.flags | Flag.REPLAYED) & ~Flag.CLOCK_STEP
        flags |= Flag.DEVICE_GAP if skipped else 0
        values = tuple(float32(float(f"{value:.{digits}g}")) for value in record[3:10])
        steps = record.t_ns - KEPT[0].t_ns
        found.append((values, steps, int(flags), record.lost + skipped))
    return found


async def answered(path: str, query: dict[str, str], beginning: int) -> str:
    """What a client saves of an answer that has so many lines or events."""
    record_source = Holed()
    record_source.records = {each.seq: each for each in KEPT}
    record_source.head = RECORDS[-1].seq
    return await text_of(make_app(record_source), path, query, beginning)


async def replayed(path: Path, ring: str) -> tuple[list[Record], str, str]:
    """The records of a ring into which a recording was played, its chip and its calibration."""
    settings = ProducerSettings(device=f"replay:{path}", ring=ring, capacity=1024, attitude="off")
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda *, task_status: run_producer(settings, task_status=task_status))
        with RingReader(ring) as reader:
            # A thread that reads a store takes no virtual time, or any.
            while (await reader.header()).state is not State.STOPPED:  # noqa: ASYNC110
                await trio.sleep(1)
            header = await reader.header()
            records = (await reader.read(0)).records
            nursery.cancel_scope.cancel()
    assert header.source == f"replay:{path}"[:96]
    return records, header.chip, header.calibration


def facts(records: Sequence[Record]) -> list[Facts]:
    """The same of the ring's records as `expected` has."""
    return [(each[3:10], each.t_ns - records[0].t_ns, each.flags, each.lost) for each in records]


ROWS = len(KEPT)
FROM_THE_BEGINNING = f"{GENERATION:016x}-0"
# The path, the format, and how many lines there are to be; 0: it ends by itself.
ANSWERS = {
    "history csv": ("/history", {"format": "csv", "since": FROM_THE_BEGINNING}, 0),
    "history ndjson": ("/history", {"format": "ndjson", "since": FROM_THE_BEGINNING}, 0),
    "history json": ("/history", {"format": "json", "since": FROM_THE_BEGINNING}, 0),
    "events csv": ("/events", {"format": "csv", "last_event_id": FROM_THE_BEGINNING}, ROWS + 1),
    "events ndjson": ("/events", {"format": "ndjson", "last_event_id": FROM_THE_BEGINNING}, ROWS),
    "events": ("/events", {"last_event_id": FROM_THE_BEGINNING}, 3 * ROWS),
}
NOTATIONS = {
    "plain": dict[str, str](),
    "iso": {"iso": "1"},
    "si": {"units": "si"},
    "iso and si": {"iso": "1", "units": "si"},
}


@pytest.mark.parametrize("is_compressed", [False, True])
@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("name", ANSWERS)
async def test_a_ring_that_was_kept_as_text_is_played_into_one_that_is_equal(
    name: str,
    notation: str,
    is_compressed: bool,
    ring_name: str,
    tmp_path: Path,
    autojump_clock: MockClock,
) -> None:
    """Each time to the nanosecond, each flag, each gap once, each value as the same float32; but of
    events, in g and °/s, the seven digits that they have."""
    path, query, lines = ANSWERS[name]
    content = (await answered(path, {**query, **NOTATIONS[notation]}, lines)).encode()
    file = tmp_path / "recording"
    file.write_bytes(gzip.compress(content) if is_compressed else content)
    records, chip, calibration = await replayed(file, ring_name)
    assert facts(records) == expected(7 if name == "events" and "si" not in notation else 9)
    assert (chip, calibration) == ("recorded from fake", "")


@pytest.mark.parametrize("kind", ["csv", "ndjson"])
async def test_times_of_day_alone_are_equal_to_the_microsecond(
    kind: str, ring_name: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Without the column `t_ns`; where the clock was set, these times have that step."""
    query = {"format": kind, "units": "si", "since": FROM_THE_BEGINNING}
    text = await answered("/history", query, 0)
    if kind == "csv":
        rows = [line.split(",") for line in text.splitlines()]
        text = "".join(",".join([*row[:2], *row[3:]]) + "\n" for row in rows)
    else:
        text = text.replace('"t_ns"', '"other"')
    file = tmp_path / "recording"
    file.write_text(text)
    records, _, _ = await replayed(file, ring_name)
    for record, played, wanted in zip(KEPT, facts(records), expected(), strict=True):
        (values, step, *rest), (wanted_values, wanted_step, *wanted_rest) = played, wanted
        assert (values, rest) == (wanted_values, wanted_rest)
        assert abs(step - wanted_step - (SET_BY_NS if record.seq >= SET_AT else 0)) < 1000


async def test_a_ring_that_was_kept_in_a_store_is_played_into_one_that_is_equal(
    ring_name: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Also across two settings of the clock; its header has the calibration of the samples."""
    file = tmp_path / "history.db"
    origin = Origin(f"{GENERATION:016x}", "i2c:1", "MPU-6050", "c1", 10**7, "boot")
    with contextlib.closing(Database(str(file))) as database:
        lapped = Gap(LAPPED[0] - 1, LAPPED[-1] + 1, len(LAPPED), "lapped")
        before = [each for each in KEPT if each.seq < LAPPED[0]]
        database.store([*chunks_of(origin, before, None, 0)])
        database.store([*chunks_of(origin, KEPT[len(before) :], lapped, 0)])
    records, chip, calibration = await replayed(file, ring_name)
    assert facts(records) == expected()
    assert (chip, calibration) == ("recorded from i2c:1 (MPU-6050)", "c1")
