"""The command: what it prints, writes and refuses to write."""

import gzip
import io
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.helpers.processes import ROOT, python
from tests.importing import logs
from tests.importing.logs import motion
from trio_mpu.__main__ import import_, run
from trio_mpu.importing import output
from trio_mpu.importing.presets import PRESETS
from trio_mpu.importing.run import run_import
from trio_mpu.options import options_of
from trio_mpu.sample import Flag
from trio_mpu.sensors.replay.recording import Recording
from trio_mpu.sensors.replay.rows import Row
from trio_mpu.settings import ImportSettings

OPTIONS = {
    "time": "ms:ms",
    "accel": "g:ax,ay,az",
    "gyro": "dps:gx,gy,gz",
    "temp": "c:temp",
}


class Folder:
    """A folder with a log, and the import of it."""

    def __init__(self, path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.path, self._capfd = path, capfd
        self.log, self.output = path / "log.csv", path / "ours.csv"
        self.log.write_text(logs.generic(), "utf-8")
        self.out = ""

    def refusal(self, *argv: str, status: int = 1, environ: Mapping[str, str] | None = None) -> str:
        """The one line that says why nothing was written."""
        before = {each.name: each.read_bytes() for each in self.path.iterdir() if each.is_file()}
        assert run(import_, argv, environ or {}) == status
        shown = self._capfd.readouterr()
        self.out = shown.out
        after = {each.name: each.read_bytes() for each in self.path.iterdir() if each.is_file()}
        assert after == before
        [line] = shown.err.splitlines()
        return line.removeprefix("import: ")

    def settings(self, **options: str | bool) -> ImportSettings:
        """Those of a good import, but for these options."""
        values = {"log": str(self.log), "output": str(self.output), **OPTIONS, **options}
        return ImportSettings(**values)  # type: ignore[arg-type]  # a text or a switch

    def imported(self, **options: str | bool) -> list[str]:
        """The lines of a recording; `out` is then what was printed."""
        run_import(self.settings(**options))
        self.out = self._capfd.readouterr().out
        return self.output.read_text("utf-8").splitlines()


@pytest.fixture
def folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Folder:
    return Folder(tmp_path, capfd)


ARGV = [word for name, text in OPTIONS.items() for word in (f"--{name}", text)]


def test_the_recording_has_our_columns_and_says_where_it_is_from(folder: Folder) -> None:
    """What the log has not is 0, and the source says so."""
    header, first, *_ = folder.imported()
    assert header == "seq,time,t_ns,ax,ay,az,gx,gy,gz,temp,flags,lost,source"
    assert first.startswith("1,0.000000,0,")
    assert first.endswith(',25,,0,"import:log.csv"')
    assert folder.output.stat().st_mode & 0o777 == 0o644
    folder.output.unlink()
    _, first, *_ = folder.imported(gyro="none", temp="none")
    assert first.endswith(',0,0,0,0,,0,"import:log.csv (no gyroscope, no temperature)"')


def test_the_recording_plays_with_the_same_values_times_and_gaps(folder: Folder) -> None:
    """Each sample, in the order of the log."""
    lines = folder.log.read_text("utf-8").splitlines(keepends=True)
    folder.log.write_text("".join([*lines[:100], "rubbish\n", *lines[101:150], *lines[160:]]))
    folder.imported()
    rows = [row for row in Recording(str(folder.output)).rows() if isinstance(row, Row)]
    truth = [each for place, each in enumerate(motion()) if place != 99 and not 149 <= place < 159]
    assert [row.sample.t_ns for row in rows] == [each.t_ns for each in truth]
    assert [row.seq for row in rows] == list(range(1, 290))
    for row, each in zip(rows, truth, strict=True):
        expected = (*each.accel, *each.gyro, each.temp)
        assert row.sample[1:8] == pytest.approx(expected, rel=1e-6, abs=1e-6)
    gaps = {row.seq: row.sample.lost for row in rows if row.sample.flags & Flag.DEVICE_GAP}
    assert gaps == {100: 1, 149: 10}
    assert sum(row.sample.lost for row in rows) == 11


def test_what_was_understood_is_printed_before_it_is_written(folder: Folder) -> None:
    """Each line of it."""
    text = folder.log.read_text("utf-8").replace("\n", ",x\n").replace("temp,x", "temp,label")
    lines = ["made by me", *text.splitlines(), "# end", text.splitlines()[0], "1,2", ""]
    folder.log.write_text("\n".join(lines), "utf-8")
    folder.imported()
    layout = "separated by comma, decimal points, header in line 2, lines before it: 1, comments: 1"
    undated = "(no date in the log: see --start)"
    assert folder.out.splitlines() == [
        f"log.csv: 305 lines, {layout}",
        "  time: ms, 1 'ms'",
        "  accelerometer: g, 2 'ax', 3 'ay', 4 'az'",
        "  gyroscope: °/s, 5 'gx', 6 'gy', 7 'gz'",
        "  temperature: °C, 8 'temp'",
        "  columns not used: 9 'label'",
        "  the header stands again in line 304: a gap each",
        "  300 samples, 100 a second (median)",
        f"  from 1970-01-01T00:00:00.000000Z to 1970-01-01T00:00:02.990000Z, 2.99 s {undated}",
        "  left out: 1, the first in line 305: it has 2 columns, not 9",
        "  no gaps",
        "  at rest (lines 53 to 102): 1 g, 1.5 °/s",
        f"written: {folder.output}, 300 samples",
    ]


def test_without_options_the_columns_and_the_presets_that_fit_are_shown(folder: Folder) -> None:
    """Nothing is guessed from them."""
    line = folder.refusal(str(folder.log), status=2)
    wanted = "--time, --accel, --gyro, --temp"
    assert line == f"what the columns mean is not guessed: give {wanted}, or --preset"
    assert "log.csv: line 1, separated by comma:\n  1 'ms'\n  2 'ax'\n" in folder.out
    assert "--preset" not in folder.out
    folder.log.write_text(logs.phyphox(), "utf-8")
    assert "give --gyro, --temp," in folder.refusal(
        str(folder.log), "--time=s:1", "--accel=mss:2,3,4", status=2
    )
    assert "it has the columns of --preset phyphox (" in folder.out
    folder.log.write_text("one\n", "utf-8")
    folder.refusal(str(folder.log), status=2)
    assert "separated by blanks:\n  1 'one'" in folder.out
    folder.log.write_text("\n \n", "utf-8")
    assert folder.refusal(str(folder.log)) == f"{folder.log}: it is empty"


def test_the_names_of_both_files_are_needed(folder: Folder) -> None:
    """And the environment has none of them."""
    assert "which log?" in folder.refusal(status=2)
    line = folder.refusal(str(folder.log), *ARGV, status=2)
    assert line == "where to write the recording? Give --output FILE"
    environ = {"TRIO_MPU_OUTPUT": str(folder.output), "TRIO_MPU_PRESET": "x", "TRIO_MPU_LOG": "x"}
    line = folder.refusal(str(folder.log), *ARGV, status=2, environ=environ)
    assert line == "where to write the recording? Give --output FILE"
    assert "can't be printed" in folder.refusal("a\nb", status=2)
    assert "unrecognized arguments: two.csv" in folder.refusal("one.csv", "two.csv", status=2)


def test_nothing_is_overwritten_unasked(folder: Folder) -> None:
    """And the log itself never is."""
    folder.output.write_text("precious")
    argv = [str(folder.log), *ARGV, "--output", str(folder.output)]
    assert folder.refusal(*argv) == f"{folder.output} exists already; --force overwrites it"
    assert folder.out == ""
    assert len(folder.imported(force=True)) == 301
    link = folder.path / "link.csv"
    link.symlink_to(folder.log)
    for target in (folder.log, link):
        line = folder.refusal(str(folder.log), *ARGV, "--output", str(target), "--force")
        assert line == f"can't write {target}: it is the log itself"
    link.unlink()
    link.symlink_to("nowhere")
    assert "it is not a plain file" in folder.refusal(*argv[:-1], str(link), "--force")


def test_a_place_that_can_t_be_written_is_one_line(folder: Folder) -> None:
    """Before the log is read, where that is possible."""
    for name, problem in (
        ("none/x.csv", f"there is no folder {folder.path}/none"),
        (".", "it is not a plain file"),
        ("x" * 260 + ".csv", "File name too long"),
    ):
        target = folder.path / name
        line = folder.refusal(str(folder.log), *ARGV, "--output", str(target))
        assert line == f"can't write {target}: {problem}"
    line = folder.refusal("/proc/nowhere", *ARGV, "--output", str(folder.output))
    assert line == "can't read /proc/nowhere: No such file or directory"
    line = folder.refusal(str(folder.path), *ARGV, "--output", str(folder.output))
    assert line == f"{folder.path}: it is not a plain file"


def test_of_two_imports_into_one_name_the_second_is_refused(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although there was no such file when it began."""
    monkeypatch.setattr(output, "check", lambda *_, **__: None)
    folder.output.write_text("the first")
    line = folder.refusal(str(folder.log), *ARGV, "--output", str(folder.output))
    assert line == f"{folder.output} exists already; --force overwrites it"


def test_a_name_that_ends_in_gz_is_compressed(folder: Folder) -> None:
    """With the same bytes each time."""
    lines = folder.imported()
    packed = folder.path / "ours.csv.gz"
    folder.imported(output=str(packed))
    first = packed.read_bytes()
    assert gzip.decompress(first).decode().splitlines() == lines
    folder.imported(output=str(packed), force=True)
    assert packed.read_bytes() == first


def test_a_log_without_a_date_can_be_given_one(folder: Folder) -> None:
    """`t_ns` stays that of the log."""
    lines = folder.imported(start="2026-11-30T10:05:00.5+01:00")
    assert lines[2].startswith("2,1796029500.510000,10000000,")
    assert "from 2026-11-30T09:05:00.500000Z to 2026-11-30T09:05:03.490000Z, 2.99 s\n" in folder.out
    for wrong in ("today", "1969-01-01T00:00:00Z"):
        argv = [str(folder.log), *ARGV, "--output", f"{folder.output}2", "--start", wrong]
        assert folder.refusal(*argv, status=2).startswith(f"--start: '{wrong}' is no time such as")


def test_doubtful_units_are_written_only_if_asked_for(folder: Folder) -> None:
    """The question stays."""
    folder.log.write_text(logs.adafruit(), "utf-8")
    options = ["--time", "ms:1", "--accel", "g:2,3,4", "--gyro", "rads:5,6,7", "--temp", "none"]
    argv = [str(folder.log), *options, "--output", str(folder.output)]
    assert "is it mss? (nothing was written: see --accept-units)" in folder.refusal(*argv)
    assert "  accelerometer: g, column 2, column 3, column 4\n" in folder.out
    assert run(import_, [*argv, "--accept-units"], {}) == 0
    assert folder.output.exists()


def test_a_log_without_a_rate_is_written_only_if_asked_for(folder: Folder) -> None:
    """Then long steps are no gaps."""
    lines = folder.log.read_text("utf-8").splitlines(keepends=True)
    folder.log.write_text(
        "".join(line for row, line in enumerate(lines) if row % 7 not in (2, 3)), "utf-8"
    )
    argv = [str(folder.log), *ARGV, "--output", str(folder.output)]
    assert "are longer than 1.5 times the median" in folder.refusal(*argv)
    folder.imported(irregular=True)
    assert "  no gaps\n" in folder.out


def test_a_terminal_without_our_characters_gets_others(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that is closed gets nothing: then nothing is written."""
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    monkeypatch.setattr(sys, "stdout", ascii_only)
    settings = folder.settings()
    run_import(settings)
    assert b"gyroscope: \\xb0/s" in ascii_only.buffer.getvalue()
    monkeypatch.setattr(sys, "stdout", None)
    folder.output.unlink()
    run_import(settings)
    folder.output.unlink()
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdout", full)
        line = folder.refusal(str(folder.log), *ARGV, "--output", str(folder.output))
        assert line == "can't print what was understood: No space left on device"


def test_ctrl_c_leaves_nothing_behind(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the temporary file."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupted)
    line = folder.refusal(str(folder.log), *ARGV, "--output", str(folder.output))
    assert line == "interrupted: nothing was written"


def test_help_lists_options_presets_and_examples(capfd: pytest.CaptureFixture[str]) -> None:
    """And nothing is imported."""
    with pytest.raises(SystemExit) as caught:
        run(import_, ["--help"], {})
    assert caught.value.code == 0
    shown = capfd.readouterr().out
    for name in options_of(ImportSettings):
        assert f"\n  --{name} " in shown
    assert f"presets: {', '.join(PRESETS)}\n" in shown
    assert shown.count("\n  trio-mpu import ") == 3


def test_a_real_process_says_the_same(folder: Folder) -> None:
    """Its name is `import`, whatever the function is called; a full disk for its output is a line."""
    command = ["-m", "trio_mpu", "import", str(folder.log), *ARGV, "--output", str(folder.output)]
    with python(*command) as process:
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert out.endswith(f"written: {folder.output}, 300 samples\n")
    with python(*command) as process:
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    assert err == f"import: {folder.output} exists already; --force overwrites it\n"
    with Path("/dev/full").open("w") as full:
        full_disk = subprocess.run(
            [sys.executable, *command, "--force"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
        )
    assert full_disk.returncode == 1
    assert full_disk.stderr == "import: can't print what was understood: No space left on device\n"
