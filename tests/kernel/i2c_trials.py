"""The chip itself over I2C: from its queue, and one by one."""

import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from smbus2 import SMBus

from tests.kernel.account import Account, account
from tests.kernel.chips import (
    ADDRESS,
    CHIP,
    bare_chip,
    bound_chip,
    bus_of,
    chip_samples,
    i2c_stub,
    put,
)
from tests.kernel.ticks import TRACING, Ticks, anchors, traced
from tests.kernel.trials import trial
from tests.kernel.units import CHIP_UNITS, check_values, number, stub_raw
from tests.kernel.watched import Watched, producing
from trio_mpu.errors import DeviceError
from trio_mpu.sample import Flag
from trio_mpu.sensors.mpu6050.registers import DEVICE_RESET, PWR_MGMT_1
from trio_mpu.sensors.registry import open_device


class OnTheBus:
    """A producer of the bare chip; and, when it has ended, its account."""

    account: Account

    def __init__(self, watched: Watched) -> None:
        self.watched = watched


def the_chip() -> str:
    """The bare chip's spec."""
    return f"i2c:{bus_of('in software')}"


@asynccontextmanager
async def on_the_bus(rate_hz: float) -> AsyncIterator[OnTheBus]:
    """A producer whose records must be what the chip has made, when the block ends."""
    with traced(round(40 * rate_hz)):
        async with producing(the_chip(), rate_hz) as watched:
            found = OnTheBus(watched)
            yield found
            looks = anchors()
    ticks = Ticks((TRACING / "trace").read_text(), looks, round(1e9 / rate_hz))
    check_values(watched.records, CHIP_UNITS)
    found.account = account(watched.records, ticks, CHIP_UNITS)
    found.account.check()


# -- a chip that works --------------------------------------------------------------------------


@trial(bare_chip)
async def one_by_one_at_100_hz_gives_what_the_chip_has_made() -> str:
    """Sample for sample."""
    async with on_the_bus(100) as chip:
        await chip.watched.until(300)
    return str(chip.account)


@trial(bare_chip)
async def the_queue_at_1000_hz_gives_what_the_chip_has_made() -> str:
    """Sample for sample."""
    async with on_the_bus(1000) as chip:
        await chip.watched.until(5000)
    return str(chip.account)


# -- a producer that comes late -----------------------------------------------------------------


async def late(rate_hz: float, samples: int) -> Account:
    """What becomes of a producer that is stopped six times while the chip makes so many."""
    async with on_the_bus(rate_hz) as chip:
        for _ in range(6):
            await chip.watched.until(round(0.7 * rate_hz))
            enough = chip_samples() + samples
            while chip_samples() < enough:
                time.sleep(0.01)  # noqa: ASYNC251 - as a stopped process, nothing else may run
        await chip.watched.until(round(0.5 * rate_hz))
    return chip.account


@trial(bare_chip)
async def a_queue_that_ran_over_is_told() -> str:
    """It holds 73 samples; nothing of a torn one is given out."""
    found = await late(1000, 130)
    assert sum(gap.made >= 70 for gap in found.gaps) >= 6, found
    return str(found)


@trial(bare_chip)
async def readings_that_nobody_looked_at_are_told() -> str:
    """One by one, each that is replaced by the next is lost."""
    found = await late(100, 20)
    assert sum(gap.made >= 15 for gap in found.gaps) >= 6, found
    return str(found)


# -- a bus and a chip that fail -----------------------------------------------------------------


async def fails(rate_hz: float) -> Account:
    """What becomes of bursts of failures, short ones and one for which the bus is opened anew."""
    async with on_the_bus(rate_hz) as chip:
        for transfers in (1, 2, 15, 1, 15, 2):
            await chip.watched.until(round(0.7 * rate_hz))
            put(f"{CHIP}/nack", str(transfers))
        await chip.watched.until(round(0.7 * rate_hz))
        assert Path(f"{CHIP}/nack").read_text().strip() == "0"
        ledger = (await chip.watched.reader.header()).ledger
    assert ledger["device_retries"] >= 4, ledger
    assert ledger["bus_reopens"] >= 4, ledger
    return chip.account


@trial(bare_chip)
async def a_bus_that_fails_for_a_moment_at_100_hz_is_told() -> str:
    """What is lost is told, and repeating saves what it can."""
    return str(await fails(100))


@trial(bare_chip)
async def a_bus_that_fails_for_a_moment_at_1000_hz_is_told() -> str:
    """The same, through the queue."""
    return str(await fails(1000))


async def stands_still(rate_hz: float) -> str:
    """A chip that measures nothing for a while: what is missing, and what was told twice and says
    so, add up to that while."""
    found = []
    async with producing(the_chip(), rate_hz) as watched:
        for pause_s in (0.5, 1.5):
            await watched.until(round(rate_hz))
            before = watched.records[-1]
            begun_s = time.monotonic()
            put(f"{CHIP}/stall", "1")
            await trio.sleep(pause_s)
            put(f"{CHIP}/stall", "0")
            periods = (time.monotonic() - begun_s) * rate_hz
            await watched.until(round(rate_hz))
            since = [record for record in watched.records if record.seq > before.seq]
            stale = sum(bool(record.flags & Flag.STALE_REPEAT) for record in since)
            lost = sum(record.lost for record in since)
            found.append((lost, stale, round(periods)))
            # No more than the time that has passed; and no less than the pause, but for what
            # an emulator that comes late makes the chip's rate seem lower.
            assert lost + stale >= 0.85 * periods - 3, found
            passed = (time.monotonic_ns() - before.t_ns) / 1e9 * rate_hz
            assert lost + len(since) <= 1.02 * passed + 3, (found, passed)
    check_values(watched.records, CHIP_UNITS)
    numbers = [number(record, CHIP_UNITS) for record in watched.records]
    for place, record in enumerate(watched.records[1:], start=1):
        if record.flags & Flag.STALE_REPEAT:
            assert numbers[place] == numbers[place - 1], record
    return f"(told, told again as stale, still for): {found} periods"


@trial(bare_chip)
async def a_chip_that_stands_still_at_100_hz_is_told() -> str:
    """Each period has its old reading again, with a flag."""
    return await stands_still(100)


@trial(bare_chip)
async def a_chip_that_stands_still_at_1000_hz_is_told() -> str:
    """Its queue stays empty, and the periods are told as lost."""
    return await stands_still(1000)


@trial(bare_chip)
async def a_chip_that_was_reset_is_set_up_again() -> str:
    """As if its power had failed: it sleeps, and has ranges and a rate of its own."""
    async with producing(the_chip(), 1000) as watched:
        await watched.until(1000)
        with contextlib.closing(SMBus(bus_of("in software"))) as other:
            other.write_byte_data(ADDRESS, PWR_MGMT_1, DEVICE_RESET)
        before, begun_s = watched.records[-1], time.monotonic()
        await watched.until(300)
        await trio.sleep(1.2)  # a beat, with which the ledger is written
        ledger = (await watched.reader.header()).ledger
        seconds = time.monotonic() - begun_s
        await watched.look()
        since = [record for record in watched.records if record.seq > before.seq]
    assert ledger["chip_resets"] == 1, ledger
    check_values(watched.records, CHIP_UNITS)
    told = sum(record.lost for record in since)
    assert told >= 150, told  # 0.15 s are the least that setting it up takes
    return f"{told} told to be lost, of {round(1000 * seconds)} periods"


# -- other buses --------------------------------------------------------------------------------


@trial(bound_chip)
async def a_chip_that_the_kernel_s_driver_has_is_refused() -> str:
    """With the way that there is."""
    said = "nothing"
    try:
        await open_device(the_chip(), 100)
    except DeviceError as error:
        said = str(error)
    assert "a kernel driver holds 0x68" in said, said
    assert "--device iio" in said, said
    return said


@trial(contextlib.nullcontext)
async def an_adapter_without_long_bursts_is_read_one_by_one() -> str:
    """Also at a rate for which there would be the queue; registers that do not change are told
    to be stale."""
    with i2c_stub() as stub:
        async with producing(f"i2c:{stub.bus}", 250) as watched:
            for x in (-512, 511, 100):
                stub.sets(x)
                await watched.until(40)
                record = watched.records[-1]
                assert number(record, CHIP_UNITS) == x + 512, (record, x)
                check_values([record], CHIP_UNITS, stub_raw)
                assert record.flags & Flag.STALE_REPEAT, record
            chip = (await watched.reader.header()).chip
    return f"{len(watched.records)} samples of {chip}"
