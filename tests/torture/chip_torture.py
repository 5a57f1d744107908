"""Thousands of random sequences of faults between the driver and a chip in software.

    python -m tests.torture.chip_torture [--sequences 10000] [--seed N]

Each sequence has another chip (variant, setup, clock), other faults at other transfers, and a
computer that comes late by other amounts. Every sample that the driver gives out is decoded:
which reading it is, and that it is one, in the right scale, in order and with the right flags.

Exit status 0 when no frame was wrong and no chip was given up, and every reading was given out or
told to be lost: exactly where counting or time could tell, otherwise to one reading a break and
1.5 % of its length (a chip's clock is right to 1 % until it has been measured), and to the length
of a pause of the computer within a transfer when several transfers in a row had one.
"""

import argparse
import itertools
import logging
import random
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import trio

from tests.helpers.software_chip import (
    NUMBERS,
    PAUSE_NS,
    STALL_NS,
    Clock,
    Fault,
    SoftwareChip,
    installed,
    number_of,
    raw_of,
)
from trio_mpu.errors import DeviceError
from trio_mpu.sample import Flag, Sample
from trio_mpu.sensors.mpu6050.device import FIFO_FROM_HZ, Mpu6050
from trio_mpu.sensors.mpu6050.numbering import PAUSE
from trio_mpu.sensors.mpu6050.options import parse_chip
from trio_mpu.sensors.mpu6050.variants import VARIANTS

TRANSFERS: Final = 240  # in which faults may happen
QUIET_READS: Final = 6  # after the last of them, to see how it ends
MAX_READS: Final = 2000
MAX_CLOCK_ERROR: Final = 0.01
MIN_LOSS_ERROR: Final = 1
LOSS_ERROR: Final = 1.5 * MAX_CLOCK_ERROR  # of the length of a break: half-measured may be worse
FAULTS: Final = tuple(Fault)


class Outcome(NamedTuple):
    """What became of one sequence. `breaks` are the samples that tell of lost readings, `inexact`
    those of them whose number is not the true one, but within the tolerance."""

    samples: int = 0
    told: int = 0
    missing: int = 0
    breaks: int = 0
    inexact: int = 0
    faults: int = 0
    miscounts: tuple[str, ...] = ()  # losses that were told wrongly
    complaints: tuple[str, ...] = ()  # wrong frames, and a chip that was given up


class Case(NamedTuple):
    """A chip and what goes wrong with it."""

    spec: str
    who: int
    clock_error: float
    resets_awake: bool
    jitter_ns: float
    plan: dict[int, Fault]
    seed: int


def random_case(seed: int) -> Case:
    """The case of this number."""
    choose = random.Random(seed)
    faults = choose.sample(FAULTS, choose.randint(1, len(FAULTS)))
    plan = dict[int, Fault]()
    while len(plan) < choose.randint(1, 8):
        at, fault = choose.randrange(TRANSFERS), choose.choice(faults)
        for following in range(at, at + choose.choice((1, 1, 1, 2, 3, 5))):
            plan[following] = fault
    rate = choose.choice((50, 100, 200, 500, 1000))
    accel, gyro = choose.choice((2, 4, 8, 16)), choose.choice((250, 500, 1000, 2000))
    return Case(
        f"1,rate={rate},accel={accel},gyro={gyro}",
        choose.choice(tuple(VARIANTS)),
        choose.uniform(-MAX_CLOCK_ERROR, MAX_CLOCK_ERROR),
        choose.random() < 0.3,
        choose.choice((0.0, 50_000.0, 300_000.0)),
        plan,
        seed,
    )


def play(case: Case) -> Outcome:
    """Run the real driver through a case, in virtual time."""
    clock = Clock()
    spec = parse_chip(case.spec, 100)
    chip = SoftwareChip(
        clock,
        spec.setup,
        who=case.who,
        clock_error=case.clock_error,
        resets_awake=case.resets_awake,
        first_number=case.seed * 7919 % NUMBERS,
        seed=case.seed,
    )
    chip.jitter_ns = case.jitter_ns
    samples: list[Sample] = []
    given_up = False

    async def main() -> None:
        nonlocal given_up
        device = await opened()
        chip.plan = {chip.transfers + at: fault for at, fault in case.plan.items()}
        over, quiet = chip.transfers + TRANSFERS, 0
        for _ in range(MAX_READS):
            try:
                samples.extend(await device.read())
            except DeviceError:
                continue
            quiet += chip.transfers > over
            if quiet >= QUIET_READS:
                return
        given_up = True

    async def opened() -> Mpu6050:
        return await Mpu6050.open(spec)

    pauses = [at for at, fault in case.plan.items() if fault is Fault.PAUSE]
    if any(spec.setup.rate_hz < FIFO_FROM_HZ or at + 1 in pauses for at in pauses):
        chip.vague = PAUSE_NS / chip.period_ns
    if Fault.STALL in case.plan.values():
        # Shorter ones are taken for a clock that is late; others may be told a look too early.
        chip.vague += PAUSE + STALL_NS / chip.period_ns
    with installed(chip):
        trio.run(main, clock=clock.mock)
    outcome = judged(samples, chip)
    if given_up:
        outcome = outcome._replace(complaints=(*outcome.complaints, "the chip was given up"))
    return outcome._replace(faults=len(case.plan))


def judged(samples: Sequence[Sample], chip: SoftwareChip) -> Outcome:
    """Compare the samples with what the chip made."""
    complaints, miscounts = list[str](), list[str]()
    told = missing = breaks = inexact = 0
    newest = place = -1  # the number of the newest reading, and of the period it stands for
    before: Sample | None = None
    is_known = False  # where it begins
    longest = hidden = 0  # breaks since the number was known: the longest, and how many
    for sample, after in itertools.zip_longest(samples, samples[1:]):
        number = number_of(sample, chip.scale)
        if number is None:
            complaints.append(f"no reading of the chip: {sample}")
            continue
        if problem := wrong_flags(sample, before, chip):
            complaints.append(f"{problem}: {sample}")
        told += sample.lost
        breaks += sample.lost > 0
        if any(other and other[1:8] == sample[1:8] for other in (before, after)):
            # An old reading in the place of others; a frozen chip's don't tell their numbers.
            place += 1 + sample.lost
            longest = max(longest, sample.lost)
            hidden += sample.lost > 0
            missing += sample.lost
        elif not is_known:
            newest = place = number
            is_known = True
        else:
            if ahead(number, newest) < 1:
                complaints.append(f"reading {number} comes after {newest}")
            steps = ahead(number, place)
            # A period in which the chip made nothing is told as lost when that was noticed.
            unmade = chip.unmade(number, steps)
            error = max(sample.lost - (steps - 1), steps - 1 - unmade - sample.lost, 0)
            inexact += error > 0
            missing += steps - 1
            longest = max(longest, steps, sample.lost)
            if error > chip.vague + MIN_LOSS_ERROR * (1 + hidden) + LOSS_ERROR * longest:
                miscounts.append(f"{steps - 1} are missing before {sample}")
            newest = place = number
            longest = hidden = 0
        before = sample
    numbers = (len(samples), told, missing, breaks, inexact, 0)
    return Outcome(*numbers, tuple(miscounts), tuple(complaints))


def ahead(number: int, other: int) -> int:
    """How many readings after the other one a reading is; numbers begin again at NUMBERS."""
    return (number - other + NUMBERS // 2) % NUMBERS - NUMBERS // 2


def wrong_flags(sample: Sample, before: Sample | None, chip: SoftwareChip) -> str:
    """What is wrong with a sample's flags and time, "" if nothing."""
    raw = raw_of(sample, chip.scale)
    at_an_end = any(word in (-32768, 32767) for word in (*raw[:3], *raw[4:]))
    if at_an_end != bool(sample.flags & Flag.CLIPPED):
        return "clipping is not told right"
    if bool(sample.lost) != bool(sample.flags & Flag.DEVICE_GAP):
        return "a gap without its flag, or the flag without a gap"
    if before is not None and sample.t_ns <= before.t_ns:
        return "time does not go on"
    repeats = before is not None and sample[1:8] == before[1:8]
    if repeats != bool(sample.flags & Flag.STALE_REPEAT):
        return "a repeated reading is not told right"
    return ""


def summed(outcomes: Sequence[Outcome]) -> Outcome:
    """All numbers added, all complaints in one list."""
    if not outcomes:
        return Outcome()
    numbers = [sum(values) for values in zip(*(outcome[:-2] for outcome in outcomes), strict=True)]
    miscounts = tuple(line for outcome in outcomes for line in outcome.miscounts)
    complaints = tuple(line for outcome in outcomes for line in outcome.complaints)
    return Outcome._make((*numbers, miscounts, complaints))


def main(argv: Sequence[str]) -> int:
    """Play random cases; print what became of them; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args(argv)
    outcomes, played = list[Outcome](), Counter[str]()
    for seed in range(options.seed * 10**6, options.seed * 10**6 + options.sequences):
        case = random_case(seed)
        outcome = play(case)
        played.update(fault.name for fault in case.plan.values())
        for line in outcome.complaints + outcome.miscounts:
            print(f"sequence {seed}: {line}")
        outcomes.append(outcome)
    all_ = summed(outcomes)
    print(f"seed {options.seed}: {len(outcomes)} sequences, {all_.faults} faults planned")
    print("  " + ", ".join(f"{name} {count}" for name, count in sorted(played.items())))
    print(f"frames delivered      {all_.samples}")
    print(f"frames lost and told  {all_.told}, truly {all_.missing}, in {all_.breaks} gaps")
    print(f"gaps told inexactly   {all_.inexact} (by one, or 1.5 % of the gap)")
    print(f"gaps told wrongly     {len(all_.miscounts)}")
    print(f"wrong frames          {len(all_.complaints)}")
    return 1 if all_.complaints or all_.miscounts or not outcomes else 0


if __name__ == "__main__":
    logging.disable()
    sys.exit(main(sys.argv[1:]))
