"""A recording that is a recorder's SQLite file."""

from collections.abc import Generator
from typing import Final

from trio_mpu.errors import DeviceError, StoreError, UsageError
from trio_mpu.iso_time import iso
from trio_mpu.record import Record
from trio_mpu.sample import Sample, checked
from trio_mpu.sensors.replay.options import Bounds
from trio_mpu.sensors.replay.rows import Played, Recorded, Row, Unreadable
from trio_mpu.store.archive import Archive, Session
from trio_mpu.store.spans import Span, between, everything, read

_FIRST: Final = "SELECT first_time_ns FROM chunks WHERE id = ?"
_LAST: Final = "SELECT last_time_ns FROM chunks WHERE id = ?"


class Stored:
    """A store that can be played, whatever its size: it is read chunk by chunk, and only there
    where its samples are within the bounds.

    `recorded` is that of the first session which is played.
    """

    in_thread = True  # one chunk is a second of samples, and a memory card may be slow

    def __init__(self, path: str, bounds: Bounds) -> None:
        """Find the samples within the bounds. Raises UsageError if there are none, and
        StoreError."""
        self._path = path
        self._bounds = bounds
        with Archive(path) as archive, archive.snapshot():
            spans = between(archive, everything(archive), *bounds)
            if not spans:
                raise _no_sample(archive)
        self.recorded = _recorded(spans[0].session)

    def rows(self) -> Generator[Played, None, None]:
        """Yield each sample that is in the file now, or why some can't be read; each call begins
        anew. What a recorder deletes before its turn is missing."""
        begins = True
        try:
            with Archive(self._path) as archive:
                # A snapshot for as long as the playing takes would let the recorder's log grow.
                with archive.snapshot():
                    spans = between(archive, everything(archive), *self._bounds)
                for span in spans:
                    for row in self._of(archive, span):
                        if isinstance(row, Row):
                            yield row._replace(begins=begins, recorded=_recorded(span.session))
                            begins = False
                        else:
                            yield row
        except StoreError as error:
            yield Unreadable(str(error), 0)

    def _of(self, archive: Archive, span: Span) -> Generator[Row | Unreadable, None, None]:
        generation = int(span.session.generation, 16)
        chunk_id = span.first_chunk_id
        while chunk_id <= span.last_chunk_id:
            found = read(archive, span, chunk_id, 1)
            if not found:
                return
            for held in found:
                if held.damage:
                    yield Unreadable(held.damage, len(held.numbers))
                for record in held.records:
                    yield self._row(record, generation)
            chunk_id = found[-1].chunk_id + 1

    def _row(self, record: Record, generation: int) -> Row | Unreadable:
        sample = Sample(record.t_ns, *record[3:12])
        try:
            # What else is missing shows in the numbers.
            return Row(record.seq, generation, checked(sample), adds=True)
        except DeviceError as error:
            return Unreadable(f"{self._path}: sample {record.seq}: {error}")


def _recorded(session: Session) -> Recorded:
    return Recorded(session.period_ns, session.source, session.chip, session.calibration)


def _no_sample(archive: Archive) -> UsageError:
    spans = everything(archive)
    if not spans:
        return UsageError("it has no samples yet")
    first, last = spans[0], spans[-1]
    ((first_ns,),) = archive.numbers(_FIRST, first.first_chunk_id)
    ((last_ns,),) = archive.numbers(_LAST, last.last_chunk_id)
    begin = iso((first_ns + first.session.correction_ns) // 1000)
    end = iso((last_ns + last.session.correction_ns) // 1000)
    return UsageError(f"it has no sample in this time: its samples are from {begin} to {end}")
