"""The kernel's own driver: by its buffer, and by sysfs."""

import contextlib
import itertools
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import trio

from tests.kernel.chips import (
    CHIP,
    DRIVER,
    FOLDER,
    bound_chip,
    chip_samples,
    driven,
    driven_stub,
    put,
)
from tests.kernel.trials import trial
from tests.kernel.units import KERNEL_UNITS, check_values, made, number, passed, stub_raw
from tests.kernel.watched import producing
from trio_mpu.errors import DeviceError
from trio_mpu.record import Record
from trio_mpu.sensors.registry import open_device

SETTINGS: Final = (
    "sampling_frequency",
    "current_timestamp_clock",
    "buffer/enable",
    "buffer/length",
    "trigger/current_trigger",
    "scan_elements/in_accel_x_en",
    "scan_elements/in_timestamp_en",
)
PERIOD_S: Final = 0.01  # at 100 Hz


def settings() -> dict[str, str]:
    """What the producer changes."""
    return {name: (FOLDER / name).read_text().strip() for name in SETTINGS}


def made_between(before: Record, after: Record) -> int:
    """How many samples the chip has made between these two."""
    return made(before, after, KERNEL_UNITS)


# -- the kernel's buffer ------------------------------------------------------------------------


@trial(bound_chip)
async def the_buffer_gives_what_the_chip_has_made() -> str:
    """Sample for sample, at the kernel's times; and at the end all settings are as before."""
    before = settings()
    begun_ns = time.monotonic_ns()
    async with producing("iio", 100) as watched:
        await watched.until(300)
        assert settings() != before
        with contextlib.suppress(OSError):
            (FOLDER / "in_accel_x_raw").read_text()
            raise AssertionError("others can read while the buffer is on")
    records = watched.records
    check_values(records, KERNEL_UNITS)
    assert begun_ns < records[0].t_ns < records[-1].t_ns < time.monotonic_ns()
    late = [pair for pair in watched.gaps() if made_between(*pair) != pair[1].lost]
    wrong = [
        (a.seq, made_between(a, b), b.lost)
        for a, b in itertools.pairwise(records)
        if made_between(a, b) != b.lost and b.lost != passed(a, b, PERIOD_S)
    ]
    assert not wrong, wrong
    assert settings() == before, settings()
    mean_ms = (records[-1].t_ns - records[0].t_ns) / 1e6 / (len(records) - 1)
    return f"{len(records)} samples, {mean_ms:.3f} ms apart; {len(late)} pauses of the chip itself"


@trial(bound_chip)
async def a_full_buffer_is_told() -> str:
    """A producer that is kept from reading for longer than the buffer holds."""
    async with producing("iio", 100) as watched:
        await watched.until(100)
        # As a stopped process. For 100 Hz the buffer has 200 records, which the kernel rounds up
        # to 256.
        enough = chip_samples() + 256 + 100
        while chip_samples() < enough:
            time.sleep(0.1)  # noqa: ASYNC251 - nothing else may run
        await watched.until(300)
    a, b = max(watched.gaps(), key=lambda pair: pair[1].lost)
    assert made_between(a, b) >= 90, made_between(a, b)
    assert abs(b.lost - made_between(a, b)) <= 1 + made_between(a, b) / 50, (
        b.lost,
        made_between(a, b),
        passed(a, b, PERIOD_S),
    )
    return f"{b.lost} dropped by the kernel and told, {made_between(a, b)} made"


@trial(bound_chip)
async def a_chip_that_stands_still_is_told() -> str:
    """For less and for more than the producer's patience: samples and losses add up to the time
    that has passed, and the times are right again soon."""
    found = []
    async with producing("iio", 100) as watched:
        for pause_s in (0.6, 2.5):
            await watched.until(50)
            a = watched.records[-1]
            put(f"{CHIP}/stall", "1")
            await trio.sleep(pause_s)
            put(f"{CHIP}/stall", "0")
            await watched.until(50)
            lost = sum(record.lost for record in watched.records if record.seq > a.seq)
            found.append((lost, round(pause_s / PERIOD_S)))
            assert lost >= 0.8 * pause_s / PERIOD_S, found
            lag_s = (time.monotonic_ns() - watched.records[-1].t_ns) / 1e9
            assert lag_s < 0.4, lag_s
    check_values(watched.records, KERNEL_UNITS)
    periods = passed(watched.records[0], watched.records[-1], PERIOD_S) + 1
    assert abs(watched.told() - periods) <= 2 + periods / 50, (watched.told(), periods)
    return f"(told, still for): {found} periods"


@trial(bound_chip)
async def a_bus_that_fails_for_a_moment_is_told() -> str:
    """The driver may throw away what is in the chip's queue: no more than is told."""
    async with producing("iio", 100) as watched:
        await watched.until(50)
        put(f"{CHIP}/nack", "60")
        await watched.until(100)
    check_values(watched.records, KERNEL_UNITS)
    pairs = [(made_between(a, b), b.lost) for a, b in itertools.pairwise(watched.records)]
    assert sum(lost for _, lost in pairs) >= sum(count for count, _ in pairs), pairs
    assert Path(f"{CHIP}/nack").read_text().strip() == "0"
    return f"(made, told): {[pair for pair in pairs if any(pair)]}"


@trial(bound_chip)
async def a_driver_that_is_bound_again_is_found() -> str:
    """The gap is told in full, and the settings are made anew."""
    client = driven()
    async with producing("iio", 100) as watched:
        await watched.until(50)
        put(f"{DRIVER}/unbind", client)
        await trio.sleep(0.7)
        assert not FOLDER.exists()
        put(f"{DRIVER}/bind", client)
        await watched.until(50)
    a, b = max(watched.gaps(), key=lambda pair: pair[1].lost)
    # The chip's period is measured, on few samples here.
    assert abs(b.lost - passed(a, b, PERIOD_S)) <= 1 + passed(a, b, PERIOD_S) / 50, (
        b.lost,
        passed(a, b, PERIOD_S),
    )
    assert b.lost > 60, b.lost
    check_values(watched.records, KERNEL_UNITS)
    assert settings()["buffer/enable"] == "0"
    return f"{b.lost} readings told"


@trial(bound_chip)
async def a_second_reader_is_refused() -> str:
    """By the kernel, and with words."""
    said = "nothing"
    async with producing("iio", 100):
        try:
            await open_device("iio", 100)
        except DeviceError as error:
            said = str(error)
    assert "another program is using the sensor" in said, said
    return said


@trial(bound_chip)
async def a_killed_producer_leaves_nothing_that_hinders_the_next() -> str:
    """The buffer stays on, and the next one takes it over."""
    command = [sys.executable, "producer_main.py", "--device=iio", "--ring=killed_trial"]
    command.append("--attitude=off")
    with subprocess.Popen(command) as process:  # noqa: ASYNC220 - it takes no time to wait for
        with trio.fail_after(30):
            while (FOLDER / "buffer/enable").read_text().strip() != "1":  # noqa: ASYNC110 - no event
                await trio.sleep(0.1)
        process.kill()
    assert settings()["buffer/enable"] == "1"
    async with producing("iio", 100) as watched:
        await watched.until(20)
    assert settings()["buffer/enable"] == "0"
    return f"{len(watched.records)} samples"


# -- sysfs --------------------------------------------------------------------------------------


@trial(contextlib.nullcontext)
async def sysfs_gives_what_the_registers_hold() -> str:
    """Also after the driver was bound again, and with a rate of the producer's own."""
    with driven_stub() as stub:
        client = driven()
        async with producing("iio", 10) as watched:
            for _ in range(2):
                for x in (-512, 511, 100):
                    stub.sets(x)
                    await watched.until(2)  # one may have been read meanwhile
                    await watched.until(2)
                    record = watched.records[-1]
                    assert number(record, KERNEL_UNITS) == x + 512, (record, x)
                    check_values([record], KERNEL_UNITS, stub_raw)
                put(f"{DRIVER}/unbind", client)
                await trio.sleep(0.5)
                put(f"{DRIVER}/bind", client)
                await watched.until(5)
        periods = passed(watched.records[0], watched.records[-1], 0.1) + 1
        assert abs(watched.told() - periods) <= 2, (watched.told(), periods)
        lost = sum(record.lost for record in watched.records)
        assert lost >= 8, lost
    return f"{len(watched.records)} samples and {lost} told to be lost in {periods} periods"
