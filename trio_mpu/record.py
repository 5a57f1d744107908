# Pure: no I/O, no clock, no waiting.
"""A numbered sample, and what a ring's header says: the vocabulary of the ring's two sides."""

from enum import IntEnum
from typing import Final, NamedTuple

from trio_mpu.sample import Gap, Sample

MIN_CAPACITY: Final = 2
MAX_CAPACITY: Final = 2**24  # a GiB of records: more is surely a mistake

# The producer's counters, in the header's order (it has 16 places). The readings lost in the
# device and on the way into the ring are the sum of those that end in "_lost".
LEDGER: Final = (
    "device_errors",  # reads that failed or returned unusable text
    "device_lost",  # periods without a reading because of that, and what a device itself reports
    "ticks_lost",  # periods that the producer slept through
    "backlog_lost",  # readings dropped because the ring was unavailable for too long
    "restart_lost",  # readings that nobody took between one producer and the next
    "semaphore_recoveries",  # times the producer posted the semaphore for a dead holder
    "device_retries",  # transfers on the bus that failed and were repeated immediately
    "fifo_overflows",  # times the chip's queue was full, or nearly full, and was emptied
    "bus_reopens",  # times the bus was reopened after a failure
    "chip_resets",  # times the chip had lost its settings and was set up again
    "ring_damages",  # times a new ring was made because another program had written to the old one
)

# Counted like those above; the header has a place of its own for it.
ATTITUDE_RESETS: Final = "attitude_resets"


class State(IntEnum):
    """What the producer says about itself; a killed producer leaves the state as it was."""

    STARTING = 0
    RUNNING = 1
    STOPPED = 2


class Record(NamedTuple):
    """A sample in the ring: numbered, and with the wall-clock time of its reading.

    `t_ns` is CLOCK_MONOTONIC and `time_ns` CLOCK_REALTIME, both in nanoseconds. `qw` to `qz` are the
    attitude as a unit quaternion that turns the sensor's axes into the earth's (east, north, up);
    all four are 0 where there is none.
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
    qw: float = 0.0
    qx: float = 0.0
    qy: float = 0.0
    qz: float = 0.0

    @classmethod
    def of(cls, seq: int, time_ns: int, sample: Sample) -> "Record":
        """Number a sample. `time_ns` is CLOCK_REALTIME of the reading."""
        return cls(seq, sample.t_ns, time_ns, *sample[1:])


Values = tuple[float, ...]  # ax ay az in g, gx gy gz in degrees/s, temp in °C


def values_of(record: Record) -> Values:
    """Return the seven measured values of a record."""
    return record[3:10]


class Process(NamedTuple):
    """A process, identified for certain: a pid alone can be reused. `start` is field 22 of
    /proc/PID/stat, in clock ticks since boot. Zeros mean nobody."""

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
    first: int
    attitude_resets: int
    source: str
    chip: str
    calibration: str


class Batch(NamedTuple):
    """The result of one read of the ring: consecutive records, and the gap before them."""

    records: list[Record]
    gap: Gap | None
    head: int


def oldest_seq(head: int, capacity: int, first: int = 1) -> int:
    """Return the number of the oldest record that the producer's next write leaves alone; none
    before `first` was ever written to this segment."""
    return max(first, head - capacity + 2)
