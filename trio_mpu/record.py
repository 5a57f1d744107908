# Pure: no I/O, no clock, no waiting.
"""A numbered sample, and what a ring says of itself: the words that both sides of it share."""

from enum import IntEnum
from typing import Final, NamedTuple

from trio_mpu.sample import Gap, Sample

MIN_CAPACITY: Final = 2
MAX_CAPACITY: Final = 2**24  # a GiB of records: surely a mistake beyond

# The producer's counters, in the order in which the header holds them (16 places). Readings
# lost in the device and on the way into the ring are the sum of those that end in "_lost".
LEDGER: Final = (
    "device_errors",  # reads that failed or gave no usable text
    "device_lost",  # periods without a reading because of that, and what a device tells itself
    "ticks_lost",  # periods that the producer slept through
    "backlog_lost",  # readings dropped because the ring could not be had for long
    "restart_lost",  # readings that nobody took between one producer and the next
    "semaphore_recoveries",  # times the producer posted the semaphore for a dead holder
    "device_retries",  # transfers on the bus that failed and were made again at once
    "fifo_overflows",  # times the chip's queue was full, or nearly, and was emptied
    "bus_reopens",  # times the bus was opened again after a failure
    "chip_resets",  # times the chip had lost its settings and got them again
)


class State(IntEnum):
    """What the producer says of itself; it cannot say that it was killed."""

    STARTING = 0
    RUNNING = 1
    STOPPED = 2


class Record(NamedTuple):
    """A sample as it stands in the ring: numbered, and with the wall-clock time of its reading.

    `t_ns` is CLOCK_MONOTONIC and `time_ns` CLOCK_REALTIME, both in nanoseconds.
    """

    seq: int
    t_ns: int
    time_ns: int
    ax: float
    ay: float
    az: float
    gx: float
    gy: float
    gz: float
    temp: float
    flags: int
    lost: int

    @classmethod
    def of(cls, seq: int, time_ns: int, sample: Sample) -> "Record":
        """Number a sample. `time_ns` is CLOCK_REALTIME of the reading."""
        return cls(seq, sample.t_ns, time_ns, *sample[1:])


Values = tuple[float, ...]  # ax ay az in g, gx gy gz in degrees/s, temp in °C


def values_of(record: Record) -> Values:
    """Return the seven measured values of a record."""
    return record[3:10]


class Process(NamedTuple):
    """A process for certain: a pid alone can be reused. `start` is field 22 of /proc/PID/stat,
    in clock ticks since boot. Zeros mean nobody."""

    pid: int = 0
    start: int = 0


NOBODY: Final = Process()


class Header(NamedTuple):
    """The header's fields, decoded."""

    capacity: int
    generation: int
    head: int
    period_ns: int
    state: State
    producer: Process
    holder: Process
    heartbeat_ns: int
    started_ns: int
    ledger: dict[str, int]
    source: str
    chip: str
    calibration: str


class Batch(NamedTuple):
    """What one read of the ring gave: consecutive records, and what was missing before them."""

    records: list[Record]
    gap: Gap | None
    head: int
