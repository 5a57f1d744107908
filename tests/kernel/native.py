"""The producer without an emulated processor: on the chip in software, by the computer's clock."""

import os
import time
from collections.abc import Callable
from typing import Final, NamedTuple

import trio

from tests.helpers.software_chip import Clock, SoftwareChip, number_of
from trio_mpu.producer.run import run_producer
from trio_mpu.record import Record
from trio_mpu.ring import RingReader
from trio_mpu.sample import Sample
from trio_mpu.sensors import i2c
from trio_mpu.sensors.mpu6050.options import parse_chip
from trio_mpu.settings import ProducerSettings

CAPACITY: Final = 16_384
SETTLED_S: Final = 5.0
LOOK_S: Final = 0.5


class Native(NamedTuple):
    """What a run gave: the producer's share of a processor, how many records, how many were
    missing, and how far their times are from when the chip made them."""

    share: float
    records: int
    missing: int
    late_ns: list[int]


class RealClock(Clock):
    """The computer's clock, on which a transfer takes its time."""

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def spend(self, duration_ns: float) -> None:
        time.sleep(duration_ns / 1e9)


class MeasuredChip(SoftwareChip):
    """The chip in software, which knows what it has used of a processor itself."""

    used_s = 0.0

    def transfer(self, size: int, read: Callable[[int], bytes], *, writes: bool = False) -> bytes:
        begun_s = time.thread_time()
        try:
            return super().transfer(size, read, writes=writes)
        finally:
            self.used_s += time.thread_time() - begun_s


async def run(seconds: float, rate_hz: float) -> Native:
    """Let the producer read the chip for so long. What the chip itself uses is subtracted, and so
    is nothing of what a real bus's driver would use."""
    ring = f"native_{os.getpid()}"
    chip = MeasuredChip(RealClock(), parse_chip("1", rate_hz).setup)
    before, i2c.open_bus = i2c.open_bus, chip.open  # type: ignore[assignment]
    records: list[Record] = []
    try:
        async with trio.open_nursery() as nursery:
            # The emulated processor lacks instructions that NumPy's wheels use.
            settings = ProducerSettings(
                device="i2c:1", rate=rate_hz, ring=ring, capacity=CAPACITY, attitude="off"
            )
            await nursery.start(run_producer, settings)
            with RingReader(ring) as reader:
                await trio.sleep(SETTLED_S)
                used_s, begun_s = time.process_time() - chip.used_s, time.monotonic()
                first = (await reader.read(0)).head
                await trio.sleep(seconds)
                used_s = time.process_time() - chip.used_s - used_s
                share = used_s / (time.monotonic() - begun_s)
                while found := (
                    await reader.read(records[-1].seq if records else max(first, 1))
                ).records:
                    records += found
            nursery.cancel_scope.cancel()
    finally:
        i2c.open_bus = before
    samples = [Sample(record.t_ns, *record[3:10]) for record in records]
    numbers = [number_of(sample, chip.scale) for sample in samples]
    true = [number for number in numbers if number is not None]
    assert len(true) == len(numbers), "a reading that the chip never made"
    late_ns = [
        sample.t_ns - chip.true_ns[number] for sample, number in zip(samples, true, strict=True)
    ]
    return Native(share, len(true), true[-1] - true[0] + 1 - len(true), late_ns)
