"""The chip itself, over I2C: set up, read, and set up again after any failure.

Invariants:

1. A sample is one frame of the chip: never parts of two, never in the scale of another setup, never
   returned twice without STALE_REPEAT.
2. Missing readings are reported in the next sample's `lost` (numbering.py states the accuracy).
3. After any error, the chip's identity and settings are read back before anything else.
4. What another program has set for the chip behind this one (a magnetometer on the auxiliary bus)
   survives our resets.

Failures: a transfer fails (i2c.py repeats it); the bus fails or hangs (it is reopened, after a wait
that doubles each time); the chip's FIFO overflows (readers.py empties it); the chip's power fails
(readers.py notices, and the chip is set up again here); the chip stops measuring (reported after
SILENCE_S, or as stale readings).
"""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Final, Self

import trio

from trio_mpu.device import Device
from trio_mpu.errors import DeviceError, NoSampleYet
from trio_mpu.sample import Flag, Sample
from trio_mpu.sensors import i2c
from trio_mpu.sensors.mpu6050.configuration import Configuration
from trio_mpu.sensors.mpu6050.frames import Scale
from trio_mpu.sensors.mpu6050.numbering import Poll, ReadingNumbers
from trio_mpu.sensors.mpu6050.options import ChipSpec
from trio_mpu.sensors.mpu6050.readers import Fifo, Registers, Source
from trio_mpu.sensors.mpu6050.registers import ACCEL_CONFIG2, FIFO_EN, WHO_AM_I
from trio_mpu.sensors.mpu6050.variants import ICM_20689, ChipVariant, counterfeit, identify

log = logging.getLogger(__name__)

# From this rate on readings come from the FIFO. Below it a period is long enough for a busy
# computer, and reading the newest one directly has the shortest delay.
FIFO_FROM_HZ: Final = 200.0
RESET_S: Final = 0.1  # required by the register map after DEVICE_RESET
START_S: Final = 0.05  # the gyroscope needs 30 ms to start
SILENCE_S: Final = 0.25  # arbitrary; at least SILENT_PERIODS
SILENT_PERIODS: Final = 10
FIRST_WAIT_S: Final = 0.01  # before the second attempt to set the chip up again…
MAX_WAIT_S: Final = 2.0  # …doubling up to this
_INTERPOLATED: Final = int(Flag.INTERPOLATED_TIME)  # or-ing a Flag takes ten times as long
MEASURED_AFTER: Final = 1000  # readings: the true rate is then known to 10⁻⁴


class Mpu6050(Device):
    """An MPU-6050, or one of its relatives, at an address of an I2C bus.

    It is paced: a read waits until the chip has measured. With an adapter that supports long
    bursts, from FIFO_FROM_HZ on or once the computer has been late too often, readings come from
    the chip's FIFO, several at a time, with times computed from the chip's clock (chip_clock.py
    states the error). Otherwise each is read separately, and its time is the middle of that
    transfer, at most a quarter of a period after the measurement.
    """

    paced = True

    def __init__(self, spec: ChipSpec) -> None:
        """For use by `open` only."""
        self.source = spec.name
        self.period_ns = spec.setup.period_ns
        self._spec = spec
        self.ledger: dict[str, int] = Counter()
        self._bus = i2c.Bus(spec.path, spec.address, self._count)
        self._numbering = ReadingNumbers(self.period_ns)
        self._configuration: Configuration
        self.variant: ChipVariant
        self._source: Source
        self._has_bursts = False
        self._uses_fifo = False
        self._scale: Scale
        self._is_ready = False
        self._failures = 0  # in a row
        self._due_ns = 0
        self._heard_ns = 0  # when the last new reading came
        self._last_frame = b""
        self._last_ns = 0
        self._is_measured = False

    @classmethod
    async def open(cls, spec: ChipSpec) -> Self:
        """Wake the chip, identify it, and set it up.

        Raises DeviceError with what is wrong and what to do: no bus, no permission, no answer, a
        kernel driver holds it, an unknown chip, a chip that does not keep its settings.
        Cancellation leaves the chip in an undefined state, which the next `open` resets.
        """
        device = cls(spec)
        try:
            who, device._has_bursts = await device._bus.run(
                lambda session: (session.read(WHO_AM_I, 1)[0], session.has_bursts)
            )
            await device._identify(who)
        except BaseException:
            await device.aclose()
            raise
        way = "from its FIFO" if device._uses_fifo else "one at a time"
        log.info("%s: %s, read %s", device.source, device.chip, way)
        device.identity = f"{device.variant.name} with factory codes {device.factory_codes.hex()}"
        return device

    @property
    def factory_codes(self) -> bytes:
        """The chip's registers 0x0D to 0x10, as the factory has set them."""
        return self._configuration.factory_codes

    async def _identify(self, who: int) -> None:
        """Find out the chip variant with this id, and set the chip up."""
        spec = self._spec
        self._configuration = Configuration(who)
        self._choose(identify(who, force=spec.force, named=spec.variant))
        differing = await self._apply()
        # If the power had failed, other registers would differ too.
        if self.variant == ICM_20689 and differing.keys() == {ACCEL_CONFIG2}:
            found = differing[ACCEL_CONFIG2]
            log.warning(
                "%s: its id is an ICM-20689's (%#04x), but register %#04x reads %#04x instead of "
                "%#04x, as in the counterfeit MPU-6050A: its temperature may be 4 °C too high (then "
                "add force=mpu6500) or 12 °C too low (then add force=mpu6050)",
                self.source,
                who,
                ACCEL_CONFIG2,
                found,
                self._configuration.values[ACCEL_CONFIG2],
            )
            del self._configuration.values[ACCEL_CONFIG2]
            self._choose(counterfeit(found, spec.setup.dlpf))
            differing = await self._apply()
        self._begin(differing)

    def _choose(self, variant: ChipVariant) -> None:
        setup = self._spec.setup
        self.variant = variant
        self._scale = Scale.of(setup, variant)
        self._configuration.values.update(setup.values(variant))
        if self._has_bursts and setup.rate_hz >= FIFO_FROM_HZ:
            self._use_fifo()
        self.chip = setup.text(variant)

    def _use_fifo(self) -> None:
        self._uses_fifo = True
        self._configuration.values[FIFO_EN] = self.variant.fifo_sources

    async def _change_to_fifo(self) -> None:
        """Read the FIFO from now on: the computer is too slow to read each reading in time."""
        log.warning(
            "%s: this computer is too busy to read the chip every %g ms; reading its FIFO from "
            "now on",
            self.source,
            self.period_ns / 1e6,
        )
        self._use_fifo()
        self._numbering.rephase()
        await self._set_up()

    def count_in(self, ledger: dict[str, int]) -> None:
        """Count retries, overflows, reopened buses and resets in the producer's ledger."""
        for name, count in self.ledger.items():
            ledger[name] += count
        super().count_in(ledger)

    def _count(self, name: str) -> None:
        self.ledger[name] += 1

    @property
    def measured_period_ns(self) -> float:
        """The chip's period by the computer's clock, as known so far; initially `period_ns`."""
        return self._numbering.clock.period_ns

    async def read(self, periods: int = 1) -> Sequence[Sample]:  # noqa: ARG002 - it is paced
        """Wait for new readings and return them, oldest first.

        Raises DeviceError if the chip can't be read now; the next call tries again. Missing
        readings are reported with the next sample. Cancellation loses at most the readings in
        progress.
        """
        while True:
            try:
                if not self._is_ready:
                    await self._recover()
                if self._has_bursts and self._source.is_too_late:
                    await self._change_to_fifo()
                await trio.sleep(max(0, self._due_ns - i2c.monotonic_ns()) / 1e9)
                poll = await self._bus.run(self._source.poll)
                samples = self._samples(poll)
            except NoSampleYet:
                self._due_ns = i2c.monotonic_ns() + self.period_ns
                raise
            except DeviceError as error:
                self._is_ready = False
                self._failures += 1
                raise DeviceError(f"{self.source}: {error}") from error
            except BaseException:
                self._is_ready = False
                raise
            self._failures = 0
            self._due_ns = self._source.due_ns(poll, self._numbering)
            if samples:
                self._log_rate()
                return samples

    async def aclose(self) -> None:
        """Close the bus. The chip continues to measure; the next `open` resets it."""
        self._bus.close()

    def _samples(self, poll: Poll) -> list[Sample]:
        """Return the readings of a poll as samples, numbered, timed, scaled and flagged."""
        silence_ns = max(SILENCE_S * 1e9, SILENT_PERIODS * self.period_ns)
        if poll.frames or not poll.continuous:
            self._heard_ns = i2c.monotonic_ns()
        elif poll.ended_ns - self._heard_ns > silence_ns:
            self._heard_ns = poll.ended_ns
            self._numbering.rephase()
            raise DeviceError(f"the chip has not measured anything for {silence_ns / 1e9:g} s")
        samples = []
        for reading in self._numbering.add(poll):
            flags = 0
            if reading.lost:
                flags |= Flag.DEVICE_GAP
            if reading.frame == self._last_frame:
                flags |= Flag.STALE_REPEAT
            if self._uses_fifo:
                flags |= _INTERPOLATED
            t_ns = reading.t_ns if self._uses_fifo else reading.found_ns
            t_ns = max(self._last_ns + 1, min(t_ns, poll.ended_ns))
            sample = self._scale.sample(reading.frame, t_ns, flags)
            samples.append(sample._replace(lost=reading.lost) if reading.lost else sample)
            self._last_frame, self._last_ns = reading.frame, t_ns
        return samples

    def _log_rate(self) -> None:
        if not self._is_measured and self._numbering.clock.observations >= MEASURED_AFTER:
            self._is_measured = True
            rate_hz = 1e9 / self.measured_period_ns
            log.info(
                "%s delivers %.2f readings a second by this computer's clock, nominally %g",
                self.source,
                rate_hz,
                self._spec.setup.rate_hz,
            )

    async def _recover(self) -> None:
        """Make sure that the chip is the same one and measures as before."""
        if self._failures:
            doubled = FIRST_WAIT_S * 2 ** min(20, self._failures - 1)
            await trio.sleep(min(MAX_WAIT_S, doubled))
        if await self._bus.run(self._configuration.differing):
            self._count("chip_resets")
            self._numbering.rephase()
            await self._set_up()
        self._is_ready = True
        self._heard_ns = i2c.monotonic_ns()  # nothing has been read for a while

    async def _set_up(self) -> None:
        """Reset the chip and set it up. Raises DeviceError if it does not keep its settings."""
        self._begin(await self._apply())

    async def _apply(self) -> dict[int, int]:
        """Reset the chip and write its settings; return which registers differ then."""
        await self._bus.run(self._configuration.reset)
        await trio.sleep(RESET_S)
        await self._bus.run(self._configuration.write)
        await trio.sleep(START_S)
        return await self._bus.run(self._configuration.differing)

    def _begin(self, differing: dict[int, int]) -> None:
        """Begin to read the chip. Raises DeviceError if any of its registers differs."""
        if differing:
            problem = self._configuration.problem(differing)
            raise DeviceError(f"{self.source}: the chip does not keep its settings: {problem}")
        if self._uses_fifo:
            self._source = Fifo(self.variant, self.period_ns)
        else:
            self._source = Registers(self.variant, self._spec.setup, self._numbering)
        self._is_ready = True
        self._heard_ns = self._due_ns = i2c.monotonic_ns()
