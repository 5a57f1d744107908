"""The newest sample, and the stream as it comes."""

import itertools
import time
from typing import Final

from trio_mpu.conformance.check import Check
from trio_mpu.conformance.samples import check_ledger, check_order, check_sample, is_number
from trio_mpu.conformance.subject import STREAM, Stream, Subject
from trio_mpu.conformance.verdict import Failed, NotTried, require, shown
from trio_mpu.formats import COLUMNS, Notation

# Samples that were measured over a longer time than this must not come together.
MAX_BUFFERED_S: Final = 0.5  # more than a busy client oversleeps, less than an eye overlooks
LOOKS: Final = 8
LOOK_S: Final = 1.5
TOGETHER_S: Final = 0.02  # what comes within this time has come together
BEHIND_S: Final = 1.0  # workers may be some milliseconds apart; arbitrary
HEARTBEAT_S: Final = 15.0  # docs/protocol.md, "The stream"
_SLACK_S: Final = 3.0
_SI: Final = Notation(iso=True, si=True)


def _object(subject: Subject) -> None:
    answer = subject.get("/json")
    if answer.status == 503:
        raise NotTried("there is no sample yet")
    check_sample(answer.require(200, "application/json").json())
    require(answer.body.count(b"\n") <= 1, "the object takes more than one line")


def _notations(subject: Subject) -> None:
    check_sample(subject.newest("?iso=1&units=si"), _SI)


def _verbose(subject: Subject) -> None:
    found = subject.newest("?verbose=1")
    check_sample(found)
    check_ledger(found.get("ledger"))
    require(isinstance(found.get("device"), dict), f"device is {shown(found.get('device'))}")
    for name in ("clock_offset", "now"):
        require(is_number(found.get(name)), f"{name} is {shown(found.get(name))}")


def _max_age(subject: Subject) -> None:
    subject.newest()
    answer = subject.get("/json?max_age=0")
    require(answer.status == 503, f"status {answer.status} for max_age=0, not 503")
    require(answer.field("retry-after").isdigit(), "a 503 without Retry-After")


def _newest(subject: Subject) -> None:
    last = subject.observed().samples[-1]["seq"]
    end_s = time.monotonic() + BEHIND_S
    while (seq := subject.newest()["seq"]) < last:
        require(time.monotonic() < end_s, f"/json has sample {seq}, the stream had {last}")


def _type(subject: Subject) -> None:
    with subject.stream() as stream:
        cache, buffering = (
            stream.answer.field("cache-control"),
            stream.answer.field("x-accel-buffering"),
        )
    require("no-store" in cache, f"Cache-Control is {shown(cache)}, without no-store")
    require("no-transform" in cache, f"Cache-Control is {shown(cache)}, without no-transform")
    require(buffering == "no", f"X-Accel-Buffering is {shown(buffering)}, not no")


def _framing(subject: Subject) -> None:
    stream = subject.observed(0)
    require(not stream.answer.field("content-length"), "a stream without end has a length")
    require(bool(stream.events), "nothing came, not even the line with retry")
    require(
        stream.events[0].kind == "retry",
        f"it begins with {shown(stream.events[0])}, not with retry",
    )


def _objects(subject: Subject) -> None:
    for found in subject.observed().samples:
        check_sample(found)
        require(found["status"] == "ok", f"the status of a sample is {shown(found['status'])}")


def _statuses(subject: Subject) -> None:
    statuses = [event for event in subject.observed(0).events if event.name == "status"]
    if not statuses:
        raise NotTried("the status did not change")
    for event in statuses:
        require(not event.id, "a status has an id, which moves the client's position")
        check_sample(event.object())


def _sequence(subject: Subject) -> None:
    check_order(subject.observed(2).samples)


def _begins(subject: Subject) -> None:
    before = subject.newest()["seq"]
    (first,) = subject.next_samples(1, "/events")
    require(
        first["seq"] >= before, f"it begins with sample {first['seq']}, the newest was {before}"
    )
    require(
        "gap" not in first or first["gap"]["to"] == first["gap"]["from"] + 1,
        "a new client has missed nothing",
    )


def _live(subject: Subject) -> None:
    subject.newest()
    # What is busy for a moment, here or there, is no buffer: that would be there each time.
    for _ in range(LOOKS):
        if not (problem := _buffering(subject)):
            return
    raise Failed(problem)


def _buffering(subject: Subject) -> str:
    """Look at a stream for a while; return how it shows that something buffers it, or nothing."""
    with subject.stream() as stream:
        before, opened_s = subject.newest()["seq"], time.monotonic()
        stream.read(10**9, LOOK_S)
        measured = subject.newest()["seq"] - before
    samples, arrivals = stream.samples, stream.arrivals
    if len(samples) < 2:
        few = f"{measured} samples were measured, and {len(samples)} came"
        return few if measured > 2 else ""
    for first, last in _together(stream):
        span_s = (samples[last]["t_ns"] - samples[first]["t_ns"]) / 1e9
        # The first ones may be what the server had already.
        if first and span_s > MAX_BUFFERED_S:
            return f"samples of {span_s:.2f} s came together: something buffers them"
    # The newest sample comes immediately, so there is no silence before it either.
    silence_s = max(b - a for a, b in itertools.pairwise([opened_s, *arrivals]))
    longest_ns = max(b["t_ns"] - a["t_ns"] for a, b in itertools.pairwise(samples))
    if silence_s > max(MAX_BUFFERED_S, 3 * longest_ns / 1e9):
        return f"nothing came for {silence_s:.2f} s, then all of it: something buffers it"
    return ""


def _together(stream: Stream) -> list[tuple[int, int]]:
    """Return the first and the last place of samples that came together."""
    groups, first = [], 0
    for place in range(1, len(stream.arrivals) + 1):
        if (
            place == len(stream.arrivals)
            or stream.arrivals[place] - stream.arrivals[place - 1] > TOGETHER_S
        ):
            groups.append((first, place - 1))
            first = place
    return groups


def _heartbeat(subject: Subject) -> None:
    # Means over 100 s: nothing comes until the first window ends.
    with subject.stream("/events?rate=0.01") as stream:
        stream.read(1, HEARTBEAT_S + _SLACK_S)
    if stream.samples:
        raise NotTried("the stream was not silent")
    beats = [event for event in stream.events if event.kind == "comment"]
    require(bool(beats), f"no heartbeat in {HEARTBEAT_S + _SLACK_S:g} s of silence")


def _rate(subject: Subject) -> None:
    if len(subject.observed(2).samples) < 50:  # of 2.5 s: at 20 Hz or more
        raise NotTried("the sensor is too slow for ?rate=10&stats=1")
    found = subject.next_samples(4, "/events?rate=10&stats=1")
    for mean in found:
        check_sample(mean)
        require(type(mean.get("n")) is int and mean["n"] > 0, f"n is {shown(mean.get('n'))}")
        for axis, value in mean["sample"].items():
            low, high = mean["min"][axis], mean["max"][axis]
            require(
                low - abs(low) / 1e6 <= value <= high + abs(high) / 1e6,
                f"the mean of {axis} is not within its extremes",
            )
    for before, after in itertools.pairwise(found[1:]):
        if "gap" not in after:
            step = after["seq"] - before["seq"]
            require(step == after["n"], f"n is {after['n']}, but seq went on by {step}")


def _flush(subject: Subject) -> None:
    count = min(20, len(subject.observed(2).samples))
    check_order(subject.next_samples(count, "/events?flush_ms=200"))


def _stream_notations(subject: Subject) -> None:
    subject.observed()
    for found in subject.next_samples(1, "/events?iso=1&units=si"):
        check_sample(found, _SI)


def _rows(subject: Subject) -> None:
    subject.observed()
    with subject.connect() as connection:
        answer = connection.ask("/events?format=csv").require(200, "text/csv")
        text = b""
        for piece in connection.pieces(answer):
            text += piece
            if text.count(b"\n") > 1:
                break
    header, row, *_ = text.decode().split("\n")
    require(header == ",".join(COLUMNS), f"the columns are {shown(header)}")
    require(len(row.split(",")) >= len(COLUMNS), f"a row is {shown(row)}")


CHECKS: Final = (
    Check("json.object", "/json is the newest sample, one object on one line", "A sample", _object),
    Check(
        "json.notations",
        "iso=1 and units=si change times, values and names",
        "Other notations",
        _notations,
    ),
    Check("json.verbose", "verbose=1 adds ledger, device and clocks", "More", _verbose),
    Check(
        "json.max-age", "a sample older than max_age is a 503 with Retry-After", "Paths", _max_age
    ),
    Check(
        "stream.type", f"{STREAM}, which nobody may store, change or buffer", "The stream", _type
    ),
    Check(
        "stream.framing",
        "whole chunks, and lines that each client understands, retry first",
        "The stream",
        _framing,
    ),
    Check("stream.objects", "each event is a whole sample, with its id", "A sample", _objects),
    Check("stream.statuses", "a status has no id", "The stream", _statuses),
    Check("stream.begins", "without an id it begins with the newest sample", "Resuming", _begins),
    Check(
        "stream.sequence",
        "each sample once, in order; a gap reports what is missing",
        "The stream",
        _sequence,
    ),
    Check(
        "stream.live",
        "samples come as they are measured: nothing buffers them",
        "The stream",
        _live,
    ),
    Check("json.newest", "/json is not behind the stream", "Paths", _newest),
    Check("stream.rate", "rate= gives means, with n, min and max", "Options of the stream", _rate),
    Check(
        "stream.flush", "flush_ms= delays events, and loses none", "Options of the stream", _flush
    ),
    Check(
        "stream.notations",
        "iso=1 and units=si, in the stream too",
        "Other notations",
        _stream_notations,
    ),
    Check("stream.rows", "format=csv sends the columns, then a row for each sample", "Rows", _rows),
)
HEARTBEAT: Final = Check(
    "stream.heartbeat", "15 s of silence end with a heartbeat", "The stream", _heartbeat
)
