"""An IMU's samples, from the sensor to every browser and program: once, in order, none lost unreported.

The map. An arrow says what a package may import; everyone may import the vocabulary. The contracts
in pyproject.toml hold all of it to this, and `lint-imports` checks them.

    supervisor    starts, restarts and stops the programs   → shm, to remove a ring
    producer      device → ring, on time                    → calibration, sensors,
                                                              orientation, ring
    calibration   a sensor's errors, measured and corrected → sensors, ring
    sensors       everything that measures, or has measured → store, to play it
    store         ring → a file that outlives it            → ring; shm, for a record's bytes
    importing     other programs' logs → recordings         → sensors, for texts and numbers
    ring          the ring's writer and reader              → shm
    shm           the shared segment's bytes and locks      → (nothing)
    server        the task tree, its workers                → supervisor, http, web, access,
                                                              fanout, metrics, ring, tls
    http          one connection                            → web, fanout, metrics, tls
    web           requests → answers                        → access, history, fanout, metrics,
                                                              tls
    access        who may read                              → (nothing)
    history       ring and store as one, in all formats     → store, to read it; fanout, metrics
    fanout        newest samples → every subscriber         → metrics, tls
    tls           the certificate, a connection's records   → (nothing)
    metrics       what is counted, and how it is shown      → (nothing)
    orientation   rates and accelerations → attitude        → (nothing)
    conformance   any server of the protocol → a verdict    → formats

    vocabulary    errors, address, sample, record, attitude, iso_time, home, formats, device,
                  options, settings, lifecycle, logs, log_lines, terminal, ticker, wall_clock

A program that reads a ring needs only what is exported here:

    with RingReader("data_buffer") as ring:
        batch = await ring.read(after=0)
"""

from typing import TYPE_CHECKING

from trio_mpu.errors import (
    CalibrationError,
    ClientGone,
    DeviceError,
    EndOfReplay,
    ImportRefused,
    NoCalibration,
    NoDevice,
    NoSampleYet,
    RequestError,
    RingDamaged,
    RingError,
    RingHeld,
    RingMissing,
    ServerError,
    StoreError,
    TrioMpuError,
    UsageError,
)
from trio_mpu.record import Batch, Header, Record
from trio_mpu.sample import Flag, Gap, Sample

if TYPE_CHECKING:
    from trio_mpu.ring import RingReader

__version__ = "0.1.0"

__all__ = [
    "Batch",
    "CalibrationError",
    "ClientGone",
    "DeviceError",
    "EndOfReplay",
    "Flag",
    "Gap",
    "Header",
    "ImportRefused",
    "NoCalibration",
    "NoDevice",
    "NoSampleYet",
    "Record",
    "RequestError",
    "RingDamaged",
    "RingError",
    "RingHeld",
    "RingMissing",
    "RingReader",
    "Sample",
    "ServerError",
    "StoreError",
    "TrioMpuError",
    "UsageError",
]


def __getattr__(name: str) -> object:
    # Imported when it is asked for: it brings trio along, which the supervisor can do without on a
    # board with little memory.
    if name == "RingReader":
        from trio_mpu.ring import RingReader  # noqa: PLC0415

        return RingReader
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
