"""The attitude against optical motion capture, on trials of the BROAD benchmark."""

from pathlib import Path
from typing import Final

import numpy as np
import pytest

from benchmarks.broad import Trial, folder, rms
from trio_mpu.sample import ATTITUDE_FLAGS, Flag, Sample

# Root mean square error of the inclination in degrees, as measured, and a margin.
MEASURED_DEG: Final = {"02": 0.43, "09": 0.88, "12": 0.26, "16": 0.54, "24": 0.61, "31": 1.15}
MARGIN_DEG: Final = 0.05


@pytest.fixture(scope="module", params=MEASURED_DEG)
def trial(request: pytest.FixtureRequest) -> Trial:
    try:
        [path] = folder().glob(f"{request.param}_*.npz")
    except LookupError as missing:
        pytest.skip(str(missing))
    return Trial.of(path)


@pytest.fixture(scope="module")
def tracked(trial: Trial) -> list[Sample]:
    """Its samples with their attitude, one by one."""
    tracker = trial.tracker()
    return [tracker.add(sample) for sample in trial.samples]


def test_the_inclination_is_as_accurate_as_it_was(trial: Trial, tracked: list[Sample]) -> None:
    """With the precision of the ring."""
    estimates = np.array([sample[10:14] for sample in tracked], dtype=np.float32)
    most_deg = MEASURED_DEG[Path(trial.name).name[:2]] + MARGIN_DEG
    assert rms(trial.errors(estimates)) < most_deg


def test_after_a_rest_no_flag_says_otherwise(trial: Trial, tracked: list[Sample]) -> None:
    """All trials begin with half a minute of it."""
    moving = np.flatnonzero(trial.moving)[0]
    assert not any(sample.flags & ATTITUDE_FLAGS for sample in tracked[moving:])
    assert tracked[0].flags & ATTITUDE_FLAGS == Flag.ATTITUDE_SETTLING | Flag.ATTITUDE_BIAS


def test_what_is_not_flagged_can_be_trusted_after_a_start_in_motion(trial: Trial) -> None:
    """Whatever the sensor does in the first moment: 5 s later the inclination is within 5°, and it is
    flagged until then."""
    begin = int(np.flatnonzero(trial.moving)[0] + 20 * trial.rate_hz)
    end = begin + round(30 * trial.rate_hz)
    tracker = trial.tracker()
    part = [tracker.add(sample) for sample in trial.samples[begin:end]]
    estimates = np.full((len(trial.samples), 4), np.nan)
    settled = [not sample.flags & Flag.ATTITUDE_SETTLING for sample in part]
    first = settled.index(True)
    assert 4.9 < first / trial.rate_hz < 5.1
    estimates[begin + first : end] = [sample[10:14] for sample in part[first:]]
    errors = trial.errors(estimates)
    assert len(errors)
    assert np.percentile(errors, 95) < 3
    assert errors.max() < 5


@pytest.mark.parametrize(("missing_s", "most_deg"), [(0.018, 1.5), (0.1, 6.0)])
def test_a_gap_that_is_bridged_does_little_harm(
    trial: Trial, missing_s: float, most_deg: float
) -> None:
    """Pieces are cut out of a movement; the mean error in the second after each."""
    length, each = round(missing_s * trial.rate_hz), round(12 * trial.rate_hz)
    begin = int(np.flatnonzero(trial.moving)[0])
    tracker = trial.tracker()
    estimates = np.full((len(trial.samples), 4), np.nan)
    for number, sample in enumerate(trial.samples):
        since = (number - begin) % each
        if number > begin and since < length:
            continue
        after = tracker.add(sample)
        if number > begin and length <= since < length + trial.rate_hz:
            estimates[number] = after[10:14]
            assert bool(after.flags & Flag.ATTITUDE_GAP) == (missing_s > 0.02)
    assert rms(trial.errors(estimates)) < most_deg
