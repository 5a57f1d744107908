"""The chip's samples, their flags and its account, through producer, ring, JSON and CSV."""

import json

import pytest
import trio

from tests.helpers.fake_devices import FakeTicker
from tests.helpers.recordings import parsed
from tests.helpers.software_chip import Clock, Fault, SoftwareChip, installed, number_of
from trio_mpu.formats import Origin, row_csv, row_json
from trio_mpu.producer import sampler
from trio_mpu.producer.publisher import BEAT_S
from trio_mpu.producer.run import run_producer
from trio_mpu.record import Record
from trio_mpu.ring import RingReader
from trio_mpu.sample import Flag, Sample
from trio_mpu.sensors.mpu6050.options import parse_chip
from trio_mpu.settings import ProducerSettings

SPEC = "i2c:1,rate=500,accel=4,gyro=500,dlpf=2"


def test_a_chip_with_faults_is_in_the_ring_as_it_was(
    ring_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name and setup in the header, each reading once, and each loss counted once."""
    clock = Clock()
    chip = SoftwareChip(clock, parse_chip(SPEC.removeprefix("i2c:"), 100).setup, who=0x98)
    monkeypatch.setattr(sampler, "Ticker", FakeTicker)

    async def program() -> None:
        async with trio.open_nursery() as nursery:
            settings = ProducerSettings(device=SPEC, ring=ring_name, capacity=4096)
            await nursery.start(run_producer, settings)
            await trio.sleep(1)
            chip.plan[chip.transfers] = Fault.NACK
            await trio.sleep(0.1)
            chip.plan[chip.transfers + 1] = Fault.DIP
            await trio.sleep(1 + 2 * BEAT_S)
            nursery.cancel_scope.cancel()

    with installed(chip):
        trio.run(program, clock=clock.mock)

    async def look() -> None:
        with RingReader(ring_name) as reader:
            header = await reader.header()
            records = (await reader.read(0)).records + (await reader.read(512)).records
        assert header.source == "i2c:1:0x68"
        assert header.chip == "ICM-20689, ±4 g, ±500 °/s, DLPF 2 (94/98 Hz), 500 Hz"
        assert header.period_ns == 2_000_000
        told = sum(record.lost for record in records)
        assert told == header.ledger["device_lost"] > 50
        lost = {name: n for name, n in header.ledger.items() if name.endswith("_lost") and n}
        assert lost == {"device_lost": told}
        assert header.ledger["device_retries"] == 1
        assert header.ledger["chip_resets"] == 1
        assert header.ledger["device_errors"] == 1
        samples = [sample_of(record) for record in records]
        numbers = [number_of(sample, chip.scale) for sample in samples]
        steps = 0
        for sample, number in zip(samples, numbers, strict=True):
            assert number is not None
            steps += 1 + sample.lost
            assert abs(number - (numbers[0] or 0) + 1 - steps) <= 1

    trio.run(look)


def sample_of(record: Record) -> Sample:
    """The record's sample."""
    return Sample(record.t_ns, *record[3:10], record.flags, record.lost)


@pytest.mark.parametrize("flag", list(Flag))
def test_each_flag_is_told_by_name_and_read_back(flag: Flag) -> None:
    """In JSON and in CSV."""
    sample = Sample(5, 0.5, 0, 1, 0, 0, 0, 25, flag | Flag.UNCALIBRATED)
    record, origin = Record.of(7, 10**18, sample), Origin(1, "i2c:1:0x68")
    name = str(flag.name).lower()
    assert name in json.loads(row_json(record, origin))["flags"]
    for row in (row_json(record, origin), row_csv(record, origin)):
        assert parsed(row) == (7, sample)
