"""`python -m fuzz TARGET… [SECONDS]`: fuzzes targets one after the other; `all` are all of them.

Prints a line for each: how often it ran, and what it found. An input that breaks something is kept in
.fuzz/findings; the exit status is then 1.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

from fuzz.check import folder

ROOT: Final = Path(__file__).parents[1]
CORPUS: Final = ROOT / "fuzz" / "corpus"  # the seeds, and what was found once
GROWN: Final = ROOT / ".fuzz"  # what libFuzzer adds to them, and its log
DEFAULT_S: Final = 60
TIMEOUT_S: Final = 10  # for one input, which takes a millisecond
MEMORY_MB: Final = 2048
_EXECUTIONS: Final = re.compile(r"stat::number_of_executed_units: (\d+)")
_COVERED: Final = re.compile(r"cov: (\d+)")


class Outcome(NamedTuple):
    """How often a target ran, how many places it reached, and the last line of what it found."""

    executions: int
    covered: int
    finding: str


def main() -> int:
    """Run the command; return its exit status."""
    names = [argument for argument in sys.argv[1:] if not argument.isdigit()]
    seconds = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    known = sorted(folder.name for folder in CORPUS.iterdir())
    chosen = known if names == ["all"] else names
    if not chosen or len(seconds) > 1 or not set(chosen) <= set(known):
        print(f"python -m fuzz TARGET… [SECONDS]; targets: all, {', '.join(known)}")
        return 2
    findings = 0
    for name in chosen:
        outcome = fuzz(name, seconds[0] if seconds else DEFAULT_S)
        print(
            f"{name:18} {outcome.executions:>10,} executions, {outcome.covered:>5,} places, "
            f"{outcome.finding or 'no finding'}",
            flush=True,
        )
        findings += bool(outcome.finding)
    return min(1, findings)


def fuzz(name: str, seconds: int) -> Outcome:
    """Fuzz a target for so long, or until it finds something."""
    from fuzz.targets import TARGETS  # noqa: PLC0415 - not for a mistake on the command line

    target = TARGETS[name]
    grown, findings = GROWN / name, GROWN / "findings"
    for each in (grown, findings):
        each.mkdir(parents=True, exist_ok=True)
    words = GROWN / f"{name}.words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
    arguments = [
        *(str(grown), str(CORPUS / name), f"-max_total_time={seconds}", f"-timeout={TIMEOUT_S}"),
        *(f"-max_len={target.max_bytes}", f"-rss_limit_mb={MEMORY_MB}", "-print_final_stats=1"),
        f"-artifact_prefix={findings}/{name}-",
    ]
    if target.words:
        arguments.append(f"-dict={words}")
    log = GROWN / f"{name}.log"
    with log.open("wb") as file:
        command = [sys.executable, "-m", "fuzz.worker", name, *arguments]
        worker = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file)
        status = worker.wait()
    # libFuzzer ends its process without a goodbye.
    for left in Path(folder()).glob(f"trio-mpu-fuzz-{worker.pid}-*"):
        left.unlink()
    text = log.read_text(errors="replace")
    covered = _COVERED.findall(text)
    executions = _EXECUTIONS.search(text)
    return Outcome(
        int(executions[1]) if executions else 0,
        int(covered[-1]) if covered else 0,
        _finding(text, log) if status else "",
    )


def _finding(text: str, log: Path) -> str:
    """Return the error's own line, or where to look."""
    lines = text.splitlines()
    for place, line in enumerate(lines):
        if "Uncaught Python exception" in line and place + 1 < len(lines):
            return f"FOUND {lines[place + 1][:200]} (see {log})"
    return f"FOUND something (see {log})"


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    sys.exit(main())
