"""Recordings for tests, in the forms in which the server gives them."""

from collections.abc import Sequence

from tests.helpers.fake_devices import sample
from trio_mpu.errors import DeviceError
from trio_mpu.formats import (
    COLUMNS,
    PLAIN,
    Notation,
    Origin,
    event_id,
    row_csv,
    row_json,
    sample_json,
)
from trio_mpu.record import Record, values_of
from trio_mpu.sample import Sample
from trio_mpu.sensors.replay.objects import Lines
from trio_mpu.sensors.replay.rows import Line, row_of
from trio_mpu.sensors.replay.tables import Table

ORIGIN = Origin(0xC0FFEE, "/dev/mpu6050")
PERIOD_NS = 10**7


def records(*seqs: int) -> list[Record]:
    """What a sensor gave, one record each period; the numbers that are left out are missing."""
    return [
        Record.of(
            seq,
            1_700_000_000_000_123_000 + seq * PERIOD_NS,
            sample(seq % 1000, 5_000_000_000_001 + seq * PERIOD_NS),
        )
        for seq in seqs
    ]


def as_csv(recorded: Sequence[Record], origin: Origin = ORIGIN, notation: Notation = PLAIN) -> str:
    """What /history?format=csv answers."""
    rows = (row_csv(record, origin, notation=notation) for record in recorded)
    return "\n".join([",".join(notation.columns), *rows, ""])


def as_ndjson(
    recorded: Sequence[Record], origin: Origin = ORIGIN, notation: Notation = PLAIN
) -> str:
    """What /history?format=ndjson answers."""
    return "".join(row_json(record, origin, notation=notation) + "\n" for record in recorded)


def as_json(recorded: Sequence[Record], origin: Origin = ORIGIN) -> str:
    """What /history answers."""
    rows = ",\n".join(row_json(record, origin) for record in recorded)
    return f'{{"generation":"{origin.generation:016x}","samples":[\n{rows}\n]}}\n'


def as_events(
    recorded: Sequence[Record], origin: Origin = ORIGIN, notation: Notation = PLAIN
) -> str:
    """What /events sends, with a heartbeat, and a status at the end."""
    events = [
        f"id: {event_id(origin.generation, record.seq)}\n"
        f"data: {sample_json(record, values_of(record), origin, notation=notation)}\n\n"
        for record in recorded
    ]
    newest = sample_json(recorded[-1], values_of(recorded[-1]), origin, "stale")
    return "retry: 1000\n" + ":\n".join(events) + f"event: status\ndata: {newest}\n\n:\n"


def parsed(line: str, columns: Sequence[str] = COLUMNS) -> tuple[int, Sample]:
    """The number and the sample of one row of ours, of NDJSON or of CSV without its header, which has the columns.

    Raises DeviceError for any other text.
    """
    form: Lines | Table = Lines() if line.startswith("{") else Table(",", columns, ".")
    for found in form.read([Line(1, line)]):
        row = row_of(found, "t_ns", form.mark)
        return row.seq, row.sample
    raise DeviceError("the line is no row")
