"""The past: its forms, what bounds it, and its parts."""

import csv
import gzip
import io
import itertools
import json
from typing import Any, Final

from trio_mpu.conformance.answers import Answer
from trio_mpu.conformance.check import Check
from trio_mpu.conformance.http_checks import check_error
from trio_mpu.conformance.samples import check_order, check_row, generation_of
from trio_mpu.conformance.subject import Subject
from trio_mpu.conformance.verdict import Failed, NotTried, require, shown
from trio_mpu.formats import COLUMNS, Notation
from trio_mpu.sample import AXES

_ROWS: Final = 20
_SI: Final = Notation(iso=True, si=True)


def _rows(subject: Subject, query: str) -> list[dict[str, Any]]:
    """Return the rows of an answer in JSON. Raises NotTried if there is nothing yet."""
    answer = _answer(subject, f"/history?{query}", "application/json")
    found = answer.json()
    require("generation" in found, "it has no generation")
    rows = found.get("samples")
    if not isinstance(rows, list):
        raise Failed(f"samples is {shown(rows)}, not a list")
    return rows


def _answer(subject: Subject, path: str, kind: str, *fields: str) -> Answer:
    answer = subject.get(path, *fields)
    if answer.status == 503:
        raise NotTried("there is no sample yet, or the history can't be read now")
    return answer.require(200, kind)


def _some(subject: Subject) -> list[dict[str, Any]]:
    rows = _rows(subject, f"limit={_ROWS}")
    if len(rows) < 3:
        raise NotTried(f"there are only {len(rows)} samples")
    return rows


def _json(subject: Subject) -> None:
    rows = _some(subject)
    require(len(rows) <= _ROWS, f"{len(rows)} rows for limit={_ROWS}")
    for row in rows:
        check_row(row)
    check_order(rows)


def _notations(subject: Subject) -> None:
    for row in _rows(subject, f"limit={_ROWS}&iso=1&units=si"):
        check_row(row, _SI)


def _window(subject: Subject) -> tuple[list[dict[str, Any]], str]:
    """Return some rows, and the query that has exactly these in any format."""
    rows = _some(subject)
    return rows[1:], f"since={rows[0]['id']}&limit={len(rows) - 1}"


def _since(subject: Subject) -> None:
    rows, query = _window(subject)
    require(_rows(subject, query) == rows, f"{query} has other rows than limit={_ROWS} had")


def _csv(subject: Subject) -> None:
    rows, query = _window(subject)
    text = _answer(subject, f"/history?{query}&format=csv", "text/csv").body.decode()
    header, *cells = csv.reader(io.StringIO(text, newline=""))
    require(tuple(header) == COLUMNS, f"the columns are {shown(','.join(header))}")
    require(len(cells) == len(rows), f"{len(cells)} rows, JSON has {len(rows)}")
    for row, line in zip(rows, cells, strict=True):
        found = dict(zip(header, line, strict=False))
        for name in ("seq", "t_ns", *AXES):
            same = float(found.get(name, "nan")) == float(row[name])
            require(same, f"{name} is {shown(found.get(name))}, in JSON {shown(row[name])}")


def _ndjson(subject: Subject) -> None:
    rows, query = _window(subject)
    text = _answer(subject, f"/history?{query}&format=ndjson", "application/x-ndjson").body.decode()
    require(
        [json.loads(line) for line in text.splitlines()] == rows, "its rows are not those of JSON"
    )


def _stream(subject: Subject) -> None:
    stream = subject.observed(3).samples[:_ROWS]
    rows = _rows(subject, f"since={stream[0]['id']}&limit={len(stream) - 1}")
    require(len(rows) == len(stream) - 1, f"{len(rows)} rows, the stream had {len(stream) - 1}")
    for live, row in zip(stream[1:], rows, strict=True):
        require(live["id"] == row["id"], f"it has {row['id']}, the stream {live['id']}")
        require(live["t_ns"] == row["t_ns"], f"t_ns of {row['id']} is not that of the stream")
        for axis in AXES:
            near = abs(live["sample"][axis] - row[axis]) <= 1e-5 * max(1.0, abs(row[axis]))
            require(
                near, f"{axis} of {row['id']} is {row[axis]}, in the stream {live['sample'][axis]}"
            )


def _ring_generation(subject: Subject) -> None:
    answer = _answer(subject, f"/history?limit={_ROWS}", "application/json")
    said, rows = answer.field("ring-generation"), answer.json()["samples"]
    if not rows:
        raise NotTried("there is no sample yet")
    wanted = f"{generation_of(rows[-1]):016x}"
    require(said == wanted, f"Ring-Generation is {shown(said)}, the newest row's {wanted}")


def _time(subject: Subject) -> None:
    rows = _some(subject)
    begin, end = rows[1]["time"], rows[-1]["time"]
    if begin >= end or any(b["time"] < a["time"] for a, b in itertools.pairwise(rows)):
        raise NotTried("the clock was set among these samples")
    found = _rows(subject, f"from={begin:.6f}&to={end:.6f}")
    numbers, wanted = [row["seq"] for row in found], [row["seq"] for row in rows[1:-1]]
    # The answer's times are cut to the microsecond, so the one at an end may be in it or not.
    require(set(wanted[1:]) <= set(numbers), f"from and to: {shown(numbers)}, not {shown(wanted)}")
    require(len(numbers) <= len(wanted) + 1, f"from and to: {shown(numbers)}, not {shown(wanted)}")


def _gzip(subject: Subject) -> None:
    rows, query = _window(subject)
    answer = _answer(subject, f"/history?{query}", "application/json", "Accept-Encoding: gzip")
    coding = answer.field("content-encoding")
    if not coding:
        raise NotTried("it is not compressed")
    require(coding == "gzip", f"Content-Encoding is {shown(coding)}")
    try:
        found = json.loads(gzip.decompress(answer.body))
    except (OSError, EOFError, ValueError) as error:
        raise Failed(f"it can't be unpacked: {error}") from error
    require(found.get("samples") == rows, "compressed it has other rows")


def _parts(subject: Subject) -> None:
    rows = _some(subject)
    path = f"/history?since={rows[0]['id']}&to={rows[-1]['time']:.6f}"
    whole = _answer(subject, path, "application/json")
    if whole.field("accept-ranges") != "bytes":
        raise NotTried("the answer has no parts")
    etag, size = whole.field("etag"), len(whole.body)
    require(bool(etag), "it has no ETag")
    for asked, first, last in (("0-9", 0, 9), ("10-", 10, size - 1), ("-5", size - 5, size - 1)):
        part = subject.get(path, f"Range: bytes={asked}", f"If-Range: {etag}").require(206)
        said = part.field("content-range")
        require(
            said == f"bytes {first}-{last}/{size}", f"Content-Range of {asked} is {shown(said)}"
        )
        require(part.body == whole.body[first : last + 1], f"bytes={asked} has other bytes")
    subject.get(path, f"If-None-Match: {etag}").require(304)
    beyond = subject.get(path, f"Range: bytes={size + 1}-").require(416)
    require(beyond.field("content-range") == f"bytes */{size}", "a 416 without the length")


def _points(subject: Subject) -> None:
    answer = _answer(subject, "/history?points=5&seconds=60", "application/json").json()
    require(
        isinstance(answer.get("window_s"), int | float),
        f"window_s is {shown(answer.get('window_s'))}",
    )
    points = answer.get("points")
    if not isinstance(points, list):
        raise Failed(f"points is {shown(points)}, not a list")
    require(len(points) <= 5, f"{len(points)} points for points=5")
    for point in points:
        for axis in AXES:
            low, mean, high = (point[part][axis] for part in ("min", "mean", "max"))
            require(low <= high, f"{axis}: min is {low}, max is {high}")
            slack = 1e-5 * max(1.0, abs(mean))
            require(low - slack <= mean <= high + slack, f"{axis}: the mean {mean} is not within")


def _contradiction(subject: Subject) -> None:
    check_error(subject.get("/history?from=0&seconds=5"), 400)


def _allowed(subject: Subject) -> str:
    return subject.get("/livez").field("access-control-allow-origin")


def _preflight(subject: Subject) -> None:
    if not _allowed(subject):
        raise NotTried("it lets no page of another origin read")
    answer = subject.get("/events", "Origin: http://a.test", method="OPTIONS").require(204)
    methods = answer.field("access-control-allow-methods")
    require(
        {"GET", "HEAD"} <= {name.strip() for name in methods.split(",")},
        f"it allows {shown(methods)}",
    )
    headers = answer.field("access-control-allow-headers").lower()
    require("last-event-id" in headers, f"it allows {shown(headers)}, without Last-Event-ID")


def _exposed(subject: Subject) -> None:
    if not _allowed(subject):
        raise NotTried("it lets no page of another origin read")
    for path in ("/livez", "/no-such-path"):
        answer = subject.get(path)
        require(bool(answer.field("access-control-allow-origin")), f"{path}: it is not allowed")
        exposed = answer.field("access-control-expose-headers").lower()
        require("ring-generation" in exposed, f"{path}: exposed are {shown(exposed)}")


def _refused(subject: Subject) -> None:
    if _allowed(subject):
        raise NotTried("it lets pages of another origin read")
    check_error(subject.get("/events", "Origin: http://a.test", method="OPTIONS"), 405)


CHECKS: Final = (
    Check("history.json", "rows with all columns, each sample once, in order", "History", _json),
    Check("history.notations", "iso=1 and units=si, in rows too", "Other notations", _notations),
    Check(
        "history.since", "since= and limit= have exactly the rows after an id", "History", _since
    ),
    Check("history.csv", "CSV has the documented columns, and the same numbers", "History", _csv),
    Check("history.ndjson", "NDJSON has the same rows, one a line", "History", _ndjson),
    Check("history.stream", "the history has what the stream had", "History", _stream),
    Check(
        "history.generation",
        "Ring-Generation is that of the newest row",
        "History",
        _ring_generation,
    ),
    Check("history.time", "from= and to= bound the time", "History", _time),
    Check("history.gzip", "compressed it has the same rows", "History", _gzip),
    Check("history.parts", "parts of an answer are its bytes", "Parts of an answer", _parts),
    Check("history.points", "points= are windows with min, mean and max", "Points", _points),
    Check(
        "history.contradiction", "from= and seconds= together are a 400", "History", _contradiction
    ),
    Check(
        "cors.preflight",
        "OPTIONS allows GET, HEAD and Last-Event-ID",
        "Pages of other origins",
        _preflight,
    ),
    Check(
        "cors.exposed", "every answer lets such a page read it", "Pages of other origins", _exposed
    ),
    Check(
        "cors.refused",
        "without leave for other origins OPTIONS is a 405",
        "Pages of other origins",
        _refused,
    ),
)
