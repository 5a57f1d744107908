"""The rules of the attitude, with a filter that only notes what it is given."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.fake_devices import FakeDevice
from trio_mpu.orientation.rules import CALIBRATED, UNCALIBRATED, Bias, Filter, Gyroscope, Vector
from trio_mpu.orientation.tracker import Tracker
from trio_mpu.record import ATTITUDE_RESETS
from trio_mpu.sample import ATTITUDE_FLAGS, Flag, Sample

SETTLING, BIAS, GAP = Flag.ATTITUDE_SETTLING, Flag.ATTITUDE_BIAS, Flag.ATTITUDE_GAP
MS_NS = 10**6
KNOWN = Bias((0.5, 0.0, 0.0), 0.05)


class NotingFilter(Filter):
    """Its steps; its bias is what the test says, and its attitude counts its steps."""

    says = KNOWN

    def __init__(self, period_s: float, gyroscope: Gyroscope, bias: Bias) -> None:
        self.period_s, self.gyroscope, self.begun_with = period_s, gyroscope, bias
        self.steps: list[tuple[Vector, Vector]] = []

    def step(self, accel_g: Vector, gyro_dps: Vector) -> None:
        self.steps.append((accel_g, gyro_dps))

    def quaternion(self) -> list[float]:
        return [1.0, float(len(self.steps)), 0.0, 0.0]

    def bias(self) -> Bias:
        return self.says


class Rig:
    """A tracker with its device and its filters. Samples come at 100 Hz but for what the test says."""

    def __init__(self, *, continues: bool = False, period_ns: int = 10 * MS_NS) -> None:
        self.device = FakeDevice(period_ns=period_ns)
        self.ledger = {ATTITUDE_RESETS: 0}
        self.filters: list[NotingFilter] = []
        self.tracker = Tracker(self.device, self.ledger, self._make, continues=continues)
        self.t_ns = 10**9
        self.count = 0

    def _make(self, period_s: float, gyroscope: Gyroscope, bias: Bias) -> Filter:
        self.filters.append(NotingFilter(period_s, gyroscope, bias))
        return self.filters[-1]

    @property
    def resets(self) -> int:
        return self.ledger[ATTITUDE_RESETS]

    @property
    def steps(self) -> list[tuple[Vector, Vector]]:
        return self.filters[-1].steps

    def add(self, after_ms: float = 10, flags: int = 0, **fields: Any) -> Sample:  # noqa: ANN401
        """The next sample; its rate about x says which one it is."""
        self.t_ns += round(after_ms * MS_NS)
        self.count += 1
        values = {"ax": 0.0, "ay": 0.0, "az": 1.0, "gx": float(self.count), "gy": 0.0, "gz": 0.0}
        sample = Sample(self.t_ns, **{**values, "temp": 25.0, "flags": int(flags), **fields})
        return self.tracker.add(sample)

    def run(self, samples: int, **more: Any) -> list[Sample]:  # noqa: ANN401
        return [self.add(**more) for _ in range(samples)]


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Callable[[Bias], None]:
    """Sets what filters say of the bias."""
    return lambda bias: monkeypatch.setattr(NotingFilter, "says", bias)


def test_each_sample_is_taken_in_once_and_in_order(rig: Rig) -> None:
    """It comes back as it was, with the attitude after it."""
    samples = rig.run(20)
    assert [gyro[0] for _, gyro in rig.steps] == list(range(1, 21))
    assert [sample.qx for sample in samples] == list(range(1, 21))
    assert {accel for accel, _ in rig.steps} == {(0.0, 0.0, 1.0)}
    assert samples[0][:8] == (rig.t_ns - 190 * MS_NS, 0, 0, 1, 1, 0, 0, 25)
    assert rig.filters[0].period_s == 0.01
    assert rig.filters[0].gyroscope == CALIBRATED
    assert rig.filters[0].begun_with == CALIBRATED.bias
    assert rig.resets == 0


def test_the_first_five_seconds_settle(rig: Rig) -> None:
    """And no others."""
    samples = rig.run(600)
    assert [bool(sample.flags & SETTLING) for sample in samples] == [True] * 500 + [False] * 100


def test_a_short_gap_is_bridged_on_a_straight_line(rig: Rig) -> None:
    """Both accelerations and rates; it does not count as a beginning."""
    rig.add(ax=0.0, gy=100.0)
    sample = rig.add(40, ax=1.0, gy=20.0)
    assert rig.steps[1:] == [
        ((part, 0.0, 1.0), (1 + part, 100 - 80 * part, 0.0)) for part in (0.25, 0.5, 0.75, 1.0)
    ]
    assert sample.qx == 5
    assert (len(rig.filters), rig.resets) == (1, 0)


@pytest.mark.parametrize(("missing", "is_flagged"), [(1, False), (2, False), (3, True), (10, True)])
def test_what_was_bridged_for_long_is_flagged_for_five_seconds(
    rig: Rig, missing: int, is_flagged: bool
) -> None:
    """From the first sample after the gap on."""
    before = rig.run(10)
    after = [rig.add((missing + 1) * 10), *rig.run(599)]
    assert not any(sample.flags & GAP for sample in before)
    flagged = [bool(sample.flags & GAP) for sample in after]
    assert flagged == [is_flagged] * 500 + [False] * 100
    assert rig.resets == 0


def test_after_a_long_gap_it_begins_anew(rig: Rig) -> None:
    """What is known of the bias is kept, as far as it can be."""
    rig.run(700)
    first = rig.add(120)
    assert first.qx == 1
    assert first.flags == SETTLING
    assert rig.resets == 1
    assert rig.filters[1].begun_with.dps == KNOWN.dps
    assert KNOWN.sigma_dps < rig.filters[1].begun_with.sigma_dps < KNOWN.sigma_dps + 0.001
    assert [bool(sample.flags & SETTLING) for sample in rig.run(600)] == [True] * 499 + [
        False
    ] * 101
    rig.add(3_600_000)
    assert rig.filters[2].begun_with == CALIBRATED.bias._replace(dps=KNOWN.dps)
    assert rig.resets == 2


def test_at_a_low_rate_one_reading_may_be_missing() -> None:
    """At 10 Hz that is the whole of the longest bridge."""
    rig = Rig(period_ns=100 * MS_NS)
    rig.run(3, after_ms=100)
    rig.add(200.4)
    assert (rig.resets, len(rig.steps)) == (0, 5)
    rig.add(300)
    assert rig.resets == 1


@pytest.mark.parametrize(
    ("after_ms", "lost", "is_unknown"), [(10, 0, True), (10, 7, True), (50, 4, False)]
)
@pytest.mark.parametrize("gap", [Flag.DEVICE_GAP, Flag.RESTART_GAP])
def test_where_recordings_are_joined_the_bias_is_forgotten(
    rig: Rig, gap: Flag, after_ms: float, lost: int, is_unknown: bool
) -> None:
    """Where there is no count, or less time than the readings that are missing took."""
    rig.run(10, flags=Flag.REPLAYED)
    rig.add(after_ms, Flag.REPLAYED | gap, lost=lost)
    assert rig.resets == is_unknown
    if is_unknown:
        assert rig.filters[1].begun_with == CALIBRATED.bias


def test_a_living_sensor_has_a_clock_to_tell_how_long_a_gap_was(rig: Rig) -> None:
    """Whatever it says of how much is lost."""
    rig.run(10)
    rig.add(20, Flag.DEVICE_GAP, lost=0)
    rig.add(20, Flag.DEVICE_GAP, lost=5)
    assert rig.resets == 0


@pytest.mark.parametrize("fact", ["calibration", "period_ns", "speed"])
def test_another_setting_is_another_sensor(rig: Rig, fact: str) -> None:
    """Nothing of the bias is kept."""
    rig.run(10)
    setattr(rig.device, fact, {"calibration": "2026", "period_ns": 5 * MS_NS, "speed": 2.0}[fact])
    rig.add()
    assert rig.resets == 1
    assert rig.filters[1].begun_with == CALIBRATED.bias


def test_an_uncalibrated_gyroscope_may_have_a_large_bias(rig: Rig) -> None:
    """It begins anew when that changes."""
    rig.add(flags=Flag.UNCALIBRATED)
    assert (rig.filters[0].gyroscope, rig.filters[0].begun_with) == (
        UNCALIBRATED,
        UNCALIBRATED.bias,
    )
    rig.add()
    assert rig.filters[1].gyroscope == CALIBRATED
    assert rig.resets == 1


def test_a_restarted_producer_begins_anew() -> None:
    """Its ring has the attitude of its predecessor."""
    rig = Rig(continues=True)
    first = rig.add()
    assert rig.resets == 1
    assert first.flags == SETTLING


def test_a_stale_repeat_bridges_a_reading(rig: Rig) -> None:
    """It is taken in; every second one does no harm."""
    rig.run(10)
    for _ in range(50):
        assert rig.add().flags == SETTLING
        assert rig.add(flags=Flag.STALE_REPEAT).flags == SETTLING | Flag.STALE_REPEAT
    assert len(rig.steps) == 110
    assert rig.resets == 0


def test_a_sensor_that_is_stuck_has_no_attitude(rig: Rig) -> None:
    """After 0.1 s, until it has a new reading: with that it begins anew."""
    rig.run(600)
    stuck = rig.run(20, flags=Flag.STALE_REPEAT)
    assert [bool(sample.flags & GAP) for sample in stuck] == [False] * 2 + [True] * 8 + [False] * 10
    assert [any(sample[10:]) for sample in stuck] == [True] * 10 + [False] * 10
    assert not any(sample.flags & ATTITUDE_FLAGS for sample in stuck[10:])
    assert rig.resets == 0
    assert rig.add().qx == 1
    assert rig.resets == 1
    assert rig.filters[1].begun_with.dps == KNOWN.dps


def test_a_seam_while_it_is_stuck_makes_the_bias_unknown(rig: Rig) -> None:
    """The reading after it is of another recording."""
    rig.run(10)
    rig.run(20, flags=Flag.STALE_REPEAT)
    rig.add(flags=Flag.REPLAYED | Flag.DEVICE_GAP)
    assert rig.filters[1].begun_with == CALIBRATED.bias


def test_missing_readings_and_repeats_count_together(rig: Rig) -> None:
    """Six that are missing and five repeats are a long gap."""
    rig.run(10)
    rig.add(70, Flag.STALE_REPEAT)
    assert all(any(sample[10:]) for sample in rig.run(3, flags=Flag.STALE_REPEAT))
    assert not any(rig.add(flags=Flag.STALE_REPEAT)[10:])


@given(st.lists(st.integers(-9, 9), min_size=60, max_size=120))
def test_times_that_are_early_or_late_are_evened_out(jitter_ms: list[int]) -> None:
    """In all, no more is bridged than the largest deviation; the next gap is not hidden by it."""
    rig = Rig()
    last = 0
    for each in jitter_ms:
        rig.add(10 + each - last)
        last = each
    assert len(jitter_ms) <= len(rig.steps) <= len(jitter_ms) + 2
    assert rig.resets == 0


@pytest.mark.parametrize("real_hz", [95, 98, 102, 105])
def test_rotations_are_computed_with_the_real_rate(
    rig: Rig, real_hz: float, caplog: pytest.LogCaptureFixture
) -> None:
    """Once it has been measured, for ten seconds; a chip may be off by 5 %."""
    for _ in range(1200):
        rig.add(1000 / real_hz, gy=100.0)
    assert rig.steps[0][1][1] == 100
    turned_by = sum(gyro[1] for _, gyro in rig.steps[-100:]) / 100 / 100
    extra = len(rig.steps) / 1200  # a rate that is too low is bridged until then
    assert turned_by * extra == pytest.approx(100 / real_hz, rel=0.01)
    assert not caplog.records
    assert rig.resets == 0


def test_a_rate_that_is_quite_another_is_reported_once(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the sensor was told, this is what it does."""
    rig.run(5000, after_ms=5, gy=100.0)
    assert [record.getMessage() for record in caplog.records] == [
        "samples come at 200 Hz, not at the 100 Hz of fake: the attitude is less accurate"
    ]
    assert rig.steps[-1][1][1] == pytest.approx(50)


def test_a_recording_that_is_played_faster_was_measured_slower(rig: Rig) -> None:
    """Its periods are those of the sensor, and so are its gaps."""
    rig.device.speed = 4.0
    rig.device.period_ns = 25 * MS_NS // 10
    rig.run(10, after_ms=2.5)
    assert rig.filters[0].period_s == pytest.approx(0.01)
    rig.add(25)
    assert (rig.resets, len(rig.steps)) == (0, 20)
    rig.add(30)
    assert rig.resets == 1


def test_clipped_readings_are_taken_in_and_flagged_like_a_gap(rig: Rig) -> None:
    """The true value may be beyond."""
    rig.run(600)
    samples = [rig.add(flags=Flag.CLIPPED), *rig.run(600)]
    assert [bool(sample.flags & GAP) for sample in samples] == [True] * 500 + [False] * 101
    assert len(rig.steps) == 1201


@pytest.mark.parametrize(
    ("bias", "is_known"),
    [
        (Bias((0.0, 0.0, 0.0), 0.21), False),
        (Bias((0.0, 0.0, 0.0), 0.19), True),
        (Bias((1.9, -1.9, 1.9), 0.1), True),
        (Bias((0.0, -2.0, 0.0), 0.1), False),
    ],
)
def test_a_bias_that_is_uncertain_or_at_its_limit_is_flagged(
    rig: Rig,
    says: Callable[[Bias], None],
    bias: Bias,
    is_known: bool,
) -> None:
    """It is looked at ten times a second."""
    says(bias)
    rig.run(5)
    says(KNOWN)
    samples = rig.run(10)
    flagged = [bool(sample.flags & BIAS) for sample in samples]
    assert flagged == [not is_known] * 5 + [False] * 5


@pytest.mark.parametrize(("rate_hz", "has"), [(1, False), (8.9, False), (9.1, True), (8000, True)])
def test_below_ten_hertz_there_is_none(
    rate_hz: float, has: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """One line says so."""
    rig = Rig(period_ns=round(1e9 / rate_hz))
    samples = rig.run(5, after_ms=1000 / rate_hz)
    assert all(any(sample[10:]) == has for sample in samples)
    assert len(caplog.records) == (not has)
    if not has:
        assert not any(sample.flags for sample in samples)
        assert f"it takes 10 Hz, and fake has {rate_hz:g} Hz" in caplog.text


@pytest.fixture(autouse=True)
def all_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
