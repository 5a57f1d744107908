# Pure: no I/O, no clock, no waiting.
"""What each byte of the shared segment means (docs/protocol.md says the same for other languages).

The segment is one header and `capacity` records of fixed size. The record with sequence
number s lives in slot s % capacity. All numbers are in the host's byte order.

- Only the producer writes records. It fills the slot after the newest one and then moves
  `head`: no reader looks at that slot until then, so a producer killed in between leaves no
  trace.
- A reader copies, validates, then uses. The oldest record it asks for is the one after the
  slot that the producer fills next; anything older counts as lapped. Each slot that it copied
  must hold the expected sequence number, and the check (CRC-32) of what else it holds.
"""

import struct
import zlib
from collections.abc import Sequence
from math import isfinite
from typing import Any, Final

from trio_mpu.errors import RingDamaged, RingError, RingMissing
from trio_mpu.record import (
    ATTITUDE_RESETS,
    LEDGER,
    MAX_CAPACITY,
    MIN_CAPACITY,
    Header,
    Process,
    Record,
    State,
)

MAGIC: Final = int.from_bytes(b"TRIO-MPU", "little")
VERSION: Final = 2
HEADER_BYTES: Final = 1024  # 496 are used; the rest is zero and for later versions

_RECORD = struct.Struct("=Qqq7fII4f16x")
_U32 = struct.Struct("=I")
_CHECK = struct.Struct(f"={_RECORD.size}xI")
RECORD_BYTES: Final = _CHECK.size  # 96: a multiple of 8, so every number is aligned
_UNCHECKED: Final = struct.Struct("=Qqq7fII4f20x")

Buffer = memoryview | bytearray | bytes


_LEDGER_PLACES = 16
_MAX_COUNT: Final = 2**64 - 1
_TEXT_BYTES = 96

# Each field: offset and format. Who writes it: P the producer, S the semaphore's holder.
_FIELDS: Final = {
    "magic": (0, "Q"),  # P, last of all when the segment is made: 0 means not ready
    "version": (8, "I"),  # P, once
    "header_bytes": (12, "I"),  # P, once
    "record_bytes": (16, "I"),  # P, once
    "capacity": (20, "I"),  # P, once
    "generation": (24, "Q"),  # P, once: random, so that ids of two segments never meet
    "head": (32, "Q"),  # P, for each batch, as one aligned store: this publishes it
    "period_ns": (40, "Q"),  # P, at its start
    "state": (48, "I"),  # P
    "producer": (52, "=IQ"),  # P, at its start
    "holder": (64, "=I4xQ"),  # S, on taking and on giving back the semaphore
    "heartbeat_ns": (80, "Q"),  # P, once a second, CLOCK_MONOTONIC
    "started_ns": (88, "Q"),  # P, at its start, CLOCK_REALTIME
    "ledger": (96, f"{_LEDGER_PLACES}Q"),  # P, before the gaps it counts, and once a second
    "source": (224, f"{_TEXT_BYTES}s"),  # P, at its start: UTF-8, padded with NUL
    "chip": (320, f"{_TEXT_BYTES}s"),  # P, at its start: UTF-8, padded with NUL
    "calibration": (416, "60s"),  # P, at its start: UTF-8, empty while uncalibrated
    "first": (480, "Q"),  # P, once: the number of the oldest record ever written here
    "attitude_resets": (488, "Q"),  # P, with the ledger: times the attitude began anew
}
_STRUCTS: Final = {name: (offset, struct.Struct(form)) for name, (offset, form) in _FIELDS.items()}


def segment_bytes(capacity: int) -> int:
    """Return the size of a segment with room for `capacity` records."""
    return HEADER_BYTES + capacity * RECORD_BYTES


def span(first: str, end: str | None) -> slice:
    """Return where the header's bytes are from one field up to another; None: up to its end."""
    return slice(_FIELDS[first][0], _FIELDS[end][0] if end else HEADER_BYTES)


UNUSED: Final = slice(_FIELDS["attitude_resets"][0] + 8, HEADER_BYTES)  # zero


def _get(buffer: Buffer, name: str) -> tuple[Any, ...]:
    offset, packer = _STRUCTS[name]
    return packer.unpack_from(buffer, offset)


def number(buffer: Buffer, name: str) -> int:
    """Return a header field that is one number."""
    value: int = _get(buffer, name)[0]
    return value


def packed(name: str, value: int) -> bytes:
    """Return the bytes of a header field that is one number."""
    return _STRUCTS[name][1].pack(value)


def process(buffer: Buffer, name: str) -> Process:
    """Return a header field that names a process."""
    return Process(*_get(buffer, name))


def text(buffer: Buffer, name: str) -> str:
    """Return a header field that is text."""
    value: bytes = _get(buffer, name)[0]
    return value.rstrip(b"\0").decode(errors="replace")


def put(buffer: memoryview | bytearray, name: str, *values: int | bytes) -> None:
    """Set one header field; the store is not atomic (`publish` is)."""
    offset, packer = _STRUCTS[name]
    packer.pack_into(buffer, offset, *values)


def fitted(name: str, text: str) -> str:
    """Return as much of `text` as fits into a text field, cut between two characters."""
    return text.encode()[: _STRUCTS[name][1].size].decode(errors="ignore")


def put_text(buffer: memoryview | bytearray, name: str, text: str) -> None:
    """Set a text field to as much of `text` as fits."""
    put(buffer, name, fitted(name, text).encode())


def put_ledger(buffer: memoryview | bytearray, counts: dict[str, int]) -> None:
    """Set the loss ledger, and how often the attitude began anew."""
    # A predecessor's count may be anything; a number that does not fit would end the producer.
    values = [min(counts.get(name, 0), _MAX_COUNT) for name in (*LEDGER, ATTITUDE_RESETS)]
    put(buffer, ATTITUDE_RESETS, values.pop())
    put(buffer, "ledger", *values, *[0] * (_LEDGER_PLACES - len(values)))


def lay_out(buffer: memoryview | bytearray, capacity: int, generation: int) -> None:
    """Make an empty ring in a zeroed buffer. The magic number comes last: readers consider the
    segment not ready until it is there."""
    put(buffer, "version", VERSION)
    put(buffer, "header_bytes", HEADER_BYTES)
    put(buffer, "record_bytes", RECORD_BYTES)
    put(buffer, "capacity", capacity)
    put(buffer, "generation", generation)
    put(buffer, "first", 1)
    put(buffer, "magic", MAGIC)


def _is_half_made(buffer: Buffer) -> bool:
    """Return whether this is what a producer has before the magic number is there, and not
    something of another program."""
    if not len(buffer):
        return True
    if len(buffer) < HEADER_BYTES or (len(buffer) - HEADER_BYTES) % RECORD_BYTES:
        return False
    # All but `version` to `generation`, and `first`: what lay_out() writes before it.
    unwritten = ("magic", "version"), ("head", "first"), ("attitude_resets", None)
    return not any(any(buffer[span(first, end)]) for first, end in unwritten)


def check(buffer: Buffer, what: str) -> int:
    """Return the capacity of the ring in `buffer`.

    Raises RingMissing while it is being made, RingDamaged when it was one of this version, and
    RingError, with a message for each reason, when this version can't use it. `what` names it in
    the message.
    """
    size = len(buffer)
    if _is_half_made(buffer):
        raise RingMissing(f"{what} is not ready yet")
    if size < HEADER_BYTES and bytes(buffer[:12]) == struct.pack("=QI", MAGIC, VERSION):
        raise RingDamaged(f"{what} was cut to {size} bytes")
    if size < HEADER_BYTES or number(buffer, "magic") != MAGIC:
        raise RingError(f"{what} is not a ring of trio-mpu; choose another name with --ring")
    if (version := number(buffer, "version")) != VERSION:
        raise RingError(
            f"{what} is a ring of version {version}, but this program knows version {VERSION}; "
            "stop the other program and remove it, or choose another name with --ring"
        )
    sizes = (number(buffer, "header_bytes"), number(buffer, "record_bytes"))
    if sizes != (HEADER_BYTES, RECORD_BYTES):
        raise RingError(f"{what} has a header and records of {sizes} bytes; remove it")
    capacity = number(buffer, "capacity")
    if not MIN_CAPACITY <= capacity <= MAX_CAPACITY or size != segment_bytes(capacity):
        raise RingDamaged(f"{what} has {size} bytes, which does not fit {capacity} records")
    return capacity


def read_header(buffer: Buffer) -> Header:
    """Decode the header of a checked ring; call this under the semaphore."""
    state = number(buffer, "state")
    return Header(
        capacity=number(buffer, "capacity"),
        generation=number(buffer, "generation"),
        head=number(buffer, "head"),
        period_ns=number(buffer, "period_ns"),
        state=State(state) if state in State.__members__.values() else State.STOPPED,
        producer=process(buffer, "producer"),
        holder=process(buffer, "holder"),
        heartbeat_ns=number(buffer, "heartbeat_ns"),
        started_ns=number(buffer, "started_ns"),
        first=number(buffer, "first"),
        attitude_resets=number(buffer, "attitude_resets"),
        ledger=dict(zip(LEDGER, _get(buffer, "ledger"), strict=False)),
        source=text(buffer, "source"),
        chip=text(buffer, "chip"),
        calibration=text(buffer, "calibration"),
    )


def publish(buffer: memoryview | bytearray, seq: int) -> None:
    """Move `head` to the record with this number, by one aligned store.

    A killed writer leaves the old head or the new one. (`struct.pack_into` clears the bytes
    before it writes them: a writer killed in between would leave a ring without records.)
    """
    offset, packer = _STRUCTS["head"]
    with memoryview(buffer)[offset : offset + packer.size].cast("Q") as head:
        head[0] = seq


def put_record(buffer: memoryview | bytearray, capacity: int, record: Record) -> None:
    """Fill the record's slot; the caller moves `head` afterwards."""
    packed = _RECORD.pack(*record)
    low = HEADER_BYTES + record.seq % capacity * RECORD_BYTES
    buffer[low : low + RECORD_BYTES] = packed + _U32.pack(zlib.crc32(packed))


def pack_records(records: Sequence[Record]) -> bytes:
    """Return the records' bytes, one after the other and without their checks."""
    return b"".join(_UNCHECKED.pack(*record) for record in records)


def holds(buffer: Buffer, capacity: int, seq: int) -> bool:
    """Return whether the slot of this record has its number."""
    (found,) = _STRUCTS["magic"][1].unpack_from(
        buffer, HEADER_BYTES + seq % capacity * RECORD_BYTES
    )
    return bool(found == seq)


def copy_records(buffer: Buffer, capacity: int, first: int, count: int) -> bytes:
    """Copy the slots of `count` records from number `first` on, across the end if necessary."""
    start = first % capacity
    if (beyond := start + count - capacity) > 0:
        return copy_records(buffer, capacity, first, count - beyond) + copy_records(
            buffer, capacity, 0, beyond
        )
    low = HEADER_BYTES + start * RECORD_BYTES
    return bytes(buffer[low : low + count * RECORD_BYTES])


def parse_records(copied: bytes, first: int, *, checked: bool = False) -> list[Record]:
    """Decode copied slots that should hold the records from number `first` on; `checked`, with
    their checks.

    A slot that holds something else, or a value or an attitude that is no number, is left out. What
    is returned is consecutive: it begins after the damaged slots at the beginning, and ends before
    the next.
    """
    records: list[Record] = []
    for seq, fields in enumerate(_UNCHECKED.iter_unpack(copied), start=first):
        record = Record._make(fields)
        # A sum is finite if all that is added up is: these are 32-bit numbers. `flags` and `lost`,
        # which lie between the values and the attitude, are always finite.
        if (
            record.seq == seq
            and isfinite(sum(record[3:]))
            and not (checked and _is_wrong(copied, (seq - first) * RECORD_BYTES))
        ):
            records.append(record)
        elif records:
            break
    return records


def _is_wrong(copied: bytes, low: int) -> bool:
    """Return whether the check of the slot at this place is wrong."""
    found = zlib.crc32(copied[low : low + _RECORD.size])
    return bool(found != _CHECK.unpack_from(copied, low)[0])
