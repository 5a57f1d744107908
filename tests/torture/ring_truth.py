"""All that a ring ever had, and whether a recorder's file has it."""

import zlib
from array import array
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import trio

from tests.helpers.stored import Stored, StoredGap
from trio_mpu.record import Record
from trio_mpu.ring import RingReader
from trio_mpu.shm.layout import pack_records

LOOK_S = 0.1  # far less than the ring holds


class Rows:
    """The checksums of consecutive records of one generation."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.sums = array("L")

    @property
    def last(self) -> int:
        """The newest number."""
        return self.first + len(self.sums) - 1


class RingTruth:
    """Follows a ring and keeps a checksum of each record."""

    def __init__(self, ring: str) -> None:
        self.generations: dict[str, Rows] = {}
        self.missed = 0  # by this reader: then there is no truth
        self._ring = ring

    @property
    def samples(self) -> int:
        """How many records the ring has had."""
        return sum(len(rows.sums) for rows in self.generations.values())

    async def run(self, stop: trio.Event) -> None:
        """Follow the ring to the end that it has when `stop` is set."""
        with RingReader(self._ring) as reader:
            reader.bell.close()  # nobody need ring it
            generation = f"{reader.generation:016x}"
            after, is_last = 0, False
            while True:
                batch = await reader.read(after)
                self.missed += batch.gap.lost or 0 if batch.gap and after else 0
                for record in batch.records:
                    self._add(generation, record)
                    after = record.seq
                if batch.records:
                    continue
                if is_last:
                    return
                is_last = stop.is_set()
                with trio.move_on_after(LOOK_S):
                    await stop.wait()

    def _add(self, generation: str, record: Record) -> None:
        rows = self.generations.setdefault(generation, Rows(record.seq))
        rows.sums.append(checksum(record))


class Comparison(NamedTuple):
    """What a file has of a ring's records. `complaints` is empty if all is there or in a gap."""

    rows: int
    missing: int  # and told
    gaps: dict[str, int]  # by reason
    complaints: list[str]


def checksum(record: Record) -> int:
    """Return a number that is another one if a byte of the record is."""
    return zlib.crc32(pack_records([record]))


def compare(truth: RingTruth, stored: Stored) -> Comparison:
    """Look for each record of the ring in the file."""
    complaints, rows, missing = list[str](), 0, 0
    gaps = stored.gaps()
    reached = dict[str, int]()  # the newest number of each generation in the file
    for generation, record in stored.records():
        rows += 1
        had = truth.generations.get(generation)
        after = reached.get(generation, had.first - 1 if had else 0)
        if had is None or not had.first <= record.seq <= had.last:
            complaints.append(f"{generation}-{record.seq} was never in the ring")
        elif had.sums[record.seq - had.first] != checksum(record):
            complaints.append(f"{generation}-{record.seq} is not what the ring had")
        elif record.seq <= after:
            complaints.append(f"{generation}-{record.seq} comes after {after}")
        elif record.seq > after + 1:
            missing += record.seq - after - 1
            complaints += _wrong_gap(gaps, generation, after, record.seq)
        reached[generation] = record.seq
    for generation, had in truth.generations.items():
        if reached.get(generation) != had.last:
            complaints.append(f"{generation} ends with {reached.get(generation)}, not {had.last}")
    complaints += _untrue(gaps, missing)
    return Comparison(rows, missing, dict(Counter(gap.reason for gap in gaps)), complaints)


def _wrong_gap(gaps: list[StoredGap], generation: str, after: int, before: int) -> Iterator[str]:
    """What is wrong with the gaps that report these missing records."""
    lost = before - after - 1
    told = [gap for gap in gaps if gap[:3] == (generation, after, before)]
    if [gap.lost for gap in told] != [lost]:
        yield f"{lost} are missing before {generation}-{before}, told: {told}"


def _untrue(gaps: list[StoredGap], missing: int) -> Iterator[str]:
    """A complaint if more is reported missing than is."""
    told = sum(gap.lost or 0 for gap in gaps if gap.reason in ("lapped", "store"))
    if told != missing:
        yield f"{told} are reported missing, but {missing} are"
