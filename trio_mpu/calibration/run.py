"""Calibrates a sensor, with the help of the person who turns it."""

import contextlib
import logging
import os
import statistics
from datetime import UTC, datetime
from pathlib import Path

import trio

from trio_mpu import lifecycle
from trio_mpu.calibration import report
from trio_mpu.calibration.allan import DENSITY_AT_S, SHARE, stability
from trio_mpu.calibration.collect import Measurement, count_of, measure
from trio_mpu.calibration.factory import run_self_test
from trio_mpu.calibration.files import default_path, load, named, require_place, save
from trio_mpu.calibration.kalibr import kalibr_file
from trio_mpu.calibration.model import ONE, ZERO, Calibration, Vector
from trio_mpu.calibration.noise_model import Noise, least_readings, noise
from trio_mpu.calibration.six_positions import solve
from trio_mpu.calibration.stillness import FACES, Rest, at_rest
from trio_mpu.device import Device
from trio_mpu.errors import CalibrationError, NoCalibration, RingMissing, UsageError
from trio_mpu.ring import RingReader
from trio_mpu.sample import Flag
from trio_mpu.sensors.mpu6050.options import parse_chip
from trio_mpu.sensors.registry import open_device
from trio_mpu.settings import CalibrateSettings

log = logging.getLogger(__name__)


async def run_calibrator(settings: CalibrateSettings, stop: trio.Event, stdin_fd: int = 0) -> None:
    """Calibrate as these settings say, with prompts for the person; stop early if `stop` is set.

    Raises a TrioMpuError with the reason if that is not possible, if a test fails, and if it is
    stopped early. No file is then changed, unless that for Kalibr is what fails: it comes last.
    """
    finished = False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lifecycle.cancel_at, stop, nursery.cancel_scope)
        await refuse_if_in_use(settings.device, settings.ring)
        await (run_self_test(settings) if settings.self_test else _calibrate(settings, stdin_fd))
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
    for file in filter(None, (settings.output, settings.kalibr)):
        require_place(named(file))  # before anybody waits for a measurement
    device = await open_device(settings.device, settings.rate, may_simulate=False)
    try:
        if not device.identity:
            raise UsageError(
                f"{device.source} is a recording and can't be calibrated; choose a sensor with "
                "--device"
            )
        count = count_of(device, settings.seconds)
        if settings.kalibr:
            _require_noise(settings, device, count)
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
    noises = await _noises(device, first) if settings.kalibr else []
    rests = {face: rest for face, (rest, _) in measured.items()}
    simulated = bool(first.samples[0].flags & Flag.SIMULATED)
    if simulated and not settings.output:
        print("not saved, because the sensor is simulated: use --output FILE to save anyway")
    else:
        _save(settings, device, rests)
    if settings.kalibr:
        _save_for_kalibr(named(settings.kalibr), device, first, noises)


def _require_noise(settings: CalibrateSettings, device: Device, count: int) -> None:
    """Raise UsageError if so many readings can't show the noise, or have no place of their own."""
    least = least_readings(device.period_ns / 1e9)
    if least is None or count < least:
        raise UsageError(
            f"--kalibr needs {SHARE * DENSITY_AT_S:g} s of readings, at {1 / DENSITY_AT_S:g} Hz or "
            "more; change --seconds or --rate"
        )
    if named(settings.kalibr).resolve() == _path(settings, device).resolve():
        raise UsageError("--kalibr and the calibration are the same file; choose another name")


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
    path = _path(settings, device)
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


def _path(settings: CalibrateSettings, device: Device) -> Path:
    return named(settings.output) if settings.output else default_path(device.source)


async def _noises(device: Device, measurement: Measurement) -> list[Noise]:
    found = []
    for axis in range(1, 7):
        await trio.lowlevel.checkpoint()  # as in _show
        column = [sample[axis] for sample in measurement.samples]
        found.append(noise(column, device.period_ns / 1e9))
    return found


def _save_for_kalibr(
    path: Path, device: Device, measurement: Measurement, noises: list[Noise]
) -> None:
    count, missing = len(measurement.samples), measurement.missing
    file = kalibr_file(device.identity, device.period_ns / 1e9, count, missing, noises)
    save(path, file.text)
    print(f"saved the noise for Kalibr to {path}")
    if file.bounds:
        print(
            f"only upper bounds: {', '.join(file.bounds)}; the measurement was too short to show "
            "the random walk"
        )


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
