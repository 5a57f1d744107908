"""Calibrates a sensor, with the help of the person who turns it, and runs its self-test."""

import contextlib
import logging
import os
import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import trio

from trio_mpu import lifecycle
from trio_mpu.calibration import report
from trio_mpu.calibration.allan import stability
from trio_mpu.calibration.collect import Measurement, count_of, measure
from trio_mpu.calibration.files import default_path, load, named, require_folder, save
from trio_mpu.calibration.model import ONE, ZERO, Calibration, Vector
from trio_mpu.calibration.six_positions import solve
from trio_mpu.calibration.stillness import FACES, Rest, at_rest
from trio_mpu.device import Device
from trio_mpu.errors import CalibrationError, DeviceError, NoCalibration, RingMissing, UsageError
from trio_mpu.ring import RingReader
from trio_mpu.sample import Flag
from trio_mpu.sensors.mpu6050 import self_test
from trio_mpu.sensors.mpu6050.device import Mpu6050
from trio_mpu.sensors.mpu6050.options import parse_chip
from trio_mpu.sensors.mpu6050.registers import Setup
from trio_mpu.sensors.registry import open_device
from trio_mpu.settings import CalibrateSettings

log = logging.getLogger(__name__)

# The ranges are those of the factory's codes; 200 Hz with a filter to match.
SELF_TEST: Final = Setup(accel_g=8, gyro_dps=250, dlpf=2, divider=4)
SELF_TEST_S: Final = 1.0  # the means are then known to a thousandth of the limit
RESTORE_S: Final = 2.0  # to reset the chip at the end, which takes 0.2 s


async def run_calibrator(settings: CalibrateSettings, stop: trio.Event, stdin_fd: int = 0) -> None:
    """Calibrate as these settings say, with prompts for the person; stop early if `stop` is set.

    Raises a TrioMpuError with the reason if that is not possible, if a test fails, and if it is
    stopped early. No file is then changed.
    """
    finished = False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lifecycle.cancel_at, stop, nursery.cancel_scope)
        await refuse_if_in_use(settings.device, settings.ring)
        await (_test(settings) if settings.self_test else _calibrate(settings, stdin_fd))
        finished = True
        nursery.cancel_scope.cancel()
    if not finished:
        raise CalibrationError("interrupted: nothing was saved")


async def refuse_if_in_use(spec: str, ring: str) -> None:
    """Raise CalibrationError if a running producer of this ring reads the device: two programs
    would take readings from each other, and each would set the chip up in its own way."""
    try:
        reader = RingReader(ring)
    except RingMissing:
        return
    with reader:
        header = await reader.header()
        if reader.producer_lives() and _may_be_one(spec, header.source):
            raise CalibrationError(
                f"{header.source} is in use by the producer (process {header.producer.pid}, "
                f"ring {ring}); stop it first"
            )


def _may_be_one(spec: str, source: str) -> bool:
    """Return whether `spec` may name the device that a producer calls `source`."""
    kind, _, rest = spec.partition(":")
    their_kind, _, their_rest = source.partition(":")
    if their_kind in ("sim", "replay"):
        return False  # each program has its own
    if kind == their_kind == "i2c":
        ours, theirs = parse_chip(rest, 100), parse_chip(their_rest, 100)
        return (ours.path, ours.address) == (theirs.path, theirs.address)
    if kind == their_kind == "iio":
        return True  # a name and a number may mean the same device
    return spec in ("auto", source)


async def _calibrate(settings: CalibrateSettings, stdin_fd: int) -> None:
    if settings.output:
        require_folder(named(settings.output))  # before anybody waits for a measurement
    device = await open_device(settings.device, settings.rate, may_simulate=False)
    try:
        if not device.identity:
            raise UsageError(
                f"{device.source} is a recording and can't be calibrated; choose a sensor with "
                "--device"
            )
        count = count_of(device, settings.seconds)
        if settings.positions:
            measured = await _six(device, count, settings.seconds, stdin_fd)
        else:
            print(
                f"measuring {device.source} for {settings.seconds:g} s: do not touch it", flush=True
            )
            measurement = await measure(device, count)
            measured = {"": (at_rest(measurement.samples), measurement)}
    finally:
        await device.aclose()
    first_rest, first = next(iter(measured.values()))
    await _show(device, first_rest, first)
    rests = {face: rest for face, (rest, _) in measured.items()}
    simulated = bool(first.samples[0].flags & Flag.SIMULATED)
    if simulated and not settings.output:
        print("not saved, because the sensor is simulated: use --output FILE to save anyway")
        return
    _save(settings, device, rests)


async def _six(
    device: Device, count: int, seconds: float, stdin_fd: int
) -> dict[str, tuple[Rest, Measurement]]:
    """Have the person lay the sensor on each of its faces, in any order. A bad position is
    reported and tried again. Raises CalibrationError at the end of the input."""
    found: dict[str, tuple[Rest, Measurement]] = {}
    while missing := [face for face in FACES if face not in found]:
        print(
            f"lay the sensor down with one of {' '.join(missing)} up, press Enter, and do not "
            f"touch it for {seconds:g} s",
            flush=True,
        )
        if not await read_line(stdin_fd):
            raise CalibrationError(
                f"end of input before {' '.join(missing)} were measured: nothing was saved"
            )
        measurement = await measure(device, count)
        try:
            rest = at_rest(measurement.samples)
            face = rest.face
        except CalibrationError as error:
            print(f"try again: {error}", flush=True)
            continue
        if face in found:
            print(f"{face} was measured already: try another face", flush=True)
            continue
        found[face] = rest, measurement
        print(f"measured with {face} up", flush=True)
    return found


async def _show(device: Device, rest: Rest, measurement: Measurement) -> None:
    period_s = device.period_ns / 1e9
    samples = measurement.samples
    stabilities = []
    for axis in range(1, 7):
        # An hour of readings takes seconds for each axis: Ctrl-C must not wait for all six.
        await trio.lowlevel.checkpoint()
        stabilities.append(stability([sample[axis] for sample in samples], period_s))
    print(
        f"{device.identity} at {rest.temp_c:.1f} °C, {len(samples)} readings at {1 / period_s:g} Hz"
    )
    print(*report.lines(rest, stabilities), sep="\n")
    if measurement.missing:
        print(f"missed {measurement.missing} readings: density and instability are approximate")


def _save(settings: CalibrateSettings, device: Device, rests: dict[str, Rest]) -> None:
    path = named(settings.output) if settings.output else default_path(device.source)
    if settings.positions:
        offset_g, scale = solve({face: rest.accel_g for face, rest in rests.items()})
    else:
        offset_g, scale = _accelerometer_so_far(path, device.identity)
    # The effect of gravity on the gyroscope has opposite signs on opposite faces.
    columns = zip(*(rest.gyro_dps for rest in rests.values()), strict=True)
    x, y, z = (statistics.fmean(column) for column in columns)
    calibration = Calibration(
        device.identity, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", (x, y, z), offset_g, scale
    ).checked()
    temp_c = next(iter(rests.values())).temp_c
    text = calibration.text(f"Measured at {temp_c:.1f} °C, in {len(rests)} position(s).")
    save(path, text, makes_folder=not settings.output)
    print(f"saved calibration {calibration.id} to {path}")


def _accelerometer_so_far(path: Path, identity: str) -> tuple[Vector, Vector]:
    """Return the result of earlier six positions: the gyroscope is calibrated more often."""
    try:
        before = load(path)
    except NoCalibration:
        return ZERO, ONE
    except CalibrationError as error:
        log.warning("replacing an unusable calibration: %s", error)
        return ZERO, ONE
    if before.identity != identity:
        log.warning("replacing the calibration of another sensor: %.100s", before.identity)
        return ZERO, ONE
    if (before.offset_g, before.scale) != (ZERO, ONE):
        print(f"keeping the accelerometer's offset and scale from calibration {before.id}")
    return before.offset_g, before.scale


async def read_line(fd: int) -> bool:
    """Wait for the end of a line; return False at the end of the input. An `fd` of -1 means that
    the input was closed from the start.

    Uses no thread, because a thread that waits for a keyboard would still hold it when the
    program ends.
    """
    while fd >= 0:
        try:
            with contextlib.suppress(
                PermissionError
            ):  # a regular file can't and needn't be waited on
                await trio.lowlevel.wait_readable(fd)
            byte = os.read(fd, 1)
        except OSError:  # the terminal has gone
            return False
        if byte in (b"", b"\n"):
            return bool(byte)
    return False


async def _test(settings: CalibrateSettings) -> None:
    """Run the factory self-test. Raises CalibrationError if an axis fails."""
    kind, _, rest = settings.device.partition(":")
    if kind != "i2c" or settings.positions or settings.output:
        raise UsageError(
            "--self-test needs --device i2c:…, and can't be combined with --positions or --output"
        )
    spec = parse_chip(rest, settings.rate)
    means = list[list[float]]()
    try:
        for setup in (SELF_TEST, SELF_TEST._replace(self_test=True)):
            device = await Mpu6050.open(spec._replace(setup=setup))
            try:
                self_test.require_support(device.variant)
                samples = (await measure(device, count_of(device, SELF_TEST_S))).samples
            finally:
                await device.aclose()
            if not means:
                at_rest(samples)
            columns = zip(*(sample[1:7] for sample in samples), strict=True)
            means.append([statistics.fmean(column) for column in columns])
    finally:
        # The chip measures correctly only after it has been set up again.
        with trio.move_on_after(RESTORE_S, shield=True):
            try:
                await (await Mpu6050.open(spec)).aclose()
            except DeviceError as error:
                log.warning("%s is still in self-test mode: %s", spec.name, error)
    verdicts = self_test.judge(device.factory_codes, *means)
    print(
        f"factory self-test of {spec.name}, {device.identity}; limit ±{self_test.LIMIT_PERCENT:g} %"
    )
    print(*(verdict.text for verdict in verdicts), sep="\n")
    if failed := [verdict.axis for verdict in verdicts if not verdict.passed]:
        raise CalibrationError(f"self-test failed: {' '.join(failed)}")
