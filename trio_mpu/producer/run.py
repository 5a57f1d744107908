"""Device → ring: a sampler that keeps the period, and a publisher that may lag behind it.

The two are tasks of their own with a bounded backlog between them, so that neither a reader
which holds the semaphore nor the making of a new ring costs a sample. Where nothing has to be
waited for, which is nearly always, the publisher's part is done within the sampler's task: to
wake another one would make each sample later by a round of the event loop.
"""

import contextlib
import logging
from collections.abc import Callable
from typing import Final

import trio

from trio_mpu.calibration.correction import NONE, Correct, as_it_is, choose
from trio_mpu.device import Device
from trio_mpu.errors import DeviceError, EndOfReplay, NoSampleYet, RingError
from trio_mpu.producer.backlog import Backlog
from trio_mpu.ring import MAX_RECORDS_A_HOLD, RingWriter
from trio_mpu.sensors.registry import open_device
from trio_mpu.ticker import Ticker

log = logging.getLogger(__name__)

BEAT_S: Final = 1.0  # how often heartbeat and ledger are published and the ring's names checked
ERRORS_BEFORE_RETRY: Final = 10  # a passing fault is over by then…
RETRY_S: Final = 0.1  # …and a device that has vanished is asked for this often
QUIET_S: Final = 10.0  # a fault that comes and goes is logged this often
GOODBYE_S: Final = 0.5  # arbitrary: to write what is measured and to say "stopped"


async def run_producer(
    spec: str,
    rate_hz: float,
    ring: str,
    capacity: int,
    calibration: str = NONE,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Read the device and write the ring until cancelled; then say "stopped" in the ring.

    `calibration` is as correction.py's `choose` takes it. Raises UsageError or DeviceError when
    the device can't be had to begin with, CalibrationError when the calibration can't, and
    RingError when the ring can't. A ring that was made here and never written is removed again.
    """
    writer = await RingWriter.open(ring, capacity)
    try:
        device = await open_device(spec, rate_hz)
    except BaseException:
        await _abandon(writer)
        raise
    try:
        try:
            correct = choose(device, calibration)
        except BaseException:
            await _abandon(writer)
            raise
        await _produce(device, correct, writer, ring, capacity, task_status)
    finally:
        await device.aclose()


async def _produce(
    device: Device,
    correct: Correct,
    writer: RingWriter,
    ring: str,
    capacity: int,
    task_status: trio.TaskStatus[None],
) -> None:
    if writer.head and not writer.continues(device.source):
        log.info("the ring holds %s; making a new one for %s", writer.source, device.source)
        writer = await _replace(writer, ring, capacity)
    try:
        await writer.start(device.source, device.period_ns, device.chip, device.calibration)
    except BaseException:
        await _abandon(writer)
        raise
    log.info("reading %s at %g Hz into ring %s", device.source, 1e9 / device.period_ns, ring)
    backlog = Backlog(writer.ledger, device.period_ns, writer.last)
    publisher = Publisher(backlog, writer, device, ring, capacity)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(publisher.run)
            task_status.started()
            await sample_device(device, backlog, writer.ledger, publisher.publish, correct)
            publisher.end()
    finally:
        await publisher.stop()


async def _abandon(writer: RingWriter) -> None:
    """Give up a ring that nothing was written into: a predecessor's stays, a new one goes."""
    if writer.head == 0:
        writer.unlink()
    else:
        with trio.move_on_after(GOODBYE_S, shield=True), contextlib.suppress(RingError):
            await writer.stop()
    writer.close()


async def _replace(writer: RingWriter, ring: str, capacity: int) -> RingWriter:
    """Return the writer of a new ring in place of this writer's."""
    writer.unlink()
    writer.close()
    return await RingWriter.open(ring, capacity)


async def sample_device(
    device: Device,
    backlog: Backlog,
    ledger: dict[str, int],
    publish: Callable[[], None],
    correct: Correct = as_it_is,
) -> None:
    """Put a sample, corrected, into the backlog each period, and note each period that has none.

    `publish` is called whenever there are new ones. A failing device is asked again and again.
    Returns only at the end of a replay.
    """
    device.count_in(ledger)
    ticker = None if device.paced else Ticker(device.period_ns)
    trouble = FaultLog()
    try:
        while True:
            periods = await ticker.wait() if ticker is not None else 0
            try:
                samples = await device.read(periods)
            except EndOfReplay as error:
                log.info("%s; the ring keeps it", error)
                return
            except DeviceError as error:
                backlog.miss(periods, "device_lost")
                ledger["device_errors"] += not isinstance(error, NoSampleYet)
                trouble.begins(error)
                if trouble.failures >= ERRORS_BEFORE_RETRY:
                    await trio.sleep(RETRY_S)
                continue
            reason = "device_lost" if trouble.failures else "ticks_lost"
            backlog.miss(max(0, periods - len(samples)), reason)
            trouble.ends()
            for sample in samples:
                backlog.add(correct(sample))
            if samples:
                publish()
    finally:
        if ticker is not None:
            ticker.close()


class FaultLog:
    """The log of a device that fails and recovers: at most one complaint each QUIET_S."""

    def __init__(self) -> None:
        self.failures = 0  # in a row
        self._logged = False
        self._quiet_until_s = 0.0

    def begins(self, error: DeviceError) -> None:
        """Note one more failure."""
        self.failures += 1
        if trio.current_time() >= self._quiet_until_s and not self._logged:
            log.warning("no sample: %s", error)
            self._quiet_until_s = trio.current_time() + QUIET_S
            self._logged = True

    def ends(self) -> None:
        """Note that a sample came."""
        if self._logged:
            log.warning("samples again, after %d failed reads", self.failures)
        self.failures = 0
        self._logged = False


class Publisher:
    """Moves the backlog into the ring, and makes a new ring when the old one has vanished."""

    def __init__(
        self, backlog: Backlog, writer: RingWriter, device: Device, ring: str, capacity: int
    ) -> None:
        self._backlog = backlog
        self._writer: RingWriter | None = writer
        self._ledger = writer.ledger
        self._device = device
        self._ring = ring
        self._capacity = capacity
        self._wanted = trio.Event()  # `run` has something to do before the next beat
        self._waits = False  # `run` does nothing now, and the ring is in good order
        self._ended = False

    def publish(self) -> None:
        """Write the backlog: here and now if that needs no waiting, else let `run` do it."""
        if not (self._waits and self._write_now()):
            self._wanted.set()

    def _write_now(self) -> bool:
        assert self._writer is not None
        samples = self._backlog.first(MAX_RECORDS_A_HOLD + 1)
        if len(samples) > MAX_RECORDS_A_HOLD or not self._writer.write_now(samples):
            return False
        self._backlog.drop(len(samples))
        return True

    def end(self) -> None:
        """Note that no sample will come any more."""
        self._ended = True
        self._wanted.set()

    async def run(self) -> None:
        """Write what `publish` could not, and beat, until cancelled.

        After the last sample of a recording the ring says "stopped", and stays.
        """
        next_beat_s = 0.0
        trouble = ""
        while True:
            with trio.move_on_at(next_beat_s):
                self._waits = not trouble
                await self._wanted.wait()
            self._waits = False
            if not self._ended:
                self._wanted = trio.Event()
            try:
                if trio.current_time() >= next_beat_s:
                    # When this fails, nothing else is tried before it has succeeded.
                    writer = await self._beat()
                    next_beat_s = trio.current_time() + BEAT_S
                    if trouble:
                        log.warning("the ring is written again")
                    trouble = ""
                await self._flush(writer)
                if self._ended:
                    await writer.stop()
                    await trio.sleep_until(next_beat_s)
            except RingError as error:
                if str(error) != trouble:
                    log.warning("samples wait: %s", error)
                trouble = str(error)
                self._wanted.set()
                await trio.sleep(RETRY_S)

    async def _beat(self) -> RingWriter:
        """Publish heartbeat and ledger in the ring that readers find now; return it."""
        if self._writer is not None and self._writer.is_current():
            await self._writer.beat()
            return self._writer
        if self._writer is not None:
            # When only the semaphore has vanished, our own lock would keep us out.
            self._writer.close()
            self._writer = None
        writer = await RingWriter.open(self._ring, self._capacity)
        try:
            if writer.head:  # of a producer that came and went meanwhile
                writer = await _replace(writer, self._ring, self._capacity)
            writer.ledger = self._ledger
            device = self._device
            await writer.start(device.source, device.period_ns, device.chip, device.calibration)
        except BaseException:
            writer.close()  # the next attempt takes it over
            raise
        log.warning("ring %s had vanished; there is a new one", self._ring)
        self._writer = writer
        return writer

    async def _flush(self, writer: RingWriter) -> None:
        while samples := self._backlog.first(MAX_RECORDS_A_HOLD):
            await writer.write(samples)
            self._backlog.drop(len(samples))

    async def stop(self) -> None:
        """Write what is measured, say in the ring that this was all, and give it up for a
        successor; all within GOODBYE_S."""
        if self._writer is None:
            return
        with trio.move_on_after(GOODBYE_S, shield=True) as goodbye:
            await self._flush(self._writer)
            await self._writer.stop()
        if goodbye.cancelled_caught:
            log.warning("the ring is held: what was not written by now is lost")
        self._writer.close()
