"""Device → ring: a fake device and virtual time, over real shared memory."""

import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.helpers.calibrations import CALIBRATION
from tests.helpers.fake_devices import (
    FakeDevice,
    FakeTicker,
    Late,
    Step,
    end_of_recording,
    number,
    one_line,
    sample,
    virtual_ns,
)
from tests.test_damaged_ring import scribble
from trio_mpu.device import Device
from trio_mpu.errors import (
    CalibrationError,
    DeviceError,
    NoSampleYet,
    RingError,
    RingHeld,
    RingMissing,
    UsageError,
)
from trio_mpu.producer import backlog as backlog_module
from trio_mpu.producer import run as producer_run
from trio_mpu.producer import sampler
from trio_mpu.producer.backlog import Backlog
from trio_mpu.producer.publisher import BEAT_S, GOODBYE_S
from trio_mpu.producer.sampler import ERRORS_BEFORE_RETRY, QUIET_S, RETRY_S, sample_device
from trio_mpu.record import LEDGER, Header, Record, State
from trio_mpu.ring import RingReader, RingWriter
from trio_mpu.sample import Flag, Sample
from trio_mpu.settings import ProducerSettings
from trio_mpu.shm.segment import Segment

CAPACITY = 4096
FAILED = DeviceError("it does not answer")


def settings(device: str, ring: str, rate: float = 100) -> ProducerSettings:
    """What a producer of this device is told."""
    return ProducerSettings(device=device, ring=ring, rate=rate, capacity=CAPACITY)


@pytest.fixture(autouse=True)
def virtual_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The period is one of virtual time."""
    monkeypatch.setattr(sampler, "Ticker", FakeTicker)


@pytest.fixture(autouse=True)
def all_logs(caplog: pytest.LogCaptureFixture) -> None:
    """What is logged can be looked at."""
    caplog.set_level(logging.INFO)


# -- the sampler --------------------------------------------------------------------------------


class Sampled:
    """What became of a script."""

    def __init__(self, script: list[Step], *, paced: bool = False, period_ns: int = 10**7) -> None:
        self.ledger = dict.fromkeys(LEDGER, 0)
        self.device = FakeDevice(script, period_ns=period_ns, paced=paced, after=end_of_recording())
        self.ticks_before_first: int | None = None
        self.published = 0  # times that new samples were announced
        self.ticks = 0
        self.seconds = 0.0
        clock = MockClock(autojump_threshold=0)
        self.samples = trio.run(self._run, clock=clock)

    async def _run(self) -> list[Sample]:
        tickers: list[FakeTicker] = []

        def ticker(period_ns: int) -> FakeTicker:
            tickers.append(FakeTicker(period_ns))
            return tickers[-1]

        queue = Backlog(self.ledger, self.device.period_ns, None)
        read = self.device.read

        async def counted_read(periods: int) -> "list[Sample]":
            tick = tickers[-1].seen if tickers else 0
            samples = list(await read(periods))
            if samples and self.ticks_before_first is None:
                self.ticks_before_first = tick
            return samples

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sampler, "Ticker", ticker)
            patch.setattr(self.device, "read", counted_read)
            await sample_device(self.device, queue, self.ledger, self._publish)
        assert all(ticker.closed for ticker in tickers)
        self.ticks = tickers[-1].seen if tickers else 0
        self.seconds = trio.current_time()
        return queue.first(10**6)

    def _publish(self) -> None:
        self.published += 1

    @property
    def told(self) -> int:
        """The readings that are there or told to be missing."""
        return len(self.samples) + sum(sample.lost for sample in self.samples)


def test_a_sample_is_taken_each_period() -> None:
    """A device that works gives one sample a period, and nothing is missing."""
    sampled = Sampled([None] * 50)
    assert [number(taken.ax) for taken in sampled.samples] == list(range(1, 51))
    assert sampled.published == 50
    assert {(taken.flags, taken.lost) for taken in sampled.samples} == {(0, 0)}
    steps = {b.t_ns - a.t_ns for a, b in zip(sampled.samples, sampled.samples[1:], strict=False)}
    assert steps == {10**7}
    assert set(sampled.ledger.values()) == {0}


def test_failed_reads_are_told_with_the_next_sample() -> None:
    """Each period without a reading is one that is lost, whatever the reason, and each reason has
    its counter."""
    script: list[Step] = [None, FAILED, FAILED, None, NoSampleYet("not yet"), None, Late(0.035)]
    sampled = Sampled([*script, None, None])
    assert [(taken.flags, taken.lost) for taken in sampled.samples] == [
        (0, 0),
        (Flag.DEVICE_GAP, 2),
        (Flag.DEVICE_GAP, 1),
        (0, 0),
        (Flag.DEVICE_GAP, 2),
        (0, 0),
    ]
    assert sampled.ledger["device_errors"] == 2
    assert sampled.ledger["device_lost"] == 3
    assert sampled.ledger["ticks_lost"] == 2


steps: st.SearchStrategy[Step] = st.one_of(
    st.none(),
    st.just(FAILED),
    st.just(NoSampleYet("not yet")),
    st.builds(Late, st.integers(1, 350).map(lambda tenths: tenths / 10_000)),
    st.builds(Late, st.integers(1, 350).map(lambda tenths: tenths / 10_000), st.just(FAILED)),
)
scripts = st.lists(steps | st.just(FAILED).map(lambda step: step), max_size=60)


@given(scripts)
def test_every_period_is_a_sample_or_told_to_be_lost(script: list[Step]) -> None:
    """From the first sample on, samples and losses add up to the ticks, for any mixture of good,
    failed, empty and late reads; the ledger has the same sum."""
    sampled = Sampled([*script, None])
    assert sampled.told == sampled.ticks - (sampled.ticks_before_first or 0)
    lost = sum(count for name, count in sampled.ledger.items() if name.endswith("_lost"))
    assert len(sampled.samples) + lost == sampled.told
    assert all(bool(taken.lost) == bool(taken.flags) for taken in sampled.samples)


@given(st.integers(0, 60))
def test_a_long_failure_is_told_in_full(failures: int) -> None:
    """Also the periods in which a device that has vanished is not even asked."""
    sampled = Sampled([None, *[FAILED] * failures, None])
    assert sampled.samples[1].lost == sampled.ledger["device_lost"] == sampled.told - 2
    assert sampled.ledger["ticks_lost"] == 0
    pauses = max(0, failures - ERRORS_BEFORE_RETRY + 1)
    assert sampled.seconds == pytest.approx(0.03 + failures * 0.01 + pauses * (RETRY_S - 0.01))


def test_a_device_with_a_pace_of_its_own_is_read_all_the_time() -> None:
    """Several samples at once, failures and the device's own losses; there is no ticker, and a
    failed read is not taken for a lost period: such a device tells what it has missed."""
    three = [sample(n, lost=n == 3 and 4, flags=n == 3 and Flag.DEVICE_GAP) for n in (1, 2, 3)]
    sampled = Sampled([three, FAILED, None, None], paced=True)
    assert [(taken.flags, taken.lost) for taken in sampled.samples] == [
        (0, 0),
        (0, 0),
        (Flag.DEVICE_GAP, 4),
        (0, 0),
        (0, 0),
    ]
    assert sampled.ledger["device_errors"] == 1
    assert sampled.ledger["device_lost"] == 4
    assert sampled.seconds == pytest.approx(0.02)


def test_a_paced_device_that_fails_at_once_is_not_asked_without_a_pause() -> None:
    """Ten failures in a row, and then one each RETRY_S: no loop that never rests."""
    sampled = Sampled([FAILED] * 30, paced=True)
    assert sampled.samples == []
    assert sampled.seconds == pytest.approx(RETRY_S * (30 - ERRORS_BEFORE_RETRY + 1))


def test_a_failure_and_its_end_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """However long it lasts."""
    Sampled([None, *[FAILED] * 500, None, None])
    assert caplog.messages[:2] == [
        "no sample: it does not answer",
        "receiving samples again after 500 failed reads",
    ]
    assert len(caplog.messages) == 3  # the third is the recording's end


def test_a_fault_that_comes_and_goes_is_logged_now_and_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not more than one complaint and one all-clear each QUIET_S, over a minute of flapping."""
    flapping: list[Step] = [FAILED, None] * 3000
    sampled = Sampled(flapping)
    complaints = [message for message in caplog.messages if message.startswith("no sample")]
    assert len(complaints) == pytest.approx(sampled.seconds / QUIET_S, abs=1)
    assert len(caplog.messages) <= 2 * len(complaints) + 1


def test_a_fault_that_begins_in_the_quiet_time_and_stays_is_logged_after_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Silence is for faults that pass."""
    Sampled([FAILED, None, *[FAILED] * 200, None])
    assert [message.split(":")[0] for message in caplog.messages] == [
        "no sample",
        "receiving samples again after 1 failed reads",
        "no sample",
        "receiving samples again after 200 failed reads",
        "the fake recording has been played to its end; the ring keeps its samples",
    ]


# -- the whole producer -------------------------------------------------------------------------


@asynccontextmanager
async def producing(
    ring: str,
    device: Device | DeviceError | UsageError,
    capacity: int = CAPACITY,
    calibration: str = "none",
) -> AsyncIterator[trio.Nursery]:
    """A producer of this device, until the end of the block."""

    async def opened(spec: str, rate_hz: float) -> Device:
        assert (spec, rate_hz) == ("fake", 100)
        if isinstance(device, Device):
            return device
        raise device

    async def run(task_status: trio.TaskStatus[None]) -> None:
        settings = ProducerSettings(
            device="fake",
            ring=ring,
            capacity=capacity,
            calibration=calibration,
            attitude="off",
        )
        await producer_run.run_producer(settings, task_status=task_status)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(producer_run, "open_device", opened)
        async with trio.open_nursery() as nursery:
            await nursery.start(lambda *, task_status: run(task_status))
            yield nursery
            nursery.cancel_scope.cancel()


async def look(ring: str) -> tuple[Header, list[Record]]:
    """Header and all records of the ring that its name leads to."""
    with RingReader(ring) as reader:
        return await reader.header(), await read_all(reader)


async def read_all(reader: RingReader) -> list[Record]:
    """All records that it holds, which are numbered without a gap."""
    found: list[Record] = []
    while records := (await reader.read(found[-1].seq if found else 0)).records:
        found += records
    first = found[0].seq if found else 0
    assert [record.seq for record in found] == list(range(first, first + len(found)))
    return found


def numbers(records: list[Record]) -> list[int]:
    """Which readings of the device they are."""
    return [number(record.ax) for record in records]


@contextmanager
def held(ring: str) -> Iterator[None]:
    """A living process that keeps the ring's semaphore."""
    with Segment(ring) as segment:
        segment.map()
        segment.use()
        semaphore = segment._semaphore
        assert semaphore is not None
        assert semaphore._try_take()
        try:
            yield
        finally:
            semaphore._give_back()


def open_descriptors() -> int:
    """How many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def files(ring: str) -> list[Path]:
    """The segment's and the semaphore's file, if they are there."""
    both = (Path(f"/dev/shm/{ring}"), Path(f"/dev/shm/sem.{ring}_sem"))
    return [path for path in both if path.exists()]


async def test_the_ring_holds_what_the_device_gave(
    ring_name: str, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """All samples, numbered from 1, in a ring that says what they are; within the period."""
    async with producing(ring_name, FakeDevice(source="/dev/fake")):
        await trio.sleep(2.005)
        header, records = await look(ring_name)
        assert numbers(records) == list(range(1, 201))
        assert header.state is State.RUNNING
        assert (header.source, header.period_ns, header.capacity) == ("/dev/fake", 10**7, CAPACITY)
        assert header.producer.pid == os.getpid()
    assert caplog.messages == [f"reading /dev/fake at 100 Hz into ring {ring_name}"]


async def test_a_sample_is_in_the_ring_without_waking_another_task(
    ring_name: str, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as nothing has to be waited for."""
    assert autojump_clock.rate == 0
    waits: list[int] = []

    async def waiting_write(writer: RingWriter, samples: list[Sample]) -> None:
        waits.append(len(samples))
        await RingWriter.write(writer, samples)

    device = FakeDevice([None] * 40)
    async with producing(ring_name, device):
        monkeypatch.setattr(RingWriter, "write", waiting_write)
        await trio.sleep(0.3)
        header, records = await look(ring_name)
    assert not waits
    assert len(records) == header.head >= 20


class Changing(FakeDevice):
    """A device that says something else about itself from its eleventh sample on."""

    async def read(self, periods: int = 1) -> Sequence[Sample]:
        found = await super().read(periods)
        if self.good == 11:
            self.calibration, self.chip, self.period_ns = "c2", "another chip", 2 * 10**7
        return found


async def test_what_a_device_says_of_itself_is_in_the_header_before_its_samples(
    ring_name: str, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording of several sessions changes what it says: from then on, so does the header."""
    done: list[object] = []
    start, section = RingWriter.start, RingWriter._section

    async def noted_start(writer: RingWriter, *facts: object) -> None:
        done.append(facts)
        await start(writer, *facts)  # type: ignore[arg-type]

    def noted_section(writer: RingWriter, samples: Sequence[Sample]) -> Callable[[], None]:
        done.extend(number(each.ax) for each in samples)
        return section(writer, samples)

    monkeypatch.setattr(RingWriter, "start", noted_start)
    monkeypatch.setattr(RingWriter, "_section", noted_section)
    device = Changing(source="/dev/fake")
    async with producing(ring_name, device):
        await trio.sleep(0.205)
        header, records = await look(ring_name)
        assert (header.calibration, header.chip, header.period_ns) == (
            "c2",
            "another chip",
            2 * 10**7,
        )
        assert header.state is State.RUNNING
        assert numbers(records) == list(range(1, 21))
    first, second = ("/dev/fake", 10**7, "", ""), ("/dev/fake", 2 * 10**7, "another chip", "c2")
    assert done == [first, *range(1, 11), second, *range(11, 21)]


async def test_heartbeat_and_ledger_are_published_every_second(
    ring_name: str, autojump_clock: MockClock
) -> None:
    """Also while the device gives nothing."""
    async with producing(ring_name, FakeDevice([None], after=FAILED)):
        await trio.sleep(0.5)
        before, _ = await look(ring_name)
        await trio.sleep(BEAT_S)
        between, _ = await look(ring_name)
        await trio.sleep(BEAT_S)
        after, records = await look(ring_name)
    assert before.heartbeat_ns < between.heartbeat_ns < after.heartbeat_ns
    assert before.ledger["device_lost"] < between.ledger["device_lost"]
    assert between.ledger["device_errors"] < after.ledger["device_errors"]
    assert len(records) == 1


async def test_a_cancelled_producer_writes_all_it_has_and_says_stopped(
    ring_name: str, autojump_clock: MockClock
) -> None:
    """A last sample that was taken is in the ring, the ledger is up to date, and the ring stays
    for a successor."""
    device = FakeDevice([None, FAILED, FAILED])
    async with producing(ring_name, device):
        await trio.sleep(0.1005)
    header, records = await look(ring_name)
    assert numbers(records) == list(range(1, device.good + 1))
    assert header.state is State.STOPPED
    assert header.ledger["device_lost"] == 2
    with RingReader(ring_name) as reader:
        assert not reader.producer_lives()


async def test_the_device_is_closed_after_the_goodbye(
    ring_name: str, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have settings to put back, and the ring must not wait for that."""
    device = FakeDevice()
    states: list[State] = []

    async def closes() -> None:
        with trio.CancelScope(shield=True):
            states.append((await look(ring_name))[0].state)

    monkeypatch.setattr(device, "aclose", closes)
    async with producing(ring_name, device):
        await trio.sleep(0.1)
        assert not states
    assert states == [State.STOPPED]


async def test_a_device_is_closed_when_the_ring_can_not_be_begun(
    ring_name: str, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong after it was opened."""

    async def fails(*_: object) -> None:
        raise RingError("no luck")

    monkeypatch.setattr(RingWriter, "start", fails)
    device = FakeDevice()
    with pytest.RaisesGroup(pytest.RaisesExc(RingError, match="no luck")):
        async with producing(ring_name, device):
            pytest.fail("it has started")
    assert device.closed


async def test_at_the_end_of_a_recording_the_ring_says_stopped_and_the_producer_stays(
    ring_name: str, autojump_clock: MockClock
) -> None:
    """The ring keeps the recording; readers learn at once that no more will come, and see that
    the producer is alive."""
    async with producing(
        ring_name, FakeDevice([None] * 20, paced=True, after=end_of_recording())
    ) as nursery:
        await trio.sleep(0.195)
        assert (await look(ring_name))[0].state is State.RUNNING
        await trio.sleep(0.01)
        header, records = await look(ring_name)
        assert header.state is State.STOPPED
        assert numbers(records) == list(range(1, 21))
        await trio.sleep(3 * BEAT_S)
        with RingReader(ring_name) as reader:
            assert reader.producer_lives()
        later, records = await look(ring_name)
        assert later.heartbeat_ns > header.heartbeat_ns
        assert (later.state, len(records)) == (State.STOPPED, 20)
        assert nursery.child_tasks


async def test_after_a_recording_a_ring_that_vanished_is_made_anew_and_says_stopped(
    ring_name: str, autojump_clock: MockClock
) -> None:
    """There are no samples any more, but no reader waits for them."""
    async with producing(ring_name, FakeDevice(paced=True, after=end_of_recording())):
        await trio.sleep(0.1)
        for path in files(ring_name):
            path.unlink()
        await trio.sleep(1.1 * BEAT_S)
        header, records = await look(ring_name)
    assert (header.state, header.source, records) == (State.STOPPED, "fake", [])


async def test_a_ring_that_is_held_costs_no_sample(
    ring_name: str, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Samples wait in the backlog while a living process keeps the semaphore, and are written in
    order afterwards; the log says so once."""
    async with producing(ring_name, FakeDevice()):
        await trio.sleep(0.105)
        with held(ring_name):
            await trio.sleep(3)
        await trio.sleep(1.5)
        header, records = await look(ring_name)
    assert numbers(records) == list(range(1, 461))
    assert {record.lost for record in records} == {0}
    assert header.ledger == dict.fromkeys(LEDGER, 0)
    assert caplog.messages[1:] == [
        f"can't write samples yet: the ring's semaphore is held by process {os.getpid()}",
        "writing to the ring again",
    ]


async def test_a_backlog_that_is_full_is_counted_and_told(
    ring_name: str, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What finds no room is missing before the next sample, by number."""
    monkeypatch.setattr(backlog_module, "MAX_SAMPLES", 50)
    async with producing(ring_name, FakeDevice()):
        await trio.sleep(0.105)
        with held(ring_name):
            await trio.sleep(2)
        await trio.sleep(1.5)
        header, records = await look(ring_name)
    told = [record for record in records if record.lost]
    assert [record.flags for record in told] == [Flag.DEVICE_GAP]
    assert told[0].seq == 61
    assert told[0].lost == header.ledger["backlog_lost"] == number(told[0].ax) - 61
    assert numbers(records)[:60] == list(range(1, 61))
    assert len(records) + told[0].lost == 360


@pytest.mark.parametrize("vanishing", [(0,), (1,), (0, 1)])
async def test_a_ring_that_vanishes_is_replaced_within_a_beat(
    ring_name: str,
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
    vanishing: tuple[int, ...],
) -> None:
    """Whether segment, semaphore or both are removed: those who have the old one can read it to
    its end, the new one goes on where it ends, and its ledger goes on too."""
    async with producing(ring_name, FakeDevice([None, FAILED])):
        await trio.sleep(0.305)
        with RingReader(ring_name) as reader:
            for index, path in enumerate(files(ring_name)):
                if index in vanishing:
                    path.unlink()
            await trio.sleep(BEAT_S)
            assert not reader.is_current()
            before = await read_all(reader)
        await trio.sleep(BEAT_S)
        header, records = await look(ring_name)
        assert header.generation != reader.generation
        assert header.state is State.RUNNING
        assert header.source == "fake"
        assert header.ledger["device_lost"] == 1
        assert len(before) > 28
        assert records[0].seq == 1
        assert numbers(before + records) == list(range(1, 230))
    assert caplog.messages[-1] == f"ring {ring_name} was removed; created a new one"


@pytest.mark.parametrize(
    ("offset", "data", "cut"),
    [
        (0, b"\xff", None),
        (32, bytes(8), None),
        (32, b"\xff" * 7, None),
        (224, b"other", None),
        (48, b"\2", None),
        (0, b"", 0),
        (0, b"", 1000),
        (0, b"", 2000),
    ],
)
async def test_a_ring_that_was_overwritten_or_cut_short_is_replaced_within_a_beat(
    ring_name: str,
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
    offset: int,
    data: bytes,
    cut: int | None,
) -> None:
    """No sample is lost on the way into the new one, which counts it; it is said in one line."""
    async with producing(ring_name, FakeDevice([None, FAILED])):
        await trio.sleep(0.305)
        with RingReader(ring_name) as reader:
            before = len(await read_all(reader))
            path = files(ring_name)[0]
            if cut is not None:
                os.truncate(path, cut)
            else:
                scribble(ring_name, offset, data)
            await trio.sleep(BEAT_S + 2 * RETRY_S)
            assert not reader.is_current()
        await trio.sleep(BEAT_S)
        header, records = await look(ring_name)
        assert header.generation != reader.generation
        assert (header.state, header.source) == (State.RUNNING, "fake")
        assert (header.ledger["ring_damages"], header.ledger["device_lost"]) == (1, 1)
        assert records[0].seq == 1
        # Between the two there is only what was written before the damage was noticed.
        assert before + 1 <= numbers(records)[0] <= before + 2 + 100
        assert numbers(records) == list(range(numbers(records)[0], 250))
    how = "overwritten" if cut is None else f"cut to {cut} bytes"
    assert caplog.messages[3:] == [
        f"ring {ring_name} was {how} by another program: removing it",
        f"ring {ring_name} was removed; created a new one",
    ]


async def test_a_producer_that_is_overwritten_all_the_time_goes_on_trying(
    ring_name: str, autojump_clock: MockClock
) -> None:
    """It makes no more than a new ring each RETRY_S, and none is lost when that is over."""
    made = 0

    async def overwrite() -> None:
        nonlocal made
        generation = 0
        while True:
            with suppress(OSError, RingError), RingReader(ring_name) as reader:
                made += reader.generation != generation
                generation = reader.generation
                scribble(ring_name, 32, b"\xff" * 8)
            await trio.sleep(RETRY_S / 10)

    async with producing(ring_name, FakeDevice()):
        await trio.sleep(0.105)
        with trio.move_on_after(2):
            await overwrite()
        assert 2 <= made <= 2 / RETRY_S + 1
        await trio.sleep(BEAT_S)
        _, records = await look(ring_name)
        assert numbers(records)[-1] >= 300


async def test_a_producer_whose_ring_was_overwritten_can_be_stopped(
    ring_name: str, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It says that its last samples are not in it."""
    async with producing(ring_name, FakeDevice()):
        await trio.sleep(0.105)
        scribble(ring_name, 32, b"\xff" * 8)
    assert caplog.messages[-1] == (
        f"ring {ring_name} was overwritten by another program: the last samples were not written"
    )


async def test_a_new_ring_does_not_wait_for_the_holder_of_the_old_one(
    ring_name: str, autojump_clock: MockClock
) -> None:
    """To remove a ring whose semaphore is never given back helps, and no sample is lost."""
    async with producing(ring_name, FakeDevice()):
        await trio.sleep(0.105)
        with held(ring_name):
            await trio.sleep(0.5)
            for path in files(ring_name):
                path.unlink()
            await trio.sleep(3 * BEAT_S)
            _, records = await look(ring_name)
    assert len(records) > 300
    assert numbers(records) == list(range(11, 11 + len(records)))


async def test_a_producer_that_has_lost_its_ring_to_another_waits_for_its_turn(
    ring_name: str, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It says why, once, and keeps its samples; when the other one has left, it makes a ring of
    its own instead of the other one's."""
    async with producing(ring_name, FakeDevice()):
        with RingReader(ring_name) as old:
            for path in files(ring_name):
                path.unlink()
            other = await RingWriter.open(ring_name, CAPACITY)
            await other.start("other", 1)
            await other.write([sample(1)])
            await trio.sleep(5 * BEAT_S)
            before = await read_all(old)
        header, _ = await look(ring_name)
        assert (header.source, header.head) == ("other", 1)
        other.close()
        await trio.sleep(2 * BEAT_S)
        after, records = await look(ring_name)
        assert (after.source, after.state) == ("fake", State.RUNNING)
        assert after.generation not in (header.generation, old.generation)
        assert len(records) > 600
        assert numbers(before + records) == list(range(1, len(before + records) + 1))
    assert [message.split("; ")[0].split(", since")[0] for message in caplog.messages[1:]] == [
        f"can't write samples yet: /dev/shm/{ring_name} has a producer already: process {os.getpid()}",
        f"ring {ring_name} was removed",
        "writing to the ring again",
    ]


async def test_a_producer_without_a_ring_can_be_stopped(
    ring_name: str, autojump_clock: MockClock
) -> None:
    """There is nobody to say goodbye to, and nothing of the other producer's is touched."""
    async with producing(ring_name, FakeDevice()):
        for path in files(ring_name):
            path.unlink()
        other = await RingWriter.open(ring_name, CAPACITY)
        await other.start("other", 1)
        await trio.sleep(2 * BEAT_S)
    header, records = await look(ring_name)
    assert (header.source, header.state, records) == ("other", State.RUNNING, [])
    other.close()


async def test_a_new_ring_that_can_not_be_begun_is_begun_later(
    ring_name: str, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ring without a source and in the state "starting" is never left as it is."""
    async with producing(ring_name, FakeDevice()):
        await trio.sleep(0.5 * BEAT_S)
        start, failures = RingWriter.start, 2

        async def starts_later(
            writer: RingWriter, source: str, period_ns: int, chip: str, calibration: str
        ) -> None:
            nonlocal failures
            failures -= 1
            if failures >= 0:
                raise RingHeld("held by a test")
            await start(writer, source, period_ns, chip, calibration)

        monkeypatch.setattr(RingWriter, "start", starts_later)
        for path in files(ring_name):
            path.unlink()
        await trio.sleep(0.5 * BEAT_S + 1.5 * RETRY_S)
        assert (await look(ring_name))[0].state is State.STARTING
        await trio.sleep(RETRY_S)
        header, records = await look(ring_name)
        assert (header.state, header.source) == (State.RUNNING, "fake")
        assert numbers(records)[-1] > 100
        assert failures == -1


async def test_a_successor_goes_on_where_the_ring_ends(
    ring_name: str, autojump_clock: MockClock
) -> None:
    """The sequence and the ledger continue; the first sample says how many nobody took."""
    async with producing(ring_name, FakeDevice([None, FAILED, FAILED])):
        await trio.sleep(0.505)
    before, first_records = await look(ring_name)
    await trio.sleep(1.5)
    async with producing(ring_name, FakeDevice([FAILED])):
        begun_ns = virtual_ns()
        await trio.sleep(0.505)
        after, records = await look(ring_name)
    assert after.generation == before.generation
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    first = records[len(first_records)]
    assert first.flags == Flag.RESTART_GAP
    away_ns = first.t_ns - first_records[-1].t_ns
    assert away_ns >= begun_ns - first_records[-1].t_ns
    assert first.lost == round(away_ns / 10**7) - 1 == pytest.approx(151, abs=1)
    assert [record.lost for record in records if record.lost] == [2, first.lost]
    assert numbers(records[len(first_records) :])[0] == 1
    async with producing(ring_name, FakeDevice()):
        await trio.sleep(0.1)
    header, _ = await look(ring_name)
    assert header.ledger["device_lost"] == 2
    assert header.ledger["restart_lost"] > first.lost


async def test_a_second_producer_is_refused_by_name(
    ring_name: str, autojump_clock: MockClock
) -> None:
    """The message says which process has the ring, and the first one is not disturbed."""
    async with producing(ring_name, FakeDevice()):
        await trio.sleep(0.1)
        with pytest.raises(RingError, match=f"process {os.getpid()}, since") as caught:
            await producer_run.run_producer(settings("sim", ring_name))
        one_line(caught.value)
        await trio.sleep(0.1)
        header, records = await look(ring_name)
        assert (header.state, header.source) == (State.RUNNING, "fake")
        assert len(records) == 20 - 1


async def test_another_sensor_gets_a_ring_of_its_own(
    ring_name: str, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Samples of two sources never stand in one ring."""
    async with producing(ring_name, FakeDevice(source="sim:seed=1")):
        await trio.sleep(0.1)
    before, _ = await look(ring_name)
    async with producing(ring_name, FakeDevice(source="/dev/mpu6050")):
        await trio.sleep(0.055)
    after, records = await look(ring_name)
    assert after.generation != before.generation
    assert after.source == "/dev/mpu6050"
    assert [(record.seq, record.flags) for record in records] == [(n, 0) for n in range(1, 6)]
    assert (
        "the ring holds samples of sim:seed=1; creating a new ring for /dev/mpu6050"
        in caplog.messages
    )


async def test_a_source_too_long_for_the_header_is_still_the_same_one(
    ring_name: str, autojump_clock: MockClock
) -> None:
    """Cut to its room, it is recognised at a restart."""
    generations = set()
    for _ in range(2):
        async with producing(ring_name, FakeDevice(source="/" + "é" * 90)):
            await trio.sleep(0.1)
        generations.add((await look(ring_name))[0].generation)
    assert len(generations) == 1


@pytest.mark.parametrize("error", [FAILED, UsageError("no such device")])
async def test_a_device_that_can_not_be_had_leaves_no_ring_behind(
    ring_name: str, autojump_clock: MockClock, error: DeviceError | UsageError
) -> None:
    """The ring that was made for it is removed, and the error comes out as it is."""
    with pytest.RaisesGroup(type(error)):
        async with producing(ring_name, error):
            pytest.fail("it has started")
    assert files(ring_name) == []


async def test_a_device_that_can_not_be_had_does_not_cost_the_data_of_an_older_ring(
    ring_name: str, autojump_clock: MockClock
) -> None:
    """What a predecessor measured stays, and the next producer goes on with it."""
    async with producing(ring_name, FakeDevice()):
        await trio.sleep(0.105)
    with pytest.RaisesGroup(DeviceError):
        async with producing(ring_name, FAILED):
            pytest.fail("it has started")
    _, records = await look(ring_name)
    assert len(records) == 10
    async with producing(ring_name, FakeDevice()):
        await trio.sleep(0.105)
    assert len((await look(ring_name))[1]) == 20


async def test_a_new_ring_that_can_not_be_made_for_another_sensor_is_told(
    ring_name: str, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a second attempt to open fails, everything is given back."""
    async with producing(ring_name, FakeDevice()):
        await trio.sleep(0.1)
    opened, calls = RingWriter.open, list[str]()

    async def opens_once(name: str, capacity: int) -> RingWriter:
        calls.append(name)
        if len(calls) == 2:
            raise RingError("no room")
        return await opened(name, capacity)

    descriptors = open_descriptors()
    monkeypatch.setattr(RingWriter, "open", opens_once)
    with pytest.RaisesGroup(pytest.RaisesExc(RingError, match="no room")):
        async with producing(ring_name, FakeDevice(source="another")):
            pytest.fail("it has started")
    assert open_descriptors() == descriptors
    with pytest.raises(RingMissing):
        RingReader(ring_name)


async def test_a_producer_that_is_stopped_while_it_opens_the_device_leaves_nothing(
    ring_name: str, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device may take long to open, and Ctrl-C may come then."""

    async def never(spec: str, rate_hz: float) -> Device:
        assert files(ring_name)
        await trio.sleep_forever()
        raise AssertionError((spec, rate_hz))

    monkeypatch.setattr(producer_run, "open_device", never)
    with trio.move_on_after(1):
        await producer_run.run_producer(settings("fake", ring_name))
    assert files(ring_name) == []


async def test_samples_are_corrected_on_their_way_into_the_ring(
    ring_name: str, autojump_clock: MockClock, tmp_path: Path
) -> None:
    """The header tells by which calibration, that of a new ring too; without one, each sample
    tells, and the id of a predecessor's is gone."""
    path = tmp_path / "x.toml"
    path.write_text(CALIBRATION.text(""))
    device = FakeDevice()
    device.identity = CALIBRATION.identity
    async with producing(ring_name, device, calibration=str(path)):
        await trio.sleep(0.105)
        header, records = await look(ring_name)
        assert header.calibration == CALIBRATION.id
        assert records[0][3:9] == pytest.approx(CALIBRATION.apply(sample(1))[1:7], rel=1e-6)
        assert {record.flags for record in records} == {0}
        for each in files(ring_name):
            each.unlink()
        await trio.sleep(1.5 * BEAT_S)
        assert (await look(ring_name))[0].calibration == CALIBRATION.id
    device = FakeDevice()
    device.identity = CALIBRATION.identity
    async with producing(ring_name, device):
        await trio.sleep(0.105)
        header, records = await look(ring_name)
        assert header.calibration == ""
        assert records[-1].flags == Flag.UNCALIBRATED
        assert records[-1].az == 1.0


async def test_a_bad_calibration_ends_the_producer_and_leaves_nothing(
    ring_name: str, tmp_path: Path
) -> None:
    """One that was named: the device is closed, no ring is left, the reason is told."""
    device = FakeDevice()
    device.identity = "another sensor"
    path = tmp_path / "x.toml"
    path.write_text(CALIBRATION.text(""))
    with pytest.raises(ExceptionGroup) as caught:
        async with producing(ring_name, device, calibration=str(path)):
            pass
    [error] = caught.value.exceptions
    assert isinstance(error, CalibrationError)
    assert "is for another sensor" in one_line(error)
    assert device.closed
    assert files(ring_name) == []


async def test_a_held_ring_does_not_keep_a_producer_from_stopping(
    ring_name: str, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It says goodbye for GOODBYE_S and not longer, and tells that samples were not written."""
    async with producing(ring_name, FakeDevice()):
        await trio.sleep(0.105)
        holding = held(ring_name)
        holding.__enter__()
        await trio.sleep(0.1)
        stopped_s = trio.current_time()
    assert trio.current_time() - stopped_s == pytest.approx(GOODBYE_S, abs=0.01)
    holding.__exit__(None, None, None)
    assert (
        caplog.messages[-1] == "another process holds the ring: the last samples were not written"
    )
    header, records = await look(ring_name)
    assert header.state is State.RUNNING
    assert len(records) == 10


async def test_stopping_is_quick_when_nobody_holds_the_ring(
    ring_name: str, autojump_clock: MockClock
) -> None:
    """Nothing waits for a deadline."""
    async with producing(ring_name, FakeDevice()):
        await trio.sleep(0.1)
        stopped_s = trio.current_time()
    assert trio.current_time() - stopped_s < 0.01


async def test_the_simulator_runs_on_the_real_clock(
    ring_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real ticker, the real simulator and a real ring together."""
    monkeypatch.undo()
    async with trio.open_nursery() as nursery:
        await nursery.start(producer_run.run_producer, settings("sim:seed=3", ring_name, 2000))
        with RingReader(ring_name) as reader, trio.fail_after(5):
            while (await reader.header()).head < 20:
                await reader.bell.rung()
            records = await read_all(reader)
        nursery.cancel_scope.cancel()
    assert {record.flags & Flag.SIMULATED for record in records} == {Flag.SIMULATED}
    times = [record.t_ns for record in records]
    assert times == sorted(set(times))
