"""What a log's rest, rates and times say about its units."""

import math
import random

import pytest

from trio_mpu.importing.checks import Rest, accel_hint, doubts_of, rest_of
from trio_mpu.importing.plan import UNITS, Plan, Unit, plan_of
from trio_mpu.importing.rows import Reading
from trio_mpu.importing.timeline import Timeline

GOOD = Rest(1, 50, 1.0, 2.0, is_still=True)


def plan(time: str = "s:t", accel: str = "g:x,y,z") -> Plan:
    return plan_of({"time": time, "accel": accel, "gyro": "none", "temp": "none", "preset": ""})


def doubts(rest: Rest, period_ns: int = 10**7, time: str = "s:t", accel: str = "g:x,y,z") -> str:
    return " ".join(doubts_of(plan(time, accel), period_ns, rest))


def test_a_good_log_is_not_doubted() -> None:
    """At the ends of each range, too."""
    for gravity_g in (0.6, 1.0, 1.6):
        assert doubts(GOOD._replace(gravity_g=gravity_g)) == ""
    assert doubts(GOOD._replace(rate_dps=25.0)) == ""
    assert doubts(GOOD._replace(rate_dps=500.0, is_still=False)) == ""
    for period_ns in (125_000, 200_000_000):
        assert doubts(GOOD, period_ns) == ""
    assert doubts(GOOD, 10**9, "rate:1") == ""


@pytest.mark.parametrize(
    ("accel", "gravity_g", "hint"),
    [
        ("g:x,y,z", 9.81, ": is it mss?"),
        ("g:x,y,z", 2.3, ""),
        ("mss:x,y,z", 0.102, ": is it g?"),
        ("mss:x,y,z", 0.01, ": is it the acceleration without gravity?"),
        ("lsb:8192:x,y,z", 2.0, ": is it lsb:16384?"),
        ("mg:x,y,z", 9.81, ": is it mmss?"),
    ],
)
def test_gravity_that_is_not_1_g_suggests_a_unit(accel: str, gravity_g: float, hint: str) -> None:
    """The one with which it would be."""
    found = doubts(GOOD._replace(gravity_g=gravity_g), accel=accel)
    assert found == f"1 g expected at rest, {gravity_g:.4g} g found{hint}"
    found = doubts(GOOD._replace(gravity_g=gravity_g, is_still=False), accel=accel)
    assert found == f"1 g expected on average, {gravity_g:.4g} g found{hint}"


def test_a_rate_at_rest_is_doubted() -> None:
    """2 °/s of a chip, read as rad/s, are 115."""
    assert doubts(GOOD._replace(rate_dps=115.0)).startswith("0 °/s expected at rest, 115 °/s found")


@pytest.mark.parametrize(
    ("time", "period_ns", "hint"),
    [
        ("s:t", 10**10, "0.1 found: is it ms?"),
        ("ms:t", 10**4, "1e+05 found: is it s?"),
        ("us:t", 10**10, "0.1 found: is it ns?"),
        ("s:t", 10**17, "1e-08 found: is it ns?"),
        ("s:t", 10**6 + 10**9 * 3600 * 10**6, "2.778e-10 found"),
        ("iso:t", 10**9, "1 found"),
    ],
)
def test_a_rate_of_rows_that_is_too_low_or_high_suggests_a_unit(
    time: str, period_ns: int, hint: str
) -> None:
    """Where the time is a number."""
    assert doubts(GOOD, period_ns, time) == f"5 to 8,000 rows a second expected, {hint}"


def test_a_hint_is_the_units_own_name() -> None:
    """As the option takes it."""
    assert accel_hint(UNITS["accel"]["g"], 1000.0) == "mg"
    assert accel_hint(UNITS["accel"]["g"], 5000.0) == ""
    assert accel_hint(Unit("counts", UNITS["accel"]["g"].per), 2048.0) == "lsb:2048"


def test_the_quietest_stretch_is_found() -> None:
    """Between two of shaking; a short log is one stretch."""
    chance = random.Random(1)
    found = Timeline()
    for row in range(300):
        shake = 0.001 if 100 <= row < 200 else 0.5
        values = (0.0, 0.6, 0.8 + chance.gauss(0, shake), 3.0, 4.0, 0.0, 20.0)
        found.add(Reading(row + 2, row * 10**7, values))
    found.finish()
    rest = rest_of(found, 10**7)
    assert (rest.first_line, rest.last_line) in ((102, 151), (152, 201))
    assert math.isclose(rest.gravity_g, 1.0, abs_tol=0.01)
    assert rest.rate_dps == 5.0
    assert rest.is_still
    shaken = Timeline()
    for row in range(60):
        values = (0.0, 0.0, 1.0 + 0.2 * (-1) ** row, 0.0, 0.0, 0.0, 0.0)
        shaken.add(Reading(row + 1, row * 10**7, values))
    shaken.finish()
    assert not rest_of(shaken, 10**7).is_still
    short = Timeline()
    for row in range(2):
        short.add(Reading(row + 1, row, (0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0)))
    short.finish()
    assert rest_of(short, 1) == Rest(1, 2, 1.0, 0.0, is_still=True)
