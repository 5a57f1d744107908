"""The table of foreign, damaged and truncated logs: each understood, or refused with the line."""

from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests.helpers.messages import ROOT
from tests.helpers.pages import table
from tests.importing.cases import CASES, Case
from tests.importing.logs import motion
from trio_mpu.__main__ import import_, run
from trio_mpu.sensors.replay.recording import Recording
from trio_mpu.sensors.replay.rows import Row

NAME: Final = "log.csv"


def imported(case: Case, folder: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """Import the log of a case; return the result in a line."""
    path, output = folder / NAME, folder / "ours.csv"
    path.write_bytes(case.data)
    status = run(import_, [str(path), "--output", str(output), *case.argv], {})
    shown = capfd.readouterr()
    if status:
        assert not output.exists()
        assert [each.name for each in folder.iterdir()] == [NAME]
        [line] = shown.err.splitlines()
        return line.removeprefix(f"import: {path}: ")
    assert shown.err == ""
    rows = checked(case, output)
    out = sum(
        int(line.split()[2].rstrip(",")) for line in shown.out.splitlines() if "left out" in line
    )
    lost = sum(row.sample.lost for row in rows)
    return (
        f"{len(rows)} samples" + f", {out} left out" * bool(out) + f", {lost} missing" * bool(lost)
    )


def checked(case: Case, output: Path) -> list[Row]:
    """The rows of a recording, each compared with what the sensor measured at its time, and each
    gap with what is missing."""
    truth = {each.t_ns: (place, each) for place, each in enumerate(motion(case.start_ns))}
    played = list(Recording(str(output)).rows())
    rows = [row for row in played if isinstance(row, Row)]
    assert rows == played
    before: int | None = None
    for row in rows:
        sample = row.sample
        place, expected = truth[sample.t_ns]
        close = partial(pytest.approx, rel=1e-6, abs=case.exact)  # of seven digits
        assert sample[1:4] == close(expected.accel)
        if "--gyro none" not in case.options and any(sample[4:7]):
            assert sample[4:7] == close(expected.gyro)
        if sample.temp:
            assert sample.temp == pytest.approx(expected.temp, abs=1e-4)
        if before is not None:
            # A row that is there twice is left out once, and counted.
            assert sample.lost - (place - before - 1) in ((0, 1) if "twice" in case.what else (0,))
        before = place
    return rows


def documented() -> dict[str, tuple[str, str]]:
    """The table of the page: options and result of each log."""
    text = (ROOT / "docs/import.md").read_text(encoding="utf-8")
    rows = table(text, "What becomes of other logs")
    return {row["log"]: (row["options"].strip("`"), row["result"].strip("`")) for row in rows}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_a_log_is_understood_or_refused_as_the_page_says(
    case: Case, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """No value, time or gap differs from what the sensor measured."""
    result = imported(case, tmp_path, capfd)
    assert documented()[case.what] == (case.shown, result)


def test_the_page_has_no_other_log() -> None:
    """And at least the 25 that were promised."""
    assert [*documented()] == [case.what for case in CASES]
    assert len(CASES) >= 25
