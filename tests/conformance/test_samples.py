"""What a sample must look like: ours do, and each change of one is seen."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.helpers.fakes import GENERATION, make_record
from trio_mpu.conformance.samples import (
    SERVER_LEDGER,
    check_gap,
    check_ledger,
    check_order,
    check_row,
    check_sample,
)
from trio_mpu.conformance.verdict import Failed
from trio_mpu.formats import Notation, Origin, event_id, row_json, sample_json
from trio_mpu.metrics import counters
from trio_mpu.record import LEDGER, values_of
from trio_mpu.sample import Flag, Gap

ORIGIN = Origin(GENERATION, "fake")
LOSSES = dict.fromkeys((*LEDGER, *SERVER_LEDGER), 0)
PLAIN = Notation()
SI = Notation(iso=True, si=True)


def sample(seq: int = 7, gap: Gap | None = None, notation: Notation = PLAIN) -> dict[str, Any]:
    """Return a sample as our server sends it."""
    record = make_record(seq, flags=int(Flag.SIMULATED))
    text = sample_json(
        record, values_of(record), ORIGIN, gap=gap, ledger=lambda: LOSSES, notation=notation
    )
    found: dict[str, Any] = json.loads(text)
    return found


def row(seq: int = 7, gap: Gap | None = None, notation: Notation = PLAIN) -> dict[str, Any]:
    """Return a row as our server sends it."""
    found: dict[str, Any] = json.loads(row_json(make_record(seq), ORIGIN, gap, notation))
    return found


@pytest.mark.parametrize("notation", [Notation(), SI])
@pytest.mark.parametrize("gap", [None, Gap(3, 7, 3, "slow"), Gap(3, 7, None, "restart")])
def test_what_our_server_sends_is_a_sample(gap: Gap | None, notation: Notation) -> None:
    """In all notations, with and without a gap."""
    check_sample(sample(gap=gap, notation=notation), notation)
    check_row(row(gap=gap, notation=notation), notation)


def test_the_ledger_is_that_of_the_code() -> None:
    """Names that are missing there would not be missed here."""
    assert SERVER_LEDGER == counters.LEDGER
    check_ledger(LOSSES)


Change = Callable[[dict[str, Any]], object]
CHANGES: dict[str, Change] = {
    "no status": lambda found: found.pop("status"),
    "no sample": lambda found: found.pop("sample"),
    "no average": lambda found: found.pop("average"),
    "no axis": lambda found: found["sample"].pop("ax"),
    "an axis is text": lambda found: found["sample"].update(ax="1"),
    "an axis is true": lambda found: found["sample"].update(ax=True),
    "an axis is infinite": lambda found: found["average"].update(gz=float("inf")),
    "seq is 0": lambda found: found.update(seq=0, id=event_id(GENERATION, 0)),
    "seq is a decimal": lambda found: found.update(seq=7.0),
    "seq is too large": lambda found: found.update(seq=2**64),
    "another id": lambda found: found.update(id=event_id(GENERATION, 8)),
    "no id": lambda found: found.pop("id"),
    "the id is no id": lambda found: found.update(id="7"),
    "time is text": lambda found: found.update(time="1"),
    "another timestamp": lambda found: found.update(timestamp=1),
    "t_ns is negative": lambda found: found.update(t_ns=-1),
    "source is null": lambda found: found.update(source=None),
    "flags is text": lambda found: found.update(flags="simulated"),
    "flags has a number": lambda found: found.update(flags=[1]),
    "gap is null": lambda found: found.update(gap=None),
    "gap without lost": lambda found: found["gap"].pop("lost"),
    "gap ends elsewhere": lambda found: found["gap"].update(to=9),
    "gap has another reason": lambda found: found["gap"].update(reason="whim"),
    "gap lost a half": lambda found: found["gap"].update(lost=0.5),
    "gap without ledger": lambda found: found["gap"].pop("ledger"),
    "ledger without a name": lambda found: found["gap"]["ledger"].pop("slow_lost"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_is_a_failed_check(change: str) -> None:
    """Whatever a server may get wrong."""
    found = sample(gap=Gap(3, 7, 3, "slow"))
    CHANGES[change](found)
    with pytest.raises(Failed):
        check_sample(found)


def test_a_notation_that_was_not_asked_for_is_a_failed_check() -> None:
    """Nor one that was asked for and is not there."""
    for notation, asked in (
        (Notation(), SI),
        (SI, Notation()),
        (Notation(iso=True), Notation(si=True)),
    ):
        with pytest.raises(Failed):
            check_sample(sample(notation=notation), asked)
    found = row(notation=SI)
    found["units"] = "us"
    with pytest.raises(Failed):
        check_row(found, SI)
    with pytest.raises(Failed):
        check_row(row() | {"time": "1"})
    with pytest.raises(Failed):
        check_row(row(notation=SI) | {"time": 1}, SI)
    with pytest.raises(Failed):
        check_row(row() | {"lost": None})
    with pytest.raises(Failed):
        check_gap(7, 7)


def test_samples_in_order_with_their_gaps_pass() -> None:
    """A restart too, in a new ring."""
    restarted = sample(1, Gap(13, 1, None, "restart"))
    restarted["id"] = event_id(9, 1)
    found = [
        sample(7),
        sample(8),
        sample(12, Gap(8, 12, 3, "slow")),
        sample(13, Gap(12, 13, 2, "device")),
    ]
    check_order([*found, restarted])


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ([sample(7), sample(9)], "missing without a gap"),
        ([sample(7), sample(7)], "comes twice"),
        ([sample(7), sample(6)], "comes after"),
        ([sample(7), sample(8) | {"t_ns": 1}], "goes back"),
        ([sample(7), sample(9, Gap(6, 9, 2, "slow"))], "its gap after 6"),
        ([sample(7), sample(9, Gap(7, 9, 0, "slow"))], "says that 0 are missing"),
        ([sample(7), sample(1) | {"id": event_id(9, 1)}], "of another ring"),
    ],
)
def test_each_disorder_is_a_failed_check(found: list[dict[str, Any]], problem: str) -> None:
    """With what is wrong."""
    with pytest.raises(Failed, match=problem):
        check_order(found)
