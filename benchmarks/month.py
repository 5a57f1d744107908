"""Make a recorder's file of many days of samples at 100 Hz, in minutes.

$ python -m benchmarks.month ~/month.db --days 30

The script, whatever the number of days: the computer is started 30 times, each time with a new ring.
In the middle of each run the producer is restarted with another calibration. In the second run the
clock is 40 days slow at first, in the sixteenth 20 minutes. Within these 62 sessions there are 660
gaps: most of three samples that the device missed, every sixth one of 500 that the recorder missed.
The newest sample is from when the program was started.

numpy makes the records of a minute at a time, in the bytes of the ring's record, with the simulator's
motion and noise. Processes compress them, and sum them up to the windows of all three levels. One
writes the rows with the recorder's own statements, in its order, so that the pages lie in the file
as it would have put them. `--level` is zlib's: 1 takes a fifth of the time of the recorder's 6, for a
tenth more bytes. tests/store/test_month.py compares the rows with the recorder's.
"""

import argparse
import math
import multiprocessing
import os
import sqlite3
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from trio_mpu.sample import AXES, Flag, Gap
from trio_mpu.sensors import simulator
from trio_mpu.sensors.mpu6050.registers import ACCEL_LSB_PER_G, GYRO_LSB_PER_DPS
from trio_mpu.store import schema
from trio_mpu.store.chunk import FORMAT, RECORD_BYTES, Origin
from trio_mpu.store.database import Database
from trio_mpu.store.pyramid import LEVELS_S

PERIOD_NS: Final = 10_000_000
CHUNK_SAMPLES: Final = 100  # a second
BLOCK_SAMPLES: Final = 6000  # what a process makes at a time
STARTS: Final = 30
STRETCHES: Final = 12  # between gaps, in each half of a run
OFF_NS: Final = 60 * 10**9
# The starts whose clock is slow at first, and by how much.
LATE_NS: Final = {1: 40 * 86_400 * 10**9, STARTS // 2: 20 * 60 * 10**9}
JITTER_NS: Final = 50_000
DEVICE_LOST: Final = 3
READER_LOST: Final = 500
_NS_PER_S: Final = 10**9
# Of acceleration, angular rate and temperature.
_OF_A_KIND: Final = (3, 3, 1)
_NOISE: Final = (simulator.ACCEL_NOISE_G, simulator.GYRO_NOISE_DPS, simulator.TEMP_NOISE_C)
_LSB_PER_UNIT: Final = (ACCEL_LSB_PER_G[2], GYRO_LSB_PER_DPS[250], 340.0)

_TIMES: Final = (("seq", "u8"), ("t_ns", "i8"), ("time_ns", "i8"))
_REST: Final = (("flags", "u4"), ("lost", "u4"), ("attitude", "V36"))
_RECORD: Final = np.dtype([*_TIMES, ("values", "f4", (len(AXES),)), *_REST])
assert _RECORD.itemsize == RECORD_BYTES
Array = np.ndarray[Any, np.dtype[Any]]


class Block(NamedTuple):
    """Consecutive samples of a session, and what is missing before them."""

    origin: Origin
    session_id: int
    offset_ns: int  # the wall clock less the monotonic one
    first: int
    samples: int
    t_ns: int
    flags: int  # of the first sample
    gap: Gap | None


class Made(NamedTuple):
    """A block as rows: of its chunks without their numbers, and of the pyramid."""

    block: Block
    chunks: list[tuple[object, ...]]
    windows: list[tuple[object, ...]]


def script(days: float, begin_ns: int) -> Iterator[Block]:
    """Yield what there is to record, from `begin_ns` of the wall clock on."""
    stretch = round(days * 86_400 * _NS_PER_S / PERIOD_NS / (STARTS * 2 * STRETCHES))
    session_id, now_ns = 0, begin_ns
    for start in range(STARTS):
        boot_ns, t_ns, seq = now_ns, 20 * _NS_PER_S, 1
        gap = Gap(0, 1, None, "restart") if start else None
        for part in range(2 * STRETCHES):
            late_ns = LATE_NS.get(start, 0) if part == 0 else 0
            is_set = part == 1 and start in LATE_NS
            flags = Flag.SIMULATED | Flag.UNCALIBRATED * (part < STRETCHES)
            if part == STRETCHES:
                flags |= Flag.RESTART_GAP
                gap = Gap(seq - 1, seq, DEVICE_LOST, "restart")
            elif part % 6 == 5:
                gap = Gap(
                    seq - 1, seq + READER_LOST, READER_LOST, ("lapped", "store")[part % 4 // 2]
                )
                seq += READER_LOST
                t_ns += READER_LOST * PERIOD_NS
            elif part:
                flags |= Flag.DEVICE_GAP
                gap = Gap(seq - 1, seq, DEVICE_LOST, "device")
            if is_set:
                flags |= Flag.CLOCK_STEP
            if flags & (Flag.RESTART_GAP | Flag.DEVICE_GAP):
                t_ns += DEVICE_LOST * PERIOD_NS
            session_id += part in (0, STRETCHES) or is_set
            calibration = f"month-{session_id}" if part >= STRETCHES else ""
            origin = Origin(
                f"{start + 1:016x}", "sim:seed=1", "", calibration, PERIOD_NS, f"boot {start}"
            )
            for place in range(0, stretch, BLOCK_SAMPLES):
                count = min(BLOCK_SAMPLES, stretch - place)
                yield Block(origin, session_id, boot_ns - late_ns, seq, count, t_ns, flags, gap)
                flags &= Flag.SIMULATED | Flag.UNCALIBRATED
                gap, seq, t_ns = None, seq + count, t_ns + count * PERIOD_NS
        now_ns = boot_ns + t_ns + OFF_NS


def records_of(block: Block) -> Array:
    """Return the block's records: a lazy swing and a turn, as the simulator has them."""
    rng = np.random.default_rng((block.session_id, block.first))
    records = np.zeros(block.samples, _RECORD)
    place = np.arange(block.samples)
    records["seq"] = block.first + place
    records["t_ns"] = block.t_ns + place * PERIOD_NS + rng.integers(0, JITTER_NS, block.samples)
    records["time_ns"] = records["t_ns"] + block.offset_ns
    records["flags"] = block.flags & (Flag.SIMULATED | Flag.UNCALIBRATED)
    records["flags"][0] = block.flags
    if block.flags & (Flag.RESTART_GAP | Flag.DEVICE_GAP):
        records["lost"][0] = DEVICE_LOST
    t = (block.first + place) * (PERIOD_NS / _NS_PER_S)
    roll, pitch = 0.35 * np.sin(0.5 * t), 0.2 * np.sin(0.31 * t)
    rates = 0.35 * 0.5 * np.cos(0.5 * t), 0.2 * 0.31 * np.cos(0.31 * t), 0 * t + math.tau / 120
    accel_g = (-np.sin(pitch), np.sin(roll) * np.cos(pitch), np.cos(roll) * np.cos(pitch))
    temp_c = 30 + 0.5 * np.sin(t * math.tau / 900)
    true = np.stack([*accel_g, *np.degrees(rates), temp_c], axis=1)
    noise = np.repeat(_NOISE, _OF_A_KIND)
    lsb_per_unit = np.repeat(_LSB_PER_UNIT, _OF_A_KIND)
    measured = true + rng.normal(0, noise, true.shape)
    records["values"] = np.round(measured * lsb_per_unit) / lsb_per_unit
    return records


def made(block: Block, level: int) -> Made:
    """Return a block's rows."""
    records = records_of(block)
    chunks: list[tuple[object, ...]] = []
    for begin in range(0, block.samples, CHUNK_SAMPLES):
        part = records[begin : begin + CHUNK_SAMPLES]
        ends = [int(part[name][at]) for name in ("t_ns", "time_ns") for at in (0, -1)]
        data = zlib.compress(part.tobytes(), level)
        first = int(part["seq"][0])
        chunks.append((block.session_id, first, len(part), *ends, FORMAT, RECORD_BYTES, data))
    windows = chain.from_iterable(_windows(records, block.session_id, each) for each in LEVELS_S)
    return Made(block, chunks, [*windows])


def _windows(records: Array, session_id: int, level_s: int) -> Iterator[tuple[object, ...]]:
    """Yield the rows of a level, in the order of ADD_WINDOW."""
    starts_s = records["time_ns"] // (_NS_PER_S * level_s) * level_s
    begins = np.flatnonzero(np.diff(starts_s, prepend=-1))
    counts = np.diff(begins, append=len(records))
    values = records["values"].astype("f8")
    low, high = (each.reduceat(values, begins) for each in (np.minimum, np.maximum))
    mean = np.add.reduceat(values, begins) / counts[:, None]
    rows = np.stack([low, mean, high], axis=2).reshape(len(begins), -1).tolist()
    for start_s, count, row in zip(starts_s[begins].tolist(), counts.tolist(), rows, strict=True):
        yield (level_s, start_s, session_id, count, *row)


def make(path: str, days: float, level: int) -> None:
    """Make the file, which must not be there."""
    *_, last = script(days, 0)
    begin_ns = time.time_ns() - last.offset_ns - last.t_ns - last.samples * PERIOD_NS
    Database(path).close()
    pool = multiprocessing.Pool(os.cpu_count())
    with closing(sqlite3.connect(path, isolation_level=None)) as file, pool:
        file.execute("PRAGMA journal_mode = OFF")
        file.execute("PRAGMA synchronous = OFF")
        file.execute("BEGIN")
        work = ((block, level) for block in script(days, begin_ns))
        _write(file, pool.imap(_made, work, chunksize=4))
        file.execute("COMMIT")
        file.execute("PRAGMA journal_mode = WAL")


def _made(work: tuple[Block, int]) -> Made:
    return made(*work)


def _write(file: sqlite3.Connection, blocks: Iterator[Made]) -> None:
    chunk_id, sessions, ends = 0, 0, dict[str, tuple[object, ...]]()
    for block, chunks, windows in blocks:
        if block.session_id > sessions:
            sessions += 1
            file.execute(schema.ADD_SESSION, (*block.origin, chunk_id + 1, block.offset_ns))
        ids = range(chunk_id + 1, chunk_id + 1 + len(chunks))
        file.executemany(
            schema.ADD_CHUNK, [(each, *row) for each, row in zip(ids, chunks, strict=True)]
        )
        if block.gap is not None:
            file.execute(schema.ADD_GAP, (block.session_id, chunk_id + 1, *block.gap, chunks[0][5]))
        file.executemany(schema.ADD_WINDOW, windows)
        chunk_id = ids[-1]
        name = block.origin.generation
        ends[name] = (name, block.first + block.samples - 1, chunk_id)
    file.executemany(schema.SET_END, ends.values())


def main() -> None:
    """Make the file that is asked for, and say how large it is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("file")
    parser.add_argument("--days", type=float, default=30, help="(%(default)s)")
    parser.add_argument("--level", type=int, default=1, help="(%(default)s)")
    options = parser.parse_args()
    if Path(options.file).exists():
        parser.error(f"{options.file} is there already")
    begun_s = time.monotonic()
    make(options.file, options.days, options.level)
    size = Path(options.file).stat().st_size
    print(f"{size / 1e9:.2f} GB in {time.monotonic() - begun_s:.0f} s")


if __name__ == "__main__":
    main()
