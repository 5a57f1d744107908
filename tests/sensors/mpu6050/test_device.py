"""The driver against the chip in software, in virtual time."""

import errno
import itertools
import logging
import os
import random
import statistics
from collections.abc import Callable

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from smbus2 import I2cFunc, i2c_msg

from tests.helpers import software_chip
from tests.helpers.fake_devices import one_line
from tests.helpers.software_chip import (
    NUMBERS,
    PAUSE_NS,
    Clock,
    Fault,
    SoftwareBus,
    SoftwareChip,
    T,
    frame_of,
    inline,
    installed,
    number_of,
)
from tests.torture.chip_torture import TRANSFERS, Case, play
from trio_mpu.errors import DeviceError, NoSampleYet
from trio_mpu.record import LEDGER
from trio_mpu.sample import Flag, Sample
from trio_mpu.sensors.mpu6050 import device as mpu6050
from trio_mpu.sensors.mpu6050.device import Mpu6050
from trio_mpu.sensors.mpu6050.options import ChipSpec, parse_chip
from trio_mpu.sensors.mpu6050.readers import DRAIN_NS
from trio_mpu.sensors.mpu6050.registers import (
    ACCEL_CONFIG2,
    BYPASS_EN,
    DEVICE_RESET,
    INT_PIN_CFG,
    PWR_MGMT_1,
    SMPLRT_DIV,
)
from trio_mpu.sensors.mpu6050.variants import COUNTERFEIT, VARIANTS
from trio_mpu.sensors.registry import open_device

QUEUED = "1,rate=500"
SINGLE = "1,rate=100"
QUEUE_FLAG = Flag.INTERPOLATED_TIME


class Bench:
    """A chip, the driver, and what it gave out."""

    def __init__(self, text: str = QUEUED, **chip: object) -> None:
        self.spec: ChipSpec = parse_chip(text, 100)
        self.clock = Clock()
        self.chip = SoftwareChip(self.clock, self.spec.setup, **chip)  # type: ignore[arg-type]
        self.samples: list[Sample] = []
        self.errors: list[DeviceError] = []
        self.device: Mpu6050
        self.ledger = dict.fromkeys(LEDGER, 0)

    def run(self, *steps: "int | Fault | Callable[[], object]") -> "Bench":
        """Open the chip, and then, step by step: give out so many more samples, plan a fault for
        the next transfer, or call something. Raises what opening raises."""

        async def program() -> None:
            self.device = await Mpu6050.open(self.spec)
            self.device.count_in(self.ledger)
            for step in steps:
                if isinstance(step, Fault):
                    self.chip.plan[self.chip.transfers] = step
                elif isinstance(step, int):
                    await self._read(len(self.samples) + step)
                else:
                    step()

        with installed(self.chip):
            trio.run(program, clock=self.clock.mock)
        return self

    async def _read(self, until: int) -> None:
        while len(self.samples) < until:
            try:
                self.samples += await self.device.read()
            except DeviceError as error:
                one_line(error)
                self.errors.append(error)
                assert len(self.errors) < 50

    def after(self, transfers: int, *faults: Fault) -> "Callable[[], None]":
        """A step: plan these faults for successive transfers, so many from now."""

        def plan() -> None:
            for place, fault in enumerate(faults, start=self.chip.transfers + transfers):
                self.chip.plan[place] = fault

        return plan

    @property
    def numbers(self) -> list[int]:
        """Which readings the samples are; each must be one."""
        numbers = [number_of(sample, self.chip.scale) for sample in self.samples]
        assert None not in numbers
        return [number for number in numbers if number is not None]

    @property
    def told(self) -> list[int]:
        """Which numbers the samples say they have, from the first one's on."""
        numbers = self.numbers[:1]
        for sample in self.samples[1:]:
            numbers.append(numbers[-1] + 1 + sample.lost)
        return numbers


@pytest.fixture(autouse=True)
def all_logs(caplog: pytest.LogCaptureFixture) -> None:
    """What is logged can be looked at."""
    caplog.set_level(logging.INFO)


# -- a chip that works ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "clock_error"),
    [
        (QUEUED, -0.01),
        (QUEUED, 0.01),
        (SINGLE, -0.01),
        (SINGLE, 0.01),
        ("1,rate=1000,accel=16", 0.0),
        ("1,rate=50,gyro=2000", 0.0),
    ],
)
def test_every_reading_is_given_out_once_and_in_order(text: str, clock_error: float) -> None:
    """Whatever the chip's clock does within its 1 %."""
    bench = Bench(text, clock_error=clock_error)
    bench.chip.jitter_ns = 100_000
    bench.run(800)
    assert bench.numbers == list(range(bench.numbers[0], bench.numbers[0] + len(bench.samples)))
    assert not bench.errors
    assert set(bench.ledger.values()) == {0}
    assert {sample.lost for sample in bench.samples} == {0}
    flags = {sample.flags & ~Flag.CLIPPED for sample in bench.samples}
    queued = Flag.INTERPOLATED_TIME if bench.spec.setup.rate_hz >= 200 else 0
    assert flags == {queued}


def account(bench: Bench) -> tuple[list[int], list[int]]:
    """How many readings are missing before each sample: as the chip made them, and as told."""
    made = [after - before - 1 for before, after in itertools.pairwise(bench.numbers)]
    return made, [sample.lost for sample in bench.samples[1:]]


@pytest.mark.parametrize(("clock_error", "seed"), [(-0.01, 1), (-0.01, 2), (0.01, 3), (0.01, 4)])
def test_a_transfer_that_takes_half_a_period_is_accounted_for(
    clock_error: float, seed: int
) -> None:
    """One by one, each transfer takes up to 0.5 periods: a missed reading is told, and hardly one
    is told to be missing that is not."""
    bench = Bench(SINGLE, clock_error=clock_error, seed=seed)
    bench.chip.jitter_ns = 5_000_000
    made, told = account(bench.run(800))
    assert sum(a != b for a, b in zip(made, told, strict=True)) <= 1
    assert abs(sum(told) - sum(made)) <= 1


@pytest.mark.parametrize(
    ("jitter_ns", "clock_error", "seed"),
    [
        (8_000_000, -0.01, 1),
        (8_000_000, 0.01, 2),
        (16_000_000, -0.01, 3),
        (16_000_000, 0.01, 4),
    ],
)
def test_a_computer_that_is_too_slow_lets_the_chip_count(
    jitter_ns: int, clock_error: float, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Where looks come late again and again, readings come from the queue, and none is lost any
    more. What the change has cost is told to one reading or two."""
    bench = Bench(SINGLE, clock_error=clock_error, seed=seed)
    bench.chip.jitter_ns = jitter_ns
    made, told = account(bench.run(800))
    assert caplog.text.count("this computer is too busy to read the chip every 10 ms") == 1
    changed = next(n for n, sample in enumerate(bench.samples) if sample.flags & QUEUE_FLAG)
    assert changed < 200
    assert sum(made[changed:]) == sum(told[changed:]) == 0
    assert sum(a != b for a, b in zip(made, told, strict=True)) <= 2
    assert abs(sum(told) - sum(made)) <= 2


def test_an_adapter_without_long_transfers_goes_on_one_by_one() -> None:
    """However late: there is no other way."""
    bench = Bench(SINGLE, seed=1, funcs=I2cFunc.SMBUS_READ_I2C_BLOCK)
    bench.chip.jitter_ns = 12_000_000
    bench.run(300)
    assert not any(sample.flags & QUEUE_FLAG for sample in bench.samples)
    assert any(sample.lost for sample in bench.samples)


@pytest.mark.parametrize("clock_error", [-0.01, 0.01])
def test_looks_that_all_begin_late_don_t_drift_from_the_chip(
    clock_error: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a computer that takes a third of a period to begin each look the chip's clock is still
    seen, and nothing is missed or told to be missing."""
    bench = Bench(SINGLE, clock_error=clock_error)
    dice = random.Random(1)

    async def late(work: Callable[[], T], threads: trio.CapacityLimiter) -> T:
        bench.clock.spend(dice.uniform(2_000_000, 5_000_000))
        return await inline(work, threads)

    monkeypatch.setattr(software_chip, "inline", late)
    bench.run(2000)
    made, told = account(bench)
    assert told == made
    assert sum(made) < 10
    period_ns = bench.device.measured_period_ns
    assert abs(period_ns / bench.chip.period_ns - 1) < 0.001, period_ns


@pytest.mark.parametrize("who", VARIANTS)
def test_each_die_is_read_in_its_own_units(who: int) -> None:
    """The values are those that the chip measured; the chip names itself."""
    bench = Bench("1,rate=200,accel=8,gyro=1000,dlpf=4", who=who).run(20)
    for sample, number in zip(bench.samples, bench.numbers, strict=True):
        again = bench.chip.scale.sample(frame_of(number), sample.t_ns, sample.flags)
        assert sample == again
    assert bench.device.chip == f"{VARIANTS[who].name}, ±8 g, ±1000 °/s, DLPF 4 (21/20 Hz), 200 Hz"


@pytest.mark.parametrize(("rate", "clock_error"), [(200, 0.01), (500, -0.01), (1000, 0.002)])
def test_queued_readings_have_the_chips_own_time(
    rate: int, clock_error: float, record_property: Callable[[str, object], None]
) -> None:
    """Compared with when the chip in software made them: in the median to an eighth of a period,
    at worst to a third, with a computer that comes up to 0.1 ms late to each transfer."""
    bench = Bench(f"1,rate={rate}", clock_error=clock_error)
    bench.chip.jitter_ns = 100_000
    bench.run(2000)
    errors_ns = [
        abs(sample.t_ns - bench.chip.true_ns[number])
        for sample, number in zip(bench.samples, bench.numbers, strict=True)
    ][500:]
    median_ns, worst_ns = statistics.median(errors_ns), max(errors_ns)
    record_property("median and worst error in µs", (median_ns / 1e3, worst_ns / 1e3))
    assert median_ns < 0.125 * bench.chip.period_ns
    assert worst_ns < 0.34 * bench.chip.period_ns
    assert bench.device.measured_period_ns == pytest.approx(bench.chip.period_ns, rel=3e-4)


def test_single_readings_have_the_time_of_their_transfer() -> None:
    """Which is at most a quarter of a period after the chip measured; its middle may be before,
    as the chip answers from the transfer's end."""
    bench = Bench(SINGLE, clock_error=-0.01).run(500)
    for sample, number in zip(bench.samples[50:], bench.numbers[50:], strict=True):
        late_ns = sample.t_ns - bench.chip.true_ns[number]
        assert -500_000 < late_ns < bench.chip.period_ns / 4


def test_the_true_rate_is_said_and_then_measured(caplog: pytest.LogCaptureFixture) -> None:
    """The divider's first, then by this computer's clock."""
    bench = Bench("1,rate=667", clock_error=0.01).run(8000)
    assert bench.device.period_ns == 2_000_000
    first, second = caplog.messages
    assert first == (
        "i2c:1:0x68: MPU-6050, ±2 g, ±250 °/s, DLPF 1 (184/188 Hz), 500 Hz, read from its FIFO"
    )
    assert "i2c:1:0x68 delivers 495.0" in second
    assert "by this computer's clock, nominally 500" in second


@pytest.mark.parametrize(("rate", "funcs"), [(166, I2cFunc.I2C), (500, I2cFunc.SMBUS_I2C_BLOCK)])
def test_without_a_queue_readings_are_taken_one_by_one(
    rate: int, funcs: I2cFunc, caplog: pytest.LogCaptureFixture
) -> None:
    """At low rates, and with an adapter that can't read long bursts, such as i2c-stub's."""
    bench = Bench(f"1,rate={rate}", funcs=funcs).run(100)
    assert "read one at a time" in caplog.text
    assert bench.numbers == list(range(bench.numbers[0], bench.numbers[0] + 100))
    assert bench.chip.registers[0x23] == 0


async def test_the_command_line_leads_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--rate` counts unless the spec has one."""
    opened = list[ChipSpec]()

    async def open_chip(spec: ChipSpec) -> Mpu6050:
        opened.append(spec)
        return Mpu6050(spec)

    monkeypatch.setattr(Mpu6050, "open", open_chip)
    assert (await open_device("i2c:1", 250)).source == "i2c:1:0x68"
    assert (await open_device("i2c:/dev/i2c-3:0x69,rate=20", 250)).period_ns == 50_000_000
    assert [spec.setup.rate_hz for spec in opened] == [250, 20]
    assert opened[1].path == "/dev/i2c-3"


# -- chips that can't be had --------------------------------------------------------------


def test_an_unknown_chip_is_refused_unless_forced() -> None:
    """Forced, it is read."""
    with pytest.raises(DeviceError, match=r"0x42.*force"):
        Bench(who=0x42).run(1)
    bench = Bench(QUEUED + ",force", who=0x42).run(100)
    assert bench.device.chip.startswith("unknown chip 0x42")
    assert bench.numbers == bench.told


@pytest.mark.parametrize("who", [0x42, 0x68, 0x98])
def test_a_chip_can_be_read_as_another_variant(who: int) -> None:
    """By the option force with a name: with its formula and its filter of the accelerometer."""
    bench = Bench(QUEUED + ",force=mpu6500", who=who, variant=VARIANTS[0x70]).run(100)
    assert bench.device.chip.startswith(f"MPU-6500 (forced on {who:#04x}), ")
    assert bench.numbers == bench.told
    assert bench.chip.registers[ACCEL_CONFIG2] == bench.spec.setup.dlpf


@pytest.mark.parametrize("text", ["1,rate=1000", "1,rate=100,dlpf=0", SINGLE])
@pytest.mark.parametrize("keeps", [0x7F, 0x3F, 0x0F, 0x00])
def test_a_counterfeit_is_read_and_reported(
    text: str, keeps: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It is known by a register that does not keep its upper bits, or that it does not have. Nothing
    shows its temperature's formula: that is in the log, and beside the chip's name."""
    bench = Bench(text, who=0x98, keeps_config2=keeps, variant=COUNTERFEIT).run(300)
    assert bench.numbers == bench.told
    assert bench.chip.overflows == 0
    dlpf = bench.spec.setup.dlpf
    assert bench.chip.registers[ACCEL_CONFIG2] == dlpf & keeps
    warning, chosen = caplog.messages[:2]
    assert warning.startswith(
        "i2c:1:0x68: its id is an ICM-20689's (0x98), but register 0x1d reads "
        f"{(0xC0 | dlpf) & keeps:#04x} instead of {0xC0 | dlpf:#04x}, as in the counterfeit MPU-6050A"
    )
    assert "may be 4 °C too high (then add force=mpu6500)" in warning
    assert caplog.records[0].levelno == logging.WARNING
    assert chosen.startswith("i2c:1:0x68: MPU-6050A (0x98), ")
    assert bench.device.chip.endswith(" Hz, temperature uncertain")


def test_a_genuine_chip_is_not_taken_for_the_counterfeit(caplog: pytest.LogCaptureFixture) -> None:
    """Not even if its power fails while it is set up."""
    for transfer in range(40):
        caplog.clear()
        bench = Bench(QUEUED, who=0x98, resets_awake=bool(transfer % 2))
        bench.chip.plan[transfer] = Fault.DIP
        try:
            bench.run(3)
        except DeviceError as error:
            assert "does not keep its settings" in str(error)  # noqa: PT017 - not at each transfer
        else:
            assert bench.device.chip.startswith("ICM-20689, ")
        assert "counterfeit" not in caplog.text


@pytest.mark.parametrize(("who", "option"), [(0x70, ""), (0x42, ",force=icm20689")])
def test_only_the_counterfeits_id_excuses_a_register_that_is_not_kept(
    who: int, option: str
) -> None:
    """Of any other chip, and of what was said to be another, it is an error."""
    bench = Bench(QUEUED + option, who=who, keeps_config2=0)
    with pytest.raises(DeviceError, match="its settings: register 0x1d reads 0x00 instead of 0x"):
        bench.run()


# -- another program's magnetometer ---------------------------------------------------------


def bypassed(text: str) -> Bench:
    """A chip whose auxiliary bus another program has made part of the main one."""
    bench = Bench(text)
    bench.chip.registers[INT_PIN_CFG] = BYPASS_EN
    return bench


@pytest.mark.parametrize("text", [QUEUED, SINGLE])
def test_our_resets_keep_the_bypass(text: str) -> None:
    """At the start, and when another program has changed a setting."""
    bench = bypassed(text).run(3)
    assert (PWR_MGMT_1, DEVICE_RESET) in bench.chip.log
    assert bench.chip.registers[INT_PIN_CFG] == BYPASS_EN

    def disturb() -> None:
        bench.chip.log.clear()
        bench.chip.registers[SMPLRT_DIV] += 1

    bench = bypassed(text)
    bench.run(100, disturb, bench.after(0, *[Fault.NACK] * 3), 100)
    assert (PWR_MGMT_1, DEVICE_RESET) in bench.chip.log
    assert bench.ledger["chip_resets"] == 1
    assert bench.chip.registers[INT_PIN_CFG] == BYPASS_EN


def test_a_reset_whose_set_up_fails_keeps_the_bypass() -> None:
    """The next attempt finds it off, but knows better."""
    bench = bypassed(QUEUED)
    write = bench.chip._write
    failures = iter(range(3))

    def fail(register: int, value: int) -> bytes:
        if register == SMPLRT_DIV and next(failures, None) is not None:
            raise bench.chip.nack()
        return write(register, value)

    def disturb() -> None:
        bench.chip.registers[SMPLRT_DIV] += 1
        bench.chip._write = fail  # type: ignore[method-assign]

    bench.run(100, disturb, bench.after(0, *[Fault.NACK] * 3), 100)
    assert bench.ledger["chip_resets"] == 2
    assert bench.chip.registers[INT_PIN_CFG] == BYPASS_EN


def test_the_bypass_is_another_programs_to_turn_on_and_off() -> None:
    """It is not written if it is off, and what another program changes later is no fault."""
    bench = Bench().run(100)
    assert INT_PIN_CFG not in [register for register, _ in bench.chip.log]
    bench = bypassed(QUEUED)

    def turn_off() -> None:
        bench.chip.registers[INT_PIN_CFG] = 0

    bench.run(100, turn_off, bench.after(0, *[Fault.NACK] * 3), 100, bench.chip.reset, 100)
    assert bench.ledger["chip_resets"] == 1  # the power's failure
    assert bench.chip.registers[INT_PIN_CFG] == 0


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOENT, "there is no bus /dev/i2c-1"),
        (errno.EACCES, "no permission"),
        (errno.EBUSY, "--device iio"),
    ],
)
def test_a_bus_that_can_not_be_opened_is_told_at_once(number: int, says: str) -> None:
    """With what to do."""
    bench = Bench()
    bench.chip.refuses = OSError(number, os.strerror(number))
    with pytest.raises(DeviceError, match=says):
        bench.run()


def test_an_address_where_nobody_answers_is_told_at_once() -> None:
    """With the address."""
    with pytest.raises(DeviceError, match="nothing answers at 0x69"):
        Bench("1:0x69").run()


def test_a_chip_that_does_not_keep_its_settings_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The message says which register."""
    bench = Bench()
    write = bench.chip._write
    monkeypatch.setattr(
        bench.chip, "_write", lambda at, value: write(at, 0 if at == 0x1A else value)
    )
    with pytest.raises(DeviceError, match="register 0x1a reads 0x00 instead of 0x01") as caught:
        bench.run()
    one_line(caught.value)


# -- faults -----------------------------------------------------------------------------


@pytest.mark.parametrize("text", [QUEUED, SINGLE])
@pytest.mark.parametrize("fault", [Fault.NACK, Fault.SHORT])
def test_a_single_failure_costs_nothing(text: str, fault: Fault) -> None:
    """The first transfer of a look, and of bursts too, when nothing was taken out."""
    bench = Bench(text)
    burst = [Fault.NACK] if text == QUEUED else []
    bench.run(300, fault, 100, bench.after(1, *burst), 100)
    assert bench.numbers == list(range(bench.numbers[0], bench.numbers[0] + len(bench.samples)))
    assert bench.numbers == bench.told
    assert not bench.errors
    assert bench.ledger["device_retries"] == (2 if text == QUEUED else 1)


@pytest.mark.parametrize("text", [QUEUED, SINGLE])
def test_a_bus_that_fails_for_a_while_is_opened_again(text: str) -> None:
    """What the FIFO kept meanwhile is not lost; what is lost is told."""
    bench = Bench(text)
    bench.run(300, bench.after(0, *[Fault.NACK] * 9), 200)
    assert bench.numbers == bench.told
    assert bench.errors
    assert bench.ledger["bus_reopens"] >= 2
    assert bench.ledger["chip_resets"] == 0
    assert bench.chip.opened == bench.chip.closed + 1
    assert (sum(sample.lost for sample in bench.samples) == 0) == (text == QUEUED)


def test_the_wait_for_a_dead_bus_doubles() -> None:
    """Up to MAX_WAIT_S; and it is forgotten when the chip answers."""
    bench = Bench()
    bench.run(300, bench.after(0, *[Fault.NACK] * 3 * 12), 20)
    opened = bench.chip.opened
    assert len(bench.errors) == 12
    assert opened == 13
    waits = [mpu6050.FIRST_WAIT_S * 2**n for n in range(12)]
    lost_s = sum(sample.lost for sample in bench.samples) * 0.002
    expected = sum(min(wait, mpu6050.MAX_WAIT_S) for wait in waits)
    assert lost_s == pytest.approx(expected, abs=0.1)
    assert bench.numbers[-1] == pytest.approx(bench.told[-1], abs=1)


@pytest.mark.parametrize("text", [QUEUED, SINGLE])
def test_a_stuck_bus_is_given_up_and_read_again(text: str) -> None:
    """After a second, with the loss told."""
    bench = Bench(text)
    bench.run(300, Fault.STUCK, 200)
    assert "did not answer within 1 s" in str(bench.errors[0])
    assert bench.numbers == bench.told
    lost = sum(sample.lost for sample in bench.samples)
    assert lost == pytest.approx(bench.spec.setup.rate_hz, rel=0.2)
    assert bench.ledger["bus_reopens"] == 1


def test_an_overflow_is_found_before_frames_are_torn() -> None:
    """The computer slept while the FIFO ran over: it is emptied in the order that the register
    map asks for, and the loss is told exactly."""
    bench = Bench("1,rate=1000")
    bench.run(500, Fault.PAUSE, bench.chip.log.clear, 200)
    assert bench.chip.overflows > 0
    assert bench.numbers == bench.told
    [gap] = [sample for sample in bench.samples if sample.lost]
    assert gap.flags & Flag.DEVICE_GAP
    assert gap.lost == pytest.approx(PAUSE_NS / 1e6, abs=DRAIN_NS / 1e6 + 5)
    assert bench.ledger["fifo_overflows"] == 1
    assert bench.chip.log == [(0x6A, 0x00), (0x6A, 0x04), (0x6A, 0x40)]
    assert not bench.errors


@pytest.mark.parametrize("transfer", [1, 2])
def test_an_overflow_while_the_fifo_is_read_is_found_by_its_bit(transfer: int) -> None:
    """The count was in order; the bytes were not any more, or might not have been."""
    bench = Bench("1,rate=1000")
    bench.run(500, bench.after(transfer, Fault.PAUSE), 200)
    assert bench.chip.overflows > 0
    assert bench.numbers == bench.told
    assert bench.ledger["fifo_overflows"] == 1


def test_an_overflow_whose_bit_was_lost_on_the_bus_is_assumed() -> None:
    """Reading the bit clears it: when that read fails, a second one would say that all is well."""
    bench = Bench("1,rate=1000")
    bench.run(500, bench.after(1, Fault.PAUSE, Fault.LOST_ANSWER), 200)
    assert bench.chip.overflows > 0
    assert len(bench.errors) == 1
    assert bench.numbers == bench.told


def test_a_nearly_full_fifo_counts_as_full() -> None:
    """As in the kernel's driver: it could run over while it is read."""
    bench = Bench("1,rate=1000")
    # 72 of the 73 frames that it has room for, with the five that came during the last look.
    bench.run(500, lambda: bench.clock.spend(67_000_000), 200)
    assert bench.chip.overflows == 0
    assert bench.ledger["fifo_overflows"] == 1
    assert bench.numbers == bench.told


@pytest.mark.parametrize("text", [QUEUED, SINGLE])
@pytest.mark.parametrize(
    ("transfer", "fault", "resets_awake"),
    [
        (0, Fault.DIP, True),
        (1, Fault.DIP, False),
        (1, Fault.DIP_WITHIN, True),
        (2, Fault.DIP, True),
        (2, Fault.DIP_WITHIN, False),
        (3, Fault.DIP_WITHIN, False),
    ],
)
def test_a_power_dip_is_noticed_and_the_chip_set_up_again(
    text: str, transfer: int, fault: Fault, resets_awake: bool
) -> None:
    """At any transfer; no sample has the scale of the reset chip or zeros."""
    bench = Bench(text + ",accel=8", resets_awake=resets_awake)
    bench.run(300, bench.after(transfer, fault), 300)
    assert bench.ledger["chip_resets"] == 1
    off = [told - number for told, number in zip(bench.told, bench.numbers, strict=True)]
    assert max(map(abs, off)) <= 1
    assert sum(sample.lost for sample in bench.samples) > 0
    assert bench.chip.registers[0x1C] == 0x10


@pytest.mark.parametrize("text", [QUEUED, SINGLE])
def test_a_frozen_chip_is_told_by_its_repeated_readings(text: str) -> None:
    """The same bytes again have their flag, until they change."""
    bench = Bench(text)
    bench.run(200, Fault.FREEZE, 100)
    repeated = [after[1:8] == before[1:8] for before, after in itertools.pairwise(bench.samples)]
    assert any(repeated)
    assert [bool(sample.flags & Flag.STALE_REPEAT) for sample in bench.samples[1:]] == repeated
    assert bench.numbers[-1] == bench.told[-1]


def test_a_chip_that_stops_is_told_by_an_error() -> None:
    """When its queue stays empty; it is checked, and goes on when it does."""
    bench = Bench()

    def stop() -> None:
        bench.chip._stalled_until_ns = bench.clock.now_ns() + 10**9

    bench.run(300, stop, 100)
    assert "has not measured anything for 0.25 s" in str(bench.errors[0])
    assert 2 <= len(bench.errors) <= 4
    assert bench.told[-1] == pytest.approx(bench.numbers[-1], abs=DRAIN_NS / 2e6)


def test_a_chip_without_new_readings_repeats_the_last_one_as_stale() -> None:
    """Read one by one: once a period, as i2c-stub does for ever."""
    bench = Bench(SINGLE)

    def stop() -> None:
        bench.chip._stalled_until_ns = bench.clock.now_ns() + 10**9

    bench.run(100, stop, 150)
    stale = [sample for sample in bench.samples if sample.flags & Flag.STALE_REPEAT]
    assert len(stale) == pytest.approx(100, abs=3)
    steps = {round((b.t_ns - a.t_ns) / 1e7) for a, b in itertools.pairwise(stale)}
    assert steps == {1}
    assert not bench.errors


def test_zeros_without_a_reading_are_no_sample_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chip that was just set up, or a register file without values."""
    bench = Bench(SINGLE)
    monkeypatch.setattr(bench.chip, "_make", lambda at_ns: None)

    async def program() -> None:
        device = await Mpu6050.open(bench.spec)
        for _ in range(3):
            with pytest.raises(NoSampleYet):
                await device.read()

    with installed(bench.chip):
        trio.run(program, clock=bench.clock.mock)


def test_a_frame_of_zeros_is_never_taken_out_of_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bus that lost the second half of a transfer gives such."""
    bench = Bench()
    broken = bytes(14)

    def zero() -> None:
        bench.chip.fifo[:0] = broken

    bench.run(300, zero, 100)
    assert "frame of zeros" in str(bench.errors[0])
    assert bench.numbers == bench.told


def test_a_queue_that_can_not_be_emptied_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clone without FIFO_RESET is not read from its queue."""
    bench = Bench()
    write = bench.chip._write
    stuck = bytearray(b"x" * 28)

    def without_reset(register: int, value: int) -> bytes:
        result = write(register, value)
        if value == 0x04 and register == 0x6A and len(bench.errors) < 3:
            bench.chip.fifo[:] = stuck
        return result

    monkeypatch.setattr(bench.chip, "_write", without_reset)
    bench.run(1)
    assert all("FIFO can't be emptied" in str(error) for error in bench.errors)
    assert len(bench.errors) == 3


def test_misaligned_bytes_are_looked_at_twice() -> None:
    """A count in the middle of a frame may just have been taken too early; otherwise it is
    an overflow that nobody told."""
    bench = Bench()
    bench.run(300, lambda: bench.chip.fifo.extend(b"abc"), 100)
    assert bench.ledger["fifo_overflows"] == 1
    assert bench.numbers == bench.told


def test_a_half_taken_burst_is_thrown_away() -> None:
    """Nobody knows what is left in the FIFO; the loss is told."""
    for fault in (Fault.PARTIAL, Fault.LOST_ANSWER):
        bench = Bench(seed=3)
        bench.run(300, bench.after(1, fault), 100)
        assert bench.numbers == bench.told


@pytest.mark.parametrize("taken", [14, 28, 35])
def test_whole_frames_that_a_failed_burst_took_are_told(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even when as many have come meanwhile, so that the count is the same again."""
    bench = Bench("1,rate=1000")
    monkeypatch.setattr(bench.chip._random, "randrange", lambda limit: min(taken, limit - 1))
    bench.chip.jitter_ns = 600_000
    burst, armed = SoftwareBus.i2c_rdwr, list[bool]()

    def failing(bus: SoftwareBus, *messages: i2c_msg) -> None:
        if armed:
            armed.clear()
            bench.chip.plan[bench.chip.transfers] = Fault.PARTIAL
        burst(bus, *messages)

    monkeypatch.setattr(SoftwareBus, "i2c_rdwr", failing)
    bench.run(1000, lambda: armed.append(True), 200)
    # What was taken is told, to one reading: with transfers late by up to 0.6 periods.
    off = {told - number for told, number in zip(bench.told, bench.numbers, strict=True)}
    assert off <= {-1, 0, 1}
    assert sum(sample.lost for sample in bench.samples) >= max(1, taken // 14 - 1)


def test_a_cancelled_read_is_over_and_the_next_goes_on() -> None:
    """At most what was in flight is lost, and told."""
    bench = Bench()

    async def program() -> None:
        device = await Mpu6050.open(bench.spec)
        for _ in range(50):
            bench.samples += await device.read()
        bench.chip.plan[bench.chip.transfers + 1] = Fault.STUCK
        with trio.move_on_after(0.05) as scope:
            await device.read()
        assert scope.cancelled_caught
        for _ in range(50):
            bench.samples += await device.read()

    with installed(bench.chip):
        trio.run(program, clock=bench.clock.mock)
    assert bench.numbers == bench.told


def test_what_was_counted_before_the_ledger_was_there_is_added() -> None:
    """Opening may have had trouble as well."""
    bench = Bench()
    bench.chip.plan[0] = Fault.NACK
    bench.run(10)
    assert bench.ledger["device_retries"] == 1


# -- whose readings they are, and the end ------------------------------------------------


def test_a_chip_is_known_by_its_factory_codes() -> None:
    """They outlive a reset; another chip of the same kind has others."""
    bench = Bench(factory_codes=bytes.fromhex("8a5c7f12"))
    bench.run(3, bench.chip.reset, 3)
    assert bench.device.factory_codes == bytes.fromhex("8a5c7f12")
    assert bench.device.identity == "MPU-6050 with factory codes 8a5c7f12"
    assert Bench(who=0x98).run().device.identity == "ICM-20689 with factory codes 00000000"


def test_closing_gives_the_bus_back() -> None:
    """At once, in a scope that is cancelled already too, and twice as well as once."""
    bench = Bench()

    async def program() -> None:
        device = await Mpu6050.open(bench.spec)
        await device.read()
        with trio.CancelScope() as scope:
            scope.cancel()
            await device.aclose()
        assert bench.chip.closed == bench.chip.opened == 1
        await device.aclose()
        assert bench.chip.closed == 1

    with installed(bench.chip):
        trio.run(program, clock=bench.clock.mock)


def test_a_chip_that_is_refused_gives_the_bus_back() -> None:
    """Whatever is wrong with it."""
    bench = Bench(who=0x42)
    with pytest.raises(DeviceError, match="0x42"):
        bench.run()
    assert bench.chip.closed == bench.chip.opened == 1


# -- random faults ------------------------------------------------------------------------

faults = st.dictionaries(st.integers(0, TRANSFERS - 1), st.sampled_from(Fault), max_size=12)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["1,rate=1000", QUEUED, "1,rate=200,accel=16,gyro=2000", SINGLE]),
    st.sampled_from(tuple(VARIANTS)),
    st.floats(-0.01, 0.01),
    st.booleans(),
    faults,
    st.integers(0, NUMBERS),
)
def test_no_frame_is_ever_wrong(
    text: str, who: int, clock_error: float, awake: bool, plan: dict[int, Fault], seed: int
) -> None:
    """Only missing, and told: whatever goes wrong, with any chip variant and clock."""
    outcome = play(Case(text, who, clock_error, awake, 100_000.0, plan, seed))
    assert outcome.complaints + outcome.miscounts == ()
    assert outcome.samples > 0
