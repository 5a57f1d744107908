"""What other programs make of a recording is played right or refused, and never understood wrongly.

Each file is what the program writes, as its text; most of these programs are not needed here.
"""

import csv
import io
import json
import os
import random
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from trio.testing import MockClock

from tests.helpers.fake_devices import number, one_line
from tests.helpers.recordings import as_csv, as_events, as_json, as_ndjson, records
from trio_mpu.errors import DeviceError, EndOfReplay, UsageError
from trio_mpu.formats import COLUMNS, Notation
from trio_mpu.sample import AXES, Flag, Sample, checked
from trio_mpu.sensors.replay.device import Replay
from trio_mpu.sensors.replay.options import Options
from trio_mpu.sensors.replay.recording import Recording
from trio_mpu.sensors.replay.rows import Row
from trio_mpu.sensors.replay.text import MAX_DOCUMENT_BYTES

SEQS: Final = (11, 12, 15, 16, 17, 18)
RECORDED: Final = [
    record._replace(flags=Flag.SIMULATED | Flag.CLIPPED if record.seq == 16 else 0)
    for record in records(*SEQS)
]
# Time after the first, number by its ax, flags without REPLAYED, lost.
WHOLE: Final = [
    ((seq - 11) * 10**7, seq, 9 if seq == 16 else 2 if seq == 15 else 0, 2 * (seq == 15))
    for seq in SEQS
]
CSV: Final = as_csv(RECORDED)
NDJSON: Final = as_ndjson(RECORDED)
SI_CSV: Final = as_csv(RECORDED, notation=Notation(iso=True, si=True))
ROWS: Final = [dict(zip(COLUMNS, row, strict=True)) for row in csv.reader(CSV.splitlines()[1:])]
OBJECTS: Final[list[dict[str, Any]]] = [json.loads(line) for line in NDJSON.splitlines()]
PYTHON: Final = re.compile(
    "Error|invalid literal|NoneType|Traceback|could not convert|object has no|codec|Decimal"
)


def table(
    rows: Sequence[dict[str, str]] = ROWS,
    names: Sequence[str] = COLUMNS,
    change: Callable[[str, str], str] = lambda _, cell: cell,
    **form: Any,  # noqa: ANN401 - whatever csv.writer takes
) -> str:
    """The recording as a table of another form, each cell changed."""
    file = io.StringIO()
    writer = csv.writer(file, **{"lineterminator": "\n", **form})
    writer.writerow(names)
    writer.writerows([[change(name, row.get(name, "")) for name in names] for row in rows])
    return file.getvalue()


def comma(name: str, cell: str) -> str:
    """As in the countries with a decimal comma."""
    return cell.replace(".", ",") if name in ("time", *AXES) else cell


def as_float(name: str, cell: str) -> str:
    """As a data frame writes whole numbers once one of them was missing."""
    return f"{cell}.0" if name in ("seq", "t_ns", "lost") else cell


def rounded(name: str, cell: str) -> str:
    """As Excel shows a wide number, and saves it."""
    return f"{float(cell):.5E}".replace(".00000E", "E") if name == "t_ns" else cell


def indexed(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{"": str(n), **row} for n, row in enumerate(rows)]


def without(names: Sequence[str]) -> list[str]:
    return [name for name in COLUMNS if name not in names]


POWERSHELL: Final = table(quoting=csv.QUOTE_ALL, lineterminator="\r\n")
PLAYED: Final[dict[str, str | bytes]] = {
    "our CSV": CSV,
    "our NDJSON": NDJSON,
    "our JSON": as_json(RECORDED),
    "our /events": as_events(RECORDED),
    "/events without its other lines (grep ^data)": "".join(
        f"{line}\n" for line in as_events(RECORDED).splitlines() if line.startswith("data:")
    ),
    "LibreOffice: semicolons, decimal commas": table(change=comma, delimiter=";"),
    "LibreOffice: quotes around everything": table(quoting=csv.QUOTE_ALL),
    "LibreOffice: UTF-16": table().encode("utf-16"),
    "Excel: CSV UTF-8, byte-order mark": table(lineterminator="\r\n").encode("utf-8-sig"),
    "Excel: Unicode text, tabs": table(delimiter="\t", lineterminator="\r\n").encode("utf-16"),
    "Excel: semicolons after sep=;": "sep=;\r\n" + table(delimiter=";", lineterminator="\r\n"),
    "Excel: t_ns rounded to 5E+12": table(change=rounded),
    "Excel for Mac: lines that end in CR": table(lineterminator="\r"),
    "a comma in quotes as decimal mark": table(change=comma),
    "columns in another order, some more": table(names=["note", *reversed(COLUMNS), "x"]),
    "without source and lost": table(names=without(["source", "lost"])),
    "without t_ns": table(names=without(["t_ns"])),
    "pandas: index column": table(indexed(ROWS), ["", *COLUMNS]),
    "pandas: floats for whole numbers": table(change=as_float),
    "pandas: lists as text": table(
        change=lambda name, cell: str(cell.split("+") if cell else []) if name == "flags" else cell
    ),
    "pandas: to_csv(sep=tab)": table(delimiter="\t"),
    "pandas: to_json(orient=records, lines=True)": "".join(
        json.dumps({**row, "flags": row["flags"] or None, "gap": row.get("gap")}) + "\n"
        for row in OBJECTS
    ),
    "pandas: to_json(orient=records)": json.dumps(OBJECTS),
    "pandas: the CSV as lines of JSON": "".join(
        json.dumps({**row, "lost": 2 if row["seq"] == "15" else 0, "flags": row["flags"] or None})
        + "\n"
        for row in ROWS
    ),
    "pandas: to_json()": json.dumps(
        {name: {str(n): row.get(name) for n, row in enumerate(OBJECTS)} for name in OBJECTS[0]}
    ),
    "R: row names, NA for nothing": table(
        [
            {"": str(n), **{name: cell or "NA" for name, cell in row.items()}}
            for n, row in enumerate(ROWS)
        ],
        ["", *COLUMNS],
        quoting=csv.QUOTE_NONNUMERIC,
    ),
    "empty rows of a spreadsheet": table([*ROWS, {}, {}]),
    "PowerShell: Export-Csv, UTF-16": ("#TYPE System.Object\r\n" + POWERSHELL).encode("utf-16"),
    "PowerShell: curl > file, UTF-16": CSV.replace("\n", "\r\n").encode("utf-16"),
    "PowerShell: NDJSON in UTF-16": NDJSON.replace("\n", "\r\n").encode("utf-16"),
    "PowerShell: ConvertTo-Json": json.dumps(
        {
            "generation": "0000000000c0ffee",
            "samples": [{**row, "flags": " ".join(row["flags"]), "gap": "@{}"} for row in OBJECTS],
        },
        indent=4,
    ),
    "jq . of our JSON": json.dumps(json.loads(as_json(RECORDED)), indent=2),
    "jq . of our NDJSON": "".join(json.dumps(row, indent=2) + "\n" for row in OBJECTS),
    "jq -c .samples": json.dumps(OBJECTS, separators=(",", ":")),
    "jq -c with some keys only": "".join(
        json.dumps({name: row[name] for name in ("seq", "t_ns", *AXES, "flags")}) + "\n"
        for row in OBJECTS
    ),
    "head -5 of our JSON, and its end": as_json(RECORDED).removesuffix("\n]}\n") + ",\n",
    "tail -n 6: no header": "".join(CSV.splitlines(keepends=True)[1:]),
    "no header, LibreOffice's semicolons": "".join(
        table(change=comma, delimiter=";").splitlines(keepends=True)[1:]
    ),
    "the same file twice (cat)": CSV + CSV,
    "the same NDJSON line twice": "".join(line * 2 for line in NDJSON.splitlines(keepends=True)),
    "iso=1 and units=si: CSV": SI_CSV,
    "iso=1 and units=si: NDJSON": as_ndjson(RECORDED, notation=Notation(iso=True, si=True)),
    "iso=1 and units=si: /events": as_events(RECORDED, notation=Notation(iso=True, si=True)),
    "iso=1 without t_ns": table(
        list(csv.DictReader(io.StringIO(as_csv(RECORDED, notation=Notation(iso=True))))),
        without(["t_ns"]),
    ),
    "iso=1 without a header": "".join(
        as_csv(RECORDED, notation=Notation(iso=True)).splitlines(keepends=True)[1:]
    ),
    "units=si, LibreOffice's decimal commas": table(
        [
            {name: cell.replace(".", ",") for name, cell in row.items()}
            for row in csv.DictReader(io.StringIO(as_csv(RECORDED, notation=Notation(si=True))))
        ],
        Notation(si=True).columns,
        delimiter=";",
    ),
    "m/s² after g in the same file twice (cat)": CSV + SI_CSV,
    "UTF-32": CSV.encode("utf-32"),
    "curl -i: with the head of the answer": (
        f"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\n\r\n{CSV}"
    ),
    "UTF-16 without a mark": CSV.encode("utf-16-le"),
    "CRLF and empty lines": CSV.replace("\n", "\r\n\r\n"),
}


async def play(path: Path) -> tuple[list[Sample], list[str]]:
    """All samples of a recording, and all errors."""
    player = Replay(Options(str(path)))
    samples, errors = list[Sample](), list[str]()
    while True:
        try:
            samples += await player.read()
        except EndOfReplay:
            await player.aclose()
            return samples, errors
        except DeviceError as error:
            errors.append(one_line(error))
            assert not PYTHON.search(errors[-1])


def facts(samples: Sequence[Sample]) -> list[tuple[int, int, int, int]]:
    """What WHOLE has of each sample, and that each is marked as replayed."""
    assert all(taken.flags & Flag.REPLAYED for taken in samples)
    return [
        (taken.t_ns - samples[0].t_ns, number(taken.ax), taken.flags & ~Flag.REPLAYED, taken.lost)
        for taken in samples
    ]


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("name", PLAYED)
async def test_what_programs_make_of_a_recording_is_played_right(
    name: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The same values at the same distances, with the same flags and gaps, and no error."""
    samples, errors = await play(written(tmp_path / "recording", PLAYED[name]))
    assert errors == []
    found = facts(samples)
    expected = WHOLE
    if "twice (cat)" in name:
        seam = found[6][0]
        assert seam == WHOLE[-1][0] + 10**7
        again = [(t_ns + seam, *rest) for t_ns, *rest in WHOLE]
        expected = [*WHOLE, (seam, WHOLE[0][1], Flag.DEVICE_GAP, 0), *again[1:]]  # type: ignore[list-item]
    assert found == expected


def sorted_by(key: Callable[[str], int | str]) -> str:
    """A recording whose rows a program has put into another order."""
    header, *rows = as_csv(records(*range(1, 41))).splitlines()
    return "\n".join([header, *sorted(rows, key=key), ""])


# What is wrong, or the columns that a file lacks.
FOREIGN: Final[dict[str, tuple[str | bytes, str]]] = {
    "empty": ("", "is empty"),
    "empty lines": ("\n\r\n", "is empty"),
    "only a byte-order mark": ("\ufeff", "is empty"),
    "only what Excel puts before a header": ("sep=;\r\n", "its first line is 'sep=;'"),
    "only a header": (CSV.splitlines()[0] + "\n", "it has no rows"),
    "binary": (bytes(range(256)) * 50, "it is not text"),
    "zeros": (b"\0" * 10**6, "it is not text"),
    "a shell script": ("#!/bin/sh\nexit\n", "its first line is '#!/bin/sh'; wanted is a header"),
    "a spreadsheet's own file": (b"PK\x03\x04" + bytes(range(256)), "save it as CSV"),
    "gzip": (b"\x1f\x8b\x08" + bytes(100), "its compressed data is damaged"),
    "an HTTP error page": ("<!DOCTYPE html>\n<html>", "its first line is '<!DOCTYPE html>'"),
    "our JSON of an error": ('{"status":"no sample yet"}\n', "its first object has the keys"),
    "window means": (
        (
            'data: {"status":"ok","sample":{"ax":0,"ay":0,"az":1,"gx":0,"gy":0,"gz":0,"temp":20},'
            '"seq":1,"time":5.0,"t_ns":5,"flags":[],"n":10}\n\n'
        ),
        "made with rate=",
    ),
    "someone else's stream": ('data: {"price":1}\n\n', "its first object has the keys"),
    "someone else's NDJSON": ('{"t":1,"accel":[0,0,1]}\n' * 5, "the keys 't', 'accel'; wanted"),
    "brackets": ("[" * 10**5, "no object of JSON"),
    "braces": ("{" * 10**5, "no object of JSON"),
    "Arduino, Adafruit's library": ("12,0.12,0.31,9.79,0.01,0.02,0.00\n" * 50, "wanted"),
    "i2cdevlib, raw counts": ("a/g:\t124\t-320\t16384\t12\t-4\t0\n" * 50, "wanted"),
    "OpenLog Artemis": (
        (
            "rtcDate,rtcTime,aX,aY,aZ,gX,gY,gZ,mX,mY,mZ,imu_degC,output_Hz,\n"
            "01/02/2024,10:11:12.13,1.2,3.4,998.1,0.1,0.2,0.3,1,2,3,25.1,99.9,\n"
        ),
        "its first line is 'rtcDate,rtcTime,aX",
    ),
    "phyphox": (
        '"Time (s)","Acceleration x (m/s^2)","Acceleration y (m/s^2)"\n0.1,0.2,9.8\n',
        '\'"Time (s)"',
    ),
    "phyphox, decimal commas": ('"Time (s)";"Acceleration x (m/s^2)"\n"0,1";"9,8"\n', "wanted"),
    "WitMotion": (
        "Time,AccX(g),AccY(g),AccZ(g),AsX(°/s),AsY(°/s),AsZ(°/s)\n10:11:12.131,0,0,1,0,0,0\n",
        "'Time,AccX(g)",
    ),
    "EuRoC": (
        (
            "#timestamp [ns],w_RS_S_x [rad s^-1],w_RS_S_y [rad s^-1],w_RS_S_z [rad s^-1],"
            "a_RS_S_x [m s^-2],a_RS_S_y [m s^-2],a_RS_S_z [m s^-2]\n"
            "1403636579758555392,-0.09,0.1,0.02,8.1,-0.3,-2.3\n"
        ),
        "its first line is '#timestamp [ns]",
    ),
    "PicoQuake": ("# Device: X\n# Rate: 100\ncount,a_x,a_y,a_z,g_x,g_y,g_z\n1,0,0,1,0,0,0\n", "#"),
    "Android": ("time,gFx,gFy,gFz,wx,wy,wz\n0.01,0.0,0.1,1.0,0,0,0\n", "has no seq, ax"),
    "a data set with labels": (
        "time,ax,ay,az,gx,gy,gz,label\n1,0,0,9.8,0,0,0,walk\n",
        "no seq, temp",
    ),
    "seven axes, but no number": ("time,ax,ay,az,gx,gy,gz,temp\n1,0,0,9.8,0,0,0,21\n", "no seq"),
    "a numbered log, in m/s² and rad/s": (
        "seq,time,ax,ay,az,gx,gy,gz,temp\n"
        + "".join(f"{n},{n / 100},0.1,0.2,9.8,0.01,0.02,0.03,21\n" for n in range(50)),
        "its header 'seq,time,ax,ay,az,gx,gy,gz,temp' has no flags; wanted",
    ),
    "the same as NDJSON": (
        '{"seq":1,"time":0.01,"ax":0.1,"ay":0.2,"az":9.8,"gx":0,"gy":0,"gz":0,"temp":21}\n',
        "its first object has the keys 'seq', 'time', 'ax'",
    ),
    "ours, without the flags that say what is simulated": (
        table(names=without(["flags"])),
        "has no flags",
    ),
    "sorted by seq as text": (sorted_by(lambda line: line), "do not rise"),
    "sorted by something else": (sorted_by(lambda line: zlib.crc32(line.encode())), "do not rise"),
    "m/s² without a header": ("".join(SI_CSV.splitlines(keepends=True)[1:]), "wanted is a header"),
    "m/s², and no day": (
        (
            "seq,time,ax_mss,ay_mss,az_mss,gx_rads,gy_rads,gz_rads,temp,flags\n"
            "1,2026-02-30T00:00:00.000000Z,0,0,9.8,0,0,0,20,\n"
        ),
        "time is '2026-02-30T00:00:00.000000Z', which is not a number",
    ),
    "two columns of one name": (
        CSV.replace("source", "ax", 1),
        "two columns named ax",
    ),
    "all times rounded by Excel": (
        table(
            change=lambda name, cell: (
                str(round(float(cell))) if name == "time" else rounded(name, cell)
            )
        ),
        "do not rise",
    ),
    "times rounded to 20 ms": (
        table(
            names=without(["t_ns"]),
            change=lambda n, c: str(int(float(c) * 50) / 50) if n == "time" else c,
        ),
        "do not rise",
    ),
    "newest first": ("\n".join([CSV.splitlines()[0], *CSV.splitlines()[:0:-1], ""]), "do not rise"),
    "pandas: describe()": (
        table(
            [
                {"": n, **dict.fromkeys(COLUMNS, c)}
                for n, c in zip(
                    ("count", "mean", "std", "min", "25%", "50%", "75%", "max"),
                    ("6.0", "1.5", "2.7", "11.0", "12.7", "15.5", "16.7", "18.0"),
                    strict=True,
                )
            ],
            ["", *without(["flags", "source"])],
        ),
        "has no flags",
    ),
    "CSV and NDJSON in one file": (CSV + NDJSON, "most of its rows can't be read: line 1"),
    "no header, one column less": (
        "".join(line.rpartition(",")[0] + "\n" for line in CSV.splitlines()[1:]),
        "wanted",
    ),
    "no header, an unknown flag": (
        CSV.partition("\n")[2].replace("clipped", "tomorrow"),
        "wanted",
    ),
    "no header, numbers that do not rise": (CSV.partition("\n")[2] * 2, "wanted"),
    "no header, a seq that does not rise": (
        re.sub(r"(?m)^\d+", "7", CSV.partition("\n")[2]),
        "wanted",
    ),
    "no header, axes in the place of t_ns": (
        "".join(
            ",".join((row["seq"], row["ax"], row["time"], *list(row.values())[3:])) + "\n"
            for row in ROWS
        ),
        "wanted",
    ),
    "a number that no chip gives": (
        table(change=lambda n, c: "19.6" if n == "az" else c),
        "az = 19.6",
    ),
    "tail -c: the first row is cut, no header": (CSV[-300:], "wanted"),
}


def refusal(path: Path) -> str:
    """Why it can't be played: one line with its name, without a word of Python's."""
    with pytest.raises(UsageError) as caught:
        Replay(Options(str(path)))
    message = one_line(caught.value)
    assert message.startswith((f"{path} is no recording: ", "can't read the recording"))
    assert not PYTHON.search(message)
    return message


@pytest.mark.parametrize("name", FOREIGN)
async def test_everything_else_is_refused_at_the_start(name: str, tmp_path: Path) -> None:
    """In one line that says what was found and, for a table or objects, what is wanted."""
    content, reason = FOREIGN[name]
    message = refusal(written(tmp_path / "log", content))
    assert reason in message
    if any(word in message for word in ("its first", "its header")):
        assert "seq, t_ns or time, ax, ay, az, gx, gy, gz, temp" in message


async def test_foreign_lines_in_the_middle_are_bad_rows(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """A mean among samples, and what a proxy put into a stream; the rest is played."""
    mean = json.dumps({"sample": dict.fromkeys(AXES, 0), "seq": 14, "t_ns": 5, "n": 3})
    stream = as_events(RECORDED).replace(":\n", f"data: {mean}\n\nupstream timed out\n", 1)
    assert stream.count("upstream") == 1
    samples, errors = await play(written(tmp_path / "recording", stream))
    assert [error.rpartition(": ")[2] for error in errors] == [
        "it is the mean of several samples, not a sample",
        "it is no part of an event stream",
    ]
    assert facts(samples) == WHOLE


async def test_one_number_with_another_decimal_mark_is_a_bad_row(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """It may as well have been a thousand."""
    text = CSV.replace(",0.5,", ',"0,5",', 1)
    samples, errors = await play(written(tmp_path / "recording", text))
    assert errors == [f"{tmp_path / 'recording'}: line 2: ay is '0,5', which is not a number"]
    assert [number(taken.ax) for taken in samples] == list(SEQS[1:])


async def test_a_damaged_object_in_a_document_is_one_bad_row(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The objects after it are played."""
    text = PLAYED["jq . of our JSON"]
    assert isinstance(text, str)
    text = text.replace('"seq": 12,', '"seq": ~,')
    samples, errors = await play(written(tmp_path / "recording", text))
    assert errors == [
        f"{tmp_path / 'recording'}: object 2: it is no object of JSON: damaged or cut"
    ]
    assert [number(taken.ax) for taken in samples] == [11, 15, 16, 17, 18]
    assert samples[1].lost == 3


async def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A missing file, a directory, and a pipe, on which the producer would wait for ever."""
    assert "No such file or directory" in refusal(tmp_path / "none")
    assert "not a plain file" in refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "not a plain file" in refusal(tmp_path / "pipe")


async def test_a_large_document_is_refused(tmp_path: Path) -> None:
    """JSON that has to be read as a whole has a bound."""
    path = written(tmp_path / "large", json.dumps(OBJECTS, indent=2))
    os.truncate(path, MAX_DOCUMENT_BYTES + 1)
    assert "more than 64 MB of JSON" in refusal(path)


PIECES: Final = (
    *(
        b"",
        b'"',
        b",",
        b"{",
        b"}",
        b"[",
        b"]",
        b"\n",
        b"\r",
        b"\0",
        b"\xff",
        b"null",
        b"NaN",
        b"1e999",
    ),
    *(
        b"9" * 50,
        b"-",
        b".",
        b":",
        b"\xef\xbb\xbf",
        b'"gap":{"from":1}',
        b'"sample":[]',
        b'"seq":{}',
    ),
)


@pytest.mark.parametrize("name", PLAYED)
def test_a_damaged_file_is_played_or_refused(name: str, tmp_path: Path) -> None:
    """Wherever bytes were changed, lost or moved: no other error, and each message is one line."""
    chance = random.Random(name)
    content = PLAYED[name]
    whole = content if isinstance(content, bytes) else content.encode()
    for _ in range(20):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            place, other = chance.randint(0, len(damaged)), chance.randint(0, len(damaged))
            length = chance.choice((0, 1, 4, 60))
            piece = chance.choice((*PIECES, damaged[other : other + length]))
            damaged[place : place + length] = piece
        errors = list[Exception]()
        try:
            for row in Recording(str(written(tmp_path / "damaged", bytes(damaged)))).rows():
                if isinstance(row, DeviceError):
                    errors.append(row)
                else:
                    assert isinstance(row, Row)
                    checked(row.sample)
        except UsageError as error:
            errors.append(error)
        assert not [error for error in errors if PYTHON.search(one_line(error))]
