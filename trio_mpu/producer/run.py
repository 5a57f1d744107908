"""Device → ring: a sampler that keeps the period, and a publisher that may fall behind.

They are two tasks with a bounded backlog between them, so that neither a reader that holds the
semaphore nor the creation of a new ring costs a sample. If there is nothing to wait for, which is
nearly always, the sampler's task also publishes: waking another task would delay each sample by
one round of the event loop.
"""

import contextlib
import logging

import trio

from trio_mpu.calibration.correction import Correct, choose
from trio_mpu.device import Device
from trio_mpu.errors import RingError
from trio_mpu.orientation.choose import load_filter
from trio_mpu.orientation.rules import MakeFilter
from trio_mpu.orientation.tracker import Tracker
from trio_mpu.producer.backlog import Backlog
from trio_mpu.producer.publisher import GOODBYE_S, Publisher, replace
from trio_mpu.producer.sampler import sample_device
from trio_mpu.ring import RingWriter
from trio_mpu.sensors.registry import open_device
from trio_mpu.settings import ProducerSettings

log = logging.getLogger(__name__)


async def run_producer(
    settings: ProducerSettings,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Read the device and write the ring until cancelled; then set the ring's state to "stopped".

    Raises UsageError or DeviceError if the device can't be opened, CalibrationError if the
    calibration can't be used, and RingError if the ring can't. A ring that was created here and
    never written is removed.
    """
    # First of all: while it takes its time, no sensor's queue fills.
    make_filter = load_filter(wanted=settings.attitude == "on")
    writer = await RingWriter.open(settings.ring, settings.capacity)
    try:
        device = await open_device(settings.device, settings.rate)
    except BaseException:
        await _abandon(writer)
        raise
    try:
        try:
            correct = choose(device, settings.calibration)
        except BaseException:
            await _abandon(writer)
            raise
        await _produce(device, correct, make_filter, writer, settings, task_status)
    finally:
        await device.aclose()


async def _produce(
    device: Device,
    correct: Correct,
    make_filter: MakeFilter | None,
    writer: RingWriter,
    settings: ProducerSettings,
    task_status: trio.TaskStatus[None],
) -> None:
    if writer.head and not writer.continues(device.source):
        log.info(
            "the ring holds samples of %s; creating a new ring for %s", writer.source, device.source
        )
        writer = await replace(writer, settings.ring, settings.capacity)
    try:
        await writer.start(device.source, device.period_ns, device.chip, device.calibration)
    except BaseException:
        await _abandon(writer)
        raise
    log.info(
        "reading %s at %g Hz into ring %s", device.source, 1e9 / device.period_ns, settings.ring
    )
    prepare = _prepared(correct, make_filter, device, writer)
    backlog = Backlog(writer.ledger, device.period_ns, writer.last)
    publisher = Publisher(backlog, writer, device, settings.ring, settings.capacity)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(publisher.run)
            task_status.started()
            await sample_device(device, backlog, writer.ledger, publisher.publish, prepare)
            publisher.end()
    finally:
        await publisher.stop()


def _prepared(
    correct: Correct, make_filter: MakeFilter | None, device: Device, writer: RingWriter
) -> Correct:
    """Return what is done to each sample: it is corrected, and then gets its attitude."""
    if make_filter is None:
        return correct
    tracker = Tracker(device, writer.ledger, make_filter, continues=writer.last is not None)
    return lambda sample: tracker.add(correct(sample))


async def _abandon(writer: RingWriter) -> None:
    """Give up a ring without writing: a previous producer's stays, a new one is removed."""
    if writer.head == 0:
        writer.unlink()
    else:
        with trio.move_on_after(GOODBYE_S, shield=True), contextlib.suppress(RingError):
            await writer.stop()
    writer.close()
