"""Device → ring, with the attitude: the real filter, a fake device and virtual time."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.helpers.fake_devices import FakeDevice, FakeTicker, virtual_ns
from tests.helpers.motions import (
    Moment,
    heading_error,
    inclination_error,
    product,
    still,
    turn,
    turning,
)
from trio_mpu.device import Device
from trio_mpu.errors import EndOfReplay
from trio_mpu.formats import Notation, Origin, row_csv, row_json, sample_json
from trio_mpu.producer import run as producer_run
from trio_mpu.producer import sampler
from trio_mpu.record import Header, Record, State
from trio_mpu.ring import RingReader
from trio_mpu.sample import ATTITUDE_FLAGS, Flag, Sample
from trio_mpu.settings import ProducerSettings

X = (1.0, 0.0, 0.0)
TURNED = turn(X, 30)


class Moving(FakeDevice):
    """A sensor whose motion is known."""

    def __init__(self, moments: list[Moment]) -> None:
        super().__init__([], paced=True)
        self._moments = iter(moments)

    async def read(self, periods: int = 1) -> list[Sample]:
        await trio.sleep(0.01)
        moment = next(self._moments, None)
        if moment is None:
            raise EndOfReplay("it is over")
        return [moment.sample._replace(t_ns=virtual_ns())]


@asynccontextmanager
async def produced(
    device: Device | str, ring: str, attitude: str = "on"
) -> AsyncIterator[tuple[Header, list[Record]]]:
    """The ring when all has been produced; it stays for a successor."""

    async def opened(*_: object) -> Device:
        assert isinstance(device, Device)
        return device

    settings = ProducerSettings(
        device=device if isinstance(device, str) else "fake",
        ring=ring,
        capacity=4096,
        attitude=attitude,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampler, "Ticker", FakeTicker)
        if not isinstance(device, str):
            patch.setattr(producer_run, "open_device", opened)
        async with trio.open_nursery() as nursery:
            await nursery.start(
                lambda *, task_status: producer_run.run_producer(settings, task_status=task_status)
            )
            with RingReader(ring) as reader:
                while (await reader.header()).state is not State.STOPPED:  # noqa: ASYNC110
                    await trio.sleep(1)
                records = list[Record]()
                while more := (await reader.read(records[-1].seq if records else 0)).records:
                    records += more
                yield await reader.header(), records
            nursery.cancel_scope.cancel()


def sway() -> list[Moment]:
    """Six seconds, in which the sensor is turned by 30° about x, and about the vertical."""

    def rate(t: float) -> tuple[float, float, float]:
        if 2 <= t < 3:
            return (30.0, 0.0, 0.0)
        return (0.0, 22.5, 38.97) if 3 <= t < 4 else (0.0, 0.0, 0.0)

    return turning(rate, 100, 6)


async def test_the_ring_has_the_attitude_of_each_sample(
    ring_name: str, autojump_clock: MockClock
) -> None:
    """From the first one on, with what is to be said of it; nothing has begun anew."""
    moments = sway()
    async with produced(Moving(moments), ring_name) as (header, records):
        assert len(records) == 600
        for record, moment in zip(records, moments, strict=True):
            assert inclination_error(record[12:], moment.q) < 0.1
            turned = heading_error(record[12:], moment.q) - heading_error(
                records[0][12:], moments[0].q
            )
            assert abs(turned) < 0.1
        assert records[0].flags == Flag.ATTITUDE_SETTLING | Flag.ATTITUDE_BIAS
        assert records[-1].flags == 0
        assert header.attitude_resets == 0


async def test_a_restarted_producer_counts_that_the_attitude_began_anew(
    ring_name: str, autojump_clock: MockClock
) -> None:
    """In the header, where it goes on from what its predecessors counted."""
    for restarts in range(3):
        async with produced(Moving(still(100, 1, TURNED)), ring_name) as (header, records):
            assert header.attitude_resets == restarts
            assert len(records) == 100 * (restarts + 1)
            newest = records[-1]
            assert inclination_error(newest[12:], TURNED) < 0.01
            assert newest.flags & Flag.ATTITUDE_SETTLING
            begun = records[-100]
            assert bool(begun.flags & Flag.RESTART_GAP) == (restarts > 0)


async def test_without_it_the_records_have_none(ring_name: str, autojump_clock: MockClock) -> None:
    """Four zeros, and no flag."""
    async with produced(Moving(still(100, 1)), ring_name, "off") as (header, records):
        assert {record[12:] for record in records} == {(0, 0, 0, 0)}
        assert not any(record.flags & ATTITUDE_FLAGS for record in records)
        assert header.attitude_resets == 0


@pytest.mark.parametrize("form", ["csv", "ndjson", "json", "events"])
async def test_a_recording_with_an_attitude_is_played_and_gets_a_new_one(
    form: str, ring_name: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """What was recorded of it, which is another one here, is ignored, flags included."""
    notation, origin = Notation(attitude=True), Origin(1, "/dev/mpu6050")
    wrong = product(TURNED, TURNED)
    recorded = [
        Record.of(number, 10**18, moment.sample._replace(flags=int(Flag.ATTITUDE_GAP)))._replace(
            qw=wrong[0], qx=wrong[1], qy=wrong[2], qz=wrong[3]
        )
        for number, moment in enumerate(still(100, 1, TURNED), start=1)
    ]
    rows = [row_json(record, origin, notation=notation) for record in recorded]
    text = {
        "csv": notation.csv_header
        + "".join(row_csv(record, origin, notation=notation) + "\n" for record in recorded),
        "ndjson": "\n".join(rows),
        "json": json.dumps({"generation": "1", "samples": [json.loads(row) for row in rows]}),
        "events": "".join(
            f"data: {sample_json(record, record[3:10], origin, notation=notation)}\n\n"
            for record in recorded
        ),
    }[form]
    path = tmp_path / "recording"
    path.write_text(text)
    async with produced(f"replay:{path}", ring_name) as (_, records):
        assert [record[3:10] for record in records] == [
            pytest.approx(record[3:10], abs=1e-6) for record in recorded
        ]
        assert all(inclination_error(record[12:], TURNED) < 0.01 for record in records)
        assert not any(record.flags & Flag.ATTITUDE_GAP for record in records)
