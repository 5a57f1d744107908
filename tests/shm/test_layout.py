"""What each byte of the segment means, on plain byte arrays."""

import math
import struct
import sys
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.helpers.fake_devices import one_line, sample
from tests.helpers.version_1 import version_1
from trio_mpu.errors import RingDamaged, RingError, RingMissing
from trio_mpu.record import (
    LEDGER,
    MAX_CAPACITY,
    MIN_CAPACITY,
    NOBODY,
    Header,
    Process,
    Record,
    State,
    oldest_seq,
)
from trio_mpu.shm import layout
from trio_mpu.shm.layout import HEADER_BYTES, RECORD_BYTES

WIDTHS = {"I": 4, "Q": 8, "=IQ": 12, "=I4xQ": 16, "16Q": 128, "96s": 96, "60s": 60}


def ring(capacity: int = 8, head: int = 0) -> bytearray:
    """A ring that holds all records up to `head` that it can."""
    buffer = bytearray(layout.segment_bytes(capacity))
    layout.lay_out(buffer, capacity, 0x0123456789ABCDEF)
    for seq in range(max(1, head - capacity + 1), head + 1):
        layout.put_record(buffer, capacity, record(seq))
    layout.put(buffer, "head", head)
    return buffer


def record(seq: int) -> Record:
    """A record that is different for each number."""
    return Record.of(seq, 10**18 + seq, sample(seq % 1000, 10**9 + seq, flags=3, lost=seq % 7))


# -- the header ---------------------------------------------------------------------------------


def test_no_two_fields_share_a_byte_and_all_fit() -> None:
    """The fields lie one after the other, up to byte 496 of the header's 1,024."""
    end = 0
    for offset, form in layout._FIELDS.values():
        assert struct.calcsize(form) == WIDTHS[form]
        assert offset >= end
        end = offset + WIDTHS[form]
    assert end == 496 <= HEADER_BYTES


def test_every_number_is_aligned() -> None:
    """A number lies at a multiple of its size, so that it is read and written as a whole."""
    for offset, form in layout._FIELDS.values():
        if form.endswith("Q"):
            last = offset + WIDTHS[form] - 8
            assert last % 8 == 0
        if form.lstrip("=").startswith("I"):
            assert offset % 4 == 0
    assert HEADER_BYTES % 8 == RECORD_BYTES % 8 == 0
    assert RECORD_BYTES == 96


@pytest.mark.skipif(sys.byteorder != "little", reason="the bytes are given for little-endian")
def test_the_exact_bytes_of_a_header() -> None:
    """A header, written field by field, has these bytes and no others."""
    buffer = ring(capacity=8)
    layout.put(buffer, "head", 0x1122334455667788)
    layout.put(buffer, "period_ns", 10**7)
    layout.put(buffer, "state", State.RUNNING)
    layout.put(buffer, "producer", 4711, 0x99)
    layout.put(buffer, "holder", 4712, 0xAA)
    layout.put(buffer, "heartbeat_ns", 5)
    layout.put(buffer, "started_ns", 6)
    layout.put_ledger(buffer, {name: number for number, name in enumerate(LEDGER, start=1)})
    layout.put_text(buffer, "source", "/dev/mpu6050")
    layout.put_text(buffer, "chip", "MPU-6050 °")
    layout.put_text(buffer, "calibration", "none")
    layout.put(buffer, "attitude_resets", 7)
    assert buffer[:HEADER_BYTES] == (
        b"TRIO-MPU"
        + bytes.fromhex("02000000 00040000 60000000 08000000")
        + bytes.fromhex("efcdab8967452301 8877665544332211 8096980000000000")
        + bytes.fromhex("01000000 67120000 9900000000000000")
        + bytes.fromhex("68120000 00000000 aa00000000000000")
        + bytes.fromhex("0500000000000000 0600000000000000")
        + bytes.fromhex("0100000000000000 0200000000000000 0300000000000000")
        + bytes.fromhex("0400000000000000 0500000000000000 0600000000000000")
        + bytes.fromhex("0700000000000000 0800000000000000 0900000000000000")
        + bytes.fromhex("0a00000000000000 0b00000000000000")
        + bytes(40)
        + b"/dev/mpu6050".ljust(96, b"\0")
        + "MPU-6050 °".encode().ljust(96, b"\0")
        + b"none".ljust(64, b"\0")
        + bytes.fromhex("0100000000000000 0700000000000000")
        + bytes(528)
    )


def test_what_is_written_into_the_header_is_read_from_it() -> None:
    """Every field comes back through `read_header`."""
    buffer = ring(capacity=8, head=3)
    layout.put(buffer, "period_ns", 10**7)
    layout.put(buffer, "state", State.RUNNING)
    layout.put(buffer, "producer", 1, 2)
    layout.put(buffer, "holder", 3, 4)
    layout.put(buffer, "heartbeat_ns", 5)
    layout.put(buffer, "started_ns", 6)
    layout.put_ledger(buffer, {"device_lost": 7})
    layout.put_text(buffer, "source", "sim:seed=1")
    layout.put_text(buffer, "chip", "c")
    layout.put_text(buffer, "calibration", "d")
    layout.put(buffer, "first", 2)
    layout.put(buffer, "attitude_resets", 8)
    assert layout.read_header(buffer) == Header(
        capacity=8,
        generation=0x0123456789ABCDEF,
        head=3,
        period_ns=10**7,
        state=State.RUNNING,
        producer=Process(1, 2),
        holder=Process(3, 4),
        heartbeat_ns=5,
        started_ns=6,
        ledger={**dict.fromkeys(LEDGER, 0), "device_lost": 7},
        first=2,
        attitude_resets=8,
        source="sim:seed=1",
        chip="c",
        calibration="d",
    )
    assert layout.process(buffer, "producer") == Process(1, 2)
    assert layout.number(buffer, "head") == 3
    assert layout.text(buffer, "source") == "sim:seed=1"


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_publishing_moves_the_head_and_nothing_else(before: int, after: int) -> None:
    """The one field that readers rely on is set whole, and no other byte changes."""
    buffer, expected = ring(), ring()
    layout.put(buffer, "head", before)
    layout.put(expected, "head", after)
    layout.publish(memoryview(buffer), after)
    assert buffer == expected
    assert layout.number(buffer, "head") == after


def test_an_empty_ring_has_an_empty_header() -> None:
    """Right after it was laid out, a ring is starting, belongs to nobody and has lost nothing."""
    header = layout.read_header(ring())
    assert header.state is State.STARTING
    assert header.producer == header.holder == NOBODY
    assert (header.head, header.source, set(header.ledger.values())) == (0, "", {0})
    assert (header.first, header.attitude_resets) == (1, 0)


def test_an_unknown_state_of_a_later_version_counts_as_stopped() -> None:
    """A number that is no state is not an error."""
    buffer = ring()
    layout.put(buffer, "state", 99)
    assert layout.read_header(buffer).state is State.STOPPED


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
@example("x" * 95 + "é")
@example("x" * 94 + "°C")
@example("x" * 93 + "\U0001f600")
def test_a_text_is_cut_at_a_characters_boundary(text: str) -> None:
    """A field holds as much of a text as has room, in whole characters, and `fitted` says what."""
    buffer = ring()
    layout.put_text(buffer, "source", "x" * 200)
    layout.put_text(buffer, "source", text)
    kept = layout.text(buffer, "source")
    assert kept == layout.fitted("source", text)
    assert text.startswith(kept)
    assert kept == text or len((kept + text[len(kept)]).encode()) > 96
    assert buffer[320:HEADER_BYTES] == ring()[320:HEADER_BYTES]


def test_text_that_is_not_utf_8_is_shown_and_no_error() -> None:
    """Whatever another program wrote there can be read."""
    buffer = ring()
    layout.put(buffer, "source", b"\xff/dev")
    assert layout.text(buffer, "source") == "\ufffd/dev"


# -- is it a ring? ------------------------------------------------------------------------------


def test_a_ring_is_accepted_with_its_capacity() -> None:
    """check() returns the capacity of what lay_out() made, the smallest and a larger one."""
    for capacity in (MIN_CAPACITY, 1000):
        assert layout.check(ring(capacity), "it") == capacity


def test_until_the_magic_number_is_there_a_ring_is_not_ready() -> None:
    """Nothing but the last store of lay_out() makes a ring of the bytes."""
    buffer = ring()
    layout.put(buffer, "magic", 0)
    for unready in (b"", bytes(HEADER_BYTES), buffer):
        with pytest.raises(RingMissing, match="it is not ready yet"):
            layout.check(unready, "it")


class Killed(BaseException):
    """Ends a producer between two stores."""


@pytest.mark.parametrize("stores", range(7))
def test_a_producer_killed_while_it_lays_out_a_ring_leaves_one_that_is_not_ready(
    monkeypatch: pytest.MonkeyPatch, stores: int
) -> None:
    """After each of its stores but the last, so that the next producer makes the ring anew."""
    put = layout.put
    made: list[str] = []

    def mortal(buffer: bytearray, name: str, *values: int) -> None:
        if len(made) == stores:
            raise Killed
        put(buffer, name, *values)
        made.append(name)

    monkeypatch.setattr(layout, "put", mortal)
    buffer = bytearray(layout.segment_bytes(4))
    with pytest.raises(Killed):
        layout.lay_out(buffer, 4, 2**63 - 1)
    assert "magic" not in made
    with pytest.raises(RingMissing, match="it is not ready yet"):
        layout.check(buffer, "it")


HALF_MADE: Final = (*range(8, 32), *range(480, 488))


@given(st.integers(0, HEADER_BYTES - 1), st.integers(1, 255))
@example(7, 1)
@example(8, 1)
@example(32, 1)
@example(479, 1)
@example(480, 1)
@example(487, 255)
@example(488, 1)
def test_only_what_is_written_before_the_magic_number_may_be_half_made(
    place: int, value: int
) -> None:
    """Any other byte that is not zero is another program's, whose segment is left alone."""
    buffer = bytearray(layout.segment_bytes(4))
    buffer[place] = value
    with pytest.raises(RingError) as caught:
        layout.check(buffer, "it")
    assert (type(caught.value) is RingMissing) == (place in HALF_MADE)


def test_a_ring_of_version_1_is_refused_by_both_versions() -> None:
    """The versions come before the sizes, which are others as well."""
    for capacity in (4, 5, 6):
        with pytest.raises(RingError) as caught:
            layout.check(version_1(capacity), "it")
        assert one_line(caught.value) == (
            "it is a ring of version 1, but this program knows version 2; "
            "stop the other program and remove it, or choose another name with --ring"
        )


def test_each_fault_of_a_segment_has_its_own_error() -> None:
    """Each fault of a segment has its own message, one line that begins with its name."""
    faults: list[tuple[str, int]] = [
        ("magic", layout.MAGIC + 1),
        ("version", layout.VERSION + 1),
        ("header_bytes", 512),
        ("record_bytes", 72),
        ("capacity", 9),
    ]
    messages = set()
    for name, value in faults:
        buffer = ring()
        layout.put(buffer, name, value)
        with pytest.raises(RingError) as caught:
            layout.check(buffer, "/dev/shm/it")
        assert type(caught.value) is (RingDamaged if name == "capacity" else RingError)
        assert one_line(caught.value).startswith("/dev/shm/it ")
        messages.add(str(caught.value))
    assert len(messages) == len(faults)


@pytest.mark.parametrize("capacity", [0, 1, MAX_CAPACITY + 1])
def test_a_capacity_out_of_bounds_is_refused(capacity: int) -> None:
    """Even when the segment has just that size."""
    buffer = bytearray(layout.segment_bytes(min(capacity, 4)))
    layout.lay_out(buffer, capacity, 1)
    with pytest.raises(RingError, match=f"does not fit {capacity} records"):
        layout.check(buffer, "it")


@pytest.mark.parametrize("change", [-1, 1, RECORD_BYTES])
def test_a_segment_of_the_wrong_size_is_refused(change: int) -> None:
    """Larger is as wrong as smaller: its bytes would be looked for in the wrong places."""
    buffer = ring() + bytearray(RECORD_BYTES)
    with pytest.raises(RingError, match="does not fit 8 records"):
        layout.check(buffer[: layout.segment_bytes(8) + change], "it")


@pytest.mark.parametrize("size", [12, 100, HEADER_BYTES - 1])
def test_a_ring_that_was_cut_short_is_damaged(size: int) -> None:
    """As long as it still says that it was one."""
    with pytest.raises(RingDamaged, match=f"^it was cut to {size} bytes$"):
        layout.check(ring()[:size], "it")
    for other in (ring()[:11], b"\1" * size):
        with pytest.raises(RingError, match="is not a ring"):
            layout.check(other, "it")


@given(st.binary(min_size=HEADER_BYTES, max_size=HEADER_BYTES))
def test_random_bytes_are_no_ring(noise: bytes) -> None:
    """Nothing but RingError comes of them, whatever follows the magic number and version."""
    begun = struct.pack("=QI", layout.MAGIC, layout.VERSION) + noise[12:]
    for buffer in (noise, begun):
        with pytest.raises(RingError):
            layout.check(buffer + bytes(RECORD_BYTES), "it")


# -- the records --------------------------------------------------------------------------------


@pytest.mark.skipif(sys.byteorder != "little", reason="the bytes are given for little-endian")
def test_the_exact_bytes_of_a_record() -> None:
    """A record in its slot has these 96 bytes; its neighbours are left alone."""
    buffer = bytearray(b"\xee" * layout.segment_bytes(4))
    written = Record(6, -2, 3, 1.0, -1.0, 0.5, 250.0, -250.0, 0.0, 36.5, 5, 2**32 - 1)
    written = written._replace(qw=0.5, qx=-0.5, qy=1.0, qz=-1.0)
    layout.put_record(buffer, 4, written)
    begin = HEADER_BYTES + 2 * 96
    assert buffer[begin : begin + 96] == bytes.fromhex(
        "0600000000000000 feffffffffffffff 0300000000000000"
        "0000803f 000080bf 0000003f 00007a43 00007ac3 00000000 00001242"
        "05000000 ffffffff"
        "0000003f 000000bf 0000803f 000080bf" + "00" * 16 + "fe66e5c0"
    )
    assert buffer.replace(buffer[begin : begin + 96], b"") == b"\xee" * (len(buffer) - 96)


def test_a_sample_becomes_a_record_with_all_its_fields() -> None:
    """Record.of() adds number and wall-clock time, no attitude, and changes nothing."""
    taken = sample(3, 77, flags=5, lost=6)
    numbered = Record.of(9, 88, taken)
    assert (numbered.seq, numbered.time_ns) == (9, 88)
    attitude = dict.fromkeys(("qw", "qx", "qy", "qz"), 0.0)
    assert numbered._asdict() == {**taken._asdict(), "seq": 9, "time_ns": 88, **attitude}


floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
unsigned = st.integers(0, 2**32 - 1)


@given(
    st.integers(1, 2**64 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.tuples(*[floats] * 7),
    st.tuples(unsigned, unsigned),
    st.tuples(*[floats] * 4),
    st.integers(2, 9),
)
def test_a_record_comes_back_as_it_was(
    seq: int,
    t_ns: int,
    time_ns: int,
    values: tuple[float, ...],
    counts: tuple[int, int],
    attitude: tuple[float, ...],
    size: int,
) -> None:
    """Every field of a record is written and read in full width."""
    written = Record._make((seq, t_ns, time_ns, *values, *counts, *attitude))
    buffer = bytearray(layout.segment_bytes(size))
    layout.put_record(buffer, size, written)
    copied = layout.copy_records(buffer, size, seq, 1)
    assert layout.parse_records(copied, seq, checked=True) == [written]
    assert layout.parse_records(layout.pack_records([written]), seq) == [written]


@given(st.integers(2, 9), st.integers(0, 40), st.data())
def test_what_the_window_holds_is_read_whole_and_in_order(
    capacity: int, head: int, data: st.DataObject
) -> None:
    """Against a model that remembers all: every range of the window is copied, around the ring's
    end as well, and the slot that is written next is not part of it."""
    model = [record(seq) for seq in range(1, head + 1)]
    buffer = ring(capacity, head)
    oldest = oldest_seq(head, capacity)
    window = model[oldest - 1 :]
    assert len(window) == min(head, capacity - 1)
    assert all(kept.seq % capacity != (head + 1) % capacity for kept in window)
    first = data.draw(st.integers(oldest, head + 1))
    count = data.draw(st.integers(0, head + 1 - first))
    copied = layout.copy_records(memoryview(buffer), capacity, first, count)
    assert len(copied) == count * RECORD_BYTES
    assert layout.parse_records(copied, first, checked=True) == model[first - 1 : first - 1 + count]


@pytest.mark.parametrize("first", range(1, 7))
def test_a_whole_round_can_be_copied_from_any_slot_on(first: int) -> None:
    """A copy is of two pieces at most, wherever it begins."""
    buffer = ring(capacity=5, head=first + 4)
    copied = layout.copy_records(buffer, 5, first, 5)
    assert [found.seq for found in layout.parse_records(copied, first)] == list(
        range(first, first + 5)
    )


@given(st.lists(st.booleans(), max_size=12))
def test_damaged_slots_are_left_out_and_nothing_else(torn: list[bool]) -> None:
    """What is read begins after those at the beginning, and ends before the next."""
    records = [record(seq) for seq in range(5, 5 + len(torn))]
    slots = [record(99) if bad else good for bad, good in zip(torn, records, strict=True)]
    copied = layout.pack_records(slots)
    begin = torn.index(False) if False in torn else len(torn)
    end = torn.index(True, begin) if True in torn[begin:] else len(torn)
    assert layout.parse_records(copied, 5) == records[begin:end]


@given(st.integers(0, RECORD_BYTES - 1), st.integers(1, 255))
def test_a_record_that_differs_in_a_byte_is_damage(place: int, change: int) -> None:
    """Whichever byte it is, that of its check too; the neighbours are read as they are."""
    buffer = ring(capacity=8, head=5)
    buffer[HEADER_BYTES + 3 * RECORD_BYTES + place] ^= change
    copied = layout.copy_records(buffer, 8, 2, 4)
    assert layout.parse_records(copied, 2, checked=True) == [record(2)]
    assert layout.parse_records(copied[RECORD_BYTES:], 3, checked=True) == [record(4), record(5)]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("axis", ["ax", "gz", "temp", "qw", "qx", "qy", "qz"])
def test_a_value_that_is_no_number_is_damage(axis: str, value: float) -> None:
    """It would be no JSON, and stay in the mean of all that come after it."""
    records = [record(5), Record(**{**record(6)._asdict(), axis: value}), record(7)]
    copied = layout.pack_records(records)
    assert layout.parse_records(copied, 5) == [records[0]]
    assert layout.parse_records(copied[RECORD_BYTES:], 6) == [records[2]]


def test_a_count_that_does_not_fit_is_the_largest_that_does() -> None:
    """A predecessor, or a broken program, may have left any."""
    buffer = bytearray(layout.segment_bytes(2))
    layout.put_ledger(buffer, {"ticks_lost": 2**64 + 5})
    layout.lay_out(buffer, 2, 1)
    assert layout.read_header(buffer).ledger["ticks_lost"] == 2**64 - 1


def test_a_slot_that_was_never_written_is_no_record() -> None:
    """Zeros have number 0, which no record has."""
    assert layout.parse_records(bytes(RECORD_BYTES), 1) == []
    assert layout.parse_records(b"", 1) == []
