"""Producer and server together: what a client of the stream gets, from each kind of sensor."""

import contextlib
import itertools
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

import trio

from tests.kernel.account import account
from tests.kernel.chips import (
    CHIP,
    TextDevice,
    bare_chip,
    bound_chip,
    bus_of,
    driven_stub,
    put,
)
from tests.kernel.served import PORT, RING, Listener, Programs, listening, stopped
from tests.kernel.ticks import TRACING, Ticks, anchors, traced
from tests.kernel.trials import trial
from tests.kernel.units import CHIP_UNITS, JSON, KERNEL_UNITS, check_values, made, passed, stub_raw
from trio_mpu.record import Record
from trio_mpu.sample import Flag

PROGRAMS: Final = Programs()


@asynccontextmanager
async def served(
    spec: str, source: str, rate_hz: float, path: str = "/events"
) -> AsyncIterator[Listener]:
    """A producer of this device and the server, and their client; the producer ends well."""
    PROGRAMS.serve()
    producer = PROGRAMS.produce(spec, rate_hz)
    try:
        async with listening(source, path) as listener:
            yield listener
        assert stopped(producer) == 0
    finally:
        producer.kill()


def check_sequence(records: list[Record]) -> None:
    """None is missing on its way from the ring to the client."""
    assert len(records) > 10, records
    steps = {b.seq - a.seq for a, b in itertools.pairwise(records)}
    assert steps == {1}, steps


async def from_the_chip(
    programs: AbstractAsyncContextManager[Listener], rate_hz: float, count: int
) -> str:
    """The stream has what the chip has made, also around a bus that fails for a moment."""
    source = f"i2c:{bus_of('in software')}:0x68"
    with traced(round(120 * rate_hz)):
        async with programs as listener:
            await listener.until(count // 2)
            failed_ns = time.monotonic_ns()
            put(f"{CHIP}/nack", "15")
            await listener.until_ns(failed_ns + 10**9)
            await listener.until(count // 2)
            looks = anchors()
    records = listener.samples(source)
    check_sequence(records)
    check_values(records, CHIP_UNITS, precision=JSON)
    ticks = Ticks((TRACING / "trace").read_text(), looks, round(1e9 / rate_hz))
    found = account(records, ticks, CHIP_UNITS)
    found.check()
    # At 100 Hz the chip's queue bridges the failure, if this machine was too slow to read one by
    # one and the driver has gone over to it.
    if rate_hz > 100 or not records[-1].flags & Flag.INTERPOLATED_TIME:
        assert any(gap.made for gap in found.gaps), "the failure has cost nothing"
    return str(found)


@asynccontextmanager
async def started(rate_hz: float) -> AsyncIterator[Listener]:
    """Both as a user starts them, on a computer with the chip on a bus and nothing else."""
    options = ("--host", "127.0.0.1", "--port", str(PORT), "--ring", RING)
    command = ["./start.sh", *options, "--rate", f"{rate_hz:g}", "--attitude", "off"]
    script = subprocess.Popen(command)  # noqa: ASYNC220 - nothing waits for it
    try:
        async with listening(f"i2c:{bus_of('in software')}:0x68") as listener:
            yield listener
    finally:
        status = stopped(script)
    assert status == 0, status


@trial(bare_chip)
async def the_chip_at_100_hz_is_found_by_start_sh_and_served() -> str:
    """Each sample once, and gaps as they were made."""
    return await from_the_chip(started(100), 100, 200)


@trial(bare_chip)
async def the_chip_at_1000_hz_is_served() -> str:
    """The same; events wait for up to 0.1 s, so that some share one write."""
    source = f"i2c:{bus_of('in software')}:0x68"
    programs = served(source, source, 1000, "/events?flush_ms=100")
    return await from_the_chip(programs, 1000, 3000)


@trial(bound_chip)
async def the_kernel_s_buffer_is_served() -> str:
    """With what it costs that the bus fails, and that the chip stands still, for a moment."""
    async with served("iio", "iio:mpu6050", 100) as listener:
        await listener.until(200)
        put(f"{CHIP}/nack", "60")
        await listener.until(50)
        put(f"{CHIP}/stall", "1")
        await trio.sleep(0.6)
        put(f"{CHIP}/stall", "0")
        await listener.until(100)
    records = listener.samples("iio:mpu6050")
    check_sequence(records)
    check_values(records, KERNEL_UNITS, precision=JSON)
    pairs = [(b.lost, made(a, b, KERNEL_UNITS)) for a, b in itertools.pairwise(records)]
    told, missing = (sum(each) for each in zip(*pairs, strict=True))
    assert told >= missing + 48, pairs  # four fifths of the 0.6 s
    return f"{len(records)} samples; (told, made): {[pair for pair in pairs if any(pair)]}"


@trial(contextlib.nullcontext)
async def the_kernel_s_registers_are_served() -> str:
    """By sysfs, at 10 Hz; registers that change between two reads of axes may show in one."""
    with driven_stub() as stub:
        async with served("iio", "iio:mpu6050", 10) as listener:
            for x in (100, -512, 511):
                stub.sets(x)
                await listener.until(4)
    records = listener.samples("iio:mpu6050")
    check_sequence(records)
    settled = [b for a, b in itertools.pairwise(records) if a[3:10] == b[3:10]]
    assert len(settled) >= 6, records
    check_values(settled, KERNEL_UNITS, stub_raw, JSON)
    return f"{len(records)} samples"


@trial(contextlib.nullcontext)
async def the_text_device_is_served() -> str:
    """At 10 Hz, with what each of its faults costs."""
    with TextDevice() as device:
        async with served("/dev/mpu6050", "/dev/mpu6050", 10) as listener:
            for word in ("eio", "none", "garbage", "empty", "stuck", "short"):
                await listener.until(4)
                device.does(word)
                await trio.sleep(0.6)
                device.does("")
            await listener.until(4)
    records = listener.samples("/dev/mpu6050")
    check_sequence(records)
    for record in records:
        device.check(record)
    told = sum(record.lost for record in records[1:])
    periods = passed(records[0], records[-1], 0.1)
    assert abs(len(records) + told - 2 - periods) <= 2, (told, len(records), periods)
    assert told >= 15, told  # at least 3 for each fault that costs anything
    return f"{len(records)} samples and {told} told to be lost in {periods} periods"
