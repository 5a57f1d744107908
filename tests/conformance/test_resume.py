"""What the checks of resuming make of what comes."""

import pytest

from trio_mpu.conformance.resume_checks import _check_held
from trio_mpu.conformance.verdict import NotTried


def test_a_sample_that_the_ring_has_lost_meanwhile_is_no_fault() -> None:
    """The client was slow, or the ring is small; a sample that is there is judged."""
    _check_held({"seq": 7}, {"seq": 8})
    _check_held({"seq": 7}, {"seq": 9, "gap": {"from": 7, "to": 9, "reason": "slow"}})
    with pytest.raises(NotTried):
        _check_held({"seq": 7}, {"seq": 20, "gap": {"from": 7, "to": 20, "reason": "lapped"}})
