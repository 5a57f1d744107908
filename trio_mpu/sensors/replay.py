"""Playing back what `/history?format=csv` or `ndjson` gave, at the pace of the recording."""

import itertools
import stat
import statistics
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Final

import trio

from trio_mpu.device import Device
from trio_mpu.errors import DeviceError, EndOfReplay, UsageError
from trio_mpu.formats import COLUMNS, parse_row
from trio_mpu.sample import MAX_LOST, Flag, Sample

MIN_PERIOD_NS: Final = 125_000  # of the chip's fastest gyroscope
PERIOD_ROWS: Final = 1000  # how many rows are looked at to find the recording's period
MAX_LINE_CHARACTERS: Final = 4096  # a row has about 300
MAX_PAUSE_S: Final = 5.0  # a longer gap of the recording is told, but not waited out


class Replay(Device):
    """A recording. Its gaps are told again, and its samples keep their flags."""

    paced = True

    def __init__(self, path: str) -> None:
        """Open the recording. Raises UsageError when it can't be read or has no sample."""
        self.source = f"replay:{path}"
        self._file = _lines(path)
        self._lines: Iterator[str] = self._file
        try:
            # Anything else, a pipe for instance, might let all of the producer wait.
            if not stat.S_ISREG(Path(path).stat().st_mode):
                raise UsageError(f"{path} is no recording: it is not a plain file")
            ahead = list(itertools.islice(self._lines, PERIOD_ROWS))
        except OSError as error:
            raise UsageError(f"can't read the recording {path}: {error.strerror}") from error
        times, problem = [], "it is empty"
        for line in ahead:
            try:
                times.append(parse_row(line)[1].t_ns)
            except DeviceError as error:
                problem = str(error)
        if not times:
            raise UsageError(f"{path} is no recording: {problem}")
        steps = [later - earlier for earlier, later in itertools.pairwise(times)]
        self.period_ns = max(MIN_PERIOD_NS, round(statistics.median(steps))) if steps else 10**9
        self._lines = itertools.chain(ahead, self._lines)
        self._last: tuple[int, int] | None = None  # number and time of the last sample played
        self._due_s = trio.current_time()

    async def read(self, periods: int = 1) -> Sequence[Sample]:  # noqa: ARG002 - it is paced
        """Wait until the next sample is due, and return it as of now.

        Each row that holds no sample is a DeviceError; the next call goes on with the next row.
        """
        try:
            line = next(self._lines, None)
        except OSError as error:
            raise DeviceError(f"can't read {self.source}: {error.strerror}") from error
        if line is None:
            raise EndOfReplay(f"{self.source} has been played to its end")
        seq, sample = parse_row(line)
        if self._last is not None:
            last_seq, last_t_ns = self._last
            if skipped := max(0, seq - last_seq - 1):
                lost = min(sample.lost + skipped, MAX_LOST)
                sample = sample._replace(flags=sample.flags | Flag.DEVICE_GAP, lost=lost)
            self._due_s += min(MAX_PAUSE_S, max(0, sample.t_ns - last_t_ns) / 1e9)
        self._last = seq, sample.t_ns
        await trio.sleep_until(self._due_s)
        return [sample._replace(t_ns=time.monotonic_ns())]

    async def aclose(self) -> None:
        """Close the recording."""
        self._file.close()


def _lines(path: str) -> Generator[str, None, None]:
    # Bytes that are not UTF-8 turn into characters that no row can have: the row is refused.
    with Path(path).open(encoding="utf-8", errors="replace") as file:
        while line := file.readline(MAX_LINE_CHARACTERS):
            if (row := line.strip()) and row != ",".join(COLUMNS):
                yield row
