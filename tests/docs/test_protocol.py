"""docs/protocol.md, held to the code: its tables are read and compared, so that it can't rot."""

import importlib
import json
import re
import stat
import struct
import zlib
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests.helpers import pages
from tests.helpers.fakes import FakeRecords, make_app
from tests.metrics.test_families import NUMBERED, known
from tests.web.test_app import HEADER
from trio_mpu import formats
from trio_mpu.fanout.snapshot import Snapshot
from trio_mpu.formats import Notation, Origin
from trio_mpu.history import mcap, ros_messages
from trio_mpu.history.reader import Settings
from trio_mpu.metrics import counters
from trio_mpu.metrics.counters import COUNTERS
from trio_mpu.metrics.families import families
from trio_mpu.metrics.histograms import BOUNDS_S
from trio_mpu.record import LEDGER, MAX_CAPACITY, MIN_CAPACITY, Header, Record, State, oldest_seq
from trio_mpu.ring import MAX_RECORDS_A_HOLD, RingWriter
from trio_mpu.sample import AXES, Flag, Gap
from trio_mpu.server.follower import CHECK_S
from trio_mpu.shm import layout, semaphore
from trio_mpu.shm.doorbell import BELLS, address
from trio_mpu.web import cors, history
from trio_mpu.web.answer import Answer
from trio_mpu.web.page import Page
from trio_mpu.web.pieces import Pieces
from trio_mpu.web.request import NOTATION, Request
from trio_mpu.web.routes import ROUTES

ROOT: Final = Path(__file__).parents[2]
TEXT: Final = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")

MARK: Final = re.compile(r'^# Bound "([^"]+)"\.\n(\w+): Final = ', re.MULTILINE)
TYPES: Final = {"u32": "I", "u64": "Q", "i64": "q", "f32": "f", "u64[16]": "16Q", "text": "s"}
RECORD: Final = Record(
    *(7, -5, 1_700_000_000_123_456_789, 1.5, -2.25, 0.5, 100.0, -200.0, 300.0, 25.125, 6, 9),
    *(0.5, -0.5, 0.25, -0.75),
)
ORIGIN: Final = Origin(0x1234, "test")
GAP: Final = Gap(3, 7, 3, "lapped")


table: Final = partial(pages.table, TEXT)


def column(heading: str, name: str) -> list[str]:
    """One column of a table, without the marks of code."""
    return [row[name].strip("`") for row in table(heading)]


def decode(buffer: bytes | bytearray, row: dict[str, str], base: int = 0) -> object:
    """The field of a row, read as a program does that knows nothing but this page."""
    kind, offset, size = row["type"], base + int(row["offset"]), int(row["size"])
    form = f"={size}s" if kind == "text" else f"={TYPES[kind]}"
    assert struct.calcsize(form) == size
    values = struct.unpack_from(form, buffer, offset)
    if kind == "text":
        return values[0].rstrip(b"\0").decode()
    return values if len(values) > 1 else values[0]


def assert_no_overlap(rows: list[dict[str, str]], room: int) -> None:
    end = 0
    for row in rows:
        kind, offset, size = row["type"], int(row["offset"]), int(row["size"])
        assert offset >= end
        assert kind == "text" or offset % struct.calcsize(TYPES[kind][-1]) == 0
        end = offset + size
    assert end <= room


def test_the_constants_of_the_segment_are_those_of_the_code() -> None:
    """Magic number, version, sizes and limits."""
    rows = table("The segment")
    assert {row["constant"].strip("`"): int(row["value"], 0) for row in rows} == {
        "MAGIC": layout.MAGIC,
        "VERSION": layout.VERSION,
        "HEADER_BYTES": layout.HEADER_BYTES,
        "RECORD_BYTES": layout.RECORD_BYTES,
        "MIN_CAPACITY": MIN_CAPACITY,
        "MAX_CAPACITY": MAX_CAPACITY,
    }


def test_every_header_field_is_found_where_the_page_says() -> None:
    """A header that the code has filled is decoded by the page's offsets, sizes and types."""
    buffer = bytearray(layout.segment_bytes(5))
    layout.lay_out(buffer, 5, 0x1122334455667788)
    numbers = ("head", "period_ns", "heartbeat_ns", "started_ns", "first", "attitude_resets")
    for value, name in enumerate(numbers, start=3):
        layout.put(buffer, name, value << 40)
    layout.put(buffer, "state", State.STOPPED)
    layout.put(buffer, "producer", 101, 102 << 40)
    layout.put(buffer, "holder", 103, 104 << 40)
    layout.put_ledger(buffer, {name: place << 40 for place, name in enumerate(LEDGER, start=1)})
    for name in ("source", "chip", "calibration"):
        layout.put_text(buffer, name, f"{name} ü")
    header = layout.read_header(buffer)
    rows = table("Header")
    found = {row["field"].strip("`"): decode(buffer, row) for row in rows}
    assert {name.partition(".")[0] for name in found} == {
        *("magic", "version", "header_bytes", "record_bytes"),
        *Header._fields,
    }
    assert (found["magic"], found["version"]) == (layout.MAGIC, layout.VERSION)
    assert found["header_bytes"] == layout.HEADER_BYTES
    assert found["record_bytes"] == layout.RECORD_BYTES
    assert (found["producer.pid"], found["producer.start"]) == header.producer == (101, 102 << 40)
    assert (found["holder.pid"], found["holder.start"]) == header.holder == (103, 104 << 40)
    assert found["ledger"] == (*header.ledger.values(), *[0] * (16 - len(LEDGER)))
    for name in set(found) & set(Header._fields) - {"ledger"}:
        assert found[name] == getattr(header, name)
    assert_no_overlap(rows, layout.HEADER_BYTES)


def test_each_header_field_is_as_long_as_the_page_says() -> None:
    """Overlong texts fill their fields, and not a byte more."""
    for row in table("Header"):
        if row["type"] == "text":
            buffer = bytearray(layout.HEADER_BYTES)
            layout.put_text(buffer, row["field"].strip("`"), "x" * layout.HEADER_BYTES)
            assert decode(buffer, row) == "x" * int(row["size"])
            assert buffer.count(b"x") == int(row["size"])


def test_every_record_field_is_found_where_the_page_says() -> None:
    """A slot that the code has filled is decoded by the page's offsets, sizes and types."""
    capacity = 5
    buffer = bytearray(layout.segment_bytes(capacity))
    layout.put_record(buffer, capacity, RECORD)
    rows = table("Record")
    base = 1024 + (RECORD.seq % capacity) * layout.RECORD_BYTES
    found = {row["field"].strip("`"): decode(buffer, row, base) for row in rows}
    assert found.pop("check") == zlib.crc32(buffer[base : base + 92])
    assert found == RECORD._asdict()
    assert_no_overlap(rows, layout.RECORD_BYTES)


@pytest.mark.parametrize(
    ("head", "capacity", "first"),
    [(0, 4, 1), (3, 4, 1), (4, 4, 1), (9, 4, 1), (99, 2, 1), (9, 4, 7), (9, 4, 8), (9, 4, 10)],
)
def test_the_formula_of_the_oldest_record_is_that_of_the_code(
    head: int, capacity: int, first: int
) -> None:
    """The page's formulas are evaluated as they stand there."""
    formula = re.search(r"oldest = (.+)", TEXT)
    assert formula
    names = {"max": max, "head": head, "capacity": capacity, "first": first}
    assert eval(formula[1], names) == oldest_seq(head, capacity, first)  # noqa: S307 - our own page
    assert f"min(head, start + {MAX_RECORDS_A_HOLD - 1})" in TEXT


def test_flags_states_and_ledger_are_those_of_the_code() -> None:
    """Names and numbers, all of them and in order."""
    rows = table("Flags")
    assert {row["name"].strip("`").upper(): int(row["value"]) for row in rows} == {
        str(flag.name): flag.value for flag in Flag
    }
    assert all(1 << int(row["bit"]) == int(row["value"]) for row in rows)
    assert {row["name"].strip("`").upper(): int(row["value"]) for row in table("State")} == {
        state.name: state.value for state in State
    }
    places = [(int(row["place"]), row["name"].strip("`")) for row in table("Ledger")]
    assert places == list(enumerate(LEDGER))


def test_names_and_bells_are_those_of_the_code() -> None:
    """What a program opens, and what it binds."""
    names = [row["POSIX name"].strip("`") for row in table("1. The ring")]
    assert names == ["/NAME", semaphore.semaphore_name("NAME"), ""]
    paths = [row["on Linux"].strip("`") for row in table("1. The ring")][:2]
    assert paths[0] == f"/dev/shm{names[0]}"
    assert paths[1] == f"/dev/shm/sem.{names[1][1:]}"
    bell = re.search(r'"\\0" "([^"]+)" NAME "/" (%016x) "/" N', TEXT)
    assert bell
    assert address("NAME", 0xABC, 5) == "\0" + bell[1] + "NAME/" + bell[2] % 0xABC + "/5"


def bounds() -> list[dict[str, str]]:
    return [*table("Bounds of the ring"), *table("Bounds of the server")]


def test_the_bounds_are_those_of_the_code() -> None:
    """All constants that are marked as bounds, and no others, with their values."""
    rows = {row["bound"].replace("`", ""): float(row["value"]) for row in bounds()}
    assert rows == marked_bounds()
    assert len(rows) > 40


def marked_bounds() -> dict[str, float]:
    """The constants right below a comment of the form: Bound "NAME"."""
    found = {}
    for path in (ROOT / "trio_mpu").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for bound, name in MARK.findall(path.read_text(encoding="utf-8")):
            assert bound not in found
            found[bound] = float(getattr(importlib.import_module(module), name))
    return found


def test_every_bound_is_counted_by_a_counter_that_exists() -> None:
    """The last column of the tables names counters of the server or of the ledger."""
    named = {name for row in bounds() for name in re.findall(r"`(\w+)`", row["counted by"])}
    assert named
    assert named <= {*COUNTERS, *LEDGER}


def test_the_counters_are_those_of_the_code() -> None:
    """Names and meanings, all of them and in order."""
    rows = {row["counter"].strip("`"): row["counts"] for row in table("Counters")}
    assert list(rows.items()) == list(COUNTERS.items())


def test_the_metrics_are_those_of_the_code() -> None:
    """Names, types, labels and meanings, all of them and in order; a counter that is by itself has
    its row under Counters."""
    shown = []
    for family in families(known()):
        name = family.name.removeprefix("trio_mpu_")
        if name in COUNTERS or name.removeprefix("producer_") in {*LEDGER, "attitude_resets"}:
            continue
        labels = dict.fromkeys(label for sample in family.samples for label in sample.labels)
        suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
        listed = " ".join(f"`{label}`" for label in labels)
        shown.append((f"`{name}{suffix}`", family.type, listed, family.documentation))
    assert [tuple(row.values()) for row in table("Other metrics")] == shown


def test_the_counters_with_a_label_are_those_of_the_code() -> None:
    """The same numbers, whatever they are called."""
    with_label = {}
    for family in families(known()):
        for sample in family.samples:
            if family.name.removeprefix("trio_mpu_") in ("refusals", "gaps", "samples_lost"):
                ((label, value),) = sample.labels.items()
                name = sample.name.removeprefix("trio_mpu_")
                with_label[f"`{name}`", f'`{label}="{value}"`'] = sample.value
    rows = table("Counters with a label")
    numbers = [NUMBERED[row["counter"].strip("`")] for row in rows]
    labelled = [(row["metric"], row["label"]) for row in rows]
    assert dict(zip(labelled, numbers, strict=True)) == with_label


def test_the_buckets_are_those_of_the_code() -> None:
    """As the sentence lists them."""
    sentence = TEXT.partition("The buckets end\n")[2].partition(" s.")[0]
    assert [float(bound) for bound in re.findall(r"[\d.]+", sentence)] == [*BOUNDS_S]


SNAPSHOT: Final = Snapshot("ok", "", ORIGIN, RECORD, RECORD[3:10])


def replied(
    path: str,
    query: dict[str, str] | None = None,
    snapshot: Snapshot = SNAPSHOT,
    header: Header | None = None,
) -> Answer:
    """The complete answer to a request for a path."""
    app = make_app(FakeRecords(), Page.of({"index.html": b"", "app.js": b""}))
    app.hub.snapshot, app.hub.header = snapshot, header
    try:
        answer = app.respond(Request("GET", path, query or {}))
    finally:
        app.close()
    if isinstance(answer, Answer):
        return answer
    # One that is awaited has its type from its own table.
    return Answer(200, b"", answer.content_type if isinstance(answer, Pieces) else "")


def test_every_path_is_answered_and_no_other() -> None:
    """The table of paths against that of the code, with the content types."""
    for row in table("Paths"):
        answer = replied(row["path"].strip("`"))
        assert answer.status == 200
        if row["type"] != "by `format`":
            assert answer.content_type.startswith(row["type"].strip("`"))
    assert ROUTES.keys() == set(column("Paths", "path")) - {"/"}


def test_every_parameter_is_listed_with_its_path() -> None:
    """And no other."""
    for row in table("Paths"):
        listed = re.findall(r"`(\w+)`", row["parameters"])
        if "other names" in row["parameters"]:
            names = TEXT.partition("The id is taken from the header")[2].partition(":")[0]
            listed = [*re.findall(r"`([\w-]+)`", names)[1:], *listed[1:]]
        route = ROUTES.get(row["path"].strip("`"))
        assert listed == list(route.parameters if route else ())


def test_every_status_is_answered_as_the_page_says() -> None:
    """The stream's status decides on the status code of /json and /healthz."""
    for row in table("Status"):
        status = row["status"].strip("`")
        snapshot = SNAPSHOT._replace(status=status)
        if status == "waiting":
            snapshot = snapshot._replace(record=None)
        for path in ("/json", "/healthz"):
            assert replied(path, snapshot=snapshot).status == int(row[f"`{path}`"]), (status, path)


def test_the_json_object_has_the_keys_of_the_page_in_order() -> None:
    """Of a sample and of a gap, with their types."""
    text = formats.sample_json(RECORD, RECORD[3:10], ORIGIN, gap=GAP, ledger=dict)
    found = json.loads(text)
    assert list(found) == column("A sample", "key")
    assert list(found["gap"]) == column("Gap", "key")
    assert list(found["sample"]) == list(found["average"]) == list(AXES)
    types = {
        "string": str,
        "object": dict,
        "integer": int,
        "number": float,
        "array": list,
    }
    for row in table("A sample"):
        assert type(found[row["key"].strip("`")]) is types[row["type"]]


def test_verbose_adds_the_keys_of_the_page() -> None:
    """The ledger with all its names, and the device with its own."""
    header = HEADER._replace(ledger=dict.fromkeys(LEDGER, 0))
    answer = replied("/json", {"verbose": "1"}, header=header)
    more = json.loads(answer.body)
    assert [key for key in more if key not in column("A sample", "key")] == column("More", "key")
    section = TEXT.partition("### Ledger in JSON\n")[2].partition("\n### ")[0]
    named = [line for line in section.splitlines() if line.startswith("`")]
    assert re.findall(r"`(\w+)`", " ".join(named)) == [*counters.LEDGER]
    assert list(more["ledger"]) == [*LEDGER, *counters.LEDGER]
    assert re.findall(r"`(\w+)`", table("More")[1]["meaning"]) == list(more["device"])


def test_the_reasons_of_gaps_are_those_of_the_code() -> None:
    """Gap's own documentation names them."""
    section = TEXT.partition("### Gap\n")[2]
    named = set(
        re.findall(r"^\| `(\w+)` \| [^|]+ \|$", section.partition("\n## ")[0], re.MULTILINE)
    )
    known = re.findall(r"`(lapped|slow|restart|device|store)`", str(Gap.__doc__))
    assert named == set(known)


def test_history_has_the_formats_and_columns_of_the_page() -> None:
    """CSV in this order, JSON with these keys."""
    assert tuple(column("History", "parameter")) == (
        "format",
        "since",
        "from",
        "to",
        "seconds",
        "limit",
        "points",
        "iso`, `units`, `attitude",
    )
    takes = table("History")[0]["takes"]
    assert re.findall(r"`(\w+)`", takes) == list(history.TYPES)
    section = TEXT.partition("A row has these columns")[2]
    columns = re.findall(r"^\| `(\w+)` ", section.partition("\n##")[0], re.MULTILINE)
    assert tuple(columns) == formats.COLUMNS
    row = json.loads(formats.row_json(RECORD, ORIGIN, GAP))
    assert list(row) == ["seq", "id", *columns[1:], "gap"]


def test_the_attitude_has_the_keys_and_columns_of_the_page() -> None:
    """In this order, also in SI units."""
    section = TEXT.partition("### Attitude\n")[2].partition("\n### ")[0]
    row = json.loads(formats.row_json(RECORD, ORIGIN, GAP, Notation(attitude=True)))
    assert list(row)[-2:] == ["attitude", "gap"]
    assert column("Attitude", "key") == list(row["attitude"])
    listed, _, in_si = section.partition("no attitude.\n\n")[2].partition("\n\n")[0].partition("(")
    columns = Notation(attitude=True).columns[len(formats.COLUMNS) :]
    assert tuple(re.findall(r"`(\w+)`", listed)) == columns
    columns = Notation(si=True, attitude=True).columns[len(formats.COLUMNS) :]
    assert columns[-1] == "units"
    assert re.findall(r"`(\w+)`", in_si) == list(columns[7:-1])


def test_mcap_has_the_topics_types_and_fields_of_the_page() -> None:
    """All of them and in order; the types of ROS have their fields from ROS."""
    rows = table("MCAP")
    assert {row["topic"].strip("`"): row["type"].strip("`") for row in rows} == mcap.TOPICS
    for row in rows[2:]:
        definition = ros_messages.DEFINITIONS[row["type"].strip("`")].decode()
        fields = re.findall(r"^\w+ (\w+)$", definition, re.MULTILINE)
        assert re.findall(r"`(\w+)`", row["what it has"]) == fields
    section = TEXT.partition("## MCAP\n")[2].partition("\n## ")[0]
    assert {*re.findall(r"`(\w+)`", section)} >= {*Settings._fields}
    assert f"({ros_messages.UNKNOWN}: unknown)" in section
    assert f"`frame_id` is `{ros_messages.FRAME_ID}`" in section


def test_other_origins_get_the_headers_of_the_page() -> None:
    """Those that their scripts may read, and those that they may send."""
    section = TEXT.partition("## Pages of other origins\n")[2].partition("\n## ")[0]
    readable, _, sendable = section.partition("OPTIONS is answered")
    exposed = dict(cors.headers("*"))["Access-Control-Expose-Headers"]
    assert re.findall(r"`([A-Z][\w-]+)`", readable) == exposed.split(", ")
    allowed = dict(cors.preflight().headers)["Access-Control-Allow-Headers"]
    assert re.findall(r"`([A-Z][\w-]+)`", sendable) == allowed.split(", ")


def test_other_notations_have_the_parameters_and_names_of_the_page() -> None:
    """Both of the values' names, in pairs."""
    section = TEXT.partition("### Other notations\n")[2].partition("\n### ")[0]
    parameters = re.findall(r"^\| `(\w+)` \| `\w+` \| [^|`]", section, re.MULTILINE)
    assert {*parameters, "iso"} == {*NOTATION}
    pairs = re.findall(r"^\| ((?:`\w+` ){3})\| ((?:`\w+` ){3})\|", section, re.MULTILINE)
    columns = [re.findall(r"\w+", " ".join(pair)) for pair in zip(*pairs, strict=True)]
    assert columns == [[*AXES[:6]], [*formats.SI_NAMES[:6]]]
    assert formats.SI_NAMES[6] == AXES[6]
    assert str(formats.STANDARD_GRAVITY) in section


def test_the_c_example_has_the_constants_of_the_code() -> None:
    """examples/ring_reader.c repeats some of them."""
    source = (ROOT / "examples" / "ring_reader.c").read_text(encoding="utf-8")
    numbers = dict(re.findall(r"\b([A-Z_]+) = ([\w <]+)[,} ]", source))
    numbers |= dict(re.findall(r"#define (\w+) ([\d.]+)", source))
    magic = re.search(r"MAGIC UINT64_C\((\w+)\)", source)
    assert magic
    assert int(magic[1], 16) == layout.MAGIC
    constants = {
        "VERSION": layout.VERSION,
        "HEADER_BYTES": layout.HEADER_BYTES,
        "RECORD_BYTES": layout.RECORD_BYTES,
        "BELLS": BELLS,
        "RECOVER_AFTER_S": semaphore.RECOVER_AFTER_S,
        "PATIENCE_S": semaphore.PATIENCE_S,
        "CHECK_S": CHECK_S,
    }
    assert {name: float(numbers[name]) for name in constants} == constants
    assert int(numbers["BATCH"]) == MAX_RECORDS_A_HOLD


async def test_names_and_modes_are_those_of_a_real_ring(ring_name: str) -> None:
    """What the page says of the two files is true of a ring that was just made."""
    writer = await RingWriter.open(ring_name, 4)
    writer.close()
    for row in table("1. The ring")[:2]:
        path = Path(row["on Linux"].strip("`").replace("NAME", ring_name))
        assert stat.S_IMODE(path.stat().st_mode) == int(row["mode"], 8)
