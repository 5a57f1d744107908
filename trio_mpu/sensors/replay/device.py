"""Playing a recording back, at its own pace or `speed` times as fast, once or in a loop."""

import itertools
import logging
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trio

from trio_mpu.device import Device
from trio_mpu.errors import DeviceError, EndOfReplay, StoreError, UsageError
from trio_mpu.iso_time import iso
from trio_mpu.sample import ATTITUDE_FLAGS, MAX_LOST, Flag, Sample
from trio_mpu.sensors.replay.options import FORM, Options
from trio_mpu.sensors.replay.recording import Recording
from trio_mpu.sensors.replay.rows import Outside, Played, Recorded, Row, Unreadable
from trio_mpu.sensors.replay.stored import Stored
from trio_mpu.sensors.replay.text import SQLITE, head_of

log = logging.getLogger(__name__)

MAX_PAUSE_S: Final = 5.0  # a longer gap of the recording is reported, but not waited out
MAX_ERRORS: Final = 9  # as many in a row are raised: after the next the producer would sleep
SKIPPED_A_STEP: Final = 100  # rows that are passed over before other tasks have their turn
ROWS_A_THREAD: Final = 100  # arbitrary: a thread takes as long to begin as for some rows
_GAPS: Final = Flag.DEVICE_GAP | Flag.RESTART_GAP
_KEPT: Final = ~(Flag.CLOCK_STEP | ATTITUDE_FLAGS)


class Replay(Device):
    """A recording. Its samples keep their flags and have REPLAYED besides. They lose CLOCK_STEP, as
    the clock was not set now, and what is about an attitude, which is not played. Their distances in time are exactly those of the recording, divided by
    the speed. Its gaps are reported again.

    Where one recording ends and another begins, in the file or by the loop, nobody knows how much
    is missing: such a seam is a DEVICE_GAP with no count, one period long.

    `chip` says what was recorded, and `calibration` is that of the recording. With `period_ns`, they
    change where a store's next session begins.
    """

    paced = True

    def __init__(self, options: Options) -> None:
        """Look at the recording. Raises UsageError when it can't be read or has no sample."""
        self.source = options.source
        self.speed = float(options.speed)
        self._options = options
        self._recording = _recording(options)
        self._recorded: Recorded | None = None
        self._tell(self._recording.recorded)
        self._rows = self._recording.rows()
        self._ahead = deque[Played]()
        self._next: tuple[Row, int] | None = None  # and how many samples were in bad rows before
        self._last: Row | None = None
        self._last_ns = 0  # when that one was due, after the start
        self._anchor = 0, 0  # when a row was due, after the start, and its time in the recording
        self._played = self._bad = 0
        self._played_before = 0  # in earlier rounds of the loop
        self._bad_in_a_row = self._missing = 0  # rows, and the samples that were in them
        self._times_outside: list[int] = []  # of the first and the last row that was not played
        self._start: tuple[int, float] | None = None  # on CLOCK_MONOTONIC and on trio's clock
        self.ledger: dict[str, int] = {"device_errors": 0}

    def count_in(self, ledger: dict[str, int]) -> None:
        """Count bad rows, of which there are too many to raise an error for each."""
        ledger["device_errors"] += self.ledger["device_errors"]
        super().count_in(ledger)

    async def read(self, periods: int = 1) -> Sequence[Sample]:  # noqa: ARG002 - it is paced
        """Wait until the next sample is due, and return it.

        Each row that can't be read is a DeviceError; the next call goes on with the next row.
        """
        if self._start is None:
            self._start = time.monotonic_ns(), trio.current_time()
        if self._next is None:
            self._next = await self._next_row()
        row, bad = self._next
        due_ns, follows, sample = self._placed(row, bad)
        start_ns, start_s = self._start
        await trio.sleep_until(start_s + due_ns / 1e9)
        # Cancelled until here, the next call plays the same row.
        self._next, self._last, self._last_ns = None, row, due_ns
        if not follows:
            self._anchor = due_ns, row.sample.t_ns
        self._played += 1
        if row.recorded is not None:
            self._tell(row.recorded)
        return [sample._replace(t_ns=start_ns + due_ns)]

    async def aclose(self) -> None:
        """Close the recording."""
        self._rows.close()

    def _tell(self, recorded: Recorded) -> None:
        """Say from what the samples from now on were recorded."""
        if recorded == self._recorded:
            return
        self._recorded = recorded
        self.chip, self.calibration = str(recorded), recorded.calibration
        self.period_ns = max(1, round(recorded.period_ns / self._options.speed))
        self._max_pause_ns = max(round(MAX_PAUSE_S * 1e9), 2 * self.period_ns)

    async def _next_row(self) -> tuple[Row, int]:
        """Return the next row and how many samples before it could not be read. Raises DeviceError
        for each row that can't be read, unless there are very many, and EndOfReplay."""
        skipped = 0
        while True:
            row = await self._taken()
            if row is None:
                self._end()
            elif isinstance(row, Unreadable):
                self._bad += 1
                self._bad_in_a_row += 1
                self._missing += row.samples
                if self._bad_in_a_row <= MAX_ERRORS:
                    raise row
                self.ledger["device_errors"] += 1
            elif isinstance(row, Outside):
                if row.time_ns is not None:
                    self._times_outside[1:] = [row.time_ns]
            elif not self._is_repeated(row):
                missing, self._missing, self._bad_in_a_row = self._missing, 0, 0
                return row, missing
            skipped += 1
            if skipped % SKIPPED_A_STEP == 0:
                await trio.lowlevel.checkpoint()

    async def _taken(self) -> Played | None:
        """Return what comes next in the recording, or None at its end. Raises DeviceError."""
        if not self._recording.in_thread:
            try:
                return next(self._rows, None)
            except OSError as error:
                raise DeviceError(f"can't read {self.source}: {error.strerror}") from error
        if not self._ahead:
            some = itertools.islice(self._rows, ROWS_A_THREAD)
            self._ahead.extend(await trio.to_thread.run_sync(list, some))
        return self._ahead.popleft() if self._ahead else None

    def _end(self) -> None:
        """Begin anew, or raise EndOfReplay."""
        if not self._played_before:
            log.info(
                "%s: samples played: %d, rows that could not be read: %d",
                self.source,
                self._played,
                self._bad,
            )
        if not self._played and self._times_outside:
            begin, end = self._times_outside[0], self._times_outside[-1]
            raise EndOfReplay(
                f"{self.source} has no sample in this time: its samples are from "
                f"{iso(begin // 1000)} to {iso(end // 1000)}"
            )
        if not self._options.loop or self._played == self._played_before:
            raise EndOfReplay(f"{self.source} has been played to its end")
        self._played_before = self._played
        self._rows = self._recording.rows()

    def _is_repeated(self, row: Row) -> bool:
        last = self._last
        return (
            last is not None
            and not row.begins
            and (row.seq, row.generation, row.sample.t_ns)
            == (last.seq, last.generation, last.sample.t_ns)
        )

    def _placed(self, row: Row, bad: int) -> tuple[int, bool, Sample]:
        """Return when the row is due, in nanoseconds after the start, whether its time follows
        that of the last one, and its sample with what is missing before it."""
        flags = (row.sample.flags | Flag.REPLAYED) & _KEPT
        lost, last = row.sample.lost + bad, self._last
        due_ns, follows = 0, False
        if last is not None:
            due_ns = self._due_ns(row)
            follows = not row.begins and row.generation == last.generation and row.seq > last.seq
            if follows:
                lost = row.missing_after(last.seq)
            if row.sample.t_ns <= last.sample.t_ns:
                follows, due_ns = False, self._last_ns + self.period_ns
            elif due_ns > self._last_ns + self._max_pause_ns:
                follows, due_ns = False, self._last_ns + self._max_pause_ns
            if not follows:
                flags |= Flag.DEVICE_GAP
        if lost > row.sample.lost or (lost and not flags & _GAPS):
            flags |= Flag.DEVICE_GAP
        return due_ns, follows, row.sample._replace(flags=int(flags), lost=min(lost, MAX_LOST))

    def _due_ns(self, row: Row) -> int:
        """Return how long after the start the row is due if its time follows the last one's."""
        anchor_ns, t_ns = self._anchor
        speed = self._options.speed
        return anchor_ns + (row.sample.t_ns - t_ns) * speed.denominator // speed.numerator


def _recording(options: Options) -> Recording | Stored:
    path, bounds = options.path, options.bounds
    try:
        if head_of(Path(path)).startswith(SQLITE):
            return Stored(path, bounds)
        return Recording(path, bounds)
    except StoreError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        if isinstance(error, FileNotFoundError) and "," in path:
            option = path.rpartition(",")[2]
            raise UsageError(
                f"can't read the recording {path}: {error.strerror}; if {option!r} is to be an "
                f"option, use {FORM}"
            ) from error
        raise UsageError(f"can't read the recording {path}: {error.strerror}") from error
    except UsageError as error:
        raise UsageError(f"{path} is no recording: {error}") from error
