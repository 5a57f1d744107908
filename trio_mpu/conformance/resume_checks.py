"""Where a stream begins for a client that says what it has had."""

from typing import Any, Final

from trio_mpu.conformance.check import Check
from trio_mpu.conformance.http_checks import check_error
from trio_mpu.conformance.samples import check_order, check_sample, generation_of
from trio_mpu.conformance.subject import OBSERVED_S, Subject
from trio_mpu.conformance.verdict import NotTried, require, shown
from trio_mpu.formats import event_id, parse_event_id

_FEW: Final = 3


def _last(subject: Subject) -> dict[str, Any]:
    """Return a sample of the stream that at least two others have followed."""
    return subject.observed(_FEW).samples[-_FEW]


def _check_held(last: dict[str, Any], first: dict[str, Any]) -> None:
    """Raise NotTried if the server says that it has not had for long what comes after `last`."""
    gap = first.get("gap") or {}
    if gap.get("from") == last["seq"] and gap.get("reason") == "lapped":
        raise NotTried("the ring lost the next sample before it was asked for")


def _check_continues(subject: Subject, path: str, *fields: str) -> None:
    """Raise Failed unless this resumes right after the sample of `_last`."""
    last = _last(subject)
    first, second = subject.next_samples(2, path, *fields)
    _check_held(last, first)
    check_order([last, first, second])
    require(first["seq"] == last["seq"] + 1, f"after {last['seq']} it begins with {first['seq']}")


def _header(subject: Subject) -> None:
    _check_continues(subject, "/events", f"Last-Event-ID: {_last(subject)['id']}")


def _query(subject: Subject) -> None:
    last = _last(subject)["id"]
    for name in ("last_event_id", "lastEventId", "Last-Event-ID", "evs_last_event_id"):
        _check_continues(subject, f"/events?{name}={last}")


def _newer(subject: Subject) -> None:
    last = _last(subject)
    older = event_id(generation_of(last), last["seq"] - 1)
    _check_continues(subject, f"/events?last_event_id={older}", f"Last-Event-ID: {last['id']}")


def _disagree(subject: Subject) -> None:
    last = _last(subject)
    other = event_id(generation_of(last), last["seq"] - 1)
    check_error(subject.get(f"/events?last_event_id={last['id']}&lastEventId={other}"), 400)


def _same(subject: Subject) -> None:
    observed = subject.observed(_FEW).samples
    found = subject.next_samples(2, "/events", f"Last-Event-ID: {observed[-_FEW]['id']}")
    _check_held(observed[-_FEW], found[0])
    for live, later in zip(observed[-_FEW + 1 :], found, strict=True):
        for name in live.keys() - {"gap"}:
            require(
                live[name] == later.get(name),
                f"{name} of sample {live['seq']} was {shown(live[name], 40)}, and is "
                f"{shown(later.get(name), 40)} from the ring",
            )


def _announced(subject: Subject) -> None:
    last = _last(subject)
    for fields in ((f"Last-Event-ID: {last['id']}",), ()):
        with subject.stream("/events", *fields) as stream:
            said = stream.answer.field("last-event-id")
            parsed = parse_event_id(said)
            require(parsed is not None, f"the answer's Last-Event-ID is {shown(said)}")
            found = stream.read(1, OBSERVED_S)
        require(bool(found), f"no sample came in {OBSERVED_S:g} s")
        if fields:
            _check_held(last, found[0])
        after = event_id(generation_of(found[0]), found[0]["seq"] - 1)
        require(
            said == after, f"the answer says that it begins after {said}, and begins after {after}"
        )
        require(not fields or said == last["id"], f"it begins after {said}, not after {last['id']}")


def _oldest(subject: Subject) -> dict[str, Any]:
    subject.observed()
    (first,) = subject.next_samples(1, "/events?last_event_id=earliest")
    return first


def _earliest(subject: Subject) -> None:
    first = _oldest(subject)
    check_sample(first)
    gap = first.get("gap")
    require(gap is None or gap["to"] == gap["from"] + 1, f"it reports a gap: {shown(gap)}")
    newest = subject.newest()["seq"]
    require(first["seq"] <= newest, f"it begins with {first['seq']}, newer than {newest}")


def _lapped(subject: Subject) -> None:
    oldest = _oldest(subject)
    if oldest["seq"] < 2:
        raise NotTried("the ring still has its first sample")
    generation = generation_of(oldest)
    (first,) = subject.next_samples(1, "/events", f"Last-Event-ID: {event_id(generation, 0)}")
    gap = first.get("gap")
    require(gap is not None, f"it begins with {first['seq']}, and no gap says what is missing")
    assert gap is not None
    require(gap["from"] == 0 and gap["lost"] is not None, f"its gap is {shown(gap)}")
    require(
        gap["lost"] >= first["seq"] - 1,
        f"its gap says that {gap['lost']} are missing before {first['seq']}",
    )
    require(gap["reason"] == "lapped", f"the reason is {shown(gap['reason'])}, not lapped")


def _check_newest(subject: Subject, last_event_id: str) -> dict[str, Any]:
    """Raise Failed unless a stream after this id begins with the newest sample; return that."""
    newest = subject.newest()["seq"]
    (first,) = subject.next_samples(1, "/events", f"Last-Event-ID: {last_event_id}")
    require(first["seq"] >= newest, f"it begins with {first['seq']}, the newest was {newest}")
    return first


def _unknown(subject: Subject) -> None:
    generation = generation_of(subject.observed().samples[0])
    for text in ("nonsense", f"{generation:016x}", event_id(generation, 2**63)):
        first = _check_newest(subject, text)
        gap = first.get("gap")
        require(
            gap is None or gap["to"] == gap["from"] + 1,
            f"after {text} it reports a gap: {shown(gap)}",
        )


def _generation(subject: Subject) -> None:
    other = generation_of(subject.observed().samples[0]) ^ 1
    first = _check_newest(subject, event_id(other, 7))
    gap = first.get("gap")
    require(gap is not None, "a sample of another ring, and no gap says so")
    assert gap is not None
    is_right = (gap["from"], gap["lost"], gap["reason"]) == (7, None, "restart")
    require(is_right, f"its gap is {shown(gap)}")


CHECKS: Final = (
    Check(
        "resume.header",
        "after Last-Event-ID nothing is missing, and nothing comes twice",
        "Resuming",
        _header,
    ),
    Check("resume.query", "the same with each of the parameter's names", "Resuming", _query),
    Check("resume.newer", "of header and query, the header counts", "Resuming", _newer),
    Check("resume.disagree", "two ids in the query that differ are a 400", "Resuming", _disagree),
    Check("resume.same", "what comes from the ring is what was sent live", "Resuming", _same),
    Check(
        "resume.announced",
        "the answer's own Last-Event-ID says where it begins",
        "Resuming",
        _announced,
    ),
    Check(
        "resume.earliest",
        "earliest begins with the oldest sample, without a gap",
        "Resuming",
        _earliest,
    ),
    Check(
        "resume.lapped",
        "an id older than the ring: its oldest sample, with a gap",
        "Resuming",
        _lapped,
    ),
    Check(
        "resume.unknown",
        "no id, or one that does not exist yet: the newest sample",
        "Resuming",
        _unknown,
    ),
    Check(
        "resume.generation",
        "an id of another ring: a gap with the reason restart",
        "Resuming",
        _generation,
    ),
)
